//! `docs/dependencies.md` against what Cargo builds the core from: every crate has its line there, for this version, with
//! its licence and how much of it is `unsafe`, and no line is left of a crate that is gone.

// The lints that forbid a panic are for code in reach of input. A test panics to fail.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

#[allow(dead_code, reason = "tidy uses more of it")]
#[path = "tidy/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;

const PAGE: &str = include_str!("../../docs/dependencies.md");
const LOCK: &str = include_str!("../../Cargo.lock");

/// The system that the page is about: the one that every release is tested on.
const SYSTEM: &str = "x86_64-unknown-linux-gnu";

/// What stands above each of the three tables.
const IN_THE_LIBRARY: &str = "## In the library";
const WHILE_IT_IS_BUILT: &str = "## Only while it is built";
const ON_OTHER_SYSTEMS: &str = "## Only on other systems";

/// A crate by its name and version.
type Named = (String, String);

/// What a crate says and is, as its row has to show it.
#[derive(Debug, PartialEq)]
struct Facts {
    licence: String,
    /// Lines of its library with the word `unsafe`, comments and literals left out.
    unsafe_lines: usize,
}

/// What the core is made of.
#[derive(Default)]
struct Built {
    /// What is part of a program that the core is linked into.
    library: BTreeMap<Named, Facts>,
    /// Macros and build scripts, and what they are made of.
    tools: BTreeMap<Named, Facts>,
    /// Everything in the lock file.
    locked: BTreeSet<Named>,
}

/// The rows of the table below a heading, each with its cells.
fn rows<'p>(page: &'p str, heading: &str) -> Vec<Vec<&'p str>> {
    let below = page.split_once(heading).map_or("", |(_, below)| below);
    let table = below.split("\n## ").next().unwrap_or_default();
    let lines = table.lines().filter(|line| line.starts_with("| `"));
    lines.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

fn row_of((name, version): &Named, facts: &Facts) -> String {
    format!("| `{name}` | {version} | {} | {} | … |", facts.licence, facts.unsafe_lines)
}

/// What is wrong with a table of crates that are built here.
fn table_faults(page: &str, heading: &str, crates: &BTreeMap<Named, Facts>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut met = BTreeSet::new();
    for row in rows(page, heading) {
        let [name, version, licence, unsafe_lines, why] = row[..] else {
            faults.push(format!("{heading}: five cells were expected in {row:?}"));
            continue;
        };
        let named = (name.trim_matches('`').to_owned(), version.to_owned());
        let Some(facts) = crates.get(&named) else {
            faults.push(format!("{heading}: {name} {version} is not built from there; take the row out"));
            continue;
        };
        if licence != facts.licence || unsafe_lines != facts.unsafe_lines.to_string() {
            faults.push(format!("{heading}: look at it anew, and write: {}", row_of(&named, facts)));
        }
        if why.len() < 20 {
            faults.push(format!("{heading}: {name} {version}: say what it does here, and why it is trusted"));
        }
        if !met.insert(named) {
            faults.push(format!("{heading}: {name} {version} has two rows"));
        }
    }
    let missing = crates.iter().filter(|(named, _)| !met.contains(*named));
    faults.extend(missing.map(|(named, facts)| format!("{heading}: no row: {}", row_of(named, facts))));
    faults
}

/// What is wrong with the page.
fn faults(page: &str, built: &Built) -> Vec<String> {
    let mut faults = table_faults(page, IN_THE_LIBRARY, &built.library);
    faults.extend(table_faults(page, WHILE_IT_IS_BUILT, &built.tools));
    for row in rows(page, ON_OTHER_SYSTEMS) {
        let [name, version, _] = row[..] else {
            faults.push(format!("{ON_OTHER_SYSTEMS}: three cells were expected in {row:?}"));
            continue;
        };
        if !built.locked.contains(&(name.trim_matches('`').to_owned(), version.to_owned())) {
            faults.push(format!("{ON_OTHER_SYSTEMS}: {name} {version} is not in Cargo.lock; take the row out"));
        }
    }
    faults
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--locked", "--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .output()
        .expect("Cargo, which built this test, can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("Cargo writes UTF-8")
}

/// The crates below the core along some edges; without what stands below a macro, if only what is linked is wanted.
fn tree(edges: &str, linked_only: bool) -> BTreeSet<Named> {
    let format = ["--format", " {p}", "--prefix", "depth", "--no-dedupe", "--all-features"];
    let listed =
        cargo(&[&["tree", "--package", "fallgate", "--target", SYSTEM, "--edges", edges], &format[..]].concat());
    let mut found = BTreeSet::new();
    let mut macro_at = usize::MAX;
    for line in listed.lines() {
        let mut words = line.split(' ');
        let depth: usize = words.next().unwrap().parse().unwrap();
        let named = (words.next().unwrap().to_owned(), words.next().unwrap().trim_start_matches('v').to_owned());
        if depth == 0 || (linked_only && depth > macro_at) {
            continue;
        }
        macro_at = if linked_only && line.ends_with("(proc-macro)") { depth } else { usize::MAX };
        if macro_at == usize::MAX {
            found.insert(named);
        }
    }
    found
}

fn unsafe_lines(text: &str) -> usize {
    if !text.contains("unsafe") {
        return 0;
    }
    let code = source::code_only(text);
    let lines: BTreeSet<usize> =
        source::tokens(&code).iter().filter(|token| token.text == "unsafe").map(|token| token.line).collect();
    lines.len()
}

fn unsafe_lines_below(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| match path.extension() {
            _ if path.is_dir() => unsafe_lines_below(&path),
            Some(ending) if ending == "rs" => unsafe_lines(&String::from_utf8_lossy(&std::fs::read(&path).unwrap())),
            _ => 0,
        })
        .sum()
}

