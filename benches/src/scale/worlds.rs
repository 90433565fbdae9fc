//! An engine with much of one thing, and what is asked of it.

use std::cell::Cell;
use std::error::Error;

use data_encoding::BASE32_NOPAD;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::state::approvals::Proof;
use fallgate::state::proposal::ProposalId;
use fallgate::state::quarantine::Selector;
use fallgate::state::signals::Observed;
use fallgate::state::totp;
use fallgate::time::{Now, Ttl};
use fallgate::{Config, Decision, Engine, Observation, Reason, Request};
use serde_json::{Value, json};

use crate::engine::{NOW, prepared};
use crate::floors::bytes;
use crate::many_rules;
use crate::random::Random;
use crate::{REQUESTS, SEED};

/// An engine with much of something.
pub struct World {
    /// The engine.
    pub engine: Engine,
    /// The bytes of its bundle.
    pub bundle: Vec<u8>,
    /// What is asked of it.
    pub questions: Vec<Questions>,
    /// What else it does.
    pub operations: Vec<Operation>,
    /// How much there is of it.
    size: usize,
    /// The time, which only ever goes on.
    now: Cell<Now>,
    /// What was proposed last.
    proposed: Cell<ProposalId>,
}

/// Requests that are all answered alike.
pub struct Questions {
    /// What they have in common.
    pub what: &'static str,
    /// The requests.
    pub requests: Vec<Request>,
}

/// Something that an engine does, besides to decide.
pub struct Operation {
    /// Its name in paths.
    pub name: &'static str,
    /// What.
    pub what: &'static str,
    /// Does it, for the so-manieth time.
    pub act: fn(&World, usize),
    /// Undoes it, where it would add up; outside of what is timed.
    pub undo: Option<fn(&World, usize)>,
}

/// The limits of every world: above the most that any of them has.
fn limits() -> Limits {
    let mut limits = Limits::DEFAULT;
    limits.cache_entries_max = 0;
    limits.proposals_max = 50_000;
    limits
}

impl World {
    /// An engine with that bundle active, of which nothing was asked yet.
    fn new(size: usize, document: &Value, limits: Limits) -> Result<Self, Box<dyn Error>> {
        let bundle = Bundle::from_document(document, &Trust::unsigned_for_development(), &limits)?.bytes().to_vec();
        let mut config = Config::default();
        config.limits = limits;
        let world = Self {
            engine: Engine::new(config),
            bundle,
            questions: Vec::new(),
            operations: vec![Operation { name: "activate", what: "activate", act: Self::activate, undo: None }],
            size,
            now: Cell::new(NOW),
            proposed: Cell::default(),
        };
        world.activate(0);
        if world.engine.bundle().is_none() {
            return Err("the bundle was not activated".into());
        }
        Ok(world)
    }

    /// The time in this world.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now.get()
    }

    /// Decides on a request.
    #[must_use]
    pub fn decide(&self, request: &Request) -> Decision {
        self.engine.decide(request, self.now())
    }

    /// From the bytes of the bundle to an engine that decides by it. What the engine was told stays.
    fn activate(&self, _at: usize) {
        let (trust, limits) = (Trust::unsigned_for_development(), &self.engine.config().limits);
        let bundle = Bundle::from_json_within(&self.bundle, &trust, limits).expect("it was built from a document");
        self.engine.activate(bundle, self.now()).expect("it is the same as before");
    }

    fn ask(&mut self, what: &'static str, expected: Reason, requests: Vec<Request>) -> Result<(), Box<dyn Error>> {
        let other = requests.iter().map(|request| self.decide(request).reason());
        if let Some(reason) = other.into_iter().find(|reason| *reason != expected) {
            return Err(format!("{what}: {}, and not {}", reason.code(), expected.code()).into());
        }
        self.questions.push(Questions { what, requests });
        Ok(())
    }

    fn does(&mut self, name: &'static str, what: &'static str, act: fn(&Self, usize), undo: Option<fn(&Self, usize)>) {
        self.operations.push(Operation { name, what, act, undo });
    }
}

