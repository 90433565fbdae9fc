//! What has to hold at every step of every day, seen from outside: from the pack, from what was told, from the answers.
//!
//! An observer of its own keeps what the engine was told of signals and quarantines, as simply as can be; where it knows less
//! than the engine it says nothing. Two theorems need a second life of the same day: [`loss`] and [`same`].

use std::collections::BTreeMap;

use fallgate::drill::{Drill, DrillReport, ObservedStatus, Step, StepReport};
use fallgate::policy::bundle::Bundle;
use fallgate::policy::compile::Policy;
use fallgate::policy::format::OnFailure;
use fallgate::policy::signal::Source;
use fallgate::state::events::EventKind;
use fallgate::{Decision, Effect, Reason};
use serde_json::{Value, json};

use super::dice::Dice;
use super::world::party;
use super::{Day, lived};

/// What did not hold, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The theorem.
    pub(crate) theorem: &'static str,
    /// Which of the drill's steps.
    pub(crate) step: usize,
    /// What was seen.
    pub(crate) seen: String,
}

/// Every theorem: its name, and what it says.
pub(crate) const THEOREMS: [(&str, &str); 11] = [
    ("contained", "the engine never panics, and never says that it failed"),
    ("declared", "an allow on other ground is one that the pack declares for that action, while something is not ok"),
    ("expired", "no answer is given after its end, and none is kept longer than the action's time to live"),
    (
        "fresh",
        "nothing is allowed by a rule while a signal that the action requires was last told ok longer ago than it holds",
    ),
    ("loss", "what was denied is not allowed when signals are lost, or the engine is restarted, at that very time"),
    ("never", "what was said with --never does not happen"),
    ("permitted", "nothing is allowed, but by an override, that the posture of the answer does not permit"),
    ("quarantined", "nothing is allowed, but by an override, to or on what is quarantined"),
    ("same", "the same day again gives the same answers, byte for byte"),
    ("tightening", "no posture is left but by somebody's doing"),
    ("time", "time never goes back for the engine"),
];

/// Something that a user says must not happen: an action with a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Never {
    pub(crate) action: String,
    pub(crate) reason: String,
}

/// The first theorem that does not hold at some step.
pub(crate) fn first(bundle: &Bundle, drill: &Drill, report: &DrillReport, never: &[Never]) -> Option<Violation> {
    let policy = bundle.policy();
    let mut observer = Observer::default();
    report.steps.iter().find_map(|step| {
        let written = drill.steps.get(step.step)?;
        observer.take(policy, written, step);
        let seen = observer.looks(policy, written, step).or_else(|| unwanted(never, written, step));
        seen.map(|(theorem, seen)| Violation { theorem, step: step.step, seen })
    })
}

/// What the observer knows.
#[derive(Debug, Default)]
struct Observer {
    /// By signal: whether it was last told ok, and as of when, in nanoseconds.
    told: BTreeMap<String, (bool, u64)>,
    /// What is quarantined: until when.
    quarantined: BTreeMap<String, u64>,
    /// The highest time so far.
    latest: u64,
}

