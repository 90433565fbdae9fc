//! Operations: what an operator or an automation does to an engine, besides telling it of signals and asking it.
//!
//! One form for all of them, as JSON, so that a drill, a control feed and every language make the same calls by the same
//! names, and a new one reaches them all. A mistyped member is an error: an operation that is half understood would
//! quarantine the wrong thing.

mod approval;
mod audit;
mod guard;
mod journal;
mod measures;
mod quarantine;
mod rollout;
mod state;
mod trust;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use approval::{Approve, Propose, RevokeOverride};
pub use audit::{AcknowledgeAudit, Checkpoint, ConfirmDecision, DecidePending, DrainAudit};
pub use guard::{Acquire, BreakerAt, FirstSeen, Report, Retry};
pub use journal::{AcknowledgeJournal, DrainJournal};
pub use measures::{LabelDecision, LabelTrigger, RecordLatency, ReportAttempts, ReportMitigation};
pub use quarantine::{Named, Quarantine, Quarry, Revoke};
pub use rollout::{BundleText, RollBack};
pub use state::{Claim, Nothing, RestoreState, StateReport};
pub use trust::RotateTrust;

use crate::audit::buffer::Batch;
use crate::audit::chain::Head;
use crate::decision::Pending;
use crate::error::{BundleError, quoted};
use crate::limits::Limits;
use crate::policy::bundle::refuse_lists;
use crate::request::parse_strict;
use crate::state::admission::LoadError;
use crate::state::approvals::{ApprovalError, Approved};
use crate::state::document::StateError;
use crate::state::epochs::FailoverError;
use crate::state::flags::FlagError;
use crate::state::guards::{GuardError, PermitId, Reported};
use crate::state::postures::PostureError;
use crate::state::proposal::{ClearFlag, ProposalId, SetFlag};
use crate::state::quarantine::QuarantineError;
use crate::state::rollout::RolloutError;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::sli::{LabelError, Slis};
use crate::time::Ttl;

/// Something that is done to an engine: a map with one member, named after what is done.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Operation {
    /// Enters a posture.
    EnterPosture(PostureAt),
    /// Leaves a posture, where all that its pack demands holds.
    LeavePosture(PostureAt),
    /// Acknowledges a posture: it escalates no more until it is entered again.
    AcknowledgePosture(PostureAt),
    /// Denies what is selected, whatever the rules say.
    Quarantine(Quarantine),
    /// Lifts a quarantine before its end.
    LiftQuarantine(Quarry),
    /// Voids what was decided for a subject.
    Revoke(Revoke),
    /// Makes a bundle the active one.
    Activate(BundleText),
    /// Stages a bundle beside the active one: its rollout begins.
    Stage(BundleText),
    /// Moves the rollout on to its next step, without waiting for the time.
    Promote(Nothing),
    /// Abandons the candidate, or goes back to a bundle that was active before.
    RollBack(RollBack),
    /// Exports what has to outlive the engine.
    ExportState(Nothing),
    /// Restores what was exported.
    RestoreState(RestoreState),
    /// Takes a new trust root, which the held one has signed.
    RotateTrust(RotateTrust),
    /// Makes the engine the active one.
    TakeOver(Nothing),
    /// Takes in that an engine claims to be the active one.
    WitnessEpoch(Claim),
    /// Gives up being the active one.
    Resign(Nothing),
    /// Says what the request of a decision turned out to be.
    LabelDecision(LabelDecision),
    /// Says whether a posture was entered for a reason.
    LabelTrigger(LabelTrigger),
    /// Reports how often the host was asked to do something, at its own count.
    ReportAttempts(ReportAttempts),
    /// Reports whether the host did what a decision obliged it to.
    ReportMitigation(ReportMitigation),
    /// Reports how long a decision took, at the host's own clock.
    RecordLatency(RecordLatency),
    /// Asks for the metrics.
    Metrics(Nothing),
    /// Asks for the service-level indicators.
    Slis(Nothing),
    /// Proposes what takes approvals.
    Propose(Propose),
    /// Approves a proposal.
    Approve(Approve),
    /// Withdraws a proposal.
    Withdraw(Approve),
    /// Ends an override before its time.
    RevokeOverride(RevokeOverride),
    /// Sets a flag that takes no approvals.
    SetFlag(SetFlag),
    /// Clears a flag that takes no approvals.
    ClearFlag(ClearFlag),
    /// Asks a guard whether a call may be made.
    Acquire(Acquire),
    /// Tells a guard what a call came to.
    Report(Report),
    /// Asks for how long to wait before a call is tried again.
    Retry(Retry),
    /// Takes something once, by when it was made.
    FirstSeen(FirstSeen),
    /// Forces a breaker open: it keeps every call away until it is released.
    ForceOpen(BreakerAt),
    /// Lets go of a breaker that was forced open: it is half-open then.
    Release(BreakerAt),
    /// Hands out audit records.
    DrainAudit(DrainAudit),
    /// Confirms that audit records are written.
    AcknowledgeAudit(AcknowledgeAudit),
    /// Adds a record of where the audit chain has come to.
    Checkpoint(Checkpoint),
    /// Decides, and lets an allow wait until its record is written.
    DecidePending(DecidePending),
    /// Asks for what waited.
    ConfirmDecision(ConfirmDecision),
    /// Hands out entries of the journal of inputs.
    DrainJournal(DrainJournal),
    /// Confirms that entries of the journal are written.
    AcknowledgeJournal(AcknowledgeJournal),
}

