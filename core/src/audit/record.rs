//! What a record says: a decision with its request, or an event; and in which kind of record.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::redact::{RedactionKey, redact};
use crate::condition::Entity;
use crate::decision::Decision;
use crate::policy::audit::Path;
use crate::policy::schema::Schema;
use crate::request::RequestView;
use crate::state::events::{Event, EventKind};
use crate::time::Now;
use crate::value::View;

/// The kind of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RecordKind {
    /// A decision.
    Decision,
    /// A bundle was activated or refused.
    Bundle,
    /// A bundle was staged, or its rollout went on, stopped or ended.
    Rollout,
    /// A signal changed.
    Signal,
    /// A posture was entered, left, acknowledged or kept.
    Posture,
    /// Something was quarantined, lifted or revoked.
    Quarantine,
    /// Something was proposed, approved or withdrawn.
    Approval,
    /// An override was granted, used or ended.
    Override,
    /// A flag was set, cleared or found expired.
    Flag,
    /// The clocks parted or were anchored.
    Clock,
    /// A state was restored, or another engine became the active one.
    State,
    /// The engine met a panic.
    Engine,
    /// A control feed was heard, or a message of it refused.
    Control,
    /// An operator labelled something, or the host reported what it counted.
    Measure,
    /// Records are missing here: how many.
    Gap,
    /// How many records there are so far, and the hash of the last.
    Checkpoint,
}

impl RecordKind {
    /// Every kind.
    pub const ALL: [Self; 16] = [
        Self::Decision,
        Self::Bundle,
        Self::Rollout,
        Self::Signal,
        Self::Posture,
        Self::Quarantine,
        Self::Approval,
        Self::Override,
        Self::Flag,
        Self::Clock,
        Self::State,
        Self::Engine,
        Self::Control,
        Self::Measure,
        Self::Gap,
        Self::Checkpoint,
    ];

    /// A stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Bundle => "bundle",
            Self::Rollout => "rollout",
            Self::Signal => "signal",
            Self::Posture => "posture",
            Self::Quarantine => "quarantine",
            Self::Approval => "approval",
            Self::Override => "override",
            Self::Flag => "flag",
            Self::Clock => "clock",
            Self::State => "state",
            Self::Engine => "engine",
            Self::Control => "control",
            Self::Measure => "measure",
            Self::Gap => "gap",
            Self::Checkpoint => "checkpoint",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn named(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The kind of record that an event becomes.
    #[must_use]
    pub const fn of(event: &EventKind) -> Self {
        match event {
            EventKind::BundleActivated { .. }
            | EventKind::BundleRefused { .. }
            | EventKind::PolicySuspended { .. }
            | EventKind::BundleUnsigned { .. }
            | EventKind::BundleRevoked { .. }
            | EventKind::BundleRolledBack { .. }
            | EventKind::BundleCleared { .. }
            | EventKind::TrustRotated { .. }
            | EventKind::TrustRefused { .. }
            | EventKind::PolicyResumed => Self::Bundle,
            EventKind::RolloutStaged { .. }
            | EventKind::RolloutAdvanced { .. }
            | EventKind::RolloutStopped { .. }
            | EventKind::RolloutApproved { .. }
            | EventKind::RolloutCompleted { .. }
            | EventKind::RolloutEnded { .. } => Self::Rollout,
            EventKind::DecisionLabelled { .. }
            | EventKind::TriggerLabelled { .. }
            | EventKind::AttemptsReported { .. }
            | EventKind::MitigationReported { .. } => Self::Measure,
            EventKind::SignalChanged { .. }
            | EventKind::ObservationIgnored { .. }
            | EventKind::GuardForcedOpen { .. }
            | EventKind::GuardReleased { .. } => Self::Signal,
            EventKind::StateRestored { .. }
            | EventKind::AuditBehind { .. }
            | EventKind::RestoreFailed { .. }
            | EventKind::TookOver { .. }
            | EventKind::Resigned { .. }
            | EventKind::SplitBrain { .. } => Self::State,
            EventKind::Quarantined { .. }
            | EventKind::QuarantineLifted { .. }
            | EventKind::QuarantineEnded { .. }
            | EventKind::Revoked { .. } => Self::Quarantine,
            EventKind::PostureEntered { .. }
            | EventKind::PostureLeft { .. }
            | EventKind::PostureAcknowledged { .. }
            | EventKind::PostureKept { .. } => Self::Posture,
            EventKind::Proposed { .. }
            | EventKind::Approved { .. }
            | EventKind::ApprovalRefused { .. }
            | EventKind::ProposalClosed { .. } => Self::Approval,
            EventKind::OverrideGranted { .. } | EventKind::OverrideUsed { .. } | EventKind::OverrideEnded { .. } => {
                Self::Override
            }
            EventKind::FlagSet { .. }
            | EventKind::FlagCleared { .. }
            | EventKind::FlagExpired { .. }
            | EventKind::FlagKept { .. } => Self::Flag,
            EventKind::ClockFailed | EventKind::ClockAnchored => Self::Clock,
            EventKind::EngineFailed => Self::Engine,
            EventKind::ControlBegan { .. } | EventKind::ControlApplied { .. } | EventKind::ControlRefused { .. } => {
                Self::Control
            }
        }
    }
}

/// What is kept until it is drained.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A decision.
    Decision(Box<DecisionEntry>),
    /// An event, and the number of the input that brought it about, where inputs are written down.
    Event(Event, Option<u64>),
    /// What could not be kept.
    Gap(Gap),
}

