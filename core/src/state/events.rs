//! Events: what happened, for the host to poll. Bounded: the oldest is dropped, and counted.

mod json;

use std::collections::{BTreeMap, VecDeque};

use crate::condition::Status;
use crate::decision::DecisionId;
use crate::name::Name;
use crate::policy::bundle::BundleId;
use crate::policy::rollout::Share;
use crate::reason::Reason;
use crate::state::approvals::Close;
use crate::state::control::Place;
use crate::state::overrides::End;
use crate::state::postures::{Cause, Scope};
pub use crate::state::proposal::ApprovedBy;
use crate::state::proposal::{GrantOverride, ProposalId};
use crate::state::rollout::Ending;
use crate::state::severity::{Causes, Severity};
use crate::state::signals::Observed;
use crate::time::{Monotonic, Now, Ttl};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Which event of this engine it is, from 1: what an operator names it by.
    pub id: u64,
    /// When.
    pub at: Now,
    /// Who has to know, and how soon. What is known of its cause already is told to nobody twice.
    pub severity: Severity,
    /// How many events its cause has had so far, this one among them.
    pub count: u64,
    /// Where it is written what to do: the pack's runbook, at the place named after the event's code.
    pub runbook: Option<Box<str>>,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// A bundle became the active one.
    BundleActivated {
        /// Its name.
        bundle: Name,
        /// Its revision.
        revision: u64,
        /// Its digest.
        id: BundleId,
    },
    /// A bundle was refused; the active one stayed.
    BundleRefused {
        /// Its name; empty where nobody vouches for it.
        bundle: Name,
        /// Its revision; zero where nobody vouches for it.
        revision: u64,
        /// Why.
        code: &'static str,
    },
    /// The bundle that became active is one of which nobody knows who wrote it: the host trusts anybody.
    BundleUnsigned {
        /// Its name.
        bundle: Name,
        /// Its revision.
        revision: u64,
    },
    /// A new trust root took the active bundle back: everything is denied until another is activated.
    BundleRevoked {
        /// Its name.
        bundle: Name,
        /// Its revision.
        revision: u64,
    },
    /// The engine went back to a bundle that was active before.
    BundleRolledBack {
        /// Its name.
        bundle: Name,
        /// The revision that was active.
        from: u64,
        /// The revision that is active again.
        to: u64,
    },
    /// Approved people let a bundle in, whatever its revision, and without a rollout.
    BundleCleared {
        /// The bundle.
        id: BundleId,
        /// Who is behind it.
        approved: Box<ApprovedBy>,
    },
    /// A bundle was staged: it is compared with the active one from now on.
    RolloutStaged {
        /// Its name.
        bundle: Name,
        /// Its revision.
        revision: u64,
        /// Its digest.
        id: BundleId,
    },
    /// A rollout went on: the candidate decides for this share of the requests.
    RolloutAdvanced {
        /// The candidate's name.
        bundle: Name,
        /// Its revision.
        revision: u64,
        /// The share.
        share: Share,
    },
    /// A rollout stopped: every decision is the active bundle's until it is approved or rolled back.
    RolloutStopped {
        /// The candidate's name.
        bundle: Name,
        /// Its revision.
        revision: u64,
        /// Why.
        code: &'static str,
        /// The first action that is newly allowed and not declared, where that is why.
        action: Option<Name>,
    },
    /// People have approved what a candidate newly allows.
    RolloutApproved {
        /// The candidate's name.
        bundle: Name,
        /// Its revision.
        revision: u64,
        /// Who is behind it.
        approved: Box<ApprovedBy>,
    },
    /// A candidate takes the place of the active bundle.
    RolloutCompleted {
        /// Its name.
        bundle: Name,
        /// Its revision.
        revision: u64,
    },
    /// A rollout was rolled back: the active bundle stayed.
    RolloutEnded {
        /// The candidate's name.
        bundle: Name,
        /// Its revision.
        revision: u64,
        /// Why.
        ending: Ending,
    },
    /// A new trust root took the place of the one that was held.
    TrustRotated {
        /// Its version.
        version: u64,
    },
    /// A new trust root was refused; the one that was held stayed.
    TrustRefused {
        /// Why.
        code: &'static str,
    },
    /// The active bundle may not decide any longer, or not yet: everything is denied.
    PolicySuspended {
        /// Why: the code of the reason that decisions have.
        code: &'static str,
    },
    /// The active bundle may decide again.
    PolicyResumed,
    /// A signal's status changed.
    SignalChanged {
        /// Its name.
        signal: Name,
        /// What it was.
        from: Status,
        /// What it is.
        to: Status,
        /// Where the guard stands that the signal is, as in `half_open`; nothing where it is none.
        guard: Option<&'static str>,
        /// Since when it is so: for a loss the moment from which on nobody knew that it was ok.
        since: Monotonic,
        /// For a loss: the last moment, at the latest, at which a decision still relied on it, or a host on a decision
        /// that it was told to keep.
        relied_until: Monotonic,
    },
    /// An operator forced a breaker open.
    GuardForcedOpen {
        /// Its signal.
        signal: Name,
    },
    /// An operator let go of a breaker that was forced open.
    GuardReleased {
        /// Its signal.
        signal: Name,
    },
    /// An observation was not taken.
    ObservationIgnored {
        /// The signal it named, cut to the length of a name.
        signal: Name,
        /// Why.
        outcome: Observed,
    },
    /// A posture was entered.
    PostureEntered {
        /// Its name.
        posture: Name,
        /// In which scope; nothing for everywhere.
        scope: Scope,
        /// Why.
        cause: Cause,
        /// Since when it was called for: before it was entered, where its condition has to hold for a time.
        since: Monotonic,
    },
    /// An operator left a posture, or it was left as was approved.
    PostureLeft {
        /// Its name.
        posture: Name,
        /// In which scope; nothing for everywhere.
        scope: Scope,
        /// Who proposed and approved it; nothing where an operator's word was enough.
        approved: Option<Box<ApprovedBy>>,
    },
    /// Something was proposed.
    Proposed {
        /// The proposal.
        id: ProposalId,
        /// Who proposed it.
        by: Name,
        /// What is proposed.
        change: &'static str,
        /// Why, cut to a length.
        reason: Box<str>,
    },
    /// A proposal was approved by one person more.
    Approved {
        /// The proposal.
        id: ProposalId,
        /// Who approved it.
        by: Name,
        /// How many have.
        approvals: u32,
        /// How many it takes.
        need: u32,
    },
    /// A proposal, an approval or a withdrawal was refused.
    ApprovalRefused {
        /// The proposal that it was about, if one was named.
        id: Option<ProposalId>,
        /// Who it claimed to be from, cut to the length of a name.
        by: Name,
        /// Why.
        code: &'static str,
        /// How many refusals were not told since the last one that was, because there were too many.
        untold: u64,
    },
    /// A proposal waits no more.
    ProposalClosed {
        /// The proposal.
        id: ProposalId,
        /// Why.
        why: Close,
    },
    /// An override is in force.
    OverrideGranted {
        /// Who is behind it.
        approved: ApprovedBy,
        /// For how long: less than was proposed, where more was covered before.
        window: Ttl,
        /// What was proposed, and the reason, cut to a length.
        terms: Box<(GrantOverride, Box<str>)>,
    },
    /// An override allowed a request that was denied.
    OverrideUsed {
        /// The override.
        id: ProposalId,
        /// The decision.
        decision: DecisionId,
        /// Why it was denied.
        overrode: Reason,
        /// How many uses are left.
        uses_left: u32,
    },
    /// An override is in force no more.
    OverrideEnded {
        /// The override.
        id: ProposalId,
        /// Why.
        why: End,
    },
    /// A flag was set: its posture is entered.
    FlagSet {
        /// Its name.
        flag: Name,
        /// Who answers for it.
        owner: Box<str>,
        /// The proposal that was approved for it, where it takes approvals.
        approved: Option<ProposalId>,
    },
    /// A flag was cleared.
    FlagCleared {
        /// Its name.
        flag: Name,
        /// The proposal that was approved for it, where it takes approvals.
        approved: Option<ProposalId>,
    },
    /// A flag is set for longer than was meant. It stays in effect until it is cleared.
    FlagExpired {
        /// Its name.
        flag: Name,
    },
    /// A flag could not be set or cleared as an operator wanted.
    FlagKept {
        /// The name that the operator gave, cut to the length of a name.
        flag: Name,
        /// Why.
        code: &'static str,
    },
    /// An operator acknowledged a posture: it escalates no more.
    PostureAcknowledged {
        /// Its name.
        posture: Name,
        /// In which scope; nothing for everywhere.
        scope: Scope,
    },
    /// A posture could not be entered, left or acknowledged as an operator wanted.
    PostureKept {
        /// The name that the operator gave, cut to the length of a name.
        posture: Name,
        /// Why.
        code: &'static str,
    },
    /// A quarantine began, or was lengthened.
    Quarantined {
        /// What is quarantined now: everything, where there was no room for one more.
        selector: Box<str>,
        /// The host's reason, cut to a length.
        reason: Box<str>,
    },
    /// A quarantine was lifted.
    QuarantineLifted {
        /// What was quarantined.
        selector: Box<str>,
    },
    /// A quarantine came to its end.
    QuarantineEnded {
        /// What was quarantined.
        selector: Box<str>,
    },
    /// What was decided for a subject before is void.
    Revoked {
        /// The subject.
        selector: Box<str>,
    },
    /// A state was restored.
    StateRestored {
        /// Its sequence.
        sequence: u64,
        /// Its epoch.
        epoch: u64,
    },
    /// A state could not be restored: the strictest posture is entered, or everything is quarantined.
    RestoreFailed {
        /// Why.
        code: &'static str,
    },
    /// The audit chain does not go on behind the one that the state knows: confirmed records are missing.
    AuditBehind {
        /// How many records the host had confirmed.
        known: u64,
        /// How many the chain has now.
        held: u64,
    },
    /// This engine became the active one.
    TookOver {
        /// The epoch that it claims.
        epoch: u64,
    },
    /// This engine is no longer the active one.
    Resigned {
        /// The epoch that it had claimed.
        epoch: u64,
    },
    /// Another engine is active beside this one.
    SplitBrain {
        /// The epoch that the other one claims.
        epoch: u64,
        /// The name that it goes by, cut to the length of a name.
        instance: Name,
    },
    /// An operator said what the request of a decision turned out to be.
    DecisionLabelled {
        /// The decision.
        decision: DecisionId,
        /// What was said, in the format's word.
        label: &'static str,
    },
    /// An operator said whether a posture was entered for a reason.
    TriggerLabelled {
        /// The number of the event of its entry.
        trigger: u64,
        /// What was said, in the format's word.
        label: &'static str,
    },
    /// An allow that waited for its record to be confirmed was not given out.
    DecisionWithdrawn {
        /// What waited, by its identifier.
        decision: DecisionId,
        /// Why: the code of the reason that was given instead, or `expired` where nobody came for it.
        why: &'static str,
    },
    /// The host reported how often it was asked to do something.
    AttemptsReported {
        /// How often since its last report.
        attempts: u64,
    },
    /// The host reported whether it did what a decision obliged it to.
    MitigationReported {
        /// Whether it did.
        done: bool,
    },
    /// A control feed was heard for the first time, or a later epoch of it began.
    ControlBegan {
        /// The feed.
        feed: Name,
        /// The epoch.
        epoch: u64,
    },
    /// A control message was taken: one with an operation, or a heartbeat that filled the last of a hole.
    ControlApplied {
        /// Its number.
        place: Place,
        /// What it says: the name of the operation, or `heartbeat`.
        verb: Box<str>,
        /// Why the operation was not done; nothing where it was.
        code: Option<&'static str>,
        /// Whether it was the last that was missing.
        filled: bool,
    },
    /// A control message was refused.
    ControlRefused {
        /// Its number; nothing where nobody vouches for it.
        place: Option<Place>,
        /// Why.
        code: &'static str,
        /// How many refusals were not told since the last one that was, because there were too many.
        untold: u64,
    },
    /// The two clocks parted: whatever wall time bounds counts as ended.
    ClockFailed,
    /// The host anchored the clocks again.
    ClockAnchored,
    /// A panic was contained: the engine denies until a bundle is activated.
    EngineFailed,
}