/// What Cargo knows of a package, and what its source has.
fn facts(package: &Json) -> Facts {
    let targets = package["targets"].as_array().unwrap();
    let is_library = |target: &&Json| {
        let kinds = target["kind"].as_array().unwrap();
        kinds.iter().any(|kind| kind.as_str().is_some_and(|kind| kind.ends_with("lib") || kind == "proc-macro"))
    };
    let library = targets.iter().find(is_library).unwrap_or_else(|| panic!("{} has no library", package["name"]));
    let folder = Path::new(library["src_path"].as_str().unwrap()).parent().unwrap();
    Facts {
        licence: package["license"].as_str().unwrap_or("none").to_owned(),
        unsafe_lines: unsafe_lines_below(folder),
    }
}

fn built() -> Built {
    let metadata: Json =
        serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--filter-platform", SYSTEM])).unwrap();
    let packages: BTreeMap<Named, &Json> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let text = |name: &str| package[name].as_str().unwrap().to_owned();
            ((text("name"), text("version")), package)
        })
        .collect();
    let with_facts = |named: &Named| (named.clone(), facts(packages[named]));
    let linked = tree("normal", true);
    let tools = &tree("normal,build", false) - &linked;
    let mut locked = BTreeSet::new();
    for entry in LOCK.split("[[package]]") {
        let value =
            |name: &str| entry.lines().find_map(|line| Some(line.strip_prefix(name)?.trim_matches('"').to_owned()));
        locked.extend(value("name = ").zip(value("version = ")));
    }
    Built { library: linked.iter().map(with_facts).collect(), tools: tools.iter().map(with_facts).collect(), locked }
}

#[test]
fn every_crate_that_the_core_is_built_from_has_its_line() {
    let built = built();
    assert!(built.library.len() > 50, "only {} crates were found", built.library.len());
    let faults = faults(PAGE, &built);
    assert!(faults.is_empty(), "docs/dependencies.md:\n{}", faults.join("\n"));
    let lines: usize = built.library.values().map(|facts| facts.unsafe_lines).sum();
    println!(
        "{} crates in the library, with {lines} lines of `unsafe`; {} build it",
        built.library.len(),
        built.tools.len()
    );
}

#[test]
fn comments_and_names_are_not_unsafe() {
    let text = "#![forbid(unsafe_code)]\n// unsafe\nlet a = \"unsafe\"; unsafe { unsafe { b } }\nunsafe fn c() {}\n";
    assert_eq!(unsafe_lines(text), 2);
}

#[test]
fn each_fault_of_the_page_is_found() {
    let named = |name: &str| (name.to_owned(), "1.0.0".to_owned());
    let facts = |unsafe_lines| Facts { licence: "MIT".to_owned(), unsafe_lines };
    let built = Built {
        library: BTreeMap::from([(named("one"), facts(0)), (named("two"), facts(3))]),
        tools: BTreeMap::from([(named("three"), facts(0))]),
        locked: BTreeSet::from([named("one"), named("two"), named("three"), named("four")]),
    };
    let whole = "## In the library\n\
                 | `one` | 1.0.0 | MIT | 0 | it does something, and is read |\n\
                 | `two` | 1.0.0 | MIT | 3 | it does another thing, and is read |\n\
                 ## Only while it is built\n\
                 | `three` | 1.0.0 | MIT | 0 | a macro for something, and is read |\n\
                 ## Only on other systems\n\
                 | `four` | 1.0.0 | Windows |\n";
    assert_eq!(faults(whole, &built), Vec::<String>::new());
    for (good, bad, found) in [
        ("| `one`", "| `none`", "## In the library: `none` 1.0.0 is not built from there"),
        ("| `one`", "one", "## In the library: no row: | `one` | 1.0.0 | MIT | 0 |"),
        ("| `two` | 1.0.0", "| `two` | 1.0.1", "## In the library: `two` 1.0.1 is not built from there"),
        ("| MIT | 0 | it", "| BSD | 0 | it", "## In the library: look at it anew"),
        ("| 3 |", "| 2 |", "## In the library: look at it anew, and write: | `two` | 1.0.0 | MIT | 3 |"),
        ("it does something, and is read", "good", "## In the library: `one` 1.0.0: say what it does"),
        ("| `two`", "| `one`", "## In the library: look at it anew"),
        ("| MIT | 3 |", "|", "## In the library: five cells were expected"),
        ("| `three`", "| `two`", "## Only while it is built: no row: | `three`"),
        ("| `four`", "| `five`", "## Only on other systems: `five` 1.0.0 is not in Cargo.lock"),
        ("| 1.0.0 | Windows", "| Windows", "## Only on other systems: three cells were expected"),
    ] {
        assert!(whole.contains(good), "`{good}`");
        let faults = faults(&whole.replacen(good, bad, 1), &built);
        assert!(faults.iter().any(|fault| fault.starts_with(found)), "`{good}` -> `{bad}`: {faults:?}");
    }
    let twice = whole.replacen("| `two`", "| `one` | 1.0.0 | MIT | 0 | it does something, and is read |\n| `two`", 1);
    assert!(faults(&twice, &built).iter().any(|fault| fault.ends_with("has two rows")));
}
