//! A standby that was restored from exported state allows nothing that the active engine would not, whenever that was.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

use fallgate::condition::Status;
use fallgate::engine::QuarantineTerms;
use fallgate::limits::Limits;
use fallgate::name::name;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::state::document::StateKey;
use fallgate::state::quarantine::Selector;
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Effect, Engine, Observation, Reason, Request};
use proptest::prelude::*;
use serde_json::{Value, json};

const START: i64 = 1_767_225_600_000;

fn config(instance: &str) -> Config {
    let mut config = Config::default();
    config.state_key = StateKey::new([7; 32]);
    config.instance = name(instance).unwrap();
    config
}

fn bundle() -> Bundle {
    let document = json!({
        "fallgate": 1, "name": "pair", "revision": 1,
        "signals": {"a": {"ttl": "30s", "recover": {"oks": 2}}, "b": {"ttl": "60s"}},
        "schema": {"resource": {"thing": {"tenant": {"type": "string", "optional": true}}}},
        "actions": {
            "read": {"class": "read", "requires": ["b"], "cache": {"allow": "1h", "deny": "1h"}},
            "write": {"class": "write", "requires": ["a"]},
            "void": {"class": "write", "requires": ["a", "b"], "on_failure": "minimal"},
            "answer": {"class": "admin"},
        },
        "scopes": {"tenant": "resource.tenant"},
        "postures": [
            {"name": "read-only", "rank": 1, "permits": {"classes": ["read", "admin"]},
             "enter": {"when": "!signals.a.ok", "for": "20s"},
             "leave": {"stable": "3s", "dwell": "8s", "checks": ["a"], "back_off": {"within": "30s", "max": "1m"}},
             "escalate": {"to": "lockdown", "after": "40s"}},
            {"name": "lockdown", "rank": 9, "permits": {"actions": ["answer"]},
             "enter": {"when": "signals.b.failed", "for": "5s"}, "leave": {"dwell": "5s"}},
        ],
        "failover": {"posture": "read-only", "checks": ["b"]},
        "rules": [
            {"id": "all", "effect": "allow", "when": "!(posture.name == 'lockdown') || action.name == 'answer'"},
            {"id": "safe", "effect": "allow", "action": "void", "minimal": true},
        ],
    });
    Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT)
        .unwrap_or_else(|error| panic!("{:#?}", error.diagnostics()))
}

