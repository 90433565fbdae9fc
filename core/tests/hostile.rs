//! Bundles that are broken, hostile or huge: an error that names the place and the repair, never a policy.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

use fallgate::error::{BundleError, Code};
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use serde_json::{Value, json};

fn load(document: &Value) -> Result<Bundle, BundleError> {
    Bundle::from_document(document, &Trust::unsigned_for_development(), &Limits::DEFAULT)
}

fn good() -> Value {
    json!({
        "fallgate": 1, "name": "shop", "revision": 1,
        "signals": {"idp": {"ttl": "10s"}},
        "schema": {"subject": {"user": {"roles": ["string"], "level": "int"}}, "resource": {"item": {"owner": "string"}}},
        "actions": {"buy": {"requires": ["idp"]}, "look": {}},
        "rules": [{"id": "a", "effect": "allow", "action": "buy", "subject": {"type": "user", "roles": "customer"},
                   "when": "subject.level > 1"}],
    })
}

/// The first mistake of the good pack with one member set: its code and its place.
fn mistake(pointer: &str, value: Value) -> (Code, String) {
    let mut document = good();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(items) if name == "-" => items.push(value),
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        parent => parent[name] = value,
    }
    let error = load(&document).expect_err(pointer);
    let first = &error.diagnostics()[0];
    assert!(!first.message.contains('\n'), "{first}");
    (first.code, first.pointer.clone())
}

#[test]
fn the_pack_that_the_others_are_made_from_is_good() {
    load(&good()).unwrap();
}

/// Found by the fuzz target `bundle_json`.
#[test]
fn a_message_is_one_line_whatever_the_word_is_that_it_names() {
    for effect in ["de`, expected \n", "a\nb", "a\u{1b}[2J", &"x\n".repeat(1_000)] {
        let mut document = good();
        document["rules"] = json!([{ "id": "r", "effect": effect }]);
        let error = load(&document).unwrap_err();
        let found = error.diagnostics().first().unwrap();
        assert_eq!((found.code, found.pointer.as_str()), (Code::InvalidValue, "/rules/0/effect"));
        assert!(found.message.ends_with("expected `deny` or `allow`"), "{}", found.message);
        assert!(!found.message.contains(char::is_control) && found.message.len() < 300, "{}", found.message);
    }
}

