//! Fallgate as a contestant: an engine with a workload's bundle, and its lanes.

use std::cell::Cell;
use std::error::Error;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use fallgate::authzen::{self, Endpoint};
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Engine, Request};
use serde_json::Value;

use crate::REQUESTS;
use crate::contest::{Contest, Label};
use crate::elsewhere::Elsewhere;

/// The time of every decision: 2026-01-02T12:00:00Z, an hour after the engine's start. It stands still, so that what
/// is measured is the decision and not the expiry of a cache.
pub const NOW: Now = Now::new(Monotonic::from_millis(3_600_000), Wall::from_millis(1_767_355_200_000));

/// An engine with that bundle active.
///
/// # Errors
///
/// Where the document is no bundle; the message has the diagnostics.
pub fn engine(document: &Value) -> Result<Engine, Box<dyn Error>> {
    made(document, Config::default())
}

fn made(document: &Value, config: Config) -> Result<Engine, Box<dyn Error>> {
    let bundle = Bundle::from_document(document, &Trust::unsigned_for_development(), &Limits::DEFAULT)?;
    let engine = Engine::new(config);
    engine.activate(bundle, NOW)?;
    Ok(engine)
}

/// An engine that records at that level of audit, with room for every record until the next drain.
///
/// # Errors
///
/// Where the document is no bundle.
pub fn with_audit(document: &Value, level: &str) -> Result<Engine, Box<dyn Error>> {
    let mut document = document.clone();
    document["audit"] = serde_json::json!({ "level": level });
    let mut config = Config::default();
    config.limits.audit_entries_max = 1 << 20;
    config.limits.audit_bytes_max = 1 << 30;
    made(&document, config)
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

/// How many requests a batch has.
pub const BATCH: usize = 1_000;

/// The requests as AuthZEN evaluations, a thousand each; of the last ones so few that they are no batch, none.
///
/// # Errors
///
/// Where one is no JSON.
pub fn batches(requests: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    requests.chunks_exact(BATCH).map(batch).collect()
}

fn batch(requests: &[Vec<u8>]) -> Result<Vec<u8>, Box<dyn Error>> {
    let items = requests.iter().map(|bytes| serde_json::from_slice(bytes)).collect::<Result<Vec<Value>, _>>()?;
    Ok(serde_json::json!({ "evaluations": items }).to_string().into_bytes())
}

/// Adds the lane of batches: AuthZEN's evaluations, a thousand a call.
///
/// # Errors
///
/// Where the bundle is refused, or a batch is not answered.
pub fn batch_lane(contest: &mut Contest<'_>, document: &Value, requests: &[Vec<u8>]) -> Result<(), Box<dyn Error>> {
    let engine = engine(document)?;
    let mut bodies = Vec::new();
    let mut answers = Vec::new();
    for requests in requests.chunks(BATCH) {
        let body = batch(requests)?;
        let answer = authzen::answer(&engine, Endpoint::Evaluations, &body, NOW);
        let answered: Value = serde_json::from_str(&answer.body)?;
        let decisions = answered["evaluations"].as_array().filter(|decisions| decisions.len() == requests.len());
        let decisions = decisions.ok_or_else(|| format!("a batch was answered with {}", answer.status))?;
        answers.extend(decisions.iter().map(|decision| decision["decision"] == true));
        if requests.len() == BATCH {
            bodies.push(body);
        }
    }
    let timed = "`authzen::answer` on 1,000 evaluations in JSON, answers in JSON; the time is that of one of them";
    let label = Label::new("fallgate", env!("CARGO_PKG_VERSION"), "batch of 1,000, bytes", timed);
    let next = Cell::new(0);
    let answer = move || {
        let body = &bodies[next.replace(next.get() + 1) % bodies.len()];
        black_box(authzen::answer(&engine, Endpoint::Evaluations, black_box(body), NOW));
    };
    contest.batches(label, BATCH as u64, move |at| answers[at], answer);
    Ok(())
}

/// Adds a lane for each level of audit. What is recorded is drained and confirmed between the timed stretches, on another
/// core, as a host does.
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
        let engine = Arc::new(with_audit(document, level)?);
        let typed = prepared(requests)?;
        let timed = "`decide` on a `Request`, what is kept of it for the record, and dropping the decision";
        let label = Label::new("fallgate", env!("CARGO_PKG_VERSION"), &format!("audit {level}"), timed);
        let drained = Arc::clone(&engine);
        let drainer = Elsewhere::new(move || drain(&drained));
        contest.lane_with_pauses(label, move |at| engine.decide(&typed[at], NOW).is_allow(), move || drainer.work());
    }
    Ok(())
}

/// Hands every record out and confirms it, as a host does that has written it.
pub fn drain(engine: &Engine) {
    loop {
        let batch = engine.drain_audit(usize::MAX, NOW);
        if batch.lines.is_empty() {
            return;
        }
        engine.acknowledge_audit(batch.last_seq, NOW);
    }
}

/// Decides on every request twice: the second decision must be a cached one.
///
/// # Errors
///
/// Where it is not.
pub fn warm(engine: &Engine, requests: &[Request]) -> Result<(), Box<dyn Error>> {
    for request in requests {
        let _first = engine.decide(request, NOW);
    }
    let hits = requests.iter().filter(|request| engine.decide(request, NOW).cached()).count();
    if hits < REQUESTS {
        return Err(format!("only {hits} of {REQUESTS} decisions are cached").into());
    }
    Ok(())
}
