//! Whoever writes policy and speaks for the feed of these days: what is signed, and how messages go astray.

use ed25519_dalek::{Signer, SigningKey};
use fallgate::limits::Limits;
use fallgate::policy::bundle::Trust;
use fallgate::policy::trust::envelope::{BUNDLE, CONTROL, Envelope};
use fallgate::policy::trust::key::PublicKey;
use fallgate::policy::trust::root::TrustRoot;
use serde_json::{Value, json};

pub(crate) const FEED: &str = "fleet";
const OWNER: u8 = 1;
const SPEAKER: u8 = 2;

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn public(number: u8) -> PublicKey {
    PublicKey::from_bytes(&key(number).verifying_key().to_bytes()).unwrap()
}

/// The owner writes policy, and the speaker speaks for the feed.
pub(crate) fn trust() -> Trust {
    let entry = |number: u8| json!({"id": public(number).id().to_string(), "key": public(number).to_string()});
    let form = json!({
        "fallgate_trust": 1, "version": 1, "threshold": 1, "keys": [entry(OWNER)],
        "control": {FEED: {"threshold": 1, "keys": [entry(SPEAKER)]}},
    });
    Trust::keys(TrustRoot::from_json(&serde_json_canonicalizer::to_vec(&form).unwrap(), &Limits::DEFAULT).unwrap())
}

fn signed(payload_type: &str, document: &Value, by: u8) -> Vec<u8> {
    let mut envelope = Envelope::new(payload_type, serde_json_canonicalizer::to_vec(document).unwrap());
    let signature = key(by).sign(&envelope.encoding()).to_bytes();
    envelope.add(public(by).id(), signature).unwrap();
    envelope.to_json()
}

pub(crate) fn bundle(document: &Value) -> Vec<u8> {
    signed(BUNDLE, document, OWNER)
}

pub(crate) fn envelope(message: &Value) -> Vec<u8> {
    signed(CONTROL, message, SPEAKER)
}

/// How a message comes to be, and what becomes of it on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// Of the epoch, or of one before or after it.
    pub(crate) epoch: i64,
    /// The next one, one that was sent before, or one whose turn it is not.
    pub(crate) ahead: i64,
    pub(crate) age_ms: i64,
    pub(crate) says: usize,
    /// Whether one that was sent before says something else now.
    pub(crate) other: bool,
}

/// A message that tells of nothing but life.
pub(crate) const BEAT: Sent = Sent { epoch: 0, ahead: 0, age_ms: 0, says: SAYINGS, other: false };
pub(crate) const SAYINGS: usize = 5;

fn operation(says: usize) -> Option<Value> {
    let subject = json!({"subject": {"type": "user", "id": "s0"}});
    match says {
        0 => Some(json!({"quarantine": {"what": subject}})),
        1 | 2 => Some(json!({ "lift_quarantine": subject })),
        3 => Some(json!({"enter_posture": {"posture": "careful"}})),
        4 => Some(json!({"leave_posture": {"posture": "careful"}})),
        _ => None,
    }
}

/// What was sent of the epoch.
pub(crate) struct Controller {
    epoch: u64,
    sent: Vec<Value>,
}

impl Controller {
    pub(crate) fn new() -> Self {
        Self { epoch: 1, sent: Vec::new() }
    }

    /// The message that comes, written so long before this wall time.
    pub(crate) fn send(&mut self, sent: Sent, wall_ms: i64) -> Value {
        let Sent { epoch, ahead, age_ms, says, other } = sent;
        if epoch > 0 {
            (self.epoch, self.sent) = (self.epoch + 1, Vec::new());
        }
        let next = self.sent.len() as i64 + 1;
        let sequence = (next + ahead).max(1);
        let before = usize::try_from(sequence - 1).ok().and_then(|at| self.sent.get(at));
        if let Some(before) = before.filter(|_| !other && epoch >= 0) {
            return before.clone();
        }
        let written = fallgate::time::Wall::from_millis(wall_ms - age_ms).to_string();
        let of = if epoch < 0 { self.epoch - 1 } else { self.epoch };
        let mut message =
            json!({"fallgate": "control/1", "feed": FEED, "epoch": of.max(1), "sequence": sequence, "at": written});
        let (member, said) = operation(says).map_or(("heartbeat", json!({})), |said| ("operation", said));
        message[member] = said;
        if epoch >= 0 && sequence == next {
            self.sent.push(message.clone());
        }
        message
    }
}
