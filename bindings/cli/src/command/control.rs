//! `fallgate control`: messages for a fleet, made and looked at without an engine at hand.

use std::io::Read as _;
use std::path::Path;

use fallgate::error::quoted;
use fallgate::limits::Limits;
use fallgate::operation::{CONTROL_FORM, ControlForm, Message, Nothing};
use fallgate::policy::bundle::Trust;
use fallgate::policy::trust::envelope::{self, Envelope};
use fallgate::request::parse_strict;
use fallgate::state::control::ControlError;
use serde_json::{Value, json};

use super::build::write_whole;
use super::eval::{instant, machine_time};
use crate::arguments::{Control, Format, ShowMessage, SignMessage};
use crate::budget::FILE_BYTES_MAX;
use crate::console::{Console, Exit, Failure};
use crate::finding::Finding;
use crate::reading::{bytes_of, shown, unreadable};
use crate::signing::{PrivateKey, follow, refusal};

pub(super) fn run(control: &Control, console: &mut Console<'_>) -> Result<Exit, Failure> {
    match control {
        Control::Sign(asked) => sign(asked, console),
        Control::Show(asked) => show(asked, console),
    }
}

fn sign(asked: &SignMessage, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let at = asked.at.as_deref().map_or_else(|| Ok(machine_time()), instant)?;
    let operation = asked.operation.as_deref().map(|path| operation(path, console)).transpose()?;
    let form = ControlForm {
        fallgate: CONTROL_FORM.to_owned(),
        feed: asked.feed.clone(),
        epoch: asked.epoch,
        sequence: asked.sequence,
        at: at.to_string(),
        heartbeat: operation.is_none().then_some(Nothing {}),
        operation,
    };
    let payload = form.payload(&Limits::DEFAULT).map_err(|error| refused("the message", &error))?;
    let message = Message::from_payload(&payload, &Limits::DEFAULT).map_err(|error| refused("the message", &error))?;
    let mut envelope = Envelope::new(envelope::CONTROL, payload);
    for path in &asked.keys {
        PrivateKey::read(path)?.sign(&mut envelope)?;
    }
    write_whole(&asked.output, &envelope.to_json())?;
    writeln!(console.out, "{}", said(&message))?;
    Ok(Exit::Fine)
}

/// The operation in a file, or on the standard input. The core says what it must be.
fn operation(path: &Path, console: &mut Console<'_>) -> Result<Value, Failure> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        let max = FILE_BYTES_MAX.saturating_add(1);
        console.input.take(max).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
        bytes
    } else {
        bytes_of(path)?
    };
    let what = quoted(&shown(path));
    // A key that stands twice would be signed as if it stood once.
    parse_strict(&bytes, &Limits::DEFAULT).map_err(|error| Finding::unreadable(format!("{what}: {error}")))?;
    Ok(serde_json::from_slice(&bytes).map_err(std::io::Error::other)?)
}

fn show(asked: &ShowMessage, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let what = quoted(&shown(&asked.file));
    let bytes = bytes_of(&asked.file)?;
    let envelope = Envelope::from_json(&bytes, &Limits::DEFAULT).map_err(|error| refusal(&what, &error))?;
    let now = machine_time();
    let message = match follow(&asked.trusting.roots, now)? {
        Some(root) => Message::read(&bytes, &Trust::keys(root), &Limits::DEFAULT, Some(now)),
        None => Message::from_payload(envelope.payload(), &Limits::DEFAULT),
    };
    let message = message.map_err(|error| refused(&what, &error))?;
    let believed = (!asked.trusting.roots.is_empty()).then_some(true);
    let signers: Vec<&str> = envelope.signatures().iter().map(|one| &*one.key_id).collect();
    match asked.format {
        Format::Json => {
            let output = json!({
                "feed": message.place.feed.as_str(),
                "epoch": message.place.epoch,
                "sequence": message.place.sequence,
                "at": message.at.to_string(),
                "operation": message.operation.as_ref().map(|operation| operation.to_json()),
                "signatures": signers,
                "believed": believed,
            });
            writeln!(console.out, "{output:#}")?;
        }
        Format::Text => {
            writeln!(console.out, "{}", said(&message))?;
            writeln!(console.out, "  written  {}", message.at)?;
            if let Some(operation) = &message.operation {
                writeln!(console.out, "  says     {}", operation.to_json())?;
            }
            for signer in signers {
                writeln!(console.out, "  signed   {signer}")?;
            }
            let word = if believed.is_some() { "by the trust root" } else { "not looked at: give --trust" };
            writeln!(console.out, "  believed {word}")?;
        }
    }
    Ok(Exit::Fine)
}

/// The number of a message, and what it says, in a line.
fn said(message: &Message) -> String {
    let place = &message.place;
    let verb = message.operation.as_ref().map_or_else(|| "heartbeat".to_owned(), |operation| operation.verb());
    format!("{} {}/{} {verb}", place.feed, place.epoch, place.sequence)
}

/// A refusal of the core, as a finding.
fn refused(what: &str, error: &ControlError) -> Finding {
    match error {
        ControlError::Refused(diagnostic) => refusal(what, diagnostic),
        error => Finding::unreadable(format!("{what}: {error}")),
    }
}
