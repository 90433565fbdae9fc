//! The promise, as a property: whatever a request, the signals or the pack's data lose, a deny stays a deny.
//!
//! Random rules that the compiler accepts hold it. The same generator with the check switched off, by rules that accept
//! the loss, finds counterexamples at once: otherwise this test would prove nothing.

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
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Effect, Engine, Observation};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

const NOW: Now = Now::new(Monotonic::ZERO, Wall::from_millis(0));

/// What conditions are made of: reads that are strict, presence tests of every kind, defaults, walks over maps.
const ATOMS: [&str; 46] = [
    "subject.number > 2",
    "subject.number + 1 == 3",
    "subject.flag",
    "subject.off",
    "subject.on",
    "subject.five == 5",
    "subject.five > 4",
    "has(subject.number)",
    "has(subject.flag)",
    "has(subject.map.k)",
    "has(subject.record.inner)",
    "subject.record.inner == 1",
    "'k' in subject.map",
    "subject.map.k > 0",
    "subject.map['k'] == 1",
    "size(subject.map) < 2",
    "subject.map.all(name, name != 'k')",
    "subject.map.exists(name, name == 'k')",
    "subject.map == {'k': 1}",
    "subject.map != {'k': 1, 'l': 2}",
    "[subject.map] == [{'k': 1}]",
    "subject.list.exists(item, item > 1)",
    "subject.list.all(item, item > 1)",
    "subject.list.filter(item, item > 1) == [2]",
    "size(subject.list) == 2",
    "1 in subject.list",
    "subject.list.all(item, has(subject.number))",
    "signals.one.ok",
    "signals.two.ok",
    "signals.one.failed",
    "'x' in data.flags",
    "has(data.flags.x)",
    "data.flags['x'] == 1",
    "subject.any == {'k': 1}",
    "[has(data.flags.x)] == [true]",
    "false in [has(data.flags.y), false]",
    "subject.map.exists(k, v, v == 1)",
    "subject.map.all(k, v, v == 1)",
    "subject.list.exists(i, v, v == i)",
    "subject.list.transformList(i, v, v > 1, v) == [2]",
    "subject.map.transformMap(k, v, v > 1, v) == {'k': 2}",
    "cel.bind(x, has(subject.number), x)",
    "cel.bind(x, subject.map, has(x.k))",
    "'%s'.format([subject.map]) == '{k: 1}'",
    "math.greatest(subject.number, 2) == 2",
    "type(subject.any) == map",
];

#[derive(Clone, Debug)]
struct Rule {
    deny: bool,
    when: String,
    clause: Option<(&'static str, Value)>,
}

/// A world: what the request and the signals say, and what of it is then lost.
#[derive(Clone, Debug)]
struct World {
    subject: Value,
    signals: [Option<Status>; 2],
    lost_attributes: Vec<bool>,
    lost_keys: Vec<bool>,
    lost_signals: [bool; 2],
    lost_data: [bool; 2],
}

fn condition() -> impl Strategy<Value = String> {
    let atom = (0..ATOMS.len()).prop_map(|at| ATOMS[at].to_owned());
    atom.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} ? {b} : false)")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} ? true : {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} ? false : {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} ? {b} : true)")),
            inner.clone().prop_map(|a| format!("({a}) == true")),
            inner.clone().prop_map(|a| format!("({a}) != true")),
            inner.clone().prop_map(|a| format!("false == ({a})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("(({a}) == ({b}))")),
            inner.prop_map(|a| format!("({a}) in [true]")),
        ]
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    let clause = prop_oneof![
        any::<bool>().prop_map(|on| ("on", json!(on))),
        any::<bool>().prop_map(|off| ("off", json!(off))),
        any::<bool>().prop_map(|flag| ("flag", json!(flag))),
        (4..6).prop_map(|five| ("five", json!(five))),
    ];
    (any::<bool>(), condition(), proptest::option::weighted(0.3, clause)).prop_map(|(deny, when, clause)| Rule {
        deny,
        when,
        clause,
    })
}