impl Observer {
    fn take(&mut self, policy: &Policy, written: &Step, step: &StepReport) {
        self.latest = self.latest.max(step.now.monotonic.as_nanos());
        if let Some(restart) = &written.restart {
            self.told.clear();
            // Without the state nobody knows who was quarantined: the strictest posture is in force instead.
            if restart.state.is_some() {
                self.quarantined.clear();
            }
        }
        for (name, told) in &written.observe {
            let known = policy.signal(name).and_then(|number| policy.signals.get(usize::from(number)));
            if !known.is_some_and(|spec| matches!(spec.source, Source::Observed { .. })) {
                continue;
            }
            let (status, at) = match told {
                ObservedStatus::Status(status) => (status, self.latest),
                ObservedStatus::At { status, observed_at } => (status, observed_at.as_nanos().min(self.latest)),
            };
            // Old news may be refused: of two reports the later one counts, and the engine may have taken neither.
            let before = self.told.get(name).map_or(0, |(_, at)| *at);
            if at >= before {
                self.told.insert(name.clone(), (status == "ok", at));
            }
        }
        if let Some(quarantine) = &written.quarantine {
            let until = quarantine.for_.map_or(u64::MAX, |ttl| self.latest.saturating_add(ttl.as_nanos()));
            let taken = step.events.iter().any(|event| matches!(event.kind, EventKind::Quarantined { .. }));
            if taken && let Ok(what) = serde_json::to_value(&quarantine.what) {
                self.quarantined.insert(what.to_string(), until);
            }
        }
        if let Some(lift) = &written.lift
            && let Ok(what) = serde_json::to_value(lift)
        {
            self.quarantined.remove(&what.to_string());
        }
        let latest = self.latest;
        // The last millisecond of a quarantine is the engine's to round.
        self.quarantined.retain(|_, until| latest.saturating_add(1_000_000) < *until);
    }

    fn looks(&self, policy: &Policy, written: &Step, step: &StepReport) -> Option<(&'static str, String)> {
        if let Some(event) = step.events.iter().find(|event| matches!(event.kind, EventKind::EngineFailed)) {
            return Some(("contained", format!("the event {}", event.kind.code())));
        }
        let somebody = written.leave.is_some()
            || written.restart.is_some()
            || written.approve.is_some()
            || written.propose.is_some()
            || written.apply.is_some()
            || written.activate.is_some()
            || written.clear_flag.is_some()
            || !written.operate.is_empty();
        // What was approved is left as soon as its checks are ok: the people did it before.
        let left = step.events.iter().find(|event| matches!(event.kind, EventKind::PostureLeft { approved: None, .. }));
        if let (Some(event), false) = (left, somebody) {
            return Some(("tightening", format!("the event {} by nobody's doing", event.kind.code())));
        }
        let decision = step.decision.as_ref()?;
        if decision.reason() == Reason::InternalError {
            return Some(("contained", "an answer with internal_error".to_owned()));
        }
        if decision.at().monotonic.as_nanos() < self.latest {
            return Some(("time", format!("an answer at {} after {} ns", decision.at().monotonic, self.latest)));
        }
        if decision.effect() == Effect::Deny {
            return None;
        }
        let request = written.decide.as_ref()?;
        self.allowed(policy, request, decision)
    }

    /// What an allow has to hold to.
    fn allowed(&self, policy: &Policy, request: &Value, decision: &Decision) -> Option<(&'static str, String)> {
        let reason = decision.reason();
        let name = request.pointer("/action/name").and_then(Value::as_str)?;
        let (number, action) = policy.action(name)?;
        if decision.revision() != policy.revision {
            return None;
        }
        if reason != Reason::AllowedByOverride {
            let permits = |posture: &str| {
                let spec = policy.postures.number(posture).and_then(|number| policy.postures.spec(number))?;
                spec.permits.get(usize::try_from(number).ok()?).copied()
            };
            if !decision.posture().is_empty() && permits(decision.posture()) != Some(true) {
                return Some(("permitted", format!("{name} was allowed in {}", decision.posture())));
            }
            for entity in ["subject", "resource"] {
                let what = party(request, entity).map(|party| json!({ entity: party }).to_string());
                if what.as_ref().is_some_and(|what| self.quarantined.contains_key(what)) {
                    return Some(("quarantined", format!("{} was allowed", what.unwrap_or_default())));
                }
            }
        }
        let declared = match reason {
            Reason::AllowedStale => matches!(action.on_failure, OnFailure::ServeCached(_)),
            Reason::AllowedMinimal => matches!(action.on_failure, OnFailure::Minimal),
            Reason::AllowedFailOpen => matches!(action.on_failure, OnFailure::Allow(_)) && !action.protected,
            _ => true,
        };
        let weak = matches!(reason, Reason::AllowedStale | Reason::AllowedMinimal | Reason::AllowedFailOpen);
        if !declared || (weak && decision.degraded().is_empty()) {
            return Some(("declared", format!("{name}: {} while {} not ok", reason.code(), decision.degraded().len())));
        }
        if reason == Reason::AllowedByRule {
            for required in &action.requires {
                let spec = policy.signals.get(usize::from(*required))?;
                let Source::Observed { ttl, .. } = &spec.source else { continue };
                let told = self.told.get(spec.name.as_str()).copied();
                let holds = told.is_some_and(|(ok, at)| ok && self.latest <= at.saturating_add(ttl.as_nanos()));
                if !holds {
                    return Some(("fresh", format!("{name} was allowed while {} was last told {told:?}", spec.name)));
                }
            }
        }
        let (now, end) = (self.latest, decision.expires_at().as_nanos());
        let longest = action.allow_ttl.map(|ttl| now.saturating_add(ttl.as_nanos()));
        if (decision.cached() && end <= now) || longest.is_some_and(|longest| end > longest) {
            return Some(("expired", format!("{name}: an answer at {now} that ends at {end} ns")));
        }
        None
    }
}

