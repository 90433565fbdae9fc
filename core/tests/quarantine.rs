//! Quarantine and revocation: who and what is denied whatever the rules say, and which earlier answers are void.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

use fallgate::engine::QuarantineTerms;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::state::quarantine::{QuarantineError, Selector};
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Decision, Engine, Observation, Reason};
use serde_json::{Value, json};

const TERMS: QuarantineTerms<'static> = QuarantineTerms { reason: "a test", until: None, absolute: false };

fn at(millis: u64) -> Now {
    let wall = i64::try_from(millis).unwrap() + 1_767_225_600_000;
    Now::new(Monotonic::from_millis(millis), Wall::from_millis(wall))
}

fn until(millis: u64) -> QuarantineTerms<'static> {
    QuarantineTerms { until: Some(Monotonic::from_millis(millis)), ..TERMS }
}

fn document(revision: u64, scopes: &Value) -> Value {
    json!({
        "fallgate": 1, "name": "quarantine", "revision": revision,
        "signals": {"idp": {"ttl": "10s"}},
        "schema": {"resource": {
            "thing": {"tenant": {"type": "string", "optional": true}}, "other": {"tenant": {"type": "string", "optional": true}},
        }},
        "actions": {
            "read": {"cache": {"allow": "1h", "deny": "1h"}},
            "open": {"requires": ["idp"], "on_failure": {"serve_cached": {"max_stale": "1h"}}, "cache": {"allow": "1h"}},
        },
        "scopes": scopes,
        "postures": [{"name": "shut", "rank": 1, "permits": "none", "leave": {}}],
        "rules": [{"id": "all", "effect": "allow"}],
    })
}

fn bundle(document: &Value) -> Bundle {
    Bundle::from_document(document, &Trust::unsigned_for_development(), &Limits::DEFAULT)
        .unwrap_or_else(|error| panic!("{:#?}", error.diagnostics()))
}

fn engine_with(max: usize) -> Engine {
    let mut config = Config::default();
    config.limits.quarantines_max = max;
    let engine = Engine::new(config);
    engine.activate(bundle(&document(1, &json!({"tenant": "resource.tenant"}))), at(0)).unwrap();
    engine
}

fn engine() -> Engine {
    engine_with(100)
}

fn ask(
    engine: &Engine,
    action: &str,
    subject: (&str, &str),
    resource: (&str, &str),
    tenant: Value,
    now: u64,
) -> Decision {
    let properties = if tenant.is_null() { json!({}) } else { json!({"tenant": tenant}) };
    let request = json!({
        "subject": {"type": subject.0, "id": subject.1}, "action": {"name": action},
        "resource": {"type": resource.0, "id": resource.1, "properties": properties},
    });
    engine.decide_json(request.to_string().as_bytes(), at(now))
}

fn read(engine: &Engine, subject: (&str, &str), resource: (&str, &str), tenant: Value, now: u64) -> Reason {
    ask(engine, "read", subject, resource, tenant, now).reason()
}

fn events(engine: &Engine) -> Vec<String> {
    let all = std::iter::from_fn(|| engine.poll_event()).map(|event| event.to_json());
    all.filter(|event| event.get("selector").is_some())
        .map(|event| {
            format!(
                "{} {} {}",
                event["monotonic_ms"],
                event["event"].as_str().unwrap(),
                event["selector"].as_str().unwrap()
            )
        })
        .collect()
}