fn world() -> impl Strategy<Value = World> {
    let map = || {
        (proptest::option::of(1..3), proptest::option::of(1..3)).prop_map(|(k, l)| {
            let mut map = serde_json::Map::new();
            map.extend(k.map(|k| ("k".to_owned(), json!(k))));
            map.extend(l.map(|l| ("l".to_owned(), json!(l))));
            Value::Object(map)
        })
    };
    let record = proptest::option::of(1..3).prop_map(|inner| inner.map_or(json!({}), |inner| json!({"inner": inner})));
    // Some of it was never known, so that much is indeterminate already before anything is lost.
    let known = || proptest::collection::vec(proptest::bool::weighted(0.75), 9);
    let attributes = (
        (1..5).prop_map(|number| json!(number)),
        any::<bool>().prop_map(|flag| json!(flag)),
        any::<bool>().prop_map(|off| json!(off)),
        any::<bool>().prop_map(|on| json!(on)),
        (4..7).prop_map(|five| json!(five)),
        map(),
        record,
        proptest::collection::vec(0..3, 0..3).prop_map(|list| json!(list)),
        map(),
    );
    let subject = (attributes, known()).prop_map(|((number, flag, off, on, five, map, record, list, any), known)| {
        let all = json!({"number": number, "flag": flag, "off": off, "on": on, "five": five, "map": map,
                         "record": record, "list": list, "any": any});
        let known = all.as_object().unwrap().iter().zip(known).filter(|(_, known)| *known);
        known.map(|((name, value), _)| (name.clone(), value.clone())).collect::<serde_json::Map<_, _>>().into()
    });
    let signal =
        || prop_oneof![Just(None), Just(Some(Status::Ok)), Just(Some(Status::Failed)), Just(Some(Status::Degraded)),];
    let lost = |count: usize| proptest::collection::vec(proptest::bool::weighted(0.4), count);
    (subject, [signal(), signal()], lost(9), lost(5), any::<[bool; 2]>(), any::<[bool; 2]>()).prop_map(
        |(subject, signals, lost_attributes, lost_keys, lost_signals, lost_data)| World {
            subject,
            signals,
            lost_attributes,
            lost_keys,
            lost_signals,
            lost_data,
        },
    )
}

fn document(rules: &[Rule], accepted: bool, data: &Value) -> Value {
    let rules = rules.iter().enumerate().map(|(at, rule)| {
        let mut document = json!({
            "id": format!("rule-{at}"), "effect": if rule.deny { "deny" } else { "allow" }, "when": rule.when,
        });
        if accepted {
            document["accepts_information_loss"] = "the test wants to see what the check prevents".into();
        }
        if let Some((name, value)) = &rule.clause {
            document["subject"] = json!({*name: value});
        }
        document
    });
    let optional = |of: Value| json!({"type": of, "optional": true});
    json!({
        "fallgate": 1, "name": "loss", "revision": 1,
        "signals": {"one": {"ttl": "10s"}, "two": {"ttl": "10s"}},
        "schema": {"subject": {"user": {
            "number": optional(json!("int")), "flag": optional(json!("bool")),
            "off": {"type": "bool", "default": false}, "on": {"type": "bool", "default": true},
            "five": {"type": "int", "default": 5}, "map": optional(json!({"*": "int"})),
            "record": optional(json!({"inner": {"type": "int", "optional": true}})),
            "list": optional(json!(["int"])), "any": optional(json!("any")),
        }}},
        "actions": {"act": {}},
        "data": data,
        "rules": rules.collect::<Vec<_>>(),
    })
}

fn bundle(rules: &[Rule], accepted: bool, data: &Value) -> Option<Bundle> {
    let document = document(rules, accepted, data);
    Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).ok()
}

fn decide(bundle: Option<Bundle>, subject: &Value, signals: &[Option<Status>; 2]) -> Effect {
    let engine = Engine::new(Config::default());
    if let Some(bundle) = bundle {
        engine.activate(bundle, NOW).unwrap();
    }
    for (name, status) in ["one", "two"].into_iter().zip(signals) {
        if let Some(status) = status {
            engine.observe(&Observation::new(name, *status), NOW);
        }
    }
    let request = json!({
        "subject": {"type": "user", "id": "u", "properties": subject}, "action": {"name": "act"},
        "resource": {"type": "r", "id": "r"},
    });
    engine.decide_json(request.to_string().as_bytes(), NOW).effect()
}

