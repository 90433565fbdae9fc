//! Control messages: what a controller says to a fleet, signed, numbered, and in the words that operators have.
//!
//! A message is an envelope (DSSE, payload type `application/vnd.fallgate.control+json`) around one canonical document. Its
//! signatures are verified before a byte of it is parsed. It holds one operation, or none: then it is a heartbeat.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Nothing, Operation, OperationError, Outcome};
use crate::error::{Code, Diagnostic, quoted};
use crate::limits::Limits;
use crate::name;
use crate::policy::bundle::{misfit, refuse_lists};
use crate::policy::trust::Trust;
use crate::policy::trust::control::is_feed;
use crate::policy::trust::envelope::Envelope;
use crate::state::control::{ControlError, Digest, NUMBER_MAX, Place};
use crate::time::Wall;
use crate::value::Timestamp;

/// The first member of a message: what it is, and in which version of the form.
pub const CONTROL_FORM: &str = "control/1";

/// A control message that an engine is to take.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Apply {
    /// The envelope, as it was signed, to the byte.
    pub message: String,
}

/// A control message as it is written: one canonical JSON document (RFC 8785).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(title = "Control"))]
#[serde(deny_unknown_fields)]
pub struct ControlForm {
    /// `control/1`.
    pub fallgate: String,
    /// The feed, as the trust root names it.
    pub feed: String,
    /// The epoch of whoever sends: a controller that takes the place of another begins a higher one.
    pub epoch: u64,
    /// Which message of the epoch it is, from 1, without a hole.
    pub sequence: u64,
    /// When it was written: an RFC 3339 timestamp.
    pub at: String,
    /// What is to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Operation>"))]
    pub operation: Option<Value>,
    /// That there is nothing to be done: a sign of life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Nothing>,
}

impl ControlForm {
    /// The canonical bytes, which are what is signed.
    ///
    /// # Errors
    /// As [`Message::from_payload`]: what an engine would refuse is not to be signed.
    pub fn payload(&self, limits: &Limits) -> Result<Vec<u8>, ControlError> {
        let malformed = |_| ControlError::Malformed { message: "it has no canonical form".to_owned() };
        let payload = serde_json_canonicalizer::to_vec(self).map_err(malformed)?;
        Message::from_payload(&payload, limits).map(|_| payload)
    }
}

/// A control message that is well formed.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its number.
    pub place: Place,
    /// When it was written.
    pub at: Wall,
    /// What is to be done; nothing for a heartbeat.
    pub operation: Option<Operation>,
    /// The SHA-256 of its payload.
    pub digest: Digest,
}

impl Message {
    /// Reads a message that whoever the trust root names for its feed has signed. `now` is the time at which the keys must be
    /// valid; nothing where the clock is not to be trusted.
    ///
    /// # Errors
    /// [`ControlError`]: what is wrong with the envelope, its signatures, or what was signed.
    pub fn read(bytes: &[u8], trust: &Trust, limits: &Limits, now: Option<Wall>) -> Result<Self, ControlError> {
        let Some(root) = trust.root() else {
            let message = "the engine holds no trust root: nobody may sign control messages";
            return Err(Diagnostic::new(Code::ControlUntrusted, "", message)
                .with_help("make the engine with a trust root that has a member `control`")
                .into());
        };
        let envelope = Envelope::from_json(bytes, limits)?;
        let feeds = root.verify_control(&envelope, now)?;
        let message = Self::from_payload(envelope.payload(), limits)?;
        if feeds.contains(&message.place.feed) {
            return Ok(message);
        }
        let refused = format!("the signers may not speak for the feed {}", quoted(&message.place.feed));
        Err(Diagnostic::new(Code::ControlUntrusted, "/payload", refused)
            .with_help("let keys sign it that the trust root names for this feed")
            .into())
    }

    /// Reads what is signed.
    ///
    /// # Errors
    /// [`ControlError::Malformed`] and [`ControlError::NotAdmitted`].
    pub fn from_payload(payload: &[u8], limits: &Limits) -> Result<Self, ControlError> {
        let malformed = |message: String| ControlError::Malformed { message };
        let document: Value =
            serde_json::from_slice(payload).map_err(|_| malformed("the payload is not JSON".to_owned()))?;
        // So no member stands twice, and one message has one digest.
        if serde_json_canonicalizer::to_vec(&document).ok().is_none_or(|canonical| canonical != payload) {
            return Err(malformed("the payload is not the canonical form of its document (RFC 8785)".to_owned()));
        }
        refuse_lists(&document, &["", "heartbeat", "operation"])
            .map_err(|found| malformed(format!("{}: {}", found.pointer, found.message)))?;
        let form: ControlForm = serde_path_to_error::deserialize(&document).map_err(|error| {
            let found = misfit(&error, &document);
            malformed(format!("{}: {}", found.pointer, found.message))
        })?;
        if form.fallgate != CONTROL_FORM {
            return Err(malformed(format!("`fallgate` is not `{CONTROL_FORM}`")));
        }
        let feed = name::name(&form.feed).filter(|feed| is_feed(feed));
        let feed = feed.ok_or_else(|| malformed(format!("{} is no name of a feed", quoted(&form.feed))))?;
        for (member, number) in [("epoch", form.epoch), ("sequence", form.sequence)] {
            if !(1..=NUMBER_MAX).contains(&number) {
                return Err(malformed(format!("`{member}` is from 1 to {NUMBER_MAX}")));
            }
        }
        let at = form.at.parse::<Timestamp>().ok().and_then(|at| i64::try_from(at.as_nanosecond()).ok());
        let at = at.map(Wall::from_nanos).ok_or_else(|| malformed("`at` is no RFC 3339 timestamp".to_owned()))?;
        let operation = match (&form.operation, form.heartbeat) {
            (Some(operation), None) => Some(admitted(operation, limits)?),
            (None, Some(_)) => None,
            _ => return Err(malformed("a message has one of `operation` and `heartbeat`".to_owned())),
        };
        let place = Place { feed, epoch: form.epoch, sequence: form.sequence };
        Ok(Self { place, at, operation, digest: Sha256::digest(payload).into() })
    }
}

