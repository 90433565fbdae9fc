//! The cache: two questions asked again and again, beside a signal, a posture, a quarantine, a revocation, a later bundle,
//! and the end of each that an answer may rest on.
//!
//! Beside the engine goes what the answer has to be now, told by the last of everything that was said, and when each
//! question was last worked out and on what.

use fallgate::condition::Status;
use fallgate::engine::QuarantineTerms;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::request::Party;
use fallgate::state::quarantine::Selector;
use fallgate::state::signals::Observed;
use fallgate::time::{Monotonic, Now};
use fallgate::{Config, Engine, Observation, Reason, Request};
use fallgate_spaces::memory::{CHANGES, TOLD, Telling};
use fallgate_spaces::{Counts, Met, Space, explore};
use serde_json::json;

use crate::at;

const SUBJECTS: [&str; 2] = ["ann", "bob"];
const TTL_ALLOW: u64 = 1_500;
const TTL_DENY: u64 = 1_000;
const TTL_SIGNAL: u64 = 1_000;
/// When the first bundle is over.
const ENDS: u64 = 2_000;
/// How far the clocks go.
const HORIZON: u64 = 3_000;
const BEGINS: u64 = 100_000;
/// When a posture was entered: it may be left at any time.
const ENTERED: [&str; 1] = ["since"];

/// How large the space is, to its depth, and the one that is closed.
const COUNTS: Counts = Counts { states: 2_090, transitions: 4_380, depth: 4, closed: false };
const COUNTS_CLOSED: [Counts; 2] = [
    Counts { states: 218, transitions: 624, depth: 3, closed: false },
    Counts { states: 28_120, transitions: 337_440, depth: 14, closed: true },
];

#[derive(Clone, Copy, Debug)]
enum Step {
    Passes,
    Ask(usize),
    /// Again, with a reading of the monotonic clock that is earlier than one before.
    AskEarlier,
    Report(Status),
    Quarantine,
    Lift,
    Revoke,
    Enter,
    Leave,
    /// The later bundle, which allows one of the two no more.
    Activate,
}

struct World {
    engine: Engine,
    millis: u64,
    report: Option<(Status, u64)>,
    quarantined: bool,
    shut: bool,
    later: bool,
    /// How often anything was changed that answers rest on; by question.
    changes: [u64; 2],
    /// By question: when it was last worked out, after how many changes.
    asked: [Option<(u64, u64)>; 2],
}

impl World {
    fn now(&self) -> Now {
        at(BEGINS + self.millis)
    }

    /// What the answer has to be, without an earlier one.
    fn answer(&self, who: usize) -> Reason {
        let fresh = matches!(self.report, Some((Status::Ok, reported)) if self.millis - reported <= TTL_SIGNAL);
        match () {
            () if !self.later && self.millis >= ENDS => Reason::PolicyExpired,
            () if self.quarantined && who == 0 => Reason::Quarantined,
            () if self.shut => Reason::Posture,
            () if !fresh => Reason::SignalUnavailable,
            () if self.later && who == 1 => Reason::DeniedByRule,
            () => Reason::AllowedByRule,
        }
    }

    fn change(&mut self, who: &[usize]) {
        who.iter().for_each(|who| self.changes[*who] += 1);
    }

    fn ask(&mut self, who: usize, now: Now) -> Result<Met, String> {
        let request = Request::new(Party::new("user", SUBJECTS[who]), "read", Party::new("doc", "1"));
        let decision = self.engine.decide(&request, now);
        // I-8, I-9: with the cache as without it.
        let expected = self.answer(who);
        if decision.reason() != expected {
            return Err(format!(
                "{} has {}, and should have {}",
                SUBJECTS[who],
                decision.reason().code(),
                expected.code()
            ));
        }
        let ttl = if decision.is_allow() { TTL_ALLOW } else { TTL_DENY };
        if !decision.cached() {
            self.asked[who] = Some((self.millis, self.changes[who]));
        }
        let (worked_out, changes) = self.asked[who].ok_or("an answer that nobody had worked out")?;
        if changes != self.changes[who] || self.millis >= worked_out + ttl {
            return Err("an earlier answer was given beyond what it rests on".to_owned());
        }
        // I-10: the host keeps it no longer than anything that it rests on.
        let signal = self.report.map_or(0, |(_, reported)| (reported + TTL_SIGNAL + 1).saturating_sub(self.millis));
        let end = if self.later { u64::MAX } else { ENDS.saturating_sub(self.millis) };
        let most = (worked_out + ttl - self.millis).min(signal).min(end);
        let allowed_for = if decision.is_allow() { decision.expires_in_ms() } else { 0 };
        if allowed_for > most {
            return Err(format!("the host may keep it for {allowed_for} ms, and it rests on something for {most}"));
        }
        let name = match (decision.cached(), decision.is_allow()) {
            (true, true) => "allowed again",
            (true, false) => "denied again",
            (false, _) => decision.reason().code(),
        };
        Ok(Met::done(name))
    }
}

