//! `fallgate bench`: how long a pack's own requests take on this machine, and which rules cost most.

use std::fs;
use std::path::Path;
use std::time::Duration;

use fallgate::Engine;
use fallgate::drill::Drill;
use fallgate::error::quoted;
use fallgate::time::Now;
use serde_json::json;

use super::{compile_trusting, counted, read_drill};
use crate::arguments::{Bench, Format};
use crate::bench::asked::{Asked, engine, requests};
use crate::bench::figures::{Bar, Figures, Latencies, RuleCost};
use crate::bench::measure::{WAYS, measure, timer_ns};
use crate::bench::rules::costs;
use crate::console::{Colours, Console, Exit, Failure, Paint, painted};
use crate::finding::Finding;
use crate::pack::drill_files;
use crate::progress::Progress;
use crate::reading::shown;

/// How many rules are shown to people.
const RULES_SHOWN_MAX: usize = 10;
/// How wide the longest bar is.
const BAR_CHARACTERS: u64 = 40;
/// Steps of the progress bar.
const STEPS: f64 = 1_000.0;

pub(super) fn run(bench: &Bench, console: &mut Console<'_>, colours: Colours) -> Result<Exit, Failure> {
    let earlier = bench.compare.as_deref().map(earlier).transpose()?;
    let compiled = compile_trusting(&bench.pack, &bench.trusting)?;
    let bundle = &compiled.bundle;
    if let Some(earlier) = earlier.as_ref().filter(|earlier| earlier.pack != bundle.name()) {
        let message =
            format!("the earlier figures are of the pack {}, not of {}", quoted(&earlier.pack), bundle.name());
        return Err(Failure::Usage(message));
    }
    let files = if bench.pack.is_dir() { drill_files(&bench.pack)? } else { Vec::new() };
    let drills: Vec<Drill> = files.iter().map(|file| Ok(read_drill(file)?.drill)).collect::<Result<_, Failure>>()?;
    let asked = requests(bundle, &drills);
    if asked.is_empty() {
        let finding = Finding::unreadable(format!("the pack {} asks nothing", quoted(bundle.name())));
        return Err(finding.help("write cases in `tests/` or drills in `drills/`").into());
    }
    if cfg!(debug_assertions) {
        let note = "note: this command was built without optimisation: what ships is several times faster";
        writeln!(console.err, "{}", painted(note, Paint::Doubtful, colours.err))?;
    }
    let prepare = |keeps_answers| {
        engine(bundle, keeps_answers)
            .map_err(|error| Failure::from(Finding::unreadable(format!("the pack cannot decide: {error}"))))
    };
    let (fresh, keeping) = (prepare(false)?, prepare(true)?);
    let (ways, rules, timer_ns) = figures_of(bench, &asked, &fresh, &keeping, console.err_is_terminal)?;
    let figures = Figures {
        fallgate: env!("CARGO_PKG_VERSION").to_owned(),
        pack: bundle.name().to_owned(),
        revision: bundle.revision(),
        requests: asked.len(),
        seconds: bench.seconds,
        timer_ns,
        ways,
        rules,
    };
    match bench.format {
        Format::Json => {
            let mut json = json!(figures);
            if let (Some(earlier), Some(members)) = (&earlier, json.as_object_mut()) {
                members.insert("earlier".to_owned(), json!(earlier));
            }
            writeln!(console.out, "{json:#}")?;
        }
        Format::Text => {
            show(&figures, console, colours.out)?;
            if let (Some(earlier), Some(path)) = (&earlier, &bench.compare) {
                compare(&figures, earlier, path, console)?;
            }
        }
    }
    Ok(Exit::Fine)
}

