//! Events: what happened, for the host to poll. Bounded: the oldest is dropped, and counted.

use std::collections::VecDeque;

use crate::condition::Status;
use crate::decision::DecisionId;
use crate::name::Name;
use crate::reason::Reason;
use crate::state::approvals::Close;
use crate::state::overrides::End;
use crate::state::postures::{Cause, Scope};
use crate::state::proposal::{GrantOverride, ProposalId};
use crate::state::signals::Observed;
use crate::time::{Now, Ttl};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When.
    pub at: Now,
    /// What.
    pub kind: EventKind,
}

impl Event {
    /// The event as JSON: `event`, its stable name; `at`, the wall time in RFC 3339; `monotonic_ms`; and its particulars.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let mut members = serde_json::Map::new();
        let mut put = |name: &str, value: serde_json::Value| members.insert(name.to_owned(), value);
        put("event", self.kind.code().into());
        put("at", self.at.wall.to_string().into());
        put("monotonic_ms", (self.at.monotonic.as_nanos() / 1_000_000).into());
        match &self.kind {
            EventKind::BundleActivated { bundle, revision }
            | EventKind::BundleUnsigned { bundle, revision }
            | EventKind::BundleRevoked { bundle, revision } => {
                put("bundle", bundle.as_str().into());
                put("revision", (*revision).into());
            }
            EventKind::BundleRefused { bundle, revision, code } => {
                put("bundle", bundle.as_str().into());
                put("revision", (*revision).into());
                put("code", (*code).into());
            }
            EventKind::TrustRotated { version } => {
                put("version", (*version).into());
            }
            EventKind::TrustRefused { code } => {
                put("code", (*code).into());
            }
            EventKind::SignalChanged { signal, from, to, guard } => {
                put("signal", signal.as_str().into());
                put("from", from.name().into());
                put("to", to.name().into());
                if let Some(guard) = guard {
                    put("guard", (*guard).into());
                }
            }
            EventKind::GuardForcedOpen { signal } | EventKind::GuardReleased { signal } => {
                put("signal", signal.as_str().into());
            }
            EventKind::Quarantined { selector, reason } => {
                put("selector", (**selector).into());
                put("reason", (**reason).into());
            }
            EventKind::QuarantineLifted { selector }
            | EventKind::QuarantineEnded { selector }
            | EventKind::Revoked { selector } => {
                put("selector", (**selector).into());
            }
            EventKind::PostureEntered { posture, scope, cause } => {
                put("posture", posture.as_str().into());
                if let Some(scope) = scope {
                    put("scope", (**scope).into());
                }
                put("cause", cause.code().into());
            }
            EventKind::PostureLeft { posture, scope, .. } | EventKind::PostureAcknowledged { posture, scope } => {
                put("posture", posture.as_str().into());
                if let Some(scope) = scope {
                    put("scope", (**scope).into());
                }
                if let EventKind::PostureLeft { approved: Some(approved), .. } = &self.kind {
                    approved.put(&mut put);
                }
            }
            EventKind::Proposed { id, by, change, reason } => {
                put("proposal", id.to_string().into());
                put("by", by.as_str().into());
                put("change", (*change).into());
                put("reason", (**reason).into());
            }
            EventKind::Approved { id, by, approvals, need } => {
                put("proposal", id.to_string().into());
                put("by", by.as_str().into());
                put("approvals", (*approvals).into());
                put("need", (*need).into());
            }
            EventKind::ApprovalRefused { id, by, code, untold } => {
                if let Some(id) = id {
                    put("proposal", id.to_string().into());
                }
                put("by", by.as_str().into());
                put("code", (*code).into());
                if *untold > 0 {
                    put("untold", (*untold).into());
                }
            }
            EventKind::ProposalClosed { id, why } => {
                put("proposal", id.to_string().into());
                put("why", why.code().into());
            }
            EventKind::OverrideGranted { approved, window, terms } => {
                let (grant, reason) = &**terms;
                put("override", approved.proposal.to_string().into());
                approved.put(&mut put);
                put("subjects", grant.subjects.clone().into());
                put("actions", grant.actions.clone().into());
                put("resources", grant.resources.clone().into());
                put("window_ms", window.as_millis().into());
                put("uses", grant.uses.into());
                put("reason", (**reason).into());
            }
            EventKind::OverrideUsed { id, decision, overrode, uses_left } => {
                put("override", id.to_string().into());
                put("decision", decision.to_string().into());
                put("overrode", overrode.code().into());
                put("uses_left", (*uses_left).into());
            }
            EventKind::OverrideEnded { id, why } => {
                put("override", id.to_string().into());
                put("why", why.code().into());
            }
            EventKind::FlagSet { flag, approved, .. } | EventKind::FlagCleared { flag, approved } => {
                put("flag", flag.as_str().into());
                if let EventKind::FlagSet { owner, .. } = &self.kind {
                    put("owner", (**owner).into());
                }
                if let Some(id) = approved {
                    put("proposal", id.to_string().into());
                }
            }
            EventKind::FlagExpired { flag } => {
                put("flag", flag.as_str().into());
            }
            EventKind::FlagKept { flag, code } => {
                put("flag", flag.as_str().into());
                put("code", (*code).into());
            }
            EventKind::PostureKept { posture, code } => {
                put("posture", posture.as_str().into());
                put("code", (*code).into());
            }
            EventKind::ObservationIgnored { signal, outcome } => {
                put("signal", signal.as_str().into());
                put("code", outcome.code().into());
            }
            EventKind::StateRestored { sequence, epoch } => {
                put("sequence", (*sequence).into());
                put("epoch", (*epoch).into());
            }
            EventKind::RestoreFailed { code } => {
                put("code", (*code).into());
            }
            EventKind::TookOver { epoch } | EventKind::Resigned { epoch } => {
                put("epoch", (*epoch).into());
            }
            EventKind::SplitBrain { epoch, instance } => {
                put("epoch", (*epoch).into());
                put("instance", instance.as_str().into());
            }
            EventKind::ClockFailed | EventKind::ClockAnchored | EventKind::EngineFailed => {}
        }
        members.into()
    }
}

/// Who is behind what approvals have done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovedBy {
    /// The proposal.
    pub proposal: ProposalId,
    /// Who proposed it.
    pub by: Name,
    /// Who approved it, in order of their names.
    pub approvers: Vec<Name>,
}

impl ApprovedBy {
    fn put<T>(&self, put: &mut impl FnMut(&str, serde_json::Value) -> T) {
        put("proposal", self.proposal.to_string().into());
        put("by", self.by.as_str().into());
        put("approvers", self.approvers.iter().map(|name| name.as_str()).collect());
    }
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
            Self::TrustRotated { .. } => "trust_rotated",
            Self::TrustRefused { .. } => "trust_refused",
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
            Self::TookOver { .. } => "took_over",
            Self::Resigned { .. } => "resigned",
            Self::SplitBrain { .. } => "split_brain",
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
}

impl Events {
    /// An empty queue that holds at most `max`.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { queue: VecDeque::new(), max, dropped: 0 }
    }

    /// Adds an event; drops the oldest where there is no room.
    pub fn push(&mut self, at: Now, kind: EventKind) {
        while self.queue.len() >= self.max {
            self.dropped = self.dropped.saturating_add(1);
            if self.queue.pop_front().is_none() {
                return;
            }
        }
        self.queue.push_back(Event { at, kind });
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
}
