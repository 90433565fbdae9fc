//! A request: subject, action, resource and context, in the shape of the AuthZEN Authorization API 1.0.

mod checked;
mod reader;
mod spelling;
mod strict;
mod view;
mod within;

pub(crate) use checked::Checked;
pub(crate) use reader::{Batch, Parts, Room};
pub use reader::{Named, Portion, Portions};
pub(crate) use spelling::Spelling;
pub use strict::parse_strict;
pub use view::{ActionView, Attributes, PartyView, RequestView};

use crate::limits::Limits;
use crate::value::{Map, Value};

/// A subject or a resource: a type, an identifier within the type, and properties.
#[derive(Clone, Debug, PartialEq)]
pub struct Party {
    /// The kind of thing, as the schema declares it.
    pub party_type: Box<str>,
    /// Which one of its kind. Compared byte by byte: never folded, trimmed or normalised.
    pub id: Box<str>,
    /// What is known of it.
    pub properties: Map,
}

/// What the subject asks to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// The action's name, as the pack declares it.
    pub name: Box<str>,
    /// What is known of it.
    pub properties: Map,
}

/// One question to the engine: may this subject do this to that, under these circumstances?
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Who asks.
    pub subject: Party,
    /// What they ask to do.
    pub action: Action,
    /// What they ask to do it to.
    pub resource: Party,
    /// The circumstances. The member `fallgate` is the engine's own: see [`Request::terms`].
    pub context: Map,
}

/// What a request demands of the decision itself, in `context.fallgate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The least policy revision that may decide it (spec 1.11).
    pub min_revision: Option<u64>,
    /// When the request's own ground ends, a token's expiry say: no decision on it is kept for longer (spec 1.7).
    pub expires_at: Option<crate::value::Timestamp>,
}

/// Why a request cannot be decided. A caller's mistake; the decision is a deny with the reason of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The bytes are no JSON, or not UTF-8.
    #[error("the request is not JSON: {0}")]
    Syntax(String),
    /// A key stands twice in one object.
    #[error("the request has the key {0} twice in one object")]
    DuplicateKey(String),
    /// A member that must be there is not, or is of the wrong type.
    #[error("the request's `{member}` must be {expected}")]
    Member {
        /// The path of the member.
        member: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A value of the host's own language that has no counterpart here.
    #[error("the request's {place} {problem}")]
    Value {
        /// The path of the value, quoted.
        place: String,
        /// What is wrong with it, and the repair.
        problem: String,
    },
    /// A limit is exceeded.
    #[error("the request exceeds the limit of {max} {unit}")]
    Limit {
        /// The limit.
        max: usize,
        /// What is counted.
        unit: &'static str,
    },
}

impl Party {
    /// A subject or resource without properties.
    #[must_use]
    pub fn new(party_type: &str, id: &str) -> Self {
        Self { party_type: party_type.into(), id: id.into(), properties: Map::default() }
    }

    /// The same with a property.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.properties.insert(name, value);
        self
    }
}

impl Request {
    /// A request without properties and context.
    #[must_use]
    pub fn new(subject: Party, action: &str, resource: Party) -> Self {
        let action = Action { name: action.into(), properties: Map::default() };
        Self { subject, action, resource, context: Map::default() }
    }

    /// The same with a member of the context.
    #[must_use]
    pub fn with_context(mut self, name: &str, value: Value) -> Self {
        self.context.insert(name, value);
        self
    }

    /// Reads an AuthZEN evaluation request.
    ///
    /// Unknown members are ignored, as AuthZEN asks. Bytes have one meaning here or none: duplicate keys, lone
    /// surrogates, numbers beyond a double, trailing bytes are refused.
    ///
    /// # Errors
    /// [`RequestError`], for bytes that are no such request or exceed a limit.
    pub fn from_json(bytes: &[u8], limits: &Limits) -> Result<Self, RequestError> {
        let value = parse_strict(bytes, limits)?;
        let Value::Map(mut members) = value else {
            return Err(RequestError::Member { member: "", expected: "a JSON object" });
        };
        let subject = subject(members.remove("subject"))?;
        let action = action(members.remove("action"))?;
        let resource = resource(members.remove("resource"))?;
        let context = context(members.remove("context"))?;
        let request = Self { subject, action, resource, context };
        request.check_names(limits)?;
        Ok(request)
    }

    /// The request as AuthZEN JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let party = |party: &Party| serde_json::json!({"type": party.party_type, "id": party.id, "properties": map_to_json(&party.properties)});
        serde_json::json!({
            "subject": party(&self.subject),
            "action": {"name": self.action.name, "properties": map_to_json(&self.action.properties)},
            "resource": party(&self.resource),
            "context": map_to_json(&self.context),
        })
    }

    /// What the request demands of the decision itself.
    ///
    /// # Errors
    /// As [`RequestView::terms`].
    pub fn terms(&self) -> Result<Terms, RequestError> {
        RequestView::from(self).terms()
    }

    /// Refuses names that no schema can declare.
    ///
    /// # Errors
    /// As [`RequestView::check_names`].
    pub fn check_names(&self, limits: &Limits) -> Result<(), RequestError> {
        RequestView::from(self).check_names(limits)
    }
}

/// Reads the member `subject`.
pub(crate) fn subject(member: Option<Value>) -> Result<Party, RequestError> {
    party(member, "subject", ["subject.type", "subject.id", "subject.properties"])
}

/// Reads the member `resource`.
pub(crate) fn resource(member: Option<Value>) -> Result<Party, RequestError> {
    party(member, "resource", ["resource.type", "resource.id", "resource.properties"])
}

/// Reads the member `context`, which may be left out.
pub(crate) fn context(member: Option<Value>) -> Result<Map, RequestError> {
    optional_map(member, "context")
}

