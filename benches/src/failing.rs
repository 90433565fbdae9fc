//! W5: a system under failure: W2 with five signals, three postures, cached decisions, and audit on denies.
//!
//! A decision a millisecond. Each second every signal is observed again; each ten seconds a posture is entered or left. About
//! nine decisions of ten come out of the cache: the tenth meets an answer that a signal's age or a posture has ended.

use std::cell::Cell;
use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::state::signals::Observation;
use fallgate::time::Ttl;
use fallgate::{Config, Decision, Engine, Request};
use serde_json::{Value, json};

use crate::contest::{Contest, Label};
use crate::elsewhere::Elsewhere;
use crate::engine::{NOW, drain, prepared};
use crate::scaling::Threads;
use crate::{floors, roles, roles_floor};

/// Decisions until all comes round again: two postures are entered and left.
pub const DECISIONS: usize = 40_000;

/// Requests that differ.
const REQUESTS: usize = 256;

/// The signals that the host observes.
const SIGNALS: [&str; 5] = ["identity", "directory", "ledger", "revocations", "intrusion"];

/// What happens to the postures, one after the other.
const TURNS: [(bool, &str); 4] = [(true, "read-only"), (true, "emergency"), (false, "emergency"), (false, "read-only")];

/// An engine, and what is asked of it.
pub struct System {
    engine: Engine,
    requests: Vec<Request>,
}

impl System {
    /// A system whose signals are all ok.
    ///
    /// # Errors
    ///
    /// Where the bundle is refused.
    pub fn new() -> Result<Self, Box<dyn Error>> {
        let mut config = Config::default();
        // What is measured is the decision, not the drain: every record has room.
        config.limits.audit_entries_max = 1 << 20;
        config.limits.audit_bytes_max = 1 << 30;
        let bundle = Bundle::from_document(&document(), &Trust::unsigned_for_development(), &Limits::DEFAULT)?;
        let engine = Engine::new(config);
        engine.activate(bundle, NOW)?;
        let mut requests = floors::bytes(&roles::Request::seeded(), |request| request.to_json(roles::Kind::Attributes));
        requests.truncate(REQUESTS);
        let system = Self { engine, requests: prepared(&requests)? };
        system.observe(0);
        Ok(system)
    }

    /// Lets happen what does at that millisecond, and decides.
    ///
    /// # Panics
    ///
    /// Where a posture is not entered or left as the bundle says.
    pub fn decide(&self, at: usize, millis: u64) -> Decision {
        self.happen(millis);
        self.answer(at, millis)
    }

    /// Lets happen what does at that millisecond.
    ///
    /// # Panics
    ///
    /// Where a posture is not entered or left as the bundle says.
    pub fn happen(&self, millis: u64) {
        if millis.is_multiple_of(1_000) {
            self.observe(millis);
        }
        if millis.is_multiple_of(10_000) {
            self.turn(millis);
        }
    }

    /// Decides at that millisecond.
    #[must_use]
    pub fn answer(&self, at: usize, millis: u64) -> Decision {
        self.engine.decide(&self.requests[at % REQUESTS], NOW.after(Ttl::from_millis(millis)))
    }

    /// Writes what was recorded, as far as the engine can tell.
    pub fn drain(&self) {
        drain(&self.engine);
    }

    fn observe(&self, millis: u64) {
        for signal in SIGNALS {
            self.engine.observe(&Observation::ok(signal), NOW.after(Ttl::from_millis(millis)));
        }
    }

    fn turn(&self, millis: u64) {
        let now = NOW.after(Ttl::from_millis(millis));
        let turn = usize::try_from(millis / 10_000).map_or(0, |turn| turn % TURNS.len());
        let (enters, posture) = TURNS[turn];
        let done = match enters {
            true => self.engine.enter_posture(posture, None, now),
            false => self.engine.leave_posture(posture, None, now),
        };
        done.expect("the bundle has the posture, and asks for nothing to leave it");
    }
}

/// The same by hand: W2's floor, and what the postures of that millisecond permit.
struct ByHand {
    floor: roles_floor::Floor,
    requests: Vec<roles::Request>,
}

impl ByHand {
    fn new() -> Self {
        let mut requests = roles::Request::seeded();
        requests.truncate(REQUESTS);
        Self { floor: roles_floor::Floor::new(roles::Kind::Attributes, &roles::Grants::seeded()), requests }
    }

    fn decide(&self, at: usize, millis: u64) -> bool {
        let request = &self.requests[at % REQUESTS];
        let permitted = match millis / 10_000 % 4 {
            0 | 2 => roles::ACTIONS[..roles::READS].contains(&request.action.as_str()),
            1 => request.action == roles::ACTIONS[0],
            _ => true,
        };
        permitted && self.floor.decide(request)
    }
}

/// How far apart the decisions are on which the lanes agree, so that they meet all four turns of the postures.
const AGREED_EACH_MS: u64 = 20;

