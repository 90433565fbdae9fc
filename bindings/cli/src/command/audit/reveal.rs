//! `fallgate audit reveal`: whether a value is the one that a record commits to.

use fallgate::audit::redact::{opens, salt};
use fallgate::audit::verify::{Record, Verifier};
use fallgate::error::quoted;
use fallgate::policy::bundle::hexadecimal;
use serde_json::{Value, json};

use super::Broken;
use crate::arguments::AuditReveal;
use crate::audit_log::key::secret_key;
use crate::audit_log::lines::{Lines, head_before};
use crate::console::{Colours, Console, Exit, Failure, show_findings};
use crate::finding::Finding;

pub(super) fn run(reveal: &AuditReveal, console: &mut Console<'_>, colours: Colours) -> Result<Exit, Failure> {
    let value: Value = serde_json::from_str(&reveal.value)
        .map_err(|_| Failure::Usage("--value: write JSON; a text stands in quotes".to_owned()))?;
    let salt = match (&reveal.key_file, reveal.salt) {
        (Some(path), _) => salt(&secret_key(path)?, reveal.seq, &reveal.path),
        (None, Some(salt)) => salt,
        (None, None) => return Err(Failure::Usage("give --key-file, or the --salt that opens the value".to_owned())),
    };
    let record = match record(reveal)? {
        Ok(record) => record,
        Err(broken) => return Ok(broken.show(console, colours)?),
    };
    // A dot between two names is a step; one inside of a name has a backslash before it.
    let steps = reveal.path.replace("\\.", "\u{0}").replace('~', "~0").replace('/', "~1").replace('.', "/");
    let pointer = format!("/request/{}", steps.replace('\u{0}', "."));
    let stands = record.body.pointer(&pointer);
    let Some(commitment) = stands.and_then(|stands| stands.get("committed")).and_then(Value::as_str) else {
        let message = format!("record {} has no commitment at {}", reveal.seq, quoted(&reveal.path));
        return Err(Failure::Usage(message));
    };
    if !opens(commitment, &salt, &value) {
        let message = format!("record {} does not commit to this value at {}", reveal.seq, quoted(&reveal.path));
        let finding = Finding::with_code("not_revealed", message).help("check the value, the path and the key");
        show_findings(console.err, &[finding], &[], colours.err)?;
        return Ok(Exit::Denied);
    }
    let opened = json!({ "seq": reveal.seq, "path": reveal.path, "value": value, "salt": hexadecimal(&salt) });
    writeln!(console.out, "{opened}")?;
    Ok(Exit::Fine)
}

/// The record of that number, behind records that verify.
fn record(reveal: &AuditReveal) -> Result<Result<Record, Broken>, Failure> {
    let mut lines = Lines::of(&reveal.files)?;
    let mut verifier: Option<Verifier> = None;
    while let Some(line) = lines.next()? {
        let reading = verifier.get_or_insert_with(|| Verifier::behind(head_before(line.text).unwrap_or_default()));
        match reading.push(line.text) {
            Ok(record) if !line.is_whole => return Ok(Err(Broken::cut_off(record.seq, line))),
            Ok(record) if record.seq == reveal.seq => return Ok(Ok(record)),
            Ok(_) => {}
            Err(finding) => return Ok(Err(Broken::at(finding, line))),
        }
    }
    Err(Failure::Usage(format!("the chain has no record {}", reveal.seq)))
}
