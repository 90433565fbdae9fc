//! Service-level indicators: how safe and how available the decisions were, from a compact record of what happened.
//!
//! A [`Tally`] takes [`Fact`]s and computes every indicator from them alone, so that the live engine, which feeds it what it
//! does, and an audit chain, which has it in writing, give the same numbers. Time is milliseconds on one clock: the
//! engine's monotonic one, or that of the records.

mod indicators;
mod labels;
mod records;
mod spans;
pub mod windows;

use std::collections::{BTreeMap, BTreeSet};

pub use indicators::{BURN_WINDOWS, INDICATORS, Indicator, Slis, Standing};
pub use labels::{Change, DecisionLabel, LabelError, Labels, TriggerLabel};
pub use records::{RecordError, Records};

use crate::decision::DecisionId;
use crate::name::Name;
use crate::policy::compile::Policy;
use crate::policy::slo::Objective;
use crate::reason::{Effect, Reason};
use spans::{Mean, Postures};
use windows::Windows;

/// What happened, as far as an indicator needs it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fact<'a> {
    /// Decisions were made.
    Decided {
        /// Why they are what they are.
        reason: Reason,
        /// The action; empty for one that no bundle declares.
        action: &'a str,
        /// How many.
        count: u64,
    },
    /// A bundle became the active one.
    Activated,
    /// A bundle was refused.
    Refused,
    /// Nothing can be decided by policy from now on.
    Suspended,
    /// It can again.
    Resumed,
    /// A signal that was ok is no longer.
    Lost {
        /// Since when nobody knew that it was ok.
        since: u64,
        /// The last moment at which a decision still relied on it.
        relied_until: u64,
    },
    /// A posture was entered.
    Entered {
        /// Which.
        posture: &'a str,
        /// In which scope; empty for everywhere.
        scope: &'a str,
        /// Since when it was called for.
        since: u64,
        /// The number of the event, where no operator caused it.
        trigger: Option<u64>,
    },
    /// A posture was left.
    Left {
        /// Which.
        posture: &'a str,
        /// In which scope; empty for everywhere.
        scope: &'a str,
    },
    /// The host's own count of what it was asked to do grew.
    Attempted {
        /// By how many.
        count: u64,
    },
    /// The host did, or failed to do, what a decision obliged it to.
    Mitigated {
        /// Whether it was done.
        done: bool,
    },
    /// Audit records that were kept.
    Recorded {
        /// How many.
        count: u64,
    },
    /// Audit records that were lost.
    Unrecorded {
        /// How many.
        count: u64,
    },
}

/// What the policy declares that indicators hang on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declared {
    /// The actions, each with whether it is of the class `secret`.
    actions: BTreeMap<Name, bool>,
    /// The postures that permit reading and no action of another class.
    read_only: BTreeSet<Name>,
    /// The objectives.
    objectives: Vec<Objective>,
}

impl Declared {
    /// What a policy declares.
    #[must_use]
    pub fn of(policy: &Policy) -> Self {
        let class = |number: usize| policy.actions.get(number).and_then(|action| action.class);
        let read_only = policy.postures.specs.iter().filter(|spec| {
            let permitted = || spec.permits.iter().enumerate().filter(|(_, permits)| **permits);
            spec.rank > 0
                && permitted().next().is_some()
                && permitted().all(|(number, _)| class(number).is_some_and(|class| class.as_str() == "read"))
        });
        let secret = |class: Option<Name>| class.is_some_and(|class| class.as_str() == "secret");
        Self {
            actions: policy.actions.iter().map(|action| (action.name, secret(action.class))).collect(),
            read_only: read_only.map(|spec| spec.name).collect(),
            objectives: policy.objectives.clone(),
        }
    }
}

