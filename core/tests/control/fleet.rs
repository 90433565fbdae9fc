//! A fleet's controller and one engine of it, for tests: keys, a trust root, messages, and how things stand.

use data_encoding::BASE64;
use ed25519_dalek::{Signer as _, SigningKey};
use fallgate::condition::Status;
use fallgate::limits::Limits;
use fallgate::operation::{Applied, NotDone, Operation};
use fallgate::policy::bundle::Trust;
use fallgate::policy::trust::envelope::{self, Envelope};
use fallgate::policy::trust::key::PublicKey;
use fallgate::policy::trust::root::TrustRoot;
use fallgate::request::Party;
use fallgate::state::control::ControlError;
use fallgate::state::document::StateKey;
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Engine, Request};
use serde_json::{Value, json};

/// 2026-01-01T00:00:00Z.
pub(crate) const START: i64 = 1_767_225_600_000;
/// The key that signs bundles and trust roots.
pub(crate) const OWNER: u8 = 1;
/// The keys that speak for the feed `fleet`.
pub(crate) const CONTROLLER: u8 = 11;
pub(crate) const SPARE: u8 = 12;
/// The key that speaks for the feed `partners`.
pub(crate) const PARTNER: u8 = 13;
/// The key of an approver.
pub(crate) const APPROVER: u8 = 21;

pub(crate) fn at(millis: u64) -> Now {
    Now::new(Monotonic::from_millis(millis), wall(millis.try_into().unwrap()))
}

pub(crate) fn wall(millis: i64) -> Wall {
    Wall::from_millis(START + millis)
}

pub(crate) fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

pub(crate) fn public(number: u8) -> PublicKey {
    PublicKey::from_bytes(&key(number).verifying_key().to_bytes()).unwrap()
}

pub(crate) fn entry(number: u8) -> Value {
    json!({ "id": public(number).id().to_string(), "key": public(number).to_string() })
}

pub(crate) fn canonical(document: &Value) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(document).unwrap()
}

/// The trust root: the owner writes policy, the controller speaks for the fleet, the partner for partners.
pub(crate) fn root_form() -> Value {
    json!({
        "fallgate_trust": 1, "version": 1, "threshold": 1, "keys": [entry(OWNER)],
        "control": {
            "fleet": { "threshold": 1, "keys": [entry(CONTROLLER), entry(SPARE)] },
            "partners": { "threshold": 1, "keys": [entry(PARTNER)] },
        },
    })
}

pub(crate) fn root(form: &Value) -> TrustRoot {
    TrustRoot::from_json(&canonical(form), &Limits::DEFAULT).unwrap()
}

/// A pack whose action `read` needs the control feed, and `list` nothing.
pub(crate) fn pack(revision: u64) -> Value {
    let approver = |number: u8| format!("ed25519:{}", BASE64.encode(&key(number).verifying_key().to_bytes()));
    json!({
        "fallgate": 1, "name": "edge", "revision": revision,
        "control": { "feed": "fleet", "ttl": "30s" },
        "signals": { "partners": { "ttl": "60s", "heartbeat": { "feed": "partners" } } },
        "actions": { "read": { "requires": ["control"] }, "list": {}, "share": { "requires": ["partners"] } },
        "postures": [
            { "name": "shut", "rank": 5, "permits": "none", "leave": {} },
            { "name": "sealed", "rank": 9, "permits": "none", "leave": { "approvals": { "need": 1, "from": "sre" } } },
        ],
        "approvers": { "sre": { "one": approver(APPROVER), "two": approver(22) } },
        "flags": { "emergency": { "posture": "shut", "owner": "the platform team", "max_age": "24h" } },
        "audit": { "level": "all" },
        "rules": [{ "id": "anybody", "effect": "allow" }],
    })
}

pub(crate) fn signed_as(payload_type: &str, payload: &[u8], keys: &[u8]) -> Vec<u8> {
    let mut envelope = Envelope::new(payload_type, payload.to_vec());
    for number in keys {
        let signature = key(*number).sign(&envelope.encoding()).to_bytes();
        envelope.add(public(*number).id(), signature).unwrap();
    }
    envelope.to_json()
}

/// An engine with the pack, one second after the start of its clock.
pub(crate) fn engine_with(pack: &Value, form: &Value) -> Engine {
    let mut config = Config::default();
    config.trust = Trust::keys(root(form));
    config.state_key = StateKey::new([7; 32]);
    let engine = Engine::new(config);
    engine.activate_signed(&signed_as(envelope::BUNDLE, &canonical(pack), &[OWNER]), at(0)).unwrap();
    engine
}

pub(crate) fn engine() -> Engine {
    engine_with(&pack(1), &root_form())
}

/// A message of the feed `fleet`, written `at` milliseconds after the start; no operation is a heartbeat.
pub(crate) fn payload(feed: &str, epoch: u64, sequence: u64, at: i64, operation: Option<Value>) -> Value {
    let mut message = json!({
        "fallgate": "control/1", "feed": feed, "epoch": epoch, "sequence": sequence, "at": wall(at).to_string(),
    });
    let (member, value) = operation.map_or(("heartbeat", json!({})), |operation| ("operation", operation));
    message.as_object_mut().unwrap().insert(member.to_owned(), value);
    message
}

pub(crate) fn message(epoch: u64, sequence: u64, at: i64, operation: Option<Value>) -> Vec<u8> {
    signed_as(envelope::CONTROL, &canonical(&payload("fleet", epoch, sequence, at, operation)), &[CONTROLLER])
}

pub(crate) fn beat(epoch: u64, sequence: u64, at: i64) -> Vec<u8> {
    message(epoch, sequence, at, None)
}

/// What became of a message, by its code.
pub(crate) fn fate(applied: Result<Applied, ControlError>) -> String {
    match applied {
        Ok(Applied::NotDone(why)) => format!("not done: {}", NotDone::code(&why)),
        Ok(applied) => applied.code().to_owned(),
        Err(error) => error.code().to_owned(),
    }
}

pub(crate) fn control(engine: &Engine) -> Status {
    engine.signal("control").unwrap()
}

pub(crate) fn allows(engine: &Engine, action: &str, subject: &str, now: Now) -> bool {
    let request = Request::new(Party::new("user", subject), action, Party::new("doc", "d"));
    engine.decide(&request, now).is_allow()
}

pub(crate) fn quarantine(id: &str) -> Value {
    json!({ "quarantine": { "what": { "subject": { "type": "user", "id": id } } } })
}

pub(crate) fn lift(id: &str) -> Value {
    json!({ "lift_quarantine": { "subject": { "type": "user", "id": id } } })
}

pub(crate) fn enter(posture: &str) -> Value {
    json!({ "enter_posture": { "posture": posture } })
}

pub(crate) fn leave(posture: &str) -> Value {
    json!({ "leave_posture": { "posture": posture } })
}

/// Does an operation as an operator would, beside the feed.
pub(crate) fn operate(engine: &Engine, operation: &Value, now: Now) {
    let operation = Operation::from_json(operation.to_string().as_bytes(), &Limits::DEFAULT).unwrap();
    engine.operate(&operation, now).unwrap();
}

/// Every event since the last look, by its code.
pub(crate) fn events(engine: &Engine) -> Vec<&'static str> {
    std::iter::from_fn(|| engine.poll_event()).map(|event| event.kind.code()).collect()
}
