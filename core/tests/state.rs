//! Exported state: what is carried, what is refused, and that an engine which restores it never permits more.

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
use fallgate::state::document::{StateError, StateKey};
use fallgate::state::quarantine::Selector;
use fallgate::state::signals::Observed;
use fallgate::time::{Monotonic, Now, Ttl, Wall};
use fallgate::{Config, Engine, Observation, Reason};
use serde_json::{Value, json};

/// The clocks of a process that started `started` milliseconds after the first one did.
fn clocks(millis: u64, started: u64) -> Now {
    let wall = i64::try_from(millis).unwrap() + 1_767_225_600_000;
    Now::new(Monotonic::from_millis(millis - started), Wall::from_millis(wall))
}

fn at(millis: u64) -> Now {
    clocks(millis, 0)
}

fn pack(change: impl FnOnce(&mut Value)) -> Bundle {
    let mut document = json!({
        "fallgate": 1, "name": "modes", "revision": 3,
        "signals": {"a": {"ttl": "1h", "recover": {"oks": 2}}, "b": {"ttl": "1h"}},
        "schema": {"resource": {"thing": {"tenant": {"type": "string", "optional": true}}}},
        "actions": {
            "read": {"class": "read", "cache": {"allow": "1h", "deny": "1h"}},
            "write": {"class": "write"},
            "answer": {"class": "admin", "requires": ["a"]},
        },
        "scopes": {"tenant": "resource.tenant"},
        "postures": [
            {"name": "read-only", "rank": 1, "permits": {"classes": ["read", "admin"]},
             "enter": {"when": "signals.a.failed", "for": "20s"},
             "leave": {"stable": "3s", "dwell": "60s", "back_off": {"within": "10m", "max": "1h"}},
             "escalate": {"to": "lockdown", "after": "100s"}},
            {"name": "lockdown", "rank": 9, "permits": {"actions": ["answer"]}, "leave": {"dwell": "10s"}},
        ],
        "rules": [{"id": "all", "effect": "allow"}],
    });
    change(&mut document);
    Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT)
        .unwrap_or_else(|error| panic!("{:#?}", error.diagnostics()))
}

fn config(key: u8) -> Config {
    let mut config = Config::default();
    config.state_key = StateKey::new([key; 32]);
    config.instance = name("one").unwrap();
    config
}

/// An engine with the bundle and both signals ok.
fn engine_of(bundle: Bundle, now: Now) -> Engine {
    let engine = Engine::new(config(7));
    engine.activate(bundle, now).unwrap();
    for signal in ["a", "b"] {
        engine.observe(&Observation::ok(signal), now);
    }
    engine
}

fn engine(now: Now) -> Engine {
    engine_of(pack(|_| {}), now)
}

/// The exported state of an engine that has been through a little of everything.
fn exported() -> Vec<u8> {
    let engine = engine(at(0));
    engine.enter_posture("read-only", Some("tenant:acme"), at(1_000)).unwrap();
    quarantine(&engine, Selector::Subject("user", "eve"), Some(60_000), at(1_000));
    engine.revoke("user", "bob", Monotonic::from_millis(1_000), at(1_000));
    engine.take_over(at(1_000)).unwrap();
    engine.export_state(at(2_000)).unwrap()
}

fn quarantine(engine: &Engine, what: Selector<'_>, until: Option<u64>, now: Now) {
    let terms = QuarantineTerms { until: until.map(Monotonic::from_millis), ..QuarantineTerms::default() };
    engine.quarantine(&what, &terms, now).unwrap();
}

fn reason_of(engine: &Engine, subject: &str, action: &str, tenant: &str, now: Now) -> Reason {
    let request = json!({
        "subject": {"type": "user", "id": subject}, "action": {"name": action},
        "resource": {"type": "thing", "id": "t", "properties": {"tenant": tenant}},
    });
    engine.decide_json(request.to_string().as_bytes(), now).reason()
}

fn events(engine: &Engine) -> Vec<Value> {
    std::iter::from_fn(|| engine.poll_event()).map(|event| event.to_json()).collect()
}

