//! The page of a run: for each thing its chart, its table, and how it grows.

use std::fmt::Write;

use super::Dimension;
use super::chart::{Line, Panel, svg};
use super::growth::exponent;
use super::measure::Point;
use crate::record::Machine;
use crate::report::numbers::thousands;

/// One thing and what was measured of it.
pub type Curves<'d> = (&'d Dimension, Vec<Point>);

/// The page.
///
/// # Errors
///
/// Never in practice: writing to a string.
pub fn page(all: &[Curves<'_>], machine: &Machine, date: &str) -> Result<String, std::fmt::Error> {
    let mut page = String::from(HEAD);
    let Machine { processor, cores, tool } = machine;
    writeln!(page, "Machine: {processor}, {cores} cores; {tool}; {date}.")?;
    for (dimension, points) in all {
        writeln!(page, "\n## {}\n", dimension.title)?;
        writeln!(
            page,
            "![{}: time and memory by how many there are](scale/{}.svg)\n",
            dimension.title, dimension.name
        )?;
        let names: Vec<&str> =
            points.iter().flat_map(|point| &point.times).map(|(what, _)| *what).take(columns(points)).collect();
        writeln!(page, "| {}s | {} | memory | a {} more |", dimension.unit, names.join(" | "), dimension.unit)?;
        writeln!(page, "|--:|{}--:|--:|", "--:|".repeat(names.len()))?;
        for (at, point) in points.iter().enumerate() {
            let times: Vec<String> = point.times.iter().map(|(_, nanos)| time(*nanos)).collect();
            let more = at.checked_sub(1).and_then(|before| points.get(before)).map(|before| {
                let bytes = (point.bytes - before.bytes) / (point.size - before.size) as f64;
                format!("{bytes:.0} B")
            });
            let size = thousands(point.size as f64);
            let more = more.unwrap_or_else(|| "–".into());
            writeln!(page, "| {size} | {} | {} | {more} |", times.join(" | "), memory(point.bytes))?;
        }
        let grows = |nth: usize| {
            let values: Vec<(f64, f64)> =
                points.iter().filter_map(|point| Some((point.size as f64, point.times.get(nth)?.1))).collect();
            exponent(&values).map_or("–".into(), |slope| format!("N^{slope:.2}"))
        };
        let slopes: Vec<String> = (0..names.len()).map(grows).collect();
        writeln!(page, "| grows as | {} | | |", slopes.join(" | "))?;
    }
    Ok(page)
}

fn columns(points: &[Point]) -> usize {
    points.first().map_or(0, |point| point.times.len())
}

/// The chart of one thing.
///
/// # Errors
///
/// Never in practice: writing to a string.
pub fn chart((dimension, points): &Curves<'_>) -> Result<String, std::fmt::Error> {
    let line = |nth: usize| {
        let of = |point: &Point| Some((point.size as f64, point.times.get(nth)?.1));
        let name = points.first().and_then(|point| point.times.get(nth)).map(|(what, _)| (*what).to_owned());
        Line { name: name.unwrap_or_default(), points: points.iter().filter_map(of).collect() }
    };
    let across = format!("{}s", dimension.unit);
    let times = Panel {
        across: across.clone(),
        up: "time, median".into(),
        shown: time,
        lines: (0..columns(points)).map(line).collect(),
    };
    let held = points.iter().map(|point| (point.size as f64, point.bytes.max(1.0))).collect();
    let memory = Panel {
        across,
        up: "memory".into(),
        shown: memory,
        lines: vec![Line { name: "bytes that the engine holds, the bundle's text left out".into(), points: held }],
    };
    svg(dimension.title, &[times, memory])
}

/// A span of nanoseconds, in the unit that suits it.
fn time(nanos: f64) -> String {
    scaled(nanos, 1_000.0, &["ns", "µs", "ms", "s"])
}

fn memory(bytes: f64) -> String {
    scaled(bytes, 1_000.0, &["B", "kB", "MB", "GB"])
}

/// Three digits that mean something, and the unit.
fn scaled(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while value >= step * 0.9995 && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    let digits =
        if value < 9.995 && value.fract() != 0.0 { 2 } else { usize::from(value < 99.95 && value.fract() != 0.0) };
    format!("{value:.digits$} {}", units[unit])
}

const HEAD: &str = "\
# Scale

What a decision costs, and whatever else an engine does, by how much there is of something: a hundred thousand rules or
quarantined subjects, a thousand signals or scopes, a million cached decisions, ten thousand proposals. `make bench-scale`
measures it on your machine and writes this page.

- *decide* is `decide` on a prepared request and dropping the decision: the median of 256 samples of 64 requests, drawn at
  random from all there are. Each is checked before it is timed: it comes out with the reason that it should have.
- *activate* goes from the bytes of a bundle to an engine that decides by it, while all the rest is in place.
- The other columns are one operation each, with the snapshot that it publishes; what it adds is taken back before the next.
- *memory* is what the engine holds, counted by the allocator; the bundle's text, which it keeps too, is left out. *a … more*
  is what each one between two sizes took.
- *grows as* is the slope of the straight line through the logarithms. Zero is flat, one is in proportion. The cost of
  memory that is further away is part of a time: a table that no longer fits into the processor's caches is slower by
  that, though not an instruction more is executed.

Times on a shared machine swing. That decisions stay flat is held by instructions instead: `benches/budget.txt` has a path
for few and for many of each ([decision 0026](decisions/0026-scale.md)).

";

#[cfg(test)]
mod tests {
    use super::{chart, memory, page, time};
    use crate::record::Machine;
    use crate::scale::{DIMENSIONS, measure::Point};

    #[test]
    fn units_suit_their_values() {
        assert_eq!([time(0.5), time(87.25), time(100.0), time(999.0)], ["0.50 ns", "87.2 ns", "100 ns", "999 ns"]);
        assert_eq!([time(999.9), time(1_234.0), time(10_000_000.0), time(2e9)], ["1.00 µs", "1.23 µs", "10 ms", "2 s"]);
        assert_eq!(memory(45_757_241.0), "45.8 MB");
    }

    #[test]
    fn a_table_has_its_slopes_and_what_one_more_takes() {
        let point = |size: usize, nanos, bytes| Point {
            size,
            times: vec![("decide", 100.0), ("activate", nanos)],
            bytes,
            text: 9,
        };
        let points =
            vec![point(100, 1_000.0, 5_000.0), point(1_000, 10_000.0, 95_000.0), point(10_000, 100_000.0, 995_000.0)];
        let machine = Machine { processor: "P".into(), cores: 2, tool: "rustc 1".into() };
        let curves = (&DIMENSIONS[0], points);
        let written = page(std::slice::from_ref(&curves), &machine, "2026-01-01").unwrap();
        assert!(written.contains("| rules | decide | activate | memory | a rule more |"), "{written}");
        assert!(written.contains("| 1,000 | 100 ns | 10 µs | 95 kB | 100 B |"));
        assert!(written.contains("| grows as | N^0.00 | N^1.00 | | |"));
        assert!(chart(&curves).unwrap().contains(">Rules</text>"));
    }
}
