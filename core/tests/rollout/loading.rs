//! What may be declared, staged and activated, and what is refused with its reason.

use fallgate::error::BundleError;
use serde_json::json;

use super::*;

fn refused(rollout: Value) -> BundleError {
    let mut document = pack(1);
    document["schema"]["subject"]["user"]["desk"] = json!({ "type": "string", "optional": true });
    document["rollout"] = rollout;
    Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap_err()
}

#[test]
fn shares_that_are_none_or_do_not_rise_are_refused_where_they_stand() {
    for (canary, pointer) in [
        (json!(["0%"]), "/rollout/canary/0"),
        (json!(["100.01%"]), "/rollout/canary/0"),
        (json!(["-1%"]), "/rollout/canary/0"),
        (json!(["NaN%"]), "/rollout/canary/0"),
        (json!(["inf%"]), "/rollout/canary/0"),
        (json!(["1"]), "/rollout/canary/0"),
        (json!([""]), "/rollout/canary/0"),
        (json!(["10%", "10%"]), "/rollout/canary/1"),
        (json!(["10%", "10.00%"]), "/rollout/canary/1"),
        (json!(["1%", "50%", "10%"]), "/rollout/canary/2"),
        (json!([0.5]), "/rollout/canary/0"),
    ] {
        let error = refused(json!({ "shadow": "1s", "canary": canary }));
        let first = &error.diagnostics()[0];
        assert_eq!(first.pointer, pointer, "{canary} {error}");
    }
}

#[test]
fn a_rollout_that_could_do_nothing_is_refused() {
    for (rollout, pointer) in [
        (json!({ "shadow": "0s" }), "/rollout/shadow"),
        (json!({ "shadow": "31d" }), "/rollout/shadow"),
        (json!({ "shadow": "1s", "canary": ["1%"], "hold": "0s" }), "/rollout/hold"),
        (json!({ "shadow": "1s", "hold": "1s" }), "/rollout/hold"),
        (json!({ "shadow": "1s", "sample": 0 }), "/rollout/sample"),
        (json!({ "shadow": "1s", "by": "subject.type" }), "/rollout/by"),
        (json!({ "shadow": "1s", "by": "subject.roles" }), "/rollout/by"),
        (json!({ "shadow": "1s", "by": "subject.desk" }), "/rollout/by"),
        (json!({ "shadow": "1s", "by": "subject.tem" }), "/rollout/by"),
        (json!({ "shadow": "1s", "by": "team" }), "/rollout/by"),
        (json!({ "shadow": "1s", "approvals": { "need": 1, "from": "nobody" } }), "/rollout/approvals/from"),
        (json!({ "shadow": "1s", "approvals": { "need": 0, "from": "owners" } }), "/rollout/approvals/need"),
        (json!({ "shadow": "1s", "newly_allows": ["*"] }), "/rollout/newly_allows/0"),
        (json!({ "shadow": "1s", "newly_allows": ["doc:raed"] }), "/rollout/newly_allows/0"),
        (json!({ "shadow": "1s", "roll_back_when": { "newly_denied": 0 } }), "/rollout/roll_back_when/newly_denied"),
        (
            json!({ "shadow": "1s", "roll_back_when": { "deny_rate_delta": 0.0 } }),
            "/rollout/roll_back_when/deny_rate_delta",
        ),
        (
            json!({ "shadow": "1s", "roll_back_when": { "deny_rate_delta": 1.5 } }),
            "/rollout/roll_back_when/deny_rate_delta",
        ),
        (json!({ "shadow": "1s", "roll_back_when": { "deny_rate": 0.1 } }), "/rollout/roll_back_when/deny_rate"),
        (json!({ "shadow": "1s", "roll_back_when": [1] }), "/rollout/roll_back_when"),
        (json!({ "shadow": "1s", "shadows": "1s" }), "/rollout/shadows"),
    ] {
        let error = refused(rollout.clone());
        let first = &error.diagnostics()[0];
        assert_eq!(first.pointer, pointer, "{rollout} {error}");
        assert!(first.help.is_some(), "{rollout}");
    }
}

