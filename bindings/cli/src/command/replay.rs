//! `fallgate replay`: what was decided, decided again, from a journal of inputs or from an audit chain.

use std::path::{Path, PathBuf};

use fallgate::error::quoted;
use fallgate::limits::Limits;
use fallgate::replay::records::{Records, Skipped};
use fallgate::replay::{Difference, Kind, Played, Replay, ReplayError, Secrets, first_difference};
use serde_json::{Value, json};

use super::{compile_trusting, counted};
use crate::arguments::{Format, Replay as Arguments};
use crate::audit_log::key::{engine_key, secret_key};
use crate::audit_log::lines::{Lines, head_before};
use crate::console::{Console, Exit, Failure};
use crate::finding::Finding;
use crate::progress::Progress;
use crate::reading::shown;

/// Bytes between two looks at the clock of the bar.
const PROGRESS_BYTES: u64 = 1 << 20;

/// How many differences are shown in full, and how many in a line each. The rest is counted.
const IN_FULL: u64 = 1;
const SHOWN: u64 = 20;

pub(super) fn run(arguments: &Arguments, console: &mut Console<'_>) -> Result<Exit, Failure> {
    // A bundle stands in a journal as one line, and in JSON at most twice as long as it is.
    let journal_line = u64::try_from(Limits::DEFAULT.bundle_bytes_max).unwrap_or(u64::MAX).saturating_mul(3);
    let lines = Lines::of(&arguments.files)?.within(journal_line);
    let mut source = Source { progress: Progress::new(lines.bytes(), console.err_is_terminal), lines, shown_at: 0 };
    let candidate = match &arguments.bundle {
        Some(bundle) => Some(compile_trusting(bundle, &arguments.trusting)?.bundle),
        None => None,
    };
    let mut output = Output { format: arguments.format, shown: 0 };
    let is_chain = is_chain(&arguments.files)?;
    let result = match (is_chain, candidate) {
        (true, None) => {
            let message = "this is an audit chain, which is decided again by a bundle: give `--bundle`";
            return Err(Failure::Usage(message.to_owned()));
        }
        (true, Some(bundle)) => chain(Records::new(bundle), &mut source, &mut output, console),
        (false, candidate) => {
            let replay = Replay::new(secrets(arguments)?);
            let replay = match candidate {
                Some(candidate) => replay.with_candidate(candidate),
                None => replay,
            };
            let audit = (!arguments.audit.is_empty()).then(|| Chain::of(&arguments.audit)).transpose()?;
            journal(arguments, replay, audit, &mut source, &mut output, console)
        }
    };
    source.progress.finish();
    result
}

/// Whether the first line says that it is a record of an audit chain.
fn is_chain(files: &[PathBuf]) -> Result<bool, Finding> {
    let mut lines = Lines::of(files)?;
    let first = lines.next()?;
    let first = first.and_then(|line| serde_json::from_slice::<Value>(line.text).ok());
    Ok(first.is_some_and(|first| first.get("fallgate").and_then(Value::as_str) == Some("audit/1")))
}

fn secrets(arguments: &Arguments) -> Result<Secrets, Failure> {
    Ok(Secrets {
        key: arguments.key_file.as_deref().map(engine_key).transpose()?,
        state_key: arguments.state_key_file.as_deref().map(secret_key).transpose()?,
        audit_key: arguments.audit_key_file.as_deref().map(secret_key).transpose()?,
    })
}

/// The lines that are replayed, and how far they are.
struct Source {
    lines: Lines,
    progress: Progress,
    shown_at: u64,
}

impl Source {
    /// Does something with the next line and its place; nothing after the last.
    fn next<T>(&mut self, act: impl FnOnce(&[u8], &Path, u64) -> T) -> Result<Option<T>, Finding> {
        let done = self.lines.next()?.map(|line| act(line.text, line.path, line.number));
        let read = self.lines.bytes_read();
        if read.saturating_sub(self.shown_at) >= PROGRESS_BYTES {
            self.shown_at = read;
            self.progress.advance_to(read);
        }
        Ok(done)
    }
}

/// How differences are shown, and how many were.
struct Output {
    format: Format,
    shown: u64,
}

impl Output {
    fn difference(&mut self, found: &Difference, what: &str, console: &mut Console<'_>) -> std::io::Result<()> {
        self.shown = self.shown.saturating_add(1);
        if self.format == Format::Json {
            return writeln!(console.out, "{}", found.to_json());
        }
        if self.shown > SHOWN {
            return Ok(());
        }
        let (n, kind, at) = (found.number, found.kind.code(), found.at.wall);
        writeln!(console.out, "{what} {n} at {at}: {kind}, first at {}", pointer(&found.pointer))?;
        if self.shown <= IN_FULL {
            writeln!(console.out, "  {} {}", found.verb, found.argument)?;
            writeln!(console.out, "  recorded {}", found.recorded)?;
            writeln!(console.out, "  replayed {}", found.replayed)?;
        }
        Ok(())
    }

