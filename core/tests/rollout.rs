//! Rollouts: a later bundle beside the active one, and what it takes before it decides.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

#[path = "rollout/laws.rs"]
mod laws;
#[path = "rollout/loading.rs"]
mod loading;
#[path = "rollout/return.rs"]
mod returning;
#[path = "rollout/steps.rs"]
mod steps;
#[path = "rollout/threads.rs"]
mod threads;

use data_encoding::BASE64;
use ed25519_dalek::{Signer, SigningKey};
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::state::approvals::{ApprovalError, Approved, Proof};
use fallgate::state::proposal::Proposal;
use fallgate::state::statement::Purpose;
use fallgate::time::{Monotonic, Now, Ttl, Wall};
use fallgate::{Config, Decision, Engine};
use serde_json::{Value, json};

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000;

/// So many milliseconds after the start.
fn at(millis: u64) -> Now {
    let wall = Wall::from_millis(START + i64::try_from(millis).unwrap());
    Now::new(Monotonic::from_nanos(millis * 1_000_000), wall)
}

/// So many seconds after the start.
fn secs(seconds: u64) -> Now {
    at(seconds * 1_000)
}

fn compiled(document: &Value) -> Bundle {
    Bundle::from_document(document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
}

/// Somebody with a key.
struct Person {
    name: &'static str,
    key: SigningKey,
}

impl Person {
    fn new(name: &'static str, seed: u8) -> Self {
        Self { name, key: SigningKey::from_bytes(&[seed; 32]) }
    }

    fn public(&self) -> String {
        format!("ed25519:{}", BASE64.encode(self.key.verifying_key().as_bytes()))
    }

    fn sign(&self, purpose: Purpose, document: &Value) -> String {
        let proposal = Proposal::read(document).unwrap();
        BASE64.encode(&self.key.sign(&purpose.encoding(&proposal.bytes)).to_bytes())
    }
}

fn owners() -> [Person; 3] {
    [Person::new("ann", 1), Person::new("bob", 2), Person::new("cho", 3)]
}

/// The pack of these tests: readers read, writers write, and nobody erases. Its successor is compared for 10 s, decides for
/// a half and then for nine of ten for 5 s each, and is compared at least ten times a step.
fn pack(revision: u64) -> Value {
    let [ann, bob, cho] = owners();
    json!({
        "fallgate": 1, "name": "docs", "revision": revision,
        "schema": { "subject": { "user": { "roles": ["string"], "team": "string" } } },
        "signals": { "idp": { "ttl": "1h" } },
        "actions": {
            "doc:read": { "cache": { "allow": "1m", "deny": "1m" } },
            "doc:write": { "requires": ["idp"], "on_failure": { "serve_cached": { "max_stale": "5m" } }, "cache": { "allow": "1m" } },
            "doc:erase": {},
        },
        "approvers": { "owners": { "ann": ann.public(), "bob": bob.public(), "cho": cho.public() } },
        "rollout": {
            "shadow": "10s", "canary": ["50%", "90%"], "hold": "5s", "sample": 10,
            "approvals": { "need": 2, "from": "owners" },
        },
        "rules": [
            { "id": "readers", "effect": "allow", "action": "doc:read", "subject": { "roles": "reader" } },
            { "id": "writers", "effect": "allow", "action": "doc:write", "subject": { "roles": "writer" } },
        ],
    })
}

/// The pack of that revision, changed.
fn changed(revision: u64, change: impl FnOnce(&mut Value)) -> Bundle {
    let mut document = pack(revision);
    change(&mut document);
    compiled(&document)
}

/// A successor that lets erasers erase, and says so if `declared`.
fn erasing(revision: u64, declared: bool) -> Bundle {
    changed(revision, |pack| {
        let rule =
            json!({ "id": "erasers", "effect": "allow", "action": "doc:erase", "subject": { "roles": "eraser" } });
        pack["rules"].as_array_mut().unwrap().push(rule);
        if declared {
            pack["rollout"]["newly_allows"] = json!(["doc:erase"]);
        }
    })
}

/// An engine with the pack active, whose successor may be staged; the identity provider is there.
fn engine() -> Engine {
    let engine = Engine::new(Config::default());
    engine.activate(compiled(&pack(1)), secs(0)).unwrap();
    engine.observe(&fallgate::Observation::ok("idp"), secs(0));
    engine
}

fn request(user: &str, roles: &[&str], action: &str) -> Value {
    json!({
        "subject": { "type": "user", "id": user, "properties": { "roles": roles, "team": "blue" } },
        "action": { "name": action }, "resource": { "type": "doc", "id": "d-1" },
    })
}

fn decide(engine: &Engine, request: &Value, now: Now) -> Decision {
    engine.decide_json(request.to_string().as_bytes(), now)
}

/// Twelve people read, who may: enough for a sample.
fn read_by_many(engine: &Engine, now: Now) {
    for number in 0..12 {
        assert!(decide(engine, &request(&format!("u{number}"), &["reader"], "doc:read"), now).is_allow());
    }
}

/// The codes of all events since the last time somebody asked.
fn events(engine: &Engine) -> Vec<&'static str> {
    std::iter::from_fn(|| engine.poll_event()).map(|event| event.kind.code()).collect()
}

fn overview(engine: &Engine, now: Now) -> Value {
    engine.overview(now)["rollout"].clone()
}

/// Ann proposes a change, and Bob and Cho approve it.
fn approved(engine: &Engine, change: &Value, now: Now) -> Result<Approved, ApprovalError> {
    let [ann, bob, cho] = owners();
    let end = now.after(Ttl::from_secs(3_600));
    let document = json!({
        "fallgate": "proposal/1", "bundle": "docs", "operation": change, "by": "ann", "reason": "it is wanted",
        "issued_at": now.wall.to_string(), "expires_at": end.wall.to_string(), "nonce": now.wall.to_string(),
    });
    let id = engine.propose(&document, Proof::Signature(&ann.sign(Purpose::Proposal, &document)), now)?;
    let signature = bob.sign(Purpose::Approval, &document);
    engine.approve(id, bob.name, Proof::Signature(&signature), now)?;
    let signature = cho.sign(Purpose::Approval, &document);
    engine.approve(id, cho.name, Proof::Signature(&signature), now)
}
