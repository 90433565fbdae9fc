//! Approvals and overrides: one proposal, three who may approve, one who gains by it, a window, one use; clocks that part
//! or go back, and restarts.
//!
//! Beside the engine goes a note of who approved, since when the override is granted, how often it was used, and what
//! ended it.

use std::collections::BTreeSet;

use data_encoding::BASE64;
use ed25519_dalek::Signer;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::request::Party;
use fallgate::state::approvals::Proof;
use fallgate::state::document::StateKey;
use fallgate::state::proposal::ProposalId;
use fallgate::state::statement::Purpose;
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Decision, Engine, Reason, Request};
use fallgate_spaces::memory::{CHANGES, TOLD, Telling};
use fallgate_spaces::{Counts, Met, Space, explore};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{at, key, public};

/// The first proposes; the last is whom the override is for.
const PEOPLE: [&str; 4] = ["a", "b", "c", "d"];
const NEED: usize = 2;
const WINDOW: u64 = 3_000;
const OPEN_FOR: u64 = 4_000;
/// How far the clocks go.
const HORIZON: u64 = 6_000;
const BEGINS: u64 = 100_000;

/// What an override that is over covered: another one may be granted less for that, and here none is.
const PAST: [&str; 1] = ["past"];

/// How large the spaces are, to their depths and closed: from nothing, and from an override that was just granted.
const COUNTS_NOTHING: [Counts; 2] = [
    Counts { states: 874, transitions: 5_312, depth: 5, closed: false },
    Counts { states: 10_846, transitions: 173_536, depth: 13, closed: true },
];
const COUNTS_GRANTED: [Counts; 2] = [
    Counts { states: 295, transitions: 1_616, depth: 4, closed: false },
    Counts { states: 2_249, transitions: 35_984, depth: 10, closed: true },
];

#[derive(Clone, Copy, Debug)]
enum Step {
    Passes(u64),
    Propose,
    Approve(usize),
    /// The signature of another one.
    Forge,
    Withdraw,
    Revoke,
    Use(&'static str),
    /// A use with a reading of the monotonic clock that is earlier than one before.
    UseEarlier,
    /// The wall clock leaps ahead, once, and comes back.
    Leap,
    Anchor,
    Restart,
}

struct World {
    engine: Engine,
    millis: u64,
    trusted: bool,
    parted: bool,
    proposed: bool,
    approved: BTreeSet<usize>,
    granted_at: Option<u64>,
    used: bool,
    over: bool,
}

struct Overrides {
    bundle: Bundle,
    proposal: Value,
    id: ProposalId,
    proposed: String,
    approvals: [String; 4],
    withdrawal: String,
    /// Whether the first world is one in which the override is granted.
    granted: bool,
}

impl Overrides {
    fn new(granted: bool) -> Self {
        let approver = |name: &&str| {
            let subject = if *name == "d" { "user:ann".to_owned() } else { format!("user:{name}") };
            ((*name).to_owned(), json!({"key": public(name), "subject": subject}))
        };
        let people: serde_json::Map<String, Value> = PEOPLE.iter().map(approver).collect();
        let document = json!({
            "fallgate": 1, "name": "space", "revision": 1,
            "actions": {"pay": {}, "burn": {}},
            "rules": [
                {"id": "no", "effect": "deny", "action": "pay"},
                {"id": "never", "effect": "deny", "action": "burn", "absolute": true},
            ],
            "approvers": {"people": people},
            "overrides": {"need": NEED, "from": "people", "max_window": "1m", "max_uses": 1},
        });
        let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
        let time = |millis: u64| at(BEGINS + millis).wall.to_string();
        let scope = json!({
            "subjects": ["user:ann"], "actions": ["pay", "burn"], "resources": ["bill:*"], "for": "3s", "uses": 1,
        });
        let proposal = json!({
            "fallgate": "proposal/1", "bundle": "space", "operation": {"grant_override": scope}, "by": PEOPLE[0],
            "reason": "a space", "issued_at": time(0), "expires_at": time(OPEN_FOR), "nonce": "1",
        });
        let bytes = serde_json_canonicalizer::to_vec(&proposal).unwrap();
        let sign = |name: &str, purpose: Purpose| BASE64.encode(&key(name).sign(&purpose.encoding(&bytes)).to_bytes());
        let approvals = PEOPLE.map(|name| sign(name, Purpose::Approval));
        let (proposed, withdrawal) = (sign(PEOPLE[0], Purpose::Proposal), sign(PEOPLE[1], Purpose::Withdrawal));
        Self {
            bundle,
            id: ProposalId(Sha256::digest(&bytes).into()),
            proposal,
            proposed,
            approvals,
            withdrawal,
            granted,
        }
    }

