//! Text that nobody would write: whatever it is, it is read or refused, and no place lies outside of its file.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use fallgate_cli::budget::Budget;
use fallgate_cli::finding::Finding;
use fallgate_cli::report;
use fallgate_cli::scalar::file_range;
use fallgate_cli::source::{Content, FileId, Node, SourceFile};
use fallgate_cli::yaml::Parsed;
use fallgate_cli::{json, yaml};
use serde_json::Value;

const SEEDS: [&str; 4] = [
    "fallgate: 1\nrules:\n  - id: a\n    when: |\n      subject.x == 'y' &&\n        b\n    tags: [ü, \"é\\n\\u00e9\", 'it''s']\n",
    "a: &x { b: [1, 2.5, ~, true] }\nc: *x\n? d\n: >-\n  folded\n\n   more\n# end\n...\n",
    "\"k\": \"a \\\n  b\"\nplain: one\n  two\n\n  three\r\nlist:\n- - 1\n  - 2\n- {}\n- []\n",
    "{\"a\": [1, -2, 3e4, \"\\ud83d\\ude00\", null], \"b\": {\"c\": \"d\\\\\"}}",
];
const PIECES: [&str; 22] = [
    "\n", " ", "\t", ":", "- ", "? ", "|", ">", "&x ", "*x", "!!str ", "<<", "{", "}", "[", "]", "'", "\"", "#", "é",
    "\\u00", "---\n",
];

/// A small generator of numbers, the same on every machine (Knuth's constants).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }
}

fn mutated(seed: &str, numbers: &mut Numbers) -> String {
    let mut text: Vec<char> = seed.chars().collect();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(text.len() + 1);
        match numbers.below(3) {
            0 => drop(text.drain(at..(at + numbers.below(6)).min(text.len()))),
            1 => drop(text.splice(at..at, PIECES[numbers.below(PIECES.len())].chars())),
            _ => {
                let part: Vec<char> = text[at..(at + numbers.below(12)).min(text.len())].to_vec();
                let to = numbers.below(text.len() + 1);
                drop(text.splice(to..to, part));
            }
        }
    }
    text.into_iter().collect()
}

/// Every place lies in the file, and every byte of a text is found at the same character or inside its scalar.
fn hold(file: &SourceFile, node: &Node, value: &Value) -> usize {
    for span in [Some(node.value), node.key].into_iter().flatten() {
        assert!(file.text().get(span.range()).is_some(), "{:?}: {span:?}", file.text());
    }
    match (&node.content, value) {
        (Content::Scalar(style), Value::String(text)) => {
            for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
                let found = file_range(file, node.value.range(), *style, &(at..at));
                assert!(file.text().is_char_boundary(found.start), "{:?}: {text:?} at {at}", file.text());
                let wanted = text[at..].chars().next().unwrap();
                let span = node.value.range();
                assert!((span.start..=span.end).contains(&found.start), "{:?}: {text:?} at {at}", file.text());
                let shown = file.text()[found.start..].chars().next();
                let rewritten = wanted.is_whitespace() || shown == Some('\\') || shown == Some('\'');
                assert!(shown == Some(wanted) || rewritten, "{:?}: {text:?} at {at}: {shown:?}", file.text());
            }
            1
        }
        (Content::List(nodes), Value::Array(values)) => {
            assert_eq!(nodes.len(), values.len());
            nodes.iter().zip(values).map(|(node, value)| hold(file, node, value)).sum()
        }
        (Content::Map(nodes), Value::Object(fields)) => {
            assert_eq!(nodes.len(), fields.len());
            nodes.iter().map(|(name, node)| hold(file, node, &fields[&**name])).sum()
        }
        (Content::Scalar(_), value) => {
            assert!(!value.is_array() && !value.is_object());
            0
        }
        (content, value) => unreachable!("{content:?} for {value}"),
    }
}

/// How many texts were read, refused, and how many strings were looked at in those read.
fn try_out(read: impl Fn(&SourceFile, &mut Budget) -> Result<Parsed, Finding>) -> (usize, usize, usize) {
    let (mut numbers, mut taken, mut refused, mut strings) = (Numbers(1), 0, 0, 0);
    for round in 0..8_000 {
        let file = SourceFile::new("a.yaml", mutated(SEEDS[round % SEEDS.len()], &mut numbers));
        match read(&file, &mut Budget::default()) {
            Ok(parsed) => {
                taken += 1;
                strings += hold(&file, &parsed.node, &parsed.value);
            }
            Err(finding) => {
                refused += 1;
                let span = finding.places[0].span.range();
                assert!(span.end <= file.text().len() + 1, "{:?}: {finding:?}", file.text());
                let shown = report::render(&finding, std::slice::from_ref(&file), false);
                assert!(shown.contains(" --> a.yaml:"), "{:?}: {shown}", file.text());
            }
        }
    }
    (taken, refused, strings)
}

#[test]
fn yaml_is_read_or_refused() {
    let (taken, refused, strings) = try_out(|file, budget| yaml::parse(file.text(), FileId::new(0), budget));
    assert!(taken > 1_000 && refused > 1_000 && strings > 1_000, "{taken} read, {refused} refused, {strings} strings");
}

#[test]
fn json_is_read_or_refused() {
    let (taken, refused, strings) = try_out(|file, budget| json::parse(file, FileId::new(0), budget));
    assert!(taken > 100 && refused > 1_000 && strings > 100, "{taken} read, {refused} refused, {strings} strings");
}