#[test]
fn a_mistake_is_named_with_its_place() {
    let cases: Vec<(&str, Value, Code, &str)> = vec![
        ("/fallgate", json!(2), Code::InvalidValue, "/fallgate"),
        ("/name", json!(""), Code::InvalidName, "/name"),
        ("/name", json!("x".repeat(64)), Code::InvalidName, "/name"),
        ("/name", json!("a\u{0}b"), Code::InvalidName, "/name"),
        ("/revision", json!(-1), Code::InvalidValue, "/revision"),
        ("/revision", json!(1.5), Code::InvalidValue, "/revision"),
        ("/approvers", json!({"sre": {}}), Code::InvalidValue, "/approvers/sre"),
        ("/approvers", json!({"sre": {"a": "ed25519:"}}), Code::InvalidKey, "/approvers/sre/a"),
        ("/approvers", json!({"sre": []}), Code::InvalidValue, "/approvers/sre"),
        (
            "/overrides",
            json!({"need": 1, "from": "sre", "max_window": "1h", "max_uses": 1}),
            Code::UnknownGroup,
            "/overrides/from",
        ),
        ("/rollout", json!({}), Code::MissingField, "/rollout"),
        ("/actoins", json!({}), Code::UnknownField, "/actoins"),
        ("/actions/buy/requries", json!(["idp"]), Code::UnknownField, "/actions/buy/requries"),
        ("/actions/buy/requires", json!(["ipd"]), Code::UnknownSignal, "/actions/buy/requires/0"),
        (
            "/actions/buy/on_failure",
            json!({"allow": {"justification": " "}}),
            Code::InvalidValue,
            "/actions/buy/on_failure/allow/justification",
        ),
        (
            "/actions/buy/on_failure",
            json!({"serve_cached": {"max_stale": "5m"}}),
            Code::InvalidValue,
            "/actions/buy/on_failure",
        ),
        ("/actions/look/on_failure", json!("minimal"), Code::InvalidValue, "/actions/look/on_failure"),
        (
            "/actions/buy",
            json!({"protected": true, "requires": ["idp"], "on_failure": {"allow": {"justification": "x"}}}),
            Code::FailOpenProtected,
            "/actions/buy/on_failure",
        ),
        ("/signals/idp", json!({"ttl": "10"}), Code::InvalidValue, "/signals/idp/ttl"),
        ("/signals/idp", json!({"ttl": "10s", "recover": {"oks": 0}}), Code::InvalidValue, "/signals/idp/recover/oks"),
        ("/signals/clock", json!({"ttl": "10s"}), Code::DuplicateName, "/signals/clock"),
        (
            "/signals/q",
            json!({"ttl": "1s", "quorum": {"of": ["a", "b"], "need": 3}}),
            Code::InvalidValue,
            "/signals/q/quorum/need",
        ),
        (
            "/signals/q",
            json!({"ttl": "1s", "quorum": {"of": ["a"], "need": 0}}),
            Code::InvalidValue,
            "/signals/q/quorum/need",
        ),
        (
            "/signals/q",
            json!({"ttl": "1s", "quorum": {"of": ["a", "a"], "need": 1}}),
            Code::DuplicateName,
            "/signals/q/quorum/of/1",
        ),
        (
            "/signals/q",
            json!({"ttl": "1s", "quorum": {"of": ["q"], "need": 1}}),
            Code::SignalCycle,
            "/signals/q/quorum/of/0",
        ),
        ("/signals/g", json!({}), Code::MissingField, "/signals/g"),
        ("/signals/g", json!({"quorum": {"of": ["a", "b"], "need": 1}}), Code::MissingField, "/signals/g"),
        ("/signals/g", json!({"breaker": {}, "bulkhead": {"concurrent": 1}}), Code::InvalidValue, "/signals/g"),
        ("/signals/g", json!({"breaker": {}, "recover": {"oks": 2}}), Code::InvalidValue, "/signals/g/recover"),
        ("/signals/g", json!({"breaker": {}, "ttl": "0s"}), Code::InvalidValue, "/signals/g/ttl"),
        ("/signals/g", json!({"breaker": []}), Code::InvalidValue, "/signals/g/breaker"),
        ("/signals/g", json!({"breaker": {"windw": 20}}), Code::UnknownField, "/signals/g/breaker/windw"),
        ("/signals/g", json!({"breaker": {"window": 0}}), Code::InvalidValue, "/signals/g/breaker/window"),
        ("/signals/g", json!({"breaker": {"window": 100_001}}), Code::InvalidValue, "/signals/g/breaker/window"),
        ("/signals/g", json!({"breaker": {"window": "0s"}}), Code::InvalidValue, "/signals/g/breaker/window"),
        ("/signals/g", json!({"breaker": {"minimum": 21}}), Code::InvalidValue, "/signals/g/breaker/minimum"),
        ("/signals/g", json!({"breaker": {"failure_rate": 0}}), Code::InvalidValue, "/signals/g/breaker/failure_rate"),
        (
            "/signals/g",
            json!({"breaker": {"failure_rate": 1.1}}),
            Code::InvalidValue,
            "/signals/g/breaker/failure_rate",
        ),
        (
            "/signals/g",
            json!({"breaker": {"failure_rate": 0.0005}}),
            Code::InvalidValue,
            "/signals/g/breaker/failure_rate",
        ),
        ("/signals/g", json!({"breaker": {"slow_rate": 0.5}}), Code::InvalidValue, "/signals/g/breaker/slow_rate"),
        ("/signals/g", json!({"breaker": {"open_for": "0s"}}), Code::InvalidValue, "/signals/g/breaker/open_for"),
        (
            "/signals/g",
            json!({"breaker": {"half_open_probes": 0}}),
            Code::InvalidValue,
            "/signals/g/breaker/half_open_probes",
        ),
        ("/signals/g", json!({"bulkhead": {"concurrent": 0}}), Code::InvalidValue, "/signals/g/bulkhead"),
        ("/signals/g", json!({"limiter": {"calls": 1, "per": "0s"}}), Code::InvalidValue, "/signals/g/limiter"),
        ("/signals/g", json!({"retry": {"transient": []}}), Code::InvalidValue, "/signals/g/retry/transient"),
        ("/signals/g", json!({"retry": {"transient": ["a", "a"]}}), Code::InvalidValue, "/signals/g/retry/transient"),
        (
            "/signals/g",
            json!({"retry": {"transient": ["a"], "budget": 2}}),
            Code::InvalidValue,
            "/signals/g/retry/budget",
        ),
        ("/signals/g", json!({"retry": {"transient": ["a"], "retries": 0}}), Code::InvalidValue, "/signals/g/retry"),
        ("/signals/g", json!({"replay_guard": {"window": "0s"}}), Code::InvalidValue, "/signals/g/replay_guard"),
        (
            "/valid",
            json!({"from": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}),
            Code::InvalidWindow,
            "/valid",
        ),
        ("/valid", json!({"from": "yesterday"}), Code::InvalidValue, "/valid/from"),
        ("/schema/subject/user/id", json!("string"), Code::InvalidValue, "/schema/subject/user/id"),
        ("/schema/subject/user/level", json!("integer"), Code::InvalidValue, "/schema/subject/user/level"),
        (
            "/schema/subject/user/level",
            json!({"type": "int", "default": "x"}),
            Code::TypeMismatch,
            "/schema/subject/user/level/default",
        ),
        (
            "/schema/subject/user/level",
            json!({"type": "int", "optoinal": true}),
            Code::UnknownField,
            "/schema/subject/user/level/optoinal",
        ),
        ("/rules/-", json!(["b", "allow"]), Code::InvalidValue, "/rules/1"),
        ("/actions/buy", json!([]), Code::InvalidValue, "/actions/buy"),
        ("/rules/0/when", json!(["data.a.b"]), Code::InvalidValue, "/rules/0/when"),
        ("/rules/0/effect", json!("permit"), Code::InvalidValue, "/rules/0/effect"),
        ("/rules/0/absolute", json!(true), Code::InvalidValue, "/rules/0/absolute"),
        ("/rules/0/action", json!("byu"), Code::UnknownAction, "/rules/0/action"),
        ("/rules/0/action", json!(["buy", "sell*"]), Code::UnknownAction, "/rules/0/action/1"),
        ("/rules/0/action", json!([]), Code::InvalidValue, "/rules/0/action"),
        ("/rules/0/subject/type", json!("usr"), Code::UnknownAttribute, "/rules/0/subject/type"),
        ("/rules/0/subject/role", json!("x"), Code::UnknownAttribute, "/rules/0/subject/role"),
        ("/rules/0/subject/roles", json!(5), Code::TypeMismatch, "/rules/0/subject/roles"),
        ("/rules/0/subject/roles", json!([]), Code::InvalidValue, "/rules/0/subject/roles"),
        ("/rules/0/subject/roles", json!({"suffix": "x"}), Code::InvalidValue, "/rules/0/subject/roles"),
        ("/rules/-", json!({"id": "a", "effect": "deny"}), Code::DuplicateName, "/rules/1/id"),
        ("/rules/-", json!({"id": "b", "effect": "deny", "minimal": true}), Code::InvalidValue, "/rules/1/minimal"),
        ("/rules/-", json!({"id": "b"}), Code::MissingField, "/rules/1"),
        ("/rules/0/when", json!("subject.levle > 1"), Code::UnknownAttribute, "/rules/0/when"),
        ("/rules/0/when", json!("subject.level > 'x'"), Code::TypeMismatch, "/rules/0/when"),
        ("/rules/0/when", json!("subject.level +"), Code::ConditionSyntax, "/rules/0/when"),
        ("/rules/0/when", json!("subject.level"), Code::ConditionNotBoolean, "/rules/0/when"),
        ("/rules/0/when", json!({"rego": "data.shop.allow"}), Code::RegoEntryPoint, "/rules/0/when/rego"),
    ];
    for (pointer, value, code, place) in cases {
        assert_eq!(mistake(pointer, value.clone()), (code, place.to_owned()), "{pointer} = {value}");
    }
}

