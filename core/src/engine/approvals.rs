//! Approvals at the engine: what is proposed, approved and withdrawn, and what is done once enough people have (spec 1.9).

use std::str::FromStr;
use std::sync::Arc;

use serde_json::Value;

use super::snapshot::Active;
use super::told::Told;
use super::{Engine, cut};
use crate::faults::point;
use crate::name::Name;
use crate::operation::{Approve, Operation, Propose, RevokeOverride};
use crate::policy::approver::{FlagSpec, Quorum};
use crate::policy::bundle::BundleId;
use crate::policy::compile::Policy;
use crate::state::approvals::{ApprovalError, Approved, Close, Pending, Proof};
use crate::state::clocks::Reading;
use crate::state::events::{ApprovedBy, EventKind};
use crate::state::overrides::{End, Granting, Scope};
use crate::state::postures::PostureError;
use crate::state::proposal::{Change, GrantOverride, LeavePosture, Proposal, ProposalId, SetFlag};
use crate::state::statement::Purpose;
use crate::time::{Monotonic, Now, Ttl};

impl Engine {
    /// Takes a proposal: a document as [`ProposalDocument`](crate::state::proposal::ProposalDocument) has it, and the proof
    /// of who proposes it. It waits for approvals until it expires.
    ///
    /// # Errors
    /// [`ApprovalError`], with everything as it was.
    pub fn propose(&self, proposal: &Value, proof: Proof<'_>, now: Now) -> Result<ProposalId, ApprovalError> {
        let _input = self.operating(now, || Operation::Propose(Propose::new(proposal.clone(), proof)));
        let by = proposal.get("by").and_then(Value::as_str).unwrap_or_default();
        self.on_approvals(None, by, now, |told, policy, now| told.propose(policy, proposal, proof, now))
    }

    /// Takes an approval of a proposal. Where it is the last that it takes, what was proposed is done: a posture is left as
    /// soon as all else that its pack demands holds.
    ///
    /// # Errors
    /// [`ApprovalError`]: the approval does not count.
    pub fn approve(&self, id: ProposalId, by: &str, proof: Proof<'_>, now: Now) -> Result<Approved, ApprovalError> {
        let _input = self.operating(now, || Operation::Approve(Approve::new(id, by, proof)));
        self.on_approvals(Some(id), by, now, |told, policy, now| told.approve(policy, id, by, proof, now))
    }

    /// Withdraws a proposal, or an approved leave that still waits: any approver may.
    ///
    /// # Errors
    /// [`ApprovalError`].
    pub fn withdraw(&self, id: ProposalId, by: &str, proof: Proof<'_>, now: Now) -> Result<(), ApprovalError> {
        let _input = self.operating(now, || Operation::Withdraw(Approve::new(id, by, proof)));
        self.on_approvals(Some(id), by, now, |told, policy, now| {
            let member = policy.approvers.member(by).ok_or(ApprovalError::UnknownApprover)?;
            let proposal = told.approvals.waiting(id, now)?.proposal.clone();
            told.approvals.authenticate(member, proof, Purpose::Withdrawal, &proposal, now)?;
            told.close(id, Close::Withdrawn, now.monotonic);
            Ok(())
        })
    }

    /// Ends an override before its time. Tightening is easy: it takes nobody's approval.
    ///
    /// # Errors
    /// [`ApprovalError::UnknownOverride`].
    pub fn revoke_override(&self, id: ProposalId, now: Now) -> Result<(), ApprovalError> {
        let _input = self.operating(now, || Operation::RevokeOverride(RevokeOverride { id: id.to_string() }));
        let (mut told, now) = self.follow(Reading::of(now));
        told.overrides.revoke(id, now.monotonic)?;
        point("override: revoked");
        told.happened.push((now.monotonic, EventKind::OverrideEnded { id, why: End::Revoked }));
        self.publish(&mut told, now);
        Ok(())
    }

    /// The proposals that wait, by id.
    #[must_use]
    pub fn proposals(&self) -> Vec<Pending> {
        self.told().approvals.pending().cloned().collect()
    }

