//! `fallgate drill`: a game day on the terminal, step by step.

use std::path::{Path, PathBuf};

use fallgate::Decision;
use fallgate::drill::{DrillReport, StepReport};
use fallgate::error::{nearest, quoted};
use fallgate::policy::bundle::Bundle;
use fallgate::state::approvals::Close;
use fallgate::state::events::{Event, EventKind};
use fallgate::time::Monotonic;

use super::{LoadedDrill, compile_trusting, counted, read_drill};
use crate::arguments::Drill;
use crate::console::{Colours, Console, Exit, Failure, Paint, painted};
use crate::finding::Finding;
use crate::journal_file::JournalFile;
use crate::pack::drill_files;

/// The widest that the column of what is told and asked becomes.
const WIDTH_MAX: usize = 60;

/// How many entries of a journal are written at once.
const LINES_AT_ONCE: usize = 1_000;

pub(super) fn run(drill: &Drill, console: &mut Console<'_>, colours: Colours) -> Result<Exit, Failure> {
    let Drill { pack, name, trusting, metrics, journal } = drill;
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
    for path in &files {
        let drill = read_drill(path)?;
        let report = match &mut journal {
            Some(file) => journaled(&drill, &compiled.bundle, file)?,
            None => drill.drill.run(&compiled.bundle),
        };
        if *metrics {
            write!(console.out, "{}", report.metrics.to_openmetrics())?;
            return Ok(if report.passed() { Exit::Fine } else { Exit::Denied });
        }
        table(&drill, &report.steps, console, colours.out)?;
        failed = failed.saturating_add(usize::from(!report.passed()));
        writeln!(console.out)?;
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

/// What changed, for the events that a reader of the timeline looks for.
fn changed(event: &EventKind) -> Option<String> {
    match event {
        EventKind::SignalChanged { signal, from, to, guard, .. } => {
            let guard = guard.map(|guard| format!(" ({guard})")).unwrap_or_default();
            Some(format!("{signal}: {} → {}{guard}", from.name(), to.name()))
        }
        EventKind::GuardForcedOpen { signal } => Some(format!("{signal}: forced open")),
        EventKind::GuardReleased { signal } => Some(format!("{signal}: released")),
        EventKind::PostureEntered { posture, scope, cause, .. } => {
            Some(format!("{posture}{}: entered ({})", in_scope(scope.as_deref()), cause.code()))
        }
        EventKind::Quarantined { selector, .. } => Some(format!("{selector}: quarantined")),
        EventKind::QuarantineLifted { selector } => Some(format!("{selector}: no longer quarantined (lifted)")),
        EventKind::QuarantineEnded { selector } => Some(format!("{selector}: no longer quarantined (ended)")),
        EventKind::Revoked { selector } => Some(format!("{selector}: earlier decisions are void")),
        EventKind::PostureLeft { posture, scope, approved } => {
            let by = approved.as_ref().map(|approved| format!(" (approved by {})", approved.approvers.join(", ")));
            Some(format!("{posture}{}: left{}", in_scope(scope.as_deref()), by.unwrap_or_default()))
        }
        EventKind::Approved { by, approvals, need, .. } => Some(format!("{by}: approved ({approvals} of {need})")),
        EventKind::ApprovalRefused { by, code, .. } => Some(format!("{by}: refused ({code})")),
        EventKind::ProposalClosed { why, .. } if *why != Close::Done => {
            Some(format!("a proposal waits no more ({})", why.code()))
        }
        EventKind::OverrideGranted { window, terms, .. } => {
            Some(format!("override: {} times within {window}", terms.0.uses))
        }
        EventKind::OverrideUsed { overrode, uses_left, .. } => {
            Some(format!("override: used, of {} ({uses_left} left)", overrode.code()))
        }
        EventKind::OverrideEnded { why, .. } => Some(format!("override: ended ({})", why.code())),
        EventKind::FlagSet { flag, .. } => Some(format!("{flag}: set")),
        EventKind::FlagCleared { flag, .. } => Some(format!("{flag}: cleared")),
        EventKind::FlagExpired { flag } => Some(format!("{flag}: set for longer than was meant")),
        EventKind::FlagKept { flag, code } => Some(format!("{flag}: kept as it is ({code})")),
        EventKind::PostureKept { posture, code } => Some(format!("{posture}: kept as it is ({code})")),
        EventKind::ClockFailed => Some("clock: the two clocks have parted".to_owned()),
        EventKind::ClockAnchored => Some("clock: taken for right again".to_owned()),
        EventKind::EngineFailed => Some("engine: a panic was contained".to_owned()),
        EventKind::ObservationIgnored { signal, outcome } => {
            Some(format!("{signal}: an observation was not taken ({})", outcome.code()))
        }
        _ => None,
    }
}

fn in_scope(scope: Option<&str>) -> String {
    scope.map(|scope| format!(" in {scope}")).unwrap_or_default()
}

/// A time since the start, in seconds.
fn seconds(at: Monotonic) -> String {
    let millis = at.as_nanos() / 1_000_000;
    let (seconds, rest) = (millis / 1_000, millis % 1_000);
    if rest == 0 { format!("{seconds}s") } else { format!("{seconds}.{rest:03}s") }
}

/// What was told and asked in a step.
fn happened(step: &StepReport) -> String {
    let mut parts = Vec::new();
    if !step.told.is_empty() {
        parts.push(step.told.join(", "));
    }
    parts.extend(step.asked.clone());
    if parts.is_empty() {
        parts.extend(step.note.clone());
    }
    parts.join("; ")
}
