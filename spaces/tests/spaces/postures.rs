//! Postures: two signals that fail, fall silent and come back, a flag, an operator, and clocks that part.
//!
//! Beside the engine goes a reading of chapter 19 that goes from moment to moment. What it notes are the reports, when each
//! condition last changed, and what was entered when.

use std::collections::BTreeMap;

use fallgate::condition::Status;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::request::Party;
use fallgate::state::signals::Observed;
use fallgate::time::{Now, Wall};
use fallgate::{Config, Engine, Observation, Request};
use fallgate_spaces::memory::{CHANGES, TOLD, Telling};
use fallgate_spaces::{Counts, Met, Space, explore};
use serde_json::json;

use crate::at;

/// A report holds up to and with its last millisecond: so silence begins, like all else, on a whole second.
const TTL: u64 = 1_999;
const HELD_FOR: u64 = 1_000;
const ESCALATES: u64 = 2_000;
/// By posture: how long its condition has to be false, and how long it lasts.
const STABLE: [u64; 2] = [1_000, 1_000];
const DWELL: [u64; 2] = [2_000, 1_000];
const POSTURES: [&str; 2] = ["read-only", "lockdown"];
const SIGNALS: [&str; 2] = ["a", "b"];
const ACTIONS: [&str; 3] = ["read", "write", "answer"];
/// How far the wall clock leaps.
const LEAP: i64 = 60_000;
/// No span of the pack is longer: what was so long ago is as what was at any time before.
const LONG: u64 = 2_000;

/// Since when a flag is set: an event tells that it is old. Whether it is set stands in the note.
const FLAGS: [&str; 1] = ["set"];

/// How large the spaces are: the whole, to its depth and closed, and the way back.
const COUNTS_WHOLE: [Counts; 2] = [
    Counts { states: 1_717, transitions: 5_655, depth: 4, closed: false },
    Counts { states: 99_549, transitions: 1_493_235, depth: 18, closed: true },
];
const COUNTS_WAY_BACK: Counts = Counts { states: 138, transitions: 828, depth: 7, closed: true };

#[derive(Clone, Copy, Debug)]
enum Step {
    Passes(u64),
    Reports(usize, Status),
    Enter(usize),
    Leave(usize),
    Acknowledge,
    SetFlag,
    ClearFlag,
    Leap,
    Anchor,
}

struct World {
    engine: Engine,
    millis: u64,
    ahead: i64,
    /// Whether the clocks agree, and whether they have parted: they do so once.
    trusted: bool,
    parted: bool,
    /// By signal: the last report that counts, when it was made, and the last moment at which it holds.
    reports: [Option<(Status, u64, u64)>; 2],
    /// By posture: whether it is called for, and since when that is so.
    called: [(bool, u64); 2],
    entered: BTreeMap<usize, Entry>,
    flag: bool,
    /// Whether the second posture has a condition of its own.
    both: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: u64,
    escalates: Option<u64>,
}

impl World {
    fn now(&self) -> Now {
        let now = at(self.millis);
        Now::new(now.monotonic, Wall::from_nanos(now.wall.as_nanos() + self.ahead * 1_000_000))
    }

    fn status(&self, signal: usize, millis: u64) -> Status {
        let fresh = self.reports[signal].filter(|(_, _, end)| millis <= *end);
        fresh.map_or(Status::Unknown, |(status, ..)| status)
    }

    /// `!signals.a.ok`, or a flag; and `signals.b.failed`, which nobody knows of a signal that is silent.
    fn calls(&self, posture: usize, millis: u64) -> bool {
        match posture {
            0 => self.flag || self.status(0, millis) != Status::Ok,
            _ => self.both && self.status(1, millis) != Status::Ok,
        }
    }

    fn enter(&mut self, posture: usize, millis: u64) {
        let escalates = (posture == 0).then_some(millis + ESCALATES);
        self.entered.entry(posture).or_insert(Entry { at: millis, escalates });
    }

