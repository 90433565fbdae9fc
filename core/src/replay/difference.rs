//! Where two worlds part: what came of an input then, and what comes of it now.

use serde_json::{Map, Value, json};

use crate::journal::line::Line;
use crate::policy::bundle::escape;
use crate::time::Now;

/// What a difference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(usize)]
pub enum Kind {
    /// What was denied is allowed.
    NewlyAllowed,
    /// What was allowed is denied.
    NewlyDenied,
    /// The effect is the same, and its reason or rule is another one.
    Reason,
    /// Anything else: what a decision brings along, or what came of another input.
    Other,
}

impl Kind {
    /// Every kind, the one that matters most first.
    pub const ALL: [Self; 4] = [Self::NewlyAllowed, Self::NewlyDenied, Self::Reason, Self::Other];

    /// A stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NewlyAllowed => "newly_allowed",
            Self::NewlyDenied => "newly_denied",
            Self::Reason => "reason",
            Self::Other => "other",
        }
    }

    /// The kind of the difference between two decisions.
    #[must_use]
    pub fn of_decisions(then: &Value, now: &Value) -> Self {
        let context = |decision: &Value, name: &str| decision.get("context").and_then(|of| of.get(name)).cloned();
        let effect = |decision: &Value| decision.get("decision").and_then(Value::as_bool);
        match (effect(then), effect(now)) {
            (Some(false), Some(true)) => Self::NewlyAllowed,
            (Some(true), Some(false)) => Self::NewlyDenied,
            (Some(_), Some(_)) if ["reason", "rule"].iter().any(|name| context(then, name) != context(now, name)) => {
                Self::Reason
            }
            _ => Self::Other,
        }
    }
}

/// An input of which something else comes now.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The number of its entry, or of its record.
    pub number: u64,
    /// When it was.
    pub at: Now,
    /// What was done or asked, by its name.
    pub verb: String,
    /// With what.
    pub argument: Value,
    /// What came of it.
    pub recorded: Value,
    /// What comes of it now.
    pub replayed: Value,
    /// The JSON Pointer (RFC 6901) of the first member in which the two differ.
    pub pointer: String,
    /// What the difference is.
    pub kind: Kind,
}

impl Difference {
    /// The difference as JSON: `n`, `at`, the input by its name, `recorded`, `replayed`, `pointer` and `kind`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "n": self.number,
            "at": self.at.wall.to_string(),
            self.verb.as_str(): self.argument,
            "recorded": self.recorded,
            "replayed": self.replayed,
            "pointer": self.pointer,
            "kind": self.kind.code(),
        })
    }
}

/// What says of a decision by which bundle and from which cache it came: with another bundle it is always another one.
const OF_BUNDLE: [&str; 5] = ["id", "bundle", "revision", "cached", "expires_in_ms"];

/// Where what came of an input then and now part.
pub(super) fn difference(line: &Line, now: Map<String, Value>, other_bundle: bool) -> Option<Difference> {
    let (mut then, mut now) = (Value::Object(line.outcome.clone()), Value::Object(now));
    if then == now {
        return None;
    }
    let (recorded, replayed) = (then.clone(), now.clone());
    if other_bundle {
        for outcome in [&mut then, &mut now] {
            let context = outcome.pointer_mut("/outcome/context").and_then(Value::as_object_mut);
            if let Some(context) = context {
                context.retain(|name, _| !OF_BUNDLE.contains(&name.as_str()));
            }
        }
    }
    let pointer = first_difference(&then, &now)?;
    let kind = match (then.get("outcome"), now.get("outcome")) {
        (Some(then), Some(now)) => Kind::of_decisions(then, now),
        _ => Kind::Other,
    };
    let Line { number, at, verb, argument, .. } = line.clone();
    Some(Difference { number, at, verb, argument, recorded, replayed, pointer, kind })
}

/// The pointer to the first member in which two values differ; nothing where they are equal. The effect of a decision comes
/// before its particulars, and its identifier, which follows from the rest, last.
#[must_use]
pub fn first_difference(then: &Value, now: &Value) -> Option<String> {
    if then == now {
        return None;
    }
    match (then, now) {
        (Value::Object(a), Value::Object(b)) => {
            let mut names: Vec<&String> = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))).collect();
            names.sort_by_key(|name| (*name == "id", *name != "decision", name.as_str()));
            names.into_iter().find_map(|name| {
                let below = match (a.get(name), b.get(name)) {
                    (Some(a), Some(b)) => first_difference(a, b)?,
                    _ => String::new(),
                };
                Some(format!("/{}{below}", escape(name)))
            })
        }
        (Value::Array(a), Value::Array(b)) => {
            let pairs = a.iter().zip(b).enumerate();
            let found = pairs.into_iter().find_map(|(at, (a, b))| Some(format!("/{at}{}", first_difference(a, b)?)));
            Some(found.unwrap_or_else(|| format!("/{}", a.len().min(b.len()))))
        }
        _ => Some(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_member_that_differs_is_named() {
        let then = json!({ "context": { "id": "a", "reason": "x", "list": [1, 2] }, "decision": true });
        for (now, pointer) in [
            (json!({ "context": { "id": "b", "reason": "y", "list": [1, 2] }, "decision": false }), "/decision"),
            (json!({ "context": { "id": "b", "reason": "y", "list": [1, 2] }, "decision": true }), "/context/reason"),
            (json!({ "context": { "id": "b", "reason": "x", "list": [1, 2] }, "decision": true }), "/context/id"),
            (json!({ "context": { "id": "a", "reason": "x", "list": [1] }, "decision": true }), "/context/list/1"),
            (json!({ "context": { "id": "a", "list": [1, 2] }, "decision": true }), "/context/reason"),
            (json!([]), ""),
        ] {
            assert_eq!(first_difference(&then, &now).as_deref(), Some(pointer), "{now}");
        }
        assert_eq!(first_difference(&then, &then), None);
    }

    #[test]
    fn an_effect_that_turns_is_told_apart_from_a_reason_that_does() {
        let decision = |effect: bool, reason: &str| json!({ "decision": effect, "context": { "reason": reason } });
        let (deny, allow) = (decision(false, "a"), decision(true, "a"));
        assert_eq!(Kind::of_decisions(&deny, &allow), Kind::NewlyAllowed);
        assert_eq!(Kind::of_decisions(&allow, &deny), Kind::NewlyDenied);
        assert_eq!(Kind::of_decisions(&deny, &decision(false, "b")), Kind::Reason);
        assert_eq!(Kind::of_decisions(&deny, &deny), Kind::Other);
        assert_eq!(Kind::of_decisions(&json!({}), &allow), Kind::Other);
    }
}