/// What remains of a subject.
fn poorer(world: &World) -> Value {
    let mut subject = world.subject.as_object().unwrap().clone();
    for ((map, key), lost) in
        [("map", "k"), ("map", "l"), ("record", "inner"), ("any", "k"), ("any", "l")].iter().zip(&world.lost_keys)
    {
        if *lost && let Some(map) = subject.get_mut(*map) {
            map.as_object_mut().unwrap().remove(*key);
        }
    }
    let names: Vec<String> = subject.keys().cloned().collect();
    for (name, lost) in names.iter().zip(&world.lost_attributes) {
        if *lost {
            subject.remove(name);
        }
    }
    Value::Object(subject)
}

/// Whether losing what the world loses turns a deny into an allow.
fn grants_by_loss(rules: &[Rule], accepted: bool, world: &World) -> bool {
    let data = json!({"flags": {"x": 1, "y": 2}});
    let mut poorer_data = data.clone();
    for (name, lost) in ["x", "y"].into_iter().zip(world.lost_data) {
        if lost {
            poorer_data["flags"].as_object_mut().unwrap().remove(name);
        }
    }
    let mut signals = world.signals;
    for (signal, lost) in signals.iter_mut().zip(world.lost_signals) {
        if lost {
            *signal = None;
        }
    }
    let before = decide(bundle(rules, accepted, &data), &world.subject, &world.signals);
    before == Effect::Deny && decide(bundle(rules, accepted, &poorer_data), &poorer(world), &signals) == Effect::Allow
}

/// How many of the tried worlds and how many of the tried rules were accepted, and the first counterexample.
fn search(accepted: bool, tries: usize) -> (usize, usize, Option<(Vec<Rule>, World)>) {
    let mut runner = TestRunner::deterministic();
    let strategy = (proptest::collection::vec(rule(), 1..4), proptest::collection::vec(world(), 8));
    let (mut tried, mut admitted) = (0, 0);
    for _ in 0..tries {
        let (rules, worlds) = strategy.new_tree(&mut runner).unwrap().current();
        tried += rules.len();
        let data = json!({"flags": {"x": 1, "y": 2}});
        let rules: Vec<Rule> =
            rules.into_iter().filter(|rule| bundle(std::slice::from_ref(rule), accepted, &data).is_some()).collect();
        admitted += rules.len();
        if let Some(world) = worlds.into_iter().find(|world| grants_by_loss(&rules, accepted, world)) {
            return (tried, admitted, Some((rules, world)));
        }
    }
    (tried, admitted, None)
}

#[test]
fn no_loss_turns_a_deny_into_an_allow() {
    let (tried, admitted, found) = search(false, 1_500);
    println!("{admitted} of {tried} random rules were accepted");
    assert!(found.is_none(), "{:#?}", found.unwrap());
    assert!(admitted * 5 > tried, "the check refuses nearly everything: {admitted} of {tried}");
}

/// Every choice over small conditions, in every small world, against every loss: what chance rarely meets, an indeterminate
/// that a loss settles, is met here for certain.
#[test]
fn no_choice_between_small_conditions_grants_by_loss() {
    const LEAVES: [&str; 5] = [
        "has(subject.number)",
        "!has(subject.number)",
        "subject.flag",
        "subject.off",
        "subject.map.all(k, 1 / subject.map[k] > 0)",
    ];
    const BRANCHES: [&str; 6] =
        ["true", "false", "subject.flag", "subject.off", "has(subject.flag)", "!signals.one.ok"];
    let worlds: Vec<(Value, [Option<Status>; 2])> = {
        let mut worlds = Vec::new();
        for number in [None, Some(json!(1))] {
            for flag in [None, Some(json!(false)), Some(json!(true))] {
                for map in [None, Some(json!({})), Some(json!({"k": 0})), Some(json!({"k": 1}))] {
                    for signal in [None, Some(Status::Ok)] {
                        let mut subject = serde_json::Map::new();
                        for (name, value) in [("number", &number), ("flag", &flag), ("map", &map)] {
                            subject.extend(value.clone().map(|value| (name.to_owned(), value)));
                        }
                        worlds.push((Value::Object(subject), [signal, None]));
                    }
                }
            }
        }
        worlds
    };
    let poorer = |poor: &(Value, [Option<Status>; 2]), rich: &(Value, [Option<Status>; 2])| {
        let known = |(name, value): (&String, &Value)| {
            let richer = &rich.0[name];
            richer == value || (name == "map" && *value == json!({}) && richer.is_object())
        };
        poor.0.as_object().unwrap().iter().all(known) && (poor.1[0].is_none() || poor.1 == rich.1)
    };
    let everybody = Rule { deny: false, when: "true".into(), clause: None };
    let data = json!({});
    let mut accepted = 0;
    for (a, b) in LEAVES.iter().flat_map(|a| LEAVES.iter().map(move |b| (a, b))) {
        for operator in ["&&", "||"] {
            for (then, otherwise) in BRANCHES.iter().flat_map(|a| BRANCHES.iter().map(move |b| (a, b))) {
                let when = format!("({a} {operator} {b}) ? {then} : {otherwise}");
                for deny in [false, true] {
                    let mut rules = vec![Rule { deny, when: when.clone(), clause: None }];
                    if deny {
                        rules.push(everybody.clone());
                    }
                    let Some(bundle) = bundle(&rules, false, &data) else { continue };
                    accepted += 1;
                    let effects: Vec<Effect> = worlds
                        .iter()
                        .map(|(subject, signals)| decide(Some(bundle.clone()), subject, signals))
                        .collect();
                    for (rich, before) in worlds.iter().zip(&effects) {
                        for (poor, after) in worlds.iter().zip(&effects) {
                            let grants = *before == Effect::Deny && *after == Effect::Allow && poorer(poor, rich);
                            assert!(!grants, "deny: {deny}, {when}\n{rich:?}\n{poor:?}");
                        }
                    }
                }
            }
        }
    }
    println!("{accepted} rules were accepted");
    assert!(accepted > 300, "the check refuses nearly everything: {accepted} accepted");
}

