//! The conformance cases of the CEL specification, from `../shared/data/cel-conformance.json`.
//!
//! A standard case gives the specified value, or errs where the specification says so. A case of an extension may be
//! refused at load besides, by a name of [`REFUSED`]; it never gives another value.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that finds the unexpected fails here"
)]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;

use fallgate::condition::{Absence, Attribute, Cause, Entity, Names, Scope, cel, text};
use fallgate::error::{Code, Diagnostic};
use fallgate::limits::Limits;
use fallgate::time::Monotonic;
use fallgate::value::{Value, View};
use fallgate::value_type::ValueType;
use serde_json::Value as Json;

/// What of CEL's extensions is refused at load, as the message names it.
const REFUSED: &[&str] = &["optional "];

/// The cases whose expected bytes hold a backslash that their text has not: the file was converted from a notation that
/// writes `?` as `\?`. What they expect once that is read stands here.
const MISCONVERTED: [(&str, &str, &str); 2] = [
    ("triple_single_quoted_unescaped_punctuation", "205c3f20222027206020", "203f20222027206020"),
    ("triple_double_quoted_unescaped_punctuation", "205c3f20222027206020", "203f20222027206020"),
];

/// A case's variables, by their whole names, and the container that names are looked up in.
struct Variables<'c> {
    container: &'c str,
    names: Vec<&'c str>,
}

impl Names for Variables<'_> {
    fn attribute(&mut self, _: Entity, _: &str) -> Result<Attribute, Option<String>> {
        Err(None)
    }

    fn signal(&mut self, _: &str) -> Result<u16, Option<String>> {
        Err(None)
    }

    fn data(&self) -> Option<&Value> {
        None
    }

    fn variable(&mut self, path: &str) -> Option<Attribute> {
        let mut candidates = Vec::new();
        match path.strip_prefix('.') {
            Some(global) => candidates.push(global.to_owned()),
            None => {
                let mut container = self.container;
                while !container.is_empty() {
                    candidates.push(format!("{container}.{path}"));
                    container = container.rsplit_once('.').map_or("", |(outer, _)| outer);
                }
                candidates.push(path.to_owned());
            }
        }
        let slot = candidates.iter().find_map(|name| self.names.iter().position(|known| known == name))?;
        Some(Attribute {
            slot: u16::try_from(slot).ok()?,
            value_type: ValueType::Any,
            may_be_absent: false,
            absence: Absence::Indeterminate,
        })
    }
}

/// A tagged value of the file as a view.
fn view<'a>(arena: &'a bumpalo::Bump, tagged: &'a Json) -> View<'a> {
    let (tag, value) = tagged.as_object().unwrap().iter().next().unwrap();
    let string = || value.as_str().unwrap();
    match tag.as_str() {
        "null" => View::Null,
        "bool" => View::Bool(value.as_bool().unwrap()),
        "int" => View::Int(string().parse().unwrap()),
        "uint" => View::UInt(string().parse().unwrap()),
        "double" => View::Double(string().parse().unwrap()),
        "string" => View::Str(string()),
        "duration" => View::Duration(text::parse_duration(string()).unwrap()),
        "list" => {
            let items = value.as_array().unwrap().iter().map(|item| view(arena, item));
            View::Items(arena.alloc_slice_fill_iter(items.collect::<Vec<_>>()))
        }
        "map" => {
            let entries = value.as_array().unwrap().iter().map(|pair| (view(arena, &pair[0]), view(arena, &pair[1])));
            View::Entries(arena.alloc_slice_fill_iter(entries.collect::<Vec<_>>()))
        }
        other => panic!("a value tagged {other}"),
    }
}

/// Whether a value is the one that the file tells, its type included.
fn is(found: View<'_>, tagged: &Json) -> bool {
    let (tag, value) = tagged.as_object().unwrap().iter().next().unwrap();
    match (tag.as_str(), found) {
        ("null", View::Null) => true,
        ("bool", View::Bool(found)) => value == found,
        ("int", View::Int(found)) => value == &found.to_string(),
        ("uint", View::UInt(found)) => value == &found.to_string(),
        ("double", View::Double(found)) => {
            let expected: f64 = value.as_str().unwrap().parse().unwrap();
            // `-0.0` is not `0.0` here, and NaN is NaN.
            expected.to_bits() == found.to_bits() || (expected.is_nan() && found.is_nan())
        }
        ("string", View::Str(found)) => value == found,
        ("bytes", View::Bytes(found)) => {
            let hex: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
            value == &hex
        }
        ("type", View::Type(found)) => value == found,
        ("list", View::List(items)) => {
            let all = value.as_array().unwrap();
            all.len() == items.len() && items.iter().zip(all).all(|(item, tagged)| is(View::from(item), tagged))
        }
        ("list", View::Items(items)) => {
            let all = value.as_array().unwrap();
            all.len() == items.len() && items.iter().zip(all).all(|(item, tagged)| is(*item, tagged))
        }
        ("map", View::Entries(entries)) => {
            let all = value.as_array().unwrap();
            all.len() == entries.len()
                && all.iter().all(|pair| entries.iter().any(|(key, value)| is(*key, &pair[0]) && is(*value, &pair[1])))
        }
        _ => false,
    }
}