/// The figures of an earlier run; what that run was compared with itself is passed over.
fn earlier(path: &Path) -> Result<Figures, Failure> {
    let unreadable = |why: &dyn std::fmt::Display| {
        let finding = Finding::unreadable(format!("cannot read {}: {why}", quoted(&shown(path))));
        Failure::from(finding.help("name a file with what `fallgate bench --format json` printed"))
    };
    let text = fs::read_to_string(path).map_err(|error| unreadable(&error))?;
    let mut json: serde_json::Value = serde_json::from_str(&text).map_err(|error| unreadable(&error))?;
    if let Some(members) = json.as_object_mut() {
        members.remove("earlier");
    }
    serde_json::from_value(json).map_err(|error| unreadable(&error))
}

/// Measures in every way, and weighs the rules: a fifth of the time for each.
fn figures_of(
    bench: &Bench,
    asked: &[Asked],
    fresh: &(Engine, Now),
    keeping: &(Engine, Now),
    is_terminal: bool,
) -> Result<(Vec<Latencies>, Vec<RuleCost>, u64), Failure> {
    let part = Duration::from_secs_f64(bench.seconds / 5.0);
    let started = crate::bench::measure::timer();
    let mut progress = Progress::new(STEPS as u64, is_terminal);
    let mut round = || {
        let done = started.elapsed().as_secs_f64() / bench.seconds;
        progress.advance_to((done.min(1.0) * STEPS) as u64);
    };
    let timer_ns = timer_ns();
    let mut ways = Vec::with_capacity(WAYS.len());
    for way in WAYS {
        let engine = if way.keeps_answers { keeping } else { fresh };
        let latencies = measure(way, engine, asked, part, timer_ns, &mut round);
        let uncounted = |error| Finding::unreadable(format!("latencies cannot be counted: {error}"));
        ways.extend(latencies.map_err(uncounted)?);
    }
    let rules = costs(fresh, asked, part, &mut round);
    progress.finish();
    Ok((ways, rules, timer_ns))
}

fn show(figures: &Figures, console: &mut Console<'_>, coloured: bool) -> std::io::Result<()> {
    let faint = |text: &str| painted(text, Paint::Faint, coloured);
    let Figures { pack, revision, requests, seconds, timer_ns, ways, rules, .. } = figures;
    let asked = counted(*requests, "request");
    writeln!(
        console.out,
        "{pack} revision {revision}: {asked}, one thread, {seconds} s; {timer_ns} ns of timer taken off"
    )?;
    let heading = format!(
        "\n{:<18}{:>9}{:>9}{:>9}{:>9}{:>9}{:>10}{:>14}",
        "", "p50", "p90", "p99", "p99.9", "max", "requests", "decisions/s"
    );
    writeln!(console.out, "{}", faint(&heading))?;
    for way in ways {
        let times = [way.p50_ns, way.p90_ns, way.p99_ns, way.p99_9_ns, way.max_ns]
            .map(|nanos| format!("{:>9}", time(nanos as f64)));
        let name = way.way.replace('_', ", ");
        writeln!(
            console.out,
            "{name:<18}{}{:>10}{:>14}",
            times.concat(),
            way.requests,
            whole(way.decisions_per_second)
        )?;
    }
    if let Some(prepared) = ways.first() {
        writeln!(console.out, "{}", faint(&format!("\n{}: how many took how long", prepared.way)))?;
        bars(&prepared.histogram, prepared.decisions, console)?;
    }
    if !rules.is_empty() {
        writeln!(
            console.out,
            "{}",
            faint(&format!("\n{:>7}{:>10}{:>10}  rule, the costliest first", "share", "each", "requests"))
        )?;
    }
    for RuleCost { rule, requests, each_ns, share } in rules.iter().take(RULES_SHOWN_MAX) {
        writeln!(console.out, "{:>5.1} %{:>10}{requests:>10}  {rule}", share * 100.0, time(*each_ns))?;
    }
    let more = rules.len().saturating_sub(RULES_SHOWN_MAX);
    if more > 0 {
        let share: f64 = rules.iter().skip(RULES_SHOWN_MAX).map(|rule| rule.share).sum();
        writeln!(
            console.out,
            "{:>5.1} %{:>20}  {}",
            share * 100.0,
            "",
            faint(&format!("{} more", counted(more, "rule")))
        )?;
    }
    Ok(())
}