/// Restores bytes that must not be accepted into a fresh engine, and holds it against what has to follow.
fn refused(bytes: &[u8], least: Option<u64>, expected: StateError) {
    let engine = engine(at(0));
    events(&engine);
    assert_eq!(engine.restore_state(bytes, least, at(5_000)), Err(expected), "{}", String::from_utf8_lossy(bytes));
    assert_eq!(engine.posture(None).unwrap().as_str(), "lockdown");
    assert_eq!(reason_of(&engine, "ann", "read", "acme", at(5_000)), Reason::Posture);
    let events = events(&engine);
    assert_eq!((&events[0]["event"], &events[0]["code"]), (&json!("restore_failed"), &json!(expected.code())));
    assert_eq!((&events[1]["event"], &events[1]["cause"]), (&json!("posture_entered"), &json!("restore")));
    assert_eq!(events.len(), 2, "{events:?}");
    // Nothing of the state is in force: neither the quarantine nor the read-only posture of acme.
    assert_eq!(reason_of(&engine, "eve", "answer", "acme", at(5_000)), Reason::AllowedByRule);
    engine.leave_posture("lockdown", None, at(15_000)).unwrap();
    assert_eq!(reason_of(&engine, "eve", "write", "acme", at(15_000)), Reason::AllowedByRule);
}

#[test]
fn what_was_exported_is_in_force_again() {
    let state = exported();
    // Another process, ten seconds later, whose monotonic clock has only just begun.
    let now = clocks(12_000, 11_000);
    let engine = engine(now);
    let restored = engine.restore_state(&state, None, now).unwrap();
    assert_eq!((restored.epoch, &*restored.instance), (1, "one"));
    assert_eq!(restored.elapsed, Some(Ttl::from_secs(15)), "10 s, and 5 s that two wall clocks may differ by");
    assert_eq!(reason_of(&engine, "ann", "write", "acme", now), Reason::Posture);
    assert_eq!(reason_of(&engine, "ann", "write", "other", now), Reason::AllowedByRule);
    assert_eq!(reason_of(&engine, "eve", "write", "other", now), Reason::Quarantined);
    assert_eq!(engine.epoch(), None, "it is a standby");
    let events: Vec<_> = events(&engine).into_iter().filter(|event| event["event"] == "posture_entered").collect();
    assert_eq!((&events[0]["cause"], &events[0]["scope"]), (&json!("state"), &json!("tenant:acme")));
}

