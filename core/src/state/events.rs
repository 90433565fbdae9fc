//! Events: what happened, for the host to poll. Bounded: the oldest is dropped, and counted.

use std::collections::VecDeque;

use crate::condition::Status;
use crate::name::Name;
use crate::state::postures::{Cause, Scope};
use crate::state::signals::Observed;
use crate::time::Now;

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
            EventKind::BundleActivated { bundle, revision } => {
                put("bundle", bundle.as_str().into());
                put("revision", (*revision).into());
            }
            EventKind::BundleRefused { bundle, revision, code } => {
                put("bundle", bundle.as_str().into());
                put("revision", (*revision).into());
                put("code", (*code).into());
            }
            EventKind::SignalChanged { signal, from, to } => {
                put("signal", signal.as_str().into());
                put("from", from.name().into());
                put("to", to.name().into());
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
            EventKind::PostureLeft { posture, scope } | EventKind::PostureAcknowledged { posture, scope } => {
                put("posture", posture.as_str().into());
                if let Some(scope) = scope {
                    put("scope", (**scope).into());
                }
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
        /// Its name.
        bundle: Name,
        /// Its revision.
        revision: u64,
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
    /// An operator left a posture.
    PostureLeft {
        /// Its name.
        posture: Name,
        /// In which scope; nothing for everywhere.
        scope: Scope,
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
            Self::SignalChanged { .. } => "signal_changed",
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