    /// A record of the chain that is another one in the replay.
    fn record(
        &mut self,
        seq: u64,
        entry: u64,
        then: &Value,
        now: &Value,
        console: &mut Console<'_>,
    ) -> std::io::Result<()> {
        let at = first_difference(then, now).unwrap_or_default();
        self.shown = self.shown.saturating_add(1);
        if self.format == Format::Json {
            let found = json!({ "seq": seq, "n": entry, "pointer": at, "recorded": then, "replayed": now });
            return writeln!(console.out, "{found}");
        }
        if self.shown <= SHOWN {
            writeln!(console.out, "record {seq}, handed out by entry {entry}: another one, first at {}", pointer(&at))?;
        }
        Ok(())
    }

    /// What it all came to, and how the command ends for it.
    fn end(&self, numbers: Value, differences: &[u64], rest: &str, console: &mut Console<'_>) -> Result<Exit, Failure> {
        let different = differences.iter().copied().fold(0, u64::saturating_add);
        match self.format {
            Format::Json => writeln!(console.out, "{}", json!({ "summary": numbers }))?,
            Format::Text => {
                if different > SHOWN {
                    writeln!(console.out, "… and {} more", different.saturating_sub(SHOWN))?;
                }
                let kinds = Kind::ALL.into_iter().zip(differences).filter(|(_, count)| **count > 0);
                let kinds: Vec<String> = kinds.map(|(kind, count)| format!("{count} {}", kind.code())).collect();
                match different {
                    0 => writeln!(console.out, "equal: {rest}")?,
                    _ => writeln!(console.out, "{}: {}; {rest}", many(different, "difference"), kinds.join(", "))?,
                }
            }
        }
        Ok(if different == 0 { Exit::Fine } else { Exit::Denied })
    }
}

fn pointer(pointer: &str) -> &str {
    if pointer.is_empty() { "the whole" } else { pointer }
}

fn many(number: u64, one: &str) -> String {
    counted(usize::try_from(number).unwrap_or(usize::MAX), one)
}

fn journal(
    arguments: &Arguments,
    mut replay: Replay,
    mut audit: Option<Chain>,
    source: &mut Source,
    output: &mut Output,
    console: &mut Console<'_>,
) -> Result<Exit, Failure> {
    let broken = |error: ReplayError, path: &Path, number: u64| {
        let message = format!("{}, line {number}: {error}", quoted(&shown(path)));
        Failure::from(Finding::with_code(error.fault.code(), message))
    };
    let (mut last, mut said) = ((PathBuf::new(), 0), false);
    loop {
        let played = source.next(|text, path, number| {
            last = (path.to_owned(), number);
            replay.push(text).map_err(|error| broken(error, path, number))
        })?;
        let Some(played) = played else { break };
        let Played { number, difference, records, .. } = played?;
        if let (Some(version), false) = (&replay.tally().other_version, said) {
            said = true;
            let own = env!("CARGO_PKG_VERSION");
            writeln!(console.err, "warning: the version {version} wrote this journal, and {own} replays it")?;
        }
        if let Some(difference) = difference {
            output.difference(&difference, "entry", console)?;
        }
        if let Some(audit) = &mut audit {
            audit.hold(&records, number, output, console)?;
        }
    }
    let tally = replay.finish().map_err(|error| broken(error, &last.0, last.1))?;
    let mut rest = format!(
        "{} with {} of {}",
        many(tally.inputs, "input"),
        many(tally.decisions, "decision"),
        many(tally.engines, "engine")
    );
    if tally.unsaid > 0 {
        rest.push_str(&format!(", {} without an outcome to compare", many(tally.unsaid, "call")));
    }
    if arguments.bundle.is_some() {
        if tally.replaced == 0 {
            let message = "no bundle of its name becomes the active one in this journal; give another bundle";
            return Err(Finding::with_code("journal_input", message).into());
        }
        rest.push_str(&format!(", its bundles replaced {}", many(tally.replaced, "time")));
    }
    let (mut numbers, mut differences) = (tally.to_json(), tally.differences);
    if let Some(audit) = audit {
        let (checked, counts) = audit.end(output, console)?;
        rest.push_str(&checked);
        if let Some(count) = differences.get_mut(Kind::Other as usize) {
            *count = count.saturating_add(counts.different());
        }
        if let Some(members) = numbers.as_object_mut() {
            members.insert("audit".to_owned(), counts.to_json());
        }
    }
    output.end(numbers, &differences, &rest, console)
}

/// An audit chain, held against the records that a replay hands out.
struct Chain {
    lines: Lines,
    /// The next record of the chain, and its number.
    next: Option<(u64, Vec<u8>)>,
    /// The number of the last record that the replay has handed out.
    last: u64,
    counts: Counts,
}

/// What became of the records of a chain.
#[derive(Clone, Copy, Default)]
struct Counts {
    /// Those that are the same in the replay.
    equal: u64,
    /// Those that are not.
    other: u64,
    /// Those that the replay hands out and the chain has not.
    missing: u64,
    /// Those that the chain has and the replay does not hand out: from before the journal, or from after its end.
    outside: u64,
}

impl Counts {
    const fn different(self) -> u64 {
        self.other.saturating_add(self.missing)
    }

