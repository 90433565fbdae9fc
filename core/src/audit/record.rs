//! What a record says: a decision with its request, or an event; and in which kind of record.

use serde_json::{Value, json};

use super::asked::Asked;
use super::redact::{RedactionKey, redact};
use crate::decision::{Account, DecisionId};
use crate::policy::compile::Policy;
use crate::state::events::{Event, EventKind};
use crate::time::Now;

/// The kind of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RecordKind {
    /// A decision.
    Decision,
    /// An allow that waits until the host confirms this record.
    Pending,
    /// An allow that waited was not given out.
    Withdrawn,
    /// A bundle was activated or refused.
    Bundle,
    /// A bundle was staged, or its rollout went on, stopped or ended.
    Rollout,
    /// A signal changed.
    Signal,
    /// A posture was entered, left, acknowledged or kept.
    Posture,
    /// Something was quarantined, lifted or revoked.
    Quarantine,
    /// Something was proposed, approved or withdrawn.
    Approval,
    /// An override was granted, used or ended.
    Override,
    /// A flag was set, cleared or found expired.
    Flag,
    /// The clocks parted or were anchored.
    Clock,
    /// A state was restored, or another engine became the active one.
    State,
    /// The engine met a panic.
    Engine,
    /// A control feed was heard, or a message of it refused.
    Control,
    /// An operator labelled something, or the host reported what it counted.
    Measure,
    /// Records are missing here: how many.
    Gap,
    /// How many records there are so far, and the hash of the last.
    Checkpoint,
}

impl RecordKind {
    /// Every kind.
    pub const ALL: [Self; 18] = [
        Self::Decision,
        Self::Pending,
        Self::Withdrawn,
        Self::Bundle,
        Self::Rollout,
        Self::Signal,
        Self::Posture,
        Self::Quarantine,
        Self::Approval,
        Self::Override,
        Self::Flag,
        Self::Clock,
        Self::State,
        Self::Engine,
        Self::Control,
        Self::Measure,
        Self::Gap,
        Self::Checkpoint,
    ];

    /// A stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Pending => "pending",
            Self::Withdrawn => "withdrawn",
            Self::Bundle => "bundle",
            Self::Rollout => "rollout",
            Self::Signal => "signal",
            Self::Posture => "posture",
            Self::Quarantine => "quarantine",
            Self::Approval => "approval",
            Self::Override => "override",
            Self::Flag => "flag",
            Self::Clock => "clock",
            Self::State => "state",
            Self::Engine => "engine",
            Self::Control => "control",
            Self::Measure => "measure",
            Self::Gap => "gap",
            Self::Checkpoint => "checkpoint",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn named(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The kind of record that an event becomes.
    #[must_use]
    pub const fn of(event: &EventKind) -> Self {
        match event {
            EventKind::BundleActivated { .. }
            | EventKind::BundleRefused { .. }
            | EventKind::PolicySuspended { .. }
            | EventKind::BundleUnsigned { .. }
            | EventKind::BundleRevoked { .. }
            | EventKind::BundleRolledBack { .. }
            | EventKind::BundleCleared { .. }
            | EventKind::TrustRotated { .. }
            | EventKind::TrustRefused { .. }
            | EventKind::PolicyResumed => Self::Bundle,
            EventKind::RolloutStaged { .. }
            | EventKind::RolloutAdvanced { .. }
            | EventKind::RolloutStopped { .. }
            | EventKind::RolloutApproved { .. }
            | EventKind::RolloutCompleted { .. }
            | EventKind::RolloutEnded { .. } => Self::Rollout,
            EventKind::DecisionLabelled { .. }
            | EventKind::TriggerLabelled { .. }
            | EventKind::AttemptsReported { .. }
            | EventKind::MitigationReported { .. } => Self::Measure,
            EventKind::SignalChanged { .. }
            | EventKind::ObservationIgnored { .. }
            | EventKind::GuardForcedOpen { .. }
            | EventKind::GuardReleased { .. } => Self::Signal,
            EventKind::StateRestored { .. }
            | EventKind::AuditBehind { .. }
            | EventKind::RestoreFailed { .. }
            | EventKind::TookOver { .. }
            | EventKind::Resigned { .. }
            | EventKind::SplitBrain { .. } => Self::State,
            EventKind::Quarantined { .. }
            | EventKind::QuarantineLifted { .. }
            | EventKind::QuarantineEnded { .. }
            | EventKind::Revoked { .. } => Self::Quarantine,
            EventKind::PostureEntered { .. }
            | EventKind::PostureLeft { .. }
            | EventKind::PostureAcknowledged { .. }
            | EventKind::PostureKept { .. } => Self::Posture,
            EventKind::Proposed { .. }
            | EventKind::Approved { .. }
            | EventKind::ApprovalRefused { .. }
            | EventKind::ProposalClosed { .. } => Self::Approval,
            EventKind::OverrideGranted { .. } | EventKind::OverrideUsed { .. } | EventKind::OverrideEnded { .. } => {
                Self::Override
            }
            EventKind::FlagSet { .. }
            | EventKind::FlagCleared { .. }
            | EventKind::FlagExpired { .. }
            | EventKind::FlagKept { .. } => Self::Flag,
            EventKind::DecisionWithdrawn { .. } => Self::Withdrawn,
            EventKind::ClockFailed | EventKind::ClockAnchored => Self::Clock,
            EventKind::EngineFailed => Self::Engine,
            EventKind::ControlBegan { .. } | EventKind::ControlApplied { .. } | EventKind::ControlRefused { .. } => {
                Self::Control
            }
        }
    }
}

/// What was kept until it was drained.
#[derive(Clone, Debug)]
pub enum Entry<'e> {
    /// A decision.
    Decision(DecisionEntry<'e>),
    /// An event, and the number of the input that brought it about, where inputs are written down.
    Event(Event, Option<u64>),
    /// What could not be kept.
    Gap(Gap),
}

/// A decision and what was asked, read back.
#[derive(Clone, Debug)]
pub struct DecisionEntry<'e> {
    /// What was decided.
    pub(crate) account: Account<'e>,
    /// When it was.
    pub at: Now,
    /// What was asked; nothing where it could not be read.
    pub asked: Option<Asked<'e>>,
    /// The policy that decided: its schema names what was asked, and it says what of that must not be written.
    pub policy: &'e Policy,
    /// The number of its entry in the journal of inputs, where there is one.
    pub input: Option<u64>,
    /// Whether the host has it.
    pub given: Given,
    /// What of the buffer's bytes it counts for.
    pub weight: usize,
}