/// What came of one case.
enum Outcome {
    Passed,
    Refused(String),
    Failed(String),
}

fn refusal(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect::<Vec<_>>().join("; ")
}

fn run(case: &Json) -> Outcome {
    let expression = case["expr"].as_str().unwrap();
    let bindings: Vec<(&String, &Json)> = case["bindings"].as_object().unwrap().iter().collect();
    let names = bindings.iter().map(|(name, _)| name.as_str()).collect();
    let mut variables = Variables { container: case["container"].as_str().unwrap(), names };
    let mut expect = case["expect"].clone();
    for (name, told, meant) in MISCONVERTED {
        if case["name"] == name && expect["value"]["bytes"] == told {
            expect["value"]["bytes"] = meant.into();
        }
    }
    let program = match cel::compile_unchecked(expression, &mut variables, &Limits::DEFAULT) {
        Ok(program) => program,
        Err(_) if expect.get("error").is_some() => return Outcome::Passed,
        Err(diagnostics) if diagnostics.iter().all(|one| one.code == Code::ConditionUnsupported) => {
            return Outcome::Refused(refusal(&diagnostics));
        }
        Err(diagnostics) => return Outcome::Failed(format!("not loaded: {}", refusal(&diagnostics))),
    };
    let (values, arena) = (bumpalo::Bump::new(), bumpalo::Bump::new());
    let slots: Vec<Option<View<'_>>> = bindings.iter().map(|(_, tagged)| Some(view(&values, tagged))).collect();
    let scope = Scope {
        slots: &slots,
        signals: &[],
        posture: None,
        monotonic: Monotonic::ZERO,
        wall: None,
        arena: &arena,
        steps_left: Cell::new(100_000),
    };
    match (program.value(&scope), expect.get("value")) {
        (Ok(found), Some(expected)) if is(found, expected) => Outcome::Passed,
        (Err(Cause::Limit | Cause::Internal), None) => Outcome::Failed("a limit, not the error of the case".to_owned()),
        (Err(_), None) => Outcome::Passed,
        (found, _) => Outcome::Failed(format!("{found:?}, expected {expect}")),
    }
}

#[derive(Default)]
struct Count {
    passed: usize,
    refused: usize,
    failed: usize,
}

#[test]
fn the_cases_of_the_specification() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/cel-conformance.json");
    let Ok(bytes) = std::fs::read(&path) else {
        assert!(std::env::var_os("FALLGATE_SHARED_REQUIRED").is_none(), "the conformance cases of CEL are not there");
        println!("left out: the conformance cases of CEL are not in this clone");
        return;
    };
    let document: Json = serde_json::from_slice(&bytes).unwrap();
    let mut counts: BTreeMap<(&str, bool), Count> = BTreeMap::new();
    let (mut standard, mut others) = (0, 0);
    let mut failures = Vec::new();
    for case in document["cases"].as_array().unwrap() {
        let word = |field: &str| case[field].as_str().unwrap();
        let is_standard = case["standard"].as_bool().unwrap();
        *(if is_standard { &mut standard } else { &mut others }) += 1;
        let count = counts.entry((word("file"), is_standard)).or_default();
        let mut failed = |why: String| {
            failures.push(format!("{}/{}/{}: {}: {why}", word("file"), word("section"), word("name"), word("expr")));
        };
        match run(case) {
            Outcome::Passed => count.passed += 1,
            Outcome::Refused(name) if !is_standard && REFUSED.iter().any(|known| name.contains(known)) => {
                count.refused += 1;
            }
            Outcome::Refused(name) => {
                count.failed += 1;
                failed(format!("refused: {name}"));
            }
            Outcome::Failed(why) => {
                count.failed += 1;
                failed(why);
            }
        }
    }
    println!("{:<16} {:>8} {:>7} {:>8} {:>7}", "file", "standard", "passed", "refused", "failed");
    for ((file, is_standard), Count { passed, refused, failed }) in counts {
        println!("{file:<16} {:>8} {passed:>7} {refused:>8} {failed:>7}", if is_standard { "yes" } else { "no" });
    }
    assert_eq!((standard, others), (575, 268), "the file holds other cases than those counted");
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n"));
}
