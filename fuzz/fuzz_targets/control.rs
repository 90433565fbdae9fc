//! Control messages: signed rightly and wrongly, altered, late, doubled and out of order. Nothing is done that the feed's own
//! key did not sign, nothing twice, and nothing in another order than the feed's.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use fallgate::limits::Limits;
use fallgate::operation::{Applied, Message};
use fallgate::policy::bundle::Trust;
use fallgate::policy::trust::envelope::{self, Envelope};
use fallgate::policy::trust::key::PublicKey;
use fallgate::policy::trust::root::TrustRoot;
use fallgate::time::Wall;
use fallgate::{Config, Engine};
use fallgate_fuzz::at;
use fallgate_fuzz::bound::within;
use fallgate_fuzz::change::change;
use fallgate_fuzz::people::{canonical, key, signature};
use fallgate_fuzz::program::Program;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value as Json, json};

const STEPS: usize = 60;
const FEEDS: [&str; 3] = ["fleet", "partners", "nobody"];
/// Who signs for each feed, as the trust root has it; mallory for none.
const SIGNERS: [(&str, &str); 2] = [("fleet", "controller"), ("partners", "partner")];
const KEYS: [&str; 4] = ["controller", "partner", "owner", "mallory"];

static ROOT: LazyLock<TrustRoot> = LazyLock::new(|| {
    let entry = |name: &str| json!({ "id": public(name).id().to_string(), "key": public(name).to_string() });
    let root = json!({
        "fallgate_trust": 1, "version": 1, "threshold": 1, "keys": [entry("owner")],
        "control": {
            "fleet": { "threshold": 1, "keys": [entry("controller")] },
            "partners": { "threshold": 1, "keys": [entry("partner")] },
        },
    });
    TrustRoot::from_json(&canonical(&root), &Limits::DEFAULT).expect("the fuzzer's own root")
});

static BUNDLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let pack = json!({
        "fallgate": 1, "name": "edge", "revision": 1,
        "control": { "feed": "fleet", "ttl": "30s" },
        "signals": { "partners": { "ttl": "60s", "heartbeat": { "feed": "partners" } } },
        "actions": { "read": { "requires": ["control"] }, "list": {}, "share": { "requires": ["partners"] } },
        "postures": [{ "name": "shut", "rank": 5, "permits": { "actions": ["list"] }, "leave": {} }],
        "rules": [{ "id": "anybody", "effect": "allow" }],
    });
    sealed(envelope::BUNDLE, &canonical(&pack), "owner")
});

fn public(name: &str) -> PublicKey {
    PublicKey::from_bytes(&key(name).verifying_key().to_bytes()).expect("a key")
}

fn sealed(payload_type: &str, payload: &[u8], by: &str) -> Vec<u8> {
    let mut envelope = Envelope::new(payload_type, payload.to_vec());
    let signature = signature(by, &envelope.encoding());
    envelope.add(public(by).id(), signature).expect("the first signature");
    envelope.to_json()
}

fn operation(program: &mut Program<'_>) -> Option<Json> {
    let id = program.pick(&["a", "b"]);
    let subject = json!({ "subject": { "type": "user", "id": id } });
    Some(match program.below(8) {
        0 => json!({ "quarantine": { "what": subject } }),
        1 => json!({ "lift_quarantine": subject }),
        2 => json!({ "enter_posture": { "posture": "shut" } }),
        3 => json!({ "leave_posture": { "posture": "shut" } }),
        4 => json!({ "revoke": { "type": "user", "id": id } }),
        5 => json!({ "drain_audit": {} }),
        _ => return None,
    })
}

/// One who listens to what the engine says of each message.
struct Listener {
    engine: Engine,
    ms: u64,
    sent: Vec<Vec<u8>>,
    /// Where each feed has come to.
    places: BTreeMap<String, (u64, u64)>,
    /// Every payload that was signed rightly, for its feed.
    signed: Vec<Vec<u8>>,
    taken: Vec<Vec<u8>>,
}

