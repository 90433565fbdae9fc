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
use super::show::{is_wanted, plain, row};
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
        Ok(Self { lines, verifier: None, next: None })
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
        let at: Option<Timestamp> = record.at.parse().ok();
        let at = at.map_or(before, |at| before.max(at.as_nanosecond()));
        self.next = Some(Next { at, record, text: line.text.to_owned() });
        Ok(Ok(()))
    }

    /// How many records were read of it, and where it has come to.
    fn finish(self) -> Result<(u64, Head), Broken> {
        let verifier = self.verifier.unwrap_or_else(|| Verifier::behind(Head::default()));
        let (records, _) = verifier.counts();
        verifier.finish().map(|head| (records, head)).map_err(Broken::at_the_end)
    }
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
        for difference in differences.take(number, next.at, &next.record) {
            found = found.saturating_add(1);
            telling.difference(&difference, &next.record, console)?;
        }
        if let Err(broken) = chain.advance()? {
            return Ok(broken.show(console, colours)?);
        }
    }
    for (number, chain) in chains.into_iter().enumerate() {
        match chain.finish() {
            Ok((records, head)) => telling.head(number, records, head, console)?,
            Err(broken) => return Ok(broken.show(console, colours)?),
        }
    }
    if merge.format == Format::Text {
        writeln!(console.out, "{}", counted(found, "difference"))?;
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
}

impl<'m> Telling<'m> {
    fn of(merge: &AuditMerge, names: &'m [&'m str], colours: Colours) -> Self {
        let width = names.iter().map(|name| plain(name).chars().count()).max().unwrap_or_default();
        Self { names, format: merge.format, colours, width }
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

    fn head(&self, number: usize, records: u64, head: Head, console: &mut Console<'_>) -> std::io::Result<()> {
        let (name, hash) = (self.name(number), hexadecimal(&head.hash));
        match self.format {
            Format::Json => {
                let head = json!({ "chain": name, "records": records, "head": { "count": head.count, "head": hash } });
                writeln!(console.out, "{head}")
            }
            Format::Text => {
                let records = counted(usize::try_from(records).unwrap_or(usize::MAX), "record");
                writeln!(console.out, "{}: whole, {records}, head {}:{hash}", plain(name), head.count)
            }
        }
    }
}
