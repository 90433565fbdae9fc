//! What a signal that follows a feed is, and for how long.

use fallgate::Observation;
use fallgate::condition::Status;
use fallgate::error::Code;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::policy::trust::envelope;
use fallgate::state::signals::Observed;
use fallgate::time::{Monotonic, Now};
use serde_json::{Value, json};

use crate::fleet::{
    OWNER, PARTNER, allows, at, beat, canonical, control, engine, engine_with, enter, fate, key, leave, message, pack,
    payload, public, root_form, signed_as, wall,
};

#[test]
fn a_feed_that_was_never_heard_is_unknown() {
    let engine = engine();
    assert_eq!(control(&engine), Status::Unknown);
    assert!(!allows(&engine, "read", "ann", at(0)));
    assert!(allows(&engine, "list", "ann", at(0)));
}

#[test]
fn a_message_holds_for_the_ttl_and_not_longer() {
    let engine = engine();
    assert_eq!(fate(engine.apply(&beat(1, 1, 1_000), at(1_000))), "heard");
    assert!(allows(&engine, "read", "ann", at(31_000)));
    assert_eq!(engine.next_deadline(), Some(Monotonic::from_millis(31_001)));
    assert!(!allows(&engine, "read", "ann", at(31_001)));
    assert_eq!(control(&engine), Status::Unknown);
    assert_eq!(fate(engine.apply(&message(1, 2, 40_000, Some(enter("shut"))), at(40_000))), "done");
    assert_eq!(control(&engine), Status::Ok, "an operation is a sign of life too");
}

#[test]
fn nobody_but_the_feed_makes_it_ok() {
    let engine = engine();
    for signal in ["control", "partners"] {
        assert_eq!(engine.observe(&Observation::ok(signal), at(1_000)), Observed::NotObservable);
        assert_eq!(engine.observe(&Observation::failed(signal), at(1_000)), Observed::NotObservable);
    }
    assert_eq!(control(&engine), Status::Unknown);
}

#[test]
fn each_signal_follows_its_own_feed() {
    let engine = engine();
    let partner = signed_as(envelope::CONTROL, &canonical(&payload("partners", 1, 1, 1_000, None)), &[PARTNER]);
    assert_eq!(fate(engine.apply(&partner, at(1_000))), "heard");
    assert!(allows(&engine, "share", "ann", at(61_000)));
    assert!(!allows(&engine, "share", "ann", at(61_001)));
    assert_eq!(control(&engine), Status::Unknown);
}

#[test]
fn what_was_held_back_holds_for_so_much_less() {
    // The clocks of two machines may differ by 5 s: what is no older than that is new.
    for (written, heard, until) in [
        (1_000, 1_000, Some(31_000)),
        (1_000, 6_000, Some(36_000)),
        (1_000, 16_000, Some(36_000)),
        (1_000, 35_999, Some(36_000)),
        // From the future, as far as two clocks may differ.
        (6_000, 1_000, Some(31_000)),
        (1_000, 36_001, None),
        (6_001, 1_000, None),
        (i64::from(i32::MAX), 1_000, None),
        (-86_400_000, 1_000, None),
    ] {
        let engine = engine();
        assert_eq!(fate(engine.apply(&beat(1, 1, written), at(heard))), "heard", "{written} at {heard}");
        let expected = if until.is_some() { Status::Ok } else { Status::Unknown };
        assert_eq!(control(&engine), expected, "{written} at {heard}");
        if let Some(until) = until {
            assert!(allows(&engine, "read", "ann", at(until)), "{written} at {heard}");
            assert!(!allows(&engine, "read", "ann", at(until + 1)), "{written} at {heard}");
        }
    }
}

#[test]
fn a_repeat_refreshes_nothing() {
    let engine = engine();
    let first = beat(1, 1, 1_000);
    assert_eq!(fate(engine.apply(&first, at(1_000))), "heard");
    assert_eq!(fate(engine.apply(&first, at(5_000))), "again");
    assert!(!allows(&engine, "read", "ann", at(31_001)));
    assert_eq!(fate(engine.apply(&first, at(32_000))), "again");
    assert!(!allows(&engine, "read", "ann", at(32_000)));
}

