//! A random day: scenes in which things happen close to each other, and quiet between them, in which signals run out.
//!
//! In a scene most signals are well and told of in time. Then probes fail, fall silent, flap, or bring old news; clocks jump; the
//! engine restarts, with its state or without; operators tighten and loosen; subjects are quarantined; strangers flood.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Day;
use super::dice::Dice;
use super::world::World;

/// The wall clock at the start of a drill, in seconds since 1970: 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600;
/// The longest quiet between two scenes, in milliseconds.
const QUIET_MAX: u64 = 40 * 60_000;
/// The fewest and the most moments of a scene.
const MOMENTS: (u64, u64) = (15, 60);
/// How many strangers a flood has.
const FLOOD: u64 = 60;

/// How it stands with one signal's probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    Well,
    Failed,
    Degraded,
    /// It says nothing.
    Silent,
    /// It says something else each time.
    Flapping,
    /// It says that all is well, as of long ago.
    Late,
}

struct Weather<'w> {
    world: &'w World,
    dice: Dice,
    day: Day,
    /// Milliseconds since the start.
    now: u64,
    /// How far the wall clock is ahead of where it began, in seconds.
    wall_ahead: i64,
    probes: BTreeMap<String, (Probe, u64)>,
    quarantined: Vec<Value>,
    counts: BTreeMap<&'static str, usize>,
}

/// A day of so many hours.
pub(crate) fn day(world: &World, seed: u64, hours: u64) -> Day {
    let probes = world.signals.iter().map(|(name, _)| (name.clone(), (Probe::Well, 0))).collect();
    let mut weather = Weather {
        world,
        dice: Dice::seeded(seed),
        day: Day { keys: world.keys.clone(), ..Day::default() },
        now: 0,
        wall_ahead: 0,
        probes,
        quarantined: Vec::new(),
        counts: BTreeMap::new(),
    };
    let end = hours.saturating_mul(3_600_000);
    while weather.now < end {
        weather.scene();
        weather.now = weather.now.saturating_add(weather.dice.below(QUIET_MAX));
    }
    let Weather { mut day, counts, .. } = weather;
    day.faults = counts.into_iter().collect();
    day
}