    fn on_approvals<T>(
        &self,
        id: Option<ProposalId>,
        by: &str,
        now: Now,
        act: impl FnOnce(&mut Told, &Policy, Now) -> Result<T, ApprovalError>,
    ) -> Result<T, ApprovalError> {
        let of_a_stranger = |active: &Active| active.bundle.policy().approvers.member(by).is_none();
        if self.snapshot.load().active.as_ref().is_some_and(of_a_stranger) {
            return Err(self.refuse_stranger(id, by, now));
        }
        // What was due before comes before what people do.
        let (mut told, now) = self.follow(Reading::of(now));
        let done = told.trusted_policy().and_then(|policy| act(&mut told, &policy, now));
        // What is taken, and a wrong code, are exported.
        if matches!(done, Ok(_) | Err(ApprovalError::BadCode | ApprovalError::UsedCode)) {
            told.other_changes = told.other_changes.saturating_add(1);
        }
        if let Err(error) = &done
            && let Some(untold) = told.approvals.tells_refusal(now.monotonic)
        {
            let refused = EventKind::ApprovalRefused { id, by: cut(by), code: error.code(), untold };
            told.happened.push((now.monotonic, refused));
        }
        self.publish(&mut told, now);
        done
    }

    /// Strangers are refused before anything else is looked at: noise costs the engine little.
    fn refuse_stranger(&self, id: Option<ProposalId>, by: &str, now: Now) -> ApprovalError {
        let (now, error) = (self.held(now), ApprovalError::UnknownApprover);
        let untold = self.told().approvals.tells_refusal(now.monotonic);
        if let Some(untold) = untold {
            self.events().push(now, EventKind::ApprovalRefused { id, by: cut(by), code: error.code(), untold });
        }
        error
    }
}

impl Told {
    /// The policy, where the clocks are to be trusted.
    fn trusted_policy(&self) -> Result<Arc<Policy>, ApprovalError> {
        let active = self.active.as_ref().ok_or(ApprovalError::NoPolicy)?;
        if self.clock_ok { Ok(Arc::clone(active.bundle.policy())) } else { Err(ApprovalError::ClockFailed) }
    }

    fn propose(
        &mut self,
        policy: &Policy,
        document: &Value,
        proof: Proof<'_>,
        now: Now,
    ) -> Result<ProposalId, ApprovalError> {
        let proposal = Proposal::read(document)?;
        let said = &proposal.document;
        let revision = said.revision.unwrap_or(policy.revision);
        if said.bundle != policy.name.as_str() || revision != policy.revision {
            return Err(ApprovalError::OtherBundle);
        }
        self.approvals.admits(&proposal, now)?;
        let member = policy.approvers.member(&said.by).ok_or(ApprovalError::UnknownApprover)?;
        let (quorum, entered_at) = self.fits(policy, &said.operation)?;
        check_quorum(policy, quorum, &proposal)?;
        // Last, so that no code is used up for what is refused anyway.
        self.approvals.authenticate(member, proof, Purpose::Proposal, &proposal, now)?;
        let (id, by, change) = (proposal.id, member.name, said.operation.code());
        let reason = said.reason.chars().take(200).collect::<String>().into();
        point("propose: authenticated");
        self.approvals.propose(proposal, quorum, entered_at, now);
        point("propose: kept");
        self.happened.push((now.monotonic, EventKind::Proposed { id, by, change, reason }));
        Ok(id)
    }

