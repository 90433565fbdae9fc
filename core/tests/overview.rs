//! How things stand, in one reading: what an operator sees before he acts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

use data_encoding::BASE64;
use ed25519_dalek::{Signer, SigningKey};
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::state::approvals::Proof;
use fallgate::state::statement::Purpose;
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Engine};
use serde_json::{Value, json};

const START: i64 = 1_767_225_600_000;

fn at(millis: u64) -> Now {
    Now::new(Monotonic::from_millis(millis), Wall::from_millis(START + i64::try_from(millis).unwrap()))
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn engine() -> Engine {
    let public = |seed: u8| format!("ed25519:{}", BASE64.encode(&key(seed).verifying_key().to_bytes()));
    let pack = json!({
        "fallgate": 1, "name": "shop", "revision": 1,
        "schema": {"resource": {"order": {"tenant": "string"}}},
        "scopes": {"tenant": "resource.tenant"},
        "actions": {"read": {}},
        "postures": [{"name": "shut", "rank": 5, "permits": "none", "leave": {}}],
        "approvers": {"sre": {"one": public(1), "two": public(2), "three": public(3)}},
        "overrides": {"need": 1, "from": "sre", "max_window": "1h", "max_uses": 5},
        "flags": {"emergency": {"posture": "shut", "owner": "the platform team", "max_age": "24h"}},
    });
    let bundle = Bundle::from_document(&pack, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    let engine = Engine::new(Config::default());
    engine.activate(bundle, at(0)).unwrap();
    engine
}

fn signed(seed: u8, purpose: Purpose, proposal: &Value) -> String {
    let payload = serde_json_canonicalizer::to_vec(proposal).unwrap();
    BASE64.encode(&key(seed).sign(&purpose.encoding(&payload)).to_bytes())
}

#[test]
fn without_a_bundle_there_is_nothing() {
    let empty = json!({
        "posture": null, "scopes": {}, "proposals": [], "overrides": [], "flags": [], "guards": [], "feeds": [],
        "rollout": null, "former_bundles": [],
    });
    assert_eq!(Engine::new(Config::default()).overview(at(0)), empty);
}

#[test]
fn the_overview_has_what_was_done_and_what_waits() {
    let engine = engine();
    let calm = json!({
        "posture": "normal", "scopes": {}, "proposals": [], "overrides": [], "flags": [], "guards": [], "feeds": [],
        "rollout": null, "former_bundles": [],
    });
    assert_eq!(engine.overview(at(0)), calm);

    engine.enter_posture("shut", Some("tenant:acme"), at(1_000)).unwrap();
    assert_eq!(engine.overview(at(1_000))["scopes"], json!({"tenant:acme": "shut"}));
    assert_eq!(engine.overview(at(1_000))["posture"], "normal");

    let change = json!({"grant_override": {
        "subjects": ["user:ann"], "actions": ["read"], "resources": ["order:o-1"], "for": "10m", "uses": 2,
    }});
    let proposal = json!({
        "fallgate": "proposal/1", "bundle": "shop", "operation": change, "by": "one", "reason": "somebody waits",
        "issued_at": at(2_000).wall.to_string(), "expires_at": at(602_000).wall.to_string(), "nonce": "1",
    });
    let id = engine.propose(&proposal, Proof::Signature(&signed(1, Purpose::Proposal, &proposal)), at(2_000)).unwrap();
    let waiting = json!([{
        "proposal": id.to_string(), "operation": change, "by": "one", "reason": "somebody waits",
        "approvals": 0, "need": 1, "from": "sre", "expires_in_ms": 540_000,
    }]);
    assert_eq!(engine.overview(at(62_000))["proposals"], waiting);

    engine.approve(id, "two", Proof::Signature(&signed(2, Purpose::Approval, &proposal)), at(62_000)).unwrap();
    let overview = engine.overview(at(63_000));
    assert_eq!(overview["proposals"], json!([]));
    assert_eq!(overview["overrides"], json!([{"override": id.to_string(), "uses_left": 2, "expires_in_ms": 599_000}]));
    assert_eq!(engine.overview(at(662_000))["overrides"], json!([]), "what has ended is not shown");

    engine.set_flag("emergency", None, at(700_000)).unwrap();
    let flag = |expires_in_ms: u64, expired: bool| {
        let owner = "the platform team";
        json!([{"flag": "emergency", "posture": "shut", "owner": owner, "expires_in_ms": expires_in_ms, "expired": expired}])
    };
    let overview = engine.overview(at(701_000));
    assert_eq!((&overview["flags"], &overview["posture"]), (&flag(86_399_000, false), &json!("shut")));
    assert_eq!(engine.overview(at(87_100_000))["flags"], flag(0, true), "a stale flag stays until it is cleared");
    assert_eq!(engine.overview(at(87_100_000))["scopes"], json!({"tenant:acme": "shut"}));
}
