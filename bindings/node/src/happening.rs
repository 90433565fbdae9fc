//! Events, as JSON for the JavaScript side.

use fallgate::Engine;
use fallgate::state::events::{Event, EventKind};
use napi::bindgen_prelude::External;
use napi_derive::napi;
use serde_json::{Value, json};

use crate::engine::Handle;

/// The oldest event that was not polled yet, as JSON.
#[napi(catch_unwind)]
pub fn poll_event(handle: &External<Handle>) -> Option<String> {
    handle.with(Engine::poll_event).map(|event| to_json(&event).to_string())
}

/// An event as JSON. The clocks are texts, since a number of JavaScript does not hold them.
pub(crate) fn to_json(event: &Event) -> Value {
    let mut json = particulars(&event.kind);
    if let Some(members) = json.as_object_mut() {
        members.insert("code".to_owned(), event.kind.code().into());
        members.insert("monotonicNs".to_owned(), event.at.monotonic.as_nanos().to_string().into());
        members.insert("wallNs".to_owned(), event.at.wall.as_nanos().to_string().into());
    }
    json
}

fn particulars(kind: &EventKind) -> Value {
    match kind {
        EventKind::BundleActivated { bundle, revision } => json!({ "bundle": bundle.as_str(), "revision": revision }),
        EventKind::BundleRefused { bundle, revision, code } => {
            json!({ "bundle": bundle.as_str(), "revision": revision, "cause": code })
        }
        EventKind::SignalChanged { signal, from, to, .. } => {
            json!({ "signal": signal.as_str(), "from": from.name(), "to": to.name() })
        }
        EventKind::ObservationIgnored { signal, outcome } => {
            json!({ "signal": signal.as_str(), "outcome": outcome.code() })
        }
        _ => json!({}),
    }
}
