//! `fallgate approve check`: whether a proposal is what a pack takes, and how many of its approvals count.

use std::collections::BTreeSet;
use std::path::Path;

use fallgate::error::quoted;
use fallgate::operation::{Approve, Operation};
use fallgate::state::approvals::ApprovalError;
use serde_json::json;

use super::sign::{in_words, plain};
use super::stage::{Stage, Unstaged, refusal_by};
use super::{bytes_at, operation, read_proposal, time};
use crate::arguments::{Check, Format};
use crate::command::compile_trusting;
use crate::console::{Colours, Console, Exit, Failure, Paint, painted, show_findings};
use crate::finding::Finding;
use crate::reading::shown;

pub(super) fn run(asked: &Check, console: &mut Console<'_>, colours: Colours) -> Result<Exit, Failure> {
    let bundle = compile_trusting(&asked.pack, &asked.trusting)?.bundle;
    let now = time(asked.at.as_deref())?;
    let (propose, proposal) = read_proposal(&asked.proposal, console)?;
    let approvals: Vec<Approve> =
        asked.approvals.iter().map(|path| read_approval(path, console)).collect::<Result<_, _>>()?;
    let mut approved = BTreeSet::new();
    let mut verdicts = Vec::new();
    let mut takes = None;
    let refusal = match Stage::new(&bundle, &propose, &proposal, now) {
        Ok(stage) => {
            takes = Some((stage.need, stage.group));
            None
        }
        Err(Unstaged::Refused(error)) => Some(error),
        Err(Unstaged::Failed(failure)) => return Err(failure),
    };
    for approve in &approvals {
        // Each by an engine of its own: what one of them is worth hangs on no other, but for who gave it.
        let verdict = match Stage::new(&bundle, &propose, &proposal, now) {
            Ok(stage) => stage.judge(&proposal, approve),
            Err(Unstaged::Refused(_)) => Err(ApprovalError::UnknownProposal),
            Err(Unstaged::Failed(failure)) => return Err(failure),
        };
        let is_new = verdict.is_err() || approved.insert(approve.by.as_str());
        verdicts.push((approve, if is_new { verdict } else { Err(ApprovalError::AlreadyApproved) }));
    }
    let count = u32::try_from(approved.len()).unwrap_or(u32::MAX);
    let is_enough = takes.as_ref().is_some_and(|(need, _)| count >= *need);
    match asked.format {
        Format::Json => {
            let approvals: Vec<_> = verdicts
                .iter()
                .map(|(approve, verdict)| json!({ "by": approve.by, "counts": verdict.is_ok(), "code": code(verdict) }))
                .collect();
            let output = json!({
                "proposal": proposal.id.to_string(),
                "valid": refusal.is_none(), "code": refusal.as_ref().map(ApprovalError::code),
                "approvals": approvals, "count": count, "enough": is_enough,
                "need": takes.as_ref().map(|(need, _)| need), "from": takes.as_ref().map(|(_, group)| group),
            });
            writeln!(console.out, "{output:#}")?;
        }
        Format::Text => {
            let said = &proposal.document;
            if let Some(error) = &refusal {
                let finding = refusal_by(bundle.policy(), &proposal, error);
                show_findings(console.err, &[finding], &[], colours.err)?;
            } else {
                writeln!(console.out, "{} proposes {}", plain(&said.by), in_words(&said.operation))?;
            }
            for (approve, verdict) in &verdicts {
                let by = plain(&approve.by);
                match verdict {
                    Ok(()) => writeln!(console.out, "  {}  {by}", painted("counts ", Paint::Good, colours.out))?,
                    Err(error) => {
                        let word = painted("refused", Paint::Bad, colours.out);
                        writeln!(console.out, "  {word}  {by}: {error} [{}]", error.code())?;
                    }
                }
            }
            if let Some((need, group)) = &takes {
                let enough = if is_enough { "enough" } else { "not enough" };
                writeln!(console.out, "{count} of {need} from {group}: {enough}")?;
            }
        }
    }
    Ok(if is_enough { Exit::Fine } else { Exit::Denied })
}

fn code(verdict: &Result<(), ApprovalError>) -> Option<&'static str> {
    verdict.as_ref().err().map(ApprovalError::code)
}

fn read_approval(path: &Path, console: &mut Console<'_>) -> Result<Approve, Failure> {
    let bytes = bytes_at(path, console)?;
    let what = quoted(&shown(path));
    match operation(&what, &bytes)? {
        Operation::Approve(approve) => Ok(approve),
        _ => {
            let finding = Finding::unreadable(format!("{what} is no approval"));
            Err(finding.help("name what `fallgate approve sign` writes").into())
        }
    }
}
