//! Who may speak for a feed, and that nothing else is taken for his word.

use fallgate::condition::Status;
use fallgate::error::Code;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::policy::trust::envelope;
use fallgate::policy::trust::root::TrustRoot;
use fallgate::{Config, Engine};
use serde_json::{Value, json};

use crate::fleet::{
    APPROVER, CONTROLLER, OWNER, PARTNER, SPARE, at, beat, canonical, control, engine, engine_with, enter, entry,
    events, fate, message, pack, payload, quarantine, root_form, signed_as, wall,
};

/// What becomes of a payload that these keys have signed as a control message, and that it has no effect.
fn refusal(payload: &[u8], keys: &[u8]) -> String {
    let engine = engine();
    let code = fate(engine.apply(&signed_as(envelope::CONTROL, payload, keys), at(1_000)));
    assert_eq!(control(&engine), Status::Unknown);
    assert_eq!(engine.posture(None).as_deref(), Some("normal"));
    code
}

#[test]
fn no_byte_of_a_message_can_change_and_none_be_missing() {
    let message = message(1, 1, 1_000, Some(enter("shut")));
    let engine = engine();
    for at_byte in 0..message.len() {
        for flip in [0x01, 0x20, 0x80] {
            let mut altered = message.clone();
            altered[at_byte] ^= flip;
            assert!(engine.apply(&altered, at(1_000)).is_err(), "byte {at_byte}, {flip:#x}");
        }
        assert!(engine.apply(&message[..at_byte], at(1_000)).is_err(), "cut at {at_byte}");
    }
    assert_eq!(engine.posture(None).as_deref(), Some("normal"));
    assert_eq!(control(&engine), Status::Unknown);
    assert_eq!(engine.overview(at(1_000))["feeds"], json!([]), "nobody's word is remembered");
    assert_eq!(fate(engine.apply(&message, at(1_000))), "done");
}

#[test]
fn noise_is_counted_and_told_a_little() {
    let engine = engine();
    events(&engine);
    for _ in 0..1_000 {
        assert!(engine.apply(b"noise", at(1_000)).is_err());
    }
    assert_eq!(events(&engine), ["control_refused"; 10]);
    let metrics = engine.metrics();
    let refused = "fallgate_control_messages_total{feed=\"\",outcome=\"refused\"}";
    assert_eq!(metrics.value(refused), Some(1_000.0));
    assert!(engine.apply(b"noise", at(61_000)).is_err());
    let told = engine.poll_event().unwrap().to_json();
    assert_eq!((&told["code"], &told["untold"]), (&json!("syntax"), &json!(990)));
}

#[test]
fn only_the_keys_of_a_feed_speak_for_it() {
    let beat = canonical(&payload("fleet", 1, 1, 1_000, None));
    assert_eq!(refusal(&beat, &[OWNER]), "unknown_key", "who writes policy is no controller");
    assert_eq!(refusal(&beat, &[APPROVER]), "unknown_key");
    assert_eq!(refusal(&beat, &[PARTNER]), "control_untrusted", "another feed's");
    assert_eq!(refusal(&beat, &[]), "stripped");
    let nowhere = canonical(&payload("nowhere", 1, 1, 1_000, None));
    assert_eq!(refusal(&nowhere, &[CONTROLLER]), "control_untrusted");
    // One key more that is nobody's spoils nothing.
    let engine = engine();
    let both = signed_as(envelope::CONTROL, &beat, &[CONTROLLER, APPROVER]);
    assert_eq!(fate(engine.apply(&both, at(1_000))), "heard");
}

#[test]
fn without_a_role_nobody_speaks() {
    let unsigned = Engine::new(Config::default());
    assert_eq!(fate(unsigned.apply(&beat(1, 1, 1_000), at(1_000))), "control_untrusted");
    let mut form = root_form();
    form.as_object_mut().unwrap().remove("control");
    let engine = engine_with(&pack(1), &form);
    assert_eq!(fate(engine.apply(&beat(1, 1, 1_000), at(1_000))), "control_untrusted");
    assert_eq!(control(&engine), Status::Unknown);
}

#[test]
fn as_many_must_sign_as_the_root_asks_for_each_in_its_time() {
    let beat = canonical(&payload("fleet", 1, 1, 1_000, None));
    let with = |change: &dyn Fn(&mut Value)| {
        let mut form = root_form();
        change(&mut form["control"]["fleet"]);
        form
    };
    let apply = |form: &Value, keys: &[u8]| {
        let engine = engine_with(&pack(1), form);
        fate(engine.apply(&signed_as(envelope::CONTROL, &beat, keys), at(1_000)))
    };
    let two = with(&|role| role["threshold"] = 2.into());
    assert_eq!(apply(&two, &[CONTROLLER]), "under_signed");
    assert_eq!(apply(&two, &[CONTROLLER, APPROVER]), "unknown_key");
    assert_eq!(apply(&two, &[CONTROLLER, SPARE]), "heard");
    let bounded = |name: &str, millis: i64| {
        with(&|role| {
            let keys = role["keys"].as_array_mut().unwrap();
            for key in keys {
                key["valid"] = json!({ name: wall(millis).to_string() });
            }
        })
    };
    assert_eq!(apply(&bounded("until", 1_000), &[CONTROLLER]), "key_expired");
    assert_eq!(apply(&bounded("until", 1_001), &[CONTROLLER]), "heard");
    assert_eq!(apply(&bounded("from", 1_001), &[CONTROLLER]), "key_not_yet_valid");
    assert_eq!(apply(&bounded("from", 1_000), &[CONTROLLER]), "heard");
    // A clock that is not to be trusted ends what it bounds.
    let engine = engine_with(&pack(1), &bounded("until", 86_400_000));
    let parted = fallgate::time::Now::new(fallgate::time::Monotonic::from_millis(1_000), wall(3_600_000));
    assert_eq!(fate(engine.apply(&signed_as(envelope::CONTROL, &beat, &[CONTROLLER]), parted)), "key_expired");
}

