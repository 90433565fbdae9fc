//! The paths of a decision whose instructions are counted: each a workload, what it is given, and how it ends.
//!
//! Times on a shared machine swing; how many instructions a path takes does not. So these counts are what a budget
//! holds (`benches/budget`), and what CI compares.

use std::cell::Cell;
use std::error::Error;
use std::hint::black_box;

use fallgate::authzen::{self, Endpoint};
use fallgate::{Engine, Request};
use serde_json::{Value, json};

use crate::engine::{BATCH, NOW, batches, engine, prepared};
use crate::floors::bytes;
use crate::{admission, failing, many_rules, roles, scale};

/// The paths, by name.
pub const NAMES: [&str; 44] = [
    "w1-allow",
    "w1-deny",
    "w1-cached",
    "w1-bytes",
    "w1-cached-bytes",
    "w1-batch",
    "w2-allow",
    "w2-deny",
    "w2-cached",
    "w2-bytes",
    "w2-cached-bytes",
    "w2-batch",
    "w2-audit-none",
    "w2-audit-denies",
    "w2-audit-all",
    "w2-audit-no-room",
    "w3-100",
    "w3-10000",
    "w3-10000-cached",
    "w4",
    "w4-bytes",
    "w4-rego",
    "w5",
    "rules-1000-activate",
    "quarantines-10",
    "quarantines-10000",
    "quarantines-10-begin",
    "quarantines-10000-begin",
    "signals-10",
    "signals-1000",
    "signals-10-observe",
    "signals-1000-observe",
    "scopes-10",
    "scopes-1000",
    "scopes-10-enter",
    "scopes-1000-enter",
    "cached-1000",
    "cached-10000",
    "proposals-10",
    "proposals-1000",
    "proposals-10-propose",
    "proposals-1000-propose",
    "proposals-10-observe",
    "proposals-1000-observe",
];

/// One path, ready to be walked.
pub struct Path {
    decide: Box<dyn Fn(usize) -> bool>,
    requests: usize,
    /// How many decisions a request asks for.
    each: usize,
}

impl Path {
    /// The path of that name, warm: what a first decision sets up is set up.
    ///
    /// # Errors
    ///
    /// Where there is no such path, or its bundle or requests are refused.
    pub fn named(name: &str) -> Result<Self, Box<dyn Error>> {
        let path = Self::made(name)?;
        for at in 0..path.requests {
            let _warm = (path.decide)(at);
        }
        Ok(path)
    }

    fn made(name: &str) -> Result<Self, Box<dyn Error>> {
        let (workload, rest) = name.split_once('-').unwrap_or((name, ""));
        match workload {
            "w1" => roles_path(roles::Kind::Roles, rest),
            "w2" => roles_path(roles::Kind::Attributes, rest),
            "w3" => {
                let (size, cached) = rest.strip_suffix("-cached").map_or((rest, false), |size| (size, true));
                let size = size.parse()?;
                let rules = many_rules::Rule::seeded(size);
                let requests = bytes(&many_rules::Request::seeded(size), many_rules::Request::to_json);
                typed(&many_rules::document(&rules, cached), &requests, |_| true)
            }
            "w4" if rest == "bytes" => untyped(&admission::document(), admission_bytes()),
            "w4" if rest == "rego" => typed(&admission::rego_document(), &admission_bytes(), |_| true),
            "w4" => typed(&admission::document(), &admission_bytes(), |_| true),
            "w5" => failing_path(),
            _ if scale::dimension(workload).is_some() => scale_path(workload, rest),
            _ => Err(format!("there is no path `{name}`").into()),
        }
    }

    /// How many decisions a walk makes.
    #[must_use]
    pub const fn decisions(&self) -> usize {
        self.requests * self.each
    }

    /// Decides on each request. What is counted is this function and all that it calls.
    #[inline(never)]
    pub fn walk(&self) -> usize {
        (0..self.requests).filter(|at| (self.decide)(black_box(*at))).count()
    }
}

fn roles_path(kind: roles::Kind, rest: &str) -> Result<Path, Box<dyn Error>> {
    let requests = bytes(&roles::Request::seeded(), |request| request.to_json(kind));
    let document = |cached| roles::document(kind, &roles::Grants::seeded(), cached);
    match rest {
        "allow" => typed(&document(false), &requests, |allowed| allowed),
        "deny" => typed(&document(false), &requests, |allowed| !allowed),
        "cached" => typed(&document(true), &requests, |_| true),
        "bytes" => untyped(&document(false), requests),
        "cached-bytes" => untyped(&document(true), requests),
        "batch" => batched(&document(false), &requests),
        _ => audited(document(false), rest, &requests),
    }
}

