//! `docs/capabilities.md` against the repository: no number is missing, and every place named is there.

// The lints that forbid a panic are for code in reach of input. A test panics to fail.
#![allow(clippy::expect_used)]

use std::path::Path;

const PAGE: &str = include_str!("../../docs/capabilities.md");

/// How many capabilities there are.
const COUNT: usize = 355;

/// What is wrong with a page; `is_there` says of a place whether it exists.
fn faults(page: &str, count: usize, is_there: impl Fn(&str) -> bool) -> Vec<String> {
    let topics: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("- `")?.split('`').next()).collect();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| S"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let mut faults = Vec::new();
    if rows.len() != count {
        faults.push(format!("{} lines, {count} were expected", rows.len()));
    }
    for (row, number) in rows.iter().zip(1..) {
        let [name, what, place] = row[..] else {
            faults.push(format!("{row:?}: three cells were expected"));
            continue;
        };
        if name != format!("S{number}") {
            faults.push(format!("{name}: S{number} was expected here"));
        }
        if what.is_empty() {
            faults.push(format!("{name}: says not what it is"));
        }
        faults.extend(place_faults(place, &topics, &is_there).into_iter().map(|fault| format!("{name}: {fault}")));
    }
    faults
}

/// What is wrong with the cell that says where a capability is served.
fn place_faults(place: &str, topics: &[&str], is_there: &impl Fn(&str) -> bool) -> Vec<String> {
    let Some((state, rest)) = place.split_once(": ") else {
        return vec![format!("`{place}` has no state")];
    };
    let unknown_topic = |topic: &str| (!topics.contains(&topic)).then(|| format!("`{topic}` is no later topic"));
    let missing = |places: &str| {
        let named: Vec<&str> = places.split('`').skip(1).step_by(2).collect();
        let mut faults: Vec<String> =
            named.iter().filter(|name| !is_there(name)).map(|name| format!("`{name}` is not there")).collect();
        if named.is_empty() {
            faults.push("names no place".to_owned());
        }
        faults
    };
    match (state, rest.split_once("; later: ")) {
        ("served", None) => missing(rest),
        ("partly", Some((places, topic))) => missing(places).into_iter().chain(unknown_topic(topic)).collect(),
        ("later", None) => unknown_topic(rest).into_iter().collect(),
        ("outside", None) if rest.split(' ').count() > 3 => Vec::new(),
        ("outside", _) => vec!["says not why it is outside".to_owned()],
        _ => vec![format!("`{place}` is not served, partly, later or outside, with what belongs to it")],
    }
}

#[test]
fn every_capability_has_its_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate stands in the repository");
    let faults = faults(PAGE, COUNT, |place| root.join(place).exists());
    assert!(faults.is_empty(), "docs/capabilities.md:\n{}", faults.join("\n"));
}

#[test]
fn each_fault_is_found() {
    let topics = "- `modes`: postures\n";
    let whole = "| S1 | a | served: `x` |\n| S2 | b | partly: `x`, `x/y`; later: modes |\n\
                 | S3 | c | later: modes |\n| S4 | d | outside: it is the host's |\n";
    let count_of = |page: &str| faults(&format!("{topics}{page}"), 4, |place| place.starts_with('x')).len();
    assert_eq!(count_of(whole), 0);
    for (good, bad) in [
        ("| S2 |", "| S3 |"),
        ("| b |", "| |"),
        ("served: `x`", "served: `gone`"),
        ("served: `x`", "served: somewhere"),
        ("`x/y`; later: modes", "`gone`; later: modes"),
        ("; later: modes", "; later: dreams"),
        ("; later: modes", ""),
        ("c | later: modes", "c | later: dreams"),
        ("c | later: modes", "c | soon"),
        ("c | later: modes", "c | maybe: modes"),
        ("outside: it is the host's", "outside: no"),
        ("| S1 | a | served: `x` |", "| S1 | served: `x` |"),
    ] {
        assert!(whole.contains(good), "`{good}`");
        assert_eq!(count_of(&whole.replacen(good, bad, 1)), 1, "`{good}` -> `{bad}`");
    }
    assert!(count_of(whole.trim_end().rsplit_once('\n').expect("there are lines").0) > 0, "a line is missing");
}
