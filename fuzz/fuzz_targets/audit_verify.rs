//! A chain that an engine wrote, edited: what does not hold the very records up to the head that was kept is never taken for
//! whole, however the rest was written anew.
#![no_main]

use std::sync::LazyLock;

use fallgate::audit::chain::{Chain, Head};
use fallgate::audit::record::RecordKind;
use fallgate::audit::verify::Verifier;
use fallgate::condition::Status;
use fallgate::{Config, Engine, Observation};
use fallgate_fuzz::bound::within;
use fallgate_fuzz::change::change;
use fallgate_fuzz::people::canonical;
use fallgate_fuzz::program::Program;
use fallgate_fuzz::{at, bundle_of};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

/// What an engine wrote, and where it came to.
static CHAIN: LazyLock<(Vec<Vec<u8>>, Head)> = LazyLock::new(|| {
    let bundle = bundle_of(&json!({
        "fallgate": 1, "name": "audit", "revision": 1, "signals": { "idp": { "ttl": "3s" } },
        "actions": { "read": { "requires": ["idp"] }, "list": {} }, "audit": { "level": "all" },
        "postures": [{ "name": "shut", "rank": 5, "permits": "none", "leave": {} }],
        "rules": [{ "id": "all", "effect": "allow" }],
    }));
    let engine = Engine::new(Config::default());
    assert_eq!(engine.activate(bundle, at(0)), Ok(()));
    for step in 0..12_u64 {
        let now = at(step * 700);
        let status = if step % 5 == 3 { Status::Failed } else { Status::Ok };
        engine.observe(&Observation::new("idp", status), now);
        let request = json!({
            "subject": { "type": "user", "id": format!("u{step}") }, "action": { "name": if step % 2 == 0 { "read" } else { "list" } },
            "resource": { "type": "doc", "id": "d" },
        });
        let _ = engine.decide_json(request.to_string().as_bytes(), now);
        if step == 6 {
            engine.checkpoint(now);
            engine.enter_posture("shut", None, now).expect("it is declared");
        }
    }
    let lines = engine.drain_audit(1_000, at(9_000)).lines;
    assert!(lines.len() > 20, "{}", lines.len());
    (lines.into_iter().map(String::into_bytes).collect(), engine.audit_counters().head)
});

/// The records from here on, linked anew: what somebody writes who has the file, and not the head that was kept.
fn relinked(lines: &mut Vec<Vec<u8>>, from: usize) {
    let mut chain = Chain::default();
    let parsed: Vec<Option<Json>> = lines.iter().map(|line| serde_json::from_slice(line).ok()).collect();
    let mut anew = Vec::new();
    for (number, record) in parsed.into_iter().enumerate() {
        let Some(record) = record else { continue };
        let kind = record["kind"].as_str().and_then(RecordKind::named).unwrap_or(RecordKind::Decision);
        let at = at(record["monotonic_ms"].as_u64().unwrap_or(0).min(1 << 40));
        let Some(line) = chain.link(at, kind, record["body"].clone()) else { continue };
        if number >= from || lines.get(number).map(Vec::as_slice) != Some(line.as_bytes()) {
            anew.push(line.into_bytes());
        } else {
            anew.push(lines[number].clone());
        }
    }
    *lines = anew;
}

/// A record with a hash of what it says now; the one behind it is of the record that it was.
fn rehashed(mut record: Json) -> Option<Vec<u8>> {
    let prev = data_encoding::HEXLOWER.decode(record["prev"].as_str()?.as_bytes()).ok()?;
    record.as_object_mut()?.remove("hash");
    let without = serde_json_canonicalizer::to_vec(&record).ok()?;
    let hash = Sha256::new().chain_update(prev).chain_update(without).finalize();
    record["hash"] = data_encoding::HEXLOWER.encode(&hash).into();
    serde_json_canonicalizer::to_vec(&record).ok()
}

fn edit(lines: &mut Vec<Vec<u8>>, program: &mut Program<'_>) {
    let (one, other) = (program.below(lines.len().max(1)), program.below(lines.len().max(1)));
    let Some(line) = lines.get_mut(one) else { return };
    match program.below(10) {
        0 => {
            let place = program.below(line.len().max(1));
            if let Some(byte) = line.get_mut(place) {
                *byte ^= 1 << program.below(8);
            }
        }
        1 => line.truncate(program.below(line.len() + 1)),
        2 => drop(lines.remove(one)),
        3 => lines.insert(one, lines[other].clone()),
        4 => lines.swap(one, other),
        5 => lines.truncate(one),
        6 => {
            if let Ok(mut record) = serde_json::from_slice::<Json>(line) {
                change(&mut record, program);
                let anew = program.once_in(2).then(|| rehashed(record.clone())).flatten();
                if let Some(bytes) = anew.or_else(|| serde_json_canonicalizer::to_vec(&record).ok()) {
                    *line = bytes;
                }
            }
        }
        7 => relinked(lines, one),
        8 => line.insert(program.below(line.len() + 1), program.byte()),
        _ => lines.insert(one, canonical(&json!({}))),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let (whole, head) = &*CHAIN;
    within(50, || {
        let mut program = Program::of(bytes);
        let mut lines = whole.clone();
        for _ in 0..8 {
            if program.is_over() {
                break;
            }
            edit(&mut lines, &mut program);
        }
        let mut verifier = Verifier::behind(Head::default()).through(*head);
        let mut read = Vec::new();
        for line in &lines {
            match verifier.push(line) {
                Ok(record) => read.push(record),
                Err(finding) => {
                    assert!(!finding.to_string().contains('\n'), "{finding}");
                    assert_ne!(&lines[..], &whole[..], "the chain as it was written: {finding}");
                    return;
                }
            }
        }
        match verifier.finish() {
            Ok(_) => assert!(lines.starts_with(whole), "another chain was taken for this one"),
            Err(finding) => assert_ne!(&lines[..], &whole[..], "the chain as it was written: {finding}"),
        }
    });
});
