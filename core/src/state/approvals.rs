//! Approvals: proposals that wait for enough people, each of them counted once (spec 1.9, 1.11).
//!
//! A proposal enters the table only with proof of who proposes it, so that strangers cannot fill it; it stays there until
//! it expires, whatever became of it, so that none is ever taken twice. A full table refuses.

use std::collections::{BTreeMap, BTreeSet};

use super::postures::PostureError;
use super::proposal::{Change, LIFE_MAX, Proposal, ProposalId};
use super::refusals::Refusals;
use super::statement::{Purpose, is_signed};
use super::totp::{CodeBook, CodeError, Tries};
use crate::faults::point;
use crate::name::Name;
use crate::policy::approver::{Fingerprint, Member, Quorum, Verifier};
use crate::policy::compile::Policy;
use crate::time::{Monotonic, Now, Ttl, Wall};

/// How many refusals are told one by one in a minute; the others are counted.
const REFUSALS_TOLD: u32 = 16;

/// What proves who proposes, approves or withdraws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof<'a> {
    /// An Ed25519 signature, in base64 or hexadecimal.
    Signature(&'a str),
    /// A one-time code. It proves who speaks, not of what: it counts for whatever it comes with.
    Code(&'a str),
}

/// Why a proposal, an approval or an override was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// No bundle is active.
    #[error("no bundle is active")]
    NoPolicy,
    /// The clocks have parted: nobody can say what has expired.
    #[error("the clocks have parted; anchor them first")]
    ClockFailed,
    /// It is no proposal, or one beyond the limits.
    #[error("the proposal is malformed: {message}")]
    MalformedProposal {
        /// What is wrong with it.
        message: String,
    },
    /// It is for another bundle or revision.
    #[error("the proposal is for another bundle or revision than the active one")]
    OtherBundle,
    /// It was issued later than now.
    #[error("the proposal was issued in the future")]
    NotYetIssued,
    /// It was issued before this engine began to remember: it may have been carried out already.
    #[error("the proposal was issued before this engine began; write a new one")]
    IssuedBeforeStart,
    /// It is over.
    #[error("the proposal is over")]
    ProposalExpired,
    /// It is open for longer than 24 hours.
    #[error("a proposal is open for 24 hours at the most")]
    OpenTooLong,
    /// The very same was proposed before.
    #[error("the very same was proposed before; write a new one")]
    AlreadyProposed,
    /// There is no room for one more.
    #[error("there is no room to remember one more")]
    NoRoom,
    /// The pack declares no approvals for what is proposed.
    #[error("the pack declares no approvals for this")]
    NoApprovalsDeclared,
    /// What is proposed names what is not there, or more than the pack admits.
    #[error("the proposal does not fit the pack: {message}")]
    UnfitProposal {
        /// What does not fit.
        message: String,
    },
    /// No proposal of that id waits.
    #[error("no such proposal waits for approval")]
    UnknownProposal,
    /// The pack has no approver of that name.
    #[error("the pack has no such approver")]
    UnknownApprover,
    /// The approver is not of the group whose approval it takes.
    #[error("the approver is not of the group whose approval it takes")]
    NotOfTheGroup,
    /// Who proposes does not approve.
    #[error("who proposes does not approve")]
    OwnProposal,
    /// Who has the benefit does not approve.
    #[error("who has the benefit does not approve")]
    Beneficiary,
    /// The approver approved it already.
    #[error("the approver has approved it already")]
    AlreadyApproved,
    /// There is neither one signature nor one code, or not the one that the approver has a key for.
    #[error("give one signature or one code: the one that the approver is declared with")]
    ProofMissing,
    /// The signature is not of this key, for this purpose, over this proposal.
    #[error("the signature is not of this approver, for this purpose and this proposal")]
    BadSignature,
    /// The code is none of now.
    #[error("the code is none of now")]
    BadCode,
    /// The code, or a later one, was used already.
    #[error("the code was used already")]
    UsedCode,
    /// Too many wrong codes came before.
    #[error("too many wrong codes; wait five minutes")]
    TooManyTries,
    /// What the override covers was covered for as long as one window may last.
    #[error("what it covers was covered for as long as the pack admits; wait as long again")]
    CoveredTooLong,
    /// No override of that id is in force.
    #[error("no such override is in force")]
    UnknownOverride,
    /// It is about a posture.
    #[error(transparent)]
    Posture(#[from] PostureError),
}

impl ApprovalError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoPolicy => "no_policy",
            Self::ClockFailed => "clock_failed",
            Self::MalformedProposal { .. } => "malformed_proposal",
            Self::OtherBundle => "other_bundle",
            Self::NotYetIssued => "not_yet_issued",
            Self::IssuedBeforeStart => "issued_before_start",
            Self::ProposalExpired => "proposal_expired",
            Self::OpenTooLong => "open_too_long",
            Self::AlreadyProposed => "already_proposed",
            Self::NoRoom => "no_room",
            Self::NoApprovalsDeclared => "no_approvals_declared",
            Self::UnfitProposal { .. } => "unfit_proposal",
            Self::UnknownProposal => "unknown_proposal",
            Self::UnknownApprover => "unknown_approver",
            Self::NotOfTheGroup => "not_of_the_group",
            Self::OwnProposal => "own_proposal",
            Self::Beneficiary => "beneficiary",
            Self::AlreadyApproved => "already_approved",
            Self::ProofMissing => "proof_missing",
            Self::BadSignature => "bad_signature",
            Self::BadCode => "bad_code",
            Self::UsedCode => "used_code",
            Self::TooManyTries => "too_many_tries",
            Self::CoveredTooLong => "covered_too_long",
            Self::UnknownOverride => "unknown_override",
            Self::Posture(error) => error.code(),
        }
    }
}

