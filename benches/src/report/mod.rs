//! From the records of all runs to one page: the goals first, then ratios, then medians, and where each figure comes from.

mod goals;
pub(crate) mod numbers;
mod text;
mod threads;

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use crate::contest::Label;
use crate::record::{Lane, PARTS, Record, read};
use numbers::{figure, thousands, times};

/// What all parts have left.
#[derive(Debug, Default)]
pub struct Parts {
    ours: Vec<Record>,
    /// Ours, with the engines of others behind.
    joined: Vec<Record>,
    peers: Vec<Record>,
    threads: Vec<Record>,
    load: Vec<Record>,
    c: Vec<Record>,
    python: Vec<Record>,
    node: Vec<Record>,
}

impl Parts {
    /// Reads all parts that there are below that folder.
    ///
    /// # Errors
    ///
    /// Where a file of one is no record.
    pub fn read(root: &Path) -> Result<Self, Box<dyn Error>> {
        let (ours, peers) = (read(root, "ours")?, read(root, "peers")?);
        Ok(Self {
            joined: joined(&ours, &peers),
            ours,
            peers,
            threads: read(root, "threads")?,
            load: read(root, "load")?,
            c: read(root, "c")?,
            python: read(root, "python")?,
            node: read(root, "node")?,
        })
    }

    fn of(&self, part: &str) -> &[Record] {
        match part {
            "ours" => &self.ours,
            "peers" => &self.peers,
            "threads" => &self.threads,
            "load" => &self.load,
            "c" => &self.c,
            "python" => &self.python,
            _ => &self.node,
        }
    }
}

/// The two runs as one: the peers' lanes behind ours, in units of our run's floor, which both programs time.
fn joined(ours: &[Record], peers: &[Record]) -> Vec<Record> {
    let mut joined = ours.to_vec();
    for contest in peers {
        let Some(into) = joined.iter_mut().find(|ours| ours.workload == contest.workload) else { continue };
        for lane in &contest.lanes {
            if ["by hand", "quick_cache"].contains(&lane.label.engine.as_str()) {
                continue;
            }
            let floors = (reference(into, "by hand", &lane.label), reference(contest, "by hand", &lane.label));
            if let (Some(ours), Some(theirs)) = floors {
                into.lanes.push(Lane::time(lane.label.clone(), lane.value * ours / theirs));
            }
        }
    }
    joined
}

/// What a lane is divided by: the engine's uncached lane that is given the same form of request.
fn reference(record: &Record, engine: &str, label: &Label) -> Option<f64> {
    record.value(engine, if label.variant.contains("bytes") { "bytes" } else { "prepared" })
}

/// The page; `budget` is the text of `benches/budget.txt`.
///
/// # Errors
///
/// Never in practice: writing to a string.
pub fn page(parts: &Parts, budget: &str) -> Result<String, std::fmt::Error> {
    let mut page = String::from(text::HEAD);
    goals::table(&mut page, parts)?;
    runs(&mut page, parts)?;
    page.push_str(text::WORKLOADS);
    workloads(&mut page, &parts.joined)?;
    growth(&mut page, &parts.joined)?;
    threads::table(&mut page, &parts.threads)?;
    load(&mut page, &parts.load)?;
    through_c(&mut page, &parts.c)?;
    face(&mut page, "Python", text::PYTHON, &parts.python, |_| Some(("floor", "reads the same fields")), "dicts")?;
    face(&mut page, "Node.js", text::NODE, &parts.node, cheaper_floor, "object")?;
    instructions(&mut page, budget)?;
    agreement(&mut page, parts)?;
    timed(&mut page, parts)?;
    page.push_str(text::TAIL);
    Ok(page)
}