/// Whether the host has a decision that is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Given {
    /// It has: there was one call.
    #[default]
    AtOnce,
    /// Not yet: it waits until this record is confirmed.
    Waits,
    /// It has, in the second of two calls: in place of what waited under this identifier.
    For(DecisionId),
}

/// How much is missing from the chain at one place. What is missing was decided and answered; it is not written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    /// Decisions that denied.
    pub denies: u64,
    /// Decisions that allowed.
    pub allows: u64,
    /// Events.
    pub events: u64,
    /// When the first of it was.
    pub since: Now,
    /// When the last of it was.
    pub until: Now,
}

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// A decision that denied.
    Deny,
    /// A decision that allowed.
    Allow,
    /// An event.
    Event,
}

impl Gap {
    /// How many records are missing.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.denies.saturating_add(self.allows).saturating_add(self.events)
    }

    /// Counts one more that is missing.
    pub fn count(&mut self, at: Now, missing: Missing) {
        if self.records() == 0 {
            self.since = at;
        }
        self.until = at;
        let one = match missing {
            Missing::Deny => &mut self.denies,
            Missing::Allow => &mut self.allows,
            Missing::Event => &mut self.events,
        };
        *one = one.saturating_add(1);
    }
}

impl Entry<'_> {
    /// When it was.
    #[must_use]
    pub fn at(&self) -> Now {
        match self {
            Self::Decision(kept) => kept.at,
            Self::Event(event, _) => event.at,
            Self::Gap(gap) => gap.until,
        }
    }

    /// The kind of its record.
    #[must_use]
    pub fn kind(&self) -> RecordKind {
        match self {
            Self::Decision(kept) if kept.given == Given::Waits => RecordKind::Pending,
            Self::Decision(_) => RecordKind::Decision,
            Self::Event(event, _) => RecordKind::of(&event.kind),
            Self::Gap(_) => RecordKind::Gap,
        }
    }

    /// What waits until its record is confirmed, if that is what it is.
    #[must_use]
    pub fn waits(&self) -> Option<DecisionId> {
        match self {
            Self::Decision(kept) if kept.given == Given::Waits => Some(kept.account.id),
            _ => None,
        }
    }

    /// What of the buffer's bytes it counts for.
    #[must_use]
    pub const fn weight(&self) -> usize {
        match self {
            Self::Decision(kept) => kept.weight,
            Self::Event(..) | Self::Gap(_) => FIXED_BYTES,
        }
    }

    /// The body of its record, as the one of that number.
    #[must_use]
    pub fn body(&self, seq: u64, key: Option<&RedactionKey>) -> Value {
        match self {
            Self::Event(event, input) => with_input(event.to_json(), *input),
            Self::Gap(gap) => json!({
                "denies": gap.denies,
                "allows": gap.allows,
                "events": gap.events,
                "since": gap.since.wall.to_string(),
                "until": gap.until.wall.to_string(),
            }),
            Self::Decision(kept) => {
                let mut decision = kept.account.to_json();
                let mut request = kept.asked.map_or(Value::Null, |asked| asked.to_json(&kept.policy.schema));
                // The texts that may quote a request. What the engine itself says is no quotation: else who chooses an
                // attribute could have the effect or the reason concealed.
                let context = decision.get_mut("context").and_then(Value::as_object_mut).into_iter().flatten();
                let quoting =
                    context.filter(|(name, _)| ["detail", "messages", "obligations"].contains(&name.as_str()));
                let mut texts: Vec<&mut Value> = quoting.map(|(_, text)| text).collect();
                let paths = kept.policy.audit.as_ref().map_or(&[][..], |audit| &audit.redaction);
                redact(paths, seq, key, &mut request, &mut texts);
                let mut body = json!({ "request": request, "decision": decision });
                if let (Given::For(pending), Some(members)) = (kept.given, body.as_object_mut()) {
                    members.insert("pending".to_owned(), pending.to_string().into());
                }
                with_input(body, kept.input)
            }
        }
    }
}

/// A body that refers to the entry of the journal whose doing it is.
fn with_input(mut body: Value, input: Option<u64>) -> Value {
    if let (Some(members), Some(input)) = (body.as_object_mut(), input) {
        members.insert("input".to_owned(), input.into());
    }
    body
}

/// What an entry counts for besides its texts.
pub(super) const FIXED_BYTES: usize = 512;