impl From<CodeError> for ApprovalError {
    fn from(error: CodeError) -> Self {
        match error {
            CodeError::Wrong => Self::BadCode,
            CodeError::Used => Self::UsedCode,
            CodeError::TooManyTries => Self::TooManyTries,
            CodeError::NoRoom => Self::NoRoom,
        }
    }
}

/// What an approval came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approved {
    /// How many approvals there are.
    pub approvals: u32,
    /// How many it takes.
    pub need: u32,
    /// What it still waits for, by its code: `not_approved`, or what keeps a posture from being left. Nothing where it was
    /// carried out.
    pub waits_for: Option<&'static str>,
}

/// How a proposal came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Close {
    /// It was carried out.
    Done,
    /// It expired.
    Expired,
    /// It was withdrawn.
    Withdrawn,
    /// Another bundle became active.
    Bundle,
    /// The clocks are not to be trusted.
    Clock,
    /// The engine restored a state or took over.
    Anew,
    /// What it is about is no longer what it was.
    Moot,
    /// It was approved, and could not be carried out.
    Refused,
}

impl Close {
    /// A stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Bundle => "bundle",
            Self::Clock => "clock",
            Self::Anew => "anew",
            Self::Moot => "moot",
            Self::Refused => "refused",
        }
    }
}

/// A proposal that waits.
#[derive(Clone, Debug)]
pub struct Pending {
    /// The proposal.
    pub proposal: Proposal,
    /// The approvals that it takes.
    pub quorum: Quorum,
    /// When it is over, exclusive, on the monotonic clock; the wall clock may end it earlier.
    pub expires_at: Monotonic,
    /// Since when the posture that it leaves was entered: another entry is another matter.
    pub entered_at: Option<Monotonic>,
    /// Who approved it, with what.
    pub approved: BTreeMap<Name, Fingerprint>,
}

impl Pending {
    /// How many of those who approved it may do so by this policy.
    #[must_use]
    pub fn approvals(&self, policy: &Policy) -> usize {
        let may = |(name, of): &(&Name, &Fingerprint)| {
            let member = policy.approvers.member_of(self.quorum.group, name);
            member.is_some_and(|member| member.verifier.fingerprint() == **of)
        };
        self.approved.iter().filter(may).count()
    }

    /// Whether enough people have approved it.
    #[must_use]
    pub fn is_approved(&self, policy: &Policy) -> bool {
        self.approvals(policy) >= usize::try_from(self.quorum.need).unwrap_or(usize::MAX)
    }

    /// Whether it is about leaving a posture, which may have to wait for more than approvals.
    fn leaves(&self) -> bool {
        matches!(self.proposal.document.operation, Change::LeavePosture(_))
    }

