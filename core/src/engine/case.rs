//! A case of a pack: one request, under given signals, and the decision that must come out.
//!
//! A bundle carries its cases, and an engine that takes it asks them first (spec 2.2): on an engine of its own, at the times
//! that stand in them and under the default limits, so that whether they pass depends on the bundle alone.

use super::{ActivateError, Config, Engine, Explanation, cut};
use crate::condition::Status;
use crate::decision::Decision;
use crate::limits::Limits;
use crate::name::Name;
use crate::operation::{Acquire, BreakerAt, Operation, OperationError, Outcome, PostureAt, Report};
use crate::policy::bundle::{Bundle, FailedTests};
use crate::policy::format::{Case, Expect, RuleEffect};
use crate::policy::guard::GuardSpec;
use crate::policy::signal::Source;
use crate::reason::Effect;
use crate::request::Request;
use crate::resilience::breaker::CallOutcome;
use crate::state::signals::{Observation, Observed};
use crate::time::{Monotonic, Now, Ttl, Wall};
use crate::value::Timestamp;

/// The wall clock at the start of a case or a drill that does not say another: 2026-01-01T00:00:00Z.
pub const START: Wall = Wall::from_millis(1_767_225_600_000);

/// The calls that a case makes on an engine: also on one whose calls are written down.
pub(crate) trait Calls {
    /// The engine.
    fn engine(&self) -> &Engine;
    /// Makes a bundle the active one, whatever its own cases come to.
    fn activate(&mut self, bundle: &Bundle, now: Now) -> Result<(), ActivateError>;
    /// Takes a report about a signal.
    fn observe(&mut self, observation: &Observation, now: Now) -> Observed;
    /// Does an operation.
    fn operate(&mut self, operation: &Operation, now: Now) -> Result<Outcome, OperationError>;
    /// Brings the signals that follow a control feed to a status; whether that could be done.
    fn hear(&mut self, feed: &Name, status: Status, now: Now) -> bool;
    /// Decides on a request.
    fn decide(&mut self, request: &serde_json::Value, now: Now) -> Decision;
}

/// A fresh engine, whose calls nobody writes down.
struct Alone(Engine);

impl Alone {
    fn new() -> Self {
        Self(Engine::new(Config::default()))
    }
}

impl Calls for Alone {
    fn engine(&self) -> &Engine {
        &self.0
    }

    fn activate(&mut self, bundle: &Bundle, now: Now) -> Result<(), ActivateError> {
        self.0.activate_unproven(bundle.clone(), now)
    }

    fn observe(&mut self, observation: &Observation, now: Now) -> Observed {
        self.0.observe(observation, now)
    }

    fn operate(&mut self, operation: &Operation, now: Now) -> Result<Outcome, OperationError> {
        self.0.operate(operation, now)
    }

    fn hear(&mut self, feed: &Name, status: Status, now: Now) -> bool {
        self.0.rehearse_feed(feed, status, now);
        status != Status::Degraded
    }

    fn decide(&mut self, request: &serde_json::Value, now: Now) -> Decision {
        self.0.decide_json(&request_bytes(request), now)
    }
}

/// What of the bundle's own cases does not come out as they say; nothing where all do.
pub(super) fn failed_tests(bundle: &Bundle) -> Option<FailedTests> {
    bundle.failed_tests(|cases| {
        let failed = cases.iter().filter(|case| !run_case(bundle, case).failures.is_empty());
        let mut failed = failed.map(|case| case.name.as_str());
        let first = cut(failed.next()?);
        Some(FailedTests { first, more: failed.count() })
    })
}

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
    run_on(&mut Alone::new(), bundle, case)
}

/// Explains what a case comes to, on a fresh engine; nothing where its request cannot be read.
#[must_use]
pub fn explain_case(bundle: &Bundle, case: &Case) -> Option<Explanation> {
    let mut alone = Alone::new();
    let (now, _) = tell(&mut alone, bundle, case);
    let request = Request::from_json(&request_bytes(&case.request), &Limits::DEFAULT).ok()?;
    Some(alone.engine().explain(&request, now))
}

/// Runs one case by these calls.
pub(crate) fn run_on(calls: &mut impl Calls, bundle: &Bundle, case: &Case) -> CaseReport {
    let (now, mut failures) = tell(calls, bundle, case);
    let decision = calls.decide(&case.request, now);
    failures.extend(decision_failures(&case.expect, &decision));
    failures.extend(signal_failures(&case.expect, calls.engine()));
    CaseReport { name: case.name.clone(), decision, failures }
}

