//! The goals, each with what the runs have measured: every figure is computed here, none is written by hand.

use std::fmt::Write as _;

use super::Parts;
use super::numbers::{exactly, times};
use crate::record::Record;

/// A goal, and whether it is reached.
struct Goal {
    what: String,
    bound: Bound,
    measured: Option<f64>,
    /// What is behind the figure: which lane was the fastest, or the worst.
    remark: String,
    /// The target of the Makefile that measures it.
    by: &'static str,
}

#[derive(Clone, Copy)]
enum Bound {
    /// A ratio, at most.
    AtMost(f64),
    /// A ratio, at least.
    AtLeast(f64),
    /// A figure in a unit of its own, at most.
    Within(f64, &'static str),
}

impl Bound {
    fn holds(self, measured: f64) -> bool {
        match self {
            Self::AtMost(most) | Self::Within(most, _) => measured <= most,
            Self::AtLeast(least) => measured >= least,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(most) => format!("at most {} ×", exactly(most)),
            Self::AtLeast(least) => format!("at least {} ×", exactly(least)),
            Self::Within(most, unit) => format!("at most {} {unit}", exactly(most)),
        }
    }

    fn figure(self, measured: f64) -> String {
        match self {
            Self::Within(_, unit) => format!("{} {unit}", times(measured)),
            Self::AtMost(_) | Self::AtLeast(_) => format!("{} ×", times(measured)),
        }
    }
}

/// The table of all goals.
///
/// # Errors
///
/// Never in practice: writing to a string.
pub(super) fn table(page: &mut String, parts: &Parts) -> std::fmt::Result {
    let goals = [ours(parts), peers(parts), others(parts), python(parts), node(parts)].concat_all();
    let (mut reached, mut measured) = (0, 0);
    writeln!(page, "| goal | bound | measured | reached | by |\n|---|--:|--:|---|---|")?;
    for goal in &goals {
        let holds = goal.measured.map(|figure| goal.bound.holds(figure));
        reached += usize::from(holds == Some(true));
        measured += usize::from(holds.is_some());
        let figure = goal.measured.map_or_else(|| "not measured".into(), |figure| goal.bound.figure(figure));
        let word = match holds {
            None => "",
            Some(true) => "yes",
            Some(false) => "**no**",
        };
        let remark = if goal.remark.is_empty() { String::new() } else { format!(" ({})", goal.remark) };
        writeln!(page, "| {}{remark} | {} | {figure} | {word} | `{}` |", goal.what, goal.bound.text(), goal.by)?;
    }
    writeln!(page, "\n{reached} of {} goals reached, {} not measured.\n", goals.len(), goals.len() - measured)
}

trait ConcatAll {
    fn concat_all(self) -> Vec<Goal>;
}

impl<const N: usize> ConcatAll for [Vec<Goal>; N] {
    fn concat_all(self) -> Vec<Goal> {
        self.into_iter().flatten().collect()
    }
}

fn goal(what: impl Into<String>, bound: Bound, measured: Option<f64>, by: &'static str) -> Goal {
    Goal { what: what.into(), bound, measured, remark: String::new(), by }
}

/// How often the first goes into the second.
fn ratio(of: Option<f64>, to: Option<f64>) -> Option<f64> {
    Some(of? / to?)
}

fn of<'a>(records: &'a [Record], workload: &str) -> Option<&'a Record> {
    records.iter().find(|record| record.workload == workload)
}

fn value(records: &[Record], workload: &str, engine: &str, variant: &str) -> Option<f64> {
    of(records, workload)?.value(engine, variant)
}

/// Fallgate against the floors, in one program.
fn ours(parts: &Parts) -> Vec<Goal> {
    let value = |workload: &str, engine: &str, variant: &str| value(&parts.ours, workload, engine, variant);
    let mut goals = Vec::new();
    for (variant, most) in [("prepared", 3.0), ("bytes", 2.0)] {
        for workload in ["W1", "W2"] {
            let measured = ratio(value(workload, "fallgate", variant), value(workload, "by hand", variant));
            goals.push(goal(format!("{workload} {variant} ÷ floor"), Bound::AtMost(most), measured, "bench"));
        }
    }
    let [hundred, many] = ["W3 at 100", "W3 at 100000"].map(|workload| value(workload, "fallgate", "prepared"));
    goals.push(goal("W3 at 100,000 rules ÷ at 100", Bound::AtMost(2.0), ratio(many, hundred), "bench"));
    let by_hand = value("W4", "by hand", "bytes, JSON value");
    let native = ratio(value("W4", "fallgate", "bytes"), by_hand);
    goals.push(goal("W4 native, bytes ÷ by hand into a JSON value", Bound::AtMost(0.4), native, "bench"));
    for workload in ["W1", "W2", "W3 at 10000"] {
        let hit = value(workload, "quick_cache", "cached, prepared");
        let measured = ratio(value(workload, "fallgate", "cached, prepared"), hit);
        let what = format!("{workload} cached, prepared ÷ a `quick_cache` hit");
        goals.push(goal(what, Bound::AtMost(2.5), measured, "bench"));
    }
    let failing = value("W5", "fallgate", "cached, prepared");
    let measured = ratio(failing, value("W2", "fallgate", "cached, prepared"));
    goals.push(goal("W5 ÷ W2 cached, prepared", Bound::AtMost(1.5), measured, "bench"));
    let [all, none] = ["audit all", "audit none"].map(|variant| value("W2 with audit", "fallgate", variant));
    let added = all.zip(none).map(|(all, none)| all - none);
    goals.push(goal("audit on all decisions adds to W2", Bound::Within(100.0, "ns"), added, "bench"));
    goals
}

