//! From criterion's estimates to one page: ratios first, medians after, and the machine that made them.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::contest::{FACTS, Facts, Label, ROUNDS};

/// The results of one contest.
#[derive(Debug)]
pub struct Results {
    facts: Facts,
    /// The median of each lane, in nanoseconds a decision, in the order of the facts' lanes.
    medians: Vec<f64>,
    /// Lanes of another run, until they are joined to these.
    added: Vec<(Label, f64)>,
}

/// The machine, as the page names it.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub compiler: String,
    /// Given by whoever runs the report, so that the same results give the same page.
    pub date: String,
}

/// Reads every contest of a run's folder, sorted by workload.
///
/// # Errors
///
/// Where there is no result, or where a lane that took part has none: a table with a hole would mislead.
pub fn read(folder: &Path) -> Result<Vec<Results>, Box<dyn Error>> {
    let missing = |error| format!("`{}`: {error}; run the benches first", folder.display());
    let mut contests: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(missing)? {
        let contest = entry?.path();
        if contest.join(FACTS).exists() {
            contests.push(contest);
        }
    }
    let mut results = Vec::new();
    for contest in contests {
        let facts: Facts = serde_json::from_slice(&fs::read(contest.join(FACTS))?)?;
        let found = estimates(&contest)?;
        let median = |label: &Label| {
            let of_round = |round| found.iter().find(|(name, _)| *name == label.id(round)).map(|(_, median)| *median);
            let mut medians: Vec<f64> = (0..ROUNDS).filter_map(of_round).collect();
            medians.sort_by(f64::total_cmp);
            let middle = (medians.len() == ROUNDS).then(|| medians[ROUNDS / 2]);
            middle.ok_or_else(|| format!("{}: no result for `{}`; run the benches again", facts.workload, label.name()))
        };
        let medians = facts.lanes.iter().map(median).collect::<Result<_, _>>()?;
        results.push(Results { facts, medians, added: Vec::new() });
    }
    if results.is_empty() {
        return Err(format!("`{}` has no results; run the benches first", folder.display()).into());
    }
    // `W3 at 1000` comes before `W3 at 10000`, and both after `W2`.
    results.sort_by_key(|contest| (contest.facts.workload[..2].to_owned(), contest.facts.workload.len()));
    Ok(results)
}

/// The name and the median of each lane that criterion has kept for a contest.
fn estimates(contest: &Path) -> Result<Vec<(String, f64)>, Box<dyn Error>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(contest)? {
        let folder = entry?.path().join("new");
        if !folder.is_dir() {
            continue;
        }
        let benchmark: Value = serde_json::from_slice(&fs::read(folder.join("benchmark.json"))?)?;
        let estimates: Value = serde_json::from_slice(&fs::read(folder.join("estimates.json"))?)?;
        let median = estimates["median"]["point_estimate"].as_f64();
        if let (Some(name), Some(median)) = (benchmark["function_id"].as_str(), median) {
            found.push((name.to_owned(), median));
        }
    }
    Ok(found)
}

/// The two runs as one: the peers' lanes behind ours, in units of our run's floor, which both programs time.
#[must_use]
pub fn joined(mut ours: Vec<Results>, peers: Vec<Results>) -> Vec<Results> {
    for contest in peers {
        let Some(into) = ours.iter_mut().find(|ours| ours.facts.workload == contest.facts.workload) else { continue };
        for (label, median) in contest.facts.lanes.iter().zip(&contest.medians) {
            if into.facts.lanes.iter().any(|lane| lane.engine == label.engine) {
                continue;
            }
            let floors = (into.reference("by hand", label), contest.reference("by hand", label));
            if let (Some(ours), Some(theirs)) = floors {
                into.added.push((label.clone(), median * ours / theirs));
            }
        }
    }
    for contest in &mut ours {
        for (label, median) in contest.added.drain(..) {
            contest.facts.lanes.push(label);
            contest.medians.push(median);
        }
    }
    ours
}

impl Results {
    /// The median of the engine's lane with that variant.
    fn median(&self, engine: &str, variant: &str) -> Option<f64> {
        let at = self.facts.lanes.iter().position(|lane| lane.engine == engine && lane.variant == variant)?;
        Some(self.medians[at])
    }

    /// What a lane is divided by: the engine's uncached lane that is given the same form of request.
    fn reference(&self, engine: &str, label: &Label) -> Option<f64> {
        self.median(engine, if label.variant.contains("bytes") { "bytes" } else { "prepared" })
    }
}

/// The page.
///
/// # Errors
///
/// Never in practice: writing to a string.
pub fn page(results: &[Results], machine: &Machine) -> Result<String, std::fmt::Error> {
    let mut page = String::from(HEAD);
    let Machine { processor, cores, compiler, date } = machine;
    writeln!(page, "Machine: {processor}, {cores} cores; {compiler}; {date}.\n")?;
    writeln!(page, "| workload | given | engine | time ÷ floor | time ÷ Fallgate | median |")?;
    writeln!(page, "|---|---|---|--:|--:|--:|")?;
    for contest in results {
        for (label, median) in contest.facts.lanes.iter().zip(&contest.medians) {
            let ratio = |engine| contest.reference(engine, label).map_or("–".into(), |by| times(median / by));
            writeln!(
                page,
                "| {} | {} | {} {} | {} | {} | {} |",
                contest.facts.workload,
                label.variant,
                label.engine,
                label.version,
                ratio("by hand"),
                ratio("fallgate"),
                nanoseconds(*median),
            )?;
        }
    }
    growth(&mut page, results)?;
    agreement(&mut page, results)?;
    timed(&mut page, results)?;
    page.push_str(TAIL);
    Ok(page)
}