    /// Whether it is still open.
    #[must_use]
    pub fn is_open(&self, now: Now) -> bool {
        now.monotonic < self.expires_at && now.wall < self.proposal.expires_at
    }
}

/// The proposals, and the one-time codes that were used.
#[derive(Clone, Debug)]
pub struct Approvals {
    pending: BTreeMap<ProposalId, Pending>,
    /// What is asked of those that wait at every turn, so that nobody has to look at all of them.
    orders: Orders,
    /// Those that are over, and until when each could be proposed again.
    over: BTreeMap<ProposalId, Wall>,
    /// The same, by when.
    over_until: BTreeSet<(Wall, ProposalId)>,
    /// The latest end of any that was forgotten: none that ends so early is taken, whatever the wall clock says.
    forgotten: Option<Wall>,
    /// Since when this remembers what was proposed: of what was issued before, nobody knows whether it was done.
    began: Option<Wall>,
    codes: CodeBook,
    refusals: Refusals,
    proposals_max: usize,
}

/// The proposals that wait, in the orders in which they are looked for.
#[derive(Clone, Debug, Default)]
struct Orders {
    /// By their ends on either clock.
    ends: BTreeSet<(Monotonic, ProposalId)>,
    wall_ends: BTreeSet<(Wall, ProposalId)>,
    /// How many each approver has proposed.
    by: BTreeMap<Box<str>, usize>,
    /// Those about leaving a posture.
    leaving: BTreeSet<ProposalId>,
    /// Of these, those that have as many approvals as they take, whoever gave them.
    approved: BTreeSet<ProposalId>,
}

impl Orders {
    fn add(&mut self, pending: &Pending) {
        let Proposal { id, document, expires_at, .. } = &pending.proposal;
        self.ends.insert((pending.expires_at, *id));
        self.wall_ends.insert((*expires_at, *id));
        let count = self.by.entry(document.by.as_str().into()).or_default();
        *count = count.saturating_add(1);
        if pending.leaves() {
            self.leaving.insert(*id);
        }
    }

    fn remove(&mut self, pending: &Pending) {
        let Proposal { id, document, expires_at, .. } = &pending.proposal;
        self.ends.remove(&(pending.expires_at, *id));
        self.wall_ends.remove(&(*expires_at, *id));
        if let Some(count) = self.by.get_mut(document.by.as_str()) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by.remove(document.by.as_str());
            }
        }
        self.leaving.remove(id);
        self.approved.remove(id);
    }

    /// Those whose end has come on either clock, by id.
    fn ended(&self, now: Now) -> BTreeSet<ProposalId> {
        let ended = self.ends.iter().take_while(|(end, _)| *end <= now.monotonic).map(|(_, id)| *id);
        ended.chain(self.wall_ends.iter().take_while(|(end, _)| *end <= now.wall).map(|(_, id)| *id)).collect()
    }
}

impl Approvals {
    /// No proposals; at most `proposals_max` are remembered, and the used codes of `secrets_max` secrets.
    #[must_use]
    pub fn new(proposals_max: usize, secrets_max: usize) -> Self {
        Self {
            pending: BTreeMap::new(),
            orders: Orders::default(),
            over: BTreeMap::new(),
            over_until: BTreeSet::new(),
            forgotten: None,
            began: None,
            codes: CodeBook::new(secrets_max),
            refusals: Refusals::new(REFUSALS_TOLD),
            proposals_max,
        }
    }

    /// Begins to remember, where it has not begun: what was issued before is refused, and so are the codes of that time. An
    /// engine without its state knows nothing of what it did before it was started.
    pub fn begin(&mut self, at: Wall) {
        if self.began.is_none() {
            self.began = Some(at);
            self.codes.begin(self.began);
        }
    }

    /// Begins to remember anew: what was issued until now may have been carried out by another engine.
    pub fn begin_anew(&mut self, at: Wall) {
        self.began = self.began.max(Some(at));
        self.codes.begin(self.began);
    }

    /// Takes the wall clock for right as it stands: one that is put back has begun no later than now.
    pub fn anchor(&mut self, at: Wall) {
        self.began = self.began.map(|began| began.min(at));
        self.codes.begin(self.began);
    }

    /// Since when this remembers.
    #[must_use]
    pub const fn began(&self) -> Option<Wall> {
        self.began
    }