struct Cached {
    bundles: [Bundle; 2],
    /// Whether an answer that is void is told as that and as nothing else, so that there is an end. Which change voided it
    /// is then not told apart: that the other space does.
    closes: bool,
}

impl Cached {
    fn new(closes: bool) -> Self {
        let bundle = |revision: u64| {
            let mut document = json!({
                "fallgate": 1, "name": "space", "revision": revision, "signals": {"s": {"ttl": "1s"}},
                "actions": {"read": {"requires": ["s"], "cache": {"allow": "1500ms", "deny": "1s"}}},
                "postures": [{"name": "shut", "rank": 1, "permits": "none", "leave": {}}],
                // What reads who asks keeps the answers to the two apart.
                "rules": [
                    {"id": "all", "effect": "allow"},
                    {"id": "no-eve", "effect": "deny", "when": "subject.id == 'eve'"},
                ],
            });
            if revision == 1 {
                let time = |millis: u64| at(BEGINS + millis).wall.to_string();
                document["valid"] = json!({"from": time(0), "until": time(ENDS)});
            } else {
                let rules = document["rules"].as_array_mut().unwrap();
                rules.push(json!({"id": "no-bob", "effect": "deny", "when": "subject.id == 'bob'"}));
            }
            Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
        };
        Self { bundles: [bundle(1), bundle(2)], closes }
    }
}

impl Space for Cached {
    type Step = Step;
    type World = World;

    fn steps(&self) -> Vec<Step> {
        let mut steps = vec![Step::Ask(0), Step::Ask(1), Step::AskEarlier, Step::Passes];
        steps.extend([Status::Ok, Status::Failed].map(Step::Report));
        steps.extend([Step::Quarantine, Step::Lift, Step::Revoke, Step::Enter, Step::Leave, Step::Activate]);
        steps
    }

    /// Both questions are answered already.
    fn begin(&self) -> World {
        let mut limits = Limits::DEFAULT;
        // Room for the answers to both, wherever their hashes lead.
        limits.cache_entries_max = 64;
        let mut config = Config::default();
        config.limits = limits;
        let mut world = World {
            engine: Engine::new(config),
            millis: 0,
            report: None,
            quarantined: false,
            shut: false,
            later: false,
            changes: [0; 2],
            asked: [None; 2],
        };
        world.engine.activate(self.bundles[0].clone(), world.now()).unwrap();
        for step in [Step::Report(Status::Ok), Step::Ask(0), Step::Ask(1)] {
            self.take(&mut world, step).unwrap();
        }
        world
    }

