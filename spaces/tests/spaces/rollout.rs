//! Rollouts: two successors of a bundle, of which one says what it newly allows and the other denies something besides;
//! their steps, approvals, what ends them, and the way back.
//!
//! Beside the engine goes a note of what was staged when, what was asked since, and who approved it. Which bundle is active
//! is taken from the engine, and looked at: how it became it has to be in the notes.

use data_encoding::BASE64;
use ed25519_dalek::Signer;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::request::Party;
use fallgate::state::approvals::Proof;
use fallgate::state::statement::Purpose;
use fallgate::time::{Now, Ttl};
use fallgate::{Config, Decision, Engine, Request};
use fallgate_spaces::memory::{CHANGES, TOLD, Telling};
use fallgate_spaces::{Counts, Met, Space, explore};
use serde_json::json;

use crate::{at, key, public};

const ACTIONS: [&str; 3] = ["read", "write", "erase"];
const ERASE: usize = 2;
/// By bundle: its rule, and which of the actions it allows.
const BUNDLES: [(&str, [bool; 3]); 3] =
    [("one", [true, true, false]), ("two", [true, true, true]), ("three", [true, false, true])];
const SHADOW: u64 = 1_000;
const HOLD: u64 = 1_000;
/// For how long a proposal is open.
const OPEN: u64 = 2_000;
const BEGINS: u64 = 100_000;
/// No span is longer than that a proposal is open.
const LONG_AGO: i64 = OPEN as i64;
/// What is counted in a step: one is the sample, and the most that ends a rollout, and there is no rate.
const COUNTED: [&str; 9] = [
    "compared",
    "newly_allowed",
    "newly_denied",
    "reason_only",
    "indeterminate",
    "undeclared",
    "sampled",
    "denied_before",
    "denied_after",
];

/// How large the spaces are, to their depth and closed, by what is staged at first.
const COUNTS_DECLARED: [Counts; 2] = [
    Counts { states: 334, transitions: 1_764, depth: 5, closed: false },
    Counts { states: 24_766, transitions: 297_192, depth: 26, closed: true },
];
const COUNTS_UNDECLARED: [Counts; 2] = [
    Counts { states: 312, transitions: 1_728, depth: 5, closed: false },
    Counts { states: 24_700, transitions: 296_400, depth: 29, closed: true },
];

#[derive(Clone, Copy, Debug)]
enum Step {
    Passes,
    Stage(usize),
    /// Somebody on the old side of the candidate, or on the new one, asks for an action.
    Asks(bool, usize),
    Promote,
    Approve,
    RollBack,
    ReturnTo(usize),
    Activate(usize),
}

/// What is in its rollout.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    bundle: usize,
    since: u64,
    /// How often somebody asked, and how often an operator promoted.
    asked: usize,
    promoted: usize,
    approved: bool,
    /// Whether it was seen to allow something newly, and nobody has approved it since.
    tainted: bool,
}

struct World {
    engine: Engine,
    millis: u64,
    active: usize,
    /// The highest that was ever active.
    floor: usize,
    /// What was active here.
    formers: [bool; 3],
    candidate: Option<Candidate>,
    /// The names of proposals, and of which bundle and when each was.
    proposed: Vec<(String, usize, u64)>,
}

struct Rollouts {
    bundles: [Bundle; 3],
    /// By bundle: somebody on the old side of it as a candidate, and somebody on the new.
    sides: [[String; 2]; 3],
    /// Which one is staged in the first world.
    staged: usize,
}

fn request(who: &str, action: usize) -> Request {
    Request::new(Party::new("user", who), ACTIONS[action], Party::new("doc", "1"))
}

fn bundle(number: usize) -> Bundle {
    let (rule, allows) = BUNDLES[number];
    let allowed: Vec<&str> = (0..3).filter(|action| allows[*action]).map(|action| ACTIONS[action]).collect();
    let mut document = json!({
        "fallgate": 1, "name": "space", "revision": number + 1,
        "actions": {"read": {}, "write": {}, "erase": {}},
        "approvers": {"owners": {"a": public("a"), "b": public("b")}},
        "rollout": {
            "shadow": "1s", "canary": ["50%"], "hold": "1s", "sample": 1,
            "approvals": {"need": 1, "from": "owners"}, "roll_back_when": {"newly_denied": 1},
        },
        "rules": [{"id": rule, "effect": "allow", "action": allowed}],
    });
    if number == 1 {
        document["rollout"]["newly_allows"] = json!(["erase"]);
    }
    Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
}

/// Somebody on each side of a canary of that bundle: the side hangs on nothing but the two.
fn sides(bundles: &[Bundle; 3], number: usize) -> [String; 2] {
    let engine = Engine::new(Config::default());
    engine.activate(bundles[0].clone(), at(0)).unwrap();
    engine.stage(bundles[number].clone(), at(0)).unwrap();
    let _ = engine.decide(&request("u", 0), at(0));
    engine.advance(at(SHADOW));
    let of = |revision: u64| {
        let names = (0..100).map(|name| format!("u{name}"));
        names.into_iter().find(|name| engine.decide(&request(name, 0), at(SHADOW)).revision() == revision).unwrap()
    };
    [of(1), of(u64::try_from(number + 1).unwrap())]
}

