//! What of a request is kept when its bytes are decided on: as much as the policy reads, so that each decision is the one on
//! the whole request.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;

use fallgate::engine::QuarantineTerms;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::request::{Named, Portion, Portions};
use fallgate::state::quarantine::Selector;
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Engine, Reason, Request};
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW: Now = Now::new(Monotonic::from_millis(1_000), Wall::from_millis(1_767_225_600_000));

/// Conditions in every shape in which one can read what is inside a value; `P` and `Q` stand for paths.
const SHAPES: [&str; 41] = [
    "P == 1",
    "P == Q",
    "P.a == Q.b",
    "P.a.b == 1",
    "P.a < P.b",
    "has(P.a)",
    "has(P.a.b) && P.a.c == 1",
    "P.a",
    "!P.a",
    "size(P) > 1",
    "size(P.a) > 1",
    "1 in P",
    "'a' in P",
    "P.a in Q",
    "P.a in [1, 2]",
    "P.a in {'x': 1}",
    "P[0] == 1",
    "P[0].a == P[1].b",
    "P['a']['b'] == 1",
    "P[Q.a] == 1",
    "P[Q.a].b == 1",
    "P.all(x, x == 1)",
    "P.all(x, x.a == 1)",
    "P.exists(x, x.b.c == x.a)",
    "P.exists_one(x, has(x.a))",
    "P.all(x, Q.exists(y, y.a == x.a))",
    "P.exists(x, x.exists(y, y.a == 1))",
    "P.exists(x, x.a.exists(y, y == x.b))",
    "P.filter(x, x.a == 1).size() > 0",
    "P.filter(x, x.a == 1)[0].b == 1",
    "P.map(x, x.a) == [1, 2]",
    "P.map(x, x.a == 1, x.b).size() > 0",
    "P.a.all(x, x.b == 1) || P.b.a == 1",
    "(P.a == 1 ? P.b : Q).c == 1",
    "P.a + P.b == 3",
    "-P.a < 0",
    "[P.a, P.b] == [1, 2]",
    "{'k': P.a}.k == 1",
    "type(P) == map",
    "string(P.a) == '1'",
    "P.a.startsWith('x')",
];

/// Shapes with two variables, and with names for values.
const WIDER: [&str; 8] = [
    "P.all(k, v, v.a == 1)",
    "P.exists(k, v, k == 'a' && v.b == 1)",
    "P.exists_one(k, v, v == 1)",
    "P.transformList(k, v, v.a) == [1]",
    "P.transformMap(k, v, v.a) == {'a': 1}",
    "cel.bind(x, P, x.a == x.b)",
    "cel.bind(x, P.a, true) || Q.b == 1",
    "cel.bind(x, P, x).c == 1",
];

/// Shapes over a map whose values are of any type.
const MAPS: [&str; 7] = [
    "resource.m.all(k, v, v.a == 1)",
    "resource.m.exists(k, k == 'a') && P.a == 1",
    "'a' in resource.m",
    "size(resource.m) == 2",
    "has(resource.m.a) && resource.m.b.c == 1",
    "resource.m == P",
    "resource.m[Q.a].b == 1",
];

const PATHS: [&str; 5] = ["resource.o", "resource.o.a", "resource.m.b", "context.o", "subject.o['c']"];

fn bundle(document: &Value) -> Bundle {
    Bundle::from_document(document, &Trust::unsigned_for_development(), &Limits::DEFAULT)
        .unwrap_or_else(|error| panic!("{:?}\n{document}", error.diagnostics()))
}

/// A pack whose one rule that denies has this condition, and another reads a bit of the same.
fn pack(condition: &str) -> Value {
    json!({
        "fallgate": 1, "name": "portions", "revision": 1,
        "schema": {
            "subject": { "user": { "o": { "type": "any", "optional": true }, "unread": { "type": "any", "optional": true }, "names": { "type": ["string"], "optional": true } } },
            "resource": { "doc": { "o": "any", "m": { "*": "any" } }, "note": { "o": "any", "m": { "*": "any" } } },
            "context": { "o": { "type": "any", "optional": true } },
        },
        "actions": { "read": {}, "keep": { "cache": { "allow": "1h", "deny": "1h" } } },
        "rules": [
            { "id": "all", "effect": "allow" },
            { "id": "bit", "effect": "deny", "action": "read", "when": "resource.o.a == 7",
              "accepts_information_loss": "the attribute is of any type here" },
            { "id": "shape", "effect": "deny", "when": condition, "accepts_information_loss": "the attribute is of any type here" },
        ],
    })
}

fn engine(document: &Value) -> Engine {
    let engine = Engine::new(Config::default());
    engine.activate(bundle(document), NOW).unwrap();
    engine
}