/// The operation of a message, where it is a controller's.
fn admitted(operation: &Value, limits: &Limits) -> Result<Operation, ControlError> {
    let operation = Operation::from_json(operation.to_string().as_bytes(), limits)
        .map_err(|error| ControlError::Malformed { message: error.to_string() })?;
    if !is_admitted(&operation) {
        return Err(ControlError::NotAdmitted { verb: operation.verb() });
    }
    if let Operation::Revoke(revoke) = &operation
        && revoke.before.is_some()
    {
        let message = "`revoke.before` is a time of one engine's own clock: leave it out".to_owned();
        return Err(ControlError::Malformed { message });
    }
    Ok(operation)
}

/// Whether a controller may say it to every engine of a fleet. What reads, what is about one engine's own calls, records
/// and role, and what brings a state in, is for the host beside it.
const fn is_admitted(operation: &Operation) -> bool {
    match operation {
        Operation::EnterPosture(_)
        | Operation::LeavePosture(_)
        | Operation::AcknowledgePosture(_)
        | Operation::Quarantine(_)
        | Operation::LiftQuarantine(_)
        | Operation::Revoke(_)
        | Operation::Propose(_)
        | Operation::Approve(_)
        | Operation::Withdraw(_)
        | Operation::RevokeOverride(_)
        | Operation::SetFlag(_)
        | Operation::ClearFlag(_)
        | Operation::Activate(_)
        | Operation::Stage(_)
        | Operation::Promote(_)
        | Operation::RollBack(_)
        | Operation::RotateTrust(_) => true,
        Operation::ExportState(_)
        | Operation::RestoreState(_)
        | Operation::TakeOver(_)
        | Operation::WitnessEpoch(_)
        | Operation::Resign(_)
        | Operation::LabelDecision(_)
        | Operation::LabelTrigger(_)
        | Operation::ReportAttempts(_)
        | Operation::ReportMitigation(_)
        | Operation::RecordLatency(_)
        | Operation::Metrics(_)
        | Operation::Slis(_)
        | Operation::Acquire(_)
        | Operation::Report(_)
        | Operation::Retry(_)
        | Operation::FirstSeen(_)
        | Operation::ForceOpen(_)
        | Operation::Release(_)
        | Operation::DrainAudit(_)
        | Operation::AcknowledgeAudit(_)
        | Operation::DrainJournal(_)
        | Operation::AcknowledgeJournal(_)
        | Operation::Checkpoint(_)
        | Operation::DecidePending(_)
        | Operation::ConfirmDecision(_)
        | Operation::Apply(_) => false,
    }
}

impl Operation {
    /// What it is called: the name of its one member.
    #[must_use]
    pub fn verb(&self) -> String {
        let written = self.to_json();
        written.as_object().and_then(|members| members.keys().next().cloned()).unwrap_or_default()
    }

    /// Whether all that it can do is to deny more, however often and whenever it is done.
    #[must_use]
    pub const fn only_tightens(&self) -> bool {
        matches!(
            self,
            Self::EnterPosture(_) | Self::Quarantine(_) | Self::Revoke(_) | Self::RevokeOverride(_) | Self::SetFlag(_)
        )
    }
}

/// What became of a control message that was not refused.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Applied {
    /// It was taken before; it has no effect.
    Again,
    /// It is a heartbeat, and was heard.
    Heard,
    /// Its operation was done, and came to this.
    Done(Box<Outcome>),
    /// It was taken, and its operation was not done. The feed goes on.
    NotDone(Box<NotDone>),
}

/// Why the operation of a message was not done.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NotDone {
    /// The engine does not do it.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// The feed is not believed.
    #[error(transparent)]
    Feed(#[from] ControlError),
}

impl NotDone {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Operation(error) => error.code(),
            Self::Feed(error) => error.code(),
        }
    }
}

impl Applied {
    /// A stable name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Again => "again",
            Self::Heard => "heard",
            Self::Done(_) => "done",
            Self::NotDone(_) => "not_done",
        }
    }

    /// It as JSON: `applied`, its name; `outcome`, what its operation came to; `because`, the code of why it was not done.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Again | Self::Heard => serde_json::json!({ "applied": self.code() }),
            Self::Done(outcome) => serde_json::json!({ "applied": self.code(), "outcome": outcome.to_json() }),
            Self::NotDone(why) => serde_json::json!({ "applied": self.code(), "because": why.code() }),
        }
    }
}