/// What happened, added up.
#[derive(Clone, Debug)]
pub struct Tally {
    declared: Option<Declared>,
    /// When the first fact was.
    began: Option<u64>,
    reasons: BTreeMap<Reason, u64>,
    secret_failures: u64,
    seen: BTreeSet<Name>,
    activated: u64,
    refused: u64,
    losses: Mean,
    postures: Postures,
    suspended_at: Option<u64>,
    suspensions: Mean,
    attempted: u64,
    mitigated: u64,
    unmitigated: u64,
    recorded: u64,
    unrecorded: u64,
    deny_latency_impact: Option<f64>,
    labels: Labels,
    safety: Windows,
    availability: Windows,
    spans_max: usize,
}

impl Tally {
    /// Nothing happened yet; at most `labels_max` labels, and at most `spans_max` postures at a time.
    #[must_use]
    pub fn new(labels_max: usize, spans_max: usize) -> Self {
        Self {
            declared: None,
            began: None,
            reasons: BTreeMap::new(),
            secret_failures: 0,
            seen: BTreeSet::new(),
            activated: 0,
            refused: 0,
            losses: Mean::default(),
            postures: Postures::default(),
            suspended_at: None,
            suspensions: Mean::default(),
            attempted: 0,
            mitigated: 0,
            unmitigated: 0,
            recorded: 0,
            unrecorded: 0,
            deny_latency_impact: None,
            labels: Labels::new(labels_max),
            safety: Windows::default(),
            availability: Windows::default(),
            spans_max,
        }
    }

    /// Notes that what follows is of that time or later; gives when the first of it was, in milliseconds.
    pub fn begin(&mut self, at: u64) -> u64 {
        *self.began.get_or_insert(at)
    }

    /// What the policy declares from now on. Without it the indicators that hang on it say nothing.
    pub fn declare(&mut self, declared: Declared) {
        self.declared = Some(declared);
    }

    /// By how much a deny takes longer than an allow, in seconds, as the host measured both.
    pub const fn measure(&mut self, deny_latency_impact: Option<f64>) {
        self.deny_latency_impact = deny_latency_impact;
    }

    /// How many audit records were kept so far, and how many were not.
    pub const fn record(&mut self, kept: u64, lost: u64) {
        (self.recorded, self.unrecorded) = (kept, lost);
    }

    /// Takes a fact of that time, in milliseconds. Facts come in the order of their times.
    pub fn take(&mut self, at: u64, fact: Fact<'_>) {
        let began = self.begin(at);
        let add = |sum: &mut u64, count: u64| *sum = sum.saturating_add(count);
        match fact {
            Fact::Decided { reason, action, count } => {
                add(self.reasons.entry(reason).or_default(), count);
                self.decided(at.saturating_sub(began), reason, action, count);
            }
            Fact::Activated => {
                add(&mut self.activated, 1);
                self.resumed(at);
            }
            Fact::Refused => add(&mut self.refused, 1),
            Fact::Suspended => self.suspended_at = self.suspended_at.or(Some(at)),
            Fact::Resumed => self.resumed(at),
            Fact::Lost { since, relied_until } => self.losses.add(relied_until.saturating_sub(since)),
            Fact::Entered { posture, scope, since, trigger } => {
                let read_only = |declared: &Declared| declared.read_only.iter().any(|name| name.as_str() == posture);
                let read_only = self.declared.as_ref().is_some_and(read_only);
                let key = (posture.to_owned(), scope.to_owned());
                self.postures.enter(key, since, at, read_only, self.spans_max);
                if let Some(trigger) = trigger {
                    self.labels.triggered(trigger);
                }
            }
            Fact::Left { posture, scope } => self.postures.leave(&(posture.to_owned(), scope.to_owned()), at),
            Fact::Attempted { count } => add(&mut self.attempted, count),
            Fact::Mitigated { done: true } => add(&mut self.mitigated, 1),
            Fact::Mitigated { done: false } => add(&mut self.unmitigated, 1),
            Fact::Recorded { count } => add(&mut self.recorded, count),
            Fact::Unrecorded { count } => add(&mut self.unrecorded, count),
        }
    }

