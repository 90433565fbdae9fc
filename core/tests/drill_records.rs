//! Drills hold audit records to what they say: what must be there, what is missing, and what no record may say.

// The lints that forbid a panic are for code in reach of input. A test panics to fail.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use fallgate::drill::Drill;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use serde_json::{Value, json};

fn bundle(audit: &Value) -> Bundle {
    let document = json!({
        "fallgate": 1, "name": "shop", "revision": 1,
        "schema": { "subject": { "user": { "email": "string" } }, "resource": { "order": {} } },
        "actions": { "order:read": { "audit": "required" } },
        "audit": audit,
        "rules": [{ "id": "all", "effect": "allow" }],
    });
    Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
}

fn ask() -> Value {
    json!({
        "subject": { "type": "user", "id": "ann", "properties": { "email": "ann@example.org" } },
        "action": { "name": "order:read" },
        "resource": { "type": "order", "id": "o-1" },
    })
}

/// Every failure of a drill with these steps.
fn failures(redact: &[&str], audit: &Value, steps: &Value) -> Vec<String> {
    let document = json!({ "drill": "records", "audit": audit, "steps": steps });
    let drill = Drill::from_document(&document, &Limits::DEFAULT).unwrap();
    let report = drill.run(&bundle(&json!({ "level": "all", "redact": redact })));
    report.steps.into_iter().flat_map(|step| step.failures).collect()
}

#[test]
fn a_record_that_says_what_it_must_not_fails_the_drill() {
    let steps = json!([
        { "at": "0s", "decide": ask() },
        { "at": "1s", "records": ["bundle/bundle_activated", "decision/allowed_by_rule"], "unsaid": ["ann@example.org"] },
    ]);
    assert_eq!(failures(&["subject.email"], &json!({}), &steps), Vec::<String>::new());
    let found = failures(&[], &json!({}), &steps);
    assert!(found.len() == 1 && found[0].ends_with("says `ann@example.org`"), "{found:?}");
}

#[test]
fn a_drill_says_how_many_records_there_is_room_for() {
    // Two records of the bundle, two decisions, one place for the gap; two decisions more find no room.
    let steps = |gap: &str| {
        json!([
            { "at": "0s", "decide": ask(), "repeat": 2, "expect": { "reason": "allowed_by_rule" } },
            { "at": "1s", "decide": ask(), "repeat": 2, "expect": { "reason": "audit_unavailable" } },
            { "at": "2s", "records": [gap] },
            { "at": "3s", "decide": ask(), "expect": { "reason": "allowed_by_rule" } },
        ])
    };
    let room = json!({ "room": 5 });
    assert_eq!(failures(&[], &room, &steps("gap/2")), Vec::<String>::new());
    assert_eq!(failures(&[], &room, &steps("gap/3")), ["record gap/3: expected in this order, not found"]);
    assert_eq!(failures(&[], &json!({}), &steps("gap/2")).len(), 3, "with the room of an ordinary engine");
}

#[test]
fn a_drill_gives_the_key_of_what_is_redacted() {
    let steps = json!([{ "at": "0s", "decide": ask() }, { "at": "1s", "unsaid": [r#""redacted":true"#] }]);
    let key = json!({ "key": "5a".repeat(32) });
    assert_eq!(failures(&["subject.email"], &key, &steps), Vec::<String>::new());
    assert_eq!(failures(&["subject.email"], &json!({}), &steps).len(), 1, "without a key nothing is left");
    for wrong in ["", "5a", "no key at all"] {
        let document = json!({ "drill": "records", "audit": { "key": wrong }, "steps": [] });
        let error = Drill::from_document(&document, &Limits::DEFAULT).unwrap_err();
        assert_eq!((error.code.as_str(), &*error.pointer), ("invalid_value", "/audit/key"), "{wrong}");
    }
}

#[test]
fn an_engine_that_is_restarted_has_a_chain_of_its_own() {
    let steps = json!([
        { "at": "0s", "decide": ask() },
        { "at": "1s", "records": ["decision/allowed_by_rule"] },
        { "at": "2s", "restart": {} },
        { "at": "3s", "decide": ask() },
        { "at": "4s", "records": ["bundle/bundle_activated", "state/state_restored", "decision/allowed_by_rule"] },
    ]);
    assert_eq!(failures(&[], &json!({}), &steps), Vec::<String>::new());
}
