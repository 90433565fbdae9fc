//! A case of a pack: one request, under given signals, and the decision that must come out.

use std::collections::BTreeMap;

use super::control::Speaker;
use super::expect::{decision_failures, signal_failures};
use super::operations::{self, GuardedCall};
use super::timeline::Stage;
use super::{Recording, parse_status};
use crate::condition::Status;
use crate::decision::Decision;
use crate::engine::Explanation;
use crate::limits::Limits;
use crate::name::Name;
use crate::operation::{BreakerAt, Operation, OperationError, PostureAt};
use crate::policy::bundle::Bundle;
use crate::policy::format::Case;
use crate::policy::guard::GuardSpec;
use crate::policy::signal::Source;
use crate::request::Request;
use crate::resilience::breaker::CallOutcome;
use crate::state::control::ControlError;
use crate::state::signals::{Observation, Observed};
use crate::time::{Monotonic, Now, Wall};
use crate::value::Timestamp;

/// What a case came to.
#[derive(Clone, Debug)]
pub struct CaseReport {
    /// The case's name.
    pub name: String,
    /// What was decided.
    pub decision: Decision,
    /// In what it is not as expected; empty if the case passes.
    pub failures: Vec<String>,
}

/// Runs one case on a fresh engine.
#[must_use]
pub fn run_case(bundle: &Bundle, case: &Case) -> CaseReport {
    run_on(&mut Stage::new(&Recording::default(), speaker(bundle)), bundle, case)
}

/// Explains what a case comes to, on a fresh engine; nothing where its request cannot be read.
#[must_use]
pub fn explain_case(bundle: &Bundle, case: &Case) -> Option<Explanation> {
    let mut stage = Stage::new(&Recording::default(), speaker(bundle));
    let (now, _) = tell(&mut stage, bundle, case);
    let request = Request::from_json(&super::request_bytes(&case.request), &Limits::DEFAULT).ok()?;
    Some(stage.engine().explain(&request, now))
}

/// Whoever speaks for the feeds that the bundle follows.
pub(super) fn speaker(bundle: &Bundle) -> Option<Speaker> {
    Speaker::of(bundle, &BTreeMap::new(), &BTreeMap::new())
}

pub(super) fn run_on(stage: &mut Stage, bundle: &Bundle, case: &Case) -> CaseReport {
    let (now, mut failures) = tell(stage, bundle, case);
    let decision = stage.decide(&case.request, now);
    failures.extend(decision_failures(&case.expect, &decision));
    failures.extend(signal_failures(&case.expect, stage.engine()));
    CaseReport { name: case.name.clone(), decision, failures }
}

/// Tells a fresh engine what a case says: the time at which it is asked, and what could not be told.
fn tell(stage: &mut Stage, bundle: &Bundle, case: &Case) -> (Now, Vec<String>) {
    let mut failures = Vec::new();
    let now = Now::new(Monotonic::ZERO, wall_of(bundle, case, &mut failures));
    if let Err(error) = stage.activate(bundle, now) {
        failures.push(error.to_string());
    }
    if let Some(posture) = &case.posture
        && bundle.policy().postures.number(posture) != Some(0)
        && let Err(error) = stage.operate(&enter(posture), now)
    {
        failures.push(format!("posture {posture}: {error}"));
    }
    for (name, status) in &case.signals {
        let Some(status) = parse_status(status) else {
            failures.push(format!("signal {name}: `{status}` is not ok, degraded or failed"));
            continue;
        };
        if let Some(spec) = guard(bundle, name) {
            bring(stage, name, spec, status, now, &mut failures);
            continue;
        }
        for member in members(bundle, name) {
            if let Some(feed) = feed(bundle, member) {
                hear(stage, member, &feed, status, now, &mut failures);
                continue;
            }
            let outcome = stage.observe(&Observation::new(member, status), now);
            if outcome != Observed::Taken {
                failures.push(format!("signal {name}: {}", outcome.code()));
            }
        }
    }
    (now, failures)
}

