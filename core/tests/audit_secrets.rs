//! No secret of a request stands in a record: a mark in every place that a pack redacts, and in what repeats it.

// The lints that forbid a panic are for code in reach of input. A test panics to fail.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Engine};
use serde_json::{Value, json};

const NOW: Now = Now::new(Monotonic::ZERO, Wall::from_millis(1_767_225_600_000));
const MARK: &str = "m4rk-of-a-secret";

/// An engine of a pack whose rule quotes the request.
fn engine(key: Option<[u8; 32]>) -> Engine {
    let rego = "package shop\nimport rego.v1\ndeny contains msg if {\n  some where in [input.subject, input.context, input.resource]\n  \
                some name, value in where.properties\n  msg := sprintf(\"%s has %v\", [name, value])\n}\n\
                deny contains msg if {\n  some name, value in input.context\n  msg := sprintf(\"%s is %v\", [name, value])\n}\n";
    let document = json!({
        "fallgate": 1, "name": "shop", "revision": 1,
        "schema": {
            "subject": { "user": { "email": { "type": "string", "optional": true } } },
            "resource": { "order": { "lines": { "type": "any", "optional": true } } },
            "context": {
                "note": { "type": "any", "optional": true },
                "token": { "type": "any", "optional": true },
                "pins": { "type": "any", "optional": true },
            },
        },
        "actions": { "order:read": {} },
        "rules": [
            { "id": "all", "effect": "allow" },
            { "id": "rego", "effect": "deny", "when": { "rego": "data.shop.deny" } },
        ],
        "rego": { "shop.rego": rego },
        "audit": {
            "level": "all",
            "redact": ["subject.email", "context.token", "resource.lines.*.card"],
            "commit": ["context.pins.*"],
        },
    });
    let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    let mut config = Config::default();
    config.audit_key = key;
    let engine = Engine::new(config);
    engine.activate(bundle, NOW).unwrap();
    engine
}

fn request() -> Value {
    json!({
        "subject": { "type": "user", "id": "ann", "properties": { "email": MARK } },
        "action": { "name": "order:read" },
        "resource": { "type": "order", "id": "o-1", "properties": { "lines": [{ "card": MARK }, { "sku": "s" }] } },
        "context": { "token": { "redacted": MARK }, "pins": { "first": MARK }, "note": "none" },
    })
}

/// The records of one decision on the request.
fn records(request: &Value, key: Option<[u8; 32]>) -> String {
    let engine = engine(key);
    let decision = engine.decide_json(request.to_string().as_bytes(), NOW);
    let lines = engine.drain_audit(100, NOW).lines;
    assert_eq!(lines.len(), 3, "two of the activation, and the decision: {lines:?}");
    let record: Value = serde_json::from_str(&lines[2]).unwrap();
    assert_eq!(record["body"]["decision"]["context"]["reason"], decision.reason().code());
    lines.concat()
}

#[test]
fn a_rule_that_quotes_the_request_gives_no_secret_away() {
    for key in [None, Some([4; 32])] {
        let engine = engine(key);
        let decision = engine.decide_json(request().to_string().as_bytes(), NOW);
        assert!(decision.messages().iter().any(|message| message.contains(MARK)), "the rule quotes: {decision:?}");
        assert!(!records(&request(), key).contains(MARK));
    }
}

#[test]
fn a_secret_that_other_places_repeat_is_found_there() {
    for place in ["/subject/id", "/resource/id", "/context/note"] {
        for around in ["", "x-"] {
            let mut request = request();
            *request.pointer_mut(place).unwrap() = format!("{around}{MARK}").into();
            let records = records(&request, Some([4; 32]));
            assert!(!records.contains(MARK), "{place}: {records}");
        }
    }
    let mut named = request();
    named["context"]["fallgate"] = json!({ "request_id": MARK });
    named["context"]["note"] = json!({ MARK: [MARK] });
    let records = records(&named, Some([4; 32]));
    assert!(!records.contains(MARK), "{records}");
}

#[test]
fn a_secret_inside_a_list_is_found_elsewhere_too() {
    let mut request = request();
    request["subject"]["properties"] = json!({});
    request["resource"]["properties"] = json!({});
    request["context"] =
        json!({ "token": [["deep", MARK], { "pin": 987_654_321 }], "note": format!("{MARK} 987654321") });
    let said = records(&request, None);
    assert!(!said.contains(MARK) && !said.contains("987654321"), "{said}");
    // Names that are alike without their secrets are still two members.
    request["context"]["note"] = json!({ MARK: 1, "[redacted]": 2 });
    let said = records(&request, None);
    assert!(!said.contains(MARK), "{said}");
    assert!(said.contains(r#"{"[redacted]":"#) && said.contains(r#""[redacted]'":"#), "{said}");
    // More secrets than are looked for one by one: every text goes.
    let many: Vec<String> = (0..100).map(|number| format!("secret-{number}")).collect();
    request["context"] = json!({ "token": many, "note": "nothing of them" });
    let said = records(&request, None);
    assert!(!said.contains("secret-") && !said.contains("nothing of them"), "{said}");
}

#[test]
fn who_chooses_an_attribute_cannot_conceal_what_the_engine_said() {
    for word in ["decision", "reason", "context", "denied_by_rule", "rego", "1", "shop", "false"] {
        let mut request = request();
        request["subject"]["properties"]["email"] = word.into();
        let records = records(&request, Some([4; 32]));
        assert!(records.contains(r#""reason":"denied_by_rule""#), "{word}: {records}");
        assert!(records.contains(r#""rule":"rego""#) && records.contains(r#""revision":1"#), "{word}: {records}");
    }
}

#[test]
fn a_config_that_is_printed_shows_no_key() {
    let mut config = Config::default();
    config.audit_key = Some([0xB3; 32]);
    config.key = [0xB3; 16];
    assert!(!format!("{config:?}").contains("179"), "{config:?}");
}