/// Requests of `user-N` to read something of a tenant, for so many numbers below a bound.
fn requests(of: &str, bound: usize) -> Result<Vec<Request>, Box<dyn Error>> {
    let mut random = Random::seeded(SEED ^ 7);
    let request = |_| {
        let number = random.below(bound);
        json!({
            "subject": { "type": "user", "id": format!("{of}-{number}") },
            "action": { "name": "read" },
            "resource": { "type": "file", "id": format!("file-{number}"), "properties": { "tenant": format!("{of}-{number}") } },
        })
        .to_string()
        .into_bytes()
    };
    let requests: Vec<Vec<u8>> = (0..REQUESTS).map(request).collect();
    prepared(&requests)
}

/// A bundle by which everybody may read, and nobody write.
fn document(name: &str) -> Value {
    json!({
        "fallgate": 1, "name": name, "revision": 1,
        "schema": { "subject": { "user": {} }, "resource": { "file": { "tenant": "string" } } },
        "actions": { "read": { "class": "read" }, "write": { "class": "write" } },
        "rules": [{ "id": "everybody-reads", "effect": "allow", "action": "read" }],
    })
}

/// So many rules: W3, of which a request matches about three.
///
/// # Errors
///
/// Where the bundle is refused.
pub fn rules(count: usize) -> Result<World, Box<dyn Error>> {
    let document = many_rules::document(&many_rules::Rule::seeded(count), false);
    let mut world = World::new(count, &document, limits())?;
    let requests = prepared(&bytes(&many_rules::Request::seeded(count), many_rules::Request::to_json))?;
    world.questions.push(Questions { what: "decide", requests });
    Ok(world)
}

fn begin_quarantine(world: &World, at: usize) {
    let id = format!("one-more-{at}");
    world.engine.quarantine(&Selector::Subject("user", &id), &Default::default(), world.now()).expect("it has no end");
}

fn lift_quarantine(world: &World, at: usize) {
    let id = format!("one-more-{at}");
    world.engine.lift_quarantine(&Selector::Subject("user", &id), world.now()).expect("it has just begun");
}

/// So many quarantined subjects.
///
/// # Errors
///
/// Where the bundle is refused, or a decision comes out wrong.
pub fn quarantines(count: usize) -> Result<World, Box<dyn Error>> {
    let mut world = World::new(count, &document("scale-quarantines"), limits())?;
    for number in 0..count {
        let id = format!("held-{number}");
        world.engine.quarantine(&Selector::Subject("user", &id), &Default::default(), world.now())?;
    }
    world.ask("decide, none of them", Reason::AllowedByRule, requests("free", count)?)?;
    world.ask("decide, one of them", Reason::Quarantined, requests("held", count)?)?;
    world.does("begin", "quarantine one more", begin_quarantine, Some(lift_quarantine));
    Ok(world)
}

fn observe(world: &World, at: usize) {
    // A millisecond later: else it would be the observation before, once more.
    world.now.set(world.now().after(Ttl::from_millis(1)));
    let observed = world.engine.observe(&Observation::ok(&format!("s-{}", at % 3)), world.now());
    assert_eq!(observed, Observed::Taken);
}

/// So many signals, of which a decision reads three.
///
/// # Errors
///
/// Where the bundle is refused, or a decision comes out wrong.
pub fn signals(count: usize) -> Result<World, Box<dyn Error>> {
    let mut document = document("scale-signals");
    document["signals"] = (0..count).map(|at| (format!("s-{at}"), json!({ "ttl": "1h" }))).collect();
    document["actions"]["read"]["requires"] = json!(["s-0", "s-1"]);
    document["rules"][0]["when"] = json!("signals[\"s-2\"].ok");
    document["postures"] = json!([
        { "name": "read-only", "rank": 1, "permits": { "classes": ["read"] }, "leave": {},
          "enter": { "when": "signals[\"s-0\"].failed", "for": "1s" } },
    ]);
    let mut world = World::new(count, &document, limits())?;
    for at in 0..count {
        world.engine.observe(&Observation::ok(&format!("s-{at}")), world.now());
    }
    world.ask("decide, reading three", Reason::AllowedByRule, requests("user", REQUESTS)?)?;
    world.does("observe", "observe one", observe, None);
    world.does("begin", "quarantine somebody", begin_quarantine, Some(lift_quarantine));
    Ok(world)
}