/// The guard that is a signal, if it is one.
fn guard<'b>(bundle: &'b Bundle, name: &str) -> Option<&'b GuardSpec> {
    let policy = bundle.policy();
    let spec = policy.signals.get(usize::from(policy.signal(name)?))?;
    if let Source::Guard { spec, .. } = &spec.source { Some(spec) } else { None }
}

/// The control feed that a signal follows, if it follows one.
fn feed(bundle: &Bundle, name: &str) -> Option<Name> {
    let policy = bundle.policy();
    let spec = policy.signals.get(usize::from(policy.signal(name)?))?;
    if let Source::Heartbeat { feed, .. } = &spec.source { Some(*feed) } else { None }
}

/// Has a feed say what brings its signals to a status.
fn hear(stage: &mut Stage, name: &str, feed: &str, status: Status, now: Now, failures: &mut Vec<String>) {
    let said = stage.speaker.as_mut().and_then(|speaker| speaker.bring(feed, status, now));
    let Some(said) = said else {
        failures.push(format!("signal {name}: a heartbeat is never degraded"));
        return;
    };
    for operation in said {
        match stage.operate(&operation, now) {
            Ok(_) | Err(OperationError::Control(ControlError::Conflict)) => {}
            Err(error) => failures.push(format!("signal {name}: {error}")),
        }
    }
}

/// Brings a guard to where its signal has that status, by calls and by what an operator can do.
fn bring(stage: &mut Stage, name: &str, spec: &GuardSpec, status: Status, now: Now, failures: &mut Vec<String>) {
    let signal = name.to_owned();
    let key = matches!(spec, GuardSpec::Limiter(_) | GuardSpec::ReplayGuard(_)).then(|| "case".to_owned());
    let well = GuardedCall { signal: signal.clone(), key, outcome: CallOutcome::Success, took: None };
    let force = || Operation::ForceOpen(BreakerAt { signal: signal.clone() });
    let release = || Operation::Release(BreakerAt { signal: signal.clone() });
    let done = match (status, spec) {
        (Status::Ok, _) => operations::call(stage, &well, now),
        (Status::Degraded, GuardSpec::Breaker(_)) => operations::call(stage, &well, now)
            .and_then(|()| stage.operate(&force(), now).map(|_| ()))
            .and_then(|()| stage.operate(&release(), now).map(|_| ())),
        (Status::Failed, GuardSpec::Breaker(_)) => stage.operate(&force(), now).map(|_| ()),
        (Status::Unknown, _) => Ok(()),
        (_, spec) => {
            failures.push(format!("signal {name}: a {} is brought to ok alone in a case", spec.kind()));
            Ok(())
        }
    };
    if let Err(error) = done {
        failures.push(format!("signal {name}: {error}"));
    }
}

fn enter(posture: &str) -> Operation {
    Operation::EnterPosture(PostureAt { posture: posture.to_owned(), scope: None })
}

fn wall_of(bundle: &Bundle, case: &Case, failures: &mut Vec<String>) -> Wall {
    let Some(at) = &case.at else {
        return bundle.policy().valid_from.unwrap_or(super::START);
    };
    match at.parse::<Timestamp>().ok().and_then(|at| i64::try_from(at.as_nanosecond()).ok()) {
        Some(nanos) => Wall::from_nanos(nanos),
        None => {
            failures.push(format!("at: `{at}` is no RFC 3339 timestamp"));
            super::START
        }
    }
}

/// The signals to observe for a name: itself, or all members of a quorum.
fn members<'b>(bundle: &'b Bundle, name: &'b str) -> Vec<&'b str> {
    let policy = bundle.policy();
    let source = policy.signal(name).and_then(|number| policy.signals.get(usize::from(number)));
    match source.map(|spec| &spec.source) {
        Some(Source::Quorum { members, .. }) => {
            let specs = members.iter().filter_map(|member| policy.signals.get(usize::from(*member)));
            specs.map(|spec| spec.name.as_str()).collect()
        }
        _ => vec![name],
    }
}
