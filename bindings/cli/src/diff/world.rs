//! In what state of things a request is decided: which signal is lost, which posture is in force, what time it is.

use std::collections::BTreeSet;

use fallgate::condition::{ClockUse, Status};
use fallgate::drill::START;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::policy::compile::Policy;
use fallgate::policy::format::OnFailure;
use fallgate::policy::guard::GuardSpec;
use fallgate::policy::rule::Condition;
use fallgate::policy::signal::Source;
use fallgate::time::{Monotonic, Now, Ttl, Wall};
use fallgate::{Config, Decision, Engine, Observation, Request};
use serde_json::{Value, json};

use crate::command::call_well;
use crate::finding::Finding;

/// How many instants are tried at the most.
const INSTANTS_MAX: usize = 64;

/// A state of things. What it does not say is as it should be: every signal ok, the normal posture.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct World {
    /// The posture that an operator has entered everywhere.
    pub posture: Option<String>,
    /// The signal that is lost, and how.
    pub lost: Option<(String, Status)>,
    /// Whether the same was decided before, while the signal was ok.
    pub after_ok: bool,
    /// The wall clock.
    pub at: Wall,
}

impl World {
    /// Everything as it should be, at this time.
    #[must_use]
    pub const fn at(at: Wall) -> Self {
        Self { posture: None, lost: None, after_ok: false, at }
    }

    /// How far it is from what it should be: the least is shown first.
    #[must_use]
    pub const fn strangeness(&self) -> u8 {
        match (&self.posture, &self.lost, self.after_ok) {
            (None, None, _) => 0,
            (None, Some(_), false) => 1,
            (None, Some(_), true) => 2,
            (Some(_), ..) => 3,
        }
    }

    /// In words: `every signal ok`.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut said = match (&self.lost, self.after_ok) {
            (None, _) => "every signal ok".to_owned(),
            (Some((name, status)), false) => format!("the signal `{name}` {}", status.name()),
            (Some((name, status)), true) => {
                format!("the signal `{name}` {} after the same was decided while it was ok", status.name())
            }
        };
        if let Some(posture) = &self.posture {
            said.push_str(&format!(", in the posture `{posture}`"));
        }
        if self.at != START {
            said.push_str(&format!(", at {}", self.at));
        }
        said
    }

    /// For programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let lost = self.lost.as_ref().map(|(name, status)| json!({ "signal": name, "status": status.name() }));
        json!({ "posture": self.posture, "lost": lost, "after_ok": self.after_ok, "at": self.at.to_string() })
    }

    /// An engine with this bundle in this state; of a world that comes after another, in that other one.
    ///
    /// # Errors
    /// A bundle that cannot be activated.
    pub fn engine(&self, bundle: &Bundle) -> Result<Engine, Finding> {
        let now = self.now();
        let engine = Engine::new(Config::default());
        let refused = |error| Finding::unreadable(format!("the pack `{}` cannot decide: {error}", bundle.name()));
        engine.activate(bundle.clone().without_tests(), now).map_err(refused)?;
        if let Some(posture) = &self.posture
            && bundle.policy().postures.number(posture).is_some_and(|number| number > 0)
        {
            let refused = |error| Finding::unreadable(format!("the posture `{posture}` cannot be entered: {error}"));
            engine.enter_posture(posture, None, now).map_err(refused)?;
        }
        let lost = self.lost.as_ref().filter(|_| !self.after_ok);
        let losing: BTreeSet<&str> =
            lost.map(|(name, _)| members(bundle.policy(), name).into_iter().collect()).unwrap_or_default();
        for spec in &bundle.policy().signals {
            let name = spec.name.as_str();
            if matches!(spec.source, Source::Observed { .. }) && !losing.contains(name) {
                engine.observe(&Observation::ok(name), now);
            }
        }
        call_well(&engine, bundle, &losing, now);
        if let Some((name, status)) = lost {
            lose(&engine, bundle.policy(), name, *status, now);
        }
        Ok(engine)
    }

    /// Lets the signal be lost in an engine that has decided while it was ok.
    pub fn lose_now(&self, engine: &Engine, policy: &Policy) {
        if let Some((name, status)) = &self.lost {
            lose(engine, policy, name, *status, self.later());
        }
    }

    /// Decides before the loss, where the world comes after another.
    #[must_use]
    pub fn decide(&self, engine: &Engine, request: &Request) -> Decision {
        engine.decide(request, self.now())
    }

    /// Decides after the loss.
    #[must_use]
    pub fn decide_later(&self, engine: &Engine, request: &Request) -> Decision {
        engine.decide(request, self.later())
    }

    const fn now(&self) -> Now {
        Now::new(Monotonic::ZERO, self.at)
    }

    const fn later(&self) -> Now {
        self.now().after(Ttl::from_millis(1))
    }
}

/// The signals that a host observes for a name: the signal itself, or the members of a quorum.
fn members<'p>(policy: &'p Policy, name: &str) -> Vec<&'p str> {
    let spec = policy.signals.iter().find(|spec| spec.name.as_str() == name);
    match spec.map(|spec| (spec, &spec.source)) {
        Some((_, Source::Quorum { members, .. })) => {
            let specs = members.iter().filter_map(|member| policy.signals.get(usize::from(*member)));
            specs.map(|spec| spec.name.as_str()).collect()
        }
        Some((spec, _)) => vec![spec.name.as_str()],
        None => Vec::new(),
    }
}