/// Adds the lanes: by hand, and Fallgate.
///
/// # Errors
///
/// Where the bundle is refused.
pub fn lanes(contest: &mut Contest<'_>) -> Result<(), Box<dyn Error>> {
    let by_hand = Rc::new(ByHand::new());
    let (agreeing, millis) = (Rc::clone(&by_hand), stepping());
    let timed = "the decision and the posture of the millisecond; the request is a Rust struct";
    let label = Label::new("by hand", "Rust", "prepared", timed);
    let agree = move |at: usize| agreeing.decide(at, at as u64 * AGREED_EACH_MS);
    contest.walk(label, agree, move |at| by_hand.decide(at, millis()), || ());

    let (agreeing, timed, millis) = (System::new()?, Arc::new(System::new()?), stepping());
    let drained = Arc::clone(&timed);
    let drainer = Elsewhere::new(move || drained.drain());
    let what = "`decide` on a `Request`, dropping the decision, and each second the signals, each ten a posture";
    let label = Label::new("fallgate", env!("CARGO_PKG_VERSION"), "cached, prepared", what);
    let agree = move |at: usize| agreeing.decide(at, at as u64 * AGREED_EACH_MS).is_allow();
    contest.walk(label, agree, move |at| timed.decide(at, millis()).is_allow(), move || drainer.work());
    Ok(())
}

/// Adds the lanes for threads: the first one is the host, with its clock and its signals, which the others read.
///
/// # Errors
///
/// Where the bundle is refused.
pub fn on_threads(threads: &mut Threads<'_>) -> Result<(), Box<dyn Error>> {
    let (by_hand, clock) = (ByHand::new(), Clock::default());
    let agreeing = ByHand::new();
    threads.walk(
        Label::new("by hand", "Rust", "prepared", ""),
        move |at| agreeing.decide(at, 0),
        move |thread, decisions| {
            let decide = |at: &usize| by_hand.decide(*at, clock.millis(thread));
            (0..decisions).filter(decide).count()
        },
        || (),
    );
    let (agreeing, system, clock) = (System::new()?, Arc::new(System::new()?), Clock::default());
    agreeing.happen(0);
    let drained = Arc::clone(&system);
    threads.walk(
        Label::new("fallgate", env!("CARGO_PKG_VERSION"), "cached, prepared", ""),
        move |at| agreeing.answer(at, 0).is_allow(),
        move |thread, decisions| {
            let decide = |at: &usize| match thread {
                0 => system.decide(*at, clock.millis(0)),
                other => system.answer(*at, clock.millis(other)),
            };
            (0..decisions).filter(|at| decide(at).is_allow()).count()
        },
        move || drained.drain(),
    );
    Ok(())
}

/// A clock that one thread moves on, a millisecond at each reading, and the others read. What it shows them is a few
/// milliseconds old: a line of memory that is written at each reading would be all that is measured.
#[derive(Default)]
struct Clock {
    own: AtomicU64,
    shown: Shown,
}

/// On a line of memory of its own.
#[derive(Default)]
#[repr(align(128))]
struct Shown(AtomicU64);

impl Clock {
    fn millis(&self, thread: usize) -> u64 {
        if thread > 0 {
            return self.shown.0.load(Ordering::Relaxed);
        }
        let millis = self.own.load(Ordering::Relaxed);
        self.own.store(millis + 1, Ordering::Relaxed);
        if millis.is_multiple_of(16) {
            self.shown.0.store(millis, Ordering::Relaxed);
        }
        millis
    }
}

/// Milliseconds from 0 on, one more at each call.
fn stepping() -> impl Fn() -> u64 {
    let millis = Cell::new(0);
    move || millis.replace(millis.get() + 1)
}

/// W2's bundle with what W5 adds.
fn document() -> Value {
    let mut document = roles::document(roles::Kind::Attributes, &roles::Grants::seeded(), true);
    document["name"] = json!("w5-failing");
    document["signals"] = SIGNALS.iter().map(|name| ((*name).to_owned(), json!({ "ttl": "5s" }))).collect();
    document["postures"] = json!([
        { "name": "read-only", "rank": 1, "permits": { "classes": ["read"] }, "leave": {} },
        { "name": "emergency", "rank": 2, "permits": { "actions": ["records:view"] }, "leave": {} },
    ]);
    document["audit"] = json!({ "level": "denies" });
    for (at, action) in roles::ACTIONS.iter().enumerate() {
        let needs = if at < roles::READS { &SIGNALS[..2] } else { &SIGNALS[..4] };
        document["actions"][action]["requires"] = json!(needs);
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_decisions_of_ten_are_cached_and_postures_deny() {
        let system = System::new().unwrap();
        let decisions: Vec<Decision> = (0..DECISIONS).map(|at| system.decide(at, at as u64)).collect();
        let gated = decisions.iter().filter(|decision| decision.reason().code() == "posture").count();
        let past = decisions.len() - gated;
        let cached = decisions.iter().filter(|decision| decision.cached()).count();
        assert!((85..=95).contains(&(cached * 100 / past)), "{cached} of {past} cached, {gated} gated");
        assert!(decisions.iter().all(|decision| !decision.is_degraded()));
        assert!(gated > DECISIONS / 5 && decisions.iter().any(Decision::is_allow));
        let by_hand = ByHand::new();
        for (at, decision) in decisions.iter().enumerate() {
            assert_eq!(decision.is_allow(), by_hand.decide(at, at as u64), "decision {at}: {:?}", decision.reason());
        }
    }
}
