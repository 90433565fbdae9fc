//! Rego against OPA's own conformance cases (spec 1.10): each answer is OPA's or an error, never another one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use fallgate::condition::Cause;
use fallgate::condition::rego::{Modules, RegoInput};
use fallgate::limits::Limits;
use fallgate::value::Value;
use serde_json::Value as Json;

/// What became of a case.
#[derive(Debug)]
enum Outcome {
    /// The answer is OPA's, or both fail.
    Equal,
    /// Refused before it was asked, for this cause.
    Refused(String),
    /// Asked, and it ended in an error for this cause.
    Failed(String),
    /// Another answer than OPA's: never.
    Different(String),
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The cause of a refusal without what it names: the text, with everything in backticks left out, but for the family of
/// a built-in.
fn cause(message: &str) -> String {
    if let Some(name) = message.strip_prefix("the built-in `").and_then(|rest| rest.split('`').next()) {
        let family = name.split_once('.').map_or_else(|| name.to_owned(), |(family, _)| format!("{family}.…"));
        return format!("the built-in `{family}` is refused");
    }
    let mut plain = String::new();
    for (index, part) in message.split('`').enumerate() {
        plain.push_str(if index % 2 == 0 { part } else { "…" });
    }
    plain
}

/// The path that a query such as `data.a.p = x` asks for, and its variable.
fn asked_path(query: &str) -> Option<(&str, &str)> {
    let (path, variable) = query.trim().split_once(" = ")?;
    let is_name = |part: &str| {
        part.starts_with(|ch: char| ch.is_ascii_alphabetic() || ch == '_')
            && part.chars().all(|ch| ch.is_ascii_alphanumeric() || ch == '_')
    };
    (path.starts_with("data.") && path.split('.').all(is_name) && is_name(variable)).then_some((path, variable))
}

/// The query as a rule of its own, that gives an object of its variables.
fn wrapped(query: &str, bindings: Option<&Json>) -> String {
    let names = bindings.and_then(Json::as_object).into_iter().flat_map(|bindings| bindings.keys());
    let fields: Vec<String> = names.map(|name| format!("\"{name}\": {name}")).collect();
    format!("package conformance_query\n\nresult := {{{}}} if {{\n\t{}\n}}\n", fields.join(", "), query.trim())
}

/// Lists in one order, where the case says that the order of its answer is not given.
fn sorted(value: &Json) -> Json {
    match value {
        Json::Array(items) => {
            let mut items: Vec<Json> = items.iter().map(sorted).collect();
            items.sort_by_key(Json::to_string);
            Json::Array(items)
        }
        Json::Object(entries) => entries.iter().map(|(name, value)| (name.clone(), sorted(value))).collect(),
        other => other.clone(),
    }
}

/// Equality as JSON has it: `1` and `1.0` are one number.
fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, value)| b.get(name).is_some_and(|other| same(value, other)))
        }
        _ => a == b,
    }
}

fn ask(case: &Json) -> Outcome {
    let mut sources: BTreeMap<String, String> = BTreeMap::new();
    for (index, module) in case["modules"].as_array().unwrap().iter().enumerate() {
        sources.insert(format!("{index}.rego"), module.as_str().unwrap().to_owned());
    }
    let data = case.get("data").map(Value::from);
    let input = match case.get("input_term").map(|term| term.as_str().unwrap()) {
        Some(term) => match serde_json::from_str::<Json>(term) {
            Ok(input) => Some(input),
            Err(_) => return Outcome::Refused("the input is not JSON".into()),
        },
        None => case.get("input").cloned(),
    };
    let query = case["query"].as_str().unwrap();
    let bindings = case.get("want_result").and_then(|rows| rows.get(0));
    let load = |sources: &BTreeMap<String, String>| {
        Modules::load(sources, data.as_ref(), &Limits::DEFAULT).map_err(|mistakes| cause(&mistakes[0].message))
    };
    let modules = match load(&sources) {
        Ok(modules) => modules,
        Err(cause) => return Outcome::Refused(cause),
    };
    let input = input.map_or_else(RegoInput::none, |input| RegoInput::document(&Value::from(&input)));
    let answer = match asked_path(query).filter(|(path, _)| modules.has_rule(path)) {
        Some((path, variable)) => modules
            .value(path, &input)
            .map(|value| value.map(|value| Json::Object([(variable.to_owned(), value)].into_iter().collect()))),
        None => {
            sources.insert("query.rego".into(), wrapped(query, bindings));
            match load(&sources) {
                Ok(modules) => modules.value("data.conformance_query.result", &input),
                Err(cause) => return Outcome::Refused(cause),
            }
        }
    };
    let want_error = case.get("want_error").or_else(|| case.get("want_error_code"));
    match (answer, want_error) {
        (Err(_), Some(_)) => Outcome::Equal,
        (Err((cause, what)), None) => Outcome::Failed(match cause {
            Cause::Limit => "more steps than the budget has".into(),
            Cause::Internal => "a panic of the evaluator".into(),
            _ if what.contains("JSON") => "a number beyond 64 bits".into(),
            _ => "an error of a built-in or a conflict of rules".into(),
        }),
        (Ok(value), Some(error)) => Outcome::Different(format!("{value:?} where OPA has the error {error}")),
        (Ok(value), None) => {
            let rows = case["want_result"].as_array().unwrap();
            let order_counts = case.get("sort_bindings") != Some(&Json::Bool(true));
            let in_order = |value: &Json| if order_counts { value.clone() } else { sorted(value) };
            let is_same = match (&value, rows.as_slice()) {
                (None, []) => true,
                (Some(value), [row]) => same(&in_order(value), &in_order(row)),
                _ => false,
            };
            if is_same { Outcome::Equal } else { Outcome::Different(format!("{value:?} where OPA has {rows:?}")) }
        }
    }
}

/// The counts as the table of `docs/rego-conformance.md`.
fn table(outcomes: &[Outcome]) -> String {
    let mut counts: BTreeMap<(u8, &str, &str), usize> = BTreeMap::new();
    for outcome in outcomes {
        let row = match outcome {
            Outcome::Equal => (0, "equal", ""),
            Outcome::Refused(cause) => (1, "refused at load", cause.as_str()),
            Outcome::Failed(cause) => (2, "error", cause.as_str()),
            Outcome::Different(_) => (3, "different", ""),
        };
        *counts.entry(row).or_default() += 1;
    }
    let mut text = String::from("| Outcome | Cause | Cases |\n|---|---|---|\n");
    for ((_, outcome, cause), count) in counts {
        writeln!(text, "| {outcome} | {cause} | {count} |").unwrap();
    }
    writeln!(text, "| all | | {} |", outcomes.len()).unwrap();
    text
}

#[test]
fn no_answer_differs_from_that_of_opa() {
    let path = repository().join("../shared/data/opa-conformance.json");
    if !path.exists() {
        println!("left out: {} is not there", path.display());
        return;
    }
    let suite: Json = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases = suite["cases"].as_array().unwrap();
    let outcomes: Vec<Outcome> = cases.iter().map(ask).collect();
    let table = table(&outcomes);
    println!("{table}");
    let different: Vec<String> = cases
        .iter()
        .zip(&outcomes)
        .filter_map(|(case, outcome)| match outcome {
            Outcome::Different(what) => Some(format!("{} ({}): {what}", case["note"], case["file"])),
            _ => None,
        })
        .collect();
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
    let page = std::fs::read_to_string(repository().join("docs/rego-conformance.md")).unwrap();
    assert!(page.contains(&table), "docs/rego-conformance.md has other numbers than:\n{table}");
}
