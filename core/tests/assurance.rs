//! `docs/assurance.md` and `docs/hostile.md` against the repository: no invariant and no row is missing, and every file, test,
//! case and drill that they name is there.

// The lints that forbid a panic are for code in reach of input. A test panics to fail.
#![allow(clippy::expect_used)]

#[allow(dead_code, reason = "other pages use more of it")]
mod places;

use std::collections::BTreeSet;
use std::path::Path;

const INVARIANTS: &str = include_str!("../../docs/assurance.md");
const HOSTILE: &str = include_str!("../../docs/hostile.md");

/// How many there are of each.
const INVARIANTS_COUNT: usize = 44;
const ROWS_COUNT: usize = 107;

/// The rows of a page whose first cells are this letter and a number, each with its cells; and what is wrong with their order.
fn rows<'p>(page: &'p str, letter: &str, count: usize) -> (Vec<Vec<&'p str>>, Vec<String>) {
    let is_row = |line: &&str| {
        let number = line.strip_prefix("| ").and_then(|line| line.strip_prefix(letter));
        number.is_some_and(|number| number.starts_with(|sign: char| sign.is_ascii_digit()))
    };
    let cells = |line: &'p str| line.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>();
    let rows: Vec<Vec<&str>> = page.lines().filter(is_row).map(cells).collect();
    let mut faults = Vec::new();
    if rows.len() != count {
        faults.push(format!("{} rows, {count} were expected", rows.len()));
    }
    for (row, number) in rows.iter().zip(1_usize..) {
        if row.first() != Some(&format!("{letter}{number}").as_str()) {
            faults.push(format!("{letter}{number} was expected at {row:?}"));
        }
        if row.len() != 5 {
            faults.push(format!("{letter}{number}: {} cells, five were expected", row.len()));
        }
        if row.get(1).is_none_or(|what| what.len() < 10) {
            faults.push(format!("{letter}{number}: says nothing"));
        }
    }
    (rows, faults)
}

/// What is wrong with the page of invariants.
fn invariant_faults(page: &str, count: usize, read: &impl Fn(&str) -> Option<String>) -> Vec<String> {
    let (rows, mut faults) = rows(page, "I-", count);
    for row in rows {
        let [name, _, code, tests, mutants] = row[..] else { continue };
        if places::named(code).is_empty() {
            faults.push(format!("{name}: names no code that upholds it"));
        }
        let is_held = |place: &&str| place.contains("::") || place.contains("/drills/");
        if !places::named(tests).iter().any(is_held) {
            faults.push(format!("{name}: no test holds it"));
        }
        if mutants.is_empty() {
            faults.push(format!("{name}: says nothing of mutants; write `–` where none was planted"));
        }
        // A fuzz target finds what `make fuzz-planted` plants.
        let finds = |place: &&str| is_held(place) || place.starts_with("fuzz/fuzz_targets/");
        if mutants != "–" && !places::named(mutants).iter().any(finds) {
            faults.push(format!("{name}: no test is named that killed the mutant"));
        }
        for place in places::named(code).into_iter().chain(places::named(tests)).chain(places::named(mutants)) {
            faults.extend(places::missing(place, read).map(|why| format!("{name}: `{place}`: {why}")));
        }
    }
    faults
}

/// The languages that a place is run in: every one reads the corpus of the packs and the signed files.
fn languages(place: &str) -> &'static [&'static str] {
    const FOLDERS: &[(&str, &[&str])] = &[
        ("policies/", &["Rust", "C", "Python", "Node"]),
        ("bindings/signed/", &["Rust", "C", "Python", "Node"]),
        ("bindings/c/", &["C"]),
        ("bindings/python/", &["Python"]),
        ("bindings/node/", &["Node"]),
    ];
    FOLDERS.iter().find(|(folder, _)| place.starts_with(folder)).map_or(&["Rust"], |(_, languages)| languages)
}

/// What is wrong with the page of hostile inputs.
fn hostile_faults(page: &str, count: usize, read: &impl Fn(&str) -> Option<String>) -> Vec<String> {
    let (rows, mut faults) = rows(page, "H", count);
    for row in rows {
        let [name, _, expected, tests, told] = row[..] else { continue };
        if expected.is_empty() {
            faults.push(format!("{name}: says not what is expected"));
        }
        let named = places::named(tests);
        let why = tests.split_once("does not apply: ").map_or("", |(_, why)| why);
        if named.is_empty() && why.len() < 20 {
            faults.push(format!("{name}: runs nowhere, and says not why it does not apply"));
        }
        for place in &named {
            faults.extend(places::missing(place, read).map(|why| format!("{name}: `{place}`: {why}")));
        }
        let run: BTreeSet<&str> = named.iter().flat_map(|place| languages(place)).copied().collect();
        let said: BTreeSet<&str> = told.split(", ").filter(|language| *language != "–").collect();
        if run != said {
            faults.push(format!("{name}: runs in {run:?}, and says {said:?}"));
        }
    }
    faults
}

