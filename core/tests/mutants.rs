//! What `make mutants` and `make fuzz-planted` rest on, against the repository: the files and their tests are there, each
//! fault that was thought of still has what it changes and who finds it, and no survivor stands in the list without a reason.

// The lints that forbid a panic are for code in reach of input. A test panics to fail.
#![allow(clippy::expect_used, clippy::arithmetic_side_effects)]

#[allow(dead_code, reason = "other pages use more of it")]
mod places;

use std::path::Path;

use serde_json::Value;

const TARGETS: &str = include_str!("mutants/targets.txt");
const SEMANTIC: &str = include_str!("mutants/semantic.json");
const FUZZED: &str = include_str!("../../fuzz/planted.json");
const SURVIVORS: &str = include_str!("mutants/survivors.txt");

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
}

/// What is wrong with the files whose faults are looked for, and the tests that hold them.
fn target_faults(targets: &str, read: &impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for line in lines(targets) {
        let mut words = line.split_whitespace();
        let file = words.next().unwrap_or_default();
        if read(file).is_none() {
            faults.push(format!("{file}: there is no such file"));
        }
        let tests: Vec<&str> = words.collect();
        if tests.is_empty() {
            faults.push(format!("{file}: no tests hold it"));
        }
        for test in tests {
            let of_target = |target: &str| read(&format!("core/tests/{target}.rs"));
            let there = match test.split_once(':') {
                Some(("lib", module)) => !module.is_empty(),
                Some((target, begin)) => {
                    !begin.is_empty() && of_target(target).is_some_and(|text| text.contains(&format!("\nfn {begin}")))
                }
                None => of_target(test).is_some(),
            };
            if !there {
                faults.push(format!("{file}: {test}: there are no such tests"));
            }
        }
    }
    faults
}

/// What is wrong with the faults that were thought of; `who` finds each, and `missing` says why one of these is not there.
fn planned_faults(
    planned: &str,
    who: &str,
    read: &impl Fn(&str) -> Option<String>,
    missing: &impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let list: Vec<Value> = serde_json::from_str(planned).unwrap_or_default();
    let mut faults = Vec::new();
    if list.len() < 2 {
        faults.push("there are no faults".to_owned());
    }
    for fault in &list {
        let text = |name: &str| fault.get(name).and_then(Value::as_str).unwrap_or_default();
        let (name, file, before) = (text("name"), text("file"), text("before"));
        let found = read(file).map(|text| if before.is_empty() { 0 } else { text.matches(before).count() });
        match found {
            None => faults.push(format!("{name}: {file}: there is no such file")),
            Some(1) if before != text("after") => {}
            Some(1) => faults.push(format!("{name}: changes nothing")),
            Some(count) => faults.push(format!("{name}: what it changes is there {count} times")),
        }
        let finders = fault.get(who).and_then(Value::as_array).cloned().unwrap_or_default();
        if finders.is_empty() {
            faults.push(format!("{name}: nobody finds it"));
        }
        for finder in &finders {
            let finder = finder.as_str().unwrap_or_default();
            faults.extend(missing(finder).map(|why| format!("{name}: `{finder}`: {why}")));
        }
    }
    faults
}

fn semantic_faults(semantic: &str, read: &impl Fn(&str) -> Option<String>) -> Vec<String> {
    planned_faults(semantic, "found_by", read, &|test| places::missing(test, read))
}

/// Those that fuzz targets find.
fn fuzzed_faults(planted: &str, read: &impl Fn(&str) -> Option<String>) -> Vec<String> {
    let target = |target: &str| format!("fuzz/fuzz_targets/{target}.rs");
    planned_faults(planted, "targets", read, &|name| read(&target(name)).is_none().then(|| "no such target".to_owned()))
}

/// What is wrong with the list of survivors.
fn survivor_faults(survivors: &str, targets: &str) -> Vec<String> {
    let files: Vec<&str> = lines(targets).filter_map(|line| line.split_whitespace().next()).collect();
    let mut faults = Vec::new();
    let mut reasons: Vec<(&str, usize)> = Vec::new();
    for line in lines(survivors) {
        match (line.starts_with(' '), reasons.last_mut()) {
            (true, Some((_, reason))) => *reason += line.trim().len(),
            (true, None) => faults.push(format!("{line}: a reason of nothing")),
            (false, _) => reasons.push((line, 0)),
        }
    }
    for (at, (fault, reason)) in reasons.iter().enumerate() {
        if !files.iter().any(|file| fault.starts_with(&format!("{file}: "))) {
            faults.push(format!("{fault}: of no file in targets.txt"));
        }
        if *reason < 20 {
            faults.push(format!("{fault}: says not why"));
        }
        if reasons.iter().skip(at + 1).any(|(other, _)| other == fault) {
            faults.push(format!("{fault}: is there twice"));
        }
    }
    faults
}