fn lose(engine: &Engine, policy: &Policy, name: &str, status: Status, now: Now) {
    for member in members(policy, name) {
        let source = policy.signals.iter().find(|spec| spec.name.as_str() == member).map(|spec| &spec.source);
        match (source, status) {
            (_, Status::Unknown) | (None, _) => {}
            (Some(Source::Guard { spec, .. }), _) => {
                if matches!(**spec, GuardSpec::Breaker(_)) {
                    // A breaker that is open already is as lost as it can be.
                    let _open = engine.force_open(member, now);
                }
            }
            (Some(_), _) => {
                engine.observe(&Observation::new(member, status), now);
            }
        }
    }
}

/// The states of things in which requests are decided.
#[must_use]
pub fn worlds(policies: &[&Policy; 2], instants: &[Wall]) -> Vec<World> {
    let mut worlds: Vec<World> = instants.iter().map(|at| World::at(*at)).collect();
    let Some(first) = instants.first().map(|at| World::at(*at)) else { return worlds };
    for (name, is_guard) in signals(policies) {
        // Of a guard the host says nothing: it is open, or was never called.
        let ways: &[Status] = match is_guard {
            true => &[Status::Failed, Status::Unknown],
            false => &[Status::Failed, Status::Degraded, Status::Unknown],
        };
        worlds.extend(ways.iter().map(|way| World { lost: Some((name.clone(), *way)), ..first.clone() }));
    }
    let postures: BTreeSet<String> = policies
        .iter()
        .flat_map(|policy| policy.postures.specs.iter().skip(1))
        .map(|spec| spec.name.as_str().to_owned())
        .collect();
    worlds.extend(postures.into_iter().map(|posture| World { posture: Some(posture), ..first.clone() }));
    worlds
}

/// The worlds in which an earlier decision on an action may stand in, since a signal that it requires is lost.
#[must_use]
pub fn worlds_after_ok(policies: &[&Policy; 2], action: &str, at: Wall) -> Vec<World> {
    let specs: Vec<_> = policies.iter().filter_map(|policy| Some((policy, policy.action(action)?.1))).collect();
    if !specs.iter().any(|(_, spec)| matches!(spec.on_failure, OnFailure::ServeCached(_))) {
        return Vec::new();
    }
    let required: BTreeSet<String> = specs
        .iter()
        .flat_map(|(policy, spec)| spec.requires.iter().filter_map(|number| policy.signals.get(usize::from(*number))))
        .filter(|spec| !matches!(spec.source, Source::BuiltIn))
        .map(|spec| spec.name.as_str().to_owned())
        .collect();
    let lost = |name| World { lost: Some((name, Status::Failed)), after_ok: true, ..World::at(at) };
    required.into_iter().map(lost).collect()
}

/// The signals of both policies that can be lost, and whether each is a guard.
fn signals(policies: &[&Policy; 2]) -> BTreeSet<(String, bool)> {
    let specs = policies.iter().flat_map(|policy| &policy.signals);
    let lost = specs.filter(|spec| !matches!(spec.source, Source::BuiltIn));
    lost.map(|spec| (spec.name.as_str().to_owned(), matches!(spec.source, Source::Guard { .. }))).collect()
}

/// The instants at which conditions can change by time alone, a millisecond before and at each; `first` before all.
///
/// Calendar fields change without end: an hour of each day and a day of each week stand for them.
#[must_use]
pub fn instants(policies: &[&Policy; 2], first: Wall) -> Vec<Wall> {
    const MILLI: i128 = 1_000_000;
    let mut found = BTreeSet::new();
    let mut calendar = false;
    for policy in policies {
        let rules = policy.rules.iter().filter_map(|rule| match &rule.condition {
            Condition::Cel(program) => Some(&**program),
            Condition::Always | Condition::Rego(_) => None,
        });
        for program in rules.chain(policy.postures.specs.iter().filter_map(|spec| spec.when.as_ref())) {
            if let ClockUse::Boundaries { instants, every_secs } = &program.reads().clock {
                found.extend(instants.iter().map(|at| at.as_nanosecond()));
                calendar |= *every_secs > 0;
            }
        }
    }
    let both = found.into_iter().flat_map(|nanos| [nanos.saturating_sub(MILLI), nanos]);
    let mut walls: Vec<Wall> = both.filter_map(|nanos| i64::try_from(nanos).ok()).map(Wall::from_nanos).collect();
    walls.insert(0, first);
    if calendar {
        let hours = (1..24_u64).chain([48, 72, 96, 120, 144]);
        let later =
            |hours: u64| Now::new(Monotonic::ZERO, first).after(Ttl::from_secs(hours.saturating_mul(3_600))).wall;
        walls.extend(hours.map(later));
    }
    let mut seen = BTreeSet::new();
    walls.retain(|wall| seen.insert(*wall));
    walls.truncate(INSTANTS_MAX);
    walls
}

/// The bundle as it decides while it may: without what only bounds when it does, records, and its own cases.
///
/// # Errors
/// A document that does not compile without these.
pub fn deciding(document: &Value) -> Result<Bundle, Finding> {
    let mut document = document.clone();
    if let Some(members) = document.as_object_mut() {
        for part in ["valid", "audit", "rollout", "tests"] {
            members.remove(part);
        }
        if let Some(Value::Object(actions)) = members.get_mut("actions") {
            for action in actions.values_mut().filter_map(Value::as_object_mut) {
                action.remove("audit");
            }
        }
    }
    Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).map_err(|error| {
        let why = error.diagnostics().first().map(|one| one.message.clone()).unwrap_or_default();
        Finding::unreadable(format!("the pack cannot be compared: {why}"))
    })
}