#[test]
fn a_restore_that_cannot_be_read_is_a_state_that_does_not_verify() {
    let long = format!(r#"{{ "restore_state": {{"state": "{}"}}}}"#, "x".repeat(64 << 20));
    for bytes in [long.as_bytes(), br#"{"restore_state": {"state": 5}}"#, br#"{"restore_state"#] {
        let engine = engine(at(0));
        assert!(engine.operate_json(bytes, at(1)).is_err());
        assert_eq!(engine.posture(None).unwrap().as_str(), if bytes.len() > 16 { "lockdown" } else { "normal" });
    }
    // What is no operation by its name, ends of lines within the name included, restores nothing and closes nothing.
    for bytes in [br#"{"enter_postures": {}}"#.as_slice(), b"{\"restore\n_state\": \"", b"{\"restore_states\": {}}"] {
        let engine = engine(at(0));
        assert_eq!(engine.operate_json(bytes, at(1)).unwrap_err().code(), "malformed_operation");
        assert_eq!(engine.posture(None).unwrap().as_str(), "normal");
    }
}

#[test]
fn a_quarantine_by_a_condition_is_in_force_again() {
    let active = engine(at(0));
    quarantine(&active, Selector::When("subject.id == 'zoe'"), Some(60_000), at(1_000));
    let state = active.export_state(at(2_000)).unwrap();
    let standby = engine(at(0));
    standby.restore_state(&state, None, at(1)).unwrap();
    assert_eq!(reason_of(&standby, "zoe", "read", "x", at(2)), Reason::Quarantined);
    assert_eq!(reason_of(&standby, "ann", "read", "x", at(2)), Reason::AllowedByRule);
}

#[test]
fn what_loosens_with_time_lasts_as_long_as_it_did() {
    let state = exported();
    let started = 1_000_000;
    let later = |millis: u64| clocks(started + millis, started);
    let engine = engine(later(0));
    engine.restore_state(&state, None, later(0)).unwrap();
    // The quarantine had 58 s to go and the posture 59 s, however long the engine was down.
    assert_eq!(reason_of(&engine, "eve", "read", "x", later(57_999)), Reason::Quarantined);
    assert_eq!(reason_of(&engine, "eve", "read", "x", later(58_000)), Reason::AllowedByRule);
    let code = |now| engine.leave_posture("read-only", Some("tenant:acme"), now).map_err(|error| error.code());
    assert_eq!(code(later(58_999)), Err("dwelling"));
    // Its escalation had 99 s to go, and the engine was down for longer: it follows at once.
    assert_eq!(engine.posture(Some("tenant:acme")).unwrap().as_str(), "lockdown");
    assert_eq!(code(later(59_000)), Ok(()));
}

#[test]
fn what_tightens_with_time_does_so_no_later() {
    let state = exported();
    // 20 s later by the wall clock: of the 99 s at least 99 − 20 − 5 are left.
    let engine = engine(clocks(22_000, 22_000));
    let now = |millis: u64| clocks(22_000 + millis, 22_000);
    engine.restore_state(&state, None, now(0)).unwrap();
    assert_eq!(engine.next_deadline(), Some(Monotonic::from_millis(58_000)), "the quarantine");
    engine.advance(now(73_999));
    assert_eq!(engine.posture(Some("tenant:acme")).unwrap().as_str(), "read-only");
    engine.advance(now(74_000));
    assert_eq!(engine.posture(Some("tenant:acme")).unwrap().as_str(), "lockdown");
}

#[test]
fn a_clock_that_cannot_tell_the_time_credits_nothing() {
    let state = exported();
    let wall = |millis: i64| Wall::from_millis(1_767_225_600_000 + millis);
    // 2 s was the time of the export. Set back by more than the 5 s that two clocks may differ by.
    for (back, posture) in [(-2_999, "read-only"), (-3_001, "lockdown")] {
        let now = Now::new(Monotonic::from_millis(1), wall(back));
        let engine = engine(now);
        engine.restore_state(&state, None, now).unwrap();
        engine.advance(now);
        assert_eq!(engine.posture(Some("tenant:acme")).unwrap().as_str(), posture, "{back}");
    }
    // A restart cures no clock: one that failed, or that was put back, waits for an operator's word.
    let failing = engine(at(0));
    failing.advance(Now::new(Monotonic::from_millis(1_000), wall(3_600_000)));
    let failed = failing.export_state(Now::new(Monotonic::from_millis(2_000), wall(3_601_000))).unwrap();
    for (state, now) in [(&failed, wall(3_602_000)), (&state, wall(-3_001))] {
        let now = Now::new(Monotonic::from_millis(3_000), now);
        let engine = engine(now);
        assert_eq!(engine.restore_state(state, None, now).unwrap().elapsed, None);
        assert_eq!(engine.signal("clock"), Some(Status::Failed));
        engine.anchor_clocks(now);
        assert_eq!(engine.signal("clock"), Some(Status::Ok));
    }
    // Nor does a state that does not fit the bundle: here it knows a later revision.
    let now = Now::new(Monotonic::from_millis(3_000), wall(-3_001));
    let behind = engine_of(pack(|document| document["revision"] = 2.into()), now);
    assert!(matches!(behind.restore_state(&state, None, now), Err(StateError::BundleBehind { .. })));
    assert_eq!(behind.signal("clock"), Some(Status::Failed));
    let engine = engine(at(0));
    // The clocks part by an hour, and the signal `clock` fails.
    let now = Now::new(Monotonic::from_millis(3_000), wall(3_600_000));
    assert_eq!(engine.restore_state(&state, None, now).unwrap().elapsed, None);
    engine.advance(now);
    assert_eq!(engine.posture(Some("tenant:acme")).unwrap().as_str(), "lockdown");
}

#[test]
fn every_altered_byte_is_noticed() {
    let state = exported();
    for at in 0..state.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut altered = state.clone();
            altered[at] ^= bit;
            let engine = engine(self::at(0));
            engine.restore_state(&altered, None, self::at(1)).unwrap_err();
            assert_eq!(engine.posture(None).unwrap().as_str(), "lockdown", "byte {at}");
            assert_eq!(engine.state_sequence(), lowest(), "nothing of it was joined: byte {at}");
        }
    }
}

