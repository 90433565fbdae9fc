//! What is asked: the requests of a pack's own cases and drills, each once, of an engine on a good day.

use std::collections::BTreeSet;

use fallgate::drill::{Drill, START};
use fallgate::engine::ActivateError;
use fallgate::limits::Limits;
use fallgate::policy::bundle::Bundle;
use fallgate::policy::signal::Source;
use fallgate::time::{Monotonic, Now};
use fallgate::{Config, Engine, Observation, Request};
use serde_json::Value;

use crate::command::call_well;

/// A request, as bytes, and as a host holds it where its bytes are those of a request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// As bytes.
    pub bytes: Vec<u8>,
    /// As a host holds it.
    pub prepared: Option<Request>,
}

/// The requests of the pack's cases and of these drills, each once, in the order of their bytes.
#[must_use]
pub fn requests(bundle: &Bundle, drills: &[Drill]) -> Vec<Asked> {
    let cases = bundle.policy().tests.iter().map(|case| &case.request);
    let steps = drills.iter().flat_map(|drill| &drill.steps);
    let asked = steps.flat_map(|step| step.decide.iter().chain(&step.decide_pending));
    let all: BTreeSet<Vec<u8>> = cases.chain(asked).map(bytes_of).collect();
    let held = |bytes: Vec<u8>| Asked { prepared: Request::from_json(&bytes, &Limits::DEFAULT).ok(), bytes };
    all.into_iter().map(held).collect()
}

/// A text as it stands, which may be broken on purpose; anything else as JSON.
fn bytes_of(request: &Value) -> Vec<u8> {
    match request {
        Value::String(text) => text.as_bytes().to_vec(),
        json => json.to_string().into_bytes(),
    }
}

/// An engine that decides by the bundle with every observed signal ok and every guard called well, and the time at which
/// it is asked, which stands still: so nothing expires, and every request goes the longest way that it can.
///
/// # Errors
/// Why the bundle cannot decide.
pub fn engine(bundle: &Bundle, keeps_answers: bool) -> Result<(Engine, Now), ActivateError> {
    let now = Now::new(Monotonic::ZERO, bundle.policy().valid_from.unwrap_or(START));
    let mut config = Config::default();
    if !keeps_answers {
        config.limits.cache_entries_max = 0;
    }
    let engine = Engine::new(config);
    engine.activate(bundle.clone().without_tests(), now)?;
    for spec in bundle.policy().signals.iter().filter(|spec| matches!(spec.source, Source::Observed { .. })) {
        engine.observe(&Observation::ok(&spec.name), now);
    }
    call_well(&engine, bundle, &BTreeSet::new(), now);
    Ok((engine, now))
}

/// Takes out what the engine has kept for its host, so that there is room for more.
pub fn drain(engine: &Engine, now: Now) {
    while engine.poll_event().is_some() {}
    let batch = engine.drain_audit(usize::MAX, now);
    if batch.last_seq > 0 {
        engine.acknowledge_audit(batch.last_seq, now);
    }
}