/// Where an operation has maps with named members; `*` stands for every member.
const MAPS: [&str; 5] = ["", "*", "*/what", "*/what/*", "lift_quarantine/*"];

/// A posture, everywhere or in one scope.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PostureAt {
    /// The posture.
    pub posture: String,
    /// The scope, as in `tenant:acme`. Left out: everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

impl PostureAt {
    /// A posture, everywhere or in a scope.
    #[must_use]
    pub fn new(posture: &str, scope: Option<&str>) -> Self {
        Self { posture: posture.to_owned(), scope: scope.map(str::to_owned) }
    }
}

impl From<Operation> for Cow<'_, Operation> {
    fn from(operation: Operation) -> Self {
        Self::Owned(operation)
    }
}

impl<'a> From<&'a Operation> for Cow<'a, Operation> {
    fn from(operation: &'a Operation) -> Self {
        Self::Borrowed(operation)
    }
}

/// What an operation came to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// It was done.
    Done,
    /// A quarantine began: of everything, where there was no room for one more.
    Quarantined(Quarry),
    /// The exported state, to be kept to the byte.
    Exported(String),
    /// A state was restored.
    Restored(StateReport),
    /// A trust root was taken: its version.
    TrustRotated(u64),
    /// The engine is the active one, and claims this epoch.
    TookOver(u64),
    /// The metrics.
    Metrics(Box<Metrics>),
    /// The service-level indicators.
    Slis(Slis),
    /// A proposal was taken: its id.
    Proposed(ProposalId),
    /// An approval counts; and what the proposal still waits for.
    Approved(Approved),
    /// A call may be made.
    Permitted(PermitId),
    /// A report has come.
    Reported(Reported),
    /// A call may be tried again after this.
    RetryIn(Ttl),
    /// Audit records, oldest first.
    Drained(Batch),
    /// Where the audit chain has come to.
    Checkpointed(Head),
    /// What was decided: `decision`, and where an allow waits, what to ask for in `pending` and the number of its record in
    /// `seq`.
    Decided(Box<Pending>),
    /// Entries of the journal, oldest first.
    Journal {
        /// Each a line.
        lines: Vec<String>,
        /// The number of the last.
        last_n: u64,
    },
}