#[test]
fn what_is_selected_is_denied_and_nothing_else() {
    use Reason::{AllowedByRule as Allowed, Quarantined};
    let ann = ("user", "ann");
    for (selector, of_ann, of_bob, of_robot, of_other) in [
        (Selector::Subject("user", "ann"), Quarantined, Allowed, Allowed, Quarantined),
        (Selector::SubjectType("user"), Quarantined, Quarantined, Allowed, Quarantined),
        (Selector::Resource("thing", "t"), Quarantined, Quarantined, Quarantined, Allowed),
        (Selector::ResourceType("other"), Allowed, Allowed, Allowed, Quarantined),
        (Selector::Scope("tenant:acme"), Quarantined, Quarantined, Quarantined, Allowed),
        (Selector::Everything, Quarantined, Quarantined, Quarantined, Quarantined),
    ] {
        let engine = engine();
        assert_eq!(engine.quarantine(&selector, &TERMS, at(0)), Ok(selector));
        let of = |subject, resource, tenant| read(&engine, subject, resource, json!(tenant), 0);
        assert_eq!(of(ann, ("thing", "t"), "acme"), of_ann, "{selector}");
        assert_eq!(of(("user", "bob"), ("thing", "t"), "acme"), of_bob, "{selector}");
        assert_eq!(of(("robot", "ann"), ("thing", "t"), "acme"), of_robot, "{selector}");
        assert_eq!(of(ann, ("other", "t"), "beta"), of_other, "{selector}");
        assert_eq!(engine.lift_quarantine(&selector, at(0)), Ok(()));
        assert_eq!(of(ann, ("thing", "t"), "acme"), Allowed, "{selector}");
        assert_eq!(engine.lift_quarantine(&selector, at(0)), Err(QuarantineError::NotQuarantined));
    }
}

#[test]
fn no_two_names_are_one_selector() {
    let engine = engine();
    engine.quarantine(&Selector::Subject("us", "erann"), &TERMS, at(0)).unwrap();
    engine.quarantine(&Selector::SubjectType("userann"), &TERMS, at(0)).unwrap();
    engine.quarantine(&Selector::Resource("user", "ann"), &TERMS, at(0)).unwrap();
    assert_eq!(read(&engine, ("user", "ann"), ("thing", "t"), json!("acme"), 0), Reason::AllowedByRule);
}

#[test]
fn a_request_of_which_nobody_knows_the_scope_may_be_in_it() {
    let engine = engine();
    engine.quarantine(&Selector::Scope("tenant:acme"), &TERMS, at(0)).unwrap();
    assert_eq!(read(&engine, ("user", "ann"), ("thing", "t"), Value::Null, 0), Reason::Quarantined);
    assert_eq!(engine.quarantine(&Selector::Scope("region:eu"), &TERMS, at(0)), Err(QuarantineError::UnknownScope));
    assert_eq!(engine.quarantine(&Selector::Scope("acme"), &TERMS, at(0)), Err(QuarantineError::UnknownScope));
    let of_beta = || read(&engine, ("user", "ann"), ("thing", "t"), json!("beta"), 0);
    assert_eq!(of_beta(), Reason::AllowedByRule);
    engine.activate(bundle(&document(2, &json!({}))), at(0)).unwrap();
    assert_eq!(of_beta(), Reason::Quarantined, "the bundle says no more where a request falls");
}

#[test]
fn a_quarantine_holds_until_its_end_and_never_less_for_being_begun_again() {
    let engine = engine();
    let ann = Selector::Subject("user", "ann");
    let of = |now| read(&engine, ("user", "ann"), ("thing", "t"), json!("acme"), now);
    engine.quarantine(&ann, &until(5_000), at(0)).unwrap();
    engine.quarantine(&ann, &until(2_000), at(0)).unwrap();
    assert_eq!(engine.next_deadline(), Some(Monotonic::from_millis(5_000)));
    assert_eq!((of(4_999), of(5_000)), (Reason::Quarantined, Reason::AllowedByRule));
    let expected = [
        "0 quarantined subject `user` `ann`",
        "0 quarantined subject `user` `ann`",
        "5000 quarantine_ended subject `user` `ann`",
    ];
    assert_eq!(events(&engine), expected);
    assert_eq!(engine.quarantine(&ann, &until(5_000), at(5_000)), Err(QuarantineError::Ended));
    engine.quarantine(&ann, &TERMS, at(5_000)).unwrap();
    engine.quarantine(&ann, &until(6_000), at(5_000)).unwrap();
    assert_eq!(of(1_000_000), Reason::Quarantined, "without an end");
}

