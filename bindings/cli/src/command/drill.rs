//! `fallgate drill`: a game day on the terminal, step by step.

use std::path::{Path, PathBuf};

use fallgate::Decision;
use fallgate::drill::{DrillReport, StepReport};
use fallgate::error::{nearest, quoted};
use fallgate::policy::bundle::Bundle;
use fallgate::state::events::Event;

use super::build::write_whole;
use super::{LoadedDrill, compile_trusting, counted, read_drill};
use crate::arguments::Drill;
use crate::console::{Colours, Console, Exit, Failure, Paint, painted};
use crate::drill_report::{self, Played};
use crate::finding::Finding;
use crate::journal_file::JournalFile;
use crate::pack::drill_files;
use crate::reading::shown as written;
use crate::telling::{changed, happened, seconds};

/// The widest that the column of what is told and asked becomes.
const WIDTH_MAX: usize = 60;

/// How many entries of a journal are written at once.
const LINES_AT_ONCE: usize = 1_000;

pub(super) fn run(drill: &Drill, console: &mut Console<'_>, colours: Colours) -> Result<Exit, Failure> {
    let Drill { pack, name, trusting, metrics, journal, audit, report: page } = drill;
    let is_drill = pack.extension().is_some_and(|extension| extension == "yaml");
    let (folder, files) = match is_drill {
        true => (pack_of(pack)?, vec![pack.to_owned()]),
        false => (pack.to_owned(), chosen(drill_files(pack)?, name.as_deref())?),
    };
    let compiled = compile_trusting(&folder, trusting)?;
    if files.is_empty() {
        writeln!(console.out, "{} has no drills", compiled.bundle.name())?;
        return Ok(Exit::Fine);
    }
    let mut journal = journal.as_deref().map(JournalFile::open).transpose()?;
    let mut failed = 0_usize;
    let mut played = Vec::new();
    for path in &files {
        let drill = read_drill(path)?;
        let report = match (&mut journal, audit) {
            (Some(file), _) => journaled(&drill, &compiled.bundle, file)?,
            (None, Some(file)) => recorded(&drill, &compiled.bundle, file)?,
            (None, None) => drill.drill.run(&compiled.bundle),
        };
        if *metrics {
            write!(console.out, "{}", report.metrics.to_openmetrics())?;
            return Ok(if report.passed() { Exit::Fine } else { Exit::Denied });
        }
        table(&drill, &report.steps, console, colours.out)?;
        failed = failed.saturating_add(usize::from(!report.passed()));
        writeln!(console.out)?;
        if page.is_some() {
            played.push((drill, report));
        }
    }
    if let Some(path) = page {
        let names: Vec<String> = played.iter().map(|(drill, _)| drill.name()).collect();
        let all = played.iter().zip(&names);
        let all: Vec<_> = all.map(|((drill, report), name)| Played { name, drill: &drill.drill, report }).collect();
        write_whole(path, drill_report::page(&compiled.bundle, &all).as_bytes())?;
        writeln!(console.out, "wrote {}", written(path))?;
    }
    let verdict = match failed {
        0 => painted("passed", Paint::Good, colours.out),
        _ => painted(&format!("{failed} failed"), Paint::Bad, colours.out),
    };
    writeln!(console.out, "{}: {verdict}", counted(files.len(), "drill"))?;
    Ok(if failed == 0 { Exit::Fine } else { Exit::Denied })
}

/// A drill whose inputs are written down.
fn journaled(drill: &LoadedDrill, bundle: &Bundle, file: &mut JournalFile) -> Result<DrillReport, Failure> {
    let (mut lines, mut written) = (Vec::new(), Ok(()));
    let report = drill.drill.run_journaled(bundle, &mut |_| {}, &mut |line| {
        lines.push(line.to_owned());
        if lines.len() >= LINES_AT_ONCE && written.is_ok() {
            written = file.append(&std::mem::take(&mut lines));
        }
    });
    written.and_then(|()| file.append(&lines))?;
    Ok(report)
}

/// A drill whose audit records are written down: one chain.
fn recorded(drill: &LoadedDrill, bundle: &Bundle, path: &Path) -> Result<DrillReport, Failure> {
    if drill.drill.steps.iter().any(|step| step.restart.is_some()) {
        let message = "the drill restarts its engine, and each engine of a drill begins a chain of its own";
        return Err(Failure::Usage(format!("--audit: {message}; choose a drill without `restart`")));
    }
    let mut lines = String::new();
    let report = drill.drill.run_recorded(bundle, &mut |line| {
        lines.push_str(line);
        lines.push('\n');
    });
    if lines.is_empty() {
        let none = Finding::unreadable(format!("{} leaves no records: it declares no `audit`", quoted(bundle.name())));
        return Err(none.help("declare it in pack.yaml, as `audit: { level: denies }`").into());
    }
    write_whole(path, lines.as_bytes())?;
    Ok(report)
}

