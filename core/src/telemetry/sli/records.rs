//! The facts of an audit chain: what the records of an engine say, to the same tally.

use serde_json::Value;

use super::{DecisionLabel, Declared, Fact, Slis, Tally, TriggerLabel};
use crate::decision::DecisionId;
use crate::limits::Limits;
use crate::reason::Reason;
use crate::value::Timestamp;

/// Why a record says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It is no record of this format.
    #[error("this is no audit record: `{missing}` is missing, or not what it should be")]
    NotARecord {
        /// The member that is wrong.
        missing: &'static str,
    },
    /// A newer version wrote it.
    #[error(
        "the record has a reason or a label that this version does not know; read it with the version that wrote it"
    )]
    Newer,
}

impl RecordError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotARecord { .. } => "not_a_record",
            Self::Newer => "newer_record",
        }
    }
}

/// Takes the records of a chain, one after the other.
///
/// It verifies nothing: whether the chain is whole is another question, and comes first.
#[derive(Clone, Debug)]
pub struct Records {
    tally: Tally,
    /// By how much the tally's clock is ahead of the engine's, which starts anew with the engine.
    ahead: u64,
    /// The latest time so far, on the tally's clock, and on the wall.
    latest: u64,
    latest_wall: i128,
}

impl Records {
    /// Nothing read yet.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let tally = Tally::new(limits.labels_max, limits.scope_instances_max);
        Self { tally, ahead: 0, latest: 0, latest_wall: i128::MIN }
    }

    /// What the pack declares. Without it the indicators that hang on it say nothing.
    pub fn declare(&mut self, declared: Declared) {
        self.tally.declare(declared);
    }

    /// Takes a record.
    ///
    /// # Errors
    /// [`RecordError`]; then the record counts for nothing.
    pub fn take(&mut self, record: &Value) -> Result<(), RecordError> {
        let kind = text(record, "kind")?;
        let body = record.get("body").ok_or(RecordError::NotARecord { missing: "body" })?;
        let millis = number(record, "monotonic_ms")?;
        let wall: Timestamp = text(record, "at")?.parse().map_err(|_| RecordError::NotARecord { missing: "at" })?;
        let wall = wall.as_nanosecond() / 1_000_000;
        let event = body.get("event").and_then(Value::as_str).unwrap_or_default();
        let at = self.at(millis, wall, event == "bundle_activated");
        match kind {
            "checkpoint" => return Ok(()),
            "gap" => {
                let missing = ["denies", "allows", "events"].map(|what| body.get(what).and_then(Value::as_u64));
                let count = missing.into_iter().flatten().fold(0, u64::saturating_add);
                self.tally.take(at, Fact::Unrecorded { count });
                return Ok(());
            }
            "decision" => self.decision(at, body)?,
            // What waits is counted when it is given out, or withdrawn.
            "pending" => {}
            _ => self.event(at, wall, event, body)?,
        }
        self.tally.take(at, Fact::Recorded { count: 1 });
        Ok(())
    }

    /// The indicators as of the last record.
    #[must_use]
    pub fn slis(&self) -> Slis {
        self.tally.slis(self.latest)
    }

    /// The time of a record on the tally's clock. Only a new engine begins before what is known; any other record that is
    /// earlier was told late.
    fn at(&mut self, millis: u64, wall: i128, activated: bool) -> u64 {
        let mut at = millis.saturating_add(self.ahead);
        if activated && at < self.latest {
            let passed = u64::try_from(wall.saturating_sub(self.latest_wall)).unwrap_or(0);
            at = self.latest.saturating_add(passed);
            self.ahead = at.saturating_sub(millis);
        }
        if at >= self.latest {
            (self.latest, self.latest_wall) = (at, wall);
        }
        at
    }

    fn decision(&mut self, at: u64, body: &Value) -> Result<(), RecordError> {
        let code = body.pointer("/decision/context/reason").and_then(Value::as_str);
        let code = code.ok_or(RecordError::NotARecord { missing: "reason" })?;
        let reason = Reason::ALL.iter().find(|reason| reason.code() == code).ok_or(RecordError::Newer)?;
        let action = body.pointer("/request/action/name").and_then(Value::as_str).unwrap_or_default();
        self.tally.take(at, Fact::Decided { reason: *reason, action, count: 1 });
        Ok(())
    }

    fn event(&mut self, at: u64, wall: i128, event: &str, body: &Value) -> Result<(), RecordError> {
        let ahead = self.ahead;
        let moment = |name| number(body, name).map(|millis: u64| millis.saturating_add(ahead));
        let scope = body.get("scope").and_then(Value::as_str).unwrap_or_default();
        let fact = match event {
            "bundle_activated" => Fact::Activated,
            "bundle_refused" => Fact::Refused,
            "engine_failed" | "policy_suspended" => Fact::Suspended,
            "policy_resumed" => Fact::Resumed,
            "signal_changed" if text(body, "from")? == "ok" => {
                Fact::Lost { since: moment("since_ms")?, relied_until: moment("relied_until_ms")? }
            }
            "posture_entered" => {
                let operator = text(body, "cause")? == "operator";
                let trigger = if operator { None } else { Some(number(body, "id")?) };
                Fact::Entered { posture: text(body, "posture")?, scope, since: moment("since_ms")?, trigger }
            }
            "posture_left" => Fact::Left { posture: text(body, "posture")?, scope },
            "attempts_reported" => Fact::Attempted { count: number(body, "attempts")? },
            "mitigation_reported" => {
                let done = body.get("done").and_then(Value::as_bool);
                Fact::Mitigated { done: done.ok_or(RecordError::NotARecord { missing: "done" })? }
            }
            "decision_labelled" => {
                let id = DecisionId::parse(text(body, "decision")?);
                let id = id.ok_or(RecordError::NotARecord { missing: "decision" })?;
                let label = DecisionLabel::named(text(body, "label")?).ok_or(RecordError::Newer)?;
                let ago = wall.saturating_sub(i128::from(id.wall_millis()));
                let decided_at = at.saturating_sub(u64::try_from(ago).unwrap_or(0));
                // A label more than there is room for counts for nothing, as in the engine.
                let _taken = self.tally.label_decision(id, decided_at, label);
                return Ok(());
            }
            "trigger_labelled" => {
                let label = TriggerLabel::named(text(body, "label")?).ok_or(RecordError::Newer)?;
                let _taken = self.tally.label_trigger(number(body, "trigger")?, label);
                return Ok(());
            }
            _ => return Ok(()),
        };
        self.tally.take(at, fact);
        Ok(())
    }
}

