//! The rarer inputs, each as a line of a journal: bundles that are staged, trust roots that follow, what is no text, retries
//! and first sights of guards.

use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::policy::trust::envelope;
use fallgate::replay::Secrets;
use fallgate::request::Party;
use fallgate::state::guards::GuardError;
use fallgate::time::Wall;
use fallgate::{Decision, Engine, Reason, Request};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::corpus::replayed;
use super::fleet::{OWNER, START, canonical, public, root, root_form, signed_as};
use super::recording::{at, desk, journaling, lines};

/// A pack that is followed in steps: compared for 10 s, then deciding for all. From the second revision on it keeps Eve out.
fn stepped(revision: u64) -> Value {
    let mut document = json!({
        "fallgate": 1, "name": "edge", "revision": revision,
        "actions": { "read": {} },
        "rollout": { "shadow": "10s", "canary": ["100%"], "hold": "1h", "sample": 1 },
        "rules": [{ "id": "anybody", "effect": "allow" }],
    });
    if revision > 1 {
        let rules = document["rules"].as_array_mut().unwrap();
        rules.push(json!({ "id": "not-eve", "effect": "deny", "when": "subject.id == 'eve'" }));
    }
    document
}

fn signed(revision: u64) -> Vec<u8> {
    signed_as(envelope::BUNDLE, &canonical(&stepped(revision)), &[OWNER])
}

fn asks(engine: &Engine, who: &str, millis: u64) -> (Reason, u64) {
    let request = Request::new(Party::new("user", who), "read", Party::new("paper", "p-1"));
    let decision: Decision = engine.decide(&request, at(millis));
    (decision.reason(), decision.revision())
}

fn entries(lines: &[String]) -> Vec<Value> {
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A document as an entry has it where it stands for the first time.
fn written(bytes: &[u8]) -> Value {
    let mut written = again(bytes);
    written["text"] = String::from_utf8(bytes.to_vec()).unwrap().into();
    written
}

/// Likewise, where it stood before.
fn again(bytes: &[u8]) -> Value {
    let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "sha256": digest })
}

