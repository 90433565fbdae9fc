//! An audit chain decided again by a bundle, as far as its records say enough.
//!
//! A record holds the request as the schema declared it, the posture and the time, and the chain holds how signals changed.
//! It holds no quarantine's condition, no override's window and no cache, and what was redacted is gone. So only a decision
//! that rested on the rules, the posture and the signals is made again; every other one is counted, by why it is not.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::difference::{Difference, Kind, first_difference};
use crate::audit::chain::Head;
use crate::audit::record::RecordKind;
use crate::audit::verify::{Finding, Record, Verifier};
use crate::engine::case::run_case;
use crate::policy::bundle::Bundle;
use crate::policy::format::Case;
use crate::policy::signal::Source;
use crate::reason::Reason;
use crate::time::{Monotonic, Now, Wall};
use crate::value::Timestamp;

/// The reasons of decisions that a record says enough of. The others rest on what no record has.
const ENOUGH: [Reason; 9] = [
    Reason::AllowedByRule,
    Reason::AllowedMinimal,
    Reason::AllowedFailOpen,
    Reason::DeniedByRule,
    Reason::NoMatchingRule,
    Reason::Indeterminate,
    Reason::SignalUnavailable,
    Reason::Posture,
    Reason::UnknownAction,
];

/// Why a decision of a chain is not decided again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Skipped {
    /// Part of the request is redacted.
    Redacted,
    /// The request could not be read when it was decided, or is not in the record.
    NoRequest,
    /// It was decided by another bundle than the one of this name.
    OtherBundle,
    /// It rests on what no record has: a quarantine, an override, an earlier decision or call, a limit, the state of the
    /// engine.
    Reason,
    /// A built-in signal had failed: the clock, the engine, the room for records, the epoch.
    BuiltIn,
    /// The chain does not begin with the first record, and a signal that the action needs has not been seen since.
    Signals,
}

impl Skipped {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::Redacted, Self::NoRequest, Self::OtherBundle, Self::Reason, Self::BuiltIn, Self::Signals];

    /// A stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Redacted => "redacted",
            Self::NoRequest => "no_request",
            Self::OtherBundle => "other_bundle",
            Self::Reason => "reason",
            Self::BuiltIn => "built_in",
            Self::Signals => "signals",
        }
    }
}

/// Decides the decisions of a chain again.
#[derive(Debug)]
pub struct Records {
    bundle: Bundle,
    verifier: Option<Verifier>,
    /// What each signal was last said to be.
    signals: BTreeMap<String, String>,
    /// Whether the clocks had parted.
    clock_failed: bool,
    /// Whether the chain was read from its first record on, so that a signal of which it says nothing is unknown.
    from_the_first: bool,
    tally: Tally,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Records that were read.
    pub records: u64,
    /// Decisions among them.
    pub decisions: u64,
    /// Decisions that were decided again.
    pub again: u64,
    /// Records that the chain says are missing.
    pub missing: u64,
    /// Differences, by kind.
    pub differences: [u64; Kind::ALL.len()],
    /// Decisions that were not decided again, by why.
    pub skipped: [u64; Skipped::ALL.len()],
}

impl Tally {
    /// How many differences there are, of every kind.
    #[must_use]
    pub fn different(&self) -> u64 {
        self.differences.iter().copied().fold(0, u64::saturating_add)
    }

    /// The numbers as JSON: `records`, `decisions`, `again`, `missing`, `differences` by kind, and `skipped` by why.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let counts = |names: &[&'static str], counts: &[u64]| {
            let pairs = names.iter().zip(counts);
            Value::Object(pairs.map(|(name, count)| ((*name).to_owned(), Value::from(*count))).collect())
        };
        json!({
            "records": self.records,
            "decisions": self.decisions,
            "again": self.again,
            "missing": self.missing,
            "differences": counts(&Kind::ALL.map(Kind::code), &self.differences),
            "skipped": counts(&Skipped::ALL.map(Skipped::code), &self.skipped),
        })
    }
}

impl Records {
    /// Decides again with this bundle.
    #[must_use]
    pub fn new(bundle: Bundle) -> Self {
        let tally = Tally::default();
        Self { bundle, verifier: None, signals: BTreeMap::new(), clock_failed: false, from_the_first: false, tally }
    }

    /// Takes the next record, a line without its end; `behind` is the head that the first one says it goes on behind. Where a
    /// decision was made again and another one came out, that is given.
    ///
    /// # Errors
    /// The finding, where the chain is not what was written.
    pub fn push(&mut self, line: &[u8], behind: Head) -> Result<Option<Difference>, Finding> {
        let verifier = self.verifier.get_or_insert_with(|| Verifier::behind(behind));
        self.from_the_first |= self.tally.records == 0 && behind == Head::default();
        let record = verifier.push(line)?;
        let (records, missing) = verifier.counts();
        self.tally.records = records;
        self.tally.missing = missing;
        match record.kind {
            RecordKind::Signal => self.signal(&record.body),
            RecordKind::Clock => {
                self.clock_failed = record.body.get("event").and_then(Value::as_str) == Some("clock_failed");
            }
            RecordKind::Decision => return Ok(self.decision(&record)),
            _ => {}
        }
        Ok(None)
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// The finding, where there was no record.
    pub fn finish(self) -> Result<Tally, Finding> {
        self.verifier.unwrap_or_else(|| Verifier::behind(Head::default())).finish()?;
        Ok(self.tally)
    }

    /// What it has come to so far.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    fn signal(&mut self, body: &Value) {
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        if let (Some(signal), Some(to)) = (text("signal"), text("to")) {
            self.signals.insert(signal, to);
        }
    }

