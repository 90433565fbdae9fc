//! The control feed: two epochs of messages that come in any order, twice, or not at all, one that contradicts another,
//! and restarts.
//!
//! Beside the engine goes the unbroken beginning of what was said, and how far messages are known to be missing.

use ed25519_dalek::{Signer, SigningKey};
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::policy::trust::envelope::{self, Envelope};
use fallgate::policy::trust::key::PublicKey;
use fallgate::policy::trust::root::TrustRoot;
use fallgate::request::Party;
use fallgate::state::document::StateKey;
use fallgate::time::Now;
use fallgate::{Config, Engine, Request};
use fallgate_spaces::memory::Telling;
use fallgate_spaces::{Counts, Met, Space, explore};
use serde_json::{Value, json};

use crate::{at, key};

/// What is said: epoch, number, and what it does. The second of the first epoch is said twice, in two ways.
const MESSAGES: [(u64, usize, Says); 6] = [
    (1, 1, Says::Quarantine),
    (1, 2, Says::Nothing),
    (1, 2, Says::Shut),
    (1, 3, Says::Lift),
    (2, 1, Says::Nothing),
    (2, 2, Says::Lift),
];
const TTL: u64 = 500;
/// How far the clocks go.
const HORIZON: u64 = 1_000;
const BEGINS: u64 = 100_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Nothing,
    Quarantine,
    Lift,
    Shut,
}

/// How large the space is, which is closed.
const COUNTS: Counts = Counts { states: 695, transitions: 6_255, depth: 8, closed: true };

#[derive(Clone, Copy, Debug)]
enum Step {
    Passes,
    Brings(usize),
    /// An operator leaves the posture that a message has entered.
    Open,
    Restart,
}

struct World {
    engine: Engine,
    millis: u64,
    epoch: u64,
    /// The messages of the epoch that were taken, in order.
    taken: Vec<usize>,
    /// The highest number that was seen.
    seen: usize,
    contradicted: bool,
    /// Whether the feed was heard or contradicted itself last, and when.
    heard: Option<(bool, u64)>,
    quarantined: bool,
    shut: bool,
}

struct Feed {
    bundle: Bundle,
    root: TrustRoot,
    messages: Vec<Vec<u8>>,
}

impl Feed {
    fn new() -> Self {
        let canonical = |document: &Value| serde_json_canonicalizer::to_vec(document).unwrap();
        let public = |key: &SigningKey| PublicKey::from_bytes(&key.verifying_key().to_bytes()).unwrap();
        let entry = |key: &SigningKey| json!({"id": public(key).id().to_string(), "key": public(key).to_string()});
        let signed = |payload_type: &str, payload: &Value, key: &SigningKey| {
            let mut envelope = Envelope::new(payload_type, canonical(payload));
            let signature = key.sign(&envelope.encoding()).to_bytes();
            envelope.add(public(key).id(), signature).unwrap();
            envelope.to_json()
        };
        let (owner, controller) = (key("owner"), key("controller"));
        let root = json!({
            "fallgate_trust": 1, "version": 1, "threshold": 1, "keys": [entry(&owner)],
            "control": {"fleet": {"threshold": 1, "keys": [entry(&controller)]}},
        });
        let root = TrustRoot::from_json(&canonical(&root), &Limits::DEFAULT).unwrap();
        let document = json!({
            "fallgate": 1, "name": "space", "revision": 1, "control": {"feed": "fleet", "ttl": "500ms"},
            "actions": {"read": {"requires": ["control"]}, "list": {}},
            "postures": [{"name": "shut", "rank": 1, "permits": "none", "leave": {}}],
            "rules": [{"id": "all", "effect": "allow"}],
        });
        let bundle = signed(envelope::BUNDLE, &document, &owner);
        let bundle =
            Bundle::from_signed(&bundle, &Trust::keys(root.clone()), &Limits::DEFAULT, at(BEGINS).wall).unwrap();
        let subject = json!({"subject": {"type": "user", "id": "ann"}});
        let message = |(epoch, number, says): &(u64, usize, Says)| {
            let (member, value) = match says {
                Says::Nothing => ("heartbeat", json!({})),
                Says::Quarantine => ("operation", json!({"quarantine": {"what": subject}})),
                Says::Lift => ("operation", json!({"lift_quarantine": subject})),
                Says::Shut => ("operation", json!({"enter_posture": {"posture": "shut"}})),
            };
            let payload = json!({
                "fallgate": "control/1", "feed": "fleet", "epoch": epoch, "sequence": number,
                "at": at(BEGINS).wall.to_string(), member: value,
            });
            signed(envelope::CONTROL, &payload, &controller)
        };
        let messages = MESSAGES.iter().map(message).collect();
        Self { bundle, root, messages }
    }

    fn engine(&self, now: Now) -> Engine {
        let mut config = Config::default();
        config.trust = Trust::keys(self.root.clone());
        config.state_key = StateKey::new([7; 32]);
        let engine = Engine::new(config);
        engine.activate(self.bundle.clone(), now).unwrap();
        engine
    }
}

impl World {
    fn now(&self) -> Now {
        at(BEGINS + self.millis)
    }

    /// Of one instant the worse stands.
    fn hear(&mut self, ok: bool) {
        if !ok || self.heard.is_none_or(|(was, when)| was || when < self.millis) {
            self.heard = Some((ok, self.millis));
        }
    }