fn enter_posture(world: &World, at: usize) {
    let scope = format!("tenant:one-more-{at}");
    world.engine.enter_posture("closed", Some(&scope), world.now()).expect("the bundle has the posture");
}

fn leave_posture(world: &World, at: usize) {
    let scope = format!("tenant:one-more-{at}");
    world.engine.leave_posture("closed", Some(&scope), world.now()).expect("nothing holds it");
}

/// So many scopes in which a posture is entered.
///
/// # Errors
///
/// Where the bundle is refused, or a decision comes out wrong.
pub fn scopes(count: usize) -> Result<World, Box<dyn Error>> {
    let mut document = document("scale-scopes");
    document["signals"] = (0..3).map(|at| (format!("s-{at}"), json!({ "ttl": "1h" }))).collect();
    document["scopes"] = json!({ "tenant": "resource.tenant" });
    document["postures"] = json!([{ "name": "closed", "rank": 1, "permits": { "classes": ["write"] }, "leave": {} }]);
    let mut world = World::new(count, &document, limits())?;
    for number in 0..count {
        world.engine.enter_posture("closed", Some(&format!("tenant:held-{number}")), world.now())?;
    }
    world.ask("decide, in none of them", Reason::AllowedByRule, requests("free", count)?)?;
    world.ask("decide, in one of them", Reason::Posture, requests("held", count)?)?;
    world.does("enter", "enter one more", enter_posture, Some(leave_posture));
    world.does("observe", "observe a signal", observe, None);
    Ok(world)
}

/// So many cached decisions.
///
/// # Errors
///
/// Where the bundle is refused, or a decision comes out wrong.
pub fn cached(count: usize) -> Result<World, Box<dyn Error>> {
    let mut document = document("scale-cached");
    document["actions"]["read"]["cache"] = json!({ "allow": "1h", "deny": "1h" });
    document["rules"][0]["when"] = json!("subject.id != resource.tenant + \"-\"");
    let mut limits = limits();
    // The parts of a cache are never filled alike.
    (limits.cache_entries_max, limits.cache_bytes_max) = (count * 2 + 1_024, 1 << 30);
    let mut world = World::new(count, &document, limits)?;
    let mut request = requests("user", 1)?.swap_remove(0);
    for number in 0..count {
        let name = format!("user-{number}");
        request.resource.properties.insert("tenant", (&json!(name)).into());
        request.subject.id = name.into();
        let _kept = world.decide(&request);
    }
    if world.engine.counters().cached_decisions < count as u64 {
        return Err(format!("{} of {count} decisions are cached", world.engine.counters().cached_decisions).into());
    }
    let hits = requests("user", count)?;
    if !hits.iter().all(|request| world.decide(request).cached()) {
        return Err("a decision that was kept is not found".into());
    }
    world.ask("decide, one of them", Reason::AllowedByRule, hits)?;
    world.does("keep", "decide and keep one more", keep_one_more, None);
    Ok(world)
}

fn keep_one_more(world: &World, at: usize) {
    let mut request = world.questions[0].requests[at % REQUESTS].clone();
    request.subject.id = format!("one-more-{at}").into();
    let _kept = world.decide(&request);
}

/// How many people propose, so that none has more than his share.
const PROPOSERS: usize = 100;

/// For how long a code is the current one.
const STEP: Ttl = Ttl::from_secs(30);