/// The sequence of a fresh engine that did nothing but go into lockdown.
fn lowest() -> u64 {
    let engine = engine(at(0));
    engine.restore_state(b"x", None, at(1)).unwrap_err();
    engine.state_sequence()
}

#[test]
fn a_state_that_is_cut_or_goes_on_is_noticed() {
    let state = exported();
    for length in 1..state.len() {
        let engine = engine(at(0));
        let error = engine.restore_state(&state[..length], None, at(1)).unwrap_err();
        assert!(matches!(error, StateError::Malformed | StateError::NotAuthentic), "{length}: {error}");
        assert_eq!(engine.posture(None).unwrap().as_str(), "lockdown");
    }
    refused(&[], None, StateError::Missing);
    refused(&[&state[..], b" "].concat(), None, StateError::Malformed);
    refused(&[&state[..], b"}"].concat(), None, StateError::NotAuthentic);
    refused(&[&state[..], &state].concat(), None, StateError::NotAuthentic);
    refused(&[b" ", &state[..]].concat(), None, StateError::Malformed);
    let newer = String::from_utf8(state.clone()).unwrap().replacen("state/1", "state/2", 1);
    refused(newer.as_bytes(), None, StateError::UnknownVersion);
    // The seal in capitals is the same number, and another text.
    let text = String::from_utf8(state).unwrap();
    let mac = text.split('"').nth(7).unwrap();
    refused(text.replacen(mac, &mac.to_uppercase(), 1).as_bytes(), None, StateError::Malformed);
}

#[test]
fn a_state_that_is_not_the_one_to_restore_is_refused() {
    let state = exported();
    let sequence: u64 = sealed(&state)["sequence"].as_str().unwrap().parse().unwrap();
    refused(&state, Some(sequence + 1), StateError::Older { offered: sequence, least: sequence + 1 });
    let other = engine_of(pack(|document| document["name"] = json!("shop")), at(0)).export_state(at(1)).unwrap();
    refused(&other, None, StateError::OtherPack);
    let another_key = Engine::new(config(8));
    another_key.activate(pack(|_| {}), at(0)).unwrap();
    refused(&another_key.export_state(at(0)).unwrap(), None, StateError::NotAuthentic);
}

fn sealed(state: &[u8]) -> Value {
    serde_json::from_slice::<Value>(state).unwrap()["state"].take()
}

#[test]
fn a_state_that_is_older_than_the_last_is_refused() {
    let active = engine(at(0));
    let first = active.export_state(at(1)).unwrap();
    active.enter_posture("read-only", None, at(2)).unwrap();
    let second = active.export_state(at(3)).unwrap();
    let standby = engine(at(0));
    standby.restore_state(&second, None, at(4)).unwrap();
    standby.restore_state(&second, None, at(4)).unwrap();
    assert!(matches!(standby.restore_state(&first, None, at(5)), Err(StateError::Older { .. })));
    assert_eq!(standby.posture(None).unwrap().as_str(), "lockdown");
    // Who took over takes no state of an epoch before its own.
    let successor = engine(at(0));
    successor.restore_state(&second, None, at(4)).unwrap();
    successor.take_over(at(5)).unwrap();
    let error = successor.restore_state(&second, None, at(6)).unwrap_err();
    assert_eq!(error, StateError::Older { offered: 0, least: 1 });
}

#[test]
fn without_a_key_nothing_is_exported_or_restored() {
    let engine = Engine::new(Config::default());
    engine.activate(pack(|_| {}), at(0)).unwrap();
    assert_eq!(engine.export_state(at(0)), Err(StateError::NoKey));
    assert_eq!(engine.restore_state(&exported(), None, at(0)), Err(StateError::NoKey));
    assert_eq!(engine.posture(None).unwrap().as_str(), "lockdown");
    assert_eq!(StateKey::new([0; 32]), None);
    assert_eq!(format!("{:?}", config(7).state_key.unwrap()), "StateKey");
}

