//! `fallgate audit merge`: the chains of several engines in the order of time, and where these differ.
//!
//! Of each chain one record is held at a time, so that chains larger than memory are read.

use std::path::PathBuf;

use fallgate::audit::chain::Head;
use fallgate::audit::verify::{Record, Verifier};
use fallgate::policy::bundle::hexadecimal;
use fallgate::value::Timestamp;
use serde_json::{Value, json};

use super::Broken;
use super::show::{is_in_time, is_wanted, plain, row};
use crate::arguments::{AuditMerge, Format};
use crate::audit_log::differences::{Difference, Differences};
use crate::audit_log::lines::{Lines, head_before};
use crate::command::counted;
use crate::console::{Colours, Console, Exit, Failure, Paint, painted};

/// The chain of one engine, up to the record that comes next.
struct Chain {
    lines: Lines,
    verifier: Option<Verifier>,
    next: Option<Next>,
    /// The number of the first record that was read.
    first: u64,
    /// By how many nanoseconds a record says that it is earlier than one before it, at the most.
    went_back: i128,
}

/// What a chain came to.
struct End {
    first: u64,
    head: Head,
    /// Records that its gaps say are missing.
    missing: u64,
    went_back: i128,
}

struct Next {
    /// When it was written, in nanoseconds: no earlier than the one before it, though a clock may have gone back.
    at: i128,
    record: Record,
    text: Vec<u8>,
}

impl Chain {
    fn open((_, place): &(String, PathBuf)) -> Result<Self, Failure> {
        let lines = Lines::of(std::slice::from_ref(place))?;
        Ok(Self { lines, verifier: None, next: None, first: 0, went_back: 0 })
    }

    /// Goes on to the next record; there is none behind the last.
    fn advance(&mut self) -> Result<Result<(), Broken>, Failure> {
        let before = self.next.take().map_or(i128::MIN, |next| next.at);
        let Some(line) = self.lines.next()? else { return Ok(Ok(())) };
        // What the first record goes on behind is taken as it says: here nothing proves what came before.
        let verifier =
            self.verifier.get_or_insert_with(|| Verifier::behind(head_before(line.text).unwrap_or_default()));
        let record = match verifier.push(line.text) {
            Ok(record) if line.is_whole => record,
            Ok(record) => return Ok(Err(Broken::cut_off(record.seq, line))),
            Err(finding) => return Ok(Err(Broken::at(finding, line))),
        };
        if self.first == 0 {
            self.first = record.seq;
        }
        let at = written_at(&record).map_or(before, Timestamp::as_nanosecond);
        self.went_back = self.went_back.max(before.saturating_sub(at));
        let at = at.max(before);
        self.next = Some(Next { at, record, text: line.text.to_owned() });
        Ok(Ok(()))
    }

    /// Where it has come to.
    fn finish(self) -> Result<End, Broken> {
        let Self { verifier, first, went_back, .. } = self;
        let verifier = verifier.unwrap_or_else(|| Verifier::behind(Head::default()));
        let (_, missing) = verifier.counts();
        let end = verifier.finish().map(|head| End { first, head, missing, went_back });
        end.map_err(Broken::at_the_end)
    }
}

fn written_at(record: &Record) -> Option<Timestamp> {
    record.at.parse().ok()
}

pub(super) fn run(merge: &AuditMerge, console: &mut Console<'_>, colours: Colours) -> Result<Exit, Failure> {
    for (at, (name, _)) in merge.chains.iter().enumerate() {
        if merge.chains.iter().take(at).any(|(before, _)| before == name) {
            let message = format!("two chains are called {}; write NAME=PLACE", fallgate::error::quoted(name));
            return Err(Failure::Usage(message));
        }
    }
    let mut chains = merge.chains.iter().map(Chain::open).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<&str> = merge.chains.iter().map(|(name, _)| name.as_str()).collect();
    for chain in &mut chains {
        if let Err(broken) = chain.advance()? {
            return Ok(broken.show(console, colours)?);
        }
    }
    let telling = Telling::of(merge, &names, colours);
    let (mut differences, mut found) = (Differences::within(merge.within), 0_usize);
    loop {
        // Of records of one time the chain that was named first comes first.
        let waiting = chains.iter_mut().enumerate().filter(|(_, chain)| chain.next.is_some());
        let Some((number, chain)) = waiting.min_by_key(|(_, chain)| chain.next.as_ref().map(|next| next.at)) else {
            break;
        };
        let Some(next) = &chain.next else { break };
        if !merge.differences && is_wanted(&merge.wanted, &next.record) {
            telling.record(number, next, console)?;
        }
        // What lies outside of the time that is asked for is compared too, and not told.
        let in_time = is_in_time(&merge.wanted, written_at(&next.record));
        for difference in differences.take(number, next.at, &next.record).into_iter().filter(|_| in_time) {
            found = found.saturating_add(1);
            telling.difference(&difference, &next.record, console)?;
        }
        if let Err(broken) = chain.advance()? {
            return Ok(broken.show(console, colours)?);
        }
    }
    for (number, chain) in chains.into_iter().enumerate() {
        match chain.finish() {
            Ok(end) => telling.end(number, &end, console)?,
            Err(broken) => return Ok(broken.show(console, colours)?),
        }
    }
    let uncompared = differences.uncompared();
    match merge.format {
        Format::Json => writeln!(console.out, "{}", json!({ "differences": found, "uncompared": uncompared }))?,
        Format::Text => {
            let differences = counted(found, "difference");
            let answers = counted(usize::try_from(uncompared).unwrap_or(usize::MAX), "answer");
            let uncompared = format!("; {answers} could not be compared: something of the question is concealed");
            writeln!(console.out, "{differences}{}", if answers.starts_with("0 ") { "" } else { &uncompared })?;
        }
    }
    Ok(if found == 0 { Exit::Fine } else { Exit::Denied })
}

