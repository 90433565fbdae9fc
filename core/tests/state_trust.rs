//! What exported state knows of bundles, of the trust root and of the audit chain: an engine that restores it lets nobody in
//! by forgetting whom it trusted.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

use ed25519_dalek::{Signer as _, SigningKey};
use fallgate::limits::Limits;
use fallgate::name::name;
use fallgate::policy::bundle::Trust;
use fallgate::policy::trust::envelope::{self, Envelope};
use fallgate::policy::trust::key::PublicKey;
use fallgate::policy::trust::root::TrustRoot;
use fallgate::request::Party;
use fallgate::state::document::{StateError, StateKey};
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Engine, Reason, Request};
use serde_json::{Value, json};

fn at(millis: u64) -> Now {
    let wall = i64::try_from(millis).unwrap() + 1_767_225_600_000;
    Now::new(Monotonic::from_millis(millis), Wall::from_millis(wall))
}

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn public(number: u8) -> PublicKey {
    PublicKey::from_bytes(&key(number).verifying_key().to_bytes()).unwrap()
}

fn canonical(document: &Value) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(document).unwrap()
}

/// A trust root of which one key must sign.
fn root_form(version: u64, keys: &[u8], revoked: &[u8]) -> Value {
    let id = |number: &u8| public(*number).id().to_string();
    let keys: Vec<Value> = keys.iter().map(|n| json!({ "id": id(n), "key": public(*n).to_string() })).collect();
    let mut form = json!({ "fallgate_trust": 1, "version": version, "threshold": 1, "keys": keys });
    if !revoked.is_empty() {
        form["revoked"] = json!({ "keys": revoked.iter().map(id).collect::<Vec<_>>() });
    }
    form
}

fn root(version: u64, keys: &[u8], revoked: &[u8]) -> TrustRoot {
    TrustRoot::from_json(&canonical(&root_form(version, keys, revoked)), &Limits::DEFAULT).unwrap()
}

fn signed(payload_type: &str, document: &Value, by: u8) -> Vec<u8> {
    let mut envelope = Envelope::new(payload_type, canonical(document));
    let signature = key(by).sign(&envelope.encoding()).to_bytes();
    envelope.add(public(by).id(), signature).unwrap();
    envelope.to_json()
}

/// A bundle that a key has signed; `note` makes another of the same revision.
fn bundle(revision: u64, note: &str, by: u8) -> Vec<u8> {
    let document = json!({
        "fallgate": 1, "name": "shop", "revision": revision, "actions": { "read": {} }, "audit": { "level": "all" },
        "postures": [{ "name": "closed", "rank": 9, "permits": { "actions": [] }, "leave": {} }],
        "rules": [{ "id": format!("anybody{note}"), "effect": "allow", "action": "read" }],
    });
    signed(envelope::BUNDLE, &document, by)
}

fn config(root: Option<TrustRoot>) -> Config {
    let mut config = Config::default();
    config.state_key = StateKey::new([7; 32]);
    config.instance = name("one").unwrap();
    if let Some(root) = root {
        config.trust = Trust::keys(root);
    }
    config
}

fn engine(root: Option<TrustRoot>, bundle: &[u8]) -> Engine {
    let engine = Engine::new(config(root));
    engine.activate_signed(bundle, at(0)).unwrap();
    engine
}

fn decides(engine: &Engine, now: Now) -> Reason {
    engine.decide(&Request::new(Party::new("user", "ann"), "read", Party::new("page", "1")), now).reason()
}

fn codes(engine: &Engine) -> Vec<&'static str> {
    std::iter::from_fn(|| engine.poll_event()).map(|event| event.kind.code()).collect()
}

fn sealed(state: &[u8]) -> Value {
    serde_json::from_slice::<Value>(state).unwrap()["state"].take()
}

/// The second root revokes the first key, and the first root's second key has signed it.
fn second() -> Vec<u8> {
    signed(envelope::TRUST, &root_form(2, &[2, 3], &[1]), 2)
}

/// The state of an engine that has followed to the second root, under a bundle of the second key.
fn exported() -> Vec<u8> {
    let engine = engine(Some(root(1, &[1, 2], &[])), &bundle(1, "", 2));
    assert_eq!(engine.rotate_trust(&second(), at(1)), Ok(2));
    engine.export_state(at(2)).unwrap()
}