    /// What is due at this moment.
    fn moment(&mut self, millis: u64) {
        for posture in 0..2 {
            let calls = self.calls(posture, millis);
            if self.called[posture].0 != calls {
                self.called[posture] = (calls, millis);
            }
            let held_for = if posture == 0 { HELD_FOR } else { 0 };
            if calls && millis >= self.called[posture].1 + held_for {
                self.enter(posture, millis);
            }
        }
        if self.flag {
            self.enter(0, millis);
        }
        if let Some(entry) = self.entered.get_mut(&0)
            && entry.escalates.is_some_and(|when| when <= millis)
        {
            entry.escalates = None;
            self.enter(1, millis);
        }
    }

    fn pass(&mut self, span: u64) {
        let end = self.millis + span;
        (self.millis + 1..=end).filter(|moment| moment % 1_000 == 0).for_each(|moment| self.moment(moment));
        self.millis = end;
        self.engine.advance(self.now());
    }

    fn has_condition(&self, posture: usize) -> bool {
        self.both || posture == 0
    }

    fn may_leave(&self, posture: usize) -> Result<(), &'static str> {
        let entry = self.entered.get(&posture).ok_or("not_entered")?;
        let (calls, since) = self.called[posture];
        let checked = posture == 1 || self.status(0, self.millis) == Status::Ok;
        match () {
            () if posture == 0 && self.flag => Err("flag_set"),
            () if self.has_condition(posture) && (calls || self.millis - since < STABLE[posture]) => Err("not_stable"),
            () if self.millis - entry.at < DWELL[posture] => Err("dwelling"),
            () if !checked => Err("check_not_ok"),
            () => Ok(()),
        }
    }

    fn rank(&self) -> usize {
        self.entered.keys().max().map_or(0, |strictest| strictest + 1)
    }

    /// What was noted, as of now.
    fn noted(&self) -> String {
        let ago = |at: u64| (self.millis - at).min(LONG);
        let left = |end: u64| (end + 1).saturating_sub(self.millis);
        let reports = self.reports.map(|report| report.map(|(status, at, end)| (status, ago(at), left(end))));
        let called = self.called.map(|(calls, since)| (calls, ago(since)));
        let entered = self
            .entered
            .iter()
            .map(|(posture, entry)| (posture, ago(entry.at), entry.escalates.map(|when| when - self.millis)));
        let entered: Vec<_> = entered.collect();
        format!("{} {} {} {reports:?} {called:?} {entered:?}", self.trusted, self.parted, self.flag)
    }

    fn take(&mut self, step: Step) -> Result<Met, String> {
        let now = self.now();
        let before = self.rank();
        let met = match step {
            Step::Passes(span) => {
                self.pass(span);
                Met::done("passed")
            }
            Step::Reports(signal, status) => {
                let observed = self.engine.observe(&Observation::new(SIGNALS[signal], status), now);
                // Of two reports of one instant the worse stands.
                let stands = match self.reports[signal] {
                    Some((before, at, _)) if at == self.millis => before == Status::Ok && status == Status::Failed,
                    _ => true,
                };
                if (observed == Observed::Taken) != stands {
                    return Err(format!("a report was {}", observed.code()));
                }
                if stands {
                    self.reports[signal] = Some((status, self.millis, self.millis + TTL));
                }
                if stands {
                    Met::done("reported")
                } else {
                    // What is looked at again because of it is what it was.
                    self.engine.advance(now);
                    Met::refused("not the worse report")
                }
            }
            Step::Enter(posture) => {
                self.engine.enter_posture(POSTURES[posture], None, now).map_err(|error| error.to_string())?;
                self.enter(posture, self.millis);
                Met::done("entered")
            }
            Step::Leave(posture) => {
                let may = self.may_leave(posture);
                let left = self.engine.leave_posture(POSTURES[posture], None, now).map_err(|error| error.code());
                if left != may {
                    return Err(format!("to leave {} came to {left:?}, and should to {may:?}", POSTURES[posture]));
                }
                if left.is_ok() {
                    self.entered.remove(&posture);
                }
                Met::of(left, ["left read-only", "left lockdown"][posture])
            }
            Step::Acknowledge => {
                let entered = self.entered.get_mut(&0);
                let done = self.engine.acknowledge_posture(POSTURES[0], None, now).is_ok();
                if done != entered.is_some() {
                    return Err("acknowledged where nothing is entered, or not where it is".to_owned());
                }
                entered.into_iter().for_each(|entry| entry.escalates = None);
                if done { Met::done("acknowledged") } else { Met::refused("nothing to acknowledge") }
            }
            Step::SetFlag => {
                self.engine.set_flag("hold", None, now).map_err(|error| error.to_string())?;
                self.flag = true;
                Met::done("flag set")
            }
            Step::ClearFlag => {
                let cleared = self.engine.clear_flag("hold", now).is_ok();
                if cleared != self.flag {
                    return Err("cleared a flag that was not set, or not one that was".to_owned());
                }
                self.flag = false;
                if cleared { Met::done("flag cleared") } else { Met::refused("no flag to clear") }
            }
            Step::Leap if self.parted => Met::refused("parted already"),
            Step::Leap => {
                self.ahead += LEAP;
                (self.trusted, self.parted) = (false, true);
                // What was reported is older by the leap.
                self.reports
                    .iter_mut()
                    .flatten()
                    .for_each(|(_, _, end)| *end = end.saturating_sub(LEAP.unsigned_abs()));
                self.engine.advance(self.now());
                Met::done("clocks parted")
            }
            Step::Anchor => {
                self.engine.anchor_clocks(now);
                self.trusted = true;
                Met::done("anchored")
            }
        };
        self.moment(self.millis);
        let rank = self.rank();
        // I-28: nothing but an operator who leaves brings a laxer posture.
        if rank < before && !matches!(step, Step::Leave(_)) {
            return Err("a posture was left by itself".to_owned());
        }
        Ok(met)
    }

    /// I-24, I-25, I-26: the strictest of what should be entered is in force, and permits what all of it permits.
    fn check(&self) -> Result<Vec<&'static str>, String> {
        let rank = self.rank();
        let expected = ["normal", POSTURES[0], POSTURES[1]][rank];
        if self.engine.flags(self.now()).len() != usize::from(self.flag) {
            return Err("a flag is set that should not be, or none".to_owned());
        }
        let found = self.engine.posture(None).map(|name| name.to_string());
        if found.as_deref() != Some(expected) {
            return Err(format!("the posture is {found:?}, and should be {expected}"));
        }
        for (number, action) in ACTIONS.iter().enumerate() {
            let permitted = [rank < 2, rank < 1, true][number];
            let request = Request::new(Party::new("user", "ann"), action, Party::new("r", "1"));
            let decision = self.engine.decide(&request, self.now());
            if decision.is_allow() != permitted || decision.posture() != expected {
                return Err(format!("{action} is {} in {expected}", decision.reason().code()));
            }
        }
        if self.engine.counters().cached_decisions > 0 {
            return Err("an answer was kept, of which the memory tells nothing".to_owned());
        }
        Ok(vec![["is normal", "is read-only", "is locked down"][rank]])
    }
}