/// A decision, what was asked, and what of it must not be written.
#[derive(Clone, Debug)]
pub struct DecisionEntry {
    /// The decision.
    pub decision: Decision,
    /// What was asked; null where it could not be read.
    pub request: Value,
    /// What must not be written, as the bundle that decided declares it.
    pub redaction: Arc<[Path]>,
    /// The number of its entry in the journal of inputs, where there is one.
    pub input: Option<u64>,
}

/// How much is missing from the chain at one place. What is missing was decided and answered; it is not written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    /// Decisions that denied.
    pub denies: u64,
    /// Decisions that allowed.
    pub allows: u64,
    /// Events.
    pub events: u64,
    /// When the first of it was.
    pub since: Now,
    /// When the last of it was.
    pub until: Now,
}

impl Gap {
    /// How many records are missing.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.denies.saturating_add(self.allows).saturating_add(self.events)
    }

    /// Counts one more that is missing.
    pub fn count(&mut self, entry: &Entry) {
        let at = entry.at();
        if self.records() == 0 {
            self.since = at;
        }
        self.until = at;
        let one = match entry {
            Entry::Decision(kept) if kept.decision.is_allow() => &mut self.allows,
            Entry::Decision(_) => &mut self.denies,
            Entry::Event(..) | Entry::Gap(_) => &mut self.events,
        };
        *one = one.saturating_add(1);
    }
}

impl Entry {
    /// When it was.
    #[must_use]
    pub fn at(&self) -> Now {
        match self {
            Self::Decision(kept) => kept.decision.at(),
            Self::Event(event, _) => event.at,
            Self::Gap(gap) => gap.until,
        }
    }

    /// The kind of its record.
    #[must_use]
    pub const fn kind(&self) -> RecordKind {
        match self {
            Self::Decision(_) => RecordKind::Decision,
            Self::Event(event, _) => RecordKind::of(&event.kind),
            Self::Gap(_) => RecordKind::Gap,
        }
    }

    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Decision(kept) => Self::bytes_of_decision(kept),
            Self::Event(..) | Self::Gap(_) => FIXED_BYTES,
        }
    }

    /// About how many bytes of memory a decision takes.
    #[must_use]
    pub fn bytes_of_decision(kept: &DecisionEntry) -> usize {
        FIXED_BYTES.saturating_add(bytes_of(&kept.request))
    }

    /// The body of its record, as the one of that number.
    #[must_use]
    pub fn body(&self, seq: u64, key: Option<&RedactionKey>) -> Value {
        match self {
            Self::Event(event, input) => with_input(event.to_json(), *input),
            Self::Gap(gap) => json!({
                "denies": gap.denies,
                "allows": gap.allows,
                "events": gap.events,
                "since": gap.since.wall.to_string(),
                "until": gap.until.wall.to_string(),
            }),
            Self::Decision(kept) => {
                let mut decision = kept.decision.to_json();
                let mut request = kept.request.clone();
                // The texts that may quote a request. What the engine itself says is no quotation: else who chooses an
                // attribute could have the effect or the reason concealed.
                let context = decision.get_mut("context").and_then(Value::as_object_mut).into_iter().flatten();
                let quoting =
                    context.filter(|(name, _)| ["detail", "messages", "obligations"].contains(&name.as_str()));
                let mut texts: Vec<&mut Value> = quoting.map(|(_, text)| text).collect();
                redact(&kept.redaction, seq, key, &mut request, &mut texts);
                with_input(json!({ "request": request, "decision": decision }), kept.input)
            }
        }
    }
}

/// A body that refers to the entry of the journal whose doing it is.
fn with_input(mut body: Value, input: Option<u64>) -> Value {
    if let (Some(members), Some(input)) = (body.as_object_mut(), input) {
        members.insert("input".to_owned(), input.into());
    }
    body
}

/// What an entry takes besides its texts.
const FIXED_BYTES: usize = 512;

fn bytes_of(value: &Value) -> usize {
    const WORD: usize = 32;
    match value {
        Value::String(text) => WORD.saturating_add(text.len()),
        Value::Array(items) => items.iter().map(bytes_of).fold(WORD, usize::saturating_add),
        Value::Object(members) => members.iter().fold(WORD, |bytes, (name, value)| {
            bytes.saturating_add(WORD).saturating_add(name.len()).saturating_add(bytes_of(value))
        }),
        _ => WORD,
    }
}

