//! A bundle takes over whole or not at all, and not before its own cases have come out as they say.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::reason::Reason;
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Engine};
use serde_json::{Value, json};

/// 2030-01-01T00:00:00Z.
const START: i64 = 1_893_456_000_000;

fn at(millis: u64) -> Now {
    Now::new(Monotonic::from_millis(millis), Wall::from_millis(START + i64::try_from(millis).unwrap()))
}

fn asks(who: &str) -> Value {
    json!({"subject": {"type": "user", "id": who}, "action": {"name": "read"}, "resource": {"type": "file", "id": "f"}})
}

/// A pack that lets one person read, and the cases that it carries.
fn bundle(revision: u64, reader: &str, tests: Value) -> Bundle {
    let pack = json!({
        "fallgate": 1, "name": "files", "revision": revision,
        "actions": {"read": {}},
        "rules": [{"id": "the-reader", "effect": "allow", "action": "read", "when": format!("subject.id == '{reader}'")}],
        "tests": tests,
    });
    Bundle::from_document(&pack, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
}

fn case(name: &str, who: &str, effect: &str) -> Value {
    json!({"name": name, "request": asks(who), "expect": {"effect": effect}})
}

fn reason(engine: &Engine, who: &str, now: Now) -> Reason {
    engine.decide_json(asks(who).to_string().as_bytes(), now).reason()
}

#[test]
fn a_bundle_that_fails_its_own_test_changes_nothing() {
    let engine = Engine::new(Config::default());
    engine.activate(bundle(1, "ann", json!([case("ann reads", "ann", "allow")])), at(0)).unwrap();
    while engine.poll_event().is_some() {}
    let tests =
        json!([case("bob reads", "bob", "allow"), case("ann reads", "ann", "allow"), case("eve", "eve", "allow")]);
    let next = bundle(2, "bob", tests);
    for millis in [1, 2] {
        let refused = engine.activate(next.clone(), at(millis)).unwrap_err();
        assert_eq!(refused.code(), "fails_tests");
        assert_eq!(refused.to_string(), "the bundle fails its own test `ann reads`, and 1 more");
        assert_eq!(engine.poll_event().unwrap().kind.code(), "bundle_refused");
        assert_eq!(engine.poll_event(), None);
    }
    assert_eq!(engine.bundle().unwrap().revision(), 1);
    assert_eq!(reason(&engine, "ann", at(3)), Reason::AllowedByRule);
    assert_eq!(reason(&engine, "bob", at(3)), Reason::NoMatchingRule);
    // The revision was not used up by what was refused.
    engine.activate(bundle(2, "bob", json!([case("bob reads", "bob", "allow")])), at(4)).unwrap();
    assert_eq!(reason(&engine, "bob", at(5)), Reason::AllowedByRule);
}

#[test]
fn whether_the_tests_pass_depends_on_the_bundle_alone() {
    // At the hour that stands in the case, whatever the engine's clock says, and under the default limits.
    let mut noon = case("at noon", "ann", "allow");
    noon["at"] = "2026-06-01T12:00:00Z".into();
    let mut night = case("at night", "ann", "deny");
    night["at"] = "2026-06-01T03:00:00Z".into();
    let pack = json!({
        "fallgate": 1, "name": "files", "revision": 1,
        "actions": {"read": {}},
        "rules": [{"id": "by-day", "effect": "allow", "action": "read", "when": "now.getHours() >= 6"}],
        "tests": [noon, night],
    });
    let bundle = Bundle::from_document(&pack, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    let mut config = Config::default();
    config.limits.request_bytes_max = 8;
    let engine = Engine::new(config);
    engine.activate(bundle, at(0)).unwrap();
    assert_eq!(reason(&engine, "ann", at(1)), Reason::LimitExceeded);
}

#[test]
fn no_test_sees_what_another_has_done() {
    let mut shut = case("shut", "ann", "deny");
    shut["posture"] = "shut".into();
    let pack = json!({
        "fallgate": 1, "name": "files", "revision": 1,
        "actions": {"read": {}},
        "postures": [{"name": "shut", "rank": 1, "permits": "none", "leave": {}}],
        "rules": [{"id": "all", "effect": "allow", "action": "read"}],
        "tests": [shut, case("open", "ann", "allow")],
    });
    let bundle = Bundle::from_document(&pack, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    let engine = Engine::new(Config::default());
    engine.activate(bundle, at(0)).unwrap();
    assert_eq!(reason(&engine, "ann", at(1)), Reason::AllowedByRule);
}

#[test]
fn a_number_that_the_canonical_form_would_round_is_refused() {
    let load = |number: &Value| {
        let pack =
            json!({"fallgate": 1, "name": "files", "revision": 1, "actions": {}, "data": {"limits": [0, number]}});
        Bundle::from_document(&pack, &Trust::unsigned_for_development(), &Limits::DEFAULT)
    };
    let most = 9_007_199_254_740_991_i64;
    for exact in [json!(most), json!(-most), json!(0.1), json!(1e300), json!(-0.0)] {
        let built = load(&exact).unwrap();
        // What is read from the bytes is the same bundle.
        let read = Bundle::from_json(built.bytes(), &Trust::unsigned_for_development()).unwrap();
        assert_eq!(read.id(), built.id(), "{exact}");
    }
    for rounded in [json!(most + 1), json!(-most - 1), json!(i64::MIN), json!(i64::MAX), json!(u64::MAX)] {
        let error = load(&rounded).unwrap_err();
        let first = &error.diagnostics()[0];
        assert_eq!((first.code.as_str(), first.pointer.as_str()), ("invalid_value", "/data/limits/1"), "{rounded}");
    }
}

#[test]
fn a_document_is_what_its_bytes_say() {
    // The canonical form of `1.0` is `1`: an int, and so it is before the bytes are written too.
    let pack = |number: Value| {
        json!({
            "fallgate": 1, "name": "files", "revision": 1, "actions": {"read": {}}, "data": {"number": number},
            "rules": [{"id": "int", "effect": "allow", "action": "read", "when": "type(data.number) == int"}],
        })
    };
    for (number, expected) in [(json!(1.0), Reason::AllowedByRule), (json!(1.5), Reason::NoMatchingRule)] {
        let built = Bundle::from_document(&pack(number), &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
        let read = Bundle::from_json(built.bytes(), &Trust::unsigned_for_development()).unwrap();
        for bundle in [built, read] {
            let engine = Engine::new(Config::default());
            engine.activate(bundle, at(0)).unwrap();
            assert_eq!(reason(&engine, "ann", at(1)), expected);
        }
    }
}

#[test]
fn a_document_is_as_deep_as_its_bytes_can_be_read() {
    let load = |levels: usize| {
        let deep = (0..levels).fold(json!(0), |inner, _| json!([inner]));
        let pack = json!({"fallgate": 1, "name": "files", "revision": 1, "actions": {}, "data": deep});
        Bundle::from_document(&pack, &Trust::unsigned_for_development(), &Limits::DEFAULT)
    };
    // The document itself is the first level, the number at the end one more.
    let built = load(125).unwrap();
    assert!(Bundle::from_json(built.bytes(), &Trust::unsigned_for_development()).is_ok());
    for levels in [126, 127, 1_000] {
        assert_eq!(load(levels).unwrap_err().diagnostics()[0].code.as_str(), "limit_exceeded", "{levels}");
    }
}

#[test]
fn while_the_clocks_have_parted_no_bundle_that_they_bound_takes_over() {
    let of = |revision: u64, valid: Value| {
        let pack = json!({
            "fallgate": 1, "name": "files", "revision": revision, "valid": valid, "actions": {"read": {}},
            "rules": [{"id": "all", "effect": "allow"}],
        });
        Bundle::from_document(&pack, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
    };
    let engine = Engine::new(Config::default());
    engine.activate(of(1, json!({})), at(0)).unwrap();
    // The wall clock lies by a minute: nobody can tell whether the second one's time has come.
    let parted = Now::new(Monotonic::from_millis(1_000), Wall::from_millis(START + 61_000));
    let bounded = json!({"from": "2030-01-01T00:00:00Z", "until": "2031-01-01T00:00:00Z"});
    assert_eq!(engine.activate(of(2, bounded.clone()), parted).unwrap_err().code(), "outside_validity");
    assert_eq!(reason(&engine, "ann", parted), Reason::AllowedByRule);
    engine.anchor_clocks(parted);
    engine.activate(of(2, bounded), parted).unwrap();
}