/// All of it, or what one signal and one operator do.
struct Postures {
    bundle: Bundle,
    both: bool,
}

/// What one signal and one operator do.
const ONE: [Step; 6] = [
    Step::Passes(1_000),
    Step::Reports(0, Status::Ok),
    Step::Enter(1),
    Step::Leave(0),
    Step::Leave(1),
    Step::Acknowledge,
];
/// What two signals, an operator, a flag and clocks that part do.
const ALL: [Step; 15] = [
    Step::Passes(1_000),
    Step::Passes(3_000),
    Step::Acknowledge,
    Step::SetFlag,
    Step::ClearFlag,
    Step::Reports(0, Status::Ok),
    Step::Reports(0, Status::Failed),
    Step::Enter(0),
    Step::Leave(0),
    Step::Reports(1, Status::Ok),
    Step::Reports(1, Status::Failed),
    Step::Enter(1),
    Step::Leave(1),
    Step::Leap,
    Step::Anchor,
];

/// Of one signal or both.
fn space(both: bool) -> Postures {
    let mut document = json!({
        "fallgate": 1, "name": "space", "revision": 1,
        "signals": {"a": {"ttl": "1999ms"}, "b": {"ttl": "1999ms"}},
        "actions": {"read": {"class": "read"}, "write": {"class": "write"}, "answer": {"class": "admin"}},
        "postures": [
            {"name": "read-only", "rank": 1, "permits": {"classes": ["read"], "actions": ["answer"]},
             "enter": {"when": "!signals.a.ok", "for": "1s"}, "leave": {"stable": "1s", "dwell": "2s", "checks": ["a"]},
             "escalate": {"to": "lockdown", "after": "2s"}},
            {"name": "lockdown", "rank": 9, "permits": {"actions": ["answer"]},
             "enter": {"when": "signals.b.failed"}, "leave": {"stable": "1s", "dwell": "1s"}},
        ],
        "approvers": {"people": {"p": crate::public("p")}},
        "flags": {"hold": {"posture": "read-only", "owner": "people", "max_age": "1s"}},
        "rules": [{"id": "all", "effect": "allow"}],
    });
    if !both {
        document["postures"][1].as_object_mut().unwrap().remove("enter");
        document["postures"][1]["leave"] = json!({"dwell": "1s"});
    }
    let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    Postures { bundle, both }
}