#[test]
fn without_the_check_counterexamples_are_found() {
    let (tried, admitted, found) = search(true, 1_500);
    assert_eq!(tried, admitted, "a rule that accepts the loss is refused for nothing else here");
    assert!(found.is_some(), "the generator finds nothing that the check would have to prevent");
}

/// What of a condition makes that a rule of that effect is refused; the postures are `normal`, `slow` and `shut`.
fn refused(effect: &str, when: &str) -> Option<String> {
    let rule = Rule { deny: effect == "deny", when: when.to_owned(), clause: None };
    let mut document = document(&[rule], false, &json!({"flags": {"x": 1}}));
    let posture = |name: &str, rank: u32| json!({"name": name, "rank": rank, "permits": "all", "leave": {}});
    document["postures"] = json!([posture("slow", 1), posture("shut", 2)]);
    let error = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).err()?;
    let first = error.diagnostics()[0].clone();
    assert_eq!((first.code.as_str(), first.pointer.as_str()), ("information_loss", "/rules/0/when"), "{first}");
    first.span.map(|span| when[span].to_owned())
}

/// The table of spec 1.3, line by line: each presence test is safe in one direction.
#[test]
fn each_presence_test_is_accepted_in_its_safe_direction_only() {
    let falls = [
        "has(subject.number)",
        "signals.one.ok",
        "'k' in subject.map",
        "subject.off",
        "has(subject.number) && subject.number > 2",
        "signals.one.ok ? subject.flag : false",
        "subject.off == true",
        // What is known of the pack's data when it is loaded is no constant: the data may be lost.
        "has(data.flags.x)",
        "has(data.flags.x) == true",
        "!has(subject.number) ? false : true",
        "!(!has(subject.number) ? true : false)",
        "subject.off != false",
        "true == subject.off",
        // A choice with a constant branch settles to that branch, or stays what the other one is.
        "!has(subject.number) ? false : subject.flag",
        "!(!has(subject.number) ? true : subject.flag)",
        "!(has(subject.number) ? subject.flag : true)",
    ];
    for test in falls {
        assert_eq!(refused("allow", test), None, "{test}");
        assert!(refused("deny", test).is_some(), "{test}");
        let negated = format!("!({test})");
        assert!(refused("allow", &negated).is_some(), "{negated}");
        assert_eq!(refused("deny", &negated), None, "{negated}");
    }
    // The clock fails by being lost.
    for test in ["signals.clock.failed", "!signals.clock.ok"] {
        assert_eq!(refused("deny", test), None, "{test}");
        assert!(refused("allow", test).is_some(), "{test}");
    }
    assert_eq!(refused("deny", "subject.on"), None);
    assert!(refused("allow", "subject.on").is_some());
    for nowhere in [
        "subject.five == 5",
        "size(subject.map) < 2",
        "has(subject.number) == has(subject.flag)",
        "'%s'.format([subject.map]) == '{}'",
        "cel.bind(x, has(subject.flag), !x)",
        "!has(subject.number) ? has(data.flags.x) : true",
        "subject.any in [subject.map]",
        "subject.map.exists_one(name, name == 'k')",
        "subject.map.filter(name, name == 'k') == ['k']",
    ] {
        assert!(refused("allow", nowhere).is_some() && refused("deny", nowhere).is_some(), "{nowhere}");
    }
    for everywhere in [
        "subject.number > 2",
        "signals.one.failed",
        "signals.one.age > duration('1s')",
        "!subject.flag",
        "subject.any in subject.list",
        // A number is no map, whatever it is compared with; and a list is whole or absent.
        "subject.any == 2",
        "subject.list.exists(item, item > 1)",
        "subject.list.filter(item, item > 1) == [2]",
    ] {
        assert!(refused("allow", everywhere).is_none() && refused("deny", everywhere).is_none(), "{everywhere}");
    }
}