#[test]
fn what_was_signed_as_something_else_is_no_message_and_the_reverse() {
    let engine = engine();
    let beat = canonical(&payload("fleet", 1, 1, 1_000, None));
    for other in [envelope::BUNDLE, envelope::TRUST, "application/vnd.fallgate.proposal+json"] {
        let signed = signed_as(other, &beat, &[CONTROLLER, OWNER]);
        assert_eq!(fate(engine.apply(&signed, at(1_000))), "wrong_payload_type", "{other}");
    }
    let bundle = canonical(&pack(2));
    let as_control = signed_as(envelope::CONTROL, &bundle, &[CONTROLLER, OWNER]);
    assert_eq!(engine.activate_signed(&as_control, at(1_000)).unwrap_err().code(), "wrong_payload_type");
    assert_eq!(fate(engine.apply(&as_control, at(1_000))), "control_malformed");
    assert!(engine.rotate_trust(&as_control, at(1_000)).is_err());
    // And a controller's key writes no policy.
    let by_controller = signed_as(envelope::BUNDLE, &bundle, &[CONTROLLER]);
    assert_eq!(engine.activate_signed(&by_controller, at(1_000)).unwrap_err().code(), "unknown_key");
    let by_controller = signed_as(envelope::TRUST, &canonical(&root_form()), &[CONTROLLER]);
    assert!(engine.rotate_trust(&by_controller, at(1_000)).is_err());
    let _ =
        Bundle::from_signed(&as_control, &Trust::unsigned_for_development(), &Limits::DEFAULT, wall(0)).unwrap_err();
}

