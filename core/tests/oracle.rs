//! A naive oracle: random packs and requests, decided by the engine and by a reading of the specification that has no
//! index, no cache, no slots and no order.

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

use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Effect, Engine, Reason};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A rule of the generator: its document is made from it, and the oracle reads it directly.
#[derive(Clone, Debug)]
struct Rule {
    id: u32,
    deny: bool,
    action: Option<&'static str>,
    subject: BTreeMap<&'static str, Value>,
    resource: BTreeMap<&'static str, Value>,
    when: Option<usize>,
    obliges: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kleene {
    False,
    True,
    Unknown,
}

/// Conditions with their meaning, written twice: as CEL, and as Rust over the request's JSON.
type Meaning = fn(&Value) -> Kleene;
const CONDITIONS: [(&str, Meaning); 7] = [
    ("subject.level >= 3", |r| compare(r.pointer("/subject/properties/level"), |level| level >= 3)),
    ("subject.level < 5", |r| compare(r.pointer("/subject/properties/level"), |level| level < 5)),
    ("context.rank == 1", |r| compare(r.pointer("/context/rank"), |rank| rank == 1)),
    ("context.rank == 1 && subject.level >= 3", |r| {
        let rank = compare(r.pointer("/context/rank"), |rank| rank == 1);
        and(rank, compare(r.pointer("/subject/properties/level"), |level| level >= 3))
    }),
    ("context.rank == 1 || subject.level >= 3", |r| {
        let rank = compare(r.pointer("/context/rank"), |rank| rank == 1);
        not(and(not(rank), not(compare(r.pointer("/subject/properties/level"), |level| level >= 3))))
    }),
    ("!(context.rank == 1)", |r| not(compare(r.pointer("/context/rank"), |rank| rank == 1))),
    ("context.rank / (subject.level - 3) > 0", |r| {
        let rank = r.pointer("/context/rank").and_then(Value::as_i64);
        let level = r.pointer("/subject/properties/level").and_then(Value::as_i64);
        match (rank, level) {
            (Some(rank), Some(level)) if level != 3 => truth(rank / (level - 3) > 0),
            _ => Kleene::Unknown,
        }
    }),
];

fn truth(holds: bool) -> Kleene {
    if holds { Kleene::True } else { Kleene::False }
}

fn compare(value: Option<&Value>, test: impl Fn(i64) -> bool) -> Kleene {
    value.and_then(Value::as_i64).map_or(Kleene::Unknown, |value| truth(test(value)))
}

fn and(a: Kleene, b: Kleene) -> Kleene {
    match (a, b) {
        (Kleene::False, _) | (_, Kleene::False) => Kleene::False,
        (Kleene::True, Kleene::True) => Kleene::True,
        _ => Kleene::Unknown,
    }
}

fn not(a: Kleene) -> Kleene {
    match a {
        Kleene::False => Kleene::True,
        Kleene::True => Kleene::False,
        Kleene::Unknown => Kleene::Unknown,
    }
}

impl Rule {
    fn name(&self) -> String {
        format!("rule-{:03}", self.id)
    }

    fn document(&self) -> Value {
        let mut rule = json!({
            "id": self.name(), "effect": if self.deny { "deny" } else { "allow" },
            "accepts_information_loss": "the oracle judges how rules combine, not what they may lose",
        });
        let mut put = |name: &str, value: Value| rule.as_object_mut().unwrap().insert(name.to_owned(), value);
        if let Some(action) = self.action {
            put("action", action.into());
        }
        if !self.subject.is_empty() {
            put("subject", json!(self.subject));
        }
        if !self.resource.is_empty() {
            put("resource", json!(self.resource));
        }
        if let Some(when) = self.when {
            put("when", CONDITIONS[when].0.into());
        }
        if self.obliges {
            put("obligations", json!([{"id": self.name(), "type": "note", "properties": {}}]));
        }
        rule
    }