impl Weather<'_> {
    fn scene(&mut self) {
        self.tell(true);
        // Mostly somebody has put right by now what was wrong before, as far as one may alone.
        if self.dice.percent(80) {
            self.repair();
        }
        for _ in 0..self.dice.between(MOMENTS.0, MOMENTS.1) {
            // Often several things happen at the same moment.
            if self.dice.percent(70) {
                self.now = self.now.saturating_add(self.dice.between(1, 12_000));
            }
            match self.dice.below(100) {
                0..=49 => self.ask(),
                50..=64 => self.tell(false),
                65..=74 => self.fault(),
                75..=83 => self.operator(),
                84..=89 => self.quarantine(),
                90..=93 => self.call(),
                94..=95 => self.clock(),
                96..=97 => self.restart(),
                98 => self.flood(),
                _ => self.feed(),
            }
        }
        self.ask();
    }

    /// Clocks are taken for right, flags cleared, signals told of again and again, postures left, the strictest first.
    fn repair(&mut self) {
        self.wall_ahead = 0;
        let wall = self.wall();
        self.step(json!({ "wall": wall, "anchor_clocks": true }));
        for flag in &self.world.flags {
            self.step(json!({ "clear_flag": flag }));
        }
        for _ in 0..3 {
            self.now = self.now.saturating_add(self.dice.between(1_000, 10_000));
            self.tell(true);
        }
        for posture in self.world.postures.iter().rev() {
            self.step(json!({ "leave": posture }));
            self.approved(json!({ "leave": posture }), json!({ "leave": posture }));
        }
        // A state that could not be restored quarantines everything, where there is no posture for it.
        self.step(json!({ "lift": "everything" }));
    }

    fn count(&mut self, what: &'static str) {
        let count = self.counts.entry(what).or_default();
        *count = count.saturating_add(1);
    }

    fn step(&mut self, members: Value) {
        let mut step = Map::new();
        step.insert("at".to_owned(), format!("{}ms", self.now).into());
        if let Value::Object(members) = members {
            step.extend(members);
        }
        self.day.steps.push(step.into());
    }

    fn ask(&mut self) {
        if let Some(request) = self.dice.pick(&self.world.requests).cloned() {
            self.step(json!({ "decide": request }));
        }
    }

    /// What the probes say now; all of them, or some.
    fn tell(&mut self, all: bool) {
        let mut observed = Map::new();
        for (name, ttl) in &self.world.signals {
            if !all && !self.dice.percent(70) {
                continue;
            }
            let (probe, until) = self.probes.get(name).copied().unwrap_or((Probe::Well, 0));
            let probe = if probe != Probe::Well && until <= self.now { Probe::Well } else { probe };
            self.probes.insert(name.clone(), (probe, until));
            let status: Value = match probe {
                Probe::Well => "ok".into(),
                Probe::Failed => "failed".into(),
                Probe::Degraded => "degraded".into(),
                Probe::Silent => continue,
                Probe::Flapping => (*self.dice.pick(&["ok", "failed", "ok", "unknown"]).unwrap_or(&"unknown")).into(),
                Probe::Late => {
                    let late = self.dice.below(ttl.saturating_mul(3));
                    json!({ "status": "ok", "observed_at": format!("{}ms", self.now.saturating_sub(late)) })
                }
            };
            observed.insert(name.clone(), status);
        }
        if !observed.is_empty() {
            self.step(json!({ "observe": observed }));
        }
        for feed in &self.world.feeds.clone() {
            if self.dice.percent(if all { 95 } else { 60 }) {
                self.step(json!({ "apply": { "feed": feed } }));
            }
        }
    }

    /// One probe goes wrong for a while, and says so at once, if it says anything.
    fn fault(&mut self) {
        let Some((name, _)) = self.dice.pick(&self.world.signals).cloned() else { return };
        let kinds = [Probe::Failed, Probe::Failed, Probe::Silent, Probe::Degraded, Probe::Flapping, Probe::Late];
        let probe = *self.dice.pick(&kinds).unwrap_or(&Probe::Failed);
        let until = self.now.saturating_add(self.dice.below(20 * 60_000));
        self.probes.insert(name.clone(), (probe, until));
        self.count(match probe {
            Probe::Silent => "silences",
            Probe::Late => "late probes",
            Probe::Flapping => "flapping probes",
            _ => "failures",
        });
        match probe {
            Probe::Failed | Probe::Flapping => self.step(json!({ "observe": { name: "failed" } })),
            Probe::Degraded => self.step(json!({ "observe": { name: "degraded" } })),
            Probe::Silent | Probe::Late | Probe::Well => {}
        }
    }

    /// Somebody proposes, and everybody else approves: `what` is proposed, and approved by the name that `called` has.
    fn approved(&mut self, what: Value, called: Value) {
        let world = self.world;
        let people: Vec<&String> = world.keys.keys().collect();
        let Some(first) = self.dice.pick(&people).copied() else { return };
        let by = |mut call: Value, who: &str| {
            if let Some(members) = call.as_object_mut() {
                members.insert("by".to_owned(), who.into());
            }
            call
        };
        self.step(json!({ "propose": by(what, first) }));
        for other in people.into_iter().filter(|other| *other != first) {
            if self.dice.percent(80) {
                self.step(json!({ "approve": by(called.clone(), other) }));
            }
        }
    }

    /// An override of what one of the requests asks.
    fn override_one(&mut self) {
        let world = self.world;
        let Some(request) = self.dice.pick(&world.requests) else { return };
        let text = |at: &str| request.pointer(at).and_then(Value::as_str);
        let named =
            |entity: &str| Some(format!("{}:{}", text(&format!("/{entity}/type"))?, text(&format!("/{entity}/id"))?));
        let (Some(subject), Some(action), Some(resource)) = (named("subject"), text("/action/name"), named("resource"))
        else {
            return;
        };
        self.count("overrides");
        let label = format!("override-{}", self.day.steps.len());
        let terms = json!({
            "subjects": [subject], "actions": [action], "resources": [resource],
            "for": format!("{}s", self.dice.between(1, 900)), "uses": self.dice.between(1, 3),
        });
        self.approved(json!({ "override": terms, "as": label, "reason": "chaos" }), json!({ "proposal": label }));
    }

    fn operator(&mut self) {
        if self.dice.percent(20) && !self.world.keys.is_empty() {
            return self.override_one();
        }
        let posture = self.dice.pick(&self.world.postures).cloned();
        let flag = self.dice.pick(&self.world.flags).cloned();
        let done = match (self.dice.below(6), posture, flag) {
            (0, Some(posture), _) => json!({ "enter": posture }),
            (1 | 2, Some(posture), _) => json!({ "leave": posture }),
            (3, Some(posture), _) => json!({ "acknowledge": posture }),
            (4, _, Some(flag)) => json!({ "set_flag": { "flag": flag, "for": "10m" } }),
            (5, _, Some(flag)) => json!({ "clear_flag": flag }),
            _ => return,
        };
        self.count("operator actions");
        self.step(done);
    }

    fn quarantine(&mut self) {
        if self.dice.percent(50)
            && let Some(what) = self.quarantined.pop()
        {
            return self.step(json!({ "lift": what }));
        }
        let Some((entity, party)) = self.dice.pick(&self.world.parties).cloned() else { return };
        self.count("quarantines and revocations");
        if entity == "subject" && self.dice.percent(35) {
            return self.step(json!({ "revoke": party }));
        }
        let what = json!({ entity: party });
        let for_a_while = format!("{}s", self.dice.between(1, 900));
        let absolute = self.dice.percent(30);
        self.step(
            json!({ "quarantine": { "what": what, "reason": "chaos", "for": for_a_while, "absolute": absolute } }),
        );
        self.quarantined.push(what);
    }

    fn call(&mut self) {
        let Some(signal) = self.dice.pick(&self.world.guards).cloned() else { return };
        self.count("guarded calls");
        let outcome = *self.dice.pick(&["success", "failure", "failure", "ignored"]).unwrap_or(&"failure");
        let breaker = self.dice.pick(&self.world.breakers).cloned();
        match (self.dice.below(10), breaker) {
            (0, Some(breaker)) => self.step(json!({ "force_open": breaker })),
            (1, Some(breaker)) => self.step(json!({ "release": breaker })),
            _ => {
                let repeat = self.dice.between(1, 12);
                self.step(json!({ "call": { "signal": signal, "outcome": outcome }, "repeat": repeat }));
            }
        }
    }

    /// The wall clock jumps, the monotonic one goes back, or somebody takes both for right.
    fn clock(&mut self) {
        self.count("clock jumps");
        match self.dice.below(3) {
            0 => {
                let back = self.dice.between(1, 30_000);
                let at = format!("{}ms", self.now.saturating_sub(back));
                let request = self.dice.pick(&self.world.requests).cloned();
                let mut step = json!({ "at": at, "backwards": true });
                if let (Some(members), Some(request)) = (step.as_object_mut(), request) {
                    members.insert("decide".to_owned(), request);
                }
                self.day.steps.push(step);
                // Back to where it was, or to a little later.
                self.step(json!({ "note": "the monotonic clock is right again" }));
            }
            1 => {
                let by = i64::try_from(self.dice.below(4 * 86_400)).unwrap_or(0).saturating_sub(2 * 86_400);
                self.wall_ahead = self.wall_ahead.saturating_add(by);
                let wall = self.wall();
                self.step(json!({ "wall": wall }));
            }
            _ => {
                self.wall_ahead = 0;
                let wall = self.wall();
                self.step(json!({ "wall": wall, "anchor_clocks": true }));
            }
        }
    }

    fn wall(&self) -> String {
        let seconds = i64::try_from(self.now / 1_000).unwrap_or(0);
        let at = START.saturating_add(seconds).saturating_add(self.wall_ahead);
        fallgate::time::Wall::from_millis(at.saturating_mul(1_000)).to_string()
    }

    fn restart(&mut self) {
        self.count("restarts");
        let state = match self.dice.below(20) {
            0 => json!({ "state": "lost" }),
            1 => json!({ "state": "altered" }),
            2 => json!({ "state": "older" }),
            _ => json!({}),
        };
        self.step(json!({ "restart": state }));
        if self.dice.percent(70) {
            self.tell(true);
        }
    }

    /// Strangers ask, all at once, and somebody tells of signals that there are not.
    fn flood(&mut self) {
        let Some(request) = self.dice.pick(&self.world.requests).cloned() else { return };
        self.count("floods");
        for number in 0..FLOOD {
            let mut request = request.clone();
            if let Some(subject) = request.get_mut("subject").and_then(Value::as_object_mut) {
                subject.insert("id".to_owned(), format!("stranger-{number}").into());
            }
            self.step(json!({ "decide": request }));
        }
        self.step(json!({ "observe": { "no-such-signal": "ok" } }));
    }

    fn feed(&mut self) {
        let Some(feed) = self.dice.pick(&self.world.feeds).cloned() else { return };
        self.count("lost control messages");
        self.step(json!({ "apply": { "feed": feed, "lost": true } }));
    }
}