impl World {
    fn now(&self) -> Now {
        at(BEGINS + self.millis)
    }

    /// Takes note of what became the active bundle, and whether it may have.
    fn look(&mut self) -> Result<&'static str, String> {
        let active = self.engine.bundle().map_or(0, |bundle| usize::try_from(bundle.revision()).unwrap()) - 1;
        if active == self.active {
            if !self.engine.is_in_rollout() {
                self.candidate = None;
            }
            return Ok(if self.candidate.is_some() { "in a rollout" } else { "at rest" });
        }
        let Some(candidate) = self.candidate.take().filter(|candidate| candidate.bundle == active) else {
            return Err("a bundle is active that was no candidate".to_owned());
        };
        let timely = self.millis - candidate.since >= SHADOW + HOLD || candidate.promoted > 0;
        if candidate.tainted || !timely || candidate.asked < 2 {
            return Err(format!("it became active as {candidate:?}"));
        }
        self.activated(active);
        Ok("completed")
    }

    fn activated(&mut self, number: usize) {
        self.candidate = None;
        self.active = number;
        self.formers[number] = true;
        self.floor = self.floor.max(number);
    }

    /// I-32, S-24.7, S-24.10: what an answer may be while the candidate is what it is.
    fn answered(&self, decision: &Decision, new: bool, action: usize) -> Result<(), String> {
        let by = usize::try_from(decision.revision()).unwrap() - 1;
        let before = BUNDLES[self.active].1[action];
        let candidate = self.candidate.filter(|candidate| candidate.bundle == by && by != self.active);
        if by != self.active && candidate.is_none() {
            return Err(format!("bundle {by} has decided, which is neither active nor a candidate"));
        }
        if decision.is_allow() != BUNDLES[by].1[action] {
            return Err(format!("the answer is not what bundle {by} says"));
        }
        if let Some(candidate) = candidate {
            let in_shadow = self.millis - candidate.since < SHADOW && candidate.promoted == 0 && !candidate.approved;
            if !new || in_shadow || (decision.is_allow() && !before && !candidate.approved) {
                return Err(format!("{candidate:?} has decided, for the new side: {new}"));
            }
        }
        if before && !decision.is_allow() {
            return Err("a rollout that ends with what is newly denied has denied it".to_owned());
        }
        Ok(())
    }
}

impl Rollouts {
    fn new(staged: usize) -> Self {
        let bundles = [0, 1, 2].map(bundle);
        let sides = [["old".to_owned(), "new".to_owned()], sides(&bundles, 1), sides(&bundles, 2)];
        Self { bundles, sides, staged }
    }

    fn ask(&self, world: &mut World, new: bool, action: usize) -> Result<Met, String> {
        let of = world.candidate.map_or(self.staged, |candidate| candidate.bundle);
        let decision = world.engine.decide(&request(&self.sides[of][usize::from(new)], action), world.now());
        world.answered(&decision, new, action)?;
        let (active, revision) = (world.active, decision.revision());
        if let Some(candidate) = &mut world.candidate {
            candidate.asked += 1;
            let newly = BUNDLES[candidate.bundle].1[action] && !BUNDLES[active].1[action];
            candidate.tainted |= newly && !candidate.approved;
        }
        let by_candidate = revision != u64::try_from(active + 1).unwrap();
        Ok(Met::done(if by_candidate { "decided by the candidate" } else { "decided by the active one" }))
    }

    /// One of the owners proposes to promote the candidate, and the other approves it.
    fn approve(&self, world: &mut World) -> Result<Met, String> {
        let Some(candidate) = &mut world.candidate else { return Ok(Met::refused("nothing to approve")) };
        let now = at(BEGINS + world.millis);
        let digest = self.bundles[candidate.bundle].id().to_string();
        let proposal = json!({
            "fallgate": "proposal/1", "bundle": "space", "operation": {"promote": {"bundle": digest}}, "by": "a",
            "reason": "a space", "issued_at": now.wall.to_string(), "nonce": "1",
            "expires_at": now.after(Ttl::from_millis(OPEN)).wall.to_string(),
        });
        let bytes = serde_json_canonicalizer::to_vec(&proposal).unwrap();
        let sign = |name: &str, purpose: Purpose| BASE64.encode(&key(name).sign(&purpose.encoding(&bytes)).to_bytes());
        let proposed = world.engine.propose(&proposal, Proof::Signature(&sign("a", Purpose::Proposal)), now);
        let Ok(id) = proposed else { return Ok(Met::refused("approval refused")) };
        world.proposed.push((id.to_string(), candidate.bundle, world.millis));
        let approved = world.engine.approve(id, "b", Proof::Signature(&sign("b", Purpose::Approval)), now);
        approved.map_err(|error| error.to_string())?;
        (candidate.approved, candidate.tainted) = (true, false);
        Ok(Met::done("approved"))
    }
}

impl Space for Rollouts {
    type Step = Step;
    type World = World;