    fn to_json(self) -> Value {
        json!({ "equal": self.equal, "other": self.other, "missing": self.missing, "outside": self.outside })
    }
}

impl Chain {
    fn of(files: &[PathBuf]) -> Result<Self, Finding> {
        let mut chain = Self { lines: Lines::of(files)?, next: None, last: 0, counts: Counts::default() };
        chain.step()?;
        Ok(chain)
    }

    /// Goes to the next record of the chain.
    fn step(&mut self) -> Result<(), Finding> {
        self.next = match self.lines.next()? {
            None => None,
            Some(line) => {
                let record: Option<Value> = serde_json::from_slice(line.text).ok();
                let seq = record.and_then(|record| record.get("seq")?.as_u64()).ok_or_else(|| {
                    let place = format!("{}, line {}", quoted(&shown(line.path)), line.number);
                    Finding::with_code("record_not_canonical", format!("{place}: this is no audit record"))
                        .help("verify the chain first, with `fallgate audit verify`")
                })?;
                Some((seq, line.text.to_vec()))
            }
        };
        Ok(())
    }

    /// Holds the records that an entry hands out against those of the chain. What comes again was held already.
    fn hold(
        &mut self,
        records: &[String],
        entry: u64,
        output: &mut Output,
        console: &mut Console<'_>,
    ) -> Result<(), Failure> {
        for text in records {
            let record: Value = serde_json::from_str(text).unwrap_or_default();
            let seq = record.get("seq").and_then(Value::as_u64).unwrap_or_default();
            if seq <= self.last {
                continue;
            }
            self.last = seq;
            while self.next.as_ref().is_some_and(|(next, _)| *next < seq) {
                self.counts.outside = self.counts.outside.saturating_add(1);
                self.step()?;
            }
            match &self.next {
                Some((next, bytes)) if *next == seq => {
                    if bytes == text.as_bytes() {
                        self.counts.equal = self.counts.equal.saturating_add(1);
                    } else {
                        self.counts.other = self.counts.other.saturating_add(1);
                        let then = serde_json::from_slice(bytes).unwrap_or_default();
                        output.record(seq, entry, &then, &record, console)?;
                    }
                    self.step()?;
                }
                _ => self.counts.missing = self.counts.missing.saturating_add(1),
            }
        }
        Ok(())
    }

    /// Ends the chain: what became of its records, as text and as numbers.
    fn end(mut self, output: &Output, console: &mut Console<'_>) -> Result<(String, Counts), Failure> {
        while self.next.is_some() {
            self.counts.outside = self.counts.outside.saturating_add(1);
            self.step()?;
        }
        let Counts { equal, missing, outside, .. } = self.counts;
        if missing > 0 && output.format == Format::Text {
            writeln!(console.out, "{} of the replay that the chain has not", many(missing, "record"))?;
        }
        let mut text = format!(", {} of the chain equal", many(equal, "record"));
        if outside > 0 {
            text.push_str(&format!(", {outside} from before the journal or after its end"));
        }
        Ok((text, self.counts))
    }
}

/// An audit chain, decided again by a bundle.
fn chain(
    mut records: Records,
    source: &mut Source,
    output: &mut Output,
    console: &mut Console<'_>,
) -> Result<Exit, Failure> {
    let mut last = PathBuf::new();
    loop {
        let found = source.next(|text, path, _| {
            path.clone_into(&mut last);
            records.push(text, head_before(text).unwrap_or_default())
        })?;
        match found {
            None => break,
            Some(Ok(None)) => {}
            Some(Ok(Some(difference))) => output.difference(&difference, "record", console)?,
            Some(Err(finding)) => return Err(broken_chain(&finding, &last)),
        }
    }
    let tally = records.finish().map_err(|finding| broken_chain(&finding, &last))?;
    let mut rest = format!("{} of {} decided again", tally.again, many(tally.decisions, "decision"));
    let why = Skipped::ALL.into_iter().zip(tally.skipped).filter(|(_, count)| *count > 0);
    let why: Vec<String> = why.map(|(skipped, count)| format!("{count} {}", told(skipped))).collect();
    if !why.is_empty() {
        rest.push_str(&format!(", not: {}", why.join(", ")));
    }
    if tally.missing > 0 {
        rest.push_str(&format!(", and {} never written", many(tally.missing, "record")));
    }
    output.end(tally.to_json(), &tally.differences, &rest, console)
}

/// Why a decision was not decided again, for people.
const fn told(skipped: Skipped) -> &'static str {
    match skipped {
        Skipped::Redacted => "redacted",
        Skipped::NoRequest => "without a request",
        Skipped::OtherBundle => "by another bundle",
        Skipped::Reason => "for a reason that no record has the ground of",
        Skipped::BuiltIn => "under a clock, or another built-in signal, that had failed",
        Skipped::Signals => "under signals that no record tells",
        _ => "for another reason",
    }
}

fn broken_chain(finding: &fallgate::audit::verify::Finding, path: &Path) -> Failure {
    let message = format!("{}: {finding}", quoted(&shown(path)));
    Finding::with_code(finding.fault.code(), message).into()
}
