//! A program on an engine that keeps a journal: what the journal says happens again to the byte; no line is read that the engine
//! did not write; and lines that somebody linked anew are played or refused, and nothing else.
#![no_main]

use std::sync::LazyLock;

use fallgate::condition::Status;
use fallgate::policy::bundle::Bundle;
use fallgate::replay::{Replay, Secrets};
use fallgate::state::document::StateKey;
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Engine, Observation};
use fallgate_fuzz::bound::within;
use fallgate_fuzz::change::change;
use fallgate_fuzz::program::Program;
use fallgate_fuzz::{at, bundle, low_limits};
use libfuzzer_sys::fuzz_target;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

const STEPS: usize = 60;
const SIGNALS: [&str; 5] = ["idp", "a", "b", "store", "none"];
const STATUSES: [Status; 4] = [Status::Ok, Status::Failed, Status::Degraded, Status::Unknown];
const ACTIONS: [&str; 6] = ["plain", "guarded", "stale", "small", "open", "unheard-of"];
const OPERATIONS: [&str; 8] = [
    r#"{"quarantine":{"what":{"subject":{"type":"user","id":"u"}},"for":"2s"}}"#,
    r#"{"lift_quarantine":{"subject":{"type":"user","id":"u"}}}"#,
    r#"{"revoke":{"type":"user","id":"u"}}"#,
    r#"{"checkpoint":{}}"#,
    r#"{"enter_posture":{"posture":"none"}}"#,
    r#"{"report_attempts":{"count":3}}"#,
    r#"{"export_state":{}}"#,
    r#"{"take_over":{}}"#,
];

static BUNDLE: LazyLock<Bundle> = LazyLock::new(bundle);

/// What somebody writes who does not have the engine, and knows the format: the lines, linked anew.
fn linked(entries: &[Json]) -> Vec<String> {
    let mut prev = [0; 32];
    let mut lines = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        let mut entry = entry.clone();
        let Some(members) = entry.as_object_mut() else { continue };
        members.remove("hash");
        members.insert("n".to_owned(), (number + 1).into());
        members.insert("prev".to_owned(), data_encoding::HEXLOWER.encode(&prev).into());
        prev = Sha256::new().chain_update(prev).chain_update(entry.to_string()).finalize().into();
        entry["hash"] = data_encoding::HEXLOWER.encode(&prev).into();
        lines.push(entry.to_string());
    }
    lines
}

fn step(engine: &Engine, now: &mut Now, program: &mut Program<'_>) {
    match program.below(8) {
        0 => {
            let on = u64::from(program.byte()) * 31_000_000 + u64::from(program.byte());
            now.monotonic = Monotonic::from_nanos(now.monotonic.as_nanos() + on);
            now.wall = Wall::from_nanos(now.wall.as_nanos() + i64::try_from(on).unwrap_or(0));
        }
        1 => {
            now.wall = Wall::from_nanos(now.wall.as_nanos() + i64::from(program.byte()) * 100_000_000 - 12_000_000_000)
        }
        2 => {
            engine.observe(&Observation::new(program.pick(&SIGNALS), program.pick(&STATUSES)), *now);
        }
        3 => engine.advance(*now),
        4 if program.once_in(4) => engine.anchor_clocks(*now),
        4 => drop(engine.operate_json(program.pick(&OPERATIONS).as_bytes(), *now)),
        _ => {
            let number = program.pick(&["1", "50", "-3", "9223372036854775807", "1.5", "\"x\"", "null", "1e2"]);
            let action = program.pick(&ACTIONS);
            let request = format!(
                r#"{{"subject":{{"type":"user","id":"u","properties":{{"level":{number},"roles":["admin"]}}}},"action":{{"name":"{action}"}},"resource":{{"type":"doc","id":"d","properties":{{"level":50}}}}}}"#
            );
            let cut = if program.once_in(16) { program.below(request.len()) } else { request.len() };
            let _ = engine.decide_json(&request.as_bytes()[..cut], *now);
        }
    }
}

fn check(bytes: &[u8]) {
    let mut program = Program::of(bytes);
    let mut config = Config::default();
    config.limits = low_limits();
    config.limits.journal_entries_max = 1_000;
    config.limits.journal_bytes_max = 1 << 20;
    config.key = [5; 16];
    config.state_key = StateKey::new([6; 32]);
    let secrets = Secrets { key: Some([5; 16]), state_key: Some([6; 32]), audit_key: None };
    let engine = Engine::new(config);
    let edits = program.below(4);
    let (mut now, mut editor) = (at(0), program);
    assert_eq!(engine.activate(BUNDLE.clone(), now), Ok(()));
    for _ in 0..STEPS {
        if program.is_over() {
            break;
        }
        step(&engine, &mut now, &mut program);
    }
    let lines = engine.drain_journal(10_000).lines;

    let mut replay = Replay::new(secrets.clone());
    for line in &lines {
        let played = replay.push(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(played.difference.is_none(), "{:?}: {line}", played.difference);
    }
    let tally = replay.finish().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(tally.engines, 1);

    let mut entries: Vec<Json> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for _ in 0..edits {
        let place = editor.below(entries.len());
        change(&mut entries[place], &mut editor);
    }
    // As they are, with their old hashes: nothing that was changed is read.
    let mut replay = Replay::new(secrets.clone());
    for entry in &entries {
        let line = entry.to_string();
        if replay.push(line.as_bytes()).is_err() {
            break;
        }
        assert!(lines.contains(&line), "the engine did not write this: {line}");
    }
    // And linked anew.
    let mut replay = Replay::new(secrets);
    for line in linked(&entries) {
        if replay.push(line.as_bytes()).is_err() {
            break;
        }
    }
}

fuzz_target!(|bytes: &[u8]| within(300, || check(bytes)));