    fn steps(&self) -> Vec<Step> {
        let mut steps = vec![Step::Passes, Step::Promote, Step::Approve, Step::RollBack, Step::ReturnTo(0)];
        steps.extend([Step::Asks(false, 0), Step::Asks(true, 0), Step::Asks(true, 1), Step::Asks(true, ERASE)]);
        steps.extend([Step::Stage(1), Step::Stage(2), Step::Activate(2)]);
        steps
    }

    fn begin(&self) -> World {
        let engine = Engine::new(Config::default());
        let mut world = World {
            engine,
            millis: 0,
            active: 0,
            floor: 0,
            formers: [true, false, false],
            candidate: None,
            proposed: Vec::new(),
        };
        world.engine.activate(self.bundles[0].clone(), world.now()).unwrap();
        for step in [Step::Stage(self.staged), Step::Asks(false, 0)] {
            self.take(&mut world, step).unwrap();
        }
        world
    }

    fn take(&self, world: &mut World, step: Step) -> Result<Met, String> {
        let now = world.now();
        let mut met = match step {
            Step::Passes => {
                world.millis += 1_000;
                world.engine.advance(world.now());
                Met::done("passed")
            }
            Step::Stage(number) => {
                let done = world.engine.stage(self.bundles[number].clone(), now).map_err(|error| error.code());
                if done.is_ok() {
                    if number < world.floor || world.candidate.is_some() {
                        return Err("staged below the floor, or beside another candidate".to_owned());
                    }
                    let since = world.millis;
                    let fresh =
                        Candidate { bundle: number, since, asked: 0, promoted: 0, approved: false, tainted: false };
                    world.candidate = Some(fresh);
                }
                Met::of(done, "staged")
            }
            Step::Asks(new, action) => self.ask(world, new, action)?,
            Step::Promote => {
                let done = world.engine.promote(now).map_err(|error| error.code());
                world.candidate.iter_mut().for_each(|candidate| candidate.promoted += usize::from(done.is_ok()));
                Met::of(done, "promoted")
            }
            Step::Approve => self.approve(world)?,
            Step::RollBack => {
                let done = world.engine.roll_back(now).map_err(|error| error.code());
                if done.is_ok() != world.candidate.take().is_some() {
                    return Err("rolled back what was not staged, or not what was".to_owned());
                }
                Met::of(done, "rolled back")
            }
            Step::ReturnTo(number) => {
                let done = world.engine.return_to(self.bundles[number].id(), now).map_err(|error| error.code());
                if done.is_ok() != (world.formers[number] && world.active != number) {
                    return Err(format!("to go back came to {done:?}"));
                }
                done.iter().for_each(|()| world.activated(number));
                Met::of(done, "went back")
            }
            Step::Activate(number) => {
                let done = world.engine.activate(self.bundles[number].clone(), now).map_err(|error| error.code());
                if done.is_ok() && world.active != number {
                    return Err("a successor was activated without its rollout".to_owned());
                }
                Met::of(done, "activated again")
            }
        };
        met.names.push(world.look()?);
        Ok(met)
    }

    fn check(&self, world: &World) -> Result<Vec<&'static str>, String> {
        if world.engine.counters().cached_decisions > 0 {
            return Err("an answer was kept, of which the memory tells nothing".to_owned());
        }
        Ok(Vec::new())
    }

    fn memory(&self, world: &World) -> String {
        let World { millis, active, floor, formers, candidate, proposed, .. } = world;
        // Longer ago than both steps, more often than there are steps, and further promotions tell nothing more.
        let candidate = candidate.map(|Candidate { bundle, since, asked, promoted, approved, tainted }| {
            ((millis - since).min(SHADOW + HOLD), bundle, asked.min(2), promoted.min(1), approved, tainted)
        });
        // What was found in all rollouts together is only told.
        let without: [&[&str]; 3] = [&CHANGES, &TOLD, &["ever"]];
        let telling = Telling { without: &without, once: &COUNTED, long_ago_ms: LONG_AGO, ..Telling::PLAIN };
        let text = telling.of(&world.engine, world.now());
        // The name of a proposal says when it was made, and nothing else that differs.
        let named = |text: String, (id, bundle, at): &(String, usize, u64)| {
            text.replace(id, &format!("of {bundle}, {} ago", millis - at))
        };
        let text = proposed.iter().fold(text, named);
        format!("{active} {floor} {formers:?} {candidate:?} {text}")
    }

    fn is_home(&self, world: &World) -> bool {
        world.candidate.is_none()
    }
}

#[test]
fn a_successor_decides_no_sooner_and_no_more_than_its_rollout_says() {
    let names = [
        "staged",
        "promoted",
        "approved",
        "completed",
        "rolled back",
        "went back",
        "decided by the candidate",
        "decided by the active one",
        "in a rollout",
        "at rest",
        "rollout_active",
        "rollout_required",
        "sample_not_reached",
    ];
    for (staged, counts) in [(1, COUNTS_DECLARED), (2, COUNTS_UNDECLARED)] {
        let refused = if staged == 1 { "not_approved" } else { "rollout_stopped" };
        explore(&Rollouts::new(staged), 5).hold("rollout", &counts, &[&names as &[_], &[refused]].concat());
    }
}
