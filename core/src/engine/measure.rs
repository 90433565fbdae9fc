//! Measures at the engine: what decisions and events add up to, and what operators say of them afterwards.
//!
//! A decision adds to its action's counters and to nothing else. Once in a minute of decisions, and whenever somebody asks,
//! the counters are added up for the indicators; so each decision is in the minute in which it was made.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::Engine;
use super::journal::Journal;
use super::snapshot::Snapshot;
use crate::concurrent::{AtomicU64, Mutex, MutexGuard, Ordering, PoisonError};
use crate::decision::{Decision, DecisionId};
use crate::faults::point;
use crate::journal::input::Input;
use crate::limits::Limits;
use crate::operation::{
    LabelDecision, LabelTrigger, Nothing, Operation, RecordLatency, ReportAttempts, ReportMitigation,
};
use crate::policy::compile::Policy;
use crate::policy::format::RuleEffect;
use crate::reason::{Effect, Reason};
use crate::state::events::{Event, EventKind};
use crate::state::rollout::Differences;
use crate::telemetry::counts::{Counts, Row};
use crate::telemetry::latency::Latency;
use crate::telemetry::sli::{DecisionLabel, Declared, Fact, LabelError, Slis, Tally, TriggerLabel};
use crate::time::{Monotonic, Now};

/// What an engine measures.
pub(super) struct Measures {
    pub(super) latency: Latency,
    /// What candidates and active bundles were found to differ in.
    pub(super) differences: Arc<Differences>,
    /// Decisions on no action that is counted by name.
    others: Arc<Row>,
    /// When the counters are next to be added up, in milliseconds.
    due: AtomicU64,
    ledger: Mutex<Ledger>,
}

/// Without the counts, which are many, and decide nothing.
impl std::fmt::Debug for Measures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Measures").finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) counts: Counts,
    tally: Tally,
    /// What of the counters has been added up, by action.
    taken: BTreeMap<String, BTreeMap<Reason, u64>>,
    /// When they were last added up: in the minute in which everything since was decided.
    at: u64,
}

/// The minutes of the indicators.
const MINUTE: u64 = 60_000;

impl Measures {
    pub(super) fn new(limits: &Limits) -> Self {
        let counts = Counts::new(limits.counted_actions_max);
        let others = counts.others();
        let tally = Tally::new(limits.labels_max, limits.scope_instances_max);
        let ledger = Mutex::new(Ledger { counts, tally, taken: BTreeMap::new(), at: 0 });
        Self { latency: Latency::default(), differences: Arc::default(), others, due: AtomicU64::new(0), ledger }
    }

    /// Counts a decision on what no bundle declares.
    pub(super) fn count_other(&self, decision: &Decision) {
        self.settle(decision.at().monotonic);
        self.others.count(decision);
    }

    /// Counts a decision that was made on that snapshot.
    pub(super) fn count(&self, snapshot: &Snapshot, decision: &Decision) {
        self.settle(decision.at().monotonic);
        point("count: begin");
        let row = decision.action.and_then(|action| snapshot.row(action));
        row.unwrap_or(&self.others).count(decision);
    }

    /// Adds the counters up where a minute has passed: before what is decided now is counted.
    fn settle(&self, now: Monotonic) {
        if self.due.load(Ordering::Relaxed) <= millis(now) {
            drop(self.add_up(now));
        }
    }

    /// Adds up what was counted so far.
    pub(super) fn add_up(&self, now: Monotonic) -> MutexGuard<'_, Ledger> {
        let now = millis(now);
        let mut ledger = self.ledger();
        let due = ledger.add_up(now);
        self.due.store(due, Ordering::Relaxed);
        ledger
    }

    /// The rows of the actions that a policy declares, by number; what was counted before is added up under what was
    /// declared before.
    pub(super) fn declare(&self, policy: &Policy, now: Monotonic) -> Arc<[Arc<Row>]> {
        let mut ledger = self.add_up(now);
        ledger.tally.declare(Declared::of(policy));
        policy.actions.iter().map(|action| ledger.counts.row(&action.name)).collect()
    }

    /// The rows of the actions that a candidate declares, by number. What the indicators know is the active bundle's.
    pub(super) fn rows(&self, policy: &Policy) -> Arc<[Arc<Row>]> {
        let mut ledger = self.ledger();
        policy.actions.iter().map(|action| ledger.counts.row(&action.name)).collect()
    }

    fn event(&self, event: &Event) {
        if let Some((at, fact)) = fact_of(event) {
            self.ledger().tally.take(at, fact);
        }
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Numbers that a panic left half added up are wrong by little; without them nobody would know of the panic.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    /// Adds up what was counted so far, as of the minute in which it was decided; gives when that is due again.
    fn add_up(&mut self, now: u64) -> u64 {
        point("add up: begin");
        let began = self.tally.begin(now);
        for (action, sums) in self.counts.sums() {
            if !self.taken.contains_key(action) {
                self.taken.insert(action.to_owned(), BTreeMap::new());
            }
            let Some(taken) = self.taken.get_mut(action) else { continue };
            for (reason, count) in sums.reasons {
                let before = taken.insert(reason, count).unwrap_or(0);
                let new = count.saturating_sub(before);
                if new > 0 {
                    self.tally.take(self.at, Fact::Decided { reason, action, count: new });
                }
            }
        }
        self.at = self.at.max(now);
        let minutes = self.at.saturating_sub(began) / MINUTE;
        began.saturating_add(minutes.saturating_add(1).saturating_mul(MINUTE))
    }
}