/// Which part was run when and where; and what is missing, or was only tried.
fn runs(page: &mut String, parts: &Parts) -> std::fmt::Result {
    writeln!(page, "## The runs\n")?;
    writeln!(page, "| part | target | run on | machine |\n|---|---|---|---|")?;
    for (part, target) in PARTS {
        let records = parts.of(part);
        let days: BTreeSet<&str> = records.iter().map(|record| record.date.as_str()).collect();
        let machines: BTreeSet<String> = records.iter().map(machine).collect();
        let [days, machines] = [days.into_iter().collect::<Vec<_>>().join(", "), Vec::from_iter(machines).join("; ")];
        let quick =
            if records.iter().any(|record| record.quick) { ": **a try, its figures mean nothing**" } else { "" };
        let days = if records.is_empty() { "**not run**" } else { &days };
        writeln!(page, "| {part} | `make {target}` | {days}{quick} | {machines} |")?;
    }
    Ok(())
}

fn machine(record: &Record) -> String {
    let machine = &record.machine;
    format!("{}, {} cores; {}", machine.processor, machine.cores, machine.tool)
}

fn workloads(page: &mut String, records: &[Record]) -> std::fmt::Result {
    writeln!(page, "| workload | given | engine | time ÷ floor | time ÷ Fallgate | median |")?;
    writeln!(page, "|---|---|---|--:|--:|--:|")?;
    for record in records {
        for Lane { label, value, unit } in &record.lanes {
            let ratio = |engine| reference(record, engine, label).map_or("–".into(), |by| times(value / by));
            let (workload, Label { engine, version, variant, .. }) = (&record.workload, label);
            let (floor, ours) = (ratio("by hand"), ratio("fallgate"));
            writeln!(
                page,
                "| {workload} | {variant} | {engine} {version} | {floor} | {ours} | {} |",
                figure(*value, unit)
            )?;
        }
    }
    Ok(())
}

/// How each lane's cost grows from the smallest W3 to the largest that it ran.
fn growth(page: &mut String, records: &[Record]) -> std::fmt::Result {
    let sizes: Vec<&Record> = records.iter().filter(|record| record.workload.starts_with("W3 at ")).collect();
    let Some(smallest) = sizes.first() else { return Ok(()) };
    writeln!(page, "\n## W3: what more rules cost\n")?;
    writeln!(page, "The time with so many rules ÷ the time with the fewest.\n")?;
    let names: Vec<&str> = sizes.iter().map(|record| &record.workload[6..]).collect();
    writeln!(page, "| engine | given | {} |", names.join(" | "))?;
    writeln!(page, "|---|---|{}", "--:|".repeat(names.len()))?;
    for Lane { label, value: first, .. } in &smallest.lanes {
        let cells = sizes.iter().map(|record| {
            record.value(&label.engine, &label.variant).map_or("–".into(), |median| times(median / first))
        });
        let cells: Vec<String> = cells.collect();
        writeln!(page, "| {} | {} | {} |", label.engine, label.variant, cells.join(" | "))?;
    }
    Ok(())
}

/// Loading, and what one decision allocates.
fn load(page: &mut String, records: &[Record]) -> std::fmt::Result {
    let loads: Vec<&Record> = records.iter().filter(|record| record.workload.starts_with("load at ")).collect();
    if let Some(first) = loads.first() {
        page.push_str(text::LOAD);
        let names: Vec<&str> = loads.iter().map(|record| &record.workload[8..]).collect();
        writeln!(page, "| | {} |\n|---|{}", names.join(" | "), "--:|".repeat(names.len()))?;
        for Lane { label, .. } in &first.lanes {
            let cells = loads.iter().map(|record| {
                let of_label = |lane: &&Lane| lane.label.name() == label.name();
                record.lanes.iter().find(of_label).map_or("–".into(), |lane| figure(lane.value, &lane.unit))
            });
            let cells: Vec<String> = cells.collect();
            writeln!(page, "| {}: {} | {} |", label.engine, label.variant, cells.join(" | "))?;
        }
    }
    let Some(counted) = records.iter().find(|record| record.workload == "allocations") else { return Ok(()) };
    writeln!(page, "\n## Allocations\n")?;
    writeln!(page, "{}", text::ALLOCATIONS)?;
    writeln!(page, "| path | allocations of one decision, the most |\n|---|--:|")?;
    for Lane { label, value, .. } in &counted.lanes {
        writeln!(page, "| {} | {} |", label.variant, thousands(*value))?;
    }
    Ok(())
}