/// A line for each bar, but for those with too few to be seen.
fn bars(bars: &[Bar], decisions: u64, console: &mut Console<'_>) -> std::io::Result<()> {
    let most = bars.iter().map(|bar| bar.count).max().unwrap_or_default();
    let seen = |bar: &&Bar| bar.count.saturating_mul(1_000) >= decisions;
    let mut few = 0_u64;
    for bar in bars {
        if !seen(&bar) {
            few = few.saturating_add(bar.count);
            continue;
        }
        let length = bar.count.saturating_mul(BAR_CHARACTERS).checked_div(most).unwrap_or_default();
        let drawn = "█".repeat(usize::try_from(length).unwrap_or_default().max(1));
        let up_to = format!("up to {}", time(bar.up_to_ns as f64));
        writeln!(console.out, "{up_to:>15}  {:>5.1} %  {drawn}", ratio(bar.count, decisions) * 100.0)?;
    }
    if few > 0 {
        writeln!(console.out, "{:>15}  {:>5.1} %", "elsewhere", ratio(few, decisions) * 100.0)?;
    }
    Ok(())
}

/// What has changed since: a latency that has grown by a tenth is `+10 %`.
fn compare(figures: &Figures, earlier: &Figures, path: &Path, console: &mut Console<'_>) -> std::io::Result<()> {
    writeln!(console.out, "\nagainst {}, of revision {}", quoted(&shown(path)), earlier.revision)?;
    for way in &figures.ways {
        let Some(before) = earlier.ways.iter().find(|before| before.way == way.way) else { continue };
        let change =
            |now: f64, before: f64| format!("{:>9}", format!("{:+.0} %", (now / before.max(1.0) - 1.0) * 100.0));
        let pairs = [
            (way.p50_ns, before.p50_ns),
            (way.p90_ns, before.p90_ns),
            (way.p99_ns, before.p99_ns),
            (way.p99_9_ns, before.p99_9_ns),
            (way.max_ns, before.max_ns),
        ];
        let times = pairs.map(|(now, before)| change(now as f64, before as f64));
        let per_second = change(way.decisions_per_second, before.decisions_per_second);
        let name = way.way.replace('_', ", ");
        writeln!(console.out, "{name:<18}{}{:>9}{per_second:>14}", times.concat(), "")?;
    }
    Ok(())
}

fn ratio(part: u64, of: u64) -> f64 {
    part as f64 / of.max(1) as f64
}

/// Nanoseconds, in three digits and the unit in which these are a number that people read.
fn time(nanos: f64) -> String {
    let (number, unit) = match nanos {
        nanos if nanos < 1e3 => (nanos, "ns"),
        nanos if nanos < 1e6 => (nanos / 1e3, "µs"),
        nanos if nanos < 1e9 => (nanos / 1e6, "ms"),
        nanos => (nanos / 1e9, "s"),
    };
    match number {
        number if unit == "ns" || number >= 100.0 => format!("{number:.0} {unit}"),
        number if number >= 10.0 => format!("{number:.1} {unit}"),
        number => format!("{number:.2} {unit}"),
    }
}

/// A whole number, in groups of three digits.
fn whole(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digits.len().saturating_sub(at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_three_digits() {
        let shown = [0.4, 7.0, 999.0, 1_234.0, 12_340.0, 123_400.0, 2_500_000.0, 61e9].map(time);
        assert_eq!(shown, ["0 ns", "7 ns", "999 ns", "1.23 µs", "12.3 µs", "123 µs", "2.50 ms", "61.0 s"]);
    }

    #[test]
    fn numbers_are_shown_in_groups() {
        assert_eq!([0.0, 12.3, 999.6, 123_456.0, 1_234_567.0].map(whole), ["0", "12", "1,000", "123,456", "1,234,567"]);
    }
}