/// What an event is to the indicators, and when.
fn fact_of(event: &Event) -> Option<(u64, Fact<'_>)> {
    use crate::condition::Status;
    use crate::state::postures::Cause;
    let fact = match &event.kind {
        EventKind::BundleActivated { .. } => Fact::Activated,
        EventKind::BundleRefused { .. } => Fact::Refused,
        EventKind::EngineFailed | EventKind::PolicySuspended { .. } => Fact::Suspended,
        EventKind::PolicyResumed => Fact::Resumed,
        EventKind::SignalChanged { from: Status::Ok, since, relied_until, .. } => {
            Fact::Lost { since: millis(*since), relied_until: millis(*relied_until) }
        }
        EventKind::PostureEntered { posture, scope, cause, since } => Fact::Entered {
            posture,
            scope: scope.as_deref().unwrap_or_default(),
            since: millis(*since),
            trigger: (*cause != Cause::Operator).then_some(event.id),
        },
        EventKind::PostureLeft { posture, scope, .. } => {
            Fact::Left { posture, scope: scope.as_deref().unwrap_or_default() }
        }
        EventKind::AttemptsReported { attempts } => Fact::Attempted { count: *attempts },
        EventKind::MitigationReported { done } => Fact::Mitigated { done: *done },
        // Labels are taken before they are told, since one may be refused.
        _ => return None,
    };
    Some((millis(event.at.monotonic), fact))
}

/// The events, where each that is told is also measured.
pub(super) struct Telling<'e> {
    pub(super) journal: MutexGuard<'e, Journal>,
    pub(super) measures: &'e Measures,
}

impl Telling<'_> {
    /// Adds an event.
    pub(super) fn push(&mut self, at: Now, kind: EventKind) {
        let event = self.journal.push(at, kind);
        point("event: recorded");
        self.measures.event(&event);
        point("event: measured");
    }
}

impl Deref for Telling<'_> {
    type Target = Journal;

    fn deref(&self) -> &Journal {
        &self.journal
    }
}

impl DerefMut for Telling<'_> {
    fn deref_mut(&mut self) -> &mut Journal {
        &mut self.journal
    }
}

impl Engine {
    /// Takes note of how long a decision took, as the host measured it: the core reads no clock.
    pub fn record_latency(&self, effect: Effect, nanos: u64) {
        let _input = self.input_at(None, || {
            let effect = if effect == Effect::Allow { RuleEffect::Allow } else { RuleEffect::Deny };
            Input::Operate(Operation::RecordLatency(RecordLatency { effect, nanos }).into(), None)
        });
        self.measures.latency.record(effect, nanos);
    }

    /// Takes note of how often the host was asked to do something, decided or not, at its own count: what the rate of
    /// enforcement is measured against.
    pub fn report_attempts(&self, count: u64, now: Now) {
        let _input = self.operating(now, || Operation::ReportAttempts(ReportAttempts { count }));
        self.events().push(self.held(now), EventKind::AttemptsReported { attempts: count });
    }

    /// Takes note of whether the host did what a decision obliged it to.
    pub fn report_mitigation(&self, done: bool, now: Now) {
        let _input = self.operating(now, || Operation::ReportMitigation(ReportMitigation { done }));
        self.events().push(self.held(now), EventKind::MitigationReported { done });
    }

    /// Says what a request turned out to be, in place of what was said of it before.
    ///
    /// # Errors
    /// [`LabelError::UnknownDecision`] for the identifier of a decision that is still to come, [`LabelError::NoRoom`].
    pub fn label_decision(&self, id: DecisionId, label: DecisionLabel, now: Now) -> Result<(), LabelError> {
        let _input =
            self.operating(now, || Operation::LabelDecision(LabelDecision { decision: id.to_string(), label }));
        let held = self.held(now);
        let wall = u64::try_from(now.wall.as_nanos() / 1_000_000).unwrap_or(0);
        let ago = wall.checked_sub(id.wall_millis()).ok_or(LabelError::UnknownDecision)?;
        let decided_at = millis(held.monotonic).saturating_sub(ago);
        self.measures.add_up(held.monotonic).tally.label_decision(id, decided_at, label)?;
        self.events().push(held, EventKind::DecisionLabelled { decision: id, label: label.code() });
        Ok(())
    }

    /// Says whether a posture was entered for a reason: by the number of its event, where no operator caused it.
    ///
    /// # Errors
    /// [`LabelError::UnknownTrigger`].
    pub fn label_trigger(&self, trigger: u64, label: TriggerLabel, now: Now) -> Result<(), LabelError> {
        let _input = self.operating(now, || Operation::LabelTrigger(LabelTrigger { trigger, label }));
        let held = self.held(now);
        self.measures.add_up(held.monotonic).tally.label_trigger(trigger, label)?;
        self.events().push(held, EventKind::TriggerLabelled { trigger, label: label.code() });
        Ok(())
    }

    /// The service-level indicators, and how it stands with the objectives of the pack.
    #[must_use]
    pub fn slis(&self, now: Now) -> Slis {
        let _input = self.operating(now, || Operation::Slis(Nothing {}));
        self.slis_at(self.held(now).monotonic)
    }

    pub(super) fn slis_at(&self, now: Monotonic) -> Slis {
        let mean = |effect| self.measures.latency.distribution(effect).mean_seconds();
        let impact = mean(Effect::Deny).zip(mean(Effect::Allow)).map(|(deny, allow)| deny - allow);
        let kept = self.audit_counters();
        let mut ledger = self.measures.add_up(now);
        ledger.tally.measure(impact);
        ledger.tally.record(kept.recorded, kept.unrecorded);
        ledger.tally.slis(millis(now))
    }
}

/// Whole milliseconds, in which indicators are measured.
const fn millis(at: Monotonic) -> u64 {
    at.as_nanos() / 1_000_000
}