#[test]
fn a_near_miss_is_answered_with_what_was_meant() {
    let mut document = good();
    document["actions"]["buy"]["requries"] = json!(["idp"]);
    let error = load(&document).unwrap_err();
    assert_eq!(error.diagnostics()[0].help.as_deref(), Some("did you mean `requires`?"));
}

#[test]
fn all_mistakes_are_told_at_once() {
    let mut document = good();
    document["actions"]["buy"]["requires"] = json!(["ipd"]);
    document["rules"][0]["action"] = json!("byu");
    document["rules"][0]["subject"]["type"] = json!("usr");
    assert!(load(&document).unwrap_err().diagnostics().len() >= 3);
}

#[test]
fn bytes_that_are_no_bundle_are_refused() {
    let trust = Trust::unsigned_for_development();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let twice = r#"{"actions":{},"fallgate":1,"name":"a","name":"b","revision":1,"rules":[]}"#;
    for bytes in ["", " ", "{", "null", "5", "[]", "\u{feff}{}", "{} {}", &deep, twice] {
        assert!(Bundle::from_json(bytes.as_bytes(), &trust).is_err(), "{}", &bytes[..bytes.len().min(40)]);
    }
    assert!(Bundle::from_json(b"\xff\xfe", &trust).is_err());
}

#[test]
fn what_exceeds_a_limit_is_refused_as_such() {
    let mut limits = Limits::DEFAULT;
    limits.rules_max = 0;
    let error = Bundle::from_document(&good(), &Trust::unsigned_for_development(), &limits).unwrap_err();
    assert_eq!(error.diagnostics()[0].code, Code::LimitExceeded);
    limits = Limits::DEFAULT;
    limits.bundle_bytes_max = 100;
    let error = Bundle::from_document(&good(), &Trust::unsigned_for_development(), &limits).unwrap_err();
    assert_eq!(error.diagnostics()[0].code, Code::LimitExceeded);
    let many: serde_json::Map<String, Value> = (0..2_000).map(|n| (format!("s{n}"), json!({"ttl": "1s"}))).collect();
    assert_eq!(mistake("/signals", Value::Object(many)).0, Code::LimitExceeded);
}

#[test]
fn what_is_allowed_but_doubtful_is_a_warning() {
    let mut document = good();
    document["actions"]["buy"]["on_failure"] = json!({"allow": {"justification": "a shop window"}});
    let warnings = load(&document).unwrap().warnings().iter().map(|warning| warning.code).collect::<Vec<_>>();
    assert_eq!(warnings, [Code::FailOpenDeclared, Code::ActionNeverAllowed]);
}
