//! Approvals: proposals that wait for enough people, each of them counted once (spec 1.9, 1.11).
//!
//! A proposal enters the table only with proof of who proposes it, so that strangers cannot fill it; it stays there until
//! it expires, whatever became of it, so that none is ever taken twice. A full table refuses.

use std::collections::BTreeMap;

use super::postures::PostureError;
use super::proposal::{LIFE_MAX, Proposal, ProposalId};
use super::statement::{Purpose, is_signed};
use super::totp::{CodeBook, CodeError, Tries};
use crate::name::Name;
use crate::policy::approver::{Fingerprint, Member, Quorum, Verifier};
use crate::policy::compile::Policy;
use crate::time::{Monotonic, Now, Ttl, Wall};

/// How many refusals are told one by one within [`REFUSALS_WINDOW`]; the others are counted.
const REFUSALS_TOLD: u32 = 16;

/// After what time refusals are told one by one again.
const REFUSALS_WINDOW: Ttl = Ttl::from_secs(60);

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
    /// Those that are over, and until when each could be proposed again.
    over: BTreeMap<ProposalId, Wall>,
    /// The latest end of any that was forgotten: none that ends so early is taken, whatever the wall clock says.
    forgotten: Option<Wall>,
    /// Since when this remembers what was proposed: of what was issued before, nobody knows whether it was done.
    began: Option<Wall>,
    codes: CodeBook,
    refusals: Refusals,
    proposals_max: usize,
}

/// Refusals, told one by one until there are too many of them.
#[derive(Clone, Copy, Debug, Default)]
struct Refusals {
    since: Monotonic,
    told: u32,
    untold: u64,
}

impl Approvals {
    /// No proposals; at most `proposals_max` are remembered, and the used codes of `secrets_max` secrets.
    #[must_use]
    pub fn new(proposals_max: usize, secrets_max: usize) -> Self {
        Self {
            pending: BTreeMap::new(),
            over: BTreeMap::new(),
            forgotten: None,
            began: None,
            codes: CodeBook::new(secrets_max),
            refusals: Refusals::default(),
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
            self.pending.remove(&id);
            self.over.insert(id, until);
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
        let by_the_same = |pending: &&Pending| pending.proposal.document.by == proposal.document.by;
        let share = self.proposals_max.div_ceil(4);
        if self.pending.len().saturating_add(self.over.len()) >= self.proposals_max
            || self.pending.values().filter(by_the_same).count() >= share
        {
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
        self.pending.insert(pending.proposal.id, pending);
    }

    /// Counts an approval that was authenticated.
    pub fn approve(&mut self, id: ProposalId, member: &Member) {
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.approved.insert(member.name, member.verifier.fingerprint());
        }
    }

    /// Closes a proposal: it waits no more, and is never taken again.
    pub fn close(&mut self, id: ProposalId) -> Option<Pending> {
        let pending = self.pending.remove(&id)?;
        self.over.insert(id, pending.proposal.expires_at);
        Some(pending)
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
        let expired = self.pending.values().filter(|pending| !pending.is_open(now));
        let expired: Vec<_> =
            expired.map(|pending| (pending.expires_at.min(now.monotonic), pending.proposal.id)).collect();
        for (_, id) in &expired {
            self.close(*id);
        }
        let forgotten = &mut self.forgotten;
        self.over.retain(|_, until| {
            let stays = now.wall < *until;
            if !stays {
                *forgotten = (*forgotten).max(Some(*until));
            }
            stays
        });
        expired
    }

    /// When time alone next closes one.
    #[must_use]
    pub fn due(&self) -> Option<Monotonic> {
        self.pending.values().map(|pending| pending.expires_at).min()
    }

    /// Whether a refusal is told as an event, and how many were not told since the last one that was.
    pub fn tells_refusal(&mut self, now: Monotonic) -> Option<u64> {
        let refusals = &mut self.refusals;
        if now >= refusals.since.after(REFUSALS_WINDOW) {
            (refusals.since, refusals.told) = (now, 0);
        }
        if refusals.told >= REFUSALS_TOLD {
            refusals.untold = refusals.untold.saturating_add(1);
            return None;
        }
        refusals.told = refusals.told.saturating_add(1);
        Some(std::mem::take(&mut refusals.untold))
    }
}