#[test]
fn without_a_stricter_posture_everything_is_quarantined() {
    let plain = |document: &mut Value| {
        document["postures"] = json!([]);
        document.as_object_mut().unwrap().remove("scopes");
    };
    let engine = engine_of(pack(plain), at(0));
    engine.restore_state(b"nothing", None, at(1)).unwrap_err();
    assert_eq!(reason_of(&engine, "ann", "read", "x", at(1)), Reason::Quarantined);
    // An operator who knows better begins anew.
    engine.lift_quarantine(&Selector::Everything, at(2)).unwrap();
    assert_eq!(reason_of(&engine, "ann", "read", "x", at(2)), Reason::AllowedByRule);
    // Likewise before any bundle is active: it would be one that forgot.
    let empty = Engine::new(config(7));
    assert_eq!(empty.restore_state(&exported(), None, at(0)), Err(StateError::NoPolicy));
    empty.activate(pack(|_| {}), at(1)).unwrap();
    assert_eq!(reason_of(&empty, "ann", "read", "x", at(1)), Reason::Quarantined);
    assert_eq!(empty.export_state(at(1)).map(|_| ()), Ok(()));
}

#[test]
fn an_older_bundle_does_not_come_back_with_the_restart() {
    let newest = engine_of(pack(|document| document["revision"] = json!(8)), at(0)).export_state(at(1)).unwrap();
    let engine = engine(at(0));
    assert_eq!(engine.restore_state(&newest, None, at(1)), Err(StateError::BundleBehind { known: 8 }));
    assert_eq!(engine.posture(None).unwrap().as_str(), "lockdown");
    let activate = |revision: u64| {
        let bundle = pack(|document| document["revision"] = json!(revision));
        engine.activate(bundle, at(2)).map_err(|error| error.code())
    };
    assert_eq!(activate(7), Err("older_revision"));
    assert_eq!(activate(8), Ok(()));
    assert!(engine.restore_state(&newest, None, at(3)).is_ok());
    assert_eq!(activate(7), Err("older_revision"));
}

#[test]
fn what_the_bundle_does_not_know_is_the_strictest_posture_and_the_rest_counts() {
    let old = engine(at(0));
    old.enter_posture("read-only", None, at(1)).unwrap();
    quarantine(&old, Selector::Subject("user", "eve"), None, at(1));
    let state = old.export_state(at(2)).unwrap();
    let renamed = pack(|document| {
        document["postures"][0]["name"] = json!("readonly");
        document["revision"] = json!(4);
    });
    let engine = engine_of(renamed, at(3));
    assert_eq!(engine.restore_state(&state, None, at(3)), Err(StateError::DoesNotFit));
    assert_eq!(engine.posture(None).unwrap().as_str(), "lockdown");
    assert_eq!(reason_of(&engine, "eve", "answer", "x", at(3)), Reason::Quarantined);
    let scoped = exported();
    let unscoped = pack(|document| {
        document["scopes"] = json!({"region": "resource.tenant"});
        document["revision"] = json!(4);
    });
    let unscoped = engine_of(unscoped, at(3));
    assert_eq!(unscoped.restore_state(&scoped, None, at(3)), Err(StateError::DoesNotFit));
    assert_eq!(unscoped.posture(None).unwrap().as_str(), "lockdown");
}

/// Of a condition that holds already, and is to enter a posture in a while.
#[test]
fn an_entry_to_come_of_a_posture_that_the_bundle_does_not_have_is_the_strictest_one() {
    let old = engine(at(0));
    old.observe(&Observation::failed("a"), at(1_000));
    let state = old.export_state(at(2_000)).unwrap();
    assert_eq!(sealed(&state)["entering"], json!([{"posture": "read-only", "in_ms": 19_000}]));
    let renamed = engine_of(
        pack(|document| {
            document["postures"][0]["name"] = json!("readonly");
            document["revision"] = json!(4);
        }),
        at(3_000),
    );
    assert_eq!(renamed.restore_state(&state, None, at(3_000)), Err(StateError::DoesNotFit));
    assert_eq!(renamed.posture(None).unwrap().as_str(), "lockdown");
}