/// A request as JSON around these values.
fn request(action: &str, values: [&Value; 5]) -> Value {
    let [o, m, context, subject, unread] = values;
    json!({
        "subject": { "id": "ann", "properties": { "o": subject, "unread": unread, "undeclared": unread, "names": ["a"] }, "type": "user" },
        "action": { "name": action, "properties": { "undeclared": unread } },
        "resource": { "type": "doc", "id": "d", "properties": { "o": o, "m": m, "undeclared": unread } },
        "context": { "o": context, "undeclared": unread, "fallgate": { "min_revision": 1 } },
    })
}

/// Values with few names, so that conditions find what they ask for.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        Just(json!(false)),
        (0..3_i64).prop_map(|number| json!(number)),
        Just(json!(7)),
        Just(json!("a")),
        Just(json!("x1")),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            3 => prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c", "d"]), inner, 0..4).prop_map(|members| json!(members)),
        ]
    })
}

fn map() -> impl Strategy<Value = Value> {
    prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c", "d"]), value(), 0..4)
        .prop_map(|members| json!(members))
}

/// The decision on the bytes is the one on the whole request.
fn check(engine: &Engine, other: &Engine, request: &Value) -> Reason {
    let bytes = request.to_string();
    let whole = Request::from_json(bytes.as_bytes(), &Limits::DEFAULT).unwrap();
    let decision = engine.decide_json(bytes.as_bytes(), NOW);
    assert_eq!(decision.to_json(), other.decide(&whole, NOW).to_json(), "{bytes}");
    decision.reason()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_decision_on_portions_is_the_one_on_the_whole(
        shape in prop::sample::select(SHAPES.into_iter().chain(WIDER).chain(MAPS).collect::<Vec<_>>()),
        paths in [prop::sample::select(PATHS.to_vec()), prop::sample::select(PATHS.to_vec())],
        requests in prop::collection::vec((value(), map(), value(), value(), value(), any::<bool>()), 1..12),
    ) {
        let [p, q] = paths;
        let document = pack(&shape.replace('P', p).replace('Q', q));
        let (engine, other) = (engine(&document), engine(&document));
        for (o, m, context, subject, unread, kept) in &requests {
            let action = if *kept { "keep" } else { "read" };
            check(&engine, &other, &request(action, [o, m, context, subject, unread]));
        }
    }
}

fn named<const N: usize>(members: [(&str, Portion); N]) -> Portion {
    let members: BTreeMap<Box<str>, Portion> =
        members.into_iter().map(|(name, portion)| (name.into(), portion)).collect();
    Portion::Named(Named::from(members))
}

/// The portions that a policy says of a request.
fn portions(document: &Value) -> Option<Portions> {
    bundle(document).policy().portions.as_deref().cloned()
}

#[test]
fn what_no_rule_reads_is_not_kept() {
    let mut document = pack("resource.o.b.all(x, x.c.d == 1) && has(resource.o.e) && resource.m.f == subject.o");
    document["rules"][1]["action"] = json!("read");
    document["rules"][2]["action"] = json!("read");
    let x = Portion::Each(Box::new(named([("c", named([("d", Portion::Whole)]))])));
    let o = named([("a", Portion::Whole), ("b", x), ("e", named([]))]);
    let own = ("fallgate", Portion::Whole);
    let read = Portions {
        subject: named([("names", Portion::Whole), ("o", Portion::Whole), ("unread", named([]))]),
        action: named([]),
        resource: named([("m", named([("f", Portion::Whole)])), ("o", o)]),
        context: named([own.clone(), ("o", named([]))]),
    };
    assert_eq!(portions(&document), Some(read.clone()));

    // What keys a kept answer is whole, and what a match part looks at; a posture's condition reads too.
    let mut kept = document.clone();
    kept["rules"][2].as_object_mut().unwrap().remove("action");
    let resource = named([("m", Portion::Whole), ("o", Portion::Whole)]);
    assert_eq!(portions(&kept), Some(Portions { resource: resource.clone(), ..read.clone() }));
    let mut matched = document.clone();
    matched["rules"][1]["resource"] = json!({ "type": "doc", "o": 1 });
    let o = named([("m", named([("f", Portion::Whole)])), ("o", Portion::Whole)]);
    assert_eq!(portions(&matched), Some(Portions { resource: o, ..read.clone() }));
    let mut posture = document.clone();
    posture["postures"] = json!([{ "name": "tight", "rank": 1, "permits": { "actions": ["read"], "when": "context.o.g == 1" }, "leave": {} }]);
    let context = named([own.clone(), ("o", named([("g", Portion::Whole)]))]);
    assert_eq!(portions(&posture), Some(Portions { context, ..read.clone() }));

    // A record has all that is declared; Rego sees all there is.
    let mut recorded = document.clone();
    recorded["audit"] = json!({ "level": "all" });
    let subject = named([("names", Portion::Whole), ("o", Portion::Whole), ("unread", Portion::Whole)]);
    let context = named([own, ("o", Portion::Whole)]);
    assert_eq!(portions(&recorded), Some(Portions { subject, resource, context, ..read }));
    let mut rego = document;
    rego["rego"] = json!({ "a.rego": "package a\nimport rego.v1\ndefault allow := false\nallow if input.subject.id == \"ann\"\n" });
    rego["rules"][0]["when"] = json!({ "rego": "data.a.allow" });
    assert_eq!(portions(&rego), None);
}