fn admission_bytes() -> Vec<Vec<u8>> {
    bytes(&admission::requests(), Clone::clone)
}

/// Prepared requests: those whose answer `chosen` takes.
fn typed(document: &Value, requests: &[Vec<u8>], chosen: impl Fn(bool) -> bool) -> Result<Path, Box<dyn Error>> {
    let engine = engine(document)?;
    let mut requests = prepared(requests)?;
    requests.retain(|request| chosen(engine.decide(request, NOW).is_allow()));
    Ok(walking(engine, requests))
}

fn walking(engine: Engine, requests: Vec<Request>) -> Path {
    let count = requests.len();
    Path { decide: Box::new(move |at| engine.decide(&requests[at], NOW).is_allow()), requests: count, each: 1 }
}

fn untyped(document: &Value, requests: Vec<Vec<u8>>) -> Result<Path, Box<dyn Error>> {
    let engine = engine(document)?;
    let count = requests.len();
    Ok(Path { decide: Box::new(move |at| engine.decide_json(&requests[at], NOW).is_allow()), requests: count, each: 1 })
}

/// Every request, in AuthZEN evaluations, whose answers are written too.
fn batched(document: &Value, requests: &[Vec<u8>]) -> Result<Path, Box<dyn Error>> {
    let engine = engine(document)?;
    let bodies = batches(requests)?;
    let count = bodies.len();
    let answer = move |at: usize| authzen::answer(&engine, Endpoint::Evaluations, &bodies[at], NOW).status == 200;
    Ok(Path { decide: Box::new(answer), requests: count, each: BATCH })
}

/// Every request, with audit at that level. Nothing is drained: the buffer has room for all, or, under `no-room`, for none
/// that is left when the walk begins.
fn audited(mut document: Value, rest: &str, requests: &[Vec<u8>]) -> Result<Path, Box<dyn Error>> {
    let level = match rest {
        "audit-none" => "none",
        "audit-denies" => "denies",
        "audit-all" | "audit-no-room" => "all",
        _ => return Err(format!("there is no path `w2-{rest}`").into()),
    };
    document["audit"] = json!({ "level": level });
    let engine = engine(&document)?;
    let requests = prepared(requests)?;
    while rest == "audit-no-room" && engine.audit_counters().unrecorded == 0 {
        for request in &requests {
            let _recorded = engine.decide(request, NOW);
        }
    }
    Ok(walking(engine, requests))
}

/// How often an operation is done on a walk.
const OPERATIONS: usize = 16;

/// Much of one thing: the first questions of its world, or an operation, whose end is its name.
fn scale_path(name: &str, rest: &str) -> Result<Path, Box<dyn Error>> {
    let unknown = || format!("there is no path `{name}-{rest}`");
    let dimension = scale::dimension(name).ok_or_else(unknown)?;
    let (size, operation) = rest.split_once('-').map_or((rest, None), |(size, operation)| (size, Some(operation)));
    let world = (dimension.world)(size.parse()?)?;
    let Some(operation) = operation else {
        let count = world.questions.first().ok_or_else(unknown)?.requests.len();
        let decide = move |at: usize| world.decide(&world.questions[0].requests[at]).is_allow();
        return Ok(Path { decide: Box::new(decide), requests: count, each: 1 });
    };
    let named = |one: &scale::worlds::Operation| one.name == operation;
    let at = world.operations.iter().position(named).ok_or_else(unknown)?;
    // A path is walked twice, once to be warm: no operation is done twice.
    let done = Cell::new(0);
    let act = move |_| {
        (world.operations[at].act)(&world, done.replace(done.get() + 1));
        true
    };
    Ok(Path { decide: Box::new(act), requests: if operation == "activate" { 1 } else { OPERATIONS }, each: 1 })
}

/// W5, a millisecond a decision.
fn failing_path() -> Result<Path, Box<dyn Error>> {
    let system = failing::System::new()?;
    let millis = Cell::new(0);
    let decide = move |at: usize| system.decide(at, millis.replace(millis.get() + 1)).is_allow();
    Ok(Path { decide: Box::new(decide), requests: failing::DECISIONS, each: 1 })
}