impl Listener {
    fn message(&mut self, program: &mut Program<'_>) -> Vec<u8> {
        let feed = program.pick(&FEEDS);
        let (epoch, sequence) = self.places.get(feed).copied().unwrap_or((1, 0));
        let (epoch, sequence) = match program.below(8) {
            0 => (epoch + 1, 1),
            1 => (epoch, sequence + 2),
            2 => (epoch, sequence),
            3 => (u64::from(program.byte()), u64::from(program.byte())),
            _ => (epoch, sequence + 1),
        };
        let at_ms = i64::try_from(self.ms).unwrap_or(0) - i64::from(program.once_in(6)) * 40_000;
        let mut message = json!({
            "fallgate": "control/1", "feed": feed, "epoch": epoch, "sequence": sequence,
            "at": Wall::from_millis(at(0).wall.as_nanos() / 1_000_000 + at_ms).to_string(),
        });
        match operation(program) {
            Some(operation) => message["operation"] = operation,
            None => message["heartbeat"] = json!({}),
        }
        if program.once_in(12) {
            change(&mut message, program);
        }
        let payload = canonical(&message);
        let own = SIGNERS.iter().find(|(of, _)| message["feed"] == *of).map(|(_, by)| *by);
        let by = if program.once_in(6) { program.pick(&KEYS) } else { own.unwrap_or("mallory") };
        let payload_type = if program.once_in(12) { envelope::BUNDLE } else { envelope::CONTROL };
        let sealed = sealed(payload_type, &payload, by);
        if Some(by) == own && payload_type == envelope::CONTROL {
            self.signed.push(payload);
        }
        sealed
    }

    fn apply(&mut self, bytes: &[u8]) {
        let before = self.engine.overview(at(self.ms));
        let applied = self.engine.apply(bytes, at(self.ms));
        let Ok(applied) = applied else {
            let mut after = self.engine.overview(at(self.ms));
            // A feed may be less trusted for it, and says so.
            after["feeds"] = before["feeds"].clone();
            assert_eq!(after, before, "refused: {applied:?}");
            return;
        };
        let payload = Envelope::from_json(bytes, &Limits::DEFAULT).expect("it was taken").payload().to_vec();
        assert!(self.signed.contains(&payload), "taken, and nobody who may has signed it: {applied:?}");
        if applied == Applied::Again {
            assert!(self.taken.contains(&payload) || is_old(&self.places, &payload), "said to be taken, and never was");
            return;
        }
        let message = Message::from_payload(&payload, &Limits::DEFAULT).expect("it was taken");
        let (epoch, sequence) = (message.place.epoch, message.place.sequence);
        let before = self.places.insert(message.place.feed.as_str().to_owned(), (epoch, sequence));
        if let Some((last_epoch, last)) = before {
            let next = if epoch == last_epoch { sequence == last + 1 } else { epoch > last_epoch && sequence == 1 };
            assert!(next, "{epoch}/{sequence} was taken after {last_epoch}/{last}");
        }
        assert!(!self.taken.contains(&payload), "it was taken twice: {applied:?}");
        self.taken.push(payload);
    }
}

/// Whether a message is of a place that its feed has left behind.
fn is_old(places: &BTreeMap<String, (u64, u64)>, payload: &[u8]) -> bool {
    let Ok(message) = Message::from_payload(payload, &Limits::DEFAULT) else { return false };
    let place = (message.place.epoch, message.place.sequence);
    places.get(message.place.feed.as_str()).is_some_and(|last| place <= *last)
}

fuzz_target!(|bytes: &[u8]| {
    within(200, || {
        let mut program = Program::of(bytes);
        let mut config = Config::default();
        config.trust = Trust::keys(ROOT.clone());
        let engine = Engine::new(config);
        assert_eq!(engine.activate_signed(&BUNDLE, at(0)), Ok(()));
        let (sent, signed, taken) = (Vec::new(), Vec::new(), Vec::new());
        let mut listener = Listener { engine, ms: 60_000, sent, places: BTreeMap::new(), signed, taken };
        for _ in 0..STEPS {
            if program.is_over() {
                break;
            }
            match program.below(8) {
                0 => listener.ms += u64::from(program.byte()) * 150,
                1 => {
                    let Some(mut old) = listener.sent.get(program.below(listener.sent.len().max(1))).cloned() else {
                        continue;
                    };
                    if program.once_in(2) {
                        let place = program.below(old.len());
                        old[place] ^= 1 << program.below(8);
                    }
                    listener.apply(&old);
                }
                2 if program.once_in(4) => {
                    let noise = program.rest();
                    listener.apply(&noise[..noise.len().min(300)]);
                }
                _ => {
                    let message = listener.message(&mut program);
                    listener.apply(&message);
                    listener.sent.push(message);
                }
            }
        }
    });
});