impl Outcome {
    /// The outcome as JSON: a map, empty where there is nothing to say but that it was done.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Done => json!({}),
            Self::Drained(batch) => json!({ "lines": batch.lines, "last_seq": batch.last_seq }),
            Self::Checkpointed(head) => head.to_json(),
            Self::Decided(answer) => answer.to_json(),
            Self::Journal { lines, last_n } => json!({ "lines": lines, "last_n": last_n }),
            Self::Quarantined(quarry) => json!({ "quarantined": quarry }),
            Self::Exported(state) => json!({ "state": state }),
            Self::Restored(report) => json!({ "restored": report }),
            Self::TrustRotated(version) => json!({ "trust_version": version }),
            Self::TookOver(epoch) => json!({ "epoch": epoch }),
            Self::Metrics(metrics) => json!({ "metrics": metrics.to_json(), "openmetrics": metrics.to_openmetrics() }),
            Self::Slis(slis) => slis.to_json(),
            Self::Proposed(id) => json!({ "proposed": id.to_string() }),
            Self::Approved(Approved { approvals, need, waits_for }) => {
                json!({ "approved": { "approvals": approvals, "need": need, "waits_for": waits_for } })
            }
            Self::Permitted(permit) => json!({ "permit": permit.number() }),
            Self::Reported(reported) => json!({ "report": reported.code() }),
            Self::RetryIn(wait) => json!({ "retry_in_ms": wait.as_millis() }),
        }
    }

    /// What it still waits for, by its code, where it was not done at once.
    #[must_use]
    pub const fn waits_for(&self) -> Option<&'static str> {
        match self {
            Self::Approved(approved) => approved.waits_for,
            _ => None,
        }
    }
}