fn text<'r>(record: &'r Value, name: &'static str) -> Result<&'r str, RecordError> {
    record.get(name).and_then(Value::as_str).ok_or(RecordError::NotARecord { missing: name })
}

fn number(record: &Value, name: &'static str) -> Result<u64, RecordError> {
    record.get(name).and_then(Value::as_u64).ok_or(RecordError::NotARecord { missing: name })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(kind: &str, millis: u64, seconds: u32, body: &Value) -> Value {
        let at = format!("2026-01-01T00:{:02}:{:02}Z", seconds / 60, seconds % 60);
        json!({ "kind": kind, "monotonic_ms": millis, "at": at, "body": body })
    }

    fn decision(millis: u64, seconds: u32, reason: &str) -> Value {
        record("decision", millis, seconds, &json!({ "decision": { "context": { "reason": reason } } }))
    }

    fn value(records: &Records, name: &str) -> Option<f64> {
        records.slis().value(name).unwrap()
    }

    #[test]
    fn decisions_and_gaps_add_up() {
        let mut records = Records::new(&Limits::DEFAULT);
        for line in [
            decision(1_000, 1, "allowed_by_rule"),
            decision(2_000, 2, "signal_unavailable"),
            record("gap", 3_000, 3, &json!({ "denies": 1, "allows": 0, "events": 1 })),
            record("checkpoint", 4_000, 4, &json!({ "count": 3, "head": "00" })),
        ] {
            assert_eq!(records.take(&line), Ok(()), "{line}");
        }
        assert_eq!(value(&records, "deny_rate"), Some(0.5));
        assert_eq!(value(&records, "pdp_availability"), Some(0.5));
        assert_eq!(value(&records, "audit_completeness"), Some(0.5));
    }

    #[test]
    fn an_engine_that_starts_anew_goes_on_in_time() {
        let mut records = Records::new(&Limits::DEFAULT);
        let activated = json!({ "event": "bundle_activated" });
        let entered = json!({
            "event": "posture_entered", "posture": "locked", "cause": "condition", "id": 7, "since_ms": 8_000,
        });
        let left = json!({ "event": "posture_left", "posture": "locked" });
        for line in [
            record("bundle", 5_000, 0, &activated),
            record("posture", 10_000, 5, &entered),
            // A new process, ten seconds later, with a clock of its own.
            record("bundle", 1_000, 15, &activated),
            record("posture", 3_000, 17, &left),
        ] {
            assert_eq!(records.take(&line), Ok(()), "{line}");
        }
        // From second 5 to second 17, called for since second 3.
        assert_eq!(value(&records, "secure_recovery_time"), Some(12.0));
        assert_eq!(value(&records, "secure_state_availability"), Some(12.0 / 14.0));
    }

    #[test]
    fn what_is_no_record_says_so() {
        let mut records = Records::new(&Limits::DEFAULT);
        let whole = decision(1, 1, "allowed_by_rule");
        for member in ["kind", "monotonic_ms", "at", "body"] {
            let mut broken = whole.clone();
            broken.as_object_mut().unwrap().remove(member);
            assert_eq!(records.take(&broken), Err(RecordError::NotARecord { missing: member }));
        }
        assert_eq!(records.take(&decision(1, 1, "allowed_by_magic")), Err(RecordError::Newer));
        assert_eq!(value(&records, "deny_rate"), None);
    }
}