    /// The approvals that the change takes, and since when the posture is entered that it leaves.
    fn fits(&self, policy: &Policy, change: &Change) -> Result<(Quorum, Option<Monotonic>), ApprovalError> {
        let unfit = |message: &str| ApprovalError::UnfitProposal { message: message.to_owned() };
        match change {
            Change::LeavePosture(LeavePosture { posture, scope }) => {
                let (_, number) = self.named(posture, scope.as_deref())?;
                let quorum = policy.postures.spec(number).and_then(|spec| spec.leave.approvals);
                let quorum = quorum.ok_or(ApprovalError::NoApprovalsDeclared)?;
                let entered_at = self.postures.entered_at(scope.as_deref(), number);
                Ok((quorum, Some(entered_at.ok_or(PostureError::NotEntered)?)))
            }
            Change::GrantOverride(grant) => {
                let spec = policy.approvers.overrides.as_ref().ok_or(ApprovalError::NoApprovalsDeclared)?;
                let scope = Scope::of(grant).map_err(|message| unfit(&message))?;
                if let Some(action) = scope.unknown_action(policy) {
                    return Err(unfit(&format!("no action is named {}", crate::error::quoted(action))));
                }
                let GrantOverride { for_, uses, .. } = grant;
                if *for_ == Ttl::ZERO || *for_ > spec.max_window {
                    return Err(unfit(&format!("`for` is up to {}", spec.max_window)));
                }
                if *uses == 0 || *uses > spec.max_uses {
                    return Err(unfit(&format!("`uses` is up to {}", spec.max_uses)));
                }
                Ok((spec.quorum, None))
            }
            Change::SetFlag(SetFlag { flag, for_ }) => {
                let spec = policy.approvers.flag(flag).ok_or_else(|| unfit("the pack declares no such flag"))?;
                flag_age(spec, *for_).ok_or_else(|| unfit(&format!("`for` is up to {}", spec.max_age)))?;
                Ok((spec.approvals.ok_or(ApprovalError::NoApprovalsDeclared)?, None))
            }
            Change::ClearFlag(clear) => {
                let spec = policy.approvers.flag(&clear.flag).ok_or_else(|| unfit("the pack declares no such flag"))?;
                Ok((spec.approvals.ok_or(ApprovalError::NoApprovalsDeclared)?, None))
            }
            Change::Promote(named) | Change::Activate(named) => {
                let quorum = policy.rollout.as_ref().and_then(|rollout| rollout.approvals);
                let quorum = quorum.ok_or(ApprovalError::NoApprovalsDeclared)?;
                BundleId::parse(&named.bundle).ok_or_else(|| unfit("`bundle` is no digest: write 64 digits"))?;
                if matches!(change, Change::Promote(_)) && !self.stages(&named.bundle) {
                    return Err(unfit("no bundle of that digest is staged"));
                }
                Ok((quorum, None))
            }
        }
    }

    fn approve(
        &mut self,
        policy: &Policy,
        id: ProposalId,
        by: &str,
        proof: Proof<'_>,
        now: Now,
    ) -> Result<Approved, ApprovalError> {
        let pending = self.approvals.waiting(id, now)?.clone();
        let known = policy.approvers.member(by).ok_or(ApprovalError::UnknownApprover)?;
        let member = policy.approvers.member_of(pending.quorum.group, &known.name);
        let member = member.ok_or(ApprovalError::NotOfTheGroup)?;
        if pending.proposal.document.by == by {
            return Err(ApprovalError::OwnProposal);
        }
        if benefits(&pending.proposal).any(|(kind, id)| member.is_subject(&kind, &id)) {
            return Err(ApprovalError::Beneficiary);
        }
        if pending.approved.contains_key(&member.name) {
            return Err(ApprovalError::AlreadyApproved);
        }
        self.approvals.authenticate(member, proof, Purpose::Approval, &pending.proposal, now)?;
        // Whatever comes of it: a code is used up, which is exported.
        self.other_changes = self.other_changes.saturating_add(1);
        point("approve: authenticated");
        self.approvals.approve(id, member);
        point("approve: counted");
        let pending = self.approvals.waiting(id, now)?.clone();
        let approvals = u32::try_from(pending.approvals(policy)).unwrap_or(u32::MAX);
        let need = pending.quorum.need;
        self.happened.push((now.monotonic, EventKind::Approved { id, by: member.name, approvals, need }));
        let waits_for = if pending.is_approved(policy) {
            self.carry_out(policy, &pending, now)?.map(PostureError::code)
        } else {
            Some(PostureError::NotApproved.code())
        };
        Ok(Approved { approvals, need, waits_for })
    }

    /// Does what was approved; what keeps it from being done yet.
    fn carry_out(
        &mut self,
        policy: &Policy,
        pending: &Pending,
        now: Now,
    ) -> Result<Option<PostureError>, ApprovalError> {
        let (id, at) = (pending.proposal.id, now.monotonic);
        match &pending.proposal.document.operation {
            Change::LeavePosture(leave) => return Ok(self.leave_approved(policy, pending, leave, now)?),
            Change::GrantOverride(grant) => {
                if let Err(error) = self.grant(policy, pending, grant, now) {
                    self.close(id, Close::Refused, at);
                    return Err(error);
                }
            }
            Change::SetFlag(SetFlag { flag, for_ }) => {
                if let Some(spec) = policy.approvers.flag(flag) {
                    self.set_flag(spec, flag_age(spec, *for_).unwrap_or(spec.max_age), Some(id), at);
                }
            }
            Change::ClearFlag(clear) => {
                let cleared = policy.approvers.flag(&clear.flag).map(|spec| self.clear_flag(spec, Some(id), at));
                if !matches!(cleared, Some(Ok(()))) {
                    self.close(id, Close::Moot, at);
                    return Err(ApprovalError::UnfitProposal { message: "the flag is not set".to_owned() });
                }
            }
            Change::Promote(named) => {
                if !self.approve_promotion(&named.bundle, approved_by(pending), now) {
                    self.close(id, Close::Moot, at);
                    return Err(ApprovalError::UnfitProposal { message: "the bundle is not staged".to_owned() });
                }
            }
            Change::Activate(named) => {
                if let Some(bundle) = BundleId::parse(&named.bundle) {
                    let until = Now { monotonic: pending.expires_at, wall: pending.proposal.expires_at };
                    self.clear_bundle(bundle, until, approved_by(pending), now);
                }
            }
        }
        point("approve: carried out");
        self.close(id, Close::Done, at);
        Ok(None)
    }