#[test]
fn a_staged_bundle_is_an_input_and_decides_again() {
    let load = |revision| {
        Bundle::from_document(&stepped(revision), &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
    };
    let engine = Engine::new(journaling(100));
    engine.activate(load(1), at(0)).unwrap();
    engine.stage(load(2), at(1_000)).unwrap();
    assert_eq!(engine.stage(load(2), at(1_500)).unwrap_err().code(), "rollout_active");
    assert_eq!(asks(&engine, "eve", 2_000), (Reason::AllowedByRule, 1));
    assert_eq!(asks(&engine, "eve", 11_000), (Reason::DeniedByRule, 2));
    let lines = lines(&engine);
    let entries = entries(&lines);
    assert_eq!(entries.len(), 6);
    assert_eq!(entries[2]["stage"], json!({ "bundle": written(load(2).bytes()), "signed": null }));
    assert_eq!(entries[2]["outcome"], json!({}));
    assert_eq!(entries[3]["stage"], json!({ "bundle": again(load(2).bytes()), "signed": null }));
    assert_eq!(entries[3]["because"], "rollout_active");
    replayed(&lines, Secrets::default());
}

#[test]
fn envelopes_and_a_root_that_follows_are_inputs_and_decide_again() {
    let mut config = journaling(100);
    config.trust = Trust::keys(root(&root_form()));
    let engine = Engine::new(config);
    engine.activate_signed(&signed(1), at(0)).unwrap();
    engine.stage_signed(&signed(2), at(1_000)).unwrap();
    assert_eq!(asks(&engine, "eve", 2_000), (Reason::AllowedByRule, 1));
    assert_eq!(asks(&engine, "eve", 11_000), (Reason::DeniedByRule, 2));
    // The next root takes the candidate back, and everybody is decided by the active bundle again.
    let mut next = root_form();
    next["version"] = json!(2);
    next["revoked"] = json!({ "bundles": [again(&canonical(&stepped(2)))["sha256"]] });
    let next_signed = signed_as(envelope::TRUST, &canonical(&next), &[OWNER]);
    assert_eq!(engine.rotate_trust(&next_signed, at(12_000)), Ok(2));
    assert_eq!(asks(&engine, "eve", 13_000), (Reason::AllowedByRule, 1));
    assert_eq!(engine.stage_signed(&signed(2), at(14_000)).unwrap_err().code(), "bundle_revoked");
    // A host that has loaded a bundle by itself says who has signed it.
    let third = Bundle::from_signed(&signed(3), &Trust::keys(root(&next)), &Limits::DEFAULT, at(15_000).wall).unwrap();
    let bytes = third.bytes().to_vec();
    engine.stage(third, at(15_000)).unwrap();
    assert_eq!(asks(&engine, "eve", 16_000), (Reason::AllowedByRule, 1));
    assert_eq!(asks(&engine, "eve", 25_000), (Reason::DeniedByRule, 3));
    let lines = lines(&engine);
    let entries = entries(&lines);
    let of = |verb: &str| entries.iter().filter(|entry| entry.get(verb).is_some()).collect::<Vec<_>>();
    assert_eq!(of("configure")[0]["configure"]["trust"], written(&canonical(&root_form())));
    assert_eq!(of("activate_signed")[0]["activate_signed"], written(&signed(1)));
    let staged = of("stage_signed");
    assert_eq!((&staged[0]["stage_signed"], &staged[0]["outcome"]), (&written(&signed(2)), &json!({})));
    assert_eq!((&staged[1]["stage_signed"], &staged[1]["because"]), (&again(&signed(2)), &json!("bundle_revoked")));
    let rotated = of("rotate_trust")[0];
    assert_eq!((&rotated["rotate_trust"], &rotated["outcome"]), (&written(&next_signed), &json!({ "version": 2 })));
    let signers = json!({ "signers": [public(OWNER).id().to_string()], "threshold": 1 });
    assert_eq!(of("stage")[0]["stage"], json!({ "bundle": written(&bytes), "signed": signers }));
    replayed(&lines, Secrets::default());
}

#[test]
fn what_is_no_text_is_an_input_too() {
    let mut config = journaling(100);
    config.trust = Trust::keys(root(&root_form()));
    let engine = Engine::new(config);
    engine.activate_signed(&signed(1), at(0)).unwrap();
    let because = [
        ("activate_signed", engine.activate_signed(&[0xff, 1], at(1)).unwrap_err().code()),
        ("stage_signed", engine.stage_signed(&[0xff, 2], at(2)).unwrap_err().code()),
        ("rotate_trust", engine.rotate_trust(&[0xff, 3], at(3)).unwrap_err().code()),
    ];
    assert_eq!(asks(&engine, "eve", 4), (Reason::AllowedByRule, 1));
    let lines = lines(&engine);
    for (entry, ((verb, because), (last, base64))) in
        entries(&lines)[2..].iter().zip(because.iter().zip([(1, "/wE="), (2, "/wI="), (3, "/wM=")]))
    {
        let mut document = again(&[0xff, last]);
        document["base64"] = base64.into();
        assert_eq!((&entry[*verb], &entry["because"]), (&document, &json!(because)), "{entry}");
    }
    replayed(&lines, Secrets::default());
}

/// Sixteen documents are remembered.
#[test]
fn a_document_that_was_forgotten_is_written_once_more() {
    let engine = Engine::new(journaling(100));
    for revision in 1..=17 {
        engine.activate(desk(revision), at(revision)).unwrap();
    }
    for revision in [2, 1] {
        assert_eq!(engine.activate(desk(revision), at(20)).unwrap_err().code(), "older_revision");
    }
    let lines = lines(&engine);
    let entries = entries(&lines);
    assert_eq!(entries[18]["activate"]["bundle"], again(desk(2).bytes()));
    assert_eq!(entries[19]["activate"]["bundle"], written(desk(1).bytes()));
    replayed(&lines, Secrets::default());
}

#[test]
fn retries_and_first_sights_are_inputs_and_count_again() {
    let document = json!({
        "fallgate": 1, "name": "guards", "revision": 1,
        "signals": {
            "api": { "retry": { "transient": ["timeout"], "first": "100ms", "longest": "1s", "retries": 1, "saved": 3 } },
            "seen": { "replay_guard": { "window": "5m", "keys": 1, "skew": "1s" } },
        },
        "actions": { "read": { "requires": ["seen"] } },
        "rules": [{ "id": "anybody", "effect": "allow" }],
    });
    let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    let engine = Engine::new(journaling(100));
    engine.activate(bundle, at(0)).unwrap();
    let permit = engine.acquire("api", None, at(1)).unwrap();
    engine.retry("api", permit, "timeout", at(2)).unwrap();
    let made_at = Wall::from_nanos(START * 1_000_000 + 1);
    engine.first_seen("seen", "k-1", made_at, at(3)).unwrap();
    assert_eq!(asks(&engine, "ann", 4), (Reason::AllowedByRule, 1));
    // What was counted by these calls shows in what the next ones come to.
    let operations = [
        (json!({ "retry": { "signal": "api", "permit": 1, "outcome": "timeout" } }), GuardError::Exhausted),
        (
            json!({ "first_seen": { "signal": "seen", "key": "k-1", "made_at": "2026-01-01T00:00:00.000000001Z" } }),
            GuardError::Duplicate,
        ),
        (
            json!({ "first_seen": { "signal": "seen", "key": "k-2", "made_at": "2026-01-01T00:00:00Z" } }),
            GuardError::NoRoom,
        ),
    ];
    for (operation, error) in &operations {
        let refused = engine.operate_json(operation.to_string().as_bytes(), at(5)).unwrap_err();
        assert_eq!(refused.code(), error.code());
    }
    assert_eq!(asks(&engine, "ann", 6), (Reason::SignalUnavailable, 1));
    let lines = lines(&engine);
    let entries = entries(&lines);
    assert_eq!(entries.len(), 10);
    // Called by its own name or as an operation, it is the same input.
    assert_eq!((&entries[3]["operate"], &entries[4]["operate"]), (&operations[0].0, &operations[1].0));
    for (entry, (operation, error)) in entries[6..9].iter().zip(&operations) {
        assert_eq!((&entry["operate"], &entry["because"]), (operation, &json!(error.code())));
    }
    replayed(&lines, Secrets::default());
}
