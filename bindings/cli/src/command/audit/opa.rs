//! Decisions as events of OPA's decision log, for what collects those
//! (<https://www.openpolicyagent.org/docs/management-decision-logs>).
//!
//! The input is the request in the AuthZEN shape, as rules in Rego see it, and the result the answer that the host was given.
//! What the record left out is named under `erased`, and what stands for a value under `masked`, as OPA does it.

use fallgate::audit::record::RecordKind;
use fallgate::audit::verify::Record;
use serde_json::{Map, Value, json};

/// The event of a decision; nothing for what is none.
pub(super) fn event(record: &Record) -> Option<Value> {
    if record.kind != RecordKind::Decision {
        return None;
    }
    let decision = record.body.get("decision")?;
    let said = |name: &str| decision.pointer(&format!("/context/{name}")).and_then(Value::as_str);
    let mut event = Map::new();
    event.insert("labels".to_owned(), json!({ "app": "fallgate" }));
    event.insert("decision_id".to_owned(), json!(said("id")?));
    event.insert("timestamp".to_owned(), json!(record.at));
    if let Some(bundle) = said("bundle") {
        let revision = decision.pointer("/context/revision").and_then(Value::as_u64).unwrap_or_default().to_string();
        event.insert("bundles".to_owned(), json!({ bundle: { "revision": revision } }));
        event.insert("path".to_owned(), json!(bundle));
    }
    event.insert("result".to_owned(), decision.clone());
    if let Some(Value::Object(request)) = record.body.get("request") {
        let mut concealed = Concealed::default();
        event.insert("input".to_owned(), input(request, &mut concealed));
        for (name, pointers) in [("erased", concealed.erased), ("masked", concealed.masked)] {
            if !pointers.is_empty() {
                event.insert(name.to_owned(), pointers.into());
            }
        }
        // https://www.w3.org/TR/trace-context/#traceparent-header
        let traceparent = request.get("traceparent").and_then(Value::as_str).unwrap_or_default();
        if let [_, trace, span, _] = traceparent.split('-').collect::<Vec<_>>()[..] {
            event.insert("trace_id".to_owned(), json!(trace));
            event.insert("span_id".to_owned(), json!(span));
        }
    }
    Some(Value::Object(event))
}

/// The pointers of what was left out, and of what stands for a value.
#[derive(Default)]
struct Concealed {
    erased: Vec<String>,
    masked: Vec<String>,
}

/// A request in the AuthZEN shape: a record has the attributes of a party beside its type and its id.
fn input(request: &Map<String, Value>, concealed: &mut Concealed) -> Value {
    let own: [(&str, &[&str]); 3] =
        [("subject", &["type", "id"]), ("action", &["name"]), ("resource", &["type", "id"])];
    let mut input = Map::new();
    for (entity, own) in own {
        let Some(Value::Object(members)) = request.get(entity) else { continue };
        let (named, properties): (Vec<_>, Vec<_>) =
            members.clone().into_iter().partition(|(name, _)| own.contains(&name.as_str()));
        let mut party = concealed.members(Map::from_iter(named), &format!("/input/{entity}"));
        let properties = concealed.members(Map::from_iter(properties), &format!("/input/{entity}/properties"));
        if !properties.is_empty() {
            party.insert("properties".to_owned(), Value::Object(properties));
        }
        input.insert(entity.to_owned(), Value::Object(party));
    }
    if let Some(Value::Object(context)) = request.get("context") {
        let context = concealed.members(context.clone(), "/input/context");
        input.insert("context".to_owned(), Value::Object(context));
    }
    Value::Object(input)
}

impl Concealed {
    /// Members without what was left out, and with what stands for a value in its place.
    fn members(&mut self, members: Map<String, Value>, pointer: &str) -> Map<String, Value> {
        let mut shown = Map::new();
        for (name, value) in members {
            let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
            match mark(&value) {
                Some(Mark::LeftOut) => self.erased.push(pointer),
                _ => {
                    shown.insert(name, self.value(value, &pointer));
                }
            }
        }
        shown
    }