/// Fallgate against the engines of others; their figures are in units of Fallgate's own floor.
fn peers(parts: &Parts) -> Vec<Goal> {
    let mut goals = Vec::new();
    let rows = [
        ("W1", "prepared", 10.0),
        ("W2", "prepared", 10.0),
        ("W1", "bytes", 8.0),
        ("W2", "bytes", 8.0),
        ("W3 at 10000", "prepared", 25.0),
        ("W3 at 10000", "bytes", 25.0),
        ("W1", "cached, prepared", 8.0),
        ("W2", "cached, prepared", 8.0),
    ];
    for (workload, variant, least) in rows {
        let ours = value(&parts.joined, workload, "fallgate", variant);
        let fastest = of(&parts.joined, workload).and_then(|record| fastest_peer(record, variant));
        let measured = ratio(fastest.as_ref().map(|(_, time)| *time), ours);
        let mut row = goal(
            format!("{workload} {variant}: fastest peer ÷ Fallgate"),
            Bound::AtLeast(least),
            measured,
            "bench-peers",
        );
        row.remark = fastest.map(|(name, _)| name).unwrap_or_default();
        goals.push(row);
    }
    for form in ["prepared", "bytes"] {
        let ours = value(&parts.joined, "W4", "fallgate", &format!("Rego, {form}"));
        let bare = value(&parts.joined, "W4", "regorus interpreter", form);
        let what = format!("W4 Rego, {form} ÷ the bare strict interpreter");
        goals.push(goal(what, Bound::AtMost(1.15), ratio(ours, bare), "bench-peers"));
    }
    goals
}

/// The fastest engine of another's on that variant.
fn fastest_peer(record: &Record, variant: &str) -> Option<(String, f64)> {
    let others = record.lanes.iter().filter(|lane| {
        lane.label.variant == variant && !["fallgate", "by hand", "quick_cache"].contains(&lane.label.engine.as_str())
    });
    let fastest = others.min_by(|one, other| one.value.total_cmp(&other.value))?;
    Some((fastest.label.engine.clone(), fastest.value))
}

/// Threads, load, allocations, and C.
fn others(parts: &Parts) -> Vec<Goal> {
    let mut goals = Vec::new();
    let scaling = super::threads::scaling(&parts.threads);
    let worst = scaling.iter().filter(|row| row.engine == "fallgate");
    let worst = worst.min_by(|one, other| one.ratio.total_cmp(&other.ratio));
    let mut row =
        goal("two threads ÷ one, the worst variant", Bound::AtLeast(1.8), worst.map(|row| row.ratio), "bench-threads");
    let floors = scaling.iter().filter(|row| row.engine == "by hand").map(|row| row.ratio);
    let floor = floors.min_by(f64::total_cmp).map(times).unwrap_or_default();
    row.remark = worst.map(|row| format!("{}; the worst floor: {floor} ×", row.name())).unwrap_or_default();
    goals.push(row);
    let load = |variant: &str| value(&parts.load, "load at 100000", "fallgate", variant);
    goals.push(goal("100,000 rules, from bytes to ready", Bound::Within(1_000.0, "ms"), load("time"), "bench-load"));
    let beyond = load("memory beyond the text");
    goals.push(goal("memory of a rule beyond its text", Bound::Within(300.0, "bytes"), beyond, "bench-load"));
    let counted = of(&parts.load, "allocations");
    let most = counted.and_then(|record| record.lanes.iter().max_by(|one, other| one.value.total_cmp(&other.value)));
    let bound = Bound::Within(0.0, "allocations");
    let mut row = goal("allocations of one decision, the most", bound, most.map(|lane| lane.value), "bench-load");
    row.remark = counted.map(|record| format!("{} paths", record.lanes.len())).unwrap_or_default();
    goals.push(row);
    for workload in ["W1", "W2"] {
        for form in ["prepared", "bytes"] {
            let [c, rust] = ["C", "Rust"].map(|engine| value(&parts.c, workload, engine, form));
            goals.push(goal(format!("C, {workload} {form} ÷ Rust"), Bound::AtMost(1.1), ratio(c, rust), "bench-c"));
        }
    }
    goals
}