/// So many proposals that wait for approval: half of them to leave a posture, half of them for overrides.
///
/// # Errors
///
/// Where the bundle is refused, or a decision comes out wrong.
pub fn proposals(count: usize) -> Result<World, Box<dyn Error>> {
    let mut document = document("scale-proposals");
    document["signals"] = (0..3).map(|at| (format!("s-{at}"), json!({ "ttl": "24h" }))).collect();
    document["approvers"]["people"] =
        (0..PROPOSERS).map(|at| (person(at), json!(format!("totp:{}", BASE32_NOPAD.encode(&secret(at)))))).collect();
    document["overrides"] = json!({ "need": 2, "from": "people", "max_window": "1h", "max_uses": 50 });
    document["postures"] = json!([
        { "name": "read-only", "rank": 1, "permits": { "classes": ["read"] },
          "leave": { "approvals": { "need": 2, "from": "people" } } },
    ]);
    let mut world = World::new(count, &document, limits())?;
    world.engine.enter_posture("read-only", None, world.now())?;
    for number in 0..count {
        propose(&world, number)?;
    }
    if world.engine.proposals().len() != count {
        return Err(format!("{} of {count} proposals wait", world.engine.proposals().len()).into());
    }
    world.ask("decide, allowed", Reason::AllowedByRule, requests("user", REQUESTS)?)?;
    let mut writes = requests("user", REQUESTS)?;
    writes.iter_mut().for_each(|request| request.action.name = "write".into());
    world.ask("decide, denied", Reason::Posture, writes)?;
    world.does("propose", "propose one more", propose_one_more, Some(withdraw));
    world.does("observe", "observe a signal", observe, None);
    Ok(world)
}

fn person(at: usize) -> String {
    format!("person-{at}")
}

fn secret(at: usize) -> [u8; 20] {
    std::array::from_fn(|byte| (at * 7 + byte) as u8)
}

/// The next person with a code that is not used yet, and the code: with each round of people the time is a step later.
fn next_code(world: &World, number: usize) -> (usize, String) {
    let now = NOW.after(Ttl::from_nanos(STEP.as_nanos() * (1 + number / PROPOSERS) as u64));
    if world.now().monotonic < now.monotonic {
        world.now.set(now);
    }
    let who = number % PROPOSERS;
    (who, totp::code(&secret(who), totp::step(now.wall).unwrap_or_default()))
}

fn propose(world: &World, number: usize) -> Result<ProposalId, Box<dyn Error>> {
    let (who, code) = next_code(world, number);
    let operation = if (number / 2).is_multiple_of(2) {
        json!({ "leave_posture": { "posture": "read-only" } })
    } else {
        json!({ "grant_override": {
            "subjects": [format!("user:user-{number}")], "actions": ["write"], "resources": ["file:*"],
            "for": "10m", "uses": 1,
        } })
    };
    let now = world.now();
    let document = json!({
        "fallgate": "proposal/1", "bundle": "scale-proposals", "operation": operation,
        "by": person(who), "reason": "to see what so many cost", "nonce": number.to_string(),
        "issued_at": written(now), "expires_at": written(now.after(Ttl::from_secs(20 * 3_600))),
    });
    Ok(world.engine.propose(&document, Proof::Code(&code), now)?)
}

/// The number of a proposal that is made, and withdrawn with the one behind, once the world stands.
fn behind(world: &World, at: usize) -> usize {
    world.size.next_multiple_of(PROPOSERS) + 2 * at
}

fn propose_one_more(world: &World, at: usize) {
    let id = propose(world, behind(world, at)).expect("nobody has proposed it yet");
    world.proposed.set(id);
}

fn withdraw(world: &World, at: usize) {
    let (who, code) = next_code(world, behind(world, at) + 1);
    let id = world.proposed.get();
    world.engine.withdraw(id, &person(who), Proof::Code(&code), world.now()).expect("it has just been proposed");
}

/// The wall clock as RFC 3339 has it.
fn written(now: Now) -> String {
    now.wall.as_timestamp().to_string()
}

#[cfg(test)]
mod tests {
    use crate::scale::DIMENSIONS;

    #[test]
    fn the_smallest_world_of_each_is_as_it_says_and_does_what_it_says() {
        for dimension in DIMENSIONS {
            let world = (dimension.world)(dimension.sizes[0]).unwrap();
            assert!(!world.questions.is_empty(), "{}", dimension.name);
            for operation in &world.operations {
                for at in 0..10 {
                    (operation.act)(&world, at);
                    operation.undo.iter().for_each(|undo| undo(&world, at));
                }
            }
        }
    }
}