/// Found by the oracle on new days.
#[test]
fn a_quarantine_ends_without_a_bundle_too_and_makes_room() {
    let mut config = Config::default();
    config.limits.quarantines_max = 1;
    let engine = Engine::new(config);
    let [ann, bob] = ["ann", "bob"].map(|id| Selector::Subject("user", id));
    engine.quarantine(&ann, &until(1_000), at(0)).unwrap();
    assert_eq!(engine.next_deadline(), Some(Monotonic::from_millis(1_000)));
    assert_eq!(engine.lift_quarantine(&ann, at(1_000)), Err(QuarantineError::NotQuarantined), "it is over");
    assert_eq!(engine.quarantine(&bob, &TERMS, at(1_000)), Ok(bob), "and not everything");
    let expected = [
        "0 quarantined subject `user` `ann`",
        "1000 quarantine_ended subject `user` `ann`",
        "1000 quarantined subject `user` `bob`",
    ];
    assert_eq!(events(&engine), expected);
}

#[test]
fn where_there_is_no_room_everything_is_quarantined() {
    let engine = engine_with(2);
    engine.quarantine(&Selector::Subject("user", "a"), &until(1_000), at(0)).unwrap();
    engine.quarantine(&Selector::Subject("user", "b"), &TERMS, at(0)).unwrap();
    // What has ended makes room.
    engine.quarantine(&Selector::Subject("user", "c"), &TERMS, at(1_000)).unwrap();
    assert_eq!(read(&engine, ("user", "z"), ("thing", "t"), json!("acme"), 1_000), Reason::AllowedByRule);
    assert_eq!(engine.quarantine(&Selector::Subject("user", "d"), &TERMS, at(1_000)), Ok(Selector::Everything));
    assert_eq!(read(&engine, ("user", "z"), ("thing", "t"), json!("acme"), 1_000), Reason::Quarantined);
    engine.lift_quarantine(&Selector::Everything, at(1_000)).unwrap();
    assert_eq!(read(&engine, ("user", "z"), ("thing", "t"), json!("acme"), 1_000), Reason::AllowedByRule);
}

#[test]
fn a_hundred_thousand_subjects_are_looked_up_by_hash() {
    let engine = engine_with(200_000);
    for number in 0..100_000 {
        engine.quarantine(&Selector::Subject("user", &format!("u{number}")), &TERMS, at(0)).unwrap();
    }
    let of = |id: &str| read(&engine, ("user", id), ("thing", "t"), json!("acme"), 0);
    assert_eq!(
        (of("u0"), of("u99999"), of("u100000")),
        (Reason::Quarantined, Reason::Quarantined, Reason::AllowedByRule)
    );
}

#[test]
fn a_quarantine_and_its_end_void_what_is_cached() {
    let engine = engine();
    let cached = |now| ask(&engine, "read", ("user", "ann"), ("thing", "t"), json!("acme"), now).cached();
    assert!(!cached(1) && cached(2));
    engine.quarantine(&Selector::Subject("user", "bob"), &TERMS, at(3)).unwrap();
    assert!(!cached(3) && cached(4));
}

#[test]
fn a_revocation_voids_what_was_decided_before_and_no_more() {
    let engine = engine();
    engine.observe(&Observation::ok("idp"), at(0));
    let open = |id, now| ask(&engine, "open", ("user", id), ("thing", "t"), json!("acme"), now).reason();
    assert_eq!(open("ann", 1), Reason::AllowedByRule);
    engine.advance(at(11_000));
    assert_eq!((open("ann", 11_000), open("bob", 11_000)), (Reason::AllowedStale, Reason::AllowedStale));
    engine.revoke("user", "ann", Monotonic::ZERO, at(11_000));
    assert_eq!(open("ann", 11_000), Reason::AllowedStale, "it was decided after that");
    engine.revoke("user", "ann", Monotonic::from_nanos(1), at(11_000));
    assert_eq!((open("ann", 11_000), open("bob", 11_000)), (Reason::SignalUnavailable, Reason::AllowedStale));
    // It never voids less for being told again.
    engine.revoke("user", "ann", Monotonic::ZERO, at(11_000));
    assert_eq!(open("ann", 11_000), Reason::SignalUnavailable);
    engine.observe(&Observation::ok("idp"), at(12_000));
    assert_eq!(open("ann", 12_000), Reason::AllowedByRule, "the next is evaluated anew");
}

