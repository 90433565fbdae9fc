//! `docs/SPEC.md`, the pages that continue it and `docs/PROOF.md` against the repository: every rule and every lemma has a
//! law, and whatever the pages name is there.

// The lints that forbid a panic are for code in reach of input. A test panics to fail.
#![allow(clippy::expect_used, clippy::arithmetic_side_effects)]

#[allow(dead_code, reason = "other pages use more of it")]
mod places;

use std::collections::BTreeSet;
use std::path::Path;

/// The rules: pages whose chapters are counted through.
const PAGE: &str = concat!(
    include_str!("../../docs/SPEC.md"),
    include_str!("../../docs/SPEC-evidence.md"),
    include_str!("../../docs/SPEC-rollout.md"),
    include_str!("../../docs/SPEC-replay.md"),
    include_str!("../../docs/SPEC-control.md"),
);

const PROOF: &str = include_str!("../../docs/PROOF.md");

/// What a page refers to, by the word before it.
const KINDS: [&str; 4] = ["Law: ", "Drill: ", "Case: ", "Code: "];

/// A part of the page that needs a law: a rule `S-1.2`, or a `Lemma 3`.
#[derive(Debug)]
struct Part<'p> {
    name: String,
    text: &'p str,
}

/// What is wrong with the pages, one line each; `read` gives the text of a file of the repository.
fn faults(page: &str, proof: &str, read: &impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut faults = Vec::new();
    let rules = rules(page, &mut faults);
    let lemmas = lemmas(proof, &mut faults);
    let known: BTreeSet<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    for part in rules.iter().chain(&lemmas) {
        let laws = references(part.text, "Law: ");
        if laws.is_empty() {
            faults.push(format!("{} has no law", part.name));
        }
        if statement(part.text).len() < 20 {
            faults.push(format!("{} says nothing", part.name));
        }
    }
    for kind in KINDS {
        for reference in references(page, kind).into_iter().chain(references(proof, kind)) {
            faults.extend(missing(kind, reference, read).map(|why| format!("{kind}`{reference}`: {why}")));
        }
    }
    for mention in mentions(page).union(&mentions(proof)) {
        if !known.contains(*mention) {
            faults.push(format!("{mention} is mentioned, and is no rule"));
        }
    }
    faults
}

/// The rules, with what is wrong with their numbers.
fn rules<'p>(page: &'p str, faults: &mut Vec<String>) -> Vec<Part<'p>> {
    let mut rules = Vec::new();
    let chapters = page.split("\n## ").skip(1);
    for (chapter, number) in chapters.zip(1_usize..) {
        if !chapter.starts_with(&format!("{number}. ")) {
            faults.push(format!("chapter {number} was expected at `{}`", first_line(chapter)));
        }
        let before = rules.len();
        for (text, place) in chapter.split("\n**S-").skip(1).zip(1_usize..) {
            let name = format!("S-{number}.{place}");
            let numbered = text.strip_prefix(&format!("{number}.{place}**"));
            match numbered {
                Some(text) => rules.push(Part { name, text }),
                None => faults.push(format!("{name} was expected at `S-{}`", first_line(text))),
            }
        }
        if rules.len() == before {
            faults.push(format!("chapter {number} has no rule"));
        }
    }
    rules
}

/// The lemmas, with what is wrong with their numbers.
fn lemmas<'p>(proof: &'p str, faults: &mut Vec<String>) -> Vec<Part<'p>> {
    let mut lemmas = Vec::new();
    for text in proof.split("\n## Lemma ").skip(1) {
        let name = format!("Lemma {}", lemmas.len() + 1);
        if !format!("Lemma {text}").starts_with(&format!("{name}: ")) {
            faults.push(format!("{name} was expected at `Lemma {}`", first_line(text)));
        }
        let text = text.split("\n## ").next().unwrap_or(text);
        lemmas.push(Part { name, text });
    }
    lemmas
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// What a part states: all but its references.
fn statement(text: &str) -> String {
    let lines = text.lines().filter(|line| !KINDS.iter().any(|kind| line.starts_with(kind)));
    lines.collect::<String>().trim().to_owned()
}

/// What stands in backticks after this word, up to the end of the sentence; several are parted by commas.
fn references<'p>(text: &'p str, kind: &str) -> Vec<&'p str> {
    let lists = text.split(kind).skip(1).map(|rest| first_line(rest).split("`. ").next().unwrap_or_default());
    lists.flat_map(|list| list.split('`').skip(1).step_by(2)).collect()
}

/// Why what is named is not there, if it is not.
fn missing(kind: &str, reference: &str, read: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let (path, name) = match reference.split_once("::") {
        Some((path, name)) => (path, Some(name)),
        None => (reference, None),
    };
    let Some(text) = read(path) else { return Some("there is no such file".to_owned()) };
    match (kind, name) {
        ("Law: ", Some(name)) => places::missing_test(&text, name),
        ("Drill: ", None) if path.contains("/drills/") && text.contains("\ndrill: ") => None,
        ("Case: ", Some(name)) => places::missing_case(&text, name),
        ("Code: ", None) => None,
        _ => Some("it is not named as such a thing is".to_owned()),
    }
}

