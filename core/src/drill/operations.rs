//! Operations in a drill: the short spellings of a step, and how a step tells what it did.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Step;
use super::timeline::Stage;
use crate::engine::case::Calls;
use crate::error::quoted;
use crate::operation::{
    Acquire, Approve, BreakerAt, Operation, OperationError, Outcome, PostureAt, Propose, Report, RollBack,
};
use crate::resilience::breaker::CallOutcome;
use crate::state::quarantine::Selector;
use crate::time::{Now, Ttl};

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
    pub(super) fn at(&self) -> PostureAt {
        match self {
            Self::Everywhere(posture) => PostureAt { posture: posture.clone(), scope: None },
            Self::InScope(at) => at.clone(),
        }
    }
}

/// A call that a guard lets through or not, and what it came to: short for `acquire` and `report`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GuardedCall {
    /// The signal that is the guard.
    pub signal: String,
    /// The key that the guard tells the call apart by, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What the call came to, where the guard has let it through.
    pub outcome: CallOutcome,
    /// How long it took. Left out: no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took: Option<Ttl>,
}

/// Makes a call through a guard, and reports it.
pub(super) fn call(stage: &mut Stage, call: &GuardedCall, now: Now) -> Result<(), OperationError> {
    let GuardedCall { signal, key, outcome, took } = call.clone();
    let acquire = Operation::Acquire(Acquire { signal: signal.clone(), key });
    if let Outcome::Permitted(permit) = stage.operate(&acquire, now)? {
        let took = Some(took.unwrap_or_default());
        stage.operate(&Operation::Report(Report { signal, permit: permit.number(), outcome, took }), now)?;
    }
    Ok(())
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
        step.force_open.clone().map(|signal| Operation::ForceOpen(BreakerAt { signal })),
        step.release.clone().map(|signal| Operation::Release(BreakerAt { signal })),
    ];
    short.into_iter().flatten().chain(step.operate.iter().cloned()).collect()
}

/// A word of a format, as it is written.
fn word(of: &impl Serialize) -> String {
    serde_json::to_value(of).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The first letters of an id: enough for people.
fn short(id: &str) -> String {
    id.chars().take(12).collect()
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
        Operation::Acquire(Acquire { signal, key }) => {
            format!("acquire {signal}{}", key.as_ref().map(|key| format!(" {}", quoted(key))).unwrap_or_default())
        }
        Operation::Report(report) => format!("report {} {}", report.signal, report.permit),
        Operation::Retry(retry) => format!("retry {} {} {}", retry.signal, retry.permit, quoted(&retry.outcome)),
        Operation::FirstSeen(seen) => format!("first seen {} {}", seen.signal, quoted(&seen.key)),
        Operation::ForceOpen(at) => format!("force open {}", at.signal),
        Operation::Release(at) => format!("release {}", at.signal),
        Operation::Activate(_) => "activate a bundle".to_owned(),
        Operation::Stage(_) => "stage a bundle".to_owned(),
        Operation::Promote(_) => "promote".to_owned(),
        Operation::RollBack(RollBack { to: None }) => "roll back".to_owned(),
        Operation::RollBack(RollBack { to: Some(to) }) => format!("go back to {}", short(to)),
        Operation::ExportState(_) => "export state".to_owned(),
        Operation::RestoreState(_) => "restore state".to_owned(),
        Operation::RotateTrust(_) => "rotate the trust root".to_owned(),
        Operation::TakeOver(_) => "take over".to_owned(),
        Operation::WitnessEpoch(claim) => format!("{} claims epoch {}", quoted(&claim.instance), claim.epoch),
        Operation::Resign(_) => "resign".to_owned(),
        Operation::LabelDecision(at) => format!("label {} {}", at.decision, word(&at.label)),
        Operation::LabelTrigger(at) => format!("label trigger {} {}", at.trigger, word(&at.label)),
        Operation::ReportAttempts(attempts) => format!("{} attempts", attempts.count),
        Operation::ReportMitigation(mitigation) if mitigation.done => "an obligation was fulfilled".to_owned(),
        Operation::ReportMitigation(_) => "an obligation was not fulfilled".to_owned(),
        Operation::RecordLatency(took) => format!("took {} ns", took.nanos),
        Operation::Metrics(_) => "metrics".to_owned(),
        Operation::Slis(_) => "indicators".to_owned(),
        Operation::Revoke(revoke) => format!("revoke {}", Selector::Subject(&revoke.type_name, &revoke.id)),
        Operation::Propose(Propose { proposal, .. }) => {
            let text = |pointer: &str| proposal.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
            let change = proposal.get("operation").and_then(Value::as_object).and_then(|change| change.keys().next());
            format!("{} proposes {}", text("/by"), change.map_or("?", String::as_str))
        }
        Operation::Approve(Approve { proposal, by, .. }) => format!("{by} approves {}", short(proposal)),
        Operation::Withdraw(Approve { proposal, by, .. }) => format!("{by} withdraws {}", short(proposal)),
        Operation::RevokeOverride(revoke) => format!("revoke the override {}", short(&revoke.id)),
        Operation::SetFlag(set) => format!("set the flag {}", set.flag),
        Operation::ClearFlag(clear) => format!("clear the flag {}", clear.flag),
        Operation::DrainAudit(drain) => format!("drain {} audit records", drain.max()),
        Operation::AcknowledgeAudit(written) => format!("audit records up to {} are written", written.seq),
        Operation::Checkpoint(_) => "checkpoint".to_owned(),
        Operation::DecidePending(_) => "decide, and wait for the record".to_owned(),
        Operation::ConfirmDecision(confirm) => format!("confirm {}", short(&confirm.pending)),
        Operation::DrainJournal(drain) => format!("drain {} entries of the journal", drain.max()),
        Operation::AcknowledgeJournal(written) => format!("entries up to {} are written", written.n),
    }
}