impl Space for Postures {
    type Step = Step;
    type World = World;

    fn steps(&self) -> Vec<Step> {
        if self.both { ALL.to_vec() } else { ONE.to_vec() }
    }

    fn begin(&self) -> World {
        let mut world = World {
            engine: Engine::new(Config::default()),
            millis: 100_000,
            ahead: 0,
            trusted: true,
            parted: false,
            reports: [None; 2],
            called: [(true, 100_000), (self.both, 100_000)],
            entered: BTreeMap::new(),
            flag: false,
            both: self.both,
        };
        world.engine.activate(self.bundle.clone(), world.now()).unwrap();
        world.moment(world.millis);
        // Where two signals are silent everything is locked down: the whole begins when that is over.
        let well = [0, 1].map(|signal| Step::Reports(signal, Status::Ok));
        let over = [Step::Passes(1_000)].into_iter().chain(well).chain([Step::Leave(1)]);
        for step in well.into_iter().chain(over).filter(|_| self.both) {
            world.take(step).unwrap();
        }
        world
    }

    fn take(&self, world: &mut World, step: Step) -> Result<Met, String> {
        world.take(step)
    }

    fn check(&self, world: &World) -> Result<Vec<&'static str>, String> {
        world.check()
    }

    fn memory(&self, world: &World) -> String {
        let telling = Telling { without: &[&CHANGES, &TOLD, &FLAGS], long_ago_ms: LONG as i64 - 1, ..Telling::PLAIN };
        format!("{} {}", world.noted(), telling.of(&world.engine, world.now()))
    }

    fn is_home(&self, world: &World) -> bool {
        world.entered.is_empty() && world.trusted
    }
}

#[test]
fn postures_are_entered_and_left_as_their_pack_says_in_every_order() {
    let names = [
        "is normal",
        "is read-only",
        "is locked down",
        "left lockdown",
        "not_entered",
        "flag_set",
        "not_stable",
        "dwelling",
        "acknowledged",
        "nothing to acknowledge",
        "flag set",
        "flag cleared",
        "clocks parted",
        "parted already",
        "anchored",
        "not the worse report",
    ];
    explore(&space(true), 4).hold("postures", &COUNTS_WHOLE, &names);
}

#[test]
fn from_every_posture_a_way_leads_back_to_normal() {
    let names = ["is normal", "is read-only", "is locked down", "left read-only", "left lockdown", "dwelling"];
    explore(&space(false), usize::MAX).hold("way back", &[COUNTS_WAY_BACK], &names);
}
