//! Operations in a drill: the short spellings of a step, and how a step tells what it did.

use serde::{Deserialize, Serialize};

use super::Step;
use crate::error::quoted;
use crate::operation::{Operation, PostureAt};
use crate::state::quarantine::Selector;

/// What an operator does with a posture in a drill.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum PostureCall {
    /// The posture, everywhere.
    Everywhere(String),
    /// The posture, in a scope.
    InScope(PostureAt),
}

impl PostureCall {
    fn at(&self) -> PostureAt {
        match self {
            Self::Everywhere(posture) => PostureAt { posture: posture.clone(), scope: None },
            Self::InScope(at) => at.clone(),
        }
    }
}

/// What a step does to the engine, in order.
pub(super) fn of_step(step: &Step) -> Vec<Operation> {
    let short = [
        step.quarantine.clone().map(Operation::Quarantine),
        step.lift.clone().map(Operation::LiftQuarantine),
        step.revoke.clone().map(Operation::Revoke),
        step.enter.as_ref().map(|call| Operation::EnterPosture(call.at())),
        step.leave.as_ref().map(|call| Operation::LeavePosture(call.at())),
        step.acknowledge.as_ref().map(|call| Operation::AcknowledgePosture(call.at())),
    ];
    short.into_iter().flatten().chain(step.operate.iter().cloned()).collect()
}

/// What was done, as text for people.
pub(super) fn told(operation: &Operation) -> String {
    let posture = |verb: &str, PostureAt { posture, scope }: &PostureAt| {
        let place = scope.as_ref().map(|scope| format!(" in {scope}")).unwrap_or_default();
        format!("{verb} {posture}{place}")
    };
    match operation {
        Operation::EnterPosture(at) => posture("enter", at),
        Operation::LeavePosture(at) => posture("leave", at),
        Operation::AcknowledgePosture(at) => posture("acknowledge", at),
        Operation::Quarantine(quarantine) => format!("quarantine {}", quarantine.what.selector()),
        Operation::LiftQuarantine(what) => format!("lift {}", what.selector()),
        Operation::ExportState(_) => "export state".to_owned(),
        Operation::RestoreState(_) => "restore state".to_owned(),
        Operation::TakeOver(_) => "take over".to_owned(),
        Operation::WitnessEpoch(claim) => format!("{} claims epoch {}", quoted(&claim.instance), claim.epoch),
        Operation::Resign(_) => "resign".to_owned(),
        Operation::Revoke(revoke) => format!("revoke {}", Selector::Subject(&revoke.type_name, &revoke.id)),
    }
}