#[test]
fn the_error_shows_the_expression_and_the_repairs() {
    assert_eq!(refused("deny", "has(subject.number) && subject.number > 2").as_deref(), Some("has(subject.number"));
    let rule = Rule { deny: false, when: "!signals.one.ok".into(), clause: None };
    let document = document(&[rule], false, &json!({}));
    let error = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap_err();
    let help = error.diagnostics()[0].help.clone().unwrap();
    for repair in ["required", "default", "presence", "drop", "accepts_information_loss"] {
        assert!(help.contains(repair), "{help}");
    }
}

#[test]
fn an_accepted_loss_is_listed_and_marks_its_decisions() {
    let rule = Rule { deny: false, when: "!signals.one.ok".into(), clause: None };
    let bundle = bundle(&[rule], true, &json!({})).unwrap();
    let codes: Vec<&str> = bundle.warnings().iter().map(|warning| warning.code.as_str()).collect();
    assert_eq!(codes, ["information_loss_accepted"]);
    let engine = Engine::new(Config::default());
    engine.activate(bundle, NOW).unwrap();
    let request = br#"{"subject":{"type":"user","id":"u"},"action":{"name":"act"},"resource":{"type":"r","id":"r"}}"#;
    let decision = engine.decide_json(request, NOW);
    assert!(decision.is_allow() && decision.information_loss());
    assert_eq!(decision.to_json()["context"]["information_loss"], true);
}

/// The rule that denies may have ceased to by a loss: then it is not the rule that decides, and yet its declaration is used.
#[test]
fn an_allow_says_that_a_rule_which_might_have_denied_accepts_a_loss() {
    let rules = [
        Rule { deny: false, when: "true".into(), clause: None },
        Rule { deny: true, when: "has(subject.number) && subject.number > 2".into(), clause: None },
    ];
    let mut document = document(&rules, true, &json!({}));
    document["rules"][0].as_object_mut().unwrap().remove("accepts_information_loss");
    let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    let decide = |subject: &Value| {
        let engine = Engine::new(Config::default());
        engine.activate(bundle.clone(), NOW).unwrap();
        let request = json!({
            "subject": {"type": "user", "id": "u", "properties": subject}, "action": {"name": "act"},
            "resource": {"type": "r", "id": "r"},
        });
        engine.decide_json(request.to_string().as_bytes(), NOW)
    };
    assert!(!decide(&json!({"number": 3})).is_allow());
    let decision = decide(&json!({}));
    assert!(decision.is_allow() && decision.information_loss());
    assert_eq!(decision.rule(), Some("rule-0"));
}