impl EventKind {
    /// A stable name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BundleActivated { .. } => "bundle_activated",
            Self::BundleRefused { .. } => "bundle_refused",
            Self::BundleUnsigned { .. } => "bundle_unsigned",
            Self::BundleRevoked { .. } => "bundle_revoked",
            Self::BundleRolledBack { .. } => "bundle_rolled_back",
            Self::BundleCleared { .. } => "bundle_cleared",
            Self::RolloutStaged { .. } => "rollout_staged",
            Self::RolloutAdvanced { .. } => "rollout_advanced",
            Self::RolloutStopped { .. } => "rollout_stopped",
            Self::RolloutApproved { .. } => "rollout_approved",
            Self::RolloutCompleted { .. } => "rollout_completed",
            Self::RolloutEnded { .. } => "rollout_rolled_back",
            Self::TrustRotated { .. } => "trust_rotated",
            Self::TrustRefused { .. } => "trust_refused",
            Self::PolicySuspended { .. } => "policy_suspended",
            Self::PolicyResumed => "policy_resumed",
            Self::SignalChanged { .. } => "signal_changed",
            Self::GuardForcedOpen { .. } => "guard_forced_open",
            Self::GuardReleased { .. } => "guard_released",
            Self::ObservationIgnored { .. } => "observation_ignored",
            Self::Quarantined { .. } => "quarantined",
            Self::QuarantineLifted { .. } => "quarantine_lifted",
            Self::QuarantineEnded { .. } => "quarantine_ended",
            Self::Revoked { .. } => "revoked",
            Self::PostureEntered { .. } => "posture_entered",
            Self::PostureLeft { .. } => "posture_left",
            Self::PostureAcknowledged { .. } => "posture_acknowledged",
            Self::PostureKept { .. } => "posture_kept",
            Self::StateRestored { .. } => "state_restored",
            Self::RestoreFailed { .. } => "restore_failed",
            Self::AuditBehind { .. } => "audit_behind",
            Self::TookOver { .. } => "took_over",
            Self::Resigned { .. } => "resigned",
            Self::SplitBrain { .. } => "split_brain",
            Self::DecisionLabelled { .. } => "decision_labelled",
            Self::TriggerLabelled { .. } => "trigger_labelled",
            Self::AttemptsReported { .. } => "attempts_reported",
            Self::DecisionWithdrawn { .. } => "decision_withdrawn",
            Self::MitigationReported { .. } => "mitigation_reported",
            Self::Proposed { .. } => "proposed",
            Self::Approved { .. } => "approved",
            Self::ApprovalRefused { .. } => "approval_refused",
            Self::ProposalClosed { .. } => "proposal_closed",
            Self::OverrideGranted { .. } => "override_granted",
            Self::OverrideUsed { .. } => "override_used",
            Self::OverrideEnded { .. } => "override_ended",
            Self::FlagSet { .. } => "flag_set",
            Self::FlagCleared { .. } => "flag_cleared",
            Self::FlagExpired { .. } => "flag_expired",
            Self::FlagKept { .. } => "flag_kept",
            Self::ControlBegan { .. } => "control_began",
            Self::ControlApplied { .. } => "control_applied",
            Self::ControlRefused { .. } => "control_refused",
            Self::ClockFailed => "clock_failed",
            Self::ClockAnchored => "clock_anchored",
            Self::EngineFailed => "engine_failed",
        }
    }
}