    fn take(&self, world: &mut World, step: Step) -> Result<Met, String> {
        let now = world.now();
        match step {
            Step::Passes => {
                world.millis = (world.millis + 1_000).min(HORIZON);
                world.engine.advance(world.now());
                Ok(Met::done("passed"))
            }
            Step::Ask(who) => world.ask(who, now),
            // I-15.
            Step::AskEarlier => {
                let earlier = Monotonic::from_nanos(now.monotonic.as_nanos() - 3_000_000_000);
                world.ask(0, Now::new(earlier, now.wall))
            }
            Step::Report(status) => {
                let before = world.report;
                if before.is_none_or(|(was, reported)| {
                    reported < world.millis || (was, status) == (Status::Ok, Status::Failed)
                }) {
                    world.report = Some((status, world.millis));
                }
                if before.map(|(was, _)| was) != world.report.map(|(is, _)| is) {
                    world.change(&[0, 1]);
                }
                if world.engine.observe(&Observation::new("s", status), now) != Observed::Taken {
                    // What is looked at again because of it is what it was.
                    world.engine.advance(now);
                }
                Ok(Met::done(if status == Status::Ok { "reported ok" } else { "reported failed" }))
            }
            Step::Quarantine => {
                let selector = Selector::Subject("user", "ann");
                world
                    .engine
                    .quarantine(&selector, &QuarantineTerms::default(), now)
                    .map_err(|error| error.to_string())?;
                world.quarantined = true;
                world.change(&[0]);
                Ok(Met::done("quarantined"))
            }
            Step::Lift => {
                let lifted = world.engine.lift_quarantine(&Selector::Subject("user", "ann"), now).is_ok();
                if lifted != world.quarantined {
                    return Err("lifted what was not quarantined, or not what was".to_owned());
                }
                world.quarantined = false;
                world.change(if lifted { &[0] } else { &[] });
                Ok(if lifted { Met::done("lifted") } else { Met::refused("nothing to lift") })
            }
            // I-13: what was worked out up to now is void for her.
            Step::Revoke => {
                world.engine.revoke("user", "ann", now.monotonic, now);
                world.change(&[0]);
                Ok(Met::done("revoked"))
            }
            Step::Enter => {
                world.engine.enter_posture("shut", None, now).map_err(|error| error.to_string())?;
                if !std::mem::replace(&mut world.shut, true) {
                    world.change(&[0, 1]);
                }
                Ok(Met::done("shut"))
            }
            Step::Leave => {
                let left = world.engine.leave_posture("shut", None, now).is_ok();
                if left != world.shut {
                    return Err("left what was not entered, or not what was".to_owned());
                }
                world.shut = false;
                world.change(if left { &[0, 1] } else { &[] });
                Ok(if left { Met::done("opened") } else { Met::refused("nothing to leave") })
            }
            Step::Activate => {
                world.engine.activate(self.bundles[1].clone(), now).map_err(|error| error.to_string())?;
                world.later = true;
                world.change(&[0, 1]);
                Ok(Met::done("activated"))
            }
        }
    }

    fn check(&self, _: &World) -> Result<Vec<&'static str>, String> {
        Ok(Vec::new())
    }

    fn memory(&self, world: &World) -> String {
        let World { millis, quarantined, shut, later, changes, asked, .. } = world;
        if !self.closes {
            let telling = Telling { without: &[&TOLD], ..Telling::PLAIN };
            let told = telling.of(&world.engine, world.now());
            return format!("{millis} {:?} {quarantined} {shut} {later} {changes:?} {asked:?} {told}", world.report);
        }
        // A report says nothing any more once it is over.
        let report = world.report.map(|(status, reported)| (status, (world.millis - reported).min(2 * TTL_SIGNAL)));
        let holds = [0, 1].map(|who| world.asked[who].filter(|(_, changes)| *changes == world.changes[who]));
        let asked = holds.map(|holds| holds.map(|(worked_out, _)| worked_out));
        let telling = Telling {
            without: &[&CHANGES, &TOLD, &ENTERED],
            answers: true,
            long_ago_ms: TTL_ALLOW as i64,
            ..Telling::PLAIN
        };
        let told = telling.of(&world.engine, world.now());
        format!("{millis} {report:?} {quarantined} {shut} {later} {asked:?} {told}")
    }

    fn is_home(&self, world: &World) -> bool {
        // Time stands still at the horizon, and of two reports of one instant the worse stands.
        let failed_at_last = world.report == Some((Status::Failed, HORIZON));
        world.answer(0) == Reason::AllowedByRule || failed_at_last
    }
}

#[test]
fn an_earlier_answer_is_given_while_all_that_it_rests_on_holds() {
    let names = [
        "allowed again",
        "denied again",
        "allowed_by_rule",
        "denied_by_rule",
        "quarantined",
        "posture",
        "signal_unavailable",
        "revoked",
        "lifted",
        "opened",
        "activated",
    ];
    explore(&Cached::new(false), 4).hold("cache", &[COUNTS], &names);
}

#[test]
fn an_answer_that_is_void_is_never_given_again() {
    let names =
        ["allowed again", "allowed_by_rule", "quarantined", "posture", "signal_unavailable", "revoked", "lifted"];
    explore(&Cached::new(true), 3).hold("cache, void answers as one", &COUNTS_CLOSED, &names);
}