/// The condition held there for 20 s at 20 s, and here only at 100 s: what follows the entry is counted from the earlier.
#[test]
fn what_follows_an_entry_that_was_due_elsewhere_before_is_not_put_off() {
    let active = engine(at(0));
    active.observe(&Observation::failed("a"), at(0));
    let state = active.export_state(at(10_000)).unwrap();
    assert_eq!(sealed(&state)["entering"], json!([{"posture": "read-only", "in_ms": 10_000}]));
    let standby = || {
        let standby = engine(at(0));
        standby.observe(&Observation::failed("a"), at(80_000));
        standby.advance(at(100_000));
        assert_eq!(standby.posture(None).unwrap().as_str(), "read-only");
        standby
    };
    // By itself it goes on to the lockdown 100 s after it was entered.
    let alone = standby();
    alone.advance(at(199_999));
    assert_eq!(alone.posture(None).unwrap().as_str(), "read-only");
    alone.advance(at(200_000));
    assert_eq!(alone.posture(None).unwrap().as_str(), "lockdown");
    // 90 s have passed since the export, or 95 s by clocks that differ by 5 s, of which 10 s were left until the entry: 85 s
    // of the 100 s are over.
    let restored = standby();
    assert_eq!(restored.restore_state(&state, None, at(100_000)).unwrap().elapsed, Some(Ttl::from_secs(95)));
    restored.advance(at(114_999));
    assert_eq!(restored.posture(None).unwrap().as_str(), "read-only");
    restored.advance(at(115_000));
    assert_eq!(restored.posture(None).unwrap().as_str(), "lockdown");
}

#[test]
fn what_is_restored_is_joined_with_what_is_there() {
    let state = exported();
    let engine = engine(at(0));
    engine.enter_posture("lockdown", Some("tenant:acme"), at(1_000)).unwrap();
    engine.enter_posture("read-only", Some("tenant:blue"), at(1_000)).unwrap();
    quarantine(&engine, Selector::Subject("user", "eve"), None, at(1_000));
    quarantine(&engine, Selector::Subject("user", "mal"), Some(3_000), at(1_000));
    engine.restore_state(&state, None, at(2_000)).unwrap();
    assert_eq!(engine.posture(Some("tenant:acme")).unwrap().as_str(), "lockdown");
    assert_eq!(engine.posture(Some("tenant:blue")).unwrap().as_str(), "read-only");
    assert_eq!(reason_of(&engine, "mal", "read", "x", at(2_999)), Reason::Quarantined);
    assert_eq!(reason_of(&engine, "eve", "read", "x", at(900_000)), Reason::Quarantined, "without an end, as here");
}

#[test]
fn a_revocation_voids_what_a_standby_has_decided_too() {
    let cached = |engine: &Engine, now| {
        let request = json!({"subject": {"type": "user", "id": "bob"}, "action": {"name": "read"},
                             "resource": {"type": "thing", "id": "t", "properties": {"tenant": "x"}}});
        engine.decide_json(request.to_string().as_bytes(), now).cached()
    };
    let standby = engine(at(0));
    cached(&standby, at(100));
    assert!(cached(&standby, at(200)));
    let state = exported();
    standby.restore_state(&state, None, at(3_000)).unwrap();
    assert!(!cached(&standby, at(3_000)), "whenever it was decided: nobody knows when that was on the other's clock");
    assert!(!cached(&standby, at(3_000)), "inclusive");
    assert!(!cached(&standby, at(3_001)));
    assert!(cached(&standby, at(3_002)));
}

/// Without room for one subject more everybody is revoked, here and where it is restored.
#[test]
fn a_revocation_of_everybody_is_in_force_again() {
    let mut narrow = config(7);
    narrow.limits.quarantines_max = 1;
    let active = Engine::new(narrow);
    active.activate(pack(|_| {}), at(0)).unwrap();
    active.revoke("user", "bob", Monotonic::from_millis(1_500), at(1_000));
    active.revoke("user", "eve", Monotonic::from_millis(1_700), at(1_000));
    let state = active.export_state(at(1_000)).unwrap();
    assert_eq!(sealed(&state)["revocations"], json!([{"lasts_ms": 700}]));
    // There it lasts as long again, however much later that is.
    let standby = engine(at(0));
    standby.restore_state(&state, None, at(5_000)).unwrap();
    let again = sealed(&standby.export_state(at(5_200)).unwrap());
    assert_eq!(again["revocations"], json!([{"lasts_ms": 500}]));
    // Of two the longer one counts.
    standby.restore_state(&state, None, at(5_300)).unwrap();
    let longer = sealed(&standby.export_state(at(5_300)).unwrap());
    assert_eq!(longer["revocations"], json!([{"lasts_ms": 700}]));
}

