//! Rego rules of a pack: the input contract of the schema, and deny sets (spec 1.3 and 1.10).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use fallgate::error::{BundleError, Diagnostic};
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Engine, Reason};
use serde_json::{Value, json};

fn bundle(rego: &str, rules: Value) -> Result<Bundle, BundleError> {
    let document = json!({
        "fallgate": 1, "name": "test", "revision": 1,
        "signals": {"idp": {"ttl": "10s"}},
        "actions": {"read": {}},
        "schema": {
            "subject": {"user": {
                "nickname": {"type": "string", "optional": true},
                "level": {"type": "int", "default": 0},
            }},
            "resource": {"doc": {}},
            "context": {"place": {"city": "string"}},
        },
        "rego": {"a.rego": rego},
        "rules": rules,
    });
    Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT)
}

/// The reason of the decision for a request with these properties and this context.
fn decided(rego: &str, rules: Value, properties: Value, context: Value) -> Reason {
    let now = Now::new(Monotonic::from_millis(0), Wall::from_millis(0));
    let engine = Engine::new(Config::default());
    engine.activate(bundle(rego, rules).unwrap(), now).unwrap();
    let request = json!({
        "subject": {"type": "user", "id": "ann", "properties": properties},
        "action": {"name": "read"}, "resource": {"type": "doc", "id": "d"}, "context": context,
    });
    engine.decide_json(request.to_string().as_bytes(), now).reason()
}

fn allowed_by(path: &str) -> Value {
    json!([{"id": "rule", "effect": "allow", "when": {"rego": path}}])
}

#[test]
fn what_the_schema_does_not_call_optional_has_to_be_there() {
    let place = json!({"place": {"city": "Bern"}});
    let decided = |condition: &str, properties: Value| {
        decided(&format!("package a\nallow if {condition}"), allowed_by("data.a.allow"), properties, place.clone())
    };
    // Neither is declared: nobody said that it may be absent.
    for condition in
        ["not input.subject.properties.suspended", "not input.context.flagged", "not input.context.place.zone"]
    {
        assert_eq!(decided(condition, json!({})), Reason::Indeterminate, "{condition}");
    }
    for condition in ["not input.subject.properties.nickname", "not input.subject.properties.level"] {
        assert_eq!(decided(condition, json!({})), Reason::AllowedByRule, "{condition}");
    }
    assert_eq!(decided("input.subject.properties.nickname == \"a\"", json!({"nickname": "a"})), Reason::AllowedByRule);
    assert_eq!(decided("input.context.place.city == \"Bern\"", json!({})), Reason::AllowedByRule);
}

#[test]
fn what_the_schema_does_not_declare_is_warned_of_with_what_was_meant() {
    let warned = |path: &str| {
        let bundle = bundle(&format!("package a\nallow if {path} == \"x\""), allowed_by("data.a.allow")).unwrap();
        let warning = |found: &Diagnostic| {
            assert_eq!((found.code.as_str(), found.pointer.as_str()), ("unknown_attribute", "/rules/0/when/rego"));
            (found.message.split('`').nth(1).unwrap().to_owned(), found.help.clone().unwrap())
        };
        bundle.warnings().iter().map(warning).collect::<Vec<_>>()
    };
    // Declared, part of every request, or of what the engine adds.
    for path in [
        "input.subject.properties.nickname",
        "input.subject.id",
        "input.resource.type",
        "input.action.name",
        "input.context.place.city",
        "input.context.place.zone",
        "input.posture.name",
        "input.now",
        "input.signals.idp.status",
    ] {
        assert_eq!(warned(path), [], "{path}");
    }
    let declare = "declare it under `schema`, with `optional: true` where it may be absent";
    for (path, named, help) in [
        (
            "input.subject.properties.nicknam",
            "input.subject.properties.nicknam",
            "did you mean `input.subject.properties.nickname`?",
        ),
        ("input.subject.nickname", "input.subject.nickname", "did you mean `input.subject.properties.nickname`?"),
        ("input.subject.typ", "input.subject.typ", "did you mean `input.subject.type`?"),
        ("input.resource.properties.owner.name", "input.resource.properties.owner", declare),
        ("input.context.plase.city", "input.context.plase", "did you mean `input.context.place`?"),
        ("input.user.role", "input.user", declare),
        ("input.subjct.id", "input.subjct", "did you mean `input.subject`?"),
    ] {
        assert_eq!(warned(path), [(named.to_owned(), help.to_owned())], "{path}");
    }
}

#[test]
fn a_signal_that_is_not_declared_is_warned_of_with_what_was_meant() {
    let rego = "package a\nallow if input.signals.ipd.ok\nallow if input.signals[\"elsewhere\"].status == \"ok\"\nallow if input.signals.clock.ok";
    let bundle = bundle(rego, allowed_by("data.a.allow")).unwrap();
    let warned = |found: &Diagnostic| (found.code.as_str(), found.pointer.clone(), found.help.clone().unwrap());
    let place = "/rules/0/when/rego".to_owned();
    assert_eq!(
        bundle.warnings().iter().map(warned).collect::<Vec<_>>(),
        [
            ("unknown_signal", place.clone(), "declare it under `signals`".to_owned()),
            ("unknown_signal", place, "did you mean `idp`?".to_owned()),
        ]
    );
}

#[test]
fn a_deny_set_denies_where_it_has_members() {
    let rego = "package a\ndeny contains \"too low\" if input.context.place.city == \"Bern\"";
    let rules = json!([
        {"id": "everybody", "effect": "allow"},
        {"id": "rule", "effect": "deny", "when": {"rego": "data.a.deny"}},
    ]);
    let decided = |city: &str| decided(rego, rules.clone(), json!({}), json!({"place": {"city": city}}));
    assert_eq!(decided("Bern"), Reason::DeniedByRule);
    assert_eq!(decided("Thun"), Reason::AllowedByRule);
    let error = bundle("package a\nallow contains \"x\"", allowed_by("data.a.allow")).unwrap_err();
    assert!(format!("{error:?}").contains("is a set, not a boolean"), "{error:?}");
}
