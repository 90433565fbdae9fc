//! A request, read against the schema: chapter 1, and the second gate.

use std::collections::BTreeMap;

use fallgate::Reason;
use fallgate::value::Value;
use serde_json::Value as Json;

use crate::pack::Pack;

/// A request that fits.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) action: String,
    /// Every attribute that it has, with its defaults, by entity and name.
    pub(crate) attributes: BTreeMap<(&'static str, String), Value>,
    /// When its own ground ends, by the wall clock.
    pub(crate) ground: Option<i64>,
    /// All of it, as it was asked.
    pub(crate) whole: Json,
}

impl Asked {
    pub(crate) fn attribute(&self, entity: &'static str, name: &str) -> Option<&Value> {
        self.attributes.get(&(entity, name.to_owned()))
    }

    pub(crate) fn text(&self, entity: &'static str, name: &str) -> Option<&str> {
        match self.attribute(entity, name)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}

/// What no request is without, in the order of its members; nothing where it is no request.
pub(crate) fn names(request: &Json) -> Option<[&str; 5]> {
    let text = |path: &str| request.pointer(path).and_then(Json::as_str).filter(|text| !text.is_empty());
    Some([
        text("/subject/type")?,
        text("/subject/id")?,
        text("/action/name")?,
        text("/resource/type")?,
        text("/resource/id")?,
    ])
}

/// Reads a request, or says how it is refused by the second gate.
pub(crate) fn read(pack: &Pack, request: &Json) -> Result<Asked, Reason> {
    let [subject_type, subject_id, action, resource_type, resource_id] =
        names(request).ok_or(Reason::InvalidRequest)?;
    let (least, ground) = terms(&request["context"]["fallgate"]).ok_or(Reason::InvalidRequest)?;
    if least.is_some_and(|least| pack.document.revision < least) {
        return Err(Reason::RevisionTooOld);
    }
    if !pack.document.actions.contains_key(action) {
        return Err(Reason::UnknownAction);
    }
    let mut attributes = BTreeMap::new();
    let own = [("subject", "type", subject_type), ("subject", "id", subject_id), ("action", "name", action)];
    for (entity, name, value) in
        own.into_iter().chain([("resource", "type", resource_type), ("resource", "id", resource_id)])
    {
        attributes.insert((entity, name.to_owned()), Value::String(value.into()));
    }
    let none = BTreeMap::new();
    let schema = pack.document.schema.clone().unwrap_or_default();
    let of = |types: &Option<BTreeMap<String, BTreeMap<String, Json>>>, name: &str| match types {
        None => Some(none.clone()),
        Some(types) => types.get(name).cloned(),
    };
    let of_subject = of(&schema.subject, subject_type).ok_or(Reason::InvalidRequest)?;
    let of_resource = of(&schema.resource, resource_type).ok_or(Reason::InvalidRequest)?;
    let of_action = of(&schema.action, action).unwrap_or_default();
    let of_context = schema.context.unwrap_or_default();
    let parts = [
        ("subject", of_subject, &request["subject"]["properties"]),
        ("action", of_action, &request["action"]["properties"]),
        ("resource", of_resource, &request["resource"]["properties"]),
        ("context", of_context, &request["context"]),
    ];
    for (entity, declared, given) in parts {
        for (name, terms) in declared {
            let value = match (given.get(&name), terms.get("default")) {
                (Some(value), _) => Some(typed(kind(&terms), value).ok_or(Reason::InvalidRequest)?),
                (None, Some(default)) => Some(typed(kind(&terms), default).expect("a default fits its type")),
                (None, None) if terms.get("optional") == Some(&Json::Bool(true)) => None,
                (None, None) => return Err(Reason::InvalidRequest),
            };
            if let Some(value) = value {
                attributes.insert((entity, name), value);
            }
        }
    }
    Ok(Asked { action: action.to_owned(), attributes, ground, whole: request.clone() })
}

/// What a request demands of the decision itself; nothing where that cannot be read.
fn terms(said: &Json) -> Option<(Option<u64>, Option<i64>)> {
    let least = match said.get("min_revision") {
        None => None,
        Some(least) => Some(least.as_u64()?),
    };
    let ground = match said.get("expires_at") {
        None => None,
        Some(ground) => Some(instant(ground.as_str()?)?),
    };
    (said.is_null() || said.is_object()).then_some((least, ground))
}

/// A time as RFC 3339 writes it.
pub(crate) fn instant(text: &str) -> Option<i64> {
    let time: fallgate::value::Timestamp = text.parse().ok()?;
    i64::try_from(time.as_nanosecond()).ok()
}

/// The type of an attribute, which stands alone or beside how it may be absent.
fn kind(terms: &Json) -> &Json {
    terms.get("type").unwrap_or(terms)
}

/// A value, where it is of the type.
fn typed(kind: &Json, value: &Json) -> Option<Value> {
    let fits = match kind.as_str() {
        Some("string") => value.is_string(),
        Some("int") => value.as_i64().is_some(),
        Some("bool") => value.is_boolean(),
        Some(other) => panic!("the oracle does not know the type `{other}`"),
        None => {
            let of = kind.get(0).expect("the oracle knows lists alone");
            return value.as_array()?.iter().map(|item| typed(of, item)).collect::<Option<Vec<_>>>().map(Value::List);
        }
    };
    fits.then(|| Value::from(value))
}