    fn engine(&self, now: Now) -> Engine {
        let mut config = Config::default();
        config.state_key = StateKey::new([7; 32]);
        let engine = Engine::new(config);
        engine.activate(self.bundle.clone(), now).unwrap();
        engine
    }

    fn approve(&self, world: &mut World, who: usize) -> Result<&'static str, String> {
        let proof = Proof::Signature(&self.approvals[who]);
        // I-20: distinct, eligible, neither who proposes nor who gains by it; while it is open, and the clocks agree.
        let counts = world.proposed
            && !world.over
            && world.granted_at.is_none()
            && world.trusted
            && world.millis < OPEN_FOR
            && (who == 1 || who == 2)
            && !world.approved.contains(&who);
        let done = world.engine.approve(self.id, PEOPLE[who], proof, world.now());
        if done.is_ok() != counts {
            return Err(format!("the approval of {} came to {done:?}", PEOPLE[who]));
        }
        let Ok(approved) = done else { return Ok("approval refused") };
        world.approved.insert(who);
        let granted = world.approved.len() >= NEED;
        if approved.waits_for.is_none() != granted {
            return Err(format!("granted with {} approvals", world.approved.len()));
        }
        world.granted_at = granted.then_some(world.millis);
        Ok(if granted { "granted" } else { "approved" })
    }
}

impl World {
    fn now(&self) -> Now {
        at(BEGINS + self.millis)
    }

    /// I-19: whether the override is in force, by its window, its use and all that ends it.
    fn in_force(&self) -> bool {
        let in_window = self.granted_at.is_some_and(|at| self.millis < at + WINDOW);
        in_window && !self.used && !self.over && self.trusted
    }

    fn decide(&self, subject: &str, action: &str, now: Now) -> Decision {
        let request = Request::new(Party::new("user", subject), action, Party::new("bill", "1"));
        self.engine.decide(&request, now)
    }

    fn ask(&mut self, subject: &str, now: Now) -> Result<&'static str, String> {
        let expected = self.in_force() && subject == "ann";
        let decision = self.decide(subject, "pay", now);
        if decision.is_allow() != expected || decision.cached() {
            return Err(format!("{subject}: {}, and should be {expected}", decision.reason().code()));
        }
        if !expected {
            return Ok("denied");
        }
        if decision.reason() != Reason::AllowedByOverride || decision.expires_in_ms() != 0 {
            return Err(format!("{} for {} ms", decision.reason().code(), decision.expires_in_ms()));
        }
        self.used = true;
        Ok("used")
    }
}

impl Space for Overrides {
    type Step = Step;
    type World = World;

    fn steps(&self) -> Vec<Step> {
        let mut steps = vec![Step::Propose, Step::Forge, Step::Withdraw, Step::Revoke];
        steps.extend((0..PEOPLE.len()).map(Step::Approve));
        steps.extend([Step::Use("ann"), Step::Use("bob"), Step::UseEarlier]);
        steps.extend([Step::Passes(1_000), Step::Passes(2_000), Step::Leap, Step::Anchor, Step::Restart]);
        steps
    }

    fn begin(&self) -> World {
        let mut world = World {
            engine: self.engine(at(BEGINS)),
            millis: 0,
            trusted: true,
            parted: false,
            proposed: false,
            approved: BTreeSet::new(),
            granted_at: None,
            used: false,
            over: false,
        };
        let granting = [Step::Propose, Step::Approve(1), Step::Approve(2)];
        granting.iter().take(if self.granted { 3 } else { 0 }).for_each(|step| {
            self.take(&mut world, *step).unwrap();
        });
        world
    }

