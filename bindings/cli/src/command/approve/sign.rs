//! `fallgate approve sign` and `withdraw`: show in plain words what a proposal says, and then say yes or no to it.

use std::io;

use fallgate::operation::{Approve, Operation};
use fallgate::state::approvals::ApprovalError;
use fallgate::state::proposal::{Change, GrantOverride, LeavePosture, Proposal, SetFlag};
use fallgate::state::statement::Purpose;

use super::stage::target;
use super::{Proved, read_proposal, refused, time, write_operation};
use crate::arguments::Sign;
use crate::console::{Console, Exit, Failure};

pub(super) fn run(asked: &Sign, purpose: Purpose, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let now = time(asked.proving.at.as_deref())?;
    let (_, proposal) = read_proposal(&asked.proposal, console)?;
    show(&proposal, console.err)?;
    // Whoever signs is to know what would be refused anyway; to withdraw one's own is right.
    if matches!(purpose, Purpose::Approval) && proposal.document.by == asked.by {
        return Err(refused("the approval", &ApprovalError::OwnProposal).help("let somebody else approve it").into());
    }
    if proposal.expires_at <= now {
        return Err(refused("the proposal", &ApprovalError::ProposalExpired).help("propose it anew").into());
    }
    let Proved { signature, code } = Proved::of(&asked.proving, purpose, &proposal.bytes, now)?;
    let approve = Approve { proposal: proposal.id.to_string(), by: asked.by.clone(), signature, code };
    let operation = match purpose {
        Purpose::Withdrawal => Operation::Withdraw(approve),
        _ => Operation::Approve(approve),
    };
    write_operation(&operation, asked.proving.output.as_deref(), console)?;
    Ok(Exit::Fine)
}

/// Shows what a proposal says. Somebody is about to sign it: nothing is cut, and nothing can hide what stands beside it.
fn show(proposal: &Proposal, out: &mut dyn io::Write) -> io::Result<()> {
    let said = &proposal.document;
    writeln!(out, "{} proposes {}", plain(&said.by), in_words(&said.operation))?;
    for (what, text) in [
        ("because", plain(&said.reason)),
        ("for", target(proposal)),
        ("issued", proposal.issued_at.to_string()),
        ("until", proposal.expires_at.to_string()),
        ("proposal", proposal.id.to_string()),
    ] {
        writeln!(out, "  {what:<10}{text}")?;
    }
    Ok(())
}

/// What is proposed, in plain words.
pub(super) fn in_words(change: &Change) -> String {
    let all = |names: &[String]| names.iter().map(|name| plain(name)).collect::<Vec<_>>().join(", ");
    match change {
        Change::LeavePosture(LeavePosture { posture, scope }) => {
            let place =
                scope.as_deref().map_or_else(|| "everywhere".to_owned(), |scope| format!("in {}", plain(scope)));
            format!("to leave the posture {} {place}", plain(posture))
        }
        Change::GrantOverride(GrantOverride { subjects, actions, resources, for_, uses }) => {
            let times = if *uses == 1 { "once".to_owned() } else { format!("{uses} times") };
            let (subjects, actions, resources) = (all(subjects), all(actions), all(resources));
            format!("to let {subjects} do {actions} on {resources}, {times} within {for_}, where it is denied")
        }
        Change::SetFlag(SetFlag { flag, for_ }) => {
            let span = for_.map(|span| format!(" for {span}")).unwrap_or_default();
            format!("to set the flag {}{span}", plain(flag))
        }
        Change::ClearFlag(clear) => format!("to clear the flag {}", plain(&clear.flag)),
        Change::Promote(of) => {
            format!("to promote the staged bundle {}: what it newly allows is allowed from then on", plain(&of.bundle))
        }
        Change::Activate(of) => {
            format!("to let the bundle {} become the active one at once, whatever its revision", plain(&of.bundle))
        }
        // What this version cannot name, nobody is to approve unseen.
        other => format!("`{}`", other.code()),
    }
}

/// Text of somebody else's for a terminal: what does not print, or turns the direction of writing, is escaped.
pub(super) fn plain(text: &str) -> String {
    let one = |letter: char| match letter {
        '\'' | '"' => letter.to_string(),
        _ => letter.escape_debug().to_string(),
    };
    text.chars().map(one).collect()
}
