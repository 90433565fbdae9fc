//! What an engine is told and asked: each call that changes it, in one form that can be written and made again.

use std::borrow::Cow;
use std::sync::Arc;

use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Map, Value, json};

use super::Documents;
use super::line::Line;
use crate::condition::Status;
use crate::operation::Operation;
use crate::policy::bundle::Bundle;
use crate::policy::trust::Provenance;
use crate::policy::trust::key::KeyId;
use crate::request::{Action, Attributes, Party, Request, RequestView};
use crate::state::signals::Observation;
use crate::time::{Monotonic, Ttl};
use crate::value::{self, View};

/// One input.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input<'a> {
    /// The engine was made: how it is set up, without its secrets, and whom it trusts.
    Configure(Value, Option<Cow<'a, [u8]>>),
    /// A bundle was to become the active one; whether only with its own cases as they say.
    Activate(Cow<'a, [u8]>, Provenance, bool),
    /// Likewise, as an envelope.
    ActivateSigned(Cow<'a, [u8]>),
    /// A bundle was to be staged.
    Stage(Cow<'a, [u8]>, Provenance),
    /// Likewise, as an envelope.
    StageSigned(Cow<'a, [u8]>),
    /// A trust root was to follow the one that is held.
    RotateTrust(Cow<'a, [u8]>),
    /// A signal was reported.
    Observe(Cow<'a, Observation>),
    /// Time went on.
    Advance,
    /// The clocks were taken for right.
    AnchorClocks,
    /// Somebody looked, without a question that counts: time went on at the most.
    Look,
    /// An operation was done, or was to be.
    Operate(Cow<'a, Operation>, Option<u64>),
    /// A request was decided.
    Decide(Value),
    /// A request that could not be read was denied: whether for a limit, and what was wrong.
    Refuse(bool, String),
}

impl<'a> Input<'a> {
    /// A bundle that is to become the active one; whether only with its own cases as they say.
    #[must_use]
    pub fn activate(bundle: &Bundle, proven: bool) -> Self {
        Self::Activate(bundle.bytes().to_vec().into(), bundle.provenance().clone(), proven)
    }

    /// A bundle that is to be staged.
    #[must_use]
    pub fn stage(bundle: &Bundle) -> Self {
        Self::Stage(bundle.bytes().to_vec().into(), bundle.provenance().clone())
    }

    /// A request that is decided.
    #[must_use]
    pub fn decide(request: &RequestView<'_>) -> Self {
        Self::Decide(request_json(request))
    }

    /// An operation that is done. A time in it that is no whole number of milliseconds, which text cannot write, stands
    /// beside it.
    #[must_use]
    pub fn operate(operation: impl Into<Cow<'a, Operation>>) -> Self {
        let operation = operation.into();
        let nanos = span(&mut operation.clone().into_owned()).map(|span| span.as_nanos());
        Self::Operate(operation, nanos.filter(|nanos| nanos % 1_000_000 != 0))
    }

    /// The members of its entry, the text of a document left out where it is known already.
    #[must_use]
    pub fn members(&self, known: &Documents) -> Map<String, Value> {
        let (verb, argument) = match self {
            Self::Configure(setting, root) => {
                let mut setting = setting.clone();
                if let (Some(members), Some(root)) = (setting.as_object_mut(), root) {
                    members.insert("trust".to_owned(), document(root, known));
                }
                ("configure", setting)
            }
            Self::Activate(bytes, provenance, proven) => (
                "activate",
                json!({ "bundle": document(bytes, known), "signed": signed(provenance), "proven": proven }),
            ),
            Self::Stage(bytes, provenance) => {
                ("stage", json!({ "bundle": document(bytes, known), "signed": signed(provenance) }))
            }
            Self::StageSigned(bytes) => ("stage_signed", document(bytes, known)),
            Self::ActivateSigned(bytes) => ("activate_signed", document(bytes, known)),
            Self::RotateTrust(bytes) => ("rotate_trust", document(bytes, known)),
            Self::Observe(observation) => {
                let mut observed = json!({ "signal": observation.signal, "status": observation.status.name() });
                if let (Some(at), Some(members)) = (observation.observed_at, observed.as_object_mut()) {
                    members.insert("observed_at_ns".to_owned(), at.as_nanos().to_string().into());
                }
                ("observe", observed)
            }
            Self::Advance => ("advance", true.into()),
            Self::AnchorClocks => ("anchor_clocks", true.into()),
            Self::Look => ("look", true.into()),
            Self::Operate(operation, _) => ("operate", operation.to_json()),
            Self::Decide(request) => ("decide", request.clone()),
            Self::Refuse(limit, detail) => ("refuse", json!({ "limit": limit, "detail": detail })),
        };
        let mut members = Map::from_iter([(verb.to_owned(), argument)]);
        if let Self::Operate(_, Some(exact)) = self {
            members.insert("exact".to_owned(), exact.to_string().into());
        }
        members
    }

    /// The documents that its entry has, or refers to.
    pub fn documents(&self) -> impl Iterator<Item = &[u8]> {
        let document = match self {
            Self::Configure(_, root) => root.as_deref(),
            Self::Activate(bytes, ..)
            | Self::ActivateSigned(bytes)
            | Self::Stage(bytes, _)
            | Self::StageSigned(bytes)
            | Self::RotateTrust(bytes) => Some(&**bytes),
            _ => None,
        };
        document.into_iter()
    }
}

impl Input<'static> {
    /// The input of an entry; nothing where it is none that this version can make again.
    #[must_use]
    pub fn read(line: &Line, known: &mut Documents) -> Option<Self> {
        let argument = &line.argument;
        let input = match line.verb.as_str() {
            "configure" => {
                let root = match argument.get("trust") {
                    None | Some(Value::Null) => None,
                    Some(root) => Some(read_document(root, known)?),
                };
                Self::Configure(argument.clone(), root)
            }
            "activate" => {
                let bytes = read_document(argument.get("bundle")?, known)?;
                let provenance = provenance(argument.get("signed")?)?;
                Self::Activate(bytes, provenance, argument.get("proven")?.as_bool()?)
            }
            "activate_signed" => Self::ActivateSigned(read_document(argument, known)?),
            "stage" => {
                let bytes = read_document(argument.get("bundle")?, known)?;
                Self::Stage(bytes, provenance(argument.get("signed")?)?)
            }
            "stage_signed" => Self::StageSigned(read_document(argument, known)?),
            "rotate_trust" => Self::RotateTrust(read_document(argument, known)?),
            "observe" => {
                let status = argument.get("status")?.as_str()?;
                let status = [Status::Unknown, Status::Failed, Status::Degraded, Status::Ok]
                    .into_iter()
                    .find(|known| known.name() == status)?;
                let mut observation = Observation::new(argument.get("signal")?.as_str()?, status);
                if let Some(at) = argument.get("observed_at_ns") {
                    observation = observation.at(Monotonic::from_nanos(at.as_str()?.parse().ok()?));
                }
                Self::Observe(Cow::Owned(observation))
            }
            "advance" => Self::Advance,
            "anchor_clocks" => Self::AnchorClocks,
            "look" => Self::Look,
            "operate" => {
                let mut operation: Operation = serde_json::from_value(argument.clone()).ok()?;
                if let (Some(exact), Some(span)) = (line.exact, span(&mut operation)) {
                    *span = Ttl::from_nanos(exact);
                }
                Self::Operate(Cow::Owned(operation), line.exact)
            }
            "decide" => {
                request_of(argument)?;
                Self::Decide(argument.clone())
            }
            "refuse" => Self::Refuse(argument.get("limit")?.as_bool()?, argument.get("detail")?.as_str()?.to_owned()),
            _ => return None,
        };
        input.documents().for_each(|document| known.remember(document));
        Some(input)
    }
}

/// How it is known who wrote a bundle, as an entry has it.
fn signed(provenance: &Provenance) -> Value {
    match provenance {
        Provenance::Unsigned => Value::Null,
        Provenance::Signed { signers, threshold } => {
            let signers: Vec<String> = signers.iter().map(ToString::to_string).collect();
            json!({ "signers": signers, "threshold": threshold })
        }
    }
}

fn provenance(signed: &Value) -> Option<Provenance> {
    if signed.is_null() {
        return Some(Provenance::Unsigned);
    }
    let signers = signed.get("signers")?.as_array()?;
    let signers: Option<Arc<[KeyId]>> = signers.iter().map(|signer| KeyId::parse(signer.as_str()?)).collect();
    let threshold = usize::try_from(signed.get("threshold")?.as_u64()?).ok()?;
    Some(Provenance::Signed { signers: signers?, threshold })
}

/// The one span of time that an operation has, if it has one.
fn span(operation: &mut Operation) -> Option<&mut Ttl> {
    match operation {
        Operation::Quarantine(quarantine) => quarantine.for_.as_mut(),
        Operation::Revoke(revoke) => revoke.before.as_mut(),
        Operation::Report(report) => report.took.as_mut(),
        Operation::SetFlag(set) => set.for_.as_mut(),
        _ => None,
    }
}

/// A document by its digest, with its text where it was not written yet.
fn document(bytes: &[u8], known: &Documents) -> Value {
    let digest = Documents::digest(bytes);
    let mut members = Map::from_iter([("sha256".to_owned(), Value::from(HEXLOWER.encode(&digest)))]);
    if known.find(&digest).is_none() {
        match std::str::from_utf8(bytes) {
            Ok(text) => members.insert("text".to_owned(), text.into()),
            Err(_) => members.insert("base64".to_owned(), BASE64.encode(bytes).into()),
        };
    }
    members.into()
}

/// A document, from here or from an earlier entry; nothing where its bytes are not those of its digest.
fn read_document(document: &Value, known: &Documents) -> Option<Cow<'static, [u8]>> {
    let digest: [u8; 32] = HEXLOWER.decode(document.get("sha256")?.as_str()?.as_bytes()).ok()?.try_into().ok()?;
    let bytes = match (document.get("text"), document.get("base64")) {
        (Some(text), None) => text.as_str()?.as_bytes().to_vec(),
        (None, Some(base64)) => BASE64.decode(base64.as_str()?.as_bytes()).ok()?,
        (None, None) => known.find(&digest)?.to_vec(),
        _ => return None,
    };
    (Documents::digest(&bytes) == digest).then_some(Cow::Owned(bytes))
}

/// A request in AuthZEN's form, every value as it was: what [`request_of`] reads is the same request.
#[must_use]
pub fn request_json(request: &RequestView<'_>) -> Value {
    let party = |party: &crate::request::PartyView<'_>| json!({ "type": party.party_type, "id": party.id, "properties": attributes_json(&party.properties) });
    json!({
        "subject": party(&request.subject),
        "action": { "name": request.action.name, "properties": attributes_json(&request.action.properties) },
        "resource": party(&request.resource),
        "context": attributes_json(&request.context),
    })
}

fn attributes_json(attributes: &Attributes<'_>) -> Value {
    Value::Object(attributes.iter().map(|(name, value)| (name.to_owned(), view_json(value))).collect())
}

/// A value that a request may have, as JSON. What only an evaluation makes is refused before it could get here.
fn view_json(view: View<'_>) -> Value {
    match view {
        View::Bool(value) => value.into(),
        View::Int(value) => value.into(),
        View::UInt(value) => value.into(),
        View::Double(value) => value.into(),
        View::Str(text) => text.into(),
        View::List(items) => items.iter().map(|item| view_json(View::from(item))).collect(),
        View::Items(items) => items.iter().map(|item| view_json(*item)).collect(),
        View::Map(map) => {
            Value::Object(map.iter().map(|(name, value)| (name.to_owned(), view_json(value.into()))).collect())
        }
        View::Fields(fields) => {
            let member = |(name, value): &(&str, View<'_>)| ((*name).to_owned(), view_json(*value));
            Value::Object(fields.entries().iter().map(member).collect())
        }
        _ => Value::Null,
    }
}

/// The request of an entry; nothing where it is none.
#[must_use]
pub fn request_of(request: &Value) -> Option<Request> {
    let text = |of: &Value, name: &str| of.get(name)?.as_str().map(Box::from);
    let map = |of: Option<&Value>| match value::Value::from(of?) {
        value::Value::Map(map) => Some(map),
        _ => None,
    };
    let party = |of: &Value| {
        let (party_type, id) = (text(of, "type")?, text(of, "id")?);
        Some(Party { party_type, id, properties: map(of.get("properties"))? })
    };
    let action = request.get("action")?;
    Some(Request {
        subject: party(request.get("subject")?)?,
        action: Action { name: text(action, "name")?, properties: map(action.get("properties"))? },
        resource: party(request.get("resource")?)?,
        context: map(request.get("context"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Map, Value as Own};

    #[test]
    fn a_request_is_read_as_it_was() {
        let inner = Map::from_entries(vec![("a".into(), Own::Null), ("b".into(), Own::List(vec![Own::Bool(true)]))]);
        let numbers = [
            Own::Int(1),
            Own::Double(1.0),
            Own::Double(-0.0),
            Own::Double(0.1 + 0.2),
            Own::Double(1e300),
            Own::Double(5e-324),
            Own::Int(9_007_199_254_740_993),
            Own::UInt(u64::MAX),
            Own::Int(i64::MIN),
        ];
        let request =
            Request::new(Party::new("user", "a").with("m", Own::Map(inner.unwrap())), "x", Party::new("r", ""))
                .with_context("n", Own::List(numbers.to_vec()));
        let json = request_json(&RequestView::from(&request));
        let read = request_of(&serde_json::from_str(&json.to_string()).unwrap()).unwrap();
        // Debug tells -0.0 from 0.0, which equality does not.
        assert_eq!(format!("{read:?}"), format!("{request:?}"));
    }

    #[test]
    fn a_time_that_text_cannot_write_stands_beside_its_operation() {
        use crate::operation::Revoke;
        let before = Some(Ttl::from_nanos(1_000_001));
        let operation = Operation::Revoke(Revoke { type_name: "user".into(), id: "a".into(), before });
        let input = Input::operate(Cow::Owned(operation.clone()));
        let Input::Operate(_, exact) = input else { panic!("an operation") };
        assert_eq!(exact, Some(1_000_001));
        let whole = Revoke { type_name: "user".into(), id: "a".into(), before: Some(Ttl::from_millis(7)) };
        assert!(matches!(Input::operate(Cow::Owned(Operation::Revoke(whole))), Input::Operate(_, None)));
    }
}