fn repository(path: &str) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate stands in the repository");
    std::fs::read_to_string(root.join(path)).ok()
}

#[test]
fn every_invariant_is_held_by_what_is_there() {
    let faults = invariant_faults(INVARIANTS, INVARIANTS_COUNT, &repository);
    assert!(faults.is_empty(), "docs/assurance.md:\n{}", faults.join("\n"));
}

#[test]
fn every_hostile_input_is_tried_where_the_page_says() {
    let faults = hostile_faults(HOSTILE, ROWS_COUNT, &repository);
    assert!(faults.is_empty(), "docs/hostile.md:\n{}", faults.join("\n"));
}

fn some_files(path: &str) -> Option<String> {
    let text = match path {
        "core/a.rs" => "#[test]\nfn one() {}\nfn two() {}\n",
        "policies/p/tests/c.yaml" => "cases:\n  - name: a case\n",
        "policies/p/drills/d.yaml" => "# What it shows.\ndrill: down\n",
        "bindings/python/t.py" => "def test_it():\n",
        "bindings/node/t.mjs" => "test('says a thing', () => {})\n",
        "bindings/c/t.c" => "static void calls(void) {\n",
        _ => return None,
    };
    Some(text.to_owned())
}

#[test]
fn each_fault_of_the_invariants_is_found() {
    let whole = "| I-1 | it is said so | `core/a.rs` | `core/a.rs::one` | – |\n\
                 | I-2 | and this is too | `core/a.rs` | `policies/p/drills/d.yaml` | the sign turned: `core/a.rs::one` |\n";
    let faults_of = |page: &str| invariant_faults(page, 2, &some_files);
    assert_eq!(faults_of(whole), Vec::<String>::new());
    for (good, bad, found) in [
        ("I-2", "I-3", "I-2 was expected at"),
        ("it is said so", "so", "I-1: says nothing"),
        ("| `core/a.rs` |", "| there |", "I-1: names no code that upholds it"),
        ("`core/a.rs::one` | –", "`core/a.rs` | –", "I-1: no test holds it"),
        ("`core/a.rs::one` | –", "`core/a.rs::two` | –", "I-1: `core/a.rs::two`: the function is no test"),
        ("`core/a.rs::one` | –", "`core/b.rs::one` | –", "I-1: `core/b.rs::one`: there is no such file"),
        ("`core/a.rs::one` | –", "`core/a.rs::one`", "I-1: 4 cells, five were expected"),
        ("turned: `core/a.rs::one`", "turned", "I-2: no test is named that killed the mutant"),
        (
            "turned: `core/a.rs::one`",
            "turned: `core/a.rs::six`",
            "I-2: `core/a.rs::six`: the file has no such function",
        ),
        ("| I-2", "| J-2", "1 rows, 2 were expected"),
    ] {
        assert!(whole.contains(good), "`{good}`");
        let faults = faults_of(&whole.replacen(good, bad, 1));
        assert!(faults.iter().any(|fault| fault.starts_with(found)), "`{good}` -> `{bad}`: {faults:?}");
    }
}

#[test]
fn each_fault_of_the_hostile_inputs_is_found() {
    let whole = "| H1 | what is tried | refused | `policies/p/tests/c.yaml::a case` | Rust, C, Python, Node |\n\
                 | H2 | something else | deny | `core/a.rs::one`, `bindings/python/t.py::test_it` | Rust, Python |\n\
                 | H3 | another of them | deny | `bindings/node/t.mjs::says a thing`, `bindings/c/t.c::calls` | C, Node |\n\
                 | H4 | and one more here | – | does not apply: there is no such thing here | – |\n";
    let faults_of = |page: &str| hostile_faults(page, 4, &some_files);
    assert_eq!(faults_of(whole), Vec::<String>::new());
    for (good, bad, found) in [
        ("| refused |", "|  |", "H1: says not what is expected"),
        ("::a case", "::no case", "H1: `policies/p/tests/c.yaml::no case`: the file has no such case"),
        ("Rust, C, Python, Node", "Rust, C", "H1: runs in"),
        ("::test_it", "::test_that", "H2: `bindings/python/t.py::test_that`: the file has no such test"),
        ("says a thing", "says nothing", "H3: `bindings/node/t.mjs::says nothing`: the file has no such test"),
        ("t.c::calls", "t.c::called", "H3: `bindings/c/t.c::called`: the file has no such test"),
        ("does not apply: there is no such thing here", "nowhere", "H4: runs nowhere"),
        ("| H4", "| H5", "H4 was expected at"),
    ] {
        assert!(whole.contains(good), "`{good}`");
        let faults = faults_of(&whole.replacen(good, bad, 1));
        assert!(faults.iter().any(|fault| fault.starts_with(found)), "`{good}` -> `{bad}`: {faults:?}");
    }
}