    fn grant(
        &mut self,
        policy: &Policy,
        pending: &Pending,
        grant: &GrantOverride,
        now: Now,
    ) -> Result<(), ApprovalError> {
        let spec = policy.approvers.overrides.as_ref().ok_or(ApprovalError::NoApprovalsDeclared)?;
        let scope = Scope::of(grant).map_err(|message| ApprovalError::UnfitProposal { message })?;
        let id = pending.proposal.id;
        let approvers = pending.approved.iter().map(|(name, of)| (*name, *of)).collect();
        let asked = Granting { id, scope, window: grant.for_, uses: grant.uses, approvers };
        point("grant: begin");
        let granted = self.overrides.grant(asked, spec, now)?;
        point("grant: granted");
        let window = Ttl::from_nanos(granted.until.nanos_since(granted.from));
        let terms = Box::new((grant.clone(), pending.proposal.document.reason.chars().take(200).collect()));
        let approved = approved_by(pending);
        self.happened.push((now.monotonic, EventKind::OverrideGranted { approved, window, terms }));
        Ok(())
    }

    /// Leaves a posture as was approved, where all else that its pack demands holds; what does not.
    fn leave_approved(
        &mut self,
        policy: &Policy,
        pending: &Pending,
        leave: &LeavePosture,
        now: Now,
    ) -> Result<Option<PostureError>, PostureError> {
        let (id, at) = (pending.proposal.id, now.monotonic);
        let number = policy.postures.number(&leave.posture).unwrap_or_default();
        if self.postures.entered_at(leave.scope.as_deref(), number) != pending.entered_at {
            self.close(id, Close::Moot, at);
            return Err(PostureError::NotEntered);
        }
        let scope: Option<Box<str>> = leave.scope.as_deref().map(Into::into);
        let checks_ok = self.checks_ok(policy, scope.as_deref(), number, now);
        let left = self.postures.leave(&policy.postures, scope.clone(), number, checks_ok, at, &mut Vec::new());
        if let Err(kept) = left {
            return Ok(Some(kept));
        }
        point("approve: left");
        self.left(policy, scope.as_deref(), number);
        let posture = policy.postures.spec(number).map(|spec| spec.name).unwrap_or_default();
        let approved = Some(Box::new(approved_by(pending)));
        self.happened.push((at, EventKind::PostureLeft { posture, scope, approved }));
        self.close(id, Close::Done, at);
        Ok(None)
    }

    /// Leaves every posture whose leaving was approved and whose other demands hold now, and closes what is moot.
    pub(super) fn leave_all_approved(&mut self, policy: &Policy, now: Now) {
        let turns = self.postures.turns();
        // Moot is only what a posture has changed under since this was last looked at.
        let waiting: Vec<ProposalId> = if self.leaves_looked_at == Some(turns) {
            self.approvals.leaving_approved().map(|pending| pending.proposal.id).collect()
        } else {
            self.approvals.leaving().map(|pending| pending.proposal.id).collect()
        };
        self.leaves_looked_at = Some(turns);
        for id in waiting {
            let Ok(pending) = self.approvals.waiting(id, now) else { continue };
            let Change::LeavePosture(leave) = &pending.proposal.document.operation else { continue };
            let number = policy.postures.number(&leave.posture).unwrap_or_default();
            let entered_at = self.postures.entered_at(leave.scope.as_deref(), number);
            // A posture that was entered anew is another matter, approved or not.
            if entered_at != pending.entered_at {
                self.close(id, Close::Moot, now.monotonic);
            } else if pending.is_approved(policy) {
                let (pending, leave) = (pending.clone(), leave.clone());
                let _ = self.leave_approved(policy, &pending, &leave, now);
            }
        }
    }

