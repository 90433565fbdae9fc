//! Events, as JSON for the JavaScript side.

use fallgate::Engine;
use fallgate::state::events::{Event, EventKind};
use napi::bindgen_prelude::External;
use napi_derive::napi;
use serde_json::{Map, Value};

use crate::engine::Handle;

/// The oldest event that was not polled yet, as JSON.
#[napi(catch_unwind)]
pub fn poll_event(handle: &External<Handle>) -> Option<String> {
    handle.with(Engine::poll_event).map(|event| to_json(&event).to_string())
}

/// An event as JSON: the core's, in JavaScript's spelling. The clocks are texts, since a number of JavaScript does not hold
/// them.
pub(crate) fn to_json(event: &Event) -> Value {
    // What the core calls the event's `code` is why it happened, and here the event's own name is called so.
    let cause = match event.kind {
        EventKind::ObservationIgnored { .. } => "outcome",
        _ => "cause",
    };
    let mut json = Map::new();
    if let Value::Object(members) = event.to_json() {
        for (name, value) in members {
            match name.as_str() {
                "event" | "at" | "monotonic_ms" => None,
                "code" => json.insert(cause.to_owned(), value),
                _ => json.insert(camel(&name), value),
            };
        }
    }
    json.insert("code".to_owned(), event.kind.code().into());
    json.insert("monotonicNs".to_owned(), event.at.monotonic.as_nanos().to_string().into());
    json.insert("wallNs".to_owned(), event.at.wall.as_nanos().to_string().into());
    json.into()
}

/// A name of the core as JavaScript spells it: `expires_in` is `expiresIn`.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut spelled = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        spelled.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        spelled.push_str(letters.as_str());
    }
    spelled
}