/// How what is found is told.
struct Telling<'m> {
    names: &'m [&'m str],
    format: Format,
    colours: Colours,
    /// How wide the names are.
    width: usize,
    /// By how many nanoseconds a clock may go back before that is told.
    within: i128,
}

impl<'m> Telling<'m> {
    fn of(merge: &AuditMerge, names: &'m [&'m str], colours: Colours) -> Self {
        let width = names.iter().map(|name| plain(name).chars().count()).max().unwrap_or_default();
        Self { names, format: merge.format, colours, width, within: i128::from(merge.within.as_nanos()) }
    }

    fn name(&self, number: usize) -> &'m str {
        self.names.get(number).copied().unwrap_or_default()
    }

    fn record(&self, number: usize, next: &Next, console: &mut Console<'_>) -> std::io::Result<()> {
        let name = self.name(number);
        match self.format {
            Format::Json => {
                // The record as it stands, byte for byte: whoever takes the chains apart again can verify each.
                write!(console.out, "{{\"chain\":{},\"record\":", Value::from(name))?;
                console.out.write_all(&next.text)?;
                writeln!(console.out, "}}")
            }
            Format::Text => {
                let name = format!("{:<width$}", plain(name), width = self.width);
                writeln!(console.out, "{name}  {}", row(&next.record, self.colours.out))
            }
        }
    }

    fn difference(&self, found: &Difference, record: &Record, console: &mut Console<'_>) -> std::io::Result<()> {
        let (code, [ours, theirs]) = (found.kind.code(), &found.says);
        let (name, from) = (self.name(found.chain), found.from.map(|from| self.name(from)));
        match self.format {
            Format::Json => {
                let difference = json!({
                    "code": code, "at": record.at, "chain": name, "seq": found.seq, "says": ours,
                    "from": from, "from_says": theirs, "about": found.about,
                });
                writeln!(console.out, "{}", json!({ "difference": difference }))
            }
            Format::Text => {
                let code = painted(code, Paint::Bad, self.colours.out);
                let place = format!("{} record {} at {}", plain(name), found.seq, plain(&record.at));
                let from = from.map_or_else(String::new, |from| format!("{} ", plain(from)));
                writeln!(
                    console.out,
                    "{code}: {} {}, {from}{}: {} ({place})",
                    plain(name),
                    plain(ours),
                    plain(theirs),
                    plain(&found.about)
                )
            }
        }
    }

    fn end(&self, number: usize, end: &End, console: &mut Console<'_>) -> std::io::Result<()> {
        let End { first, head, missing, went_back } = end;
        let (name, hash) = (self.name(number), hexadecimal(&head.hash));
        let is_back = *went_back > self.within;
        let back_ms = went_back.checked_div(1_000_000).unwrap_or_default();
        if self.format == Format::Json {
            let said = json!({ "count": head.count, "head": hash });
            let end = json!({
                "chain": name, "first": first, "missing": missing, "went_back_ms": back_ms, "head": said,
            });
            return writeln!(console.out, "{end}");
        }
        let records = counted(usize::try_from(head.count).unwrap_or(usize::MAX), "record");
        let whole = match first {
            1 => format!("whole, {records}"),
            _ => format!("records {first} to {}; what came before was not read", head.count),
        };
        let gaps = match missing {
            0 => String::new(),
            missing => format!("; {missing} more were not recorded, as its gaps say"),
        };
        let back = match is_back {
            true => format!(
                "; its clock went back by {back_ms} ms, and what was written until it had caught up stands behind"
            ),
            false => String::new(),
        };
        writeln!(console.out, "{}: {whole}{gaps}{back}; head {}:{hash}", plain(name), head.count)
    }
}