fn python(parts: &Parts) -> Vec<Goal> {
    let value = |workload: &str, engine: &str, variant: &str| value(&parts.python, workload, engine, variant);
    let mut goals = Vec::new();
    for workload in ["W1", "W2"] {
        let mut push = |what: &str, bound, measured| {
            goals.push(goal(format!("Python, {workload}: {what}"), bound, measured, "bench-python"));
        };
        let ours = value(workload, "fallgate", "dicts");
        let floor = value(workload, "floor", "reads the same fields");
        push("dicts ÷ floor", Bound::AtMost(2.0), ratio(ours, floor));
        push("cached ÷ floor", Bound::AtMost(1.5), ratio(value(workload, "fallgate", "dicts, cached"), floor));
        push(
            "cedarpy ÷ Fallgate",
            Bound::AtLeast(60.0),
            ratio(value(workload, "cedarpy", "policies parsed before"), ours),
        );
        push("casbin ÷ Fallgate", Bound::AtLeast(200.0), ratio(value(workload, "casbin", "enforce"), ours));
        let many = value(workload, "fallgate", "decide_many of 1,000 JSON");
        let rust = value(workload, "fallgate in Rust", "bytes");
        push("`decide_many` of JSON, each ÷ Rust's bytes", Bound::AtMost(1.5), ratio(many, rust));
        let two = value(workload, "fallgate", "decide_many of 1,000 JSON, 2 threads");
        push("`decide_many`, two threads ÷ one", Bound::AtLeast(1.7), ratio(many, two));
    }
    goals
}

fn node(parts: &Parts) -> Vec<Goal> {
    let value = |workload: &str, engine: &str, variant: &str| value(&parts.node, workload, engine, variant);
    let mut goals = Vec::new();
    for workload in ["W1", "W2"] {
        let mut push = |what: &str, bound, measured| {
            goals.push(goal(format!("Node, {workload}: {what}"), bound, measured, "bench-node"));
        };
        let ours = value(workload, "fallgate", "object");
        let floors = ["the fields one by one", "stringify and a typed parse"].map(|way| value(workload, "floor", way));
        let floor = floors.into_iter().flatten().min_by(f64::total_cmp);
        push("object ÷ the cheaper floor", Bound::AtMost(1.0), ratio(ours, floor));
        push(
            "cedar-wasm ÷ Fallgate",
            Bound::AtLeast(60.0),
            ratio(value(workload, "cedar-wasm", "policies parsed before"), ours),
        );
        push("casbin ÷ Fallgate", Bound::AtLeast(80.0), ratio(value(workload, "casbin", "enforceSync"), ours));
        let buffer = value(workload, "fallgate", "buffer");
        push("buffer ÷ an empty method", Bound::AtMost(3.0), ratio(buffer, value(workload, "an empty call", "method")));
    }
    goals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contest::Label;
    use crate::record::Lane;
    use crate::report::tests::record;

    #[test]
    fn a_goal_is_measured_against_its_bound() {
        let by_hand = ("by hand", "prepared", 50.0);
        let w1 = record("W1", &[by_hand, ("fallgate", "prepared", 150.0), ("fallgate", "cached, prepared", 20.0)]);
        let w2 = record("W2", &[by_hand, ("fallgate", "prepared", 151.0)]);
        let mut joined = vec![w1.clone()];
        for (engine, time) in [("slow", 9_000.0), ("quick", 1_499.0)] {
            joined[0].lanes.push(Lane::time(Label::new(engine, "1", "prepared", "the call"), time));
        }
        let parts = Parts { ours: vec![w1, w2], joined, ..Parts::default() };
        let mut page = String::new();
        table(&mut page, &parts).unwrap();
        assert!(page.contains("| W1 prepared ÷ floor | at most 3 × | 3.00 × | yes | `bench` |"), "{page}");
        assert!(page.contains("| W2 prepared ÷ floor | at most 3 × | 3.02 × | **no** | `bench` |"), "{page}");
        let peer = "| W1 prepared: fastest peer ÷ Fallgate (quick) | at least 10 × | 9.99 × | **no** | `bench-peers` |";
        assert!(page.contains(peer), "{page}");
        assert!(page.contains("| W1 bytes ÷ floor | at most 2 × | not measured |  | `bench` |"), "{page}");
        assert!(page.contains("\n1 of "), "{page}");
    }
}