    /// A value as it is shown; in a list `null` keeps the place of one that was left out.
    fn value(&mut self, value: Value, pointer: &str) -> Value {
        match mark(&value) {
            Some(Mark::LeftOut) => {
                self.masked.push(pointer.to_owned());
                return Value::Null;
            }
            Some(Mark::StandsFor(text)) => {
                self.masked.push(pointer.to_owned());
                return Value::String(text);
            }
            None => {}
        }
        match value {
            Value::Object(members) => Value::Object(self.members(members, pointer)),
            Value::Array(items) => {
                let items = items.into_iter().enumerate();
                items.map(|(at, item)| self.value(item, &format!("{pointer}/{at}"))).collect()
            }
            other => other,
        }
    }
}

/// What a record has in place of a value.
enum Mark {
    LeftOut,
    /// A tag or a commitment.
    StandsFor(String),
}

fn mark(value: &Value) -> Option<Mark> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    match (members.get("redacted"), members.get("committed")) {
        (Some(Value::String(text)), _) | (_, Some(Value::String(text))) => Some(Mark::StandsFor(text.clone())),
        (Some(Value::Bool(true)), _) => Some(Mark::LeftOut),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: RecordKind, body: Value) -> Record {
        Record { seq: 1, at: "2026-01-01T00:00:00Z".to_owned(), kind, body, hash: [0; 32] }
    }

    #[test]
    fn a_decision_is_an_event_of_opa() {
        let decision = json!({
            "decision": true,
            "context": { "id": "01K", "bundle": "shop", "revision": 4, "reason": "allowed_by_rule", "rule": "owners" },
        });
        let request = json!({
            "subject": { "type": "user", "id": "ann", "roles": ["buyer"], "email": { "redacted": "5f" } },
            "action": { "name": "order:read", "a/b": { "redacted": true } },
            "resource": { "type": "order", "id": "o-1" },
            "context": { "cards": [{ "committed": "7a" }, 4, { "redacted": true }] },
            "request_id": "r-1",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        });
        let event = event(&record(RecordKind::Decision, json!({ "request": request, "decision": decision }))).unwrap();
        let expected = json!({
            "labels": { "app": "fallgate" },
            "decision_id": "01K",
            "timestamp": "2026-01-01T00:00:00Z",
            "bundles": { "shop": { "revision": "4" } },
            "path": "shop",
            "input": {
                "subject": { "type": "user", "id": "ann", "properties": { "roles": ["buyer"], "email": "5f" } },
                "action": { "name": "order:read" },
                "resource": { "type": "order", "id": "o-1" },
                "context": { "cards": ["7a", 4, null] },
            },
            "erased": ["/input/action/properties/a~1b"],
            "masked": ["/input/subject/properties/email", "/input/context/cards/0", "/input/context/cards/2"],
            "result": decision,
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
            "span_id": "b7ad6b7169203331",
        });
        assert_eq!(sorted(event), sorted(expected));
    }

    /// Pointers come in the order in which the members lie, which is none.
    fn sorted(mut event: Value) -> Value {
        if let Some(Value::Array(masked)) = event.get_mut("masked") {
            masked.sort_by_key(ToString::to_string);
        }
        event
    }

    /// An attribute may be called as a mark is. Only what stands below an attribute is one.
    #[test]
    fn an_attribute_by_the_name_of_a_mark_is_none() {
        let request = json!({
            "subject": { "type": "user", "id": "ann", "redacted": true }, "action": { "name": "a", "committed": "yes" },
            "resource": { "type": "doc", "id": "d" }, "context": { "redacted": true },
        });
        let decision = json!({ "decision": true, "context": { "id": "01K" } });
        let event = event(&record(RecordKind::Decision, json!({ "request": request, "decision": decision }))).unwrap();
        let expected = json!({
            "subject": { "type": "user", "id": "ann", "properties": { "redacted": true } },
            "action": { "name": "a", "properties": { "committed": "yes" } },
            "resource": { "type": "doc", "id": "d" }, "context": { "redacted": true },
        });
        assert_eq!(event["input"], expected);
        assert_eq!((event.get("erased"), event.get("masked")), (None, None));
    }

    #[test]
    fn a_decision_before_any_bundle_has_none_and_an_event_is_no_decision() {
        let decision = json!({ "decision": false, "context": { "id": "01K", "reason": "no_policy" } });
        let event = |kind| event(&record(kind, json!({ "request": null, "decision": decision })));
        let expected = json!({
            "labels": { "app": "fallgate" }, "decision_id": "01K", "timestamp": "2026-01-01T00:00:00Z", "result": decision,
        });
        assert_eq!(event(RecordKind::Decision), Some(expected));
        assert_eq!(event(RecordKind::Pending), None);
    }
}