    /// The latest end of any proposal that was forgotten.
    #[must_use]
    pub const fn forgotten(&self) -> Option<Wall> {
        self.forgotten
    }

    /// Learns what another engine has remembered: what is over, the latest end of what was forgotten, and the codes. What
    /// is known here already stays known.
    pub fn join(
        &mut self,
        over: impl IntoIterator<Item = (ProposalId, Wall)>,
        forgotten: Option<Wall>,
        codes: impl IntoIterator<Item = (Fingerprint, Tries)>,
    ) {
        for (id, until) in over {
            self.take(id);
            self.remember(id, until);
        }
        self.forgotten = self.forgotten.max(forgotten);
        for (of, tries) in codes {
            self.codes.remember(of, tries);
        }
    }

    /// Those that wait, by id.
    pub fn pending(&self) -> impl Iterator<Item = &Pending> {
        self.pending.values()
    }

    /// Those about leaving a posture, by id.
    pub fn leaving(&self) -> impl Iterator<Item = &Pending> {
        self.orders.leaving.iter().filter_map(|id| self.pending.get(id))
    }

    /// Of these, those that have as many approvals as they take. Whether all who gave them still may is for the policy to
    /// say: [`Pending::is_approved`].
    pub fn leaving_approved(&self) -> impl Iterator<Item = &Pending> {
        self.orders.approved.iter().filter_map(|id| self.pending.get(id))
    }

    /// The one of that id, where it waits and is open.
    ///
    /// # Errors
    /// [`ApprovalError::UnknownProposal`], [`ApprovalError::ProposalExpired`].
    pub fn waiting(&self, id: ProposalId, now: Now) -> Result<&Pending, ApprovalError> {
        let pending = self.pending.get(&id).ok_or(ApprovalError::UnknownProposal)?;
        if pending.is_open(now) { Ok(pending) } else { Err(ApprovalError::ProposalExpired) }
    }

    /// Those that are over, and until when each is remembered.
    pub fn over(&self) -> impl Iterator<Item = (&ProposalId, &Wall)> {
        self.over.iter()
    }

    /// The codes that were used and tried.
    #[must_use]
    pub const fn codes(&self) -> &CodeBook {
        &self.codes
    }

    /// Whether a proposal may be taken now, before anybody looks at who proposes it.
    ///
    /// # Errors
    /// [`ApprovalError`]: it is not of now, was proposed before, or there is no room.
    pub fn admits(&mut self, proposal: &Proposal, now: Now) -> Result<(), ApprovalError> {
        if proposal.issued_at > now.wall {
            return Err(ApprovalError::NotYetIssued);
        }
        if self.began.is_some_and(|began| proposal.issued_at < began) {
            return Err(ApprovalError::IssuedBeforeStart);
        }
        if proposal.life() > LIFE_MAX {
            return Err(ApprovalError::OpenTooLong);
        }
        if proposal.expires_at <= now.wall {
            return Err(ApprovalError::ProposalExpired);
        }
        let known = self.pending.contains_key(&proposal.id) || self.over.contains_key(&proposal.id);
        if known || self.forgotten.is_some_and(|until| proposal.expires_at <= until) {
            return Err(ApprovalError::AlreadyProposed);
        }
        let by_the_same = self.orders.by.get(proposal.document.by.as_str()).copied().unwrap_or(0);
        let share = self.proposals_max.div_ceil(4);
        if self.pending.len().saturating_add(self.over.len()) >= self.proposals_max || by_the_same >= share {
            return Err(ApprovalError::NoRoom);
        }
        Ok(())
    }

    /// Whether the member has proved that he says this of the proposal.
    ///
    /// # Errors
    /// [`ApprovalError`]. A code that was right is used from then on.
    pub fn authenticate(
        &mut self,
        member: &Member,
        proof: Proof<'_>,
        purpose: Purpose,
        proposal: &Proposal,
        now: Now,
    ) -> Result<(), ApprovalError> {
        match (&member.verifier, proof) {
            (Verifier::Key(key), Proof::Signature(text)) => {
                let signed = is_signed(key, purpose, &proposal.bytes, text);
                if signed { Ok(()) } else { Err(ApprovalError::BadSignature) }
            }
            (Verifier::Codes(secret), Proof::Code(text)) => {
                Ok(self.codes.take(secret, member.verifier.fingerprint(), text, now)?)
            }
            _ => Err(ApprovalError::ProofMissing),
        }
    }

