//! What is signed, sealed or chained, cut at every byte and with every bit turned: refused with a code, and nothing changes.
//!
//! Each row of [`rows`] is one kind of document, given to an engine of its own through the call that a host makes. After
//! each attempt the engine answers as it did before; after all of them its exported state is the same to the byte; and then
//! it takes the document as it was, so that no row is refused for another reason.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

#[path = "faults/limits.rs"]
mod limits;

use data_encoding::BASE64;
use ed25519_dalek::{Signer as _, SigningKey};
use fallgate::audit::chain::Head;
use fallgate::audit::checkpoint::{Checkpoint, CheckpointKey};
use fallgate::audit::verify::Verifier;
use fallgate::journal::line::Reader;
use fallgate::limits::Limits;
use fallgate::name::name;
use fallgate::policy::bundle::Trust;
use fallgate::policy::trust::envelope::{self, Envelope};
use fallgate::policy::trust::key::PublicKey;
use fallgate::policy::trust::root::TrustRoot;
use fallgate::request::Party;
use fallgate::state::document::{State, StateKey};
use fallgate::state::statement::Purpose;
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Engine, Request};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000;
const STATE_KEY: [u8; 32] = [7; 32];

fn at(millis: i64) -> Now {
    Now::new(Monotonic::from_millis(millis.try_into().unwrap()), Wall::from_millis(START + millis))
}

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn public(number: u8) -> PublicKey {
    PublicKey::from_bytes(&key(number).verifying_key().to_bytes()).unwrap()
}

fn entry(number: u8) -> Value {
    json!({"id": public(number).id().to_string(), "key": public(number).to_string()})
}

fn canonical(document: &Value) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(document).unwrap()
}

fn signed(payload_type: &str, payload: &Value, signers: &[u8]) -> Vec<u8> {
    let mut envelope = Envelope::new(payload_type, canonical(payload));
    for number in signers {
        envelope.add(public(*number).id(), key(*number).sign(&envelope.encoding()).to_bytes()).unwrap();
    }
    envelope.to_json()
}

/// A root in which the owner writes policy, and a controller speaks for the fleet.
fn root(version: u64) -> Value {
    json!({
        "fallgate_trust": 1, "version": version, "threshold": 1, "keys": [entry(1)],
        "control": {"fleet": {"threshold": 1, "keys": [entry(3)]}},
    })
}

fn pack(revision: u64) -> Value {
    let approver = |number: u8| format!("ed25519:{}", BASE64.encode(&key(number).verifying_key().to_bytes()));
    json!({
        "fallgate": 1, "name": "edge", "revision": revision,
        "control": {"feed": "fleet", "ttl": "30s"},
        "actions": {"read": {}, "write": {}},
        "approvers": {"sre": {"one": approver(21), "two": approver(22)}},
        "overrides": {"need": 1, "from": "sre", "max_window": "1h", "max_uses": 5},
        "postures": [{"name": "shut", "rank": 5, "permits": "none", "leave": {}}],
        "audit": {"level": "all"},
        "rules": [{"id": "anybody-reads", "effect": "allow", "action": "read"}],
    })
}

fn engine() -> Engine {
    let mut config = Config::default();
    config.trust = Trust::keys(TrustRoot::from_json(&canonical(&root(1)), &Limits::DEFAULT).unwrap());
    config.state_key = StateKey::new(STATE_KEY);
    config.instance = name("one").unwrap();
    (config.limits.journal_entries_max, config.limits.journal_bytes_max) = (100_000, 64 << 20);
    let engine = Engine::new(config);
    engine.activate_signed(&signed(envelope::BUNDLE, &pack(1), &[1]), at(0)).unwrap();
    engine
}

/// What the engine says to two requests. It leaves records, and changes nothing that is exported.
fn answers(engine: &Engine) -> Vec<String> {
    let ask =
        |action: &str| engine.decide(&Request::new(Party::new("user", "ann"), action, Party::new("page", "1")), NOW);
    ["read", "write"].map(|action| ask(action).to_json().to_string()).into()
}