#[test]
fn a_signal_that_failed_recovers_after_a_restart_as_it_would_have() {
    let active = engine(at(0));
    active.observe(&Observation::failed("a"), at(1));
    let state = active.export_state(at(2)).unwrap();
    let standby = Engine::new(config(7));
    standby.activate(pack(|_| {}), at(3)).unwrap();
    standby.restore_state(&state, None, at(3)).unwrap();
    assert_eq!(standby.signal("a"), Some(Status::Unknown), "what it is has to be seen");
    standby.observe(&Observation::ok("a"), at(4));
    assert_eq!(standby.signal("a"), Some(Status::Failed), "one ok of two");
    standby.observe(&Observation::ok("a"), at(5));
    assert_eq!(standby.signal("a"), Some(Status::Ok));
}

#[test]
fn the_sequence_grows_with_every_change_and_with_no_other() {
    let engine = engine(at(0));
    let mut last = engine.state_sequence();
    let mut grows = |what: &str, change: &dyn Fn()| {
        change();
        let sequence = engine.state_sequence();
        assert!(sequence > last, "{what}");
        last = sequence;
    };
    grows("enter", &|| engine.enter_posture("read-only", None, at(1)).unwrap());
    grows("acknowledge", &|| engine.acknowledge_posture("read-only", None, at(1)).unwrap());
    grows("leave", &|| engine.leave_posture("read-only", None, at(60_001)).unwrap());
    grows("quarantine", &|| quarantine(&engine, Selector::Everything, Some(61_000), at(60_002)));
    grows("its end", &|| engine.advance(at(61_000)));
    grows("revoke", &|| engine.revoke("user", "bob", Monotonic::ZERO, at(61_000)));
    grows("take over", &|| assert_eq!(engine.take_over(at(61_000)), Ok(1)));
    grows("a rival", &|| engine.witness_epoch(1, "two", at(61_000)));
    grows("resign", &|| engine.resign(at(61_000)).unwrap());
    grows("fails", &|| assert_eq!(engine.observe(&Observation::failed("a"), at(61_001)), Observed::Taken));
    grows("activate", &|| engine.activate(pack(|document| document["revision"] = json!(4)), at(61_002)).unwrap());
    let (state, sequence) = (engine.export_state(at(61_002)).unwrap(), engine.state_sequence());
    engine.observe(&Observation::ok("b"), at(61_003));
    engine.advance(at(61_003));
    assert_eq!(engine.state_sequence(), sequence);
    let other = self::engine_of(pack(|document| document["revision"] = json!(4)), at(0));
    other.restore_state(&state, None, at(61_003)).unwrap();
    assert!(other.state_sequence() >= sequence);
    // Where the state is gone, what is exported then is newer than all that the host has stored.
    let bare = self::engine(at(0));
    bare.restore_state(&[], Some(900), at(1)).unwrap_err();
    assert!(bare.state_sequence() > 900);
}

#[test]
fn one_state_has_one_text() {
    let state = exported();
    assert_eq!(state, exported());
    let document: Value = serde_json::from_slice(&state).unwrap();
    assert_eq!(serde_json_canonicalizer::to_vec(&document).unwrap(), state);
    assert_eq!(document["fallgate"], "state/1");
    let carried = document["state"].as_object().unwrap();
    assert_eq!(
        carried["postures"],
        json!([{"scope": "tenant:acme", "posture": "read-only", "level": 0,
                                             "entered": {"dwells_ms": 59_000, "escalates_in_ms": 99_000}}])
    );
    assert_eq!(
        carried["quarantines"],
        json!([{"kind": 0, "first": "user", "second": "eve", "lasts_ms": 58_000, "absolute": false}])
    );
    assert_eq!(carried["revocations"], json!([{"subject": ["user", "bob"], "lasts_ms": 0}]));
    assert_eq!((&carried["revision"], &carried["pack"]), (&json!("3"), &json!("modes")));
}