/// Every small condition of entry, with every state of two signals, against every loss: what is known less is under the
/// same posture or a stricter one, and a rule that reads the posture grants no more.
#[test]
fn less_knowledge_is_a_stricter_posture() {
    const LEAVES: [&str; 6] = [
        "signals.one.ok",
        "!signals.one.ok",
        "signals.one.failed",
        "!signals.one.failed",
        "!signals.two.ok",
        "signals.two.failed",
    ];
    const RULES: [&str; 10] = [
        "posture.rank <= 1",
        "posture.rank == 0",
        "posture.rank < 1 || signals.two.ok",
        "1 >= posture.rank",
        "posture.name == 'normal'",
        "posture.name != 'shut'",
        "posture.rank >= 1",
        "posture.rank == 1",
        "posture.name == 'slow'",
        "!(posture.rank <= 1)",
    ];
    let states = [None, Some(Status::Ok), Some(Status::Failed), Some(Status::Degraded)];
    let worlds: Vec<[Option<Status>; 2]> = states.iter().flat_map(|one| states.map(|two| [*one, two])).collect();
    let (mut accepted, mut refused) = (0, 0);
    for (a, b) in LEAVES.iter().flat_map(|a| LEAVES.iter().map(move |b| (a, b))) {
        for (shape, rule) in ["A && B", "A || B", "A ? B : true", "A ? true : B"]
            .iter()
            .zip(RULES.iter().cycle())
            .chain(["A && B", "A || B"].iter().flat_map(|shape| RULES.iter().map(move |rule| (shape, rule))))
        {
            let when = shape.replace('A', &format!("({a})")).replace('B', &format!("({b})"));
            let mut document = document(&[], false, &json!({}));
            document["rules"] = json!([{"id": "rule", "effect": "allow", "when": rule}]);
            document["postures"] = json!([
                {"name": "slow", "rank": 1, "permits": "all", "enter": {"when": when}, "leave": {}},
                {"name": "shut", "rank": 2, "permits": "all", "enter": {"when": b}, "leave": {}},
            ]);
            let Ok(bundle) = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT)
            else {
                refused += 1;
                continue;
            };
            accepted += 1;
            let seen = |world: &[Option<Status>; 2]| {
                let engine = Engine::new(Config::default());
                engine.activate(bundle.clone(), NOW).unwrap();
                // Postures that were entered before anything was observed are left; what is then entered is by the world.
                for (name, status) in ["one", "two"].into_iter().zip(world) {
                    engine.observe(&Observation::new(name, status.unwrap_or(Status::Unknown)), NOW);
                }
                for posture in ["slow", "shut"] {
                    let _still_entered = engine.leave_posture(posture, None, NOW);
                }
                let request =
                    br#"{"subject":{"type":"user","id":"u"},"action":{"name":"act"},"resource":{"type":"r","id":"r"}}"#;
                let decision = engine.decide_json(request, NOW);
                let rank = ["normal", "slow", "shut"].iter().position(|name| *name == decision.posture()).unwrap();
                (rank, decision.effect())
            };
            let seen: Vec<_> = worlds.iter().map(seen).collect();
            for (rich, before) in worlds.iter().zip(&seen) {
                for (poor, after) in worlds.iter().zip(&seen) {
                    if poor.iter().zip(rich).all(|(poor, rich)| poor.is_none() || poor == rich) {
                        assert!(after.0 >= before.0, "{when}: {rich:?} {before:?}, {poor:?} {after:?}");
                        let grants = before.1 == Effect::Deny && after.1 == Effect::Allow;
                        assert!(!grants, "{when}, {rule}: {rich:?}, {poor:?}");
                    }
                }
            }
        }
    }
    println!("{accepted} conditions of entry were accepted, {refused} were refused");
    assert!(accepted > 100 && refused > 100, "{accepted} accepted, {refused} refused");
}

#[test]
fn a_bound_on_the_posture_is_accepted_in_its_direction_only() {
    for upper in [
        "posture.rank <= 1",
        "posture.rank < 2",
        "2 > posture.rank",
        "posture.rank == 0",
        "posture.name == 'normal'",
        "posture.name != 'shut'",
    ] {
        assert_eq!(refused("allow", upper), None, "{upper}");
        assert!(refused("deny", upper).is_some(), "{upper}");
    }
    for lower in [
        "posture.rank >= 1",
        "1 < posture.rank",
        "posture.rank != 0",
        "posture.name != 'normal'",
        "posture.name == 'shut'",
    ] {
        assert_eq!(refused("deny", lower), None, "{lower}");
        assert!(refused("allow", lower).is_some(), "{lower}");
    }
    for nowhere in [
        "posture.rank == 1",
        "posture.rank != 1",
        "posture.name == 'slow'",
        "posture.name != 'slow'",
        // Names have an order of their own, which is not that of the ranks.
        "posture.name < 'slow'",
        "posture.name >= 'normal'",
        "posture.rank + 1 > 1",
        "posture.name in ['normal']",
    ] {
        assert!(refused("allow", nowhere).is_some() && refused("deny", nowhere).is_some(), "{nowhere}");
    }
}