#[test]
fn where_there_is_no_room_everybody_is_revoked() {
    let engine = engine_with(1);
    engine.observe(&Observation::ok("idp"), at(0));
    let open = |id, now| ask(&engine, "open", ("user", id), ("thing", "t"), json!("acme"), now).reason();
    assert_eq!(open("ann", 1), Reason::AllowedByRule);
    engine.advance(at(11_000));
    engine.revoke("user", "bob", Monotonic::from_millis(5), at(11_000));
    assert_eq!(open("ann", 11_000), Reason::AllowedStale);
    engine.revoke("user", "eve", Monotonic::from_millis(3), at(11_000));
    assert_eq!(open("ann", 11_000), Reason::SignalUnavailable);
}

/// Things with a firmware that may be left out, asked for by devices and by users.
fn fleet(revision: u64, firmware: &str) -> Value {
    json!({
        "fallgate": 1, "name": "fleet", "revision": revision,
        "signals": {"feed": {"ttl": "1h"}},
        "schema": {
            "subject": {"device": {}, "user": {}},
            "resource": {"thing": {firmware: {"type": "string", "optional": true}, "recalled": {"type": "bool", "default": false}}},
        },
        "actions": {"read": {"cache": {"allow": "1h", "deny": "1h"}}},
        "rules": [{"id": "all", "effect": "allow"}],
    })
}

fn fleet_engine(conditions_max: usize) -> Engine {
    let mut config = Config::default();
    config.limits.quarantine_conditions_max = conditions_max;
    let engine = Engine::new(config);
    engine.activate(bundle(&fleet(1, "firmware")), at(0)).unwrap();
    engine
}

fn reads(engine: &Engine, subject: &str, properties: Value, now: u64) -> Reason {
    let request = json!({
        "subject": {"type": subject, "id": "s"}, "action": {"name": "read"},
        "resource": {"type": "thing", "id": "t", "properties": properties},
    });
    engine.decide_json(request.to_string().as_bytes(), at(now)).reason()
}

const OLD_DEVICES: &str = "subject.type == 'device' && resource.firmware == '1.2'";

#[test]
fn a_condition_selects_what_it_holds_for_or_may_hold_for() {
    use Reason::{AllowedByRule, Quarantined};
    let engine = fleet_engine(64);
    // Cached before: a quarantine comes before the cache.
    assert_eq!(reads(&engine, "device", json!({"firmware": "1.2"}), 0), AllowedByRule);
    engine.quarantine(&Selector::When(OLD_DEVICES), &until(1_000), at(0)).unwrap();
    for (subject, properties, expected) in [
        ("device", json!({"firmware": "1.2"}), Quarantined),
        ("device", json!({"firmware": "1.3"}), AllowedByRule),
        ("device", json!({}), Quarantined),
        ("user", json!({"firmware": "1.2"}), AllowedByRule),
        ("user", json!({}), AllowedByRule),
    ] {
        assert_eq!(reads(&engine, subject, properties.clone(), 999), expected, "{subject} {properties}");
    }
    assert_eq!(reads(&engine, "device", json!({"firmware": "1.2"}), 1_000), AllowedByRule);
    // A signal that nobody knows of may be failed.
    engine.quarantine(&Selector::When("signals.feed.failed"), &TERMS, at(1_000)).unwrap();
    assert_eq!(reads(&engine, "user", json!({}), 1_000), Quarantined);
    engine.observe(&Observation::ok("feed"), at(1_000));
    assert_eq!(reads(&engine, "user", json!({}), 1_000), AllowedByRule);
    assert_eq!(engine.lift_quarantine(&Selector::When("signals.feed.failed"), at(1_000)), Ok(()));
    let again = engine.lift_quarantine(&Selector::When("signals.feed.failed"), at(1_000));
    assert_eq!(again, Err(QuarantineError::NotQuarantined));
    let mut told = events(&engine);
    assert_eq!(told.remove(1), format!("1000 quarantine_ended {}", Selector::When(OLD_DEVICES)));
}