#[test]
fn a_state_has_a_limit() {
    let mut small = config(7);
    small.limits.state_bytes_max = 2_000;
    let engine = Engine::new(small);
    engine.activate(pack(|_| {}), at(0)).unwrap();
    assert!(engine.export_state(at(0)).is_ok());
    for number in 0..50 {
        quarantine(&engine, Selector::Subject("user", &format!("u-{number}")), None, at(1));
    }
    assert_eq!(engine.export_state(at(1)), Err(StateError::TooLarge { max: 2_000 }));
    assert_eq!(engine.restore_state(&[b'x'; 2_001], None, at(1)), Err(StateError::TooLarge { max: 2_000 }));
    assert_eq!(engine.posture(None).unwrap().as_str(), "lockdown");
}

#[test]
fn a_scope_without_room_is_everywhere() {
    let state = exported();
    let mut narrow = config(7);
    narrow.limits.scope_instances_max = 1;
    let engine = Engine::new(narrow);
    engine.activate(pack(|_| {}), at(0)).unwrap();
    engine.enter_posture("lockdown", Some("tenant:blue"), at(1)).unwrap();
    engine.restore_state(&state, None, at(2)).unwrap();
    assert_eq!(engine.posture(None).unwrap().as_str(), "read-only");
}

/// Invariants of hostile inputs, H69: the clocks of a process that begins anew, and of one that was put back.
#[test]
fn clocks_that_begin_anew_keep_nothing_cached() {
    let state = engine(at(50_000)).export_state(at(60_000)).unwrap();
    // The monotonic clock begins at zero again, the wall clock stands.
    let begun = clocks(60_000, 60_000);
    let restarted = Engine::new(config(7));
    restarted.activate(pack(|_| {}), begun).unwrap();
    restarted.restore_state(&state, None, begun).unwrap();
    assert_eq!(restarted.counters().cached_decisions, 0);
    assert_eq!(reason_of(&restarted, "ann", "answer", "x", begun), Reason::SignalUnavailable, "a strict start");
    // A snapshot of a machine: its monotonic clock goes back by a minute under a running engine, the wall clock does not.
    let engine = engine(at(100_000));
    assert_eq!(reason_of(&engine, "ann", "read", "x", at(100_000)), Reason::AllowedByRule);
    let back = Now::new(Monotonic::from_millis(40_000), at(100_000).wall);
    engine.advance(back);
    assert_eq!(engine.signal("clock"), Some(Status::Failed));
    assert_eq!(engine.counters().clock_went_back, 1);
    // And the wall clock by a minute, the monotonic one not.
    let engine = self::engine(at(100_000));
    engine.advance(Now::new(at(100_000).monotonic, at(40_000).wall));
    assert_eq!(engine.signal("clock"), Some(Status::Failed));
}

#[test]
fn a_quarantine_of_any_kind_is_in_force_again() {
    for (selects, other) in [
        (Selector::Subject("user", "zoe"), Selector::Subject("user", "eve")),
        (Selector::SubjectType("user"), Selector::SubjectType("agent")),
        (Selector::Resource("thing", "t"), Selector::Resource("thing", "u")),
        (Selector::ResourceType("thing"), Selector::ResourceType("other")),
        (Selector::Scope("tenant:acme"), Selector::Scope("tenant:globex")),
        (Selector::Everything, Selector::When("subject.id == 'eve'")),
    ] {
        let [of_zoe, of_others] = [selects, other].map(|selector| {
            let active = engine(at(0));
            quarantine(&active, selector, None, at(1_000));
            let state = active.export_state(at(2_000)).unwrap();
            let standby = engine(at(3_000));
            standby.restore_state(&state, None, at(3_000)).unwrap();
            reason_of(&standby, "zoe", "read", "acme", at(3_000))
        });
        assert_eq!((of_zoe, of_others), (Reason::Quarantined, Reason::AllowedByRule), "{selects:?} {other:?}");
    }
}
