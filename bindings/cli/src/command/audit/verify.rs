//! `fallgate audit verify`: whether a chain is whole.

use fallgate::audit::chain::Head;
use fallgate::audit::checkpoint::{Checkpoint, CheckpointKey};
use fallgate::audit::verify::{Fault, Finding as ChainFinding, Verifier};
use fallgate::error::quoted;
use fallgate::policy::bundle::hexadecimal;
use serde_json::json;

use super::Broken;
use crate::arguments::{AuditChain, AuditVerify, Format};
use crate::audit_log::lines::Lines;
use crate::command::counted;
use crate::console::{Colours, Console, Exit, Failure, Paint, painted};
use crate::finding::Finding;
use crate::progress::Progress;
use crate::reading::{shown, unreadable};

/// Bytes between two looks at the clock of the bar.
const PROGRESS_BYTES: u64 = 1 << 20;

pub(super) fn run(verify: &AuditVerify, console: &mut Console<'_>, colours: Colours) -> Result<Exit, Failure> {
    let read = read(&verify.chain, console.err_is_terminal)?;
    match verify.format {
        Format::Text => match read {
            Ok(whole) => {
                told(&whole, &verify.chain, console, colours)?;
                Ok(Exit::Fine)
            }
            Err(broken) => Ok(broken.show(console, colours)?),
        },
        Format::Json => {
            let (exit, result) = match read {
                Ok(Whole { head, records, missing, .. }) => {
                    let head = json!({ "count": head.count, "head": hexadecimal(&head.hash) });
                    (Exit::Fine, json!({ "whole": true, "records": records, "missing": missing, "head": head }))
                }
                Err(broken) => {
                    let found = &broken.finding;
                    let code = found.fault.code();
                    let found = json!({ "whole": false, "seq": found.seq, "code": code, "message": broken.message() });
                    (Exit::Denied, found)
                }
            };
            writeln!(console.out, "{result}")?;
            Ok(exit)
        }
    }
}

/// A chain that is whole.
pub(super) struct Whole {
    pub(super) head: Head,
    records: u64,
    /// How many records its gaps say are missing.
    missing: u64,
    /// The head that was kept elsewhere, with its number.
    through: Option<Head>,
}

/// The head that the chain must go through.
fn through(verify: &AuditChain) -> Result<Option<Head>, Failure> {
    if let (Some(path), Some(key)) = (&verify.checkpoint, &verify.key) {
        let key = CheckpointKey::parse(key).map_err(|error| Failure::Usage(format!("--key: {error}")))?;
        let envelope = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
        return match Checkpoint::from_envelope(&envelope, &key) {
            Ok(checkpoint) => Ok(Some(checkpoint.head)),
            Err(error) => Err(Finding::with_code(error.code(), format!("{}: {error}", quoted(&shown(path)))).into()),
        };
    }
    Ok(verify.head.zip(verify.count).map(|(hash, count)| Head { count, hash }))
}

/// Reads a chain to its end.
pub(super) fn read(verify: &AuditChain, is_terminal: bool) -> Result<Result<Whole, Broken>, Failure> {
    let through = through(verify)?;
    let after = verify.after.map_or_else(Head::default, |(count, hash)| Head { count, hash });
    let mut verifier = Verifier::behind(after);
    if let Some(head) = through {
        if head.count <= after.count && head != after {
            let message = "the head that was kept lies before what `--after` says; verify the earlier files with it";
            return Err(Failure::Usage(message.to_owned()));
        }
        verifier = verifier.through(head);
    }
    let mut lines = Lines::of(&verify.files)?;
    let mut progress = Progress::new(lines.bytes(), is_terminal);
    let (mut seq, mut hash, mut shown_at) = (after.count, after.hash, 0_u64);
    while let Some(line) = lines.next()? {
        let record = match verifier.push(line.text) {
            Ok(record) if line.is_whole => record,
            Ok(record) => return Ok(Err(Broken::cut_off(record.seq, line))),
            Err(finding) => return Ok(Err(Broken::at(finding, line))),
        };
        (seq, hash) = (record.seq, record.hash);
        let done = lines.bytes_read();
        if done.saturating_sub(shown_at) >= PROGRESS_BYTES {
            progress.advance_to(done);
            shown_at = done;
        }
    }
    progress.finish();
    let (records, missing) = verifier.counts();
    let head = match verifier.finish() {
        Ok(head) => head,
        Err(finding) => return Ok(Err(Broken::at_the_end(finding))),
    };
    // A head without a number is that of the end.
    if through.is_none() && verify.head.is_some_and(|expected| expected != hash) {
        let help = "records are missing at the end, or came since (then give `--count` too), or all was written anew";
        return Ok(Err(Broken::at_the_end(ChainFinding { seq, fault: Fault::OtherHead }).help(help)));
    }
    Ok(Ok(Whole { head, records, missing, through }))
}

fn told(whole: &Whole, verify: &AuditChain, console: &mut Console<'_>, colours: Colours) -> std::io::Result<()> {
    let Whole { head, records, missing, through } = whole;
    let verdict = painted("whole", Paint::Good, colours.out);
    let records = counted(usize::try_from(*records).unwrap_or(usize::MAX), "record");
    let gaps = match missing {
        0 => String::new(),
        missing => format!("; {missing} more were not recorded, as its gaps say"),
    };
    writeln!(console.out, "{verdict}: {records}{gaps}")?;
    writeln!(console.out, "head {}:{}", head.count, hexadecimal(&head.hash))?;
    match through {
        Some(kept) if kept.count < head.count => {
            let since = head.count.saturating_sub(kept.count);
            let since = counted(usize::try_from(since).unwrap_or(usize::MAX), "record");
            writeln!(console.out, "up to record {} as it was kept; {since} since", kept.count)
        }
        Some(_) => writeln!(console.out, "up to its end as it was kept"),
        None if verify.head.is_some() => writeln!(console.out, "up to its end as it was kept"),
        None => writeln!(
            console.out,
            "nothing was given that was kept elsewhere (--head, --checkpoint): a chain that was cut short at its end, or \
             written anew, looks like this too"
        ),
    }
}