    /// Takes a proposal that was admitted and authenticated.
    pub fn propose(&mut self, proposal: Proposal, quorum: Quorum, entered_at: Option<Monotonic>, now: Now) {
        let span = proposal.expires_at.as_nanos().saturating_sub(now.wall.as_nanos());
        let expires_at = now.monotonic.after(Ttl::from_nanos(u64::try_from(span).unwrap_or(0))).rounded_down();
        let pending = Pending { quorum, expires_at, entered_at, approved: BTreeMap::new(), proposal };
        // What is admitted is not there yet.
        self.take(pending.proposal.id);
        self.orders.add(&pending);
        point("approvals: ordered");
        self.pending.insert(pending.proposal.id, pending);
    }

    /// Counts an approval that was authenticated.
    pub fn approve(&mut self, id: ProposalId, member: &Member) {
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.approved.insert(member.name, member.verifier.fingerprint());
            let enough = pending.approved.len() >= usize::try_from(pending.quorum.need).unwrap_or(usize::MAX);
            if enough && pending.leaves() {
                self.orders.approved.insert(id);
            }
        }
    }

    /// Closes a proposal: it waits no more, and is never taken again.
    pub fn close(&mut self, id: ProposalId) -> Option<Pending> {
        // First that it is never taken again, and only then that it waits no more.
        self.remember(id, self.pending.get(&id)?.proposal.expires_at);
        point("approvals: remembered");
        self.take(id)
    }

    /// Closes all that wait; which.
    pub fn close_all(&mut self) -> Vec<ProposalId> {
        let all: Vec<ProposalId> = self.pending.keys().copied().collect();
        for id in &all {
            self.close(*id);
        }
        all
    }

    /// Closes those that have expired, which and when; forgets those that are over and could be proposed no more.
    pub fn expire(&mut self, now: Now) -> Vec<(Monotonic, ProposalId)> {
        let mut expired = Vec::new();
        for id in self.orders.ended(now) {
            expired.extend(self.close(id).map(|pending| (pending.expires_at.min(now.monotonic), id)));
        }
        while let Some((until, id)) = self.over_until.first().copied().filter(|(until, _)| *until <= now.wall) {
            self.over_until.remove(&(until, id));
            self.over.remove(&id);
            self.forgotten = self.forgotten.max(Some(until));
        }
        expired
    }

    fn take(&mut self, id: ProposalId) -> Option<Pending> {
        let pending = self.pending.remove(&id)?;
        self.orders.remove(&pending);
        Some(pending)
    }

    fn remember(&mut self, id: ProposalId, until: Wall) {
        if let Some(before) = self.over.insert(id, until) {
            self.over_until.remove(&(before, id));
        }
        self.over_until.insert((until, id));
    }

    /// When time alone next closes one.
    #[must_use]
    pub fn due(&self) -> Option<Monotonic> {
        self.orders.ends.first().map(|(end, _)| *end)
    }

    /// Whether a refusal is told as an event, and how many were not told since the last one that was.
    pub fn tells_refusal(&mut self, now: Monotonic) -> Option<u64> {
        self.refusals.tells(now)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const QUORUM: Quorum = Quorum { need: 1, group: 0 };

    fn at(seconds: i64) -> Now {
        Now::new(Monotonic::from_millis(seconds.unsigned_abs() * 1_000), Wall::from_millis(seconds * 1_000))
    }

    /// A proposal of this approver, from then until then.
    fn proposal(by: &str, from: i64, until: i64) -> Proposal {
        let at = |seconds| Wall::from_millis(seconds * 1_000).to_string();
        let document = json!({
            "fallgate": "proposal/1", "bundle": "shop", "operation": {"leave_posture": {"posture": "shut"}}, "by": by,
            "reason": "a test", "issued_at": at(from), "expires_at": at(until), "nonce": format!("{from} {until}"),
        });
        Proposal::read(&document).unwrap()
    }

    fn table(proposals_max: usize) -> Approvals {
        Approvals::new(proposals_max, 8)
    }

    fn code(result: Result<(), ApprovalError>) -> &'static str {
        result.map_or_else(|error| error.code(), |()| "admitted")
    }

    #[test]
    fn a_proposal_is_over_at_its_end_on_either_clock() {
        let mut table = table(8);
        let asked = proposal("ann", 10, 20);
        table.propose(asked.clone(), QUORUM, None, at(10));
        let pending = table.pending().next().unwrap();
        assert_eq!(pending.expires_at, Monotonic::from_millis(20_000));
        let end = at(20);
        let before = Now::new(Monotonic::from_nanos(19_999_999_999), Wall::from_nanos(19_999_999_999));
        assert!(pending.is_open(before));
        assert!(!pending.is_open(Now { monotonic: end.monotonic, ..before }));
        assert!(!pending.is_open(Now { wall: end.wall, ..before }));
        assert!(table.waiting(asked.id, before).is_ok());
        assert_eq!(table.waiting(asked.id, end).unwrap_err(), ApprovalError::ProposalExpired);
        assert_eq!(table.due(), Some(Monotonic::from_millis(20_000)));
        assert!(table.clone().expire(before).is_empty());
        // The wall clock alone ends it too, and then it ended now.
        let leapt = Now { wall: end.wall, ..at(11) };
        assert_eq!(table.clone().expire(leapt), [(Monotonic::from_millis(11_000), asked.id)]);
        assert_eq!(table.expire(at(30)), [(Monotonic::from_millis(20_000), asked.id)]);
        assert_eq!((table.pending().count(), table.due()), (0, None));
    }

    #[test]
    fn a_proposal_is_admitted_within_its_time() {
        let now = at(10);
        let admits = |proposal: &Proposal| code(table(8).admits(proposal, now));
        assert_eq!(admits(&proposal("ann", 10, 11)), "admitted");
        assert_eq!(admits(&proposal("ann", 11, 12)), "not_yet_issued");
        assert_eq!(admits(&proposal("ann", 9, 10)), "proposal_expired");
        assert_eq!(admits(&proposal("ann", 10, 86_410)), "admitted");
        assert_eq!(admits(&proposal("ann", 9, 86_410)), "open_too_long");
        // What was issued before the engine began is of a time of which it knows nothing.
        let mut began = table(8);
        began.begin(at(10).wall);
        began.begin(at(50).wall);
        assert_eq!(began.began(), Some(at(10).wall), "it began once");
        assert_eq!(code(began.admits(&proposal("ann", 10, 60), now)), "admitted");
        assert_eq!(code(began.admits(&proposal("ann", 9, 60), now)), "issued_before_start");
        began.begin_anew(at(5).wall);
        assert_eq!(began.began(), Some(at(10).wall), "and never earlier by beginning anew");
        began.begin_anew(at(12).wall);
        assert_eq!(code(began.admits(&proposal("ann", 11, 60), at(12))), "issued_before_start");
        began.anchor(at(13).wall);
        assert_eq!(began.began(), Some(at(12).wall));
        began.anchor(at(7).wall);
        assert_eq!(began.began(), Some(at(7).wall));
    }

    #[test]
    fn nothing_is_admitted_twice() {
        let mut table = table(8);
        let (first, second) = (proposal("ann", 10, 20), proposal("ann", 10, 21));
        table.propose(first.clone(), QUORUM, None, at(10));
        assert_eq!(code(table.admits(&first, at(11))), "already_proposed");
        assert_eq!(code(table.admits(&second, at(11))), "admitted");
        assert!(table.close(first.id).is_some());
        assert!(table.close(first.id).is_none());
        assert_eq!(code(table.admits(&first, at(11))), "already_proposed", "over, and not forgotten");
        assert_eq!(table.over().map(|(id, until)| (*id, *until)).collect::<Vec<_>>(), [(first.id, at(20).wall)]);
        table.expire(Now { wall: at(19).wall, ..at(11) });
        assert_eq!((table.over().count(), table.forgotten()), (1, None));
        // At its end it is forgotten, and from then on whatever ends so early is refused, however the wall clock stands.
        table.expire(at(20));
        assert_eq!((table.over().count(), table.forgotten()), (0, Some(at(20).wall)));
        assert_eq!(code(table.admits(&first, at(11))), "already_proposed");
        assert_eq!(code(table.admits(&second, at(11))), "admitted");
    }

    #[test]
    fn what_another_engine_has_remembered_is_known() {
        let mut table = table(8);
        let (first, second, third) = (proposal("ann", 10, 20), proposal("ann", 10, 30), proposal("ann", 10, 40));
        table.propose(first.clone(), QUORUM, None, at(10));
        table.join([(first.id, at(20).wall), (second.id, at(30).wall)], Some(at(5).wall), []);
        table.join([(second.id, at(32).wall)], Some(at(4).wall), []);
        assert_eq!(table.pending().count(), 0, "what is over there is over here");
        assert_eq!(code(table.admits(&second, at(10))), "already_proposed");
        assert_eq!(code(table.admits(&third, at(10))), "admitted");
        assert_eq!(table.forgotten(), Some(at(5).wall));
        assert_eq!(table.over().map(|(_, until)| *until).max(), Some(at(32).wall));
        table.expire(at(31));
        assert_eq!(table.over().count(), 1, "by when it was remembered last");
        table.expire(at(32));
        assert_eq!((table.over().count(), table.forgotten()), (0, Some(at(32).wall)));
    }

    #[test]
    fn a_table_has_room_for_all_and_for_each_a_quarter() {
        let mut table = table(6);
        let mut taken = 0;
        let mut take = |table: &mut Approvals, by: &str| {
            taken += 1;
            let asked = proposal(by, 10, 20 + taken);
            let admitted = table.admits(&asked, at(10)).map(|()| table.propose(asked.clone(), QUORUM, None, at(10)));
            admitted.map(|()| asked.id).map_err(|error| error.code())
        };
        // A quarter of six, rounded up, is two.
        let first = take(&mut table, "ann").unwrap();
        assert!(take(&mut table, "ann").is_ok());
        assert_eq!(take(&mut table, "ann"), Err("no_room"));
        table.close(first);
        assert!(take(&mut table, "ann").is_ok(), "one of hers is over");
        assert_eq!(take(&mut table, "ann"), Err("no_room"), "and no more than one");
        // Two are there, and one that is over.
        assert!(take(&mut table, "bob").is_ok() && take(&mut table, "bob").is_ok());
        assert!(take(&mut table, "eve").is_ok());
        assert_eq!(take(&mut table, "eve"), Err("no_room"), "six in all");
        assert_eq!(table.close_all().len(), 5);
        assert_eq!(take(&mut table, "eve"), Err("no_room"), "what is over takes its room");
        assert_eq!((table.pending().count(), table.leaving().count()), (0, 0));
    }

    #[test]
    fn only_what_is_about_leaving_a_posture_waits_for_it() {
        let mut table = table(8);
        let leave = proposal("ann", 10, 20);
        let mut other = leave.document.clone();
        other.operation = Change::ClearFlag(crate::state::proposal::ClearFlag { flag: "f".to_owned() });
        let other = Proposal::read(&serde_json::to_value(other).unwrap()).unwrap();
        table.propose(leave.clone(), QUORUM, None, at(10));
        table.propose(other, QUORUM, None, at(10));
        assert_eq!(table.leaving().map(|pending| pending.proposal.id).collect::<Vec<_>>(), [leave.id]);
        assert_eq!((table.pending().count(), table.leaving_approved().count()), (2, 0));
    }

    #[test]
    fn a_leave_counts_as_approved_from_its_last_approval_on() {
        let mut table = table(8);
        let (leave, mut other) = (proposal("ann", 10, 20), proposal("ann", 10, 21).document);
        other.operation = Change::ClearFlag(crate::state::proposal::ClearFlag { flag: "f".to_owned() });
        let other = Proposal::read(&serde_json::to_value(other).unwrap()).unwrap();
        for asked in [&leave, &other] {
            table.propose(asked.clone(), Quorum { need: 2, group: 0 }, None, at(10));
        }
        let mut approved = Vec::new();
        for name in ["bob", "eve"] {
            let verifier = Verifier::Codes(crate::policy::approver::Secret::new(name.as_bytes().to_vec()));
            let member = Member { name: name.parse().unwrap(), subject: None, verifier };
            table.approve(leave.id, &member);
            table.approve(other.id, &member);
            approved.push(table.leaving_approved().map(|pending| pending.proposal.id).collect::<Vec<_>>());
        }
        assert_eq!(approved, [vec![], vec![leave.id]]);
    }
}