/// The events that the host has not polled yet.
#[derive(Debug)]
pub struct Events {
    queue: VecDeque<Event>,
    max: usize,
    dropped: u64,
    causes: Causes,
    runbook: Option<Box<str>>,
    last_id: u64,
    /// How many events there were, by code and severity.
    counts: BTreeMap<(&'static str, Severity), u64>,
}

impl Events {
    /// An empty queue that holds at most `max`, and remembers as many causes at the most.
    #[must_use]
    pub const fn new(max: usize, causes_max: usize) -> Self {
        Self {
            queue: VecDeque::new(),
            max,
            dropped: 0,
            causes: Causes::new(causes_max),
            runbook: None,
            last_id: 0,
            counts: BTreeMap::new(),
        }
    }

    /// Where it is written what to do, from now on.
    pub fn refer_to(&mut self, runbook: Option<&str>) {
        self.runbook = runbook.map(Into::into);
    }

    /// Adds an event and gives it back; drops the oldest where there is no room.
    pub fn push(&mut self, at: Now, kind: EventKind) -> Event {
        let (severity, count) = self.causes.weigh(&kind);
        self.last_id = self.last_id.saturating_add(1);
        let told = self.counts.entry((kind.code(), severity)).or_default();
        *told = told.saturating_add(1);
        let runbook = self.runbook.as_ref().map(|runbook| format!("{runbook}#{}", kind.code()).into());
        let event = Event { id: self.last_id, at, severity, count, runbook, kind };
        while self.queue.len() >= self.max {
            self.dropped = self.dropped.saturating_add(1);
            if self.queue.pop_front().is_none() {
                return event;
            }
        }
        self.queue.push_back(event.clone());
        event
    }

    /// Takes the oldest event.
    pub fn poll(&mut self) -> Option<Event> {
        self.queue.pop_front()
    }

    /// How many events were dropped.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How many events kept quiet because their cause was known.
    #[must_use]
    pub const fn suppressed(&self) -> u64 {
        self.causes.suppressed()
    }

    /// How many events wait to be polled.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How many events there were so far, by code and severity.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, Severity, u64)> + '_ {
        self.counts.iter().map(|((code, severity), count)| (*code, *severity, *count))
    }
}