#[test]
fn a_condition_that_cannot_be_used_or_that_a_loss_could_end_is_refused() {
    let engine = fleet_engine(64);
    for condition in [
        "",
        "subject.type ==",
        "subject.type",
        "resource.firmwear == '1.2'",
        "signals.fed.ok",
        "posture.rank > 0",
        "data.list == 1",
        "has(resource.firmware) && resource.firmware == '1.2'",
        "resource.recalled",
        "signals.feed.ok",
        &format!("subject.id == '{}'", "x".repeat(70_000)),
    ] {
        let refused = engine.quarantine(&Selector::When(condition), &TERMS, at(0)).unwrap_err();
        assert_eq!(refused.code(), "bad_condition", "{condition}");
        assert!(refused.to_string().len() < 1_000 && !refused.to_string().contains('\n'), "{refused}");
    }
    let none = Engine::new(Config::default()).quarantine(&Selector::When("true"), &TERMS, at(0));
    assert_eq!(none.unwrap_err().code(), "bad_condition");
    assert_eq!(reads(&engine, "device", json!({}), 0), Reason::AllowedByRule);
}

#[test]
fn more_conditions_than_there_is_room_for_quarantine_everything() {
    let engine = fleet_engine(2);
    for firmware in ["1.0", "1.1", "1.1"] {
        let condition = format!("resource.firmware == '{firmware}'");
        assert_eq!(engine.quarantine(&Selector::When(&condition), &TERMS, at(0)), Ok(Selector::When(&condition)));
    }
    assert_eq!(reads(&engine, "user", json!({"firmware": "2.0"}), 0), Reason::AllowedByRule);
    let third = Selector::When("resource.firmware == '1.2'");
    assert_eq!(engine.quarantine(&third, &TERMS, at(0)), Ok(Selector::Everything));
    assert_eq!(reads(&engine, "user", json!({"firmware": "2.0"}), 0), Reason::Quarantined);
}

#[test]
fn a_bundle_compiles_the_conditions_anew_or_is_refused() {
    let engine = fleet_engine(64);
    engine.quarantine(&Selector::When(OLD_DEVICES), &TERMS, at(0)).unwrap();
    let refused = engine.activate(bundle(&fleet(2, "version")), at(1)).unwrap_err();
    assert_eq!(refused.code(), "loses_quarantine");
    assert_eq!(reads(&engine, "device", json!({"firmware": "1.2"}), 1), Reason::Quarantined);
    // Another order of slots and signals, and the condition reads what it read before.
    let mut next = fleet(2, "firmware");
    next["signals"]["a"] = json!({"ttl": "1s"});
    next["schema"]["resource"]["thing"]["a"] = json!({"type": "string", "optional": true});
    next["rules"][0]["when"] = json!("resource.a != 'x' && resource.firmware != 'y'");
    engine.activate(bundle(&next), at(1)).unwrap();
    assert_eq!(reads(&engine, "device", json!({"firmware": "1.2", "a": "b"}), 1), Reason::Quarantined);
    assert_eq!(reads(&engine, "device", json!({"firmware": "1.3", "a": "1.2"}), 1), Reason::AllowedByRule);
    engine.lift_quarantine(&Selector::When(OLD_DEVICES), at(1)).unwrap();
    engine.activate(bundle(&fleet(3, "version")), at(1)).unwrap();
}

#[test]
fn what_counts_from_now_counts_from_the_clock_as_it_is_held() {
    let engine = engine();
    let operate = |operation: &Value, now: u64| engine.operate_json(operation.to_string().as_bytes(), at(now));
    engine.observe(&Observation::ok("idp"), at(10_000));
    let open = |now: u64| ask(&engine, "open", ("user", "eve"), ("thing", "t"), "x".into(), now).reason();
    assert_eq!(open(10_000), Reason::AllowedByRule);
    // The monotonic clock goes back. What was decided until now is what was decided at 10 s too.
    operate(&json!({"revoke": {"type": "user", "id": "eve"}}), 9_000).unwrap();
    engine.observe(&Observation::failed("idp"), at(10_001));
    assert_eq!(open(10_001), Reason::SignalUnavailable);
    // Half a second is half a second more than the highest time seen, and no quarantine that has ended.
    let quarantine = json!({"quarantine": {"what": {"subject": {"type": "user", "id": "eve"}}, "for": "500ms"}});
    operate(&quarantine, 9_000).unwrap();
    assert_eq!([open(10_500), open(10_501)], [Reason::Quarantined, Reason::SignalUnavailable]);
}