#[derive(Clone, Debug)]
enum Event {
    Passes(u64),
    Observe(&'static str, bool),
    Enter(Option<&'static str>, &'static str),
    Leave(Option<&'static str>, &'static str),
    Acknowledge(Option<&'static str>),
    Quarantine(&'static str, Option<u64>),
    Lift(&'static str),
    Revoke(&'static str),
    TakeOver,
    Witness(u64),
    Resign,
}

/// What tells of something, or tightens: both engines may be told it.
fn told() -> impl Strategy<Value = Event> {
    let scope = prop_oneof![Just(None), Just(Some("tenant:x"))];
    let posture = prop_oneof![Just("read-only"), Just("lockdown")];
    let who = prop_oneof![Just("ann"), Just("bob")];
    prop_oneof![
        6 => (1_u64..12_000).prop_map(Event::Passes),
        8 => (prop_oneof![Just("a"), Just("b")], any::<bool>()).prop_map(|(signal, ok)| Event::Observe(signal, ok)),
        2 => (scope, posture).prop_map(|(scope, posture)| Event::Enter(scope, posture)),
        2 => (who.clone(), proptest::option::of(1_u64..20_000)).prop_map(|(who, span)| Event::Quarantine(who, span)),
        1 => who.prop_map(Event::Revoke),
        1 => (0_u64..4).prop_map(Event::Witness),
    ]
}

/// What an operator loosens besides: only the active engine is told it, before the state is exported.
fn history() -> impl Strategy<Value = Event> {
    let scope = prop_oneof![Just(None), Just(Some("tenant:x"))];
    let posture = prop_oneof![Just("read-only"), Just("lockdown")];
    prop_oneof![
        10 => told(),
        4 => (scope.clone(), posture).prop_map(|(scope, posture)| Event::Leave(scope, posture)),
        1 => scope.prop_map(Event::Acknowledge),
        1 => prop_oneof![Just("ann"), Just("bob")].prop_map(Event::Lift),
        1 => Just(Event::TakeOver),
        1 => Just(Event::Resign),
    ]
}

/// An engine, and when its process started.
struct Process {
    engine: Engine,
    started: u64,
}

impl Process {
    fn now(&self, millis: u64) -> Now {
        let wall = Wall::from_millis(START + i64::try_from(millis).unwrap());
        Now::new(Monotonic::from_millis(millis - self.started), wall)
    }

    fn tell(&self, event: &Event, millis: u64) {
        let now = self.now(millis);
        let engine = &self.engine;
        // Whether an operator is refused is no matter here.
        match event {
            Event::Passes(_) => engine.advance(now),
            Event::Observe(signal, true) => drop(engine.observe(&Observation::ok(signal), now).code()),
            Event::Observe(signal, false) => drop(engine.observe(&Observation::failed(signal), now).code()),
            Event::Enter(scope, posture) => engine.enter_posture(posture, *scope, now).unwrap(),
            Event::Leave(scope, posture) => drop(engine.leave_posture(posture, *scope, now).map_err(|e| e.to_string())),
            Event::Acknowledge(scope) => {
                drop(engine.acknowledge_posture("read-only", *scope, now).map_err(|e| e.to_string()));
            }
            Event::Quarantine(who, span) => {
                let until = span.map(|span| Monotonic::from_millis(millis - self.started + span));
                let terms = QuarantineTerms { until, ..QuarantineTerms::default() };
                engine.quarantine(&Selector::Subject("user", who), &terms, now).unwrap();
            }
            Event::Lift(who) => {
                drop(engine.lift_quarantine(&Selector::Subject("user", who), now).map_err(|e| e.to_string()));
            }
            Event::Revoke(who) => engine.revoke("user", who, now.monotonic, now),
            Event::TakeOver => drop(engine.take_over(now).map_err(|e| e.to_string())),
            Event::Witness(epoch) => engine.witness_epoch(*epoch, "three", now),
            Event::Resign => drop(engine.resign(now).map_err(|e| e.to_string())),
        }
    }

    fn ask(&self, who: &str, action: &str, tenant: &Value, millis: u64) -> Reason {
        let request = json!({"subject": {"type": "user", "id": who}, "action": {"name": action},
                             "resource": {"type": "thing", "id": "t", "properties": {"tenant": tenant}}});
        let request = Request::from_json(request.to_string().as_bytes(), &Limits::DEFAULT).unwrap();
        self.engine.decide(&request, self.now(millis)).reason()
    }
}

/// No request is allowed by the standby and denied by the active engine; how many both allow.
fn hold(active: &Process, standby: &Process, millis: u64) -> usize {
    let mut allowed = 0;
    for who in ["ann", "bob"] {
        for action in ["read", "write", "void", "answer"] {
            for tenant in [json!("x"), json!("y")] {
                let reasons = [active, standby].map(|process| process.ask(who, action, &tenant, millis));
                let [active, standby] = reasons.map(|reason| reason.effect() == Effect::Allow);
                assert!(active || !standby, "{who} {action} {tenant} at {millis}: {reasons:?}");
                allowed += usize::from(active && standby);
            }
        }
    }
    allowed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_standby_allows_nothing_that_the_active_engine_denies(
        before in prop::collection::vec(history(), 0..25),
        blind in any::<bool>(),
        down in 0_u64..30_000,
        after in prop::collection::vec(told(), 0..12),
    ) {
        let mut millis = 1_000_000;
        let active = Process { engine: Engine::new(config("one")), started: 990_000 };
        active.engine.activate(bundle(), active.now(millis)).unwrap();
        for event in &before {
            if let Event::Passes(span) = event {
                millis += span;
            }
            active.tell(event, millis);
        }
        // Silence is measured by each engine for itself, so it must not begin while there is no standby: a signal is lost
        // before the state is exported, or seen until the standby is there, and lost to the active engine as well then.
        let tell = |status: fn(Status) -> Status, millis: u64| {
            for signal in ["a", "b"] {
                let known = active.engine.signal(signal).filter(|known| *known != Status::Unknown);
                let observation = known.map(|known| Observation::new(signal, status(known)));
                observation.map(|observation| active.engine.observe(&observation, active.now(millis)));
            }
        };
        millis += 1;
        tell(if blind { |_| Status::Unknown } else { |known| known }, millis);
        let state = active.engine.export_state(active.now(millis)).unwrap();
        // The standby's process begins a while later; the active one goes on meanwhile.
        millis += down;
        active.engine.advance(active.now(millis));
        tell(|_| Status::Unknown, millis);
        let standby = Process { engine: Engine::new(config("two")), started: millis };
        standby.engine.activate(bundle(), standby.now(millis)).unwrap();
        standby.engine.restore_state(&state, None, standby.now(millis)).unwrap();
        hold(&active, &standby, millis);
        // A report of the same instant that says better than unknown would not count.
        millis += 1;
        for event in &after {
            if let Event::Passes(span) = event {
                millis += span;
            }
            active.tell(event, millis);
            standby.tell(event, millis);
            hold(&active, &standby, millis);
        }
    }

    #[test]
    fn no_bytes_make_it_panic_or_stay_lax(bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0_usize..900) {
        let fresh = || {
            let process = Process { engine: Engine::new(config("one")), started: 0 };
            process.engine.activate(bundle(), process.now(1)).unwrap();
            process
        };
        let genuine = fresh().engine.export_state(fresh().now(1)).unwrap();
        let mut state = genuine.clone();
        let end = (at + bytes.len()).min(state.len());
        state.splice(at.min(end)..end, bytes.iter().copied());
        for bytes in [&bytes, &state] {
            let process = fresh();
            let restored = process.engine.restore_state(bytes, None, process.now(2));
            prop_assert_eq!(restored.is_ok(), *bytes == genuine);
            prop_assert!(restored.is_ok() || process.engine.posture(None).unwrap().as_str() == "lockdown");
        }
    }
}

/// An entry that was under way when the state was written, and was over before there was a standby: what follows it is
/// counted from when it was due.
#[test]
fn what_follows_an_entry_is_counted_from_when_that_was_due() {
    let active = Process { engine: Engine::new(config("one")), started: 0 };
    active.engine.activate(bundle(), active.now(1_000)).unwrap();
    active.tell(&Event::Observe("b", true), 1_001);
    let state = active.engine.export_state(active.now(5_000)).unwrap();
    // `read-only` is entered at 21 s, and so `lockdown` at 61 s.
    let standby = Process { engine: Engine::new(config("two")), started: 40_000 };
    standby.engine.activate(bundle(), standby.now(40_000)).unwrap();
    standby.engine.restore_state(&state, None, standby.now(40_000)).unwrap();
    // It may be stricter by the 5 s by which two wall clocks may differ.
    for (millis, [of_active, of_standby]) in [
        (40_001, ["read-only", "read-only"]),
        (55_999, ["read-only", "read-only"]),
        (56_000, ["read-only", "lockdown"]),
        (60_999, ["read-only", "lockdown"]),
        (61_000, ["lockdown", "lockdown"]),
    ] {
        for (process, posture) in [(&active, of_active), (&standby, of_standby)] {
            process.tell(&Event::Observe("b", true), millis);
            assert_eq!(process.engine.posture(None).unwrap().as_str(), posture, "{millis}");
        }
    }
    // One that comes when both are over is where the active one is.
    let late = Process { engine: Engine::new(config("three")), started: 70_000 };
    late.engine.activate(bundle(), late.now(70_000)).unwrap();
    late.engine.restore_state(&state, None, late.now(70_000)).unwrap();
    late.engine.advance(late.now(70_000));
    assert_eq!(late.engine.posture(None).unwrap().as_str(), "lockdown");
}

#[test]
fn a_standby_that_has_seen_what_the_active_one_sees_decides_the_same() {
    let active = Process { engine: Engine::new(config("one")), started: 0 };
    active.engine.activate(bundle(), active.now(1)).unwrap();
    for event in [Event::Observe("a", true), Event::Observe("b", true), Event::Enter(Some("tenant:x"), "read-only")] {
        active.tell(&event, 1);
    }
    let state = active.engine.export_state(active.now(2)).unwrap();
    let standby = Process { engine: Engine::new(config("two")), started: 0 };
    standby.engine.activate(bundle(), standby.now(2)).unwrap();
    standby.engine.restore_state(&state, None, standby.now(2)).unwrap();
    assert_eq!(hold(&active, &standby, 2), 6, "four times `answer`, and `void` by the safe-mode set");
    for signal in ["a", "b"] {
        standby.tell(&Event::Observe(signal, true), 3);
        active.tell(&Event::Observe(signal, true), 3);
    }
    // Of the 16 requests, `x` is denied the writes of two people.
    assert_eq!(hold(&active, &standby, 3), 12);
    for (who, action) in [("ann", "read"), ("bob", "write")] {
        let reasons = [&active, &standby].map(|process| process.ask(who, action, &json!("y"), 3));
        assert_eq!(reasons[0], reasons[1]);
    }
}
