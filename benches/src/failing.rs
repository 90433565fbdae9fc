//! W5: a system under failure: W2 with five signals, three postures, cached decisions, and audit on denies.
//!
//! A decision a millisecond. Each second every signal is observed again; each ten seconds a posture is entered or left. About
//! nine decisions of ten come out of the cache: the tenth meets an answer that a signal's age or a posture has ended.

use std::error::Error;

use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::state::signals::Observation;
use fallgate::time::Ttl;
use fallgate::{Config, Decision, Engine, Request};
use serde_json::{Value, json};

use crate::engine::{NOW, prepared};
use crate::{floors, roles};

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
        if millis.is_multiple_of(1_000) {
            self.observe(millis);
        }
        if millis.is_multiple_of(10_000) {
            self.turn(millis);
        }
        self.engine.decide(&self.requests[at % REQUESTS], NOW.after(Ttl::from_millis(millis)))
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
    }
}