#[test]
fn what_is_not_exactly_a_message_is_refused() {
    let good = payload("fleet", 1, 1, 1_000, Some(enter("shut")));
    let changed = |member: &str, value: Value| {
        let mut message = good.clone();
        message[member] = value;
        refusal(&canonical(&message), &[CONTROLLER])
    };
    for (member, value) in [
        ("fallgate", json!("control/2")),
        ("fallgate", json!("proposal/1")),
        ("feed", json!("")),
        ("feed", json!("the fleet")),
        ("feed", json!("x".repeat(64))),
        ("epoch", json!(0)),
        ("epoch", json!(-1)),
        ("epoch", json!(1.5)),
        ("epoch", json!("1")),
        ("sequence", json!(0)),
        ("sequence", json!(1_u64 << 53)),
        ("sequence", Value::Null),
        ("at", json!("yesterday")),
        ("at", json!(1_767_225_600)),
        ("heartbeat", json!({})),
        ("operation", json!({})),
        ("operation", json!(["enter_posture"])),
        ("operation", json!({ "enter_posture": ["shut"] })),
        ("operation", json!({ "enter_posture": { "posture": "shut", "scop": "a" } })),
        ("operation", json!({ "enter_posture": { "posture": "shut" }, "leave_posture": { "posture": "shut" } })),
        ("operation", json!({ "revoke": { "type": "user", "id": "ann", "before": "5s" } })),
        ("also", json!(1)),
    ] {
        assert_eq!(changed(member, value.clone()), "control_malformed", "{member}: {value}");
    }
    let mut neither = good.clone();
    neither.as_object_mut().unwrap().remove("operation");
    assert_eq!(refusal(&canonical(&neither), &[CONTROLLER]), "control_malformed");
    neither["heartbeat"] = json!({ "more": 1 });
    assert_eq!(refusal(&canonical(&neither), &[CONTROLLER]), "control_malformed");
    let text = String::from_utf8(canonical(&good)).unwrap();
    for spelling in [
        format!(" {text}"),
        text.replace(r#""epoch":1,"#, r#""epoch":1,"epoch":1,"#),
        text.replace(r#""epoch":1"#, r#""epoch":1.0"#),
        text.replacen('{', "[", 1),
        String::new(),
        "null".to_owned(),
    ] {
        assert_eq!(refusal(spelling.as_bytes(), &[CONTROLLER]), "control_malformed", "{spelling}");
    }
}

#[test]
fn what_is_no_controllers_to_say_is_refused_and_the_number_stays_free() {
    for operation in [
        json!({ "export_state": {} }),
        json!({ "restore_state": { "state": "" } }),
        json!({ "take_over": {} }),
        json!({ "resign": {} }),
        json!({ "witness_epoch": { "epoch": 9, "instance": "a" } }),
        json!({ "metrics": {} }),
        json!({ "slis": {} }),
        json!({ "drain_audit": {} }),
        json!({ "acknowledge_audit": { "seq": 9 } }),
        json!({ "checkpoint": {} }),
        json!({ "report_attempts": { "count": 1 } }),
        json!({ "acquire": { "signal": "partners" } }),
        json!({ "force_open": { "signal": "partners" } }),
        json!({ "apply": { "message": "{}" } }),
    ] {
        let payload = canonical(&payload("fleet", 1, 1, 1_000, Some(operation.clone())));
        assert_eq!(refusal(&payload, &[CONTROLLER]), "control_not_admitted", "{operation}");
    }
    let engine = engine();
    let refused = message(1, 1, 1_000, Some(json!({ "metrics": {} })));
    assert_eq!(fate(engine.apply(&refused, at(1_000))), "control_not_admitted");
    assert_eq!(fate(engine.apply(&message(1, 1, 1_000, Some(quarantine("ann"))), at(1_000))), "done");
}

#[test]
fn a_role_that_cannot_be_filled_is_no_role() {
    for (change, code, pointer) in [
        (json!({ "threshold": 0, "keys": [entry(CONTROLLER)] }), Code::InvalidValue, "/control/fleet/threshold"),
        (json!({ "threshold": 2, "keys": [entry(CONTROLLER)] }), Code::InvalidValue, "/control/fleet/threshold"),
        (
            json!({ "threshold": 1, "keys": [entry(CONTROLLER), entry(CONTROLLER)] }),
            Code::DuplicateName,
            "/control/fleet/keys",
        ),
        (json!({ "threshold": 1, "keys": [] }), Code::InvalidValue, "/control/fleet/threshold"),
        (json!({ "keys": [entry(CONTROLLER)] }), Code::MissingField, "/control/fleet"),
        (json!([1, []]), Code::InvalidValue, "/control/fleet"),
    ] {
        let mut form = root_form();
        form["control"]["fleet"] = change.clone();
        let error = TrustRoot::from_json(&canonical(&form), &Limits::DEFAULT).unwrap_err();
        assert_eq!((error.code, error.pointer.as_str()), (code, pointer), "{change}");
    }
    let mut form = root_form();
    form["control"]["the fleet"] = form["control"]["fleet"].clone();
    assert_eq!(TrustRoot::from_json(&canonical(&form), &Limits::DEFAULT).unwrap_err().code, Code::InvalidName);
    let mut limits = Limits::DEFAULT;
    limits.control_feeds_max = 1;
    assert_eq!(TrustRoot::from_json(&canonical(&root_form()), &limits).unwrap_err().code, Code::LimitExceeded);
    let mut limits = Limits::DEFAULT;
    limits.trust_keys_max = 3;
    assert_eq!(TrustRoot::from_json(&canonical(&root_form()), &limits).unwrap_err().code, Code::LimitExceeded);
    let mut revoked = root_form();
    revoked["revoked"] = json!({ "keys": [entry(PARTNER)["id"]] });
    let error = TrustRoot::from_json(&canonical(&revoked), &Limits::DEFAULT).unwrap_err();
    assert_eq!(error.pointer, "/control/partners/threshold");
}

#[test]
fn what_a_controller_does_is_recorded() {
    let engine = engine();
    assert_eq!(fate(engine.apply(&message(1, 1, 1_000, Some(enter("shut"))), at(1_000))), "done");
    assert_eq!(fate(engine.apply(&beat(1, 2, 1_000), at(1_000))), "heard");
    assert_eq!(fate(engine.apply(&beat(1, 9, 1_000), at(1_000))), "control_gap");
    let lines = engine.drain_audit(100, at(1_000)).lines;
    let records: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said: Vec<(&str, &str)> = records
        .iter()
        .filter(|record| record["kind"] == "control")
        .map(|record| (record["body"]["event"].as_str().unwrap(), record["body"]["feed"].as_str().unwrap()))
        .collect();
    let expected = [("control_began", "fleet"), ("control_applied", "fleet"), ("control_refused", "fleet")];
    assert_eq!(said, expected, "a heartbeat that changes nothing leaves no record");
}

#[test]
fn an_engine_whose_root_is_behind_hears_nobody() {
    let mut next = root_form();
    next["version"] = json!(2);
    next["revoked"] = json!({ "keys": [entry(CONTROLLER)["id"]] });
    let ahead = engine_with(&pack(1), &next);
    let state = ahead.export_state(at(0)).unwrap();
    let behind = engine();
    assert_eq!(behind.restore_state(&state, None, at(1_000)).unwrap_err().code(), "state_trust_behind");
    // By the root that it holds the key counts; by the one that it had, it is stolen.
    assert_eq!(fate(behind.apply(&message(1, 1, 1_000, Some(quarantine("ann"))), at(1_000))), "older_trust");
    assert_eq!(fate(behind.apply(&beat(1, 1, 1_000), at(1_000))), "older_trust");
    assert_eq!(control(&behind), Status::Unknown);
}