fn through_c(page: &mut String, records: &[Record]) -> std::fmt::Result {
    if records.is_empty() {
        return Ok(());
    }
    page.push_str(text::C);
    writeln!(page, "| workload | given | Rust | C | C ÷ Rust | an empty call |\n|---|---|--:|--:|--:|--:|")?;
    for record in records {
        for Lane { label, value, .. } in record.lanes.iter().filter(|lane| lane.label.engine == "Rust") {
            let there = record.value("C", &label.variant);
            let [c, ratio] =
                [there.map(|c| figure(c, "ns")), there.map(|c| times(c / value))].map(Option::unwrap_or_default);
            let empty =
                record.value("an empty call", &label.variant).map(|empty| figure(empty, "ns")).unwrap_or_default();
            writeln!(
                page,
                "| {} | {} | {} | {c} | {ratio} | {empty} |",
                record.workload,
                label.variant,
                figure(*value, "ns")
            )?;
        }
    }
    Ok(())
}

/// The cheaper of the ways in which Node can hand a request over.
fn cheaper_floor(record: &Record) -> Option<(&'static str, &'static str)> {
    let ways = ["the fields one by one", "stringify and a typed parse"];
    let timed = ways.into_iter().filter_map(|way| Some((way, record.value("floor", way)?)));
    timed.min_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(way, _)| ("floor", way))
}

/// What a decision costs through the face of a language.
fn face(
    page: &mut String,
    language: &str,
    about: &str,
    records: &[Record],
    floor: impl Fn(&Record) -> Option<(&'static str, &'static str)>,
    ours: &str,
) -> std::fmt::Result {
    if records.is_empty() {
        return Ok(());
    }
    writeln!(page, "\n## Through {language}\n\n{about}")?;
    writeln!(
        page,
        "| workload | engine | given | time ÷ floor | time ÷ Fallgate | median |\n|---|---|---|--:|--:|--:|"
    )?;
    for record in records {
        let floor = floor(record).and_then(|(engine, variant)| record.value(engine, variant));
        let fallgate = record.value("fallgate", ours);
        for Lane { label: Label { engine, version, variant, .. }, value, unit } in &record.lanes {
            let ratio = |by: Option<f64>| by.map_or("–".into(), |by| times(value / by));
            let (to_floor, to_ours, workload) = (ratio(floor), ratio(fallgate), &record.workload);
            writeln!(
                page,
                "| {workload} | {engine} {version} | {variant} | {to_floor} | {to_ours} | {} |",
                figure(*value, unit)
            )?;
        }
    }
    Ok(())
}

/// The budget of instructions, as it is committed: the figures that are repeatable.
fn instructions(page: &mut String, budget: &str) -> std::fmt::Result {
    page.push_str(text::INSTRUCTIONS);
    writeln!(page, "| path | instructions a decision |\n|---|--:|")?;
    let counts = budget.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (path, count) = line.split_once(' ')?;
        Some((path, count.trim().parse::<f64>().ok()?))
    });
    let counts: Vec<(&str, f64)> = counts.collect();
    for (path, count) in &counts {
        writeln!(page, "| `{path}` | {} |", thousands(*count))?;
    }
    let count = |path: &str| counts.iter().find(|(name, _)| *name == path).map(|(_, count)| *count);
    let Some(none) = count("w2-audit-none") else { return Ok(()) };
    writeln!(page, "{}", text::RECORDS)?;
    writeln!(page, "| audit | instructions of them for the record |\n|---|--:|")?;
    for (path, name) in
        [("w2-audit-denies", "denies"), ("w2-audit-all", "all"), ("w2-audit-no-room", "all, and no room")]
    {
        if let Some(count) = count(path) {
            writeln!(page, "| {name} | {} |", thousands(count - none))?;
        }
    }
    Ok(())
}