    fn resumed(&mut self, at: u64) {
        if let Some(since) = self.suspended_at.take() {
            self.suspensions.add(at.saturating_sub(since));
        }
    }

    fn decided(&mut self, at: u64, reason: Reason, action: &str, count: u64) {
        let family = Family::of(reason);
        let declared = self.declared.as_ref().and_then(|declared| {
            declared.actions.iter().find(|(name, _)| name.as_str() == action).map(|(name, secret)| (*name, *secret))
        });
        if let Some((name, secret)) = declared {
            self.seen.insert(name);
            if secret && family == Family::Failure {
                self.secret_failures = self.secret_failures.saturating_add(count);
            }
        }
        if reason.effect() == Effect::Allow {
            let unsafe_ = if reason == Reason::AllowedFailOpen { count } else { 0 };
            self.safety.add(at, count, unsafe_);
        }
        if family != Family::Request {
            let failed = if family == Family::Failure { count } else { 0 };
            self.availability.add(at, count, failed);
        }
    }

    /// Labels a decision that was made at that time.
    ///
    /// # Errors
    /// [`LabelError::NoRoom`].
    pub fn label_decision(&mut self, id: DecisionId, decided_at: u64, label: DecisionLabel) -> Result<(), LabelError> {
        let at = decided_at.saturating_sub(self.began.unwrap_or(decided_at));
        let windows = match id.effect() {
            Effect::Deny => &mut self.availability,
            Effect::Allow => &mut self.safety,
        };
        match self.labels.decision(id, label)? {
            Change::Wrong => windows.add(at, 0, 1),
            Change::Right => windows.forgive(at),
            Change::Nothing => {}
        }
        Ok(())
    }

    /// Labels a trigger: the number of an event `posture_entered` that no operator caused.
    ///
    /// # Errors
    /// [`LabelError::UnknownTrigger`].
    pub fn label_trigger(&mut self, trigger: u64, label: TriggerLabel) -> Result<(), LabelError> {
        self.labels.trigger(trigger, label)
    }

    fn decisions(&self, which: impl Fn(Reason) -> bool) -> u64 {
        let counts = self.reasons.iter().filter(|(reason, _)| which(**reason)).map(|(_, count)| *count);
        counts.fold(0, u64::saturating_add)
    }
}

/// What kind of reason a decision has: whether the policy decided, or something kept it from deciding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// A rule, or the lack of one, denied: the policy works.
    Policy,
    /// Something that was told to the engine denied: a posture, a quarantine. It works too.
    Containment,
    /// Something was missing, late or broken, and so the policy could not say.
    Failure,
    /// The request itself could not be decided.
    Request,
    /// It was allowed.
    Allowed,
}

impl Family {
    /// The family of a reason.
    #[must_use]
    pub const fn of(reason: Reason) -> Self {
        match reason {
            Reason::InternalError
            | Reason::NoPolicy
            | Reason::PolicyExpired
            | Reason::PolicyNotYetValid
            | Reason::RevisionTooOld
            | Reason::AuditUnavailable
            | Reason::AuditPending
            | Reason::SignalUnavailable
            | Reason::Indeterminate => Self::Failure,
            Reason::LimitExceeded | Reason::InvalidRequest | Reason::UnknownAction => Self::Request,
            Reason::Quarantined | Reason::Posture => Self::Containment,
            Reason::DeniedByRule | Reason::NoMatchingRule => Self::Policy,
            Reason::AllowedByRule
            | Reason::AllowedStale
            | Reason::AllowedMinimal
            | Reason::AllowedFailOpen
            | Reason::AllowedByOverride => Self::Allowed,
        }
    }

    /// A stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Containment => "containment",
            Self::Failure => "failure",
            Self::Request => "request",
            Self::Allowed => "allowed",
        }
    }
}

#[cfg(test)]
mod tests;