/// Tells a fresh engine what a case says: the time at which it is asked, and what could not be told.
fn tell(calls: &mut impl Calls, bundle: &Bundle, case: &Case) -> (Now, Vec<String>) {
    let mut failures = Vec::new();
    let now = Now::new(Monotonic::ZERO, wall_of(bundle, case, &mut failures));
    if let Err(error) = calls.activate(bundle, now) {
        failures.push(error.to_string());
    }
    if let Some(posture) = &case.posture
        && bundle.policy().postures.number(posture) != Some(0)
        && let Err(error) = calls.operate(&enter(posture), now)
    {
        failures.push(format!("posture {posture}: {error}"));
    }
    for (name, status) in &case.signals {
        let Some(status) = parse_status(status) else {
            failures.push(format!("signal {name}: `{status}` is not ok, degraded or failed"));
            continue;
        };
        if let Some(spec) = guard(bundle, name) {
            bring(calls, name, spec, status, now, &mut failures);
            continue;
        }
        for member in members(bundle, name) {
            if let Some(feed) = feed(bundle, member) {
                if !calls.hear(&feed, status, now) {
                    failures.push(format!("signal {name}: a control feed does not bring it to {}", status.name()));
                }
                continue;
            }
            let outcome = calls.observe(&Observation::new(member, status), now);
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

/// Brings a guard to where its signal has that status, by calls and by what an operator can do.
fn bring(calls: &mut impl Calls, name: &str, spec: &GuardSpec, status: Status, now: Now, failures: &mut Vec<String>) {
    let signal = name.to_owned();
    let key = matches!(spec, GuardSpec::Limiter(_) | GuardSpec::ReplayGuard(_)).then(|| "case".to_owned());
    let force = || Operation::ForceOpen(BreakerAt { signal: signal.clone() });
    let release = || Operation::Release(BreakerAt { signal: signal.clone() });
    let done = match (status, spec) {
        (Status::Ok, _) => call_through(calls, name, &key, now),
        (Status::Degraded, GuardSpec::Breaker(_)) => call_through(calls, name, &key, now)
            .and_then(|()| calls.operate(&force(), now).map(|_| ()))
            .and_then(|()| calls.operate(&release(), now).map(|_| ())),
        (Status::Failed, GuardSpec::Breaker(_)) => calls.operate(&force(), now).map(|_| ()),
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

/// Makes a call through a guard that comes to something good.
fn call_through(calls: &mut impl Calls, signal: &str, key: &Option<String>, now: Now) -> Result<(), OperationError> {
    let acquire = Operation::Acquire(Acquire { signal: signal.to_owned(), key: key.clone() });
    if let Outcome::Permitted(permit) = calls.operate(&acquire, now)? {
        let (outcome, took) = (CallOutcome::Success, Some(Ttl::default()));
        let report = Report { signal: signal.to_owned(), permit: permit.number(), outcome, took };
        calls.operate(&Operation::Report(report), now)?;
    }
    Ok(())
}

fn enter(posture: &str) -> Operation {
    Operation::EnterPosture(PostureAt { posture: posture.to_owned(), scope: None })
}

fn wall_of(bundle: &Bundle, case: &Case, failures: &mut Vec<String>) -> Wall {
    let Some(at) = &case.at else {
        return bundle.policy().valid_from.unwrap_or(START);
    };
    match at.parse::<Timestamp>().ok().and_then(|at| i64::try_from(at.as_nanosecond()).ok()) {
        Some(nanos) => Wall::from_nanos(nanos),
        None => {
            failures.push(format!("at: `{at}` is no RFC 3339 timestamp"));
            START
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

/// Everything in which the decision is not as expected; empty if it is.
#[must_use]
pub fn decision_failures(expect: &Expect, decision: &Decision) -> Vec<String> {
    let mut failures = Vec::new();
    let mut hold = |what: &str, expected: Option<String>, found: String| {
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            failures.push(format!("{what}: expected {expected}, found {found}"));
        }
    };
    let effect = |effect| if effect == Effect::Allow { "allow" } else { "deny" };
    let expected_effect = expect.effect.map(|effect| match effect {
        RuleEffect::Allow => "allow".to_owned(),
        RuleEffect::Deny => "deny".to_owned(),
    });
    hold("effect", expected_effect, effect(decision.effect()).to_owned());
    hold("reason", expect.reason.clone(), decision.reason().code().to_owned());
    hold("rule", expect.rule.clone(), decision.rule().unwrap_or("none").to_owned());
    hold("posture", expect.posture.clone(), decision.posture().to_owned());
    hold("cached", expect.cached.map(|cached| cached.to_string()), decision.cached().to_string());
    let degraded: Vec<&str> = decision.degraded().iter().map(|name| name.as_str()).collect();
    hold("degraded", expect.degraded.as_ref().map(|names| names.join(", ")), degraded.join(", "));
    let obligations: Vec<&str> = decision.obligations().iter().map(|obligation| &*obligation.id).collect();
    hold("obligations", expect.obligations.as_ref().map(|ids| ids.join(", ")), obligations.join(", "));
    let messages: Vec<&str> = decision.messages().iter().map(|message| &**message).collect();
    hold("messages", expect.messages.as_ref().map(|messages| messages.join("; ")), messages.join("; "));
    let expires_in = Ttl::from_millis(decision.expires_in_ms());
    hold("expires_in", expect.expires_in.map(|ttl| ttl.to_string()), expires_in.to_string());
    failures
}

/// Every signal that is not as expected.
#[must_use]
pub fn signal_failures(expect: &Expect, engine: &Engine) -> Vec<String> {
    let failure = |(name, expected): (&String, &String)| {
        let found = engine.signal(name).map_or("not declared", |status| status.name());
        (found != expected.as_str()).then(|| format!("signal {name}: expected {expected}, found {found}"))
    };
    expect.signals.iter().filter_map(failure).collect()
}

/// A status by its word.
#[must_use]
pub fn parse_status(word: &str) -> Option<Status> {
    [Status::Unknown, Status::Failed, Status::Degraded, Status::Ok].into_iter().find(|status| status.name() == word)
}

/// The bytes of a request in a pack: a text as it stands, anything else as JSON.
pub(crate) fn request_bytes(request: &serde_json::Value) -> Vec<u8> {
    match request {
        serde_json::Value::String(text) => text.as_bytes().to_vec(),
        json => json.to_string().into_bytes(),
    }
}