fn agreement(page: &mut String, parts: &Parts) -> std::fmt::Result {
    writeln!(page, "\n## What was agreed before anything was timed\n")?;
    for (part, _) in PARTS {
        for record in parts.of(part).iter().filter(|record| record.agreed > 0) {
            let engines: BTreeSet<&str> = record.lanes.iter().map(|lane| lane.label.engine.as_str()).collect();
            let engines = Vec::from_iter(engines).join(", ");
            let Record { workload, agreed, allowed, .. } = record;
            writeln!(
                page,
                "- {part}, {workload}: {} seeded requests, {} allowed ({engines}).",
                thousands(*agreed as f64),
                thousands(*allowed as f64)
            )?;
        }
    }
    Ok(())
}

fn timed(page: &mut String, parts: &Parts) -> std::fmt::Result {
    writeln!(page, "\n## What is inside the timed region\n")?;
    let mut seen = BTreeSet::new();
    for (part, _) in PARTS {
        for Lane { label, .. } in parts.of(part).iter().flat_map(|record| &record.lanes) {
            let Label { engine, version, variant, timed } = label;
            let name = [engine.as_str(), version.as_str()].join(" ");
            if !timed.is_empty() && seen.insert((name.clone(), variant, timed)) {
                writeln!(page, "- {}, {variant}: {timed}.", name.trim())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record of these lanes: engine, variant, nanoseconds.
    pub(super) fn record(workload: &str, lanes: &[(&str, &str, f64)]) -> Record {
        let lane = |(engine, variant, value): &(&str, &str, f64)| {
            Lane::time(Label::new(engine, "1", variant, "the call"), *value)
        };
        Record::new(workload, 2_048, 700, lanes.iter().map(lane).collect()).unwrap()
    }

    #[test]
    fn peers_are_joined_by_the_floors_that_both_programs_time() {
        let ours = [record("W1", &[("by hand", "prepared", 50.0), ("fallgate", "prepared", 100.0)])];
        let peers = [record("W1", &[("by hand", "prepared", 100.0), ("other", "prepared", 3_000.0)])];
        let joined = joined(&ours, &peers);
        assert_eq!(joined[0].lanes.len(), 3);
        assert_eq!(joined[0].value("other", "prepared"), Some(1_500.0));
    }

    #[test]
    fn the_page_has_what_was_run_and_says_what_was_not() {
        let lanes = [("by hand", "prepared", 50.0), ("fallgate", "prepared", 100.0), ("fallgate", "cached", 25.0)];
        let ours = vec![record("W3 at 100", &lanes)];
        let threads =
            vec![record("W1", &[("fallgate", "bytes, 1 thread", 90.0), ("fallgate", "bytes, 2 threads", 50.0)])];
        let parts = Parts { joined: ours.clone(), ours, threads, ..Parts::default() };
        let page = page(&parts, "# heading\nw1-allow 1234\nw2-audit-none 10\nw2-audit-all 30\n").unwrap();
        assert!(page.contains("| W3 at 100 | prepared | by hand 1 | 1.00 | 0.50 | 50.0 ns |"), "{page}");
        assert!(page.contains("| W3 at 100 | cached | fallgate 1 | 0.50 | 0.25 | 25.0 ns |"), "{page}");
        assert!(page.contains("| node | `make bench-node` | **not run** |  |"), "{page}");
        assert!(page.contains("| W1 | bytes | fallgate | 1.80 | 90.0 ns |"), "{page}");
        assert!(page.contains("(W1, bytes; the worst floor:  ×) | at least 1.8 × | 1.80 × | yes |"), "{page}");
        assert!(page.contains("| `w1-allow` | 1,234 |") && page.contains("| all | 20 |"), "{page}");
        assert!(page.contains("- ours, W3 at 100: 2,048 seeded requests, 700 allowed (by hand, fallgate)."), "{page}");
    }
}