#[test]
fn a_state_names_its_bundles_its_root_and_its_chain() {
    let state = sealed(&exported());
    let engine = engine(Some(root(2, &[2, 3], &[1])), &bundle(1, "", 2));
    let id = engine.bundle().unwrap().id().to_string();
    assert_eq!((&state["bundle"], &state["revision_bundle"]), (&json!(id), &json!(id)));
    assert_eq!(state["trust"], json!({ "version": "2", "root": engine.trust().root().unwrap().digest() }));
    assert_eq!(state["audit"], json!({ "count": "0", "head": "0".repeat(64) }));
    // Development has no root to remember.
    let unsigned = Engine::new(config(None));
    unsigned.activate_signed(&bundle(1, "", 2), at(0)).unwrap();
    assert_eq!(sealed(&unsigned.export_state(at(1)).unwrap()).get("trust"), None);
}

#[test]
fn every_altered_byte_of_a_state_with_a_root_is_noticed() {
    let state = exported();
    for at_byte in 0..state.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut altered = state.clone();
            altered[at_byte] ^= bit;
            let engine = engine(Some(root(2, &[2, 3], &[1])), &bundle(1, "", 2));
            engine.restore_state(&altered, None, at(1)).unwrap_err();
            assert_eq!(decides(&engine, at(1)), Reason::Posture, "byte {at_byte}");
        }
    }
    let engine = engine(Some(root(2, &[2, 3], &[1])), &bundle(1, "", 2));
    assert!(engine.restore_state(&state, None, at(1)).is_ok());
    assert_eq!(decides(&engine, at(1)), Reason::AllowedByRule);
}

#[test]
fn a_restart_with_an_older_root_allows_nothing_until_the_newer_one_is_there() {
    let state = exported();
    // The thief has the first key, the old root and the old revision's number: a restart would let the thief's bundle in.
    let engine = engine(Some(root(1, &[1, 2], &[])), &bundle(1, "", 2));
    codes(&engine);
    assert_eq!(engine.restore_state(&state, None, at(3)), Err(StateError::TrustBehind { known: 2 }));
    assert_eq!(codes(&engine), ["restore_failed", "policy_suspended", "posture_entered"]);
    assert_eq!(decides(&engine, at(3)), Reason::NoPolicy, "no posture of a bundle that nobody vouches for");
    let refused = engine.activate_signed(&bundle(2, "", 1), at(4)).unwrap_err();
    assert_eq!(refused.code(), "older_trust");
    assert_eq!(decides(&engine, at(4)), Reason::NoPolicy);
    // What it exports still knows of the newer root.
    assert_eq!(sealed(&engine.export_state(at(4)).unwrap())["trust"], sealed(&state)["trust"]);
    // With the newer root it goes on, and the state fits.
    assert_eq!(engine.rotate_trust(&second(), at(5)), Ok(2));
    assert_eq!(decides(&engine, at(5)), Reason::Posture);
    assert!(engine.restore_state(&state, None, at(6)).is_ok());
    engine.leave_posture("closed", None, at(6)).unwrap();
    assert_eq!(decides(&engine, at(7)), Reason::AllowedByRule);
}

#[test]
fn a_bundle_that_only_the_older_root_takes_is_taken_back() {
    // Key 1 is revoked by the second root, key 4 is one that the second root no longer names.
    for thief in [1, 4] {
        let first = root(1, &[1, 2, 4], &[]);
        let genuine = engine(Some(first.clone()), &bundle(1, "", 2));
        genuine.rotate_trust(&second(), at(1)).unwrap();
        let state = genuine.export_state(at(2)).unwrap();
        let engine = engine(Some(first), &bundle(9, "-thief", thief));
        assert_eq!(decides(&engine, at(1)), Reason::AllowedByRule);
        assert_eq!(engine.restore_state(&state, None, at(3)), Err(StateError::TrustBehind { known: 2 }));
        codes(&engine);
        engine.rotate_trust(&second(), at(4)).unwrap();
        assert_eq!(codes(&engine), ["trust_rotated", "bundle_revoked"], "key {thief}");
        assert_eq!(decides(&engine, at(5)), Reason::NoPolicy);
    }
}

