//! Failover: who takes over, what it takes to leave its posture, and two engines that both believe to be active.

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
use fallgate::error::Code;
use fallgate::limits::Limits;
use fallgate::name::name;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::state::document::StateKey;
use fallgate::state::epochs::FailoverError;
use fallgate::state::postures::PostureError;
use fallgate::state::quarantine::Selector;
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Engine, Observation};
use serde_json::{Value, json};

fn at(millis: u64) -> Now {
    let wall = i64::try_from(millis).unwrap() + 1_767_225_600_000;
    Now::new(Monotonic::from_millis(millis), Wall::from_millis(wall))
}

fn document() -> Value {
    json!({
        "fallgate": 1, "name": "pair", "revision": 1,
        "signals": {"a": {"ttl": "1h"}, "b": {"ttl": "1h"}},
        "actions": {"read": {"class": "read"}, "write": {"class": "write", "requires": ["epoch"]}},
        "postures": [
            {"name": "read-only", "rank": 1, "permits": {"classes": ["read"]}, "leave": {"checks": ["a"]}},
            {"name": "lockdown", "rank": 9, "permits": "none", "leave": {}},
        ],
        "failover": {"posture": "read-only", "checks": ["b"]},
        "rules": [{"id": "all", "effect": "allow"}],
    })
}

fn engine_of(document: &Value, instance: &str) -> Engine {
    let mut config = Config::default();
    config.state_key = StateKey::new([7; 32]);
    config.instance = name(instance).unwrap();
    let engine = Engine::new(config);
    let bundle = Bundle::from_document(document, &Trust::unsigned_for_development(), &Limits::DEFAULT)
        .unwrap_or_else(|error| panic!("{:#?}", error.diagnostics()));
    engine.activate(bundle, at(0)).unwrap();
    engine.observe(&Observation::ok("a"), at(0));
    engine
}

fn engine(instance: &str) -> Engine {
    engine_of(&document(), instance)
}

fn posture(engine: &Engine) -> String {
    engine.posture(None).unwrap().to_string()
}

fn allows(engine: &Engine, action: &str, now: Now) -> bool {
    let request = json!({"subject": {"type": "user", "id": "ann"}, "action": {"name": action},
                         "resource": {"type": "thing", "id": "t"}});
    engine.decide_json(request.to_string().as_bytes(), now).is_allow()
}

fn events(engine: &Engine) -> Vec<Value> {
    std::iter::from_fn(|| engine.poll_event()).map(|event| event.to_json()).collect()
}

/// Two engines, of which `one` was active, has exported its state, and `two` has taken over.
fn pair() -> (Engine, Engine) {
    let (one, two) = (engine("one"), engine("two"));
    assert_eq!(one.take_over(at(1)), Ok(1));
    let state = one.export_state(at(2)).unwrap();
    two.restore_state(&state, None, at(3)).unwrap();
    assert_eq!(two.take_over(at(4)), Ok(2));
    (one, two)
}

#[test]
fn a_failover_is_left_with_its_checks() {
    let engine = engine("one");
    assert!(allows(&engine, "write", at(0)));
    events(&engine);
    assert_eq!(engine.take_over(at(1)), Ok(1));
    let told: Vec<_> = events(&engine).into_iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, ["took_over", "posture_entered"]);
    assert_eq!((engine.epoch(), posture(&engine)), (Some(1), "read-only".into()));
    assert!(!allows(&engine, "write", at(1)));
    // Its own check is ok, that of the failover is not.
    assert_eq!(engine.leave_posture("read-only", None, at(2)), Err(PostureError::CheckNotOk));
    engine.observe(&Observation::ok("b"), at(3));
    assert_eq!(engine.leave_posture("read-only", None, at(3)), Ok(()));
    assert!(allows(&engine, "write", at(3)));
    // Entered again without a failover, it is left with its own.
    engine.observe(&Observation::failed("b"), at(4));
    engine.enter_posture("read-only", None, at(4)).unwrap();
    assert_eq!(engine.leave_posture("read-only", None, at(4)), Ok(()));
}

#[test]
fn the_checks_of_a_failover_survive_a_restart() {
    let one = engine("one");
    one.take_over(at(1)).unwrap();
    let restarted = engine("one");
    restarted.restore_state(&one.export_state(at(1)).unwrap(), None, at(2)).unwrap();
    assert_eq!((restarted.epoch(), posture(&restarted)), (None, "read-only".into()));
    assert_eq!(restarted.leave_posture("read-only", None, at(2)), Err(PostureError::CheckNotOk));
    assert_eq!(restarted.take_over(at(3)), Ok(2), "above its own of before");
}