#[test]
fn what_is_not_kept_is_checked_all_the_same() {
    let document = pack("resource.o.a == 1");
    let (engine, other) = (engine(&document), engine(&document));
    let one = json!(1);
    let good = request("read", [&json!({ "a": 2 }), &json!({}), &one, &one, &one]);
    check(&engine, &other, &good);
    let wrong = [
        ("/subject/properties/names", json!(5)),
        ("/subject/properties/names", json!(["a", 5])),
        ("/resource/properties/m", json!([])),
        ("/resource/properties/m", json!("x")),
        ("/context/fallgate", json!([])),
        ("/context/fallgate/min_revision", json!(-1)),
        ("/context/fallgate/min_revision", json!(2)),
        ("/resource/type", json!("other")),
    ];
    for (pointer, value) in wrong {
        let mut request = good.clone();
        *request.pointer_mut(pointer).unwrap() = value;
        check(&engine, &other, &request);
        assert!(!engine.decide_json(request.to_string().as_bytes(), NOW).is_allow(), "{pointer}");
    }
    // Inside of what nobody reads: a name twice, what is no JSON, too many values, too deep.
    let text = good.to_string();
    let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
    let many = format!("[{}0]", "0,".repeat(10_000));
    for inside in ["{\"a\":1,\"\\u0061\":2}", "[01]", "\"\\ud800\"", "[1,]", &deep, &many] {
        let bytes = text.replace("\"undeclared\":1", &format!("\"undeclared\":{inside}"));
        let refused = Request::from_json(bytes.as_bytes(), &Limits::DEFAULT).unwrap_err();
        let decision = engine.decide_json(bytes.as_bytes(), NOW);
        assert_eq!(decision.to_json(), other.refuse(&refused, NOW).to_json(), "{}", &inside[..inside.len().min(40)]);
    }
}

#[test]
fn whoever_else_reads_a_request_has_all_of_it() {
    let (one, deep) = (json!(1), json!({ "z": { "y": [1, 2] } }));
    let ask = |engine: &Engine, other: &Engine| {
        let reason = check(engine, other, &request("read", [&one, &json!({}), &deep, &deep, &deep]));
        let events = |engine: &Engine| {
            std::iter::from_fn(|| engine.poll_event()).map(|event| event.to_json()).collect::<Vec<_>>()
        };
        assert_eq!(events(engine), events(other));
        reason
    };

    let document = pack("resource.o.a == 8");
    let mut recorded = document.clone();
    recorded["audit"] = json!({ "level": "all" });
    let (by_bytes, by_request) = (engine(&recorded), engine(&recorded));
    check(&by_bytes, &by_request, &request("read", [&deep, &json!({}), &deep, &deep, &deep]));
    let lines = by_bytes.drain_audit(10, NOW).lines;
    assert_eq!(lines, by_request.drain_audit(10, NOW).lines);
    assert!(lines.concat().contains(r#""unread":{"z":{"y":[1,2]}}"#), "{lines:?}");

    // An operator's condition reads what no rule does: what were left out would be quarantined.
    let mut harmless = document.clone();
    harmless["rules"] = json!([{ "id": "all", "effect": "allow" }]);
    let (by_bytes, by_request) = (engine(&harmless), engine(&harmless));
    assert_eq!(ask(&by_bytes, &by_request), Reason::AllowedByRule);
    let terms = QuarantineTerms { reason: "a test", until: None, absolute: false };
    for (condition, reason) in
        [("context.o.z.y[0] == 3", Reason::AllowedByRule), ("subject.unread.z.y[0] == 1", Reason::Quarantined)]
    {
        for engine in [&by_bytes, &by_request] {
            engine.quarantine(&Selector::When(condition), &terms, NOW).unwrap();
        }
        assert_eq!(ask(&by_bytes, &by_request), reason, "{condition}");
    }

    // So does a candidate: what were left out would let it deny, and the rollout would tell.
    harmless["rollout"] = json!({ "shadow": "10s", "canary": ["50%"], "hold": "5s", "sample": 1 });
    let mut next = harmless.clone();
    next["revision"] = json!(2);
    next["rules"] = json!([
        { "id": "all", "effect": "allow" },
        { "id": "z", "effect": "deny", "when": "context.o.z.y[1] == 3", "accepts_information_loss": "the attribute is of any type here" },
    ]);
    let (by_bytes, by_request) = (engine(&harmless), engine(&harmless));
    for engine in [&by_bytes, &by_request] {
        engine.stage(bundle(&next), NOW).unwrap();
    }
    assert_eq!(ask(&by_bytes, &by_request), Reason::AllowedByRule);
    assert_eq!(by_bytes.overview(NOW), by_request.overview(NOW));
}