/// How each lane's cost grows from the smallest W3 to the largest that it ran.
fn growth(page: &mut String, results: &[Results]) -> std::fmt::Result {
    let sizes: Vec<&Results> = results.iter().filter(|contest| contest.facts.workload.starts_with("W3")).collect();
    let Some(smallest) = sizes.first() else {
        return Ok(());
    };
    writeln!(page, "\n## W3: what more rules cost\n")?;
    writeln!(page, "The goal: 100,000 rules cost at most twice what 100 cost.\n")?;
    let names: Vec<&str> = sizes.iter().map(|contest| &contest.facts.workload[6..]).collect();
    writeln!(page, "| engine | given | {} |", names.join(" | "))?;
    writeln!(page, "|---|---|{}", "--:|".repeat(names.len()))?;
    for (label, first) in smallest.facts.lanes.iter().zip(&smallest.medians) {
        let cells = sizes.iter().map(|contest| {
            contest.median(&label.engine, &label.variant).map_or("–".into(), |median| times(median / first))
        });
        let cells: Vec<String> = cells.collect();
        writeln!(page, "| {} | {} | {} |", label.engine, label.variant, cells.join(" | "))?;
    }
    Ok(())
}

fn agreement(page: &mut String, results: &[Results]) -> std::fmt::Result {
    writeln!(page, "\n## What was agreed before anything was timed\n")?;
    for Results { facts, .. } in results {
        writeln!(
            page,
            "- {}: {} lanes gave the same answer to each of {} seeded requests; {} were allowed.",
            facts.workload,
            facts.lanes.len(),
            facts.agreed,
            facts.allowed
        )?;
    }
    Ok(())
}

fn timed(page: &mut String, results: &[Results]) -> std::fmt::Result {
    writeln!(page, "\n## What is inside the timed region\n")?;
    let mut seen = Vec::new();
    for label in results.iter().flat_map(|contest| &contest.facts.lanes) {
        let line = format!("- {} {}, {}: {}.", label.engine, label.version, label.variant, label.timed);
        if !seen.contains(&line) {
            writeln!(page, "{line}")?;
            seen.push(line);
        }
    }
    Ok(())
}

/// A ratio with two digits that mean something.
fn times(ratio: f64) -> String {
    match ratio {
        ratio if ratio < 10.0 => format!("{ratio:.2}"),
        ratio if ratio < 100.0 => format!("{ratio:.1}"),
        ratio => thousands(ratio),
    }
}

fn nanoseconds(median: f64) -> String {
    if median < 100.0 { format!("{median:.1} ns") } else { format!("{} ns", thousands(median)) }
}

/// A whole number, its digits in groups of three.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

const HEAD: &str = "\
# Benchmarks

Machines are shared and noisy: only ratios within one run count. The engines of a workload run in turn in one process,
three rounds each, on the same 2,048 seeded requests, after all of them gave the same answers. *Time ÷ floor* is how much
longer a decision takes than the same policy written by hand in Rust for this one purpose; *time ÷ Fallgate* is how much
longer than Fallgate's uncached decision on the same form of request. A median is the middle one of criterion's medians of three rounds.

`make bench` runs Fallgate and the floors. `make bench-peers` runs the engines of others and the same floors in a
program of its own, since Fallgate takes regorus without its feature `std` and the peers take it with. The two are joined
by the floors: a peer's time is its multiple of the floor in its own program, times the floor in Fallgate's.
The workloads are in `benches/src`: W1 roles, W2 attributes, W3 many rules, W4 an admission review of 5 KB with ten
checks.

";

const TAIL: &str = "
## Traps

- `RUST_BACKTRACE=1` makes the regorus interpreter several times slower, because each internal error captures a
  backtrace: the benches refuse to start with it.
- The regorus bytecode VM stops after 25,000 instructions and is lenient by default; here it is strict, as the
  interpreter is. It swallows errors in rule bodies all the same: it is timed as a peer, Fallgate does not use it.
- cedar-policy is linear in the policies: at 10,000 a decision takes about 10 ms, and at 100,000 it is left out. It has
  no iteration over a set of records, so W4 cannot be written in it.
- The peers and their floors are built without link-time optimisation, which would take longest of all; Fallgate and its
  floors with the thin kind.
- The same program is a few per cent faster or slower after any change, by the layout of its code alone. Read no more
  than one digit into a ratio near 1.
";

#[cfg(test)]
mod tests {
    use super::{Machine, Results, page, thousands, times};
    use crate::contest::{Facts, Label};

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(thousands(122_000_000.4), "122,000,000");
        assert_eq!(thousands(999.0), "999");
        assert_eq!(times(1.234), "1.23");
        assert_eq!(times(53.26), "53.3");
    }

    #[test]
    fn ratios_stand_before_medians() {
        let label = |engine: &str, variant: &str| Label::new(engine, "1", variant, "the call");
        let lanes = vec![label("by hand", "prepared"), label("fallgate", "prepared"), label("fallgate", "cached")];
        let facts = Facts { workload: "W3 at 100".into(), agreed: 2_048, allowed: 700, lanes };
        let results = [Results { facts, medians: vec![50.0, 100.0, 25.0], added: Vec::new() }];
        let machine =
            Machine { processor: "P".into(), cores: 2, compiler: "rustc 1".into(), date: "2026-01-01".into() };
        let page = page(&results, &machine).unwrap();
        assert!(page.contains("Machine: P, 2 cores; rustc 1; 2026-01-01."));
        assert!(page.contains("| W3 at 100 | prepared | by hand 1 | 1.00 | 0.50 | 50.0 ns |"));
        assert!(page.contains("| W3 at 100 | cached | fallgate 1 | 0.50 | 0.25 | 25.0 ns |"));
        assert!(page.contains("each of 2048 seeded requests; 700 were allowed"));
    }
}
