//! A fresh engine that has a pack active since before a proposal was written, and takes it as any engine would.

use fallgate::error::nearest;
use fallgate::operation::{Approve, Propose};
use fallgate::policy::bundle::Bundle;
use fallgate::policy::compile::Policy;
use fallgate::state::approvals::ApprovalError;
use fallgate::state::events::EventKind;
use fallgate::state::postures::PostureError;
use fallgate::state::proposal::{Change, Proposal};
use fallgate::time::{Monotonic, Now, Ttl, Wall};
use fallgate::{Config, Engine};

use super::refused;
use crate::console::Failure;
use crate::finding::Finding;

/// For how long the engine has been active when the first of its times comes: longer than a one-time code counts, since
/// an engine takes no code of the time before it began.
const ACTIVE_BEFORE: Ttl = Ttl::from_secs(120);

/// An engine that has taken a proposal.
pub(super) struct Stage {
    engine: Engine,
    now: Now,
    /// How many approvals the proposal takes.
    pub(super) need: u32,
    /// The group whose approvals it takes.
    pub(super) group: String,
}

/// Why there is no such engine.
pub(super) enum Unstaged {
    /// The proposal is refused.
    Refused(ApprovalError),
    /// The pack cannot be active at that time.
    Failed(Failure),
}

impl Stage {
    /// An engine that has taken the proposal at that time. The posture that is to be left is entered: whether it is, only
    /// the engine knows that the operation is for.
    pub(super) fn new(bundle: &Bundle, propose: &Propose, proposal: &Proposal, at: Wall) -> Result<Self, Unstaged> {
        let first = at.min(proposal.issued_at).as_nanos();
        let start = Wall::from_nanos(first.saturating_sub(nanos(ACTIVE_BEFORE)));
        let engine = Engine::new(Config::default());
        engine.activate(bundle.clone().without_tests(), Now::new(Monotonic::ZERO, start)).map_err(|error| {
            Unstaged::Failed(Finding::unreadable(format!("the pack cannot decide: {error}")).into())
        })?;
        let elapsed = u64::try_from(at.as_nanos().saturating_sub(start.as_nanos())).unwrap_or_default();
        let now = Now::new(Monotonic::from_nanos(elapsed), at);
        if let Change::LeavePosture(leave) = &proposal.document.operation {
            // Where there is no such posture, or no such scope, the proposal is refused for that.
            let _entered = engine.enter_posture(&leave.posture, leave.scope.as_deref(), now);
        }
        let proof = propose.proof().map_err(Unstaged::Refused)?;
        engine.propose(&propose.proposal, proof, now).map_err(Unstaged::Refused)?;
        let quorum = engine.proposals().first().map(|pending| pending.quorum);
        let quorum = quorum.ok_or(Unstaged::Refused(ApprovalError::UnknownProposal))?;
        let group = bundle.policy().approvers.groups.get(usize::from(quorum.group));
        let group = group.map(|group| group.name.as_str().to_owned()).unwrap_or_default();
        Ok(Self { engine, now, need: quorum.need, group })
    }

    /// Whether an approval counts, whatever else was approved.
    pub(super) fn judge(&self, proposal: &Proposal, approve: &Approve) -> Result<(), ApprovalError> {
        if approve.proposal != proposal.id.to_string() {
            return Err(ApprovalError::UnknownProposal);
        }
        let done = self.engine.approve(proposal.id, &approve.by, approve.proof()?, self.now);
        let mut events = std::iter::from_fn(|| self.engine.poll_event());
        // What was approved may be impossible here, such as to clear a flag that nobody has set: the approval counts.
        let counts = events.any(|event| matches!(event.kind, EventKind::Approved { id, .. } if id == proposal.id));
        if counts { Ok(()) } else { done.map(drop) }
    }
}

pub(super) fn nanos(span: Ttl) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

/// A refusal by the pack, with its repair.
pub(super) fn refusal_by(policy: &Policy, proposal: &Proposal, error: &ApprovalError) -> Finding {
    let by = &proposal.document.by;
    let members = || policy.approvers.groups.iter().flat_map(|group| &group.members).map(|member| member.name.as_str());
    let help = match error {
        ApprovalError::UnknownApprover => match nearest(by, members()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the pack has {}", listed(members())),
        },
        ApprovalError::NoApprovalsDeclared => match &proposal.document.operation {
            Change::LeavePosture(_) => "it is left by an operator's word: the operation `leave_posture`".to_owned(),
            Change::GrantOverride(_) => "let the pack declare `overrides`".to_owned(),
            Change::Promote(_) | Change::Activate(_) => "let the pack declare `rollout.approvals`".to_owned(),
            _ => "it takes an operator's word: the operations `set_flag` and `clear_flag`".to_owned(),
        },
        ApprovalError::Posture(PostureError::UnknownPosture) => {
            let names = policy.postures.specs.iter().map(|spec| spec.name.as_str());
            format!("the pack has {}", listed(names))
        }
        ApprovalError::BadSignature => format!("sign with the private half of the key that the pack has for `{by}`"),
        ApprovalError::ProofMissing => format!("the pack has another kind of proof for `{by}`: `--key` or `--code`"),
        ApprovalError::BadCode | ApprovalError::UsedCode => "take a new code".to_owned(),
        ApprovalError::OpenTooLong => "let `--valid` be at most 24h".to_owned(),
        ApprovalError::ProposalExpired => "propose it anew".to_owned(),
        ApprovalError::OtherBundle => {
            format!("it is for {}; this is {} revision {}", target(proposal), policy.name, policy.revision)
        }
        _ => return refused("the proposal", error),
    };
    refused("the proposal", error).help(help)
}

/// For which bundle a proposal is.
pub(super) fn target(proposal: &Proposal) -> String {
    let said = &proposal.document;
    let name = super::sign::plain(&said.bundle);
    said.revision.map_or_else(|| name.clone(), |revision| format!("{name} revision {revision}"))
}

fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: std::collections::BTreeSet<&str> = names.collect();
    if names.is_empty() {
        return "none".to_owned();
    }
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
