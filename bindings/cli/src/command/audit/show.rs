//! `fallgate audit show`: records as people read them, and only while they verify.

use fallgate::audit::record::RecordKind;
use fallgate::audit::verify::{Record, Verifier};
use fallgate::value::Timestamp;
use serde_json::Value;

use super::{Broken, opa};
use crate::arguments::{AuditShow, ShowFormat, Wanted};
use crate::audit_log::lines::{Lines, head_before};
use crate::console::{Colours, Console, Exit, Failure, Paint, painted};

pub(super) fn run(show: &AuditShow, console: &mut Console<'_>, colours: Colours) -> Result<Exit, Failure> {
    let mut lines = Lines::of(&show.files)?;
    let mut verifier: Option<Verifier> = None;
    while let Some(line) = lines.next()? {
        // What the first record goes on behind is taken as it says: here nothing proves what came before.
        let reading = verifier.get_or_insert_with(|| Verifier::behind(head_before(line.text).unwrap_or_default()));
        let record = match reading.push(line.text) {
            Ok(record) if line.is_whole => record,
            Ok(record) => return Ok(Broken::cut_off(record.seq, line).show(console, colours)?),
            Err(finding) => return Ok(Broken::at(finding, line).show(console, colours)?),
        };
        if !is_wanted(&show.wanted, &record) {
            continue;
        }
        match show.format {
            ShowFormat::Json => {
                console.out.write_all(line.text)?;
                writeln!(console.out)?;
            }
            ShowFormat::Opa => {
                if let Some(event) = opa::event(&record) {
                    writeln!(console.out, "{event}")?;
                }
            }
            ShowFormat::Text => writeln!(console.out, "{}", row(&record, colours.out))?,
        }
    }
    match verifier.unwrap_or_else(|| Verifier::behind(fallgate::audit::chain::Head::default())).finish() {
        Ok(_) => Ok(Exit::Fine),
        Err(finding) => Ok(Broken::at_the_end(finding).show(console, colours)?),
    }
}

/// Whether a record of this time is wanted.
pub(super) fn is_in_time(wanted: &Wanted, at: Option<Timestamp>) -> bool {
    let since = wanted.from.is_none_or(|from| at.is_some_and(|at| from <= at));
    since && wanted.until.is_none_or(|until| at.is_some_and(|at| at < until))
}

pub(super) fn is_wanted(wanted: &Wanted, record: &Record) -> bool {
    let of_kind = wanted.kinds.is_empty() || wanted.kinds.contains(&record.kind);
    let subject = record.body.pointer("/request/subject/id").and_then(Value::as_str);
    let about = wanted.subject.as_deref().is_none_or(|id| subject == Some(id));
    is_in_time(wanted, record.at.parse().ok()) && of_kind && about
}

/// A record in a line: its number, its time, its kind, and what it says.
pub(super) fn row(record: &Record, coloured: bool) -> String {
    let says = match record.kind {
        RecordKind::Decision | RecordKind::Pending => decision(&record.body, coloured),
        RecordKind::Gap => painted(&gap(&record.body), Paint::Doubtful, coloured),
        RecordKind::Checkpoint => painted(&members(&record.body, &[]), Paint::Faint, coloured),
        _ => event(&record.body),
    };
    let at = painted(&plain(&record.at), Paint::Faint, coloured);
    format!("{:>8}  {at}  {:<10}  {says}", record.seq, record.kind.code())
}

fn decision(body: &Value, coloured: bool) -> String {
    let text = |pointer: &str| body.pointer(pointer).map(word);
    let allowed = body.pointer("/decision/decision").and_then(Value::as_bool) == Some(true);
    let (effect, paint) = if allowed { ("allow", Paint::Good) } else { ("deny ", Paint::Bad) };
    let party = |name: &str| {
        let kind = text(&format!("/request/{name}/type"))?;
        Some(format!("{kind}:{}", text(&format!("/request/{name}/id"))?))
    };
    let mut parts = vec![painted(effect, paint, coloured)];
    parts.extend(text("/decision/context/reason"));
    parts.extend([party("subject"), text("/request/action/name"), party("resource")].into_iter().flatten());
    let rule = text("/decision/context/rule").map(|rule| painted(&format!("({rule})"), Paint::Faint, coloured));
    parts.extend(rule);
    parts.extend(text("/request/request_id").map(|id| painted(&format!("[{id}]"), Paint::Faint, coloured)));
    parts.join(" ")
}

fn gap(body: &Value) -> String {
    let count = |name: &str| body.get(name).and_then(Value::as_u64).unwrap_or_default();
    let (denies, allows, events) = (count("denies"), count("allows"), count("events"));
    format!("not recorded: {denies} denies, {allows} allows, {events} events")
}

fn event(body: &Value) -> String {
    let name = body.get("event").map(word).unwrap_or_default();
    let rest = members(body, &["event", "at", "monotonic_ms"]);
    format!("{name} {rest}").trim_end().to_owned()
}

/// The members of a body but these, as `name=value`.
fn members(body: &Value, but: &[&str]) -> String {
    let members = body.as_object().into_iter().flatten().filter(|(name, _)| !but.contains(&name.as_str()));
    members.map(|(name, value)| format!("{}={}", plain(name), word(value))).collect::<Vec<_>>().join(" ")
}

/// A value in a line: a text as it is, what is redacted as that, and anything else as JSON.
fn word(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        Value::Object(members) if members.contains_key("redacted") => "<redacted>".to_owned(),
        Value::Object(members) if members.contains_key("committed") => "<committed>".to_owned(),
        other => plain(&other.to_string()),
    }
}

/// A text from a record on a terminal: what could move the cursor, or turn the direction of reading, is written out.
pub(super) fn plain(text: &str) -> String {
    let is_plain =
        |letter: char| !letter.is_control() && !matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_plain(letter) {
            plain.push(letter);
        } else {
            plain.extend(letter.escape_unicode());
        }
    }
    plain
}