    /// The truth of the rule, straight from the request's JSON.
    fn truth(&self, request: &Value) -> Kleene {
        let action = request["action"]["name"].as_str().unwrap();
        let matches_action = match self.action {
            None => true,
            Some(pattern) => match pattern.strip_suffix('*') {
                Some(start) => action.starts_with(start),
                None => action == pattern,
            },
        };
        if !matches_action {
            return Kleene::False;
        }
        let mut result = Kleene::True;
        for (entity, part) in [("subject", &self.subject), ("resource", &self.resource)] {
            for (name, demand) in part {
                let value = match *name {
                    "type" | "id" => request[entity].get(*name),
                    _ => request[entity]["properties"].get(*name),
                };
                result = and(result, clause(value, demand));
            }
        }
        and(result, self.when.map_or(Kleene::True, |when| CONDITIONS[when].1(request)))
    }
}

fn clause(value: Option<&Value>, demand: &Value) -> Kleene {
    let Some(value) = value else { return Kleene::Unknown };
    let items = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    let holds = |item: &Value| match demand {
        Value::Object(prefix) => item.as_str().unwrap().starts_with(prefix["prefix"].as_str().unwrap()),
        Value::Array(several) => several.contains(item),
        one => item == one,
    };
    truth(items.iter().any(holds))
}

/// The table of spec 1.3, and the rule and obligations that go with it.
fn expected(rules: &[Rule], request: &Value) -> (Reason, Option<String>, Vec<String>) {
    let named = |deny: bool, wanted: Kleene| {
        let mut names: Vec<String> =
            rules.iter().filter(|rule| rule.deny == deny && rule.truth(request) == wanted).map(Rule::name).collect();
        names.sort();
        names
    };
    let obliging = |names: &[String]| {
        let obliges = |name: &&String| rules.iter().any(|rule| rule.name() == **name && rule.obliges);
        names.iter().filter(obliges).cloned().collect::<Vec<_>>()
    };
    let (denies, unknown_denies) = (named(true, Kleene::True), named(true, Kleene::Unknown));
    let (allows, unknown_allows) = (named(false, Kleene::True), named(false, Kleene::Unknown));
    if let Some(first) = denies.first() {
        (Reason::DeniedByRule, Some(first.clone()), obliging(&denies))
    } else if let Some(first) = unknown_denies.first() {
        (Reason::Indeterminate, Some(first.clone()), obliging(&denies))
    } else if let Some(first) = allows.first() {
        (Reason::AllowedByRule, Some(first.clone()), obliging(&allows))
    } else if let Some(first) = unknown_allows.first() {
        (Reason::Indeterminate, Some(first.clone()), Vec::new())
    } else {
        (Reason::NoMatchingRule, None, Vec::new())
    }
}

fn document(rules: &[Rule], cached: bool) -> Value {
    let cache = if cached { json!({"cache": {"allow": "1m", "deny": "1m"}}) } else { json!({}) };
    json!({
        "fallgate": 1, "name": "oracle", "revision": 1,
        "schema": {
            "subject": {
                "user": {
                    "groups": ["string"], "level": "int", "region": {"type": "string", "optional": true},
                    "vip": {"type": "bool", "default": false},
                },
                "service": {"groups": ["string"], "level": {"type": "int", "optional": true}},
            },
            "resource": {"file": {"path": "string"}, "host": {"path": "string", "owner": "string"}},
            "context": {"rank": {"type": "int", "optional": true}},
        },
        "actions": {"file:read": cache, "file:write": cache, "host:boot": cache},
        "rules": rules.iter().map(Rule::document).collect::<Vec<_>>(),
    })
}

fn engine(document: &Value) -> Engine {
    let bundle = Bundle::from_document(document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    let engine = Engine::new(Config::default());
    engine.activate(bundle, NOW).unwrap();
    engine
}

const NOW: Now = Now::new(Monotonic::ZERO, Wall::from_millis(0));

fn subject_part() -> impl Strategy<Value = BTreeMap<&'static str, Value>> {
    let clause = prop_oneof![
        prop_oneof![Just(json!("user")), Just(json!("service")), Just(json!(["service", "user"]))]
            .prop_map(|demand| ("type", demand)),
        (0..6).prop_map(|group| ("groups", json!(format!("g{group}")))),
        Just(("groups", json!(["g0", "g3"]))),
        (0..5).prop_map(|level| ("level", json!(level))),
        Just(("region", json!("eu"))),
        any::<bool>().prop_map(|vip| ("vip", json!(vip))),
        (0..4).prop_map(|id| ("id", json!(format!("s{id}")))),
    ];
    proptest::collection::vec(clause, 0..3).prop_map(|clauses| clauses.into_iter().collect())
}

fn resource_part() -> impl Strategy<Value = BTreeMap<&'static str, Value>> {
    let paths = || prop_oneof![Just("/"), Just("/a/"), Just("/a/b/"), Just("/a/b/c"), Just("/b/"), Just("/bb")];
    let clause = prop_oneof![
        paths().prop_map(|prefix| ("path", json!({"prefix": prefix}))),
        paths().prop_map(|path| ("path", json!(path))),
        prop_oneof![Just("file"), Just("host")].prop_map(|kind| ("type", json!(kind))),
        Just(("owner", json!("s1"))),
    ];
    proptest::collection::vec(clause, 0..3).prop_map(|clauses| clauses.into_iter().collect())
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let action = proptest::option::of(prop_oneof![Just("file:read"), Just("file:*"), Just("host:boot"), Just("*")]);
    let rule = (
        proptest::bool::weighted(0.3),
        action,
        subject_part(),
        resource_part(),
        proptest::option::weighted(0.4, 0..CONDITIONS.len()),
        proptest::bool::weighted(0.2),
    );
    proptest::collection::vec(rule, 0..40).prop_map(|rules| {
        (0..)
            .zip(rules)
            .map(|(id, (deny, action, mut subject, mut resource, when, obliges))| {
                // The compiler refuses a rule that names an attribute which no type it matches has.
                if subject.get("type") == Some(&json!("service")) {
                    subject.retain(|name, _| !["region", "vip"].contains(name));
                }
                if resource.get("type") == Some(&json!("file")) {
                    resource.remove("owner");
                }
                Rule { id: id * 7 % 40, deny, action, subject, resource, when, obliges }
            })
            .collect()
    })
}

