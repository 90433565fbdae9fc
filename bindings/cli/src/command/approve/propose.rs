//! `fallgate approve propose`: writes a proposal with the proof of who proposes it.

use fallgate::operation::{Operation, Propose};
use fallgate::state::proposal::{
    Change, ClearFlag, FORM, GrantOverride, LeavePosture, Proposal, ProposalDocument, SetFlag,
};
use fallgate::state::statement::Purpose;
use fallgate::time::Wall;

use super::stage::{Stage, Unstaged, nanos, refusal_by};
use super::{Proved, refused, time, write_operation};
use crate::arguments;
use crate::command::compile_trusting;
use crate::console::{Colours, Console, Exit, Failure, show_findings};
use crate::finding::Finding;
use crate::signing::fill;

pub(super) fn run(asked: &arguments::Propose, console: &mut Console<'_>, colours: Colours) -> Result<Exit, Failure> {
    let bundle = compile_trusting(&asked.pack, &asked.trusting)?.bundle;
    let now = time(asked.proving.at.as_deref())?;
    let policy = bundle.policy();
    let document = ProposalDocument {
        fallgate: FORM.to_owned(),
        bundle: policy.name.to_string(),
        revision: Some(policy.revision),
        operation: change(asked)?,
        by: asked.by.clone(),
        reason: asked.reason.clone(),
        issued_at: now.to_string(),
        expires_at: Wall::from_nanos(now.as_nanos().saturating_add(nanos(asked.valid))).to_string(),
        nonce: asked.nonce.clone().map_or_else(nonce, Ok)?,
    };
    let refuse = |finding: Finding, console: &mut Console<'_>| {
        show_findings(console.err, &[finding], &[], colours.err)?;
        Ok(Exit::Denied)
    };
    let document = serde_json::to_value(&document).map_err(std::io::Error::other)?;
    let proposal = match Proposal::read(&document) {
        Ok(proposal) => proposal,
        Err(error) => return refuse(refused("the proposal", &error), console),
    };
    let Proved { signature, code } = Proved::of(&asked.proving, Purpose::Proposal, &proposal.bytes, now)?;
    let propose = Propose { proposal: document, signature, code };
    match Stage::new(&bundle, &propose, &proposal, now) {
        Err(Unstaged::Refused(error)) => return refuse(refusal_by(policy, &proposal, &error), console),
        Err(Unstaged::Failed(failure)) => return Err(failure),
        Ok(_) => {}
    }
    let in_file = write_operation(&Operation::Propose(propose), asked.proving.output.as_deref(), console)?;
    writeln!(if in_file { &mut *console.out } else { &mut *console.err }, "{}", proposal.id)?;
    Ok(Exit::Fine)
}

/// What is proposed.
fn change(asked: &arguments::Propose) -> Result<Change, Failure> {
    let scope = asked.scope.clone();
    Ok(match (&asked.leave, &asked.set_flag, &asked.clear_flag) {
        (Some(posture), ..) => Change::LeavePosture(LeavePosture { posture: posture.clone(), scope }),
        (_, Some(flag), _) => Change::SetFlag(SetFlag { flag: flag.clone(), for_: asked.window }),
        (.., Some(flag)) => Change::ClearFlag(ClearFlag { flag: flag.clone() }),
        (None, None, None) => {
            let (Some(for_), Some(uses)) = (asked.window, asked.uses) else {
                return Err(Failure::Usage("say for how long, and how many uses".to_owned()));
            };
            Change::GrantOverride(GrantOverride {
                subjects: asked.subjects.clone(),
                actions: asked.actions.clone(),
                resources: asked.resources.clone(),
                for_,
                uses,
            })
        }
    })
}

/// 128 bits that nobody else draws.
fn nonce() -> Result<String, Finding> {
    let mut bytes = [0; 16];
    fill(&mut bytes)?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}