    fn take(&self, world: &mut World, step: Step) -> Result<Met, String> {
        let now = world.now();
        let name = match step {
            Step::Passes(span) => {
                world.millis = (world.millis + span).min(HORIZON);
                world.engine.advance(world.now());
                "passed"
            }
            Step::Propose => {
                let done = world.engine.propose(&self.proposal, Proof::Signature(&self.proposed), now).is_ok();
                if done && (world.proposed || world.over || !world.trusted || world.millis >= OPEN_FOR) {
                    return Err("proposed again, or while it may not be".to_owned());
                }
                world.proposed |= done;
                if done { "proposed" } else { "proposal refused" }
            }
            Step::Approve(who) => self.approve(world, who)?,
            Step::Forge => {
                let proof = Proof::Signature(&self.approvals[1]);
                if world.engine.approve(self.id, PEOPLE[2], proof, now).is_ok() {
                    return Err("a signature of another one counted".to_owned());
                }
                "forged"
            }
            Step::Withdraw => {
                let done = world.engine.withdraw(self.id, "b", Proof::Signature(&self.withdrawal), now).is_ok();
                world.over |= done && world.granted_at.is_none();
                if done { "withdrawn" } else { "withdrawal refused" }
            }
            Step::Revoke => {
                let done = world.engine.revoke_override(self.id, now).is_ok();
                if !done && world.in_force() {
                    return Err("an override that is in force was not revoked".to_owned());
                }
                world.over |= done;
                if done { "revoked" } else { "revocation refused" }
            }
            Step::Use(subject) => world.ask(subject, now)?,
            // I-15: a reading that goes back brings nothing back.
            Step::UseEarlier => {
                let earlier = Monotonic::from_nanos(now.monotonic.as_nanos() - 3_000_000_000);
                world.ask("ann", Now::new(earlier, now.wall))?
            }
            Step::Leap if world.parted => "parted already",
            Step::Leap => {
                world.engine.advance(Now::new(now.monotonic, Wall::from_nanos(now.wall.as_nanos() + 60_000_000_000)));
                (world.trusted, world.parted) = (false, true);
                world.over |= world.proposed;
                "clocks parted"
            }
            Step::Anchor => {
                world.engine.anchor_clocks(now);
                world.trusted = true;
                "anchored"
            }
            Step::Restart => {
                let state = world.engine.export_state(now).map_err(|error| error.to_string())?;
                world.engine = self.engine(now);
                world.engine.restore_state(&state, None, now).map_err(|error| error.to_string())?;
                // What was proposed before is over: it is approved anew, by another proposal.
                world.over |= world.proposed;
                "restarted"
            }
        };
        let refused = name.ends_with("refused") || ["forged", "parted already"].contains(&name);
        Ok(Met { names: vec![name], refused })
    }

    fn check(&self, world: &World) -> Result<Vec<&'static str>, String> {
        // I-22: what is absolute stays denied.
        if world.decide("ann", "burn", world.now()).is_allow() {
            return Err("an override got past a rule that is absolute".to_owned());
        }
        if world.engine.counters().cached_decisions > 0 {
            return Err("an answer was kept, of which the memory tells nothing".to_owned());
        }
        let mut met = Vec::new();
        met.extend(world.in_force().then_some("in force"));
        met.extend(world.granted_at.is_some_and(|at| world.millis >= at + WINDOW).then_some("after the window"));
        Ok(met)
    }

    fn memory(&self, world: &World) -> String {
        let World { millis, trusted, parted, proposed, approved, granted_at, used, over, .. } = world;
        let telling = Telling { without: &[&CHANGES, &TOLD, &PAST], long_ago_ms: OPEN_FOR as i64, ..Telling::PLAIN };
        let told = telling.of(&world.engine, world.now());
        format!("{millis} {trusted} {parted} {proposed} {approved:?} {granted_at:?} {used} {over} {told}")
    }

    fn is_home(&self, world: &World) -> bool {
        !world.in_force()
    }
}

#[test]
fn what_people_approve_is_granted_once_and_ends_in_every_order() {
    let names = [
        "proposed",
        "proposal refused",
        "approved",
        "approval refused",
        "granted",
        "forged",
        "withdrawn",
        "used",
        "denied",
        "revoked",
        "in force",
        "clocks parted",
        "anchored",
        "restarted",
    ];
    explore(&Overrides::new(false), 5).hold("overrides", &COUNTS_NOTHING, &names);
}

#[test]
fn an_override_that_was_granted_ends_in_every_order() {
    let names = ["used", "denied", "revoked", "in force", "after the window", "withdrawal refused"];
    explore(&Overrides::new(true), 4).hold("overrides in force", &COUNTS_GRANTED, &names);
}