#[test]
fn an_engine_that_takes_anybodys_bundles_allows_nothing_where_a_root_was_held() {
    let engine = engine(None, &bundle(1, "", 9));
    assert_eq!(decides(&engine, at(1)), Reason::AllowedByRule);
    assert_eq!(engine.restore_state(&exported(), None, at(3)), Err(StateError::TrustBehind { known: 2 }));
    assert_eq!(decides(&engine, at(3)), Reason::NoPolicy);
    assert_eq!(engine.activate_signed(&bundle(2, "", 9), at(4)).unwrap_err().code(), "older_trust");
    assert_eq!(decides(&engine, at(5)), Reason::NoPolicy);
    // The other way round is no loss: a root where there was none.
    let unsigned = self::engine(None, &bundle(1, "", 2)).export_state(at(1)).unwrap();
    let with_root = self::engine(Some(root(1, &[2], &[])), &bundle(1, "", 2));
    assert!(with_root.restore_state(&unsigned, None, at(2)).is_ok());
    assert_eq!(decides(&with_root, at(2)), Reason::AllowedByRule);
}

#[test]
fn of_two_roots_of_one_version_the_one_that_was_held_counts() {
    let state = exported();
    // A second root that revokes nobody, as whoever stole key 2 could have made it.
    let fork = signed(envelope::TRUST, &root_form(2, &[1, 2, 3], &[]), 2);
    let forked = engine(Some(root(1, &[1, 2], &[])), &bundle(1, "", 2));
    forked.rotate_trust(&fork, at(1)).unwrap();
    assert_eq!(forked.restore_state(&state, None, at(3)), Err(StateError::TrustBehind { known: 2 }));
    assert_eq!(decides(&forked, at(3)), Reason::NoPolicy);
    // No root that follows the fork leads out of it.
    let third = signed(envelope::TRUST, &root_form(3, &[2, 3], &[]), 2);
    assert_eq!(forked.rotate_trust(&third, at(4)).unwrap_err().code(), "older_trust");
    // And where the state comes first, the fork is not taken at all.
    let behind = engine(Some(root(1, &[1, 2], &[])), &bundle(1, "", 2));
    behind.restore_state(&state, None, at(3)).unwrap_err();
    assert_eq!(behind.rotate_trust(&fork, at(4)).unwrap_err().code(), "older_trust");
    assert_eq!(behind.rotate_trust(&second(), at(5)), Ok(2));
}

#[test]
fn another_bundle_of_the_highest_revision_is_found_after_a_restart_too() {
    let root = || Some(root(1, &[1, 2], &[]));
    let state = engine(root(), &bundle(5, "", 1)).export_state(at(1)).unwrap();
    // Signed, of the same revision, and not the one that was active.
    let other = engine(root(), &bundle(5, "-else", 1));
    assert_eq!(other.restore_state(&state, None, at(2)), Err(StateError::OtherBundle { revision: 5 }));
    assert_eq!(decides(&other, at(2)), Reason::Posture);
    assert_eq!(other.activate_signed(&bundle(5, "-else", 1), at(3)).unwrap_err().code(), "same_revision");
    other.activate_signed(&bundle(5, "", 1), at(4)).unwrap();
    assert!(other.restore_state(&state, None, at(5)).is_ok());
    // Also where the higher revision is known by the state alone.
    let behind = engine(root(), &bundle(4, "", 1));
    assert_eq!(behind.restore_state(&state, None, at(2)), Err(StateError::BundleBehind { known: 5 }));
    assert_eq!(behind.activate_signed(&bundle(5, "-else", 1), at(3)).unwrap_err().code(), "same_revision");
    assert_eq!(sealed(&behind.export_state(at(3)).unwrap())["revision_bundle"], sealed(&state)["revision_bundle"]);
    behind.activate_signed(&bundle(5, "", 1), at(4)).unwrap();
}

