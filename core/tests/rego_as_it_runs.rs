//! Rego as OPA runs it, for tools: not strict, and still bounded.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]

use std::collections::BTreeMap;

use fallgate::condition::rego::{AsItRuns, Kind, RegoInput, TestInputs};
use fallgate::limits::Limits;
use fallgate::value::Value;
use serde_json::json;

fn sources(modules: &[(&str, &str)]) -> BTreeMap<String, String> {
    modules.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn load(text: &str) -> AsItRuns {
    AsItRuns::load(&sources(&[("a.rego", &format!("package a\nimport rego.v1\n{text}"))]), None, &Limits::DEFAULT)
        .unwrap()
}

fn input(value: &serde_json::Value) -> RegoInput {
    RegoInput::document(&Value::from(value))
}

#[test]
fn what_is_not_established_passes_a_negation() {
    // Each of these is what OPA answers without `--strict-builtin-errors`; in a pack each is refused or indeterminate.
    for (rule, expected) in [
        ("allow if not input.user.blocked", Some(json!(true))),
        ("allow if not to_number(input.text) > 5", Some(json!(true))),
        ("allow if not startswith(input.list, \"a\")", Some(json!(true))),
        ("allow if not http.send({\"url\": input.text})", Some(json!(true))),
        ("allow if to_number(input.text) > 5", None),
        ("allow if not data.nowhere", Some(json!(true))),
        ("allow if input.user with input as {\"user\": true}", Some(json!(true))),
        // A message that Fallgate's own `sprintf` would refuse to write is still a message.
        ("allow if sprintf(\"%.2f of %x\", [1.5, 255]) != \"\"", Some(json!(true))),
        ("allow if sprintf(\"%01000000000d\", [1]) != \"\"", None),
    ] {
        let modules = load(rule);
        let given = modules.value("data.a.allow", &input(&json!({"text": "many", "list": []})));
        assert_eq!(given, Ok(expected), "{rule}");
    }
    assert_eq!(load("allow if http.send({}).ok\nx := print(1)").unanswered(), ["http.send"]);
}

#[test]
fn other_data_is_another_state_of_the_same_modules() {
    let modules = AsItRuns::load(
        &sources(&[(
            "a.rego",
            "package a\nallow = true { not data.blocked[input.user] }\ndeny[x] { x := data.blocked[_] }",
        )]),
        Some(&Value::from(&json!({"blocked": {"ann": 1}}))),
        &Limits::DEFAULT,
    )
    .unwrap();
    let ann = input(&json!({"user": "ann"}));
    assert_eq!(modules.value("data.a.allow", &ann), Ok(None));
    let without = modules.with_data(&Value::from(&json!({"blocked": {}}))).unwrap();
    assert_eq!(without.value("data.a.allow", &ann), Ok(Some(json!(true))));
    assert_eq!(modules.value("data.a.allow", &ann), Ok(None), "the first state is as it was");
    assert_eq!(without.value("data.a.deny", &ann), Ok(Some(json!([]))));
    let rules: Vec<(String, Kind)> = modules.rules().collect();
    assert_eq!(rules, [("data.a.allow".to_owned(), Kind::Value), ("data.a.deny".to_owned(), Kind::Set)]);
    let reads: Vec<(Vec<String>, bool)> = modules
        .definitions("data.a.allow")
        .iter()
        .flat_map(|definition| definition.reads.iter().map(|read| (read.path.clone(), read.is_negated)))
        .collect();
    let path = |path: &[&str]| path.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(reads, [(path(&["data", "blocked"]), true), (path(&["input", "user"]), true)]);
}

#[test]
fn it_is_bounded_on_a_small_stack_too() {
    let work = || {
        let endless =
            "allow if count([1 | some x in numbers.range(1, 50000); some y in numbers.range(1, 50000); x == y]) > 0";
        let given = load(endless).value("data.a.allow", &input(&json!({})));
        assert!(given.unwrap_err().contains("steps"), "the budget is kept");
        let chain: String = (0..100).map(|number| format!("r{number} := r{}\n", number + 1)).collect();
        for refused in [
            "allow if f(1)\nf(x) := f(x)".to_owned(),
            format!("{chain}r100 := 1"),
            format!("allow := {}{}", "[".repeat(40), "]".repeat(40)),
            "allow if {".to_owned(),
            "allow\u{0} := 1".to_owned(),
        ] {
            let modules = sources(&[("a.rego", &format!("package a\nimport rego.v1\n{refused}"))]);
            assert!(AsItRuns::load(&modules, None, &Limits::DEFAULT).is_err(), "{refused}");
        }
        // As deep as is taken, in literals and in comprehensions.
        let deep = format!("allow := {}1{}", "[".repeat(15), "]".repeat(15));
        assert!(load(&deep).value("data.a.allow", &input(&json!({}))).unwrap().is_some());
    };
    std::thread::Builder::new().stack_size(128 << 10).spawn(work).unwrap().join().unwrap();
}

#[test]
fn tests_give_their_inputs_and_data() {
    let tests = "package a_test\nimport rego.v1\nimport data.a\n\
                 base := {\"user\": \"ann\"}\n\
                 test_one if not a.allow with input as object.union(base, {\"n\": 1}) with data.blocked as {\"ann\": 1}\n\
                 test_two if { who := \"a b\"; who != 5; some n in [1, 2]; not a.allow with input as {\"n\": n, \"who\": who} }\n\
                 test_three if not a.allow with input.user.name as \"eve\" with input.user.id as base.user\n\
                 test_four if a.allow\n\
                 test_five if not a.allow with input as undefined_thing(1)\n";
    let modules = sources(&[("a.rego", "package a\nallow := false"), ("a_test.rego", tests)]);
    let found = TestInputs::read(&modules, None, &Limits::DEFAULT).unwrap();
    let given: Vec<_> = found.inputs.iter().map(|one| (one.test.as_str(), one.input.clone())).collect();
    assert_eq!(
        given,
        [
            ("test_one", json!({"user": "ann", "n": 1})),
            ("test_two", json!({"n": 1, "who": "a b"})),
            ("test_two", json!({"n": 2, "who": "a b"})),
            ("test_three", json!({"user": {"name": "eve", "id": "ann"}})),
        ]
    );
    assert_eq!(found.inputs[0].data, [(vec!["blocked".to_owned()], json!({"ann": 1}))]);
    assert_eq!(found.unread.len(), 1);
    let (pointer, span) = &found.unread[0];
    assert_eq!(pointer, "/rego/a_test.rego");
    assert!(tests[span.clone()].contains("undefined_thing"), "{}", &tests[span.clone()]);
}