#[test]
fn a_clock_that_is_not_to_be_trusted_hears_nothing_and_still_obeys() {
    let engine = engine();
    let parted = Now::new(Monotonic::from_millis(1_000), wall(3_600_000));
    assert_eq!(fate(engine.apply(&message(1, 1, 3_600_000, Some(enter("shut"))), parted)), "done");
    assert_eq!(engine.signal("clock"), Some(Status::Failed));
    assert_eq!(control(&engine), Status::Unknown);
    assert_eq!(engine.posture(None).as_deref(), Some("shut"));
}

#[test]
fn a_posture_entered_by_silence_is_left_by_a_controller_that_is_back() {
    let mut pack = pack(1);
    pack["postures"][0]["enter"] = json!({ "when": "!signals.control.ok" });
    pack["postures"][0]["leave"] = json!({ "stable": "10s", "checks": ["control"] });
    let engine = engine_with(&pack, &root_form());
    assert_eq!(engine.posture(None).as_deref(), Some("shut"), "a fresh engine has heard nobody");
    assert_eq!(fate(engine.apply(&beat(1, 1, 1_000), at(1_000))), "heard");
    assert_eq!(fate(engine.apply(&message(1, 2, 5_000, Some(leave("shut"))), at(5_000))), "not done: not_stable");
    assert_eq!(fate(engine.apply(&message(1, 3, 11_000, Some(leave("shut"))), at(11_000))), "done");
    assert_eq!(engine.posture(None).as_deref(), Some("normal"));
    engine.advance(at(41_001));
    assert_eq!(engine.posture(None).as_deref(), Some("shut"), "and silence shuts it again");
}

#[test]
fn a_failure_is_recovered_as_the_pack_demands() {
    let mut pack = pack(1);
    pack["control"]["recover"] = json!({ "oks": 2 });
    let engine = engine_with(&pack, &root_form());
    assert_eq!(fate(engine.apply(&beat(1, 1, 1_000), at(1_000))), "heard");
    assert_eq!(control(&engine), Status::Ok);
    assert_eq!(fate(engine.apply(&beat(1, 1, 1_001), at(1_500))), "control_conflict");
    assert_eq!(fate(engine.apply(&beat(2, 1, 2_000), at(2_000))), "heard");
    assert_eq!(control(&engine), Status::Failed, "one of two");
    assert_eq!(fate(engine.apply(&beat(2, 2, 3_000), at(3_000))), "heard");
    assert_eq!(control(&engine), Status::Ok);
}

#[test]
fn a_new_bundle_hears_anew_what_it_did_not_follow_before() {
    let signed = |pack: &Value| signed_as(envelope::BUNDLE, &canonical(pack), &[OWNER]);
    let engine = engine();
    assert_eq!(fate(engine.apply(&beat(1, 1, 1_000), at(1_000))), "heard");
    engine.activate_signed(&signed(&pack(2)), at(2_000)).unwrap();
    assert_eq!(control(&engine), Status::Ok, "the same feed");
    let mut other = pack(3);
    other["control"]["feed"] = "partners".into();
    engine.activate_signed(&signed(&other), at(3_000)).unwrap();
    assert_eq!(control(&engine), Status::Unknown, "another feed");
    let mut observed = pack(4);
    observed["signals"]["partners"] = json!({ "ttl": "60s" });
    engine.activate_signed(&signed(&observed), at(4_000)).unwrap();
    engine.observe(&Observation::ok("partners"), at(4_000));
    assert_eq!(engine.signal("partners"), Some(Status::Ok));
    engine.activate_signed(&signed(&pack(5)), at(5_000)).unwrap();
    assert_eq!(engine.signal("partners"), Some(Status::Unknown), "what a host observed is no heartbeat");
}

