//! The reference of codes, `docs/errors.md`, against the code: each code that a face shows stands there exactly once.

// The lints that forbid a panic are for code in reach of input. A test panics to fail.
#![allow(clippy::expect_used, clippy::panic)]

use fallgate::error::Code;
use fallgate::reason::{Effect, Reason};

const PAGE: &str = include_str!("../../docs/errors.md");

/// The codes without a list in the crate: the heading they stand under, the type, and the text of its source.
const OTHERS: [(&str, &str, &str); 24] = [
    ("Activation", "ActivateError", include_str!("../src/state/admission.rs")),
    ("Rollout", "RolloutError", include_str!("../src/state/rollout.rs")),
    ("Stops", "Stop", include_str!("../src/state/rollout.rs")),
    ("Rollbacks", "Ending", include_str!("../src/state/rollout.rs")),
    ("Operations", "OperationError", include_str!("../src/operation/mod.rs")),
    ("Postures", "PostureError", include_str!("../src/state/postures.rs")),
    ("Approvals", "ApprovalError", include_str!("../src/state/approvals.rs")),
    ("Closings", "Close", include_str!("../src/state/approvals.rs")),
    ("Overrides", "End", include_str!("../src/state/overrides.rs")),
    ("Flags", "FlagError", include_str!("../src/state/flags.rs")),
    ("Quarantine", "QuarantineError", include_str!("../src/state/quarantine.rs")),
    ("Guards", "GuardError", include_str!("../src/state/guards.rs")),
    ("Calls", "Reported", include_str!("../src/state/guards.rs")),
    ("State", "StateError", include_str!("../src/state/document.rs")),
    ("Failover", "FailoverError", include_str!("../src/state/epochs.rs")),
    ("Labels", "LabelError", include_str!("../src/telemetry/sli/labels.rs")),
    ("Entries", "Cause", include_str!("../src/state/postures.rs")),
    ("Reports", "Observed", include_str!("../src/state/signals.rs")),
    ("Events", "EventKind", include_str!("../src/state/events.rs")),
    ("Causes", "Cause", include_str!("../src/condition/mod.rs")),
    ("Checkpoints", "CheckpointError", include_str!("../src/audit/checkpoint.rs")),
    ("Records", "Fault", include_str!("../src/audit/verify.rs")),
    ("Lines", "Fault", include_str!("../src/journal/line.rs")),
    ("Replays", "ReplayFault", include_str!("../src/replay/mod.rs")),
];

/// The codes of a type, as its source gives them: the texts in its function `code`, which the compiler keeps complete.
fn codes_of<'s>(source: &'s str, name: &str) -> Vec<&'s str> {
    let start = format!("\nimpl {name} {{\n");
    let of_type = source.split(&start).skip(1).map(|rest| rest.split("\n}\n").next());
    let function = of_type.flatten().find_map(|block| block.split_once("pub const fn code("));
    let (_, body) = function.unwrap_or_else(|| panic!("`{name}` has no function `code`"));
    let body = body.split("\n    }\n").next().unwrap_or_default();
    body.lines().filter_map(|line| line.split_once("=> \"")?.1.split('"').next()).collect()
}

/// The rows of the table under a heading: the cells, the first without its backticks.
fn rows<'a>(page: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let below = page.split("\n## ").find(|section| section.starts_with(heading));
    let section = below.unwrap_or_else(|| panic!("docs/errors.md has no section `{heading}`"));
    let cells = |line: &'a str| line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
    section.lines().filter(|line| line.starts_with("| `")).map(cells).collect()
}

/// Where the page differs from the code, one line each.
fn differences(documented: &[&str], known: &[&str]) -> Vec<String> {
    let count = |list: &[&str], code: &str| list.iter().filter(|other| **other == code).count();
    let missing = known.iter().map(|code| (code, count(documented, code))).filter(|(_, times)| *times != 1);
    let stray = documented.iter().filter(|code| count(known, code) == 0);
    missing
        .map(|(code, times)| format!("`{code}` stands {times} times in docs/errors.md, not once"))
        .chain(stray.map(|code| format!("`{code}` stands in docs/errors.md, and no code is called so")))
        .collect()
}

#[test]
fn every_reason_is_documented_once() {
    let rows = rows(PAGE, "Reasons");
    let documented: Vec<&str> = rows.iter().filter_map(|row| row.first().copied()).collect();
    let known: Vec<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    assert_eq!(differences(&documented, &known), Vec::<String>::new());
}

#[test]
fn every_reason_is_documented_with_its_effect() {
    let rows = rows(PAGE, "Reasons");
    for reason in Reason::ALL {
        let row = rows.iter().find(|row| row.first() == Some(&reason.code())).expect("the reason is documented");
        let effect = if reason.effect() == Effect::Allow { "allow" } else { "deny" };
        assert_eq!(row.get(1), Some(&effect), "`{}`", reason.code());
    }
}

#[test]
fn every_error_code_is_documented_once() {
    let rows = rows(PAGE, "Codes");
    let documented: Vec<&str> = rows.iter().filter_map(|row| row.first().copied()).collect();
    let known: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(differences(&documented, &known), Vec::<String>::new());
}

#[test]
fn every_other_code_is_documented_once() {
    for (heading, name, source) in OTHERS {
        let known = codes_of(source, name);
        assert!(!known.is_empty(), "`{name}`");
        let rows = rows(PAGE, heading);
        let documented: Vec<&str> = rows.iter().filter_map(|row| row.first().copied()).collect();
        assert_eq!(differences(&documented, &known), Vec::<String>::new(), "{heading}");
    }
}

#[test]
fn the_codes_of_a_type_are_found() {
    let source = "\nimpl A {\n    pub const fn code(self) {\n        A::X { .. } => \"x\",\n        A::Y => \"y\",\n    }\n\n    \
                  fn other() {\n        A::X => \"z\",\n    }\n}\n\nimpl B {\n    pub const fn code(self) {\n        \
                  B::V => \"v\",\n    }\n}\n";
    assert_eq!(codes_of(source, "A"), ["x", "y"]);
    assert_eq!(codes_of(source, "B"), ["v"]);
}

#[test]
fn every_row_says_something_in_every_column() {
    let others = OTHERS.map(|(heading, ..)| (heading, 3));
    for (heading, columns) in [("Reasons", 4), ("Codes", 3)].into_iter().chain(others) {
        for row in rows(PAGE, heading) {
            assert_eq!(row.len(), columns, "{row:?}");
            assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
        }
    }
}

#[test]
fn a_missing_a_doubled_and_a_stray_code_are_found() {
    let found = differences(&["a", "b", "b", "d"], &["a", "b", "c"]);
    assert_eq!(
        found,
        [
            "`b` stands 2 times in docs/errors.md, not once",
            "`c` stands 0 times in docs/errors.md, not once",
            "`d` stands in docs/errors.md, and no code is called so",
        ]
    );
}