fn unwanted(never: &[Never], written: &Step, step: &StepReport) -> Option<(&'static str, String)> {
    let decision = step.decision.as_ref()?;
    let name = written.decide.as_ref()?.pointer("/action/name").and_then(Value::as_str)?;
    let met = never.iter().find(|never| never.action == name && never.reason == decision.reason().code())?;
    Some(("never", format!("{} came out with {}", met.action, met.reason)))
}

/// The day again, to the byte.
pub(crate) fn same(day: &Day, bundle: &Bundle, report: &DrillReport) -> Option<Violation> {
    let again = day.drill().ok()?.run(bundle);
    (again.decisions_hash != report.decisions_hash).then(|| Violation {
        theorem: "same",
        step: report.steps.last().map_or(0, |step| step.step),
        seen: "the same day gave other answers".to_owned(),
    })
}

/// A fork of the day at one of its denies: at that very time signals are lost, or the engine is restarted from its state, and
/// the same is asked. The day up to there, with the fork as its last step.
pub(crate) fn fork(
    day: &Day,
    report: &DrillReport,
    signals: &[(String, u64)],
    dice: &mut Dice,
) -> Option<(Day, Decision)> {
    let denies: Vec<&StepReport> = report
        .steps
        .iter()
        .filter(|step| step.decision.as_ref().is_some_and(|decision| decision.effect() == Effect::Deny))
        .collect();
    let at = *dice.pick(&denies)?;
    let before = day.steps.get(..at.step)?;
    let mut last = day.steps.get(at.step)?.as_object()?.clone();
    if dice.percent(25) {
        last.insert("restart".to_owned(), json!({}));
        last.remove("observe");
    } else {
        let lost = signals.iter().filter(|_| dice.percent(50)).map(|(name, _)| (name.clone(), json!("unknown")));
        last.insert("observe".to_owned(), lost.collect::<serde_json::Map<_, _>>().into());
    }
    let steps = before.iter().cloned().chain([Value::Object(last)]).collect();
    Some((day.with(steps), at.decision.clone()?))
}

/// Whether the last step of a fork allows: what the pack declares to fail open aside.
pub(crate) fn loss(fork: &Day, bundle: &Bundle) -> Option<Violation> {
    let (report, _) = lived(fork, bundle, &[]).ok()?;
    let last = report.steps.last()?;
    let decision = last.decision.as_ref()?;
    let granted = decision.is_allow() && decision.reason() != Reason::AllowedFailOpen && !decision.information_loss();
    let seen = || format!("what was denied is {} when more is lost", decision.reason().code());
    granted.then(|| Violation { theorem: "loss", step: last.step, seen: seen() })
}