#[test]
fn a_successor_is_staged_and_not_activated() {
    let engine = engine();
    assert_eq!(engine.activate(changed(2, |_| {}), secs(1)).unwrap_err().code(), "rollout_required");
    // The same bundle anew is no successor.
    engine.activate(compiled(&pack(1)), secs(1)).unwrap();
    engine.stage(changed(2, |_| {}), secs(1)).unwrap();
    assert_eq!(engine.stage(changed(3, |_| {}), secs(1)).unwrap_err().code(), "rollout_active");
    assert_eq!(engine.stage(changed(2, |_| {}), secs(1)).unwrap_err().code(), "rollout_active");
    // To activate the same anew ends the rollout.
    engine.activate(compiled(&pack(1)), secs(2)).unwrap();
    assert!(!engine.is_in_rollout());
}

#[test]
fn without_a_declared_rollout_nothing_is_staged() {
    let bare = |revision| {
        changed(revision, |pack| {
            pack.as_object_mut().unwrap().remove("rollout");
        })
    };
    let engine = Engine::new(Config::default());
    assert_eq!(engine.stage(bare(1), secs(0)).unwrap_err().code(), "no_rollout");
    engine.activate(bare(1), secs(0)).unwrap();
    assert_eq!(engine.stage(bare(2), secs(1)).unwrap_err().code(), "no_rollout");
    engine.activate(bare(2), secs(1)).unwrap();
}

#[test]
fn what_activation_refuses_staging_refuses_too() {
    let engine = engine();
    let stage = |bundle: Bundle| engine.stage(bundle, secs(1)).unwrap_err().code();
    assert_eq!(stage(compiled(&pack(1))), "already_active");
    assert_eq!(stage(changed(1, |pack| pack["description"] = json!("another"))), "same_revision");
    assert_eq!(stage(compiled(&pack(0))), "older_revision");
    assert_eq!(stage(changed(2, |pack| pack["name"] = json!("other"))), "other_name");
    assert_eq!(
        stage(changed(2, |pack| pack["valid"] = json!({ "until": "2020-01-01T00:00:00Z" }))),
        "outside_validity"
    );
    assert!(!engine.is_in_rollout());
}

#[test]
fn a_successor_with_another_state_is_refused_by_the_section() {
    let engine = engine();
    for (section, change) in [
        ("signals", json!({ "idp": { "ttl": "2h" } })),
        ("control", json!({ "feed": "fleet", "ttl": "30s" })),
        ("postures", json!([{ "name": "closed", "rank": 1, "permits": { "actions": ["doc:read"] }, "leave": {} }])),
    ] {
        let candidate = changed(2, |pack| pack[section] = change);
        let error = engine.stage(candidate, secs(1)).unwrap_err();
        assert_eq!(error.code(), "changes_state");
        assert!(error.to_string().contains(section), "{error}");
    }
}

#[test]
fn a_bundle_that_decides_no_more_demands_no_rollout() {
    let engine = Engine::new(Config::default());
    let first = changed(1, |pack| pack["valid"] = json!({ "until": "2026-01-01T01:00:00Z" }));
    engine.activate(first, secs(0)).unwrap();
    assert_eq!(engine.activate(changed(2, |_| {}), secs(3_599)).unwrap_err().code(), "rollout_required");
    engine.activate(changed(2, |_| {}), secs(3_600)).unwrap();
}

#[test]
fn a_clock_in_doubt_ends_no_demand() {
    let engine = Engine::new(Config::default());
    let first = changed(1, |pack| pack["valid"] = json!({ "until": "2026-01-01T01:00:00Z" }));
    engine.activate(first, secs(0)).unwrap();
    let skewed = Now::new(secs(1).monotonic, secs(7_200).wall);
    engine.advance(skewed);
    assert_eq!(engine.activate(changed(2, |_| {}), skewed).unwrap_err().code(), "rollout_required");
}