const NOW: Now = Now::new(Monotonic::from_millis(1_000), Wall::from_millis(START + 1_000));

fn proposal(who: &str) -> Value {
    json!({
        "fallgate": "proposal/1", "bundle": "edge", "by": "one", "reason": "a test", "nonce": who,
        "operation": {"grant_override": {
            "subjects": [format!("user:{who}")], "actions": ["write"], "resources": ["page:1"], "for": "10m", "uses": 1,
        }},
        "issued_at": NOW.wall.to_string(), "expires_at": at(601_000).wall.to_string(),
    })
}

fn statement(by: u8, purpose: Purpose, who: &str) -> String {
    BASE64.encode(&key(by).sign(&purpose.encoding(&canonical(&proposal(who)))).to_bytes())
}

/// An override for somebody, as the first approver proposes it.
fn propose(who: &str) -> Vec<u8> {
    let signature = statement(21, Purpose::Proposal, who);
    json!({"propose": {"proposal": proposal(who), "signature": signature}}).to_string().into_bytes()
}

/// What the second approver says of it.
fn says(verb: &str, purpose: Purpose, who: &str) -> Vec<u8> {
    let id: String = Sha256::digest(canonical(&proposal(who))).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({verb: {"proposal": id, "by": "two", "signature": statement(22, purpose, who)}}).to_string().into_bytes()
}

/// How a document is given to an engine; the code of its refusal.
type Give = fn(&Engine, &[u8]) -> Result<(), String>;

fn operate(engine: &Engine, bytes: &[u8]) -> Result<(), String> {
    engine.operate_json(bytes, NOW).map(drop).map_err(|error| error.code().to_owned())
}