fn repository(path: &str) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate stands in the repository");
    std::fs::read_to_string(root.join(path)).ok()
}

#[test]
fn what_the_mutants_rest_on_is_there() {
    let mut faults = target_faults(TARGETS, &repository);
    faults.extend(semantic_faults(SEMANTIC, &repository));
    faults.extend(survivor_faults(SURVIVORS, TARGETS));
    faults.extend(fuzzed_faults(FUZZED, &repository).into_iter().map(|fault| format!("fuzz/planted.json: {fault}")));
    assert!(faults.is_empty(), "core/tests/mutants:\n{}", faults.join("\n"));
}

fn some_files(path: &str) -> Option<String> {
    match path {
        "core/src/a.rs" => Some("if a < b { a } else { b }".to_owned()),
        "core/tests/t.rs" => Some("#[test]\nfn one() {}\n".to_owned()),
        "fuzz/fuzz_targets/decide.rs" => Some(String::new()),
        _ => None,
    }
}

#[test]
fn a_fault_is_planted_for_each_fuzz_target() {
    let targets = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/fuzz_targets"));
    for target in targets.expect("the targets") {
        let target = target.expect("a target").path();
        let name = target.file_stem().and_then(|name| name.to_str()).expect("its name");
        assert!(FUZZED.contains(&format!("\"{name}\"")), "fuzz/planted.json: no fault for `{name}`");
    }
}

#[test]
fn each_mistake_in_them_is_found() {
    let targets = "# files\ncore/src/a.rs lib:a t:on t\n";
    assert_eq!(target_faults(targets, &some_files), Vec::<String>::new());
    for (good, bad) in [
        ("a.rs", "b.rs"),
        ("lib:a t:on t", ""),
        (" t\n", " u\n"),
        ("lib:a", "lib:"),
        ("t:on", "t:two"),
        ("t:on", "u:on"),
        ("t:on", "t:"),
    ] {
        assert_eq!(target_faults(&targets.replacen(good, bad, 1), &some_files).len(), 1, "`{good}` -> `{bad}`");
    }
    let fault = r#"{"name": "n", "file": "core/src/a.rs", "before": "a < b", "after": "a <= b", "found_by": ["core/tests/t.rs::one"]}"#;
    let semantic = format!("[{fault}, {fault}]");
    assert_eq!(semantic_faults(&semantic, &some_files), Vec::<String>::new());
    for (good, bad) in [
        ("a.rs", "b.rs"),
        ("a < b", "a > b"),
        ("\"a < b", "\"a"),
        ("a <= b", "a < b"),
        ("t.rs::one", "t.rs::two"),
        ("\"core/tests/t.rs::one\"", ""),
    ] {
        assert_eq!(semantic_faults(&semantic.replacen(good, bad, 1), &some_files).len(), 1, "`{good}` -> `{bad}`");
    }
    assert_eq!(semantic_faults("[]", &some_files).len(), 1);
    let fault =
        r#"{"name": "n", "file": "core/src/a.rs", "before": "a < b", "after": "a <= b", "targets": ["decide"]}"#;
    let planted = format!("[{fault}, {fault}]");
    assert_eq!(fuzzed_faults(&planted, &some_files), Vec::<String>::new());
    for (good, bad) in [("decide", "decades"), ("[\"decide\"]", "[]"), ("a < b", "a > b")] {
        assert_eq!(fuzzed_faults(&planted.replacen(good, bad, 1), &some_files).len(), 1, "`{good}` -> `{bad}`");
    }
    let survivors = "# list\ncore/src/a.rs: replace < with <= in a\n    both come to the same where they are equal\n";
    assert_eq!(survivor_faults(survivors, targets), Vec::<String>::new());
    for (good, bad) in [
        ("core/src/a.rs", "core/src/b.rs"),
        ("    both come to the same where they are equal\n", ""),
        ("core/src/a.rs: replace < with <= in a\n", ""),
    ] {
        assert_eq!(survivor_faults(&survivors.replacen(good, bad, 1), targets).len(), 1, "`{good}` -> `{bad}`");
    }
    assert_eq!(survivor_faults(&format!("{survivors}{survivors}"), targets).len(), 1);
}