#[test]
fn two_that_are_active_both_become_strict() {
    let (one, two) = pair();
    for engine in [&one, &two] {
        engine.observe(&Observation::ok("b"), at(5));
        engine.leave_posture("read-only", None, at(5)).unwrap();
        assert!(allows(engine, "write", at(5)));
    }
    one.witness_epoch(2, "two", at(6));
    two.witness_epoch(1, "one", at(6));
    for engine in [&one, &two] {
        let split: Vec<_> = events(engine).into_iter().filter(|event| event["event"] == "split_brain").collect();
        assert_eq!(split.len(), 1);
        assert_eq!((engine.signal("epoch"), posture(engine)), (Some(Status::Failed), "read-only".into()));
        assert_eq!(engine.leave_posture("read-only", None, at(7)), Err(PostureError::CheckNotOk));
        assert!(!allows(engine, "write", at(7)));
    }
    // The operator lets one give up, and the other claim anew.
    one.resign(at(8)).unwrap();
    assert_eq!(two.take_over(at(8)), Ok(3));
    for engine in [&one, &two] {
        assert_eq!(engine.signal("epoch"), Some(Status::Ok));
        assert_eq!(engine.leave_posture("read-only", None, at(9)), Ok(()));
    }
    one.witness_epoch(3, "two", at(10));
    assert_eq!(one.signal("epoch"), Some(Status::Ok), "a standby knows who is active");
    assert_eq!(one.take_over(at(11)), Ok(4));
}

#[test]
fn a_claim_that_is_read_back_is_none_of_another() {
    let (one, two) = pair();
    two.witness_epoch(2, "two", at(5));
    assert_eq!(two.signal("epoch"), Some(Status::Ok));
    // The same name with a higher epoch, or no name at all, is somebody else.
    for (engine, instance) in [(&two, "two"), (&one, "")] {
        engine.witness_epoch(3, instance, at(6));
        assert_eq!(engine.signal("epoch"), Some(Status::Failed));
    }
}

#[test]
fn a_state_shows_who_else_is_active() {
    let (one, two) = pair();
    // `two` is active, and somebody restores its state into `one`, which is active still.
    one.restore_state(&two.export_state(at(5)).unwrap(), None, at(6)).unwrap();
    assert_eq!((one.signal("epoch"), posture(&one)), (Some(Status::Failed), "read-only".into()));
    // One's own state of before says nothing about another.
    let alone = engine("alone");
    alone.take_over(at(1)).unwrap();
    let own = alone.export_state(at(2)).unwrap();
    alone.restore_state(&own, None, at(3)).unwrap();
    assert_eq!((alone.signal("epoch"), alone.epoch()), (Some(Status::Ok), Some(1)));
}

#[test]
fn without_a_declared_posture_a_split_brain_is_the_strictest() {
    let mut document = document();
    document.as_object_mut().unwrap().remove("failover");
    let engine = engine_of(&document, "one");
    engine.take_over(at(1)).unwrap();
    assert_eq!(posture(&engine), "normal", "the pack demands nothing of a failover");
    engine.witness_epoch(1, "two", at(2));
    assert_eq!(posture(&engine), "lockdown");
    assert_eq!(engine.leave_posture("lockdown", None, at(3)), Err(PostureError::CheckNotOk));
    engine.resign(at(4)).unwrap();
    assert_eq!(engine.leave_posture("lockdown", None, at(4)), Ok(()));
    // And where there is no posture at all, everything is quarantined.
    document["postures"] = json!([]);
    let engine = engine_of(&document, "one");
    engine.take_over(at(1)).unwrap();
    engine.witness_epoch(1, "two", at(2));
    assert!(!allows(&engine, "read", at(2)));
    engine.lift_quarantine(&Selector::Everything, at(3)).unwrap();
    assert!(allows(&engine, "read", at(3)));
}

#[test]
fn who_cannot_take_over_is_told_why() {
    let nameless = engine("");
    assert_eq!(nameless.take_over(at(1)), Err(FailoverError::NoInstance));
    assert_eq!(nameless.epoch(), None);
    let mut config = Config::default();
    config.instance = name("one").unwrap();
    assert_eq!(Engine::new(config).take_over(at(1)), Err(FailoverError::NoPolicy));
    let engine = engine("one");
    assert_eq!(engine.resign(at(1)), Err(FailoverError::NotActive));
    engine.witness_epoch(u64::MAX, "two", at(1));
    assert_eq!(engine.take_over(at(2)), Err(FailoverError::Exhausted));
    assert_eq!(posture(&engine), "normal");
}

#[test]
fn a_failover_that_names_what_is_not_there_is_refused() {
    for (failover, code, pointer) in [
        (json!({"posture": "readonly"}), Code::UnknownPosture, "/failover/posture"),
        (json!({"posture": "normal"}), Code::UnknownPosture, "/failover/posture"),
        (json!({"posture": "read-only", "checks": ["c"]}), Code::UnknownSignal, "/failover/checks/0"),
        (json!({}), Code::MissingField, "/failover"),
        (json!(["read-only"]), Code::InvalidValue, "/failover"),
        (json!({"posture": "read-only", "check": ["b"]}), Code::UnknownField, "/failover/check"),
    ] {
        let mut document = document();
        document["failover"] = failover.clone();
        let error = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap_err();
        let first = &error.diagnostics()[0];
        assert_eq!((first.code, first.pointer.as_str()), (code, pointer), "{failover}");
    }
}
