//! `fallgate test`: a pack's cases and drills, and which of its rules they reach.

use std::collections::BTreeSet;
use std::path::Path;

use fallgate::drill::run_case;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{compile_trusting, counted, read_drill};
use crate::arguments::Trusting;
use crate::console::{Colours, Console, Exit, Failure, Paint, painted};
use crate::finding::Finding;
use crate::pack::drill_files;
use crate::progress::Progress;
use crate::reading::shown;

/// One case or drill: its name, and in what it is not as expected.
struct Outcome {
    name: String,
    failures: Vec<String>,
}

pub(super) fn run(
    pack: &Path,
    trusting: &Trusting,
    junit: Option<&Path>,
    console: &mut Console<'_>,
    colours: Colours,
) -> Result<Exit, Failure> {
    let compiled = compile_trusting(pack, trusting)?;
    let bundle = &compiled.bundle;
    let files = drill_files(pack)?;
    let policy = bundle.policy();
    let length = u64::try_from(policy.tests.len().saturating_add(files.len())).unwrap_or(u64::MAX);
    let mut progress = Progress::new(length, console.err_is_terminal);
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let mut cases = Vec::new();
    for (number, case) in policy.tests.iter().enumerate() {
        let report = run_case(bundle, case);
        reached.extend(report.decision.rule().map(str::to_owned));
        let place = compiled.sources.line_column(&format!("/tests/{number}"), None);
        let place = place.map(|(path, line, _)| format!(" ({path}:{line})")).unwrap_or_default();
        let failures = report.failures.iter().map(|failure| format!("{failure}{place}")).collect();
        cases.push(Outcome { name: report.name, failures });
        progress.advance();
    }
    let mut drills = Vec::new();
    let mut steps = 0_usize;
    for path in &files {
        let drill = read_drill(path)?;
        let report = drill.drill.run(bundle);
        steps = steps.saturating_add(report.steps.len());
        let mut failures = Vec::new();
        for step in &report.steps {
            reached.extend(step.decision.iter().filter_map(|decision| decision.rule()).map(str::to_owned));
            let at = drill.step_at(step.step);
            let found = step.failures.iter();
            failures.extend(found.map(|failure| format!("at {}: {failure} ({at})", step.now.monotonic)));
        }
        drills.push(Outcome { name: report.drill, failures });
        progress.advance();
    }
    progress.finish();

    if let Some(path) = junit {
        write_junit(path, bundle.name(), &cases, &drills)?;
    }
    for outcome in cases.iter().chain(&drills).filter(|outcome| !outcome.failures.is_empty()) {
        writeln!(console.out, "{} {}", painted("✗", Paint::Bad, colours.out), outcome.name)?;
        for failure in &outcome.failures {
            writeln!(console.out, "    {failure}")?;
        }
    }
    let rules: BTreeSet<&str> = policy.rules.iter().map(|rule| rule.id.as_str()).collect();
    let unreached: Vec<&str> = rules.iter().copied().filter(|rule| !reached.contains(*rule)).collect();
    let failed = cases.iter().chain(&drills).filter(|outcome| !outcome.failures.is_empty()).count();
    let verdict = match failed {
        0 => painted("passed", Paint::Good, colours.out),
        _ => painted(&format!("{failed} failed"), Paint::Bad, colours.out),
    };
    let (cases, drills, steps) = (counted(cases.len(), "case"), counted(drills.len(), "drill"), counted(steps, "step"));
    writeln!(console.out, "{}: {cases}, {drills} with {steps}: {verdict}", bundle.name())?;
    let decided = rules.len().saturating_sub(unreached.len());
    writeln!(console.out, "{decided} of {} decided something", counted(rules.len(), "rule"))?;
    for rule in unreached {
        writeln!(console.out, "  {}", painted(&format!("never decides: {rule}"), Paint::Faint, colours.out))?;
    }
    Ok(if failed == 0 { Exit::Fine } else { Exit::Denied })
}

fn write_junit(path: &Path, pack: &str, cases: &[Outcome], drills: &[Outcome]) -> Result<(), Failure> {
    let mut report = Report::new(pack);
    for (name, outcomes) in [("cases", cases), ("drills", drills)] {
        let mut suite = TestSuite::new(format!("{pack}/{name}"));
        for outcome in outcomes {
            let status = match outcome.failures.is_empty() {
                true => TestCaseStatus::success(),
                false => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    status.set_message(outcome.failures.join("\n"));
                    status
                }
            };
            suite.add_test_case(TestCase::new(outcome.name.as_str(), status));
        }
        report.add_test_suite(suite);
    }
    let failed = |reason: &dyn std::fmt::Display| {
        Failure::from(Finding::unreadable(format!("cannot write `{}`: {reason}", shown(path))))
    };
    let text = report.to_string().map_err(|error| failed(&error))?;
    std::fs::write(path, text).map_err(|error| failed(&error))
}