/// Why an operation was not done. Nothing has changed but what was due before it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OperationError {
    /// It is no operation that this version knows.
    #[error("{message}")]
    Malformed {
        /// What is wrong with it, and where.
        message: String,
    },
    /// It is about a posture.
    #[error(transparent)]
    Posture(#[from] PostureError),
    /// It is about a quarantine.
    #[error(transparent)]
    Quarantine(#[from] QuarantineError),
    /// It is about an exported state.
    #[error(transparent)]
    State(#[from] StateError),
    /// It is about whom the engine trusts.
    #[error(transparent)]
    Trust(#[from] BundleError),
    /// It is about a bundle.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It is about a rollout.
    #[error(transparent)]
    Rollout(#[from] RolloutError),
    /// It is about who is active.
    #[error(transparent)]
    Failover(#[from] FailoverError),
    /// It is a label.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// It is about approvals or an override.
    #[error(transparent)]
    Approval(#[from] ApprovalError),
    /// It is about a flag.
    #[error(transparent)]
    Flag(#[from] FlagError),
    /// It is about a guard.
    #[error(transparent)]
    Guard(#[from] GuardError),
}

impl OperationError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "malformed_operation",
            Self::Posture(error) => error.code(),
            Self::Quarantine(error) => error.code(),
            Self::State(error) => error.code(),
            Self::Trust(error) => error.code(),
            Self::Load(error) => error.code(),
            Self::Rollout(error) => error.code(),
            Self::Failover(error) => error.code(),
            Self::Label(error) => error.code(),
            Self::Approval(error) => error.code(),
            Self::Flag(error) => error.code(),
            Self::Guard(error) => error.code(),
        }
    }
}

impl Operation {
    /// Reads an operation from JSON.
    ///
    /// # Errors
    /// [`OperationError::Malformed`], for bytes that are no operation, have a member twice, or are more than a request
    /// may have; one that restores a state, or brings a bundle or a trust root, may have twice as many as
    /// that.
    pub fn from_json(bytes: &[u8], limits: &Limits) -> Result<Self, OperationError> {
        let malformed = |message: String| OperationError::Malformed { message };
        let too_long = |max: usize| malformed(format!("an operation has at most {max} bytes"));
        let longest = limits.operation_bytes_max();
        if bytes.len() > longest {
            return Err(too_long(longest));
        }
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let operation: Self = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let place = error.path().to_string();
            let text = quoted_parts(&error.inner().to_string());
            malformed(if place == "." { text } else { format!("{place}: {text}") })
        })?;
        reader.end().map_err(|_| malformed("something stands behind the operation".to_owned()))?;
        let document: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let longest = operation.bytes_max(limits);
        if bytes.len() > longest {
            return Err(too_long(longest));
        }
        // What a request says twice would be read one way here and another way elsewhere.
        if matches!(operation, Self::DecidePending(_)) {
            parse_strict(bytes, limits).map_err(|error| malformed(error.to_string()))?;
        }
        refuse_lists(&document, &MAPS).map_err(|error| malformed(format!("{}: {}", error.pointer, error.message)))?;
        Ok(operation)
    }

    /// Bytes of this operation, as text.
    const fn bytes_max(&self, limits: &Limits) -> usize {
        let held = match self {
            Self::RestoreState(_) => limits.state_bytes_max.saturating_mul(2),
            Self::Activate(_) | Self::Stage(_) => limits.bundle_bytes_max.saturating_mul(2),
            Self::RotateTrust(_) => limits.trust_bytes_max.saturating_mul(2),
            _ => 0,
        };
        if held > limits.request_bytes_max { held } else { limits.request_bytes_max }
    }

    /// The operation as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// A reader's message with what it quotes from the input cut to a length.
fn quoted_parts(text: &str) -> String {
    let part = |(at, part): (usize, &str)| if at % 2 == 1 { quoted(part) } else { part.chars().take(200).collect() };
    let text: String = text.split('`').enumerate().map(part).collect();
    // Every verb that there is would follow what was none of them.
    match text.split_once(", expected one of ") {
        Some((start, _)) => format!("{start}; docs/formats/operation.schema.json has them all"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Operation, OperationError> {
        Operation::from_json(text.as_bytes(), &Limits::DEFAULT)
    }

    #[test]
    fn an_operation_is_a_map_with_one_member() {
        let scope = Some("tenant:acme".to_owned());
        let operation = Operation::EnterPosture(PostureAt { posture: "read-only".into(), scope });
        assert_eq!(read(r#"{"enter_posture":{"posture":"read-only","scope":"tenant:acme"}}"#), Ok(operation));
        assert_eq!(
            read(r#"{"lift_quarantine":{"subject":{"type":"user"}}}"#),
            Ok(Operation::LiftQuarantine(Quarry::Subject(Named { type_name: "user".into(), id: None })))
        );
        assert_eq!(read(r#"{"lift_quarantine":"everything"}"#), Ok(Operation::LiftQuarantine(Quarry::Everything)));
    }

    #[test]
    fn what_is_half_understood_is_refused() {
        for text in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"enter_posture":{"posture":"a"}} x"#,
            r#"{"enter_posture":{"posture":"a","posture":"b"}}"#,
            r#"{"enter_posture":{"posture":"a","scop":"b"}}"#,
            r#"{"enter_posture":{"posture":"a"},"leave_posture":{"posture":"a"}}"#,
            r#"{"enter_posture":["a"]}"#,
            r#"{"enter":{"posture":"a"}}"#,
            r#"{"quarantine":{"what":{"subject":{"type":"user"},"scope":"tenant:a"}}}"#,
            r#"{"quarantine":{"what":{}}}"#,
            r#"{"acquire":{"signal":"gateway","keys":"a"}}"#,
            r#"{"report":{"signal":"gateway","permit":-1,"outcome":"failure"}}"#,
            r#"{"report":{"signal":"gateway","permit":1.5,"outcome":"failure"}}"#,
            r#"{"report":{"signal":"gateway","permit":1,"outcome":"fine"}}"#,
            r#"{"report":{"signal":"gateway","permit":1}}"#,
            r#"{"force_open":"gateway"}"#,
        ] {
            assert_eq!(read(text).unwrap_err().code(), "malformed_operation", "{text}");
        }
        let long = format!(r#"{{"{}":{{}}}}"#, "x".repeat(500));
        assert!(read(&long).unwrap_err().to_string().len() < 400);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = r#"{"quarantine":{"what":{"resource":{"type":"host","id":"h-1"}},"reason":"theft","for":"5m","absolute":true}}"#;
        let operation = read(text).unwrap();
        assert_eq!(read(&operation.to_json().to_string()), Ok(operation));
    }
}