    fn decision(&mut self, record: &Record) -> Option<Difference> {
        self.tally.decisions = self.tally.decisions.saturating_add(1);
        let case = match self.case(record) {
            Ok(case) => case,
            Err(skipped) => {
                if let Some(count) = self.tally.skipped.get_mut(skipped as usize) {
                    *count = count.saturating_add(1);
                }
                return None;
            }
        };
        self.tally.again = self.tally.again.saturating_add(1);
        let (then, now) = (record.body.get("decision")?.clone(), run_case(&self.bundle, &case).decision.to_json());
        let (said_then, said_now) = (said(&then), said(&now));
        let pointer = first_difference(&said_then, &said_now)?;
        let kind = Kind::of_decisions(&said_then, &said_now);
        if let Some(count) = self.tally.differences.get_mut(kind as usize) {
            *count = count.saturating_add(1);
        }
        let at = Now::new(Monotonic::ZERO, wall_of(&record.at).unwrap_or_default());
        Some(Difference {
            number: record.seq,
            at,
            verb: "decide".to_owned(),
            argument: case.request,
            recorded: then,
            replayed: now,
            pointer,
            kind,
        })
    }

    /// The record as a case: its request under the signals, the posture and the time that it was decided under.
    fn case(&self, record: &Record) -> Result<Case, Skipped> {
        let context = record.body.pointer("/decision/context").ok_or(Skipped::NoRequest)?;
        let text = |name: &str| context.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("bundle") != self.bundle.name() {
            return Err(Skipped::OtherBundle);
        }
        // What was given in two calls rests on the record of the first.
        let in_two_calls = record.body.get("pending").is_some();
        if in_two_calls || !ENOUGH.iter().any(|reason| reason.code() == text("reason")) {
            return Err(Skipped::Reason);
        }
        let asked = record.body.get("request").filter(|asked| asked.is_object()).ok_or(Skipped::NoRequest)?;
        if is_redacted(asked) {
            return Err(Skipped::Redacted);
        }
        let request = request_of(asked).ok_or(Skipped::NoRequest)?;
        let policy = self.bundle.policy();
        let is_told = |name: &str| self.signals.get(name).is_some_and(|status| status != "ok");
        let mut built_in = policy.signals.iter().filter(|spec| matches!(spec.source, Source::BuiltIn));
        if self.clock_failed || built_in.any(|spec| is_told(&spec.name)) {
            return Err(Skipped::BuiltIn);
        }
        let number = asked.pointer("/action/name").and_then(Value::as_str).and_then(|name| policy.action(name));
        let needed = number.into_iter().flat_map(|(_, action)| action.requires.iter().chain(&action.reads.signals));
        let mut unseen = needed.filter_map(|number| policy.signals.get(usize::from(*number)));
        if !self.from_the_first && unseen.any(|spec| !self.signals.contains_key(spec.name.as_str())) {
            return Err(Skipped::Signals);
        }
        let told = policy.signals.iter().filter(|spec| {
            // The others follow from these.
            matches!(spec.source, Source::Observed { .. } | Source::Guard { .. })
        });
        let told = told.filter_map(|spec| {
            let status = self.signals.get(spec.name.as_str()).filter(|status| *status != "unknown")?;
            Some((spec.name.to_string(), status.clone()))
        });
        let case = json!({
            "name": "record",
            "at": record.at,
            "posture": text("posture"),
            "signals": told.collect::<BTreeMap<_, _>>(),
            "request": request,
            "expect": {},
        });
        serde_json::from_value(case).map_err(|_| Skipped::NoRequest)
    }
}

/// What a decision says that the bundle has to do with: not who made it when, nor for how long it may be kept.
fn said(decision: &Value) -> Value {
    const COMPARED: [&str; 5] = ["reason", "rule", "posture", "degraded", "information_loss"];
    let context = decision.get("context").and_then(Value::as_object).into_iter().flatten();
    let context: Map<String, Value> = context
        .filter(|(name, _)| COMPARED.contains(&name.as_str()))
        .map(|(name, of)| (name.clone(), of.clone()))
        .collect();
    json!({ "decision": decision.get("decision"), "context": context })
}

/// Whether anything in the request is a replacement of what must not be written.
fn is_redacted(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            let mark = |name: &str| members.len() == 1 && members.contains_key(name);
            mark("redacted") || mark("committed") || members.values().any(is_redacted)
        }
        Value::Array(items) => items.iter().any(is_redacted),
        Value::String(text) => text.contains(crate::audit::redact::CONCEALED),
        _ => false,
    }
}

/// The request of a record in AuthZEN's form.
fn request_of(asked: &Value) -> Option<Value> {
    let entity = |name: &str, own: &[&str]| {
        let mut members = asked.get(name)?.as_object()?.clone();
        let mut entity = Map::new();
        for own in own {
            entity.insert((*own).to_owned(), members.remove(*own)?);
        }
        entity.insert("properties".to_owned(), members.into());
        Some(Value::Object(entity))
    };
    Some(json!({
        "subject": entity("subject", &["type", "id"])?,
        "action": entity("action", &["name"])?,
        "resource": entity("resource", &["type", "id"])?,
        "context": asked.get("context")?,
    }))
}

fn wall_of(text: &str) -> Option<Wall> {
    let at: Timestamp = text.parse().ok()?;
    i64::try_from(at.as_nanosecond()).ok().map(Wall::from_nanos)
}
