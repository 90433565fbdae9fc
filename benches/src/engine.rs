//! Fallgate as a contestant: an engine with a workload's bundle, and its lanes.

use std::error::Error;
use std::rc::Rc;

use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Engine, Request};
use serde_json::Value;

use crate::REQUESTS;
use crate::contest::{Contest, Label};

/// The time of every decision: 2026-01-02T12:00:00Z, an hour after the engine's start. It stands still, so that what
/// is measured is the decision and not the expiry of a cache.
pub const NOW: Now = Now::new(Monotonic::from_millis(3_600_000), Wall::from_millis(1_767_355_200_000));

/// An engine with that bundle active.
///
/// # Errors
///
/// Where the document is no bundle; the message has the diagnostics.
pub fn engine(document: &Value) -> Result<Engine, Box<dyn Error>> {
    let bundle = Bundle::from_document(document, &Trust::unsigned_for_development(), &Limits::DEFAULT)?;
    let engine = Engine::new(Config::default());
    engine.activate(bundle, NOW)?;
    Ok(engine)
}

/// The requests as Fallgate's own type.
///
/// # Errors
///
/// Where one is no AuthZEN request.
pub fn prepared(bytes: &[Vec<u8>]) -> Result<Vec<Request>, Box<dyn Error>> {
    bytes.iter().map(|bytes| Ok(Request::from_json(bytes, &Limits::DEFAULT)?)).collect()
}

/// A bundle under test: how its lanes are called, and whether each decision must come out of the cache.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// What stands before `prepared` and `bytes` in the lanes' variants, with a comma behind it; or nothing.
    pub variant: &'static str,
    /// Whether every decision must be a cached one.
    pub cached: bool,
}

/// Adds the two lanes of a bundle, one for prepared requests and one for bytes.
///
/// # Errors
///
/// Where the bundle or a request is refused, or where the cache does not hold what it should.
pub fn lanes<'a>(
    contest: &mut Contest<'a>,
    entry: Entry,
    document: &Value,
    requests: &'a [Vec<u8>],
) -> Result<(), Box<dyn Error>> {
    let engine = Rc::new(engine(document)?);
    let typed = prepared(requests)?;
    if entry.cached {
        warm(&engine, &typed)?;
    }
    let label = |form: &str, timed| {
        let variant = if entry.variant.is_empty() { form.into() } else { format!("{}, {form}", entry.variant) };
        Label::new("fallgate", env!("CARGO_PKG_VERSION"), &variant, timed)
    };
    let shared = Rc::clone(&engine);
    contest.lane(label("prepared", "`decide` on a `Request`, and dropping the decision"), move |at| {
        shared.decide(&typed[at], NOW).is_allow()
    });
    contest.lane(label("bytes", "`decide_json` on the AuthZEN JSON, and dropping the decision"), move |at| {
        engine.decide_json(&requests[at], NOW).is_allow()
    });
    Ok(())
}

/// Adds a lane for each level of audit. What is recorded is drained and confirmed between the timed stretches, as a host does
/// on another thread.
///
/// # Errors
///
/// Where the bundle or a request is refused.
pub fn audit_lanes<'a>(
    contest: &mut Contest<'a>,
    document: &Value,
    requests: &[Vec<u8>],
) -> Result<(), Box<dyn Error>> {
    for level in ["none", "denies", "all"] {
        let mut document = document.clone();
        document["audit"] = serde_json::json!({ "level": level });
        let engine = Rc::new(self::engine(&document)?);
        let typed = prepared(requests)?;
        let timed = "`decide` on a `Request`, what is kept of it for the record, and dropping the decision";
        let label = Label::new("fallgate", env!("CARGO_PKG_VERSION"), &format!("audit {level}"), timed);
        let drained = Rc::clone(&engine);
        contest.lane_with_pauses(label, move |at| engine.decide(&typed[at], NOW).is_allow(), move || drain(&drained));
    }
    Ok(())
}

fn drain(engine: &Engine) {
    loop {
        let batch = engine.drain_audit(usize::MAX, NOW);
        if batch.lines.is_empty() {
            return;
        }
        engine.acknowledge_audit(batch.last_seq, NOW);
    }
}

/// Decides on every request twice: the second decision must be a cached one.
fn warm(engine: &Engine, requests: &[Request]) -> Result<(), Box<dyn Error>> {
    for request in requests {
        let _first = engine.decide(request, NOW);
    }
    let hits = requests.iter().filter(|request| engine.decide(request, NOW).cached()).count();
    if hits < REQUESTS {
        return Err(format!("only {hits} of {REQUESTS} decisions are cached").into());
    }
    Ok(())
}