/// The folder of the pack that a drill is about.
fn pack_of(path: &Path) -> Result<PathBuf, Failure> {
    let drill = read_drill(path)?;
    let own = path.parent().unwrap_or(path);
    match &drill.drill.pack {
        Some(pack) => Ok(own.join(pack)),
        None => {
            let above = own.ancestors().find(|folder| folder.join("pack.yaml").is_file());
            let missing = || Finding::unreadable("the drill names no pack, and stands in none");
            Ok(above.ok_or_else(|| missing().help("write `pack: ..` in the drill"))?.to_owned())
        }
    }
}

fn chosen(files: Vec<PathBuf>, name: Option<&str>) -> Result<Vec<PathBuf>, Failure> {
    let Some(name) = name else { return Ok(files) };
    let stem = |path: &PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let names: Vec<String> = files.iter().map(stem).collect();
    match files.into_iter().find(|path| stem(path) == name) {
        Some(path) => Ok(vec![path]),
        None => {
            let help = match nearest(name, names.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are: {}", names.join(", ")),
            };
            Err(Failure::Usage(format!("the pack has no drill {}; {help}", quoted(name))))
        }
    }
}

/// One drill: when, what was told or asked, what was decided and by which rule, and whether that was expected. What
/// changed by itself or by what was told stands on lines of its own, at the time when it changed.
fn table(drill: &LoadedDrill, steps: &[StepReport], console: &mut Console<'_>, coloured: bool) -> std::io::Result<()> {
    writeln!(console.out, "{} ({})", drill.drill.drill, drill.name())?;
    let told: Vec<String> = steps.iter().map(happened).collect();
    let width = |texts: &[String]| texts.iter().map(|text| text.chars().count()).max().unwrap_or_default();
    let times: Vec<String> = steps.iter().map(|step| seconds(step.now.monotonic)).collect();
    let (time_width, told_width) = (width(&times).max(8), width(&told).min(WIDTH_MAX));
    for ((step, told), time) in steps.iter().zip(&told).zip(&times) {
        let (before, at_once): (Vec<&Event>, Vec<&Event>) = step.events.iter().partition(|event| event.at != step.now);
        changes(&before, time_width, console, coloured)?;
        let mark = match (step.expects, step.failures.is_empty()) {
            (_, false) => painted("✗", Paint::Bad, coloured),
            (true, true) => painted("✓", Paint::Good, coloured),
            (false, true) => " ".to_owned(),
        };
        let decided = step.decision.as_ref().map(|decision| shown(decision, coloured)).unwrap_or_default();
        let line = format!("{time:>time_width$}  {mark} {told:<told_width$}  {decided}");
        if !told.is_empty() || !step.failures.is_empty() {
            writeln!(console.out, "  {}", line.trim_end())?;
        }
        changes(&at_once, time_width, console, coloured)?;
        for failure in &step.failures {
            let at = painted(&drill.step_at(step.step), Paint::Faint, coloured);
            writeln!(console.out, "  {:time_width$}    {} {at}", "", painted(failure, Paint::Bad, coloured))?;
        }
    }
    Ok(())
}

/// What changed, a line each.
fn changes(events: &[&Event], time_width: usize, console: &mut Console<'_>, coloured: bool) -> std::io::Result<()> {
    for event in events {
        if let Some(text) = changed(&event.kind) {
            let time = seconds(event.at.monotonic);
            writeln!(console.out, "  {time:>time_width$}  ~ {}", painted(&text, Paint::Faint, coloured))?;
        }
    }
    Ok(())
}

/// A decision in a line: effect, reason, the signals that were not ok, the rule.
fn shown(decision: &Decision, coloured: bool) -> String {
    let (word, paint) = if decision.is_allow() { ("allow", Paint::Good) } else { ("deny ", Paint::Bad) };
    let degraded: Vec<&str> = decision.degraded().iter().map(|name| name.as_str()).collect();
    let degraded = if degraded.is_empty() { String::new() } else { format!(" ({} not ok)", degraded.join(", ")) };
    let rule = decision.rule().map(|rule| painted(&format!(" {rule}"), Paint::Faint, coloured)).unwrap_or_default();
    let cached = if decision.cached() { ", cached" } else { "" };
    format!("{} {}{cached}{degraded}{rule}", painted(word, paint, coloured), decision.reason().code())
}