    /// When time alone next lets a posture be left whose leaving was approved, after that time.
    pub(super) fn approved_leave_due(&self, policy: &Policy, after: Monotonic) -> Option<Monotonic> {
        let due = |pending: &Pending| {
            let Change::LeavePosture(leave) = &pending.proposal.document.operation else { return None };
            if !pending.is_approved(policy) {
                return None;
            }
            let number = policy.postures.number(&leave.posture)?;
            self.postures
                .leaves_at(&policy.postures, leave.scope.as_deref(), number)
                .filter(|due| *due < pending.expires_at)
        };
        self.approvals.leaving_approved().filter_map(due).filter(|due| *due > after).min()
    }

    /// Closes a proposal, and tells it.
    pub(super) fn close(&mut self, id: ProposalId, why: Close, at: Monotonic) {
        if self.approvals.close(id).is_some() {
            self.happened.push((at, EventKind::ProposalClosed { id, why }));
        }
    }

    /// Ends all that approvals have granted or may still grant.
    pub(super) fn end_approvals(&mut self, closes: Close, ends: End, at: Monotonic) {
        for id in self.approvals.close_all() {
            self.happened.push((at, EventKind::ProposalClosed { id, why: closes }));
        }
        self.cleared.clear();
        let ended = self.overrides.end_all(at, ends);
        self.tell_ended(ended);
    }

    /// Closes and ends what time alone does, and reports the flags that are stale.
    pub(super) fn expire_approvals(&mut self, now: Now) {
        for (at, id) in self.approvals.expire(now) {
            self.happened.push((at, EventKind::ProposalClosed { id, why: Close::Expired }));
        }
        let ended = self.overrides.expire(now);
        self.tell_ended(ended);
        for (at, flag) in self.flags.stale(now.monotonic) {
            self.happened.push((at, EventKind::FlagExpired { flag }));
        }
    }

    pub(super) fn tell_ended(&mut self, ended: Vec<(Monotonic, ProposalId, End)>) {
        self.happened.extend(ended.into_iter().map(|(at, id, why)| (at, EventKind::OverrideEnded { id, why })));
    }
}

/// Whether enough people could ever approve it: neither who proposes it nor who has the benefit.
fn check_quorum(policy: &Policy, quorum: Quorum, proposal: &Proposal) -> Result<(), ApprovalError> {
    let group = policy.approvers.groups.get(usize::from(quorum.group));
    let members = group.map(|group| group.members.as_slice()).unwrap_or_default();
    let benefits: Vec<_> = benefits(proposal).collect();
    let may = members.iter().filter(|member| {
        member.name.as_str() != proposal.document.by && !benefits.iter().any(|(kind, id)| member.is_subject(kind, id))
    });
    if may.count() >= usize::try_from(quorum.need).unwrap_or(usize::MAX) {
        return Ok(());
    }
    let message = "too few approvers are left without who proposes it and who has the benefit".to_owned();
    Err(ApprovalError::UnfitProposal { message })
}

/// The subjects that have the benefit of a proposal, by type and id.
fn benefits(proposal: &Proposal) -> impl Iterator<Item = (Box<str>, Box<str>)> {
    let scope = match &proposal.document.operation {
        Change::GrantOverride(grant) => Scope::of(grant).ok(),
        _ => None,
    };
    let subjects: Vec<_> = scope.iter().flat_map(Scope::subjects).map(|(kind, id)| (kind.into(), id.into())).collect();
    subjects.into_iter()
}

fn approved_by(pending: &Pending) -> ApprovedBy {
    let approvers: Vec<Name> = pending.approved.keys().copied().collect();
    ApprovedBy { proposal: pending.proposal.id, by: cut(&pending.proposal.document.by), approvers }
}

/// For how long a flag is set; nothing for longer than its pack admits, or not at all.
pub(super) fn flag_age(spec: &FlagSpec, asked: Option<Ttl>) -> Option<Ttl> {
    let age = asked.unwrap_or(spec.max_age);
    (age > Ttl::ZERO && age <= spec.max_age).then_some(age)
}

/// The id that a text names; one that nobody has, where it is none.
pub(super) fn proposal_id(text: &str) -> Result<ProposalId, ApprovalError> {
    ProposalId::from_str(text).map_err(|()| ApprovalError::UnknownProposal)
}