#[test]
fn operations_say_the_same() {
    let engine = engine();
    let text = |bundle: &Bundle| String::from_utf8(bundle.bytes().to_vec()).unwrap();
    let operate = |operation: Value, now: Now| {
        engine.operate_json(operation.to_string().as_bytes(), now).map_or_else(|error| error.code(), |_| "done")
    };
    let second = changed(2, |_| {});
    assert_eq!(operate(json!({ "activate": { "bundle": text(&second) } }), secs(1)), "rollout_required");
    assert_eq!(operate(json!({ "stage": { "bundle": "{" } }), secs(1)), "syntax");
    assert_eq!(operate(json!({ "promote": {} }), secs(1)), "no_candidate");
    assert_eq!(operate(json!({ "roll_back": {} }), secs(1)), "no_candidate");
    assert_eq!(operate(json!({ "stage": { "bundle": text(&second) } }), secs(1)), "done");
    read_by_many(&engine, secs(2));
    assert_eq!(operate(json!({ "promote": {} }), secs(2)), "done");
    assert_eq!(operate(json!({ "roll_back": {} }), secs(2)), "done");
    assert_eq!(operate(json!({ "roll_back": { "to": "1" } }), secs(2)), "never_active");
    assert_eq!(operate(json!({ "roll_back": { "to": second.id().to_string() } }), secs(2)), "never_active");
    assert_eq!(operate(json!({ "stage": { "bundel": "" } }), secs(2)), "malformed_operation");
}

#[test]
fn events_name_a_bundle_to_the_byte_and_keep_their_own_number() {
    let engine = engine();
    let active = engine.bundle().unwrap().id().to_string();
    let candidate = changed(2, |_| {});
    let staged = candidate.id().to_string();
    engine.stage(candidate, secs(1)).unwrap();
    let told: Vec<Value> = std::iter::from_fn(|| engine.poll_event()).map(|event| event.to_json()).collect();
    for (code, digest) in [("bundle_activated", active), ("rollout_staged", staged)] {
        let event = told.iter().find(|event| event["event"] == code).unwrap();
        assert_eq!(event["digest"], json!(digest), "{event}");
        assert!(event["id"].is_u64(), "{event}");
    }
}

/// The pack of that revision, valid until so many seconds after the start.
fn valid_until(revision: u64, seconds: u64) -> Bundle {
    changed(revision, |pack| pack["valid"] = json!({ "until": secs(seconds).wall.to_string() }))
}

#[test]
fn a_candidate_that_is_not_valid_is_neither_staged_nor_made_active() {
    let engine = engine();
    assert_eq!(engine.stage(valid_until(2, 5), secs(5)).unwrap_err().code(), "outside_validity");
    let candidate = valid_until(2, 60);
    engine.stage(candidate.clone(), secs(6)).unwrap();
    read_by_many(&engine, secs(6));
    approved(&engine, &json!({ "promote": { "bundle": candidate.id().to_string() } }), secs(7)).unwrap();
    for _ in 0..2 {
        read_by_many(&engine, secs(8));
        engine.promote(secs(8)).unwrap();
    }
    read_by_many(&engine, secs(9));
    // At its very end it is over: it stops, and the active bundle goes on deciding.
    assert!(engine.promote(secs(60)).is_err());
    assert_eq!(engine.bundle().unwrap().revision(), 1);
    assert_eq!(overview(&engine, secs(61))["stopped"], "outside_validity");
    read_by_many(&engine, secs(61));
    // Nor is one staged where the active bundle has ended, too.
    let ended = Engine::new(Config::default());
    ended.activate(valid_until(1, 5), secs(0)).unwrap();
    assert_eq!(ended.stage(valid_until(2, 4), secs(6)).unwrap_err().code(), "outside_validity");
}