fn party(
    member: Option<Value>,
    name: &'static str,
    [type_path, id_path, properties_path]: [&'static str; 3],
) -> Result<Party, RequestError> {
    let Some(Value::Map(mut members)) = member else {
        return Err(RequestError::Member { member: name, expected: "an object with `type` and `id`" });
    };
    Ok(Party {
        party_type: text(members.remove("type"), type_path)?,
        id: text(members.remove("id"), id_path)?,
        properties: optional_map(members.remove("properties"), properties_path)?,
    })
}

/// Reads the member `action`.
pub(crate) fn action(member: Option<Value>) -> Result<Action, RequestError> {
    let Some(Value::Map(mut members)) = member else {
        return Err(RequestError::Member { member: "action", expected: "an object with `name`" });
    };
    Ok(Action {
        name: text(members.remove("name"), "action.name")?,
        properties: optional_map(members.remove("properties"), "action.properties")?,
    })
}

fn text(member: Option<Value>, name: &'static str) -> Result<Box<str>, RequestError> {
    match member {
        Some(Value::String(text)) => Ok(text),
        _ => Err(RequestError::Member { member: name, expected: "text, not empty, without NUL" }),
    }
}

fn optional_map(member: Option<Value>, name: &'static str) -> Result<Map, RequestError> {
    match member {
        None => Ok(Map::default()),
        Some(Value::Map(map)) => Ok(map),
        Some(_) => Err(RequestError::Member { member: name, expected: "an object, or left out" }),
    }
}

/// A value as JSON.
#[must_use]
pub fn value_to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::UInt(value) => (*value).into(),
        Value::Double(value) => (*value).into(),
        Value::String(value) => (**value).into(),
        Value::List(values) => values.iter().map(value_to_json).collect(),
        Value::Map(map) => map_to_json(map),
    }
}

fn map_to_json(map: &Map) -> serde_json::Value {
    map.iter().map(|(name, value)| (name.to_owned(), value_to_json(value))).collect::<serde_json::Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"subject":{"type":"user","id":"a"},"action":{"name":"x"},"resource":{"type":"r","id":"1"}}"#;

    fn parse(text: &str) -> Result<Request, RequestError> {
        Request::from_json(text.as_bytes(), &Limits::DEFAULT)
    }

    #[test]
    fn the_least_request_is_read() {
        let request = parse(GOOD).unwrap();
        assert_eq!((&*request.subject.id, &*request.action.name), ("a", "x"));
    }

    #[test]
    fn bytes_with_two_meanings_or_none_are_refused() {
        let hostile = [
            "",
            " ",
            "null",
            "5",
            "[]",
            "{} {}",
            "{",
            "{\"subject\":",
            "\u{feff}{}",
            "{\"a\":1,}",
            "NaN",
            r#"{"subject":{"type":"user","id":"a","id":"b"},"action":{"name":"x"},"resource":{"type":"r","id":"1"}}"#,
            r#"{"subject":{"type":"user","id":"a","properties":{"r":1,"\u0072":2}},"action":{"name":"x"},"resource":{"type":"r","id":"1"}}"#,
            r#"{"subject":{"type":"user","id":"\ud800"},"action":{"name":"x"},"resource":{"type":"r","id":"1"}}"#,
            r#"{"subject":{"type":"user","id":"a\u0000"},"action":{"name":"x"},"resource":{"type":"r","id":"1"}}"#,
            r#"{"subject":{"type":"","id":"a"},"action":{"name":"x"},"resource":{"type":"r","id":"1"}}"#,
            r#"{"subject":{"type":"user","id":5},"action":{"name":"x"},"resource":{"type":"r","id":"1"}}"#,
            r#"{"subject":{"type":"user","id":"a"},"action":{"name":"x"},"resource":{"type":"r","id":"1"},"context":{"n":1e400}}"#,
            r#"{"subject":{"type":"user","id":"a"},"action":{"name":"x"},"resource":{"type":"r","id":"1"},"context":[]}"#,
            r#"{"action":{"name":"x"},"resource":{"type":"r","id":"1"}}"#,
        ];
        for text in hostile {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(Request::from_json(b"{\"\xff\":1}", &Limits::DEFAULT).is_err());
        assert!(Request::from_json(format!("{GOOD}\0").as_bytes(), &Limits::DEFAULT).is_err());
    }

    #[test]
    fn limits_are_named_as_limits() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(parse(&deep), Err(RequestError::Limit { unit: "levels", .. })));
        let many = format!("[{}1]", "1,".repeat(20_000));
        assert!(matches!(parse(&many), Err(RequestError::Limit { unit: "values", .. })));
        let long = format!("\"{}\"", "x".repeat(2 << 20));
        assert!(matches!(parse(&long), Err(RequestError::Limit { unit: "bytes", .. })));
    }

    #[test]
    fn a_duplicate_key_is_named() {
        let text = r#"{"subject":1,"subject":2}"#;
        assert_eq!(parse(text), Err(RequestError::DuplicateKey("`subject`".into())));
    }

    #[test]
    fn a_demand_that_cannot_be_read_is_not_ignored() {
        let own = |member: &str, value| {
            let own = Map::from_entries(vec![(member.into(), value)]).unwrap();
            parse(GOOD).unwrap().with_context("fallgate", Value::Map(own)).terms()
        };
        assert_eq!(own("min_revision", Value::Int(7)).unwrap().min_revision, Some(7));
        assert!(own("min_revision", Value::Int(-1)).is_err());
        assert!(own("min_revision", Value::String("7".into())).is_err());
        assert!(own("expires_at", Value::String("soon".into())).is_err());
        assert!(own("min_revison", Value::Int(7)).is_err(), "nobody knows what was meant");
        assert!(own("request_id", Value::String("r-1".into())).is_ok());
    }
}