fn request() -> impl Strategy<Value = Value> {
    let groups = || proptest::collection::vec((0..6).prop_map(|group| format!("g{group}")), 0..4);
    let user = (groups(), 0..6, proptest::option::of(prop_oneof![Just("eu"), Just("us")]), any::<bool>());
    let user = user.prop_map(|(groups, level, region, vip)| {
        let mut properties = json!({"groups": groups, "level": level, "vip": vip});
        if let Some(region) = region {
            properties["region"] = region.into();
        }
        ("user", properties)
    });
    let service = (groups(), proptest::option::of(0..6_i64)).prop_map(|(groups, level)| {
        let mut properties = json!({"groups": groups});
        if let Some(level) = level {
            properties["level"] = level.into();
        }
        ("service", properties)
    });
    let path =
        prop_oneof![Just("/"), Just("/a"), Just("/a/b/c"), Just("/a/b/cd"), Just("/b/x"), Just("/bb"), Just("c")];
    let action = prop_oneof![Just("file:read"), Just("file:write"), Just("host:boot")];
    let rank = proptest::option::of(-2..3_i64);
    (prop_oneof![user, service], 0..5, action, any::<bool>(), path, rank).prop_map(
        |((kind, properties), id, action, file, path, rank)| {
            let (resource, attributes) =
                if file { ("file", json!({"path": path})) } else { ("host", json!({"path": path, "owner": "s1"})) };
            let mut request = json!({
                "subject": {"type": kind, "id": format!("s{id}"), "properties": properties},
                "action": {"name": action},
                "resource": {"type": resource, "id": "r", "properties": attributes},
                "context": {},
            });
            if let Some(rank) = rank {
                request["context"]["rank"] = rank.into();
            }
            request
        },
    )
}

/// The request as the oracle reads it: with the schema's defaults.
fn with_defaults(request: &Value) -> Value {
    let mut request = request.clone();
    if request["subject"]["type"] == "user" && request["subject"]["properties"].get("vip").is_none() {
        request["subject"]["properties"]["vip"] = false.into();
    }
    request
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Index, slots, short cuts and cache change nothing: neither the effect, nor the rule named, nor the obligations.
    #[test]
    fn the_engine_decides_as_the_specification_reads(
        rules in rules(),
        requests in proptest::collection::vec(request(), 1..20),
    ) {
        let plain = engine(&document(&rules, false));
        let cached = engine(&document(&rules, true));
        for request in requests.iter().chain(&requests) {
            let bytes = request.to_string();
            let (reason, rule, obligations) = expected(&rules, &with_defaults(request));
            for engine in [&plain, &cached] {
                let decision = engine.decide_json(bytes.as_bytes(), NOW);
                let found: Vec<String> =
                    decision.obligations().iter().map(|obligation| obligation.id.to_string()).collect();
                prop_assert_eq!(decision.reason(), reason, "{}", request);
                prop_assert_eq!(decision.rule(), rule.as_deref(), "{}", request);
                if decision.reason() != Reason::Indeterminate {
                    prop_assert_eq!(&found, &obligations, "{}", request);
                }
            }
        }
    }

    /// The order in which rules stand in a pack changes nothing but the bundle's digest.
    #[test]
    fn the_order_of_rules_in_a_pack_does_not_matter(rules in rules(), requests in proptest::collection::vec(request(), 1..10)) {
        let mut turned = rules.clone();
        turned.reverse();
        let (one, other) = (engine(&document(&rules, false)), engine(&document(&turned, false)));
        for request in &requests {
            let bytes = request.to_string();
            prop_assert_eq!(one.decide_json(bytes.as_bytes(), NOW), other.decide_json(bytes.as_bytes(), NOW));
        }
    }

    /// One more deny rule never turns a deny into an allow.
    #[test]
    fn a_further_deny_rule_never_grants(rules in rules(), further in rules(), requests in proptest::collection::vec(request(), 1..10)) {
        let mut more = rules.clone();
        more.extend(further.into_iter().filter(|rule| rule.deny).map(|rule| Rule { id: rule.id + 100, ..rule }));
        let (before, after) = (engine(&document(&rules, false)), engine(&document(&more, false)));
        for request in &requests {
            let bytes = request.to_string();
            let denied = before.decide_json(bytes.as_bytes(), NOW).effect() == Effect::Deny;
            prop_assert!(!denied || after.decide_json(bytes.as_bytes(), NOW).effect() == Effect::Deny, "{}", request);
        }
    }
}