#[test]
fn a_feed_whose_speakers_change_is_heard_anew() {
    let rotated = |form: &Value| signed_as(envelope::TRUST, &canonical(form), &[OWNER]);
    let engine = engine();
    assert_eq!(fate(engine.apply(&beat(1, 1, 1_000), at(1_000))), "heard");
    let mut next = root_form();
    next["version"] = 2.into();
    engine.rotate_trust(&rotated(&next), at(2_000)).unwrap();
    assert_eq!(control(&engine), Status::Ok, "the same speakers");
    next["version"] = 3.into();
    next["revoked"] = json!({ "keys": [public(crate::fleet::CONTROLLER).id().to_string()] });
    engine.rotate_trust(&rotated(&next), at(3_000)).unwrap();
    assert_eq!(control(&engine), Status::Unknown);
    assert_eq!(fate(engine.apply(&beat(1, 2, 3_000), at(3_000))), "revoked_key");
    let spare = canonical(&payload("fleet", 1, 2, 3_000, None));
    assert_eq!(fate(engine.apply(&signed_as(envelope::CONTROL, &spare, &[crate::fleet::SPARE]), at(3_000))), "heard");
    assert_eq!(control(&engine), Status::Ok);
    assert_eq!(key(crate::fleet::SPARE).verifying_key(), key(12).verifying_key());
}

/// The code and the place of the first mistake of a pack that differs in one thing.
fn refused(change: impl FnOnce(&mut Value)) -> (Code, String) {
    let mut pack = pack(1);
    change(&mut pack);
    let error = Bundle::from_document(&pack, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap_err();
    let first = error.diagnostics().first().unwrap();
    (first.code, first.pointer.clone())
}

#[test]
fn a_pack_that_does_not_say_what_it_follows_is_refused() {
    for (member, value, code, pointer) in [
        ("control", json!({ "feed": "fleet" }), Code::MissingField, "/control"),
        ("control", json!({ "ttl": "30s" }), Code::MissingField, "/control"),
        ("control", json!(["fleet", "30s"]), Code::InvalidValue, "/control"),
        ("control", json!({ "feed": "fleet", "ttl": "0s" }), Code::InvalidValue, "/control/ttl"),
        ("control", json!({ "feed": "the fleet", "ttl": "30s" }), Code::InvalidName, "/control/feed"),
        ("control", json!({ "feed": "fleet", "ttl": "30s", "keys": [] }), Code::UnknownField, "/control/keys"),
        (
            "control",
            json!({ "feed": "fleet", "ttl": "30s", "recover": { "oks": 0 } }),
            Code::InvalidValue,
            "/control/recover/oks",
        ),
    ] {
        assert_eq!(refused(|pack| pack[member] = value.clone()), (code, pointer.to_owned()), "{value}");
    }
    let signal = |value: Value| refused(move |pack| pack["signals"]["partners"] = value);
    assert_eq!(signal(json!({ "heartbeat": { "feed": "a" } })), (Code::MissingField, "/signals/partners".into()));
    assert_eq!(
        signal(json!({ "ttl": "1s", "heartbeat": { "feed": "" } })),
        (Code::InvalidName, "/signals/partners/heartbeat/feed".into())
    );
    assert_eq!(
        signal(json!({ "ttl": "1s", "heartbeat": { "feed": "a" }, "quorum": { "of": ["b"], "need": 1 } })),
        (Code::InvalidValue, "/signals/partners".into())
    );
    let reserved = refused(|pack| pack["signals"]["control"] = json!({ "ttl": "1s" }));
    assert_eq!(reserved, (Code::DuplicateName, "/signals/control".into()));
    let nobody = refused(|pack| {
        pack.as_object_mut().unwrap().remove("control");
    });
    assert_eq!(nobody, (Code::UnknownSignal, "/actions/read/requires/0".into()));
    let member = refused(|pack| {
        pack.as_object_mut().unwrap().remove("control");
        pack["actions"]["read"] = json!({});
        pack["signals"]["both"] = json!({ "ttl": "1s", "quorum": { "of": ["control", "b"], "need": 1 } });
    });
    assert_eq!(member, (Code::UnknownSignal, "/signals/both/quorum/of/0".into()));
}

#[test]
fn a_signal_that_is_ok_stays_so_while_the_next_message_is_taken() {
    let engine = engine();
    assert_eq!(fate(engine.apply(&beat(1, 1, 1_000), at(1_000))), "heard");
    crate::fleet::events(&engine);
    assert_eq!(fate(engine.apply(&beat(1, 2, 2_000), at(2_000))), "heard");
    assert_eq!(fate(engine.apply(&message(1, 3, 2_000, Some(enter("shut"))), at(2_000))), "done");
    assert_eq!(crate::fleet::events(&engine), ["posture_entered", "control_applied"]);
}