/// What was asked: who, what, to what, the attributes that the schema declares, and what the host calls the request
/// (`request_id` and the W3C `traceparent` in `context.fallgate`).
///
/// What the schema does not declare was not read, and is not written.
#[must_use]
pub fn asked(request: &RequestView<'_>, schema: &Schema) -> Value {
    let declared =
        |entity: Entity, type_name: &str, of: &crate::request::Attributes<'_>, into: &mut Map<String, Value>| {
            for name in schema.declared(entity, type_name) {
                if let Some(value) = of.get(name) {
                    into.insert(name.to_owned(), value_json(value));
                }
            }
        };
    let mut members = Map::new();
    for (name, entity, party) in
        [("subject", Entity::Subject, &request.subject), ("resource", Entity::Resource, &request.resource)]
    {
        let mut known = Map::new();
        declared(entity, party.party_type, &party.properties, &mut known);
        known.insert("type".to_owned(), party.party_type.into());
        known.insert("id".to_owned(), party.id.into());
        members.insert(name.to_owned(), known.into());
    }
    let mut action = Map::new();
    declared(Entity::Action, request.action.name, &request.action.properties, &mut action);
    action.insert("name".to_owned(), request.action.name.into());
    members.insert("action".to_owned(), action.into());
    let mut context = Map::new();
    declared(Entity::Context, "", &request.context, &mut context);
    members.insert("context".to_owned(), context.into());
    let named = [
        ("request_id", of_host(request, "request_id", is_request_id)),
        ("traceparent", of_host(request, "traceparent", is_traceparent)),
    ];
    members.extend(named.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Value::from(text?)))));
    members.into()
}

/// What the host calls the request, in `context.fallgate`; nothing for what has not the form of such a name.
fn of_host<'a>(request: &RequestView<'a>, name: &str, has_form: fn(&str) -> bool) -> Option<&'a str> {
    let own = match request.context.get("fallgate")? {
        View::Map(map) => map.get(name).map(View::from),
        View::Fields(fields) => fields.get(name),
        _ => None,
    };
    match own? {
        View::Str(text) if has_form(text) => Some(text),
        _ => None,
    }
}

/// Up to 128 visible ASCII characters.
fn is_request_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The header of W3C Trace Context, version 00: a trace and a parent that are not zero.
fn is_traceparent(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut next = |length: usize| {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        parts.next().filter(|part| part.len() == length && part.bytes().all(is_digit))
    };
    let (version, trace, parent, flags) = (next(2), next(32), next(16), next(2));
    let not_zero = |part: Option<&str>| part.is_some_and(|part| part.bytes().any(|byte| byte != b'0'));
    version == Some("00") && not_zero(trace) && not_zero(parent) && flags.is_some() && parts.next().is_none()
}

/// A value as JSON. A number that a double does not hold, which canonical JSON (RFC 8785) cannot write, is a text.
fn value_json(value: View<'_>) -> Value {
    const EXACT: u64 = 1 << 53;
    match value {
        View::Null => Value::Null,
        View::Bool(value) => value.into(),
        View::Int(value) if value.unsigned_abs() > EXACT => value.to_string().into(),
        View::Int(value) => value.into(),
        View::UInt(value) if value > EXACT => value.to_string().into(),
        View::UInt(value) => value.into(),
        View::Double(value) => {
            serde_json::Number::from_f64(value).map_or_else(|| value.to_string().into(), Value::from)
        }
        View::Str(text) => text.into(),
        View::Bytes(bytes) => data_encoding::BASE64.encode(bytes).into(),
        View::List(items) => items.iter().map(|item| value_json(View::from(item))).collect(),
        View::Items(items) => items.iter().map(|item| value_json(*item)).collect(),
        View::Map(map) => {
            let member = |(name, value): &(Box<str>, crate::value::Value)| (name.to_string(), value_json(value.into()));
            Value::Object(map.entries().iter().map(member).collect())
        }
        View::Fields(fields) => {
            let member = |(name, value): &(&str, View<'_>)| ((*name).to_owned(), value_json(*value));
            Value::Object(fields.entries().iter().map(member).collect())
        }
        View::Entries(entries) => {
            entries.iter().map(|(key, value)| json!([value_json(*key), value_json(*value)])).collect()
        }
        View::Timestamp(at) => at.to_string().into(),
        View::Duration(span) => span.to_string().into(),
        View::Ip(address) => address.to_string().into(),
        View::Cidr(network) => format!("{}/{}", network.address(), network.prefix()).into(),
        View::Type(name) => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_one_of_version_zero() {
        // The example of W3C Trace Context, and what it calls invalid.
        assert!(is_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
        for text in [
            "",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        ] {
            assert!(!is_traceparent(text), "{text}");
        }
    }

    #[test]
    fn a_number_that_a_double_does_not_hold_is_a_text() {
        assert_eq!(value_json(View::Int(9_007_199_254_740_993)), json!("9007199254740993"));
        assert_eq!(value_json(View::UInt(u64::MAX)), json!("18446744073709551615"));
        assert_eq!(value_json(View::Int(-9_007_199_254_740_992)), json!(-9_007_199_254_740_992_i64));
        assert_eq!(value_json(View::Double(f64::NAN)), json!("NaN"));
    }
}
