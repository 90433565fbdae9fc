//! `fallgate approve`: proposals and approvals as operations, made and checked without an engine at hand.
//!
//! What is checked here an engine checks again: the command keeps people from handing over what would be refused. It asks
//! a fresh engine of the core for that, which has the pack active since before the proposal was written.

mod check;
mod propose;
mod sign;
mod stage;

use std::io::Read as _;
use std::path::Path;

use fallgate::error::quoted;
use fallgate::limits::Limits;
use fallgate::operation::{Operation, Propose};
use fallgate::request::parse_strict;
use fallgate::state::approvals::ApprovalError;
use fallgate::state::proposal::Proposal;
use fallgate::state::statement::Purpose;
use fallgate::time::Wall;
use serde_json::Value;

use super::build::write_whole;
use super::eval::{instant, machine_time};
use crate::arguments::{Approve, Proving};
use crate::budget::FILE_BYTES_MAX;
use crate::console::{Colours, Console, Exit, Failure};
use crate::finding::Finding;
use crate::reading::{bytes_of, shown, unreadable};
use crate::signing::ApproverKey;

pub(super) fn run(approve: &Approve, console: &mut Console<'_>, colours: Colours) -> Result<Exit, Failure> {
    match approve {
        Approve::Propose(asked) => propose::run(asked, console, colours),
        Approve::Sign(asked) => sign::run(asked, Purpose::Approval, console),
        Approve::Withdraw(asked) => sign::run(asked, Purpose::Withdrawal, console),
        Approve::Check(asked) => check::run(asked, console, colours),
    }
}

/// The time that was named, or the machine's.
fn time(at: Option<&str>) -> Result<Wall, Failure> {
    at.map_or_else(|| Ok(machine_time()), instant)
}

/// The one proof of who somebody is: a signature or a code.
struct Proved {
    signature: Option<String>,
    code: Option<String>,
}

impl Proved {
    /// Signs the canonical proposal for this purpose, or takes the code of the time, or the one that was typed.
    fn of(proving: &Proving, purpose: Purpose, proposal: &[u8], at: Wall) -> Result<Self, Failure> {
        let Some(path) = &proving.key else { return Ok(Self { signature: None, code: proving.code.clone() }) };
        Ok(match ApproverKey::read(path)? {
            ApproverKey::Private(key) => Self { signature: Some(key.sign_for(purpose, proposal)), code: None },
            ApproverKey::Secret(secret) => Self { signature: None, code: secret.code_at(at) },
        })
    }
}

/// A file's operation, or the standard input's.
fn bytes_at(path: &Path, console: &mut Console<'_>) -> Result<Vec<u8>, Failure> {
    if path != Path::new("-") {
        return Ok(bytes_of(path)?);
    }
    let mut bytes = Vec::new();
    let read = console.input.take(FILE_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(|error| unreadable(path, &error))?;
    Ok(bytes)
}

/// Reads a proposal: alone, or as the operation that proposes it.
fn read_proposal(path: &Path, console: &mut Console<'_>) -> Result<(Propose, Proposal), Failure> {
    let bytes = bytes_at(path, console)?;
    let what = quoted(&shown(path));
    let unread = |error: String| Finding::unreadable(format!("{what} cannot be read: {error}"));
    // A member that is there twice would be shown once and signed as the other.
    parse_strict(&bytes, &Limits::DEFAULT).map_err(|error| unread(error.to_string()))?;
    let document: Value = serde_json::from_slice(&bytes).map_err(|error| unread(error.to_string()))?;
    let propose = if document.get("propose").is_some() {
        match operation(&what, &bytes)? {
            Operation::Propose(propose) => propose,
            _ => return Err(Finding::unreadable(format!("{what} is no proposal")).into()),
        }
    } else {
        Propose { proposal: document, signature: None, code: None }
    };
    let proposal = Proposal::read(&propose.proposal).map_err(|error| {
        refused(&what, &error).help("name what `fallgate approve propose` writes, or the proposal in it")
    })?;
    Ok((propose, proposal))
}

/// Reads an operation.
fn operation(what: &str, bytes: &[u8]) -> Result<Operation, Failure> {
    Operation::from_json(bytes, &Limits::DEFAULT)
        .map_err(|error| Finding::with_code(error.code(), format!("{what}: {error}")).into())
}

/// A refusal of the core, as a finding.
fn refused(what: &str, error: &ApprovalError) -> Finding {
    Finding::with_code(error.code(), format!("{what}: {error}"))
}

/// Writes an operation to where it goes; whether that is a file.
fn write_operation(operation: &Operation, output: Option<&Path>, console: &mut Console<'_>) -> Result<bool, Failure> {
    let text = format!("{:#}\n", operation.to_json());
    match output {
        Some(path) => write_whole(path, text.as_bytes())?,
        None => console.out.write_all(text.as_bytes())?,
    }
    Ok(output.is_some())
}