/// What it is, the document, what the engine was told before, and how it is given.
type Row = (&'static str, Vec<u8>, Vec<Vec<u8>>, Give);

fn rows() -> Vec<Row> {
    let message = json!({
        "fallgate": "control/1", "feed": "fleet", "epoch": 1, "sequence": 1, "at": NOW.wall.to_string(),
        "operation": {"enter_posture": {"posture": "shut"}},
    });
    vec![
        ("a bundle", signed(envelope::BUNDLE, &pack(2), &[1]), vec![], |engine, bytes| {
            engine.activate_signed(bytes, NOW).map_err(|error| error.code().to_owned())
        }),
        ("a trust root", signed(envelope::TRUST, &root(2), &[1]), vec![], |engine, bytes| {
            engine.rotate_trust(bytes, NOW).map(drop).map_err(|error| error.code().to_owned())
        }),
        ("a control message", signed(envelope::CONTROL, &message, &[3]), vec![], |engine, bytes| {
            engine.apply(bytes, NOW).map(drop).map_err(|error| error.code().to_owned())
        }),
        ("a proposal", propose("ann"), vec![], operate),
        (
            "an approval, which grants an override",
            says("approve", Purpose::Approval, "ann"),
            vec![propose("ann")],
            operate,
        ),
        ("a withdrawal", says("withdraw", Purpose::Withdrawal, "ann"), vec![propose("ann")], operate),
    ]
}

/// The document with each bit turned, one after the other, and cut at each byte.
fn attempts(bytes: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> {
    let turned = (0..bytes.len() * 8).map(|bit| {
        let mut turned = bytes.to_vec();
        turned[bit / 8] ^= 1 << (bit % 8);
        (format!("byte {}, bit {}", bit / 8, bit % 8), turned)
    });
    turned.chain((0..bytes.len()).map(|length| (format!("cut at {length}"), bytes[..length].to_vec())))
}

#[test]
fn no_bit_of_what_is_signed_can_be_turned_and_no_byte_be_missing() {
    for (what, bytes, before, give) in rows() {
        let engine = engine();
        for operation in before {
            engine.operate_json(&operation, NOW).unwrap();
        }
        let (state, said) = (engine.export_state(NOW).unwrap(), answers(&engine));
        let mut tried = 0;
        for (place, attempt) in attempts(&bytes) {
            let code = give(&engine, &attempt).expect_err(&format!("{what}, {place}, was taken"));
            assert!(
                code.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_'),
                "{what}, {place}: `{code}`"
            );
            if tried % 16 == 0 {
                assert_eq!(answers(&engine), said, "{what}, {place}");
            }
            tried += 1;
        }
        assert_eq!(answers(&engine), said, "{what}");
        assert_eq!(engine.export_state(NOW).unwrap(), state, "{what}: something was taken in");
        assert_eq!(give(&engine, &bytes), Ok(()), "{what}, as it was");
        println!("{what}: {} bytes, {tried} attempts", bytes.len());
        assert_eq!(tried, bytes.len() * 9);
    }
}

/// A state that does not verify is answered with the strictest posture (S-22.6), which denies more than any state does.
#[test]
fn no_bit_of_a_state_can_be_turned_and_no_byte_be_missing() {
    let exported = engine().export_state(NOW).unwrap();
    let key = StateKey::new(STATE_KEY).unwrap();
    assert!(State::open(&exported, &key, &Limits::DEFAULT).is_ok());
    let engine = engine();
    for (number, (place, attempt)) in attempts(&exported).enumerate() {
        assert!(State::open(&attempt, &key, &Limits::DEFAULT).is_err(), "{place}");
        if number % 64 == 0 {
            assert!(engine.restore_state(&attempt, None, NOW).is_err(), "{place}");
            assert_eq!(engine.posture(None).as_deref(), Some("shut"), "{place}");
            assert!(answers(&engine).iter().all(|said| said.contains(r#""decision":false"#)), "{place}");
        }
    }
}

/// Every record of a chain, every entry of a journal: a bit is found in the line in which it was turned, and so is a cut.
/// Where lines are missing at the end, the kept head says so; a journal without its end is a shorter one.
#[test]
fn no_bit_of_what_is_chained_can_be_turned_and_no_byte_be_missing() {
    let engine = engine();
    answers(&engine);
    engine.operate_json(&propose("ann"), NOW).unwrap();
    engine.checkpoint(NOW);
    answers(&engine);
    let records = engine.drain_audit(usize::MAX, NOW).lines;
    let kept = engine.audit_counters().head;
    let mut verifier = Verifier::behind(Head::default()).through(kept);
    for record in &records {
        for (place, attempt) in attempts(record.as_bytes()) {
            assert!(verifier.clone().push(&attempt).is_err(), "{place} of {record}");
        }
        assert!(verifier.clone().finish().is_err(), "the chain ends before {record}");
        verifier.push(record.as_bytes()).unwrap();
    }
    assert_eq!(verifier.finish(), Ok(kept));

    let entries = engine.drain_journal(usize::MAX).lines;
    let mut reader = Reader::default();
    for entry in &entries {
        for (place, attempt) in attempts(entry.as_bytes()) {
            assert!(reader.clone().push(&attempt).is_err(), "{place} of {entry}");
        }
        reader.push(entry.as_bytes()).unwrap();
    }
    println!("{} records, {} entries", records.len(), entries.len());
    assert!(records.len() > 5 && entries.len() > 5);

    let secret = [9; 32];
    let envelope = Checkpoint::new(kept, NOW).signed_with(&secret);
    assert!(Checkpoint::from_envelope(envelope.as_bytes(), &CheckpointKey::of(&secret)).is_ok());
    for (place, attempt) in attempts(envelope.as_bytes()) {
        assert!(Checkpoint::from_envelope(&attempt, &CheckpointKey::of(&secret)).is_err(), "{place} of the checkpoint");
    }
}
