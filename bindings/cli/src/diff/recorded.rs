//! What was asked before: requests that a file holds, and the decisions of an audit chain.

use fallgate::condition::Entity;
use fallgate::limits::Limits;
use fallgate::policy::compile::Policy;
use fallgate::policy::schema::Schema;
use fallgate::request::parse_strict;
use fallgate::value_type::ValueType;
use serde_json::{Map, Value, json};

/// What a record of an audit chain comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded {
    /// A request that can be asked again.
    Request(Value),
    /// A record of something else.
    NoDecision,
    /// A decision on what could not be read.
    Unread,
    /// A decision of which an attribute is not written out.
    Redacted,
    /// A decision before the attribute was declared that the new policy reads: nobody wrote it down.
    NotYetDeclared(String),
    /// No record.
    NoRecord,
}

/// A line of a file of requests; nothing for what is no JSON, and holds a key twice.
#[must_use]
pub fn request(line: &[u8]) -> Option<Value> {
    parse_strict(line, &Limits::DEFAULT).ok().map(|value| fallgate::request::value_to_json(&value))
}

/// The request of a record.
///
/// A record has the attributes that the policy of its time declares, with the type and the id among those of the subject.
/// What was redacted is not guessed, and neither is what was not yet declared.
#[must_use]
pub fn record(line: &[u8], policies: &[&Policy; 2]) -> Recorded {
    let Ok(record) = serde_json::from_slice::<Value>(line) else { return Recorded::NoRecord };
    let (Some(kind), Some(body)) = (record.get("kind").and_then(Value::as_str), record.get("body")) else {
        return Recorded::NoRecord;
    };
    if kind != "decision" {
        return Recorded::NoDecision;
    }
    let Some(asked) = body.get("request").and_then(Value::as_object) else { return Recorded::Unread };
    if asked.values().any(is_redacted) {
        return Recorded::Redacted;
    }
    let members = |name: &str| asked.get(name).and_then(Value::as_object).cloned();
    let (Some(mut subject), Some(mut action), Some(mut resource)) =
        (members("subject"), members("action"), members("resource"))
    else {
        return Recorded::Unread;
    };
    let take = |from: &mut Map<String, Value>, name: &str| from.remove(name).filter(Value::is_string);
    let parts = (
        (take(&mut subject, "type"), take(&mut subject, "id")),
        take(&mut action, "name"),
        (take(&mut resource, "type"), take(&mut resource, "id")),
    );
    let ((Some(subject_type), Some(subject_id)), Some(name), (Some(resource_type), Some(resource_id))) = parts else {
        return Recorded::Unread;
    };
    let context = members("context").unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for (entity, type_name, given) in [
        (Entity::Subject, text(&subject_type), &mut subject),
        (Entity::Action, text(&name), &mut action),
        (Entity::Resource, text(&resource_type), &mut resource),
        (Entity::Context, String::new(), &mut context.clone()),
    ] {
        if let Some(missing) = not_yet_declared(policies, entity, &type_name, given) {
            return Recorded::NotYetDeclared(missing);
        }
        if has_written_number(&policies[0].schema, entity, &type_name, given) {
            return Recorded::Unread;
        }
    }
    Recorded::Request(json!({
        "subject": { "type": subject_type, "id": subject_id, "properties": subject },
        "action": { "name": name, "properties": action },
        "resource": { "type": resource_type, "id": resource_id, "properties": resource },
        "context": context,
    }))
}

/// An attribute that only the new policy declares, which the record so cannot have.
fn not_yet_declared(
    [old, new]: &[&Policy; 2],
    entity: Entity,
    type_name: &str,
    given: &Map<String, Value>,
) -> Option<String> {
    let known: Vec<&str> = old.schema.declared(entity, type_name).collect();
    let missing =
        new.schema.declared(entity, type_name).find(|name| !known.contains(name) && !given.contains_key(*name));
    missing.map(|name| format!("{}.{name}", entity.name()))
}

/// Whether a number stands as text, as one does in a record that a double does not hold.
fn has_written_number(schema: &Schema, entity: Entity, type_name: &str, given: &Map<String, Value>) -> bool {
    schema.attributes(entity, type_name).any(|(name, value_type, _)| {
        let is_number = matches!(value_type, ValueType::Int | ValueType::UInt | ValueType::Double);
        is_number && given.get(name).is_some_and(Value::is_string)
    })
}

/// Whether something in the value stands for what must not be written.
fn is_redacted(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("[redacted]"),
        Value::Array(items) => items.iter().any(is_redacted),
        Value::Object(members) => {
            let marked = members.len() == 1 && (members.contains_key("redacted") || members.contains_key("committed"));
            marked || members.values().any(is_redacted)
        }
        _ => false,
    }
}