#[test]
fn a_chain_that_lost_what_was_confirmed_is_told_of() {
    let start = |head, instance: &str| {
        let mut config = config(None);
        (config.audit_head, config.instance) = (head, name(instance).unwrap());
        let engine = Engine::new(config);
        engine.activate_signed(&bundle(1, "", 2), at(0)).unwrap();
        codes(&engine);
        engine
    };
    let engine = start(fallgate::audit::chain::Head::default(), "one");
    for _ in 0..3 {
        decides(&engine, at(1));
    }
    let batch = engine.drain_audit(100, at(2));
    // Two of the records are on disk, and the rest are not.
    engine.acknowledge_audit(2, at(2));
    let state = engine.export_state(at(3)).unwrap();
    let second: Value = serde_json::from_str(&batch.lines[1]).unwrap();
    assert_eq!(sealed(&state)["audit"], json!({ "count": "2", "head": second["hash"] }));
    let head = |line: usize| {
        let record: Value = serde_json::from_str(&batch.lines[line]).unwrap();
        let head = json!({ "count": record["seq"], "head": record["hash"] });
        fallgate::audit::chain::Head::from_json(&head).unwrap()
    };
    // Whoever goes on behind the second record, or a later one, has lost nothing that was confirmed.
    for line in [1, 2] {
        let restarted = start(head(line), "one");
        restarted.restore_state(&state, None, at(4)).unwrap();
        assert_eq!(codes(&restarted), ["state_restored"], "behind record {line}");
    }
    // Cut, begun anew, or another chain of that length.
    let mut forged = head(1);
    forged.hash[0] ^= 1;
    for head in [head(0), fallgate::audit::chain::Head::default(), forged] {
        let restarted = start(head, "one");
        restarted.restore_state(&state, None, at(4)).unwrap();
        let told: Vec<Value> = std::iter::from_fn(|| restarted.poll_event()).map(|event| event.to_json()).collect();
        let behind = told.iter().find(|event| event["event"] == "audit_behind").unwrap();
        assert_eq!((&behind["known"], &behind["held"]), (&json!(2), &json!(head.count)));
        assert_eq!(behind["severity"], "page");
    }
    // A standby has a chain of its own.
    let standby = start(fallgate::audit::chain::Head::default(), "two");
    standby.restore_state(&state, None, at(4)).unwrap();
    assert_eq!(codes(&standby), ["state_restored"]);
}

#[test]
fn what_stands_for_a_digest_is_one() {
    use fallgate::state::document::State;
    let key = StateKey::new([7; 32]).unwrap();
    let good = State::open(&exported(), &key, &Limits::DEFAULT).unwrap();
    let with = |edit: &dyn Fn(&mut State)| {
        let mut state = good.clone();
        edit(&mut state);
        State::open(&state.seal(&key, &Limits::DEFAULT).unwrap(), &key, &Limits::DEFAULT)
    };
    assert_eq!(with(&|_| {}), Ok(good.clone()));
    let short = "0a".to_owned();
    for edit in [
        &(|state: &mut State| state.bundle = short.clone()) as &dyn Fn(&mut State),
        &|state| state.revision_bundle = short.to_uppercase(),
        &|state| state.audit.head = String::new(),
        &|state| state.trust.as_mut().unwrap().root = "x".repeat(64),
    ] {
        assert_eq!(with(edit), Err(StateError::Malformed));
    }
}

#[test]
fn a_root_is_followed_by_an_operation_too() {
    let engine = engine(Some(root(1, &[1, 2], &[])), &bundle(1, "", 2));
    let operation = |root: &[u8]| json!({ "rotate_trust": { "root": String::from_utf8_lossy(root) } }).to_string();
    let done = engine.operate_json(operation(&second()).as_bytes(), at(1)).unwrap();
    assert_eq!(done.to_json(), json!({ "trust_version": 2 }));
    let again = engine.operate_json(operation(&second()).as_bytes(), at(2)).unwrap_err();
    assert_eq!(again.code(), "older_trust");
    let nobody = self::engine(None, &bundle(1, "", 2));
    assert_eq!(nobody.operate_json(operation(&second()).as_bytes(), at(1)).unwrap_err().code(), "untrusted");
    let half = br#"{"rotate_trust": {"root": 5}}"#;
    assert_eq!(engine.operate_json(half, at(3)).unwrap_err().code(), "malformed_operation");
}