/// Each `S-1.2` of the page.
fn mentions(page: &str) -> BTreeSet<&str> {
    let starts = page.match_indices("S-").map(|(at, _)| &page[at..]);
    let names = starts.map(|text| {
        let end = text.char_indices().skip(2).find(|(_, letter)| !letter.is_ascii_digit() && *letter != '.');
        text[..end.map_or(text.len(), |(end, _)| end)].trim_end_matches('.')
    });
    names.filter(|name| name[2..].starts_with(|letter: char| letter.is_ascii_digit())).collect()
}

#[test]
fn every_rule_has_its_law_and_what_is_named_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate stands in the repository");
    let faults = faults(PAGE, PROOF, &|path: &str| std::fs::read_to_string(root.join(path)).ok());
    assert!(faults.is_empty(), "docs/SPEC*.md, docs/PROOF.md:\n{}", faults.join("\n"));
    assert!(lemmas(PROOF, &mut Vec::new()).len() > 5);
    let rules = rules(PAGE, &mut Vec::new());
    println!("{} rules", rules.len());
    assert!(rules.len() > 100, "only {} rules were found", rules.len());
}

#[test]
fn each_fault_is_found() {
    let read = |path: &str| {
        let text = match path {
            "a.rs" => {
                "#[test]\n// Why.\n#[allow(x)]\nfn one() {}\n\nfn two() {}\nmod tests {\n    #[test]\n    fn three() {}\n}\n"
            }
            "p/drills/d.yaml" => "# What it shows.\ndrill: down\n",
            "p/tests/c.yaml" => "cases:\n  - name: a case\n",
            _ => return None,
        };
        Some(text.to_owned())
    };
    let page = "# Page\n\n## 1. First\n\n**S-1.1** This is said of everything.\nLaw: `a.rs::one`, `a.rs::tests::three`. Drill: `p/drills/d.yaml`.\n\n\
                **S-1.2** As S-1.1 says of everything.\nLaw: `a.rs::one`. Case: `p/tests/c.yaml::a case`.\n\n\
                ## 2. Second\n\n**S-2.1** And this is said of it too.\nLaw: `a.rs::one`.\n";
    let proof = "# Proof\n\n## Lemma 1: so it is\n\nBecause of what S-1.2 says.\nCode: `a.rs`. Law: `a.rs::one`.\n\n## Theorem\n\nAll.\n";
    assert_eq!(faults(page, proof, &read), Vec::<String>::new());
    for (good, bad, found) in [
        ("Law: `a.rs::one`, `a.rs::tests::three`. ", "", "S-1.1 has no law"),
        ("Code: `a.rs`. Law: `a.rs::one`.", "Code: `a.rs`.", "Lemma 1 has no law"),
        ("**S-1.2**", "**S-1.3**", "S-1.2 was expected at `S-1.3** As S-1.1 says of everything.`"),
        ("**S-1.2**", "**S-2.2**", "S-1.2 was expected at `S-2.2** As S-1.1 says of everything.`"),
        ("## 2. Second", "## 3. Second", "chapter 2 was expected at `3. Second`"),
        ("Lemma 1: ", "Lemma 2: ", "Lemma 1 was expected at `Lemma 2: so it is`"),
        ("This is said of everything.", "This.", "S-1.1 says nothing"),
        ("As S-1.1 says", "As S-1.9 says", "S-1.9 is mentioned, and is no rule"),
        ("`a.rs::one`, ", "`b.rs::one`, ", "Law: `b.rs::one`: there is no such file"),
        ("`a.rs::one`, ", "`a.rs::four`, ", "Law: `a.rs::four`: the file has no such function"),
        ("`a.rs::one`, ", "`a.rs::two`, ", "Law: `a.rs::two`: the function is no test"),
        ("`a.rs::one`, ", "`a.rs`, ", "Law: `a.rs`: it is not named as such a thing is"),
        ("tests::three", "laws::three", "Law: `a.rs::laws::three`: the file has no such module of tests"),
        ("tests::three", "tests::four", "Law: `a.rs::tests::four`: the file has no such function"),
        ("drills/d.yaml", "drills/e.yaml", "Drill: `p/drills/e.yaml`: there is no such file"),
        (
            "Drill: `p/drills/d.yaml`",
            "Drill: `p/tests/c.yaml`",
            "Drill: `p/tests/c.yaml`: it is not named as such a thing is",
        ),
        ("::a case", "::another case", "Case: `p/tests/c.yaml::another case`: the file has no such case"),
        ("Code: `a.rs`", "Code: `b.rs`", "Code: `b.rs`: there is no such file"),
    ] {
        assert!(page.contains(good) || proof.contains(good), "`{good}`");
        let found_here = faults(&page.replacen(good, bad, 1), &proof.replacen(good, bad, 1), &read);
        assert!(found_here.iter().any(|fault| fault == found), "`{good}` -> `{bad}`: {found_here:?}");
    }
    let (rules, last) = page.split_once("**S-2.1**").expect("there is a rule");
    assert_eq!(faults(rules, proof, &read), ["chapter 2 has no rule"], "without `{last}`");
}