    /// S-26.6 to S-26.9: what should become of a message, and of all else by it.
    fn brought(&mut self, number: usize) -> &'static str {
        let (epoch, sequence, says) = MESSAGES[number];
        if epoch < self.epoch {
            return "control_fenced";
        }
        if epoch > self.epoch {
            (self.epoch, self.seen, self.contradicted) = (epoch, 0, false);
            self.taken.clear();
        }
        self.seen = self.seen.max(sequence);
        if sequence <= self.taken.len() {
            if self.taken[sequence - 1] == number {
                return "again";
            }
            self.contradicted = true;
            self.hear(false);
            return "control_conflict";
        }
        if sequence > self.taken.len() + 1 {
            return "control_gap";
        }
        self.taken.push(number);
        if !self.contradicted {
            self.hear(true);
        }
        match says {
            Says::Nothing => "heard",
            Says::Quarantine => {
                self.quarantined = true;
                "done"
            }
            Says::Shut => {
                self.shut = true;
                "done"
            }
            Says::Lift if !self.contradicted && std::mem::take(&mut self.quarantined) => "done",
            Says::Lift => "not_done",
        }
    }
}

impl Space for Feed {
    type Step = Step;
    type World = World;

    fn steps(&self) -> Vec<Step> {
        let brings = (0..MESSAGES.len()).map(Step::Brings);
        [Step::Passes, Step::Open, Step::Restart].into_iter().chain(brings).collect()
    }

    fn begin(&self) -> World {
        World {
            engine: self.engine(at(BEGINS)),
            millis: 0,
            epoch: 0,
            taken: Vec::new(),
            seen: 0,
            contradicted: false,
            heard: None,
            quarantined: false,
            shut: false,
        }
    }

    fn take(&self, world: &mut World, step: Step) -> Result<Met, String> {
        let now = world.now();
        match step {
            Step::Passes => {
                world.millis = (world.millis + 1_000).min(HORIZON);
                world.engine.advance(world.now());
                Ok(Met::done("passed"))
            }
            Step::Brings(number) => {
                let expected = world.brought(number);
                let applied = world.engine.apply(&self.messages[number], now);
                let found = applied.as_ref().map_or_else(|error| error.code(), |applied| applied.code());
                if found != expected {
                    return Err(format!("message {number} is {found}, and should be {expected}"));
                }
                let changes_nothing = ["again", "control_fenced"].contains(&found);
                Ok(if changes_nothing { Met::refused(expected) } else { Met::done(expected) })
            }
            Step::Open => {
                let left = world.engine.leave_posture("shut", None, now).is_ok();
                if left != std::mem::take(&mut world.shut) {
                    return Err("left what was not entered, or not what was".to_owned());
                }
                Ok(if left { Met::done("opened") } else { Met::refused("nothing to leave") })
            }
            Step::Restart => {
                let state = world.engine.export_state(now).map_err(|error| error.to_string())?;
                world.engine = self.engine(now);
                world.engine.restore_state(&state, None, now).map_err(|error| error.to_string())?;
                world.heard = None;
                Ok(Met::done("restarted"))
            }
        }
    }

    /// I-25, I-36: what was said is in force, once and in its order, and a feed that is silent, broken or in contradiction
    /// grants nothing.
    fn check(&self, world: &World) -> Result<Vec<&'static str>, String> {
        let fresh = matches!(world.heard, Some((true, when)) if world.millis - when <= TTL);
        let whole = world.seen == world.taken.len() && !world.contradicted;
        let mut met = Vec::new();
        for subject in ["ann", "bob"] {
            let free = !(world.shut || (world.quarantined && subject == "ann"));
            for (action, expected) in [("list", free), ("read", free && fresh && whole)] {
                let request = Request::new(Party::new("user", subject), action, Party::new("doc", "1"));
                let decision = world.engine.decide(&request, world.now());
                if decision.is_allow() != expected {
                    return Err(format!(
                        "{subject} may {action}: {}, and should be {expected}",
                        decision.reason().code()
                    ));
                }
                met.push(if expected { "allowed" } else { decision.reason().code() });
            }
        }
        met.extend((fresh && !whole).then_some("heard and not whole"));
        if world.engine.counters().cached_decisions > 0 {
            return Err("an answer was kept, of which the memory tells nothing".to_owned());
        }
        Ok(met)
    }

    fn memory(&self, world: &World) -> String {
        let World { millis, epoch, taken, seen, contradicted, heard, quarantined, shut, .. } = world;
        let telling = Telling::PLAIN.of(&world.engine, world.now());
        format!("{millis} {epoch} {taken:?} {seen} {contradicted} {heard:?} {quarantined} {shut} {telling}")
    }

    fn is_home(&self, world: &World) -> bool {
        world.epoch == 2 && world.taken.len() == 2
    }
}

#[test]
fn a_feed_is_done_in_order_and_once_whatever_comes() {
    let names = [
        "heard",
        "done",
        "not_done",
        "again",
        "control_gap",
        "control_conflict",
        "control_fenced",
        "heard and not whole",
        "allowed",
        "signal_unavailable",
        "quarantined",
        "posture",
        "opened",
        "restarted",
    ];
    explore(&Feed::new(), usize::MAX).hold("feed", &[COUNTS], &names);
}
