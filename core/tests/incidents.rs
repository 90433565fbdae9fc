//! `docs/incidents.md` and `docs/book/threat-model.md` against the repository: every place named is there, every drill of
//! the pack of incidents is named, and every attack is shown by something.

// The lints that forbid a panic are for code in reach of input. A test panics to fail.
#![allow(clippy::expect_used)]

mod places;

use std::path::Path;

const PAGE: &str = include_str!("../../docs/incidents.md");
const THREATS: &str = include_str!("../../docs/book/threat-model.md");

/// How many kinds of faults are re-enacted at the least.
const LEAST: usize = 12;

/// What is wrong with the page. `text` gives the text of a file of the repository; `drills` are those of the pack.
fn faults(page: &str, least: usize, drills: &[String], text: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| fault "))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    let mut faults = Vec::new();
    if rows.len() < least {
        faults.push(format!("{} lines, at least {least} were expected", rows.len()));
    }
    let mut named = Vec::new();
    for row in &rows {
        let [fault, report, .., places] = row[..] else {
            faults.push(format!("{row:?}: five cells were expected"));
            continue;
        };
        if row.len() != 5 {
            faults.push(format!("{fault}: {} cells, five were expected", row.len()));
        }
        if !["CVE-", "GHSA-", "](https://"].iter().any(|form| report.contains(form)) {
            faults.push(format!("{fault}: names no report"));
        }
        let places = places::named(places);
        if places.is_empty() {
            faults.push(format!("{fault}: is shown by nothing"));
        }
        for place in places {
            named.push(place.to_owned());
            faults.extend(places::missing(place, &text).map(|why| format!("{fault}: `{place}`: {why}")));
        }
    }
    faults.extend(drills.iter().filter(|drill| !named.contains(*drill)).map(|drill| format!("{drill} is not named")));
    faults
}

/// What is wrong with the attacks of a threat model: the rows of its tables that say what each is shown by.
fn unshown(page: &str, text: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut attacks = 0_usize;
    let mut is_shown = false;
    for line in page.lines() {
        is_shown = line.starts_with('|') && (is_shown || line.ends_with("| shown by |"));
        let Some((attack, places)) = line.trim_end_matches(" |").rsplit_once(" | ").filter(|_| is_shown) else {
            continue;
        };
        if places == "shown by" {
            continue;
        }
        attacks = attacks.saturating_add(1);
        let places = places::named(places);
        if places.is_empty() {
            faults.push(format!("{attack}: is shown by nothing"));
        }
        let missing = |place: &&str| Some(format!("{attack}: `{place}`: {}", places::missing(place, &text)?));
        faults.extend(places.iter().filter_map(missing));
    }
    if attacks == 0 {
        faults.push("no attack is shown by anything".to_owned());
    }
    faults
}

#[test]
fn every_incident_is_shown_where_the_page_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate stands in the repository");
    let folder = std::fs::read_dir(root.join("policies/incidents/drills")).expect("the pack has drills");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.expect("the folder can be read");
        format!("policies/incidents/drills/{}", entry.file_name().to_string_lossy())
    };
    let drills: Vec<String> = folder.map(name).collect();
    let faults = faults(PAGE, LEAST, &drills, |path| std::fs::read_to_string(root.join(path)).ok());
    assert!(faults.is_empty(), "docs/incidents.md:\n{}", faults.join("\n"));
}

#[test]
fn every_attack_is_shown_where_the_threat_model_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate stands in the repository");
    let faults = unshown(THREATS, |path| std::fs::read_to_string(root.join(path)).ok());
    assert!(faults.is_empty(), "docs/book/threat-model.md:\n{}", faults.join("\n"));
}

#[test]
fn an_attack_that_nothing_shows_is_found() {
    let good = "| tries | comes to | shown by |\n|---|---|---|\n| a | b | `e.rs::f`, `g.rs::tests::h` |\n\n| i | j |\n|---|---|\n| k | l |\n";
    let text = |path: &str| match path {
        "e.rs" => Some("#[test]\nfn f() {}".to_owned()),
        "g.rs" => Some("mod tests {\n    #[test]\n    fn h() {}".to_owned()),
        _ => None,
    };
    assert_eq!(unshown(good, text), Vec::<String>::new());
    for (is, becomes) in
        [("::f`", "::g`"), ("tests::h", "tests::f"), ("`e.rs::f`, `g.rs::tests::h`", "-"), ("shown by", "says")]
    {
        assert_eq!(unshown(&good.replacen(is, becomes, 1), text).len(), 1, "{is}");
    }
}

#[test]
fn each_fault_is_found() {
    let good = "| a | CVE-1 | b | c | `d.yaml`, `e.rs::f` |\n| g | [h](https://i) | j | k | `l.mjs::m n` |\n";
    let text = |path: &str| match path {
        "d.yaml" => Some(String::new()),
        "e.rs" => Some("#[test]\nfn f() {}".to_owned()),
        "l.mjs" => Some("test('m n', () => {})".to_owned()),
        _ => None,
    };
    let count_of = |page: &str, drills: &[&str]| {
        let drills: Vec<String> = drills.iter().map(|&drill| drill.to_owned()).collect();
        faults(page, 2, &drills, text).len()
    };
    assert_eq!(count_of(good, &["d.yaml"]), 0);
    assert_eq!(count_of(good, &["d.yaml", "x.yaml"]), 1);
    for (is, becomes) in
        [("CVE-1", "somewhere"), ("`d.yaml`", "`x.yaml`"), ("::f`", "::g`"), ("::m n`", "::m`"), ("| j | k ", "| j ")]
    {
        assert_eq!(count_of(&good.replacen(is, becomes, 1), &[]), 1, "{is}");
    }
    assert_eq!(count_of("| a | CVE-1 | b | c | nothing |\n", &[]), 2);
}
