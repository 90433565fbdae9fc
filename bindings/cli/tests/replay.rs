//! `fallgate replay`: what it prints, what it finds, and how it ends.

// The lints that forbid a panic are for code in reach of input. A test panics to fail.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::fs;
use std::path::Path;

use fallgate::engine::Secrets;
use fallgate::policy::bundle::Trust;
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Engine, Observation};
use fallgate_cli::pack::load_pack;
use serde_json::{Value, json};

#[path = "shell/pages.rs"]
mod pages;
mod shell;

use pages::{fallgate_commands, page};
use shell::{Ran, fallgate};

const DESK: &str = "../../docs/examples/replay/desk";
const NEXT: &str = "../../docs/examples/replay/next";

fn at(seconds: u64) -> Now {
    let wall = 1_767_225_600 + i64::try_from(seconds).unwrap();
    Now::new(Monotonic::from_millis(seconds * 1_000), Wall::from_millis(wall * 1_000))
}

fn request(amount: i64, id: &str) -> Vec<u8> {
    json!({
        "subject": { "type": "clerk", "id": "ann", "properties": { "limit": 100 } },
        "action": { "name": "payment:refund" },
        "resource": { "type": "payment", "id": id, "properties": { "amount": amount } },
    })
    .to_string()
    .into_bytes()
}

/// The Monday of the drill, on an engine of a host.
fn monday(config: Config) -> Engine {
    let document = load_pack(Path::new(DESK)).unwrap().document;
    let limits = fallgate::limits::Limits::DEFAULT;
    let bundle =
        fallgate::policy::bundle::Bundle::from_document(&document, &Trust::unsigned_for_development(), &limits)
            .unwrap();
    let engine = Engine::new(config);
    engine.activate(bundle, at(0)).unwrap();
    engine.observe(&Observation::ok("ledger"), at(0));
    let _ = engine.decide_json(&request(40, "p-1"), at(1));
    let _ = engine.decide_json(&request(400, "p-2"), at(2));
    engine.advance(at(15));
    let _ = engine.decide_json(&request(40, "p-1"), at(15));
    engine
}

fn journaling() -> Config {
    let mut config = Config::default();
    config.limits.journal_entries_max = 100;
    config.limits.journal_bytes_max = 1 << 20;
    config
}

/// The lines as a file of the folder.
fn file(folder: &Path, name: &str, lines: &[String]) -> String {
    let path = folder.join(name);
    fs::write(&path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn ends(ran: &Ran, exit: u8, text: &str) {
    assert_eq!(ran.exit, exit, "{}{}", ran.out, ran.err);
    assert!(format!("{}{}", ran.out, ran.err).contains(text), "`{text}` is not in {}{}", ran.out, ran.err);
}

#[test]
fn the_document_shows_what_the_commands_print() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "audit.jsonl", &monday(Config::default()).drain_audit(100, at(20)).lines);
    let mut runs = 0;
    for (command, expected) in fallgate_commands(&page("replay.md")) {
        let words: Vec<String> = command
            .split(' ')
            .map(|word| match word.ends_with(".jsonl") {
                true => folder.path().join(word).to_str().unwrap().to_owned(),
                false => word.replace("docs/", "../../docs/"),
            })
            .collect();
        let ran = fallgate(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(format!("{}{}", ran.out, ran.err), expected, "{command}");
        runs += 1;
    }
    assert_eq!(runs, 4, "the commands of docs/replay.md");
}

#[test]
fn a_journal_ends_as_it_should() {
    let folder = tempfile::tempdir().unwrap();
    let lines = monday(journaling()).drain_journal(100).lines;
    let whole = file(folder.path(), "whole.jsonl", &lines);
    ends(&fallgate(&["replay", &whole]), 0, "equal: 6 inputs with 3 decisions of 1 engine");
    ends(&fallgate(&["replay", &whole, &whole]), 0, "equal: 12 inputs with 6 decisions of 2 engines");

    let mut changed = lines.clone();
    changed[4] = changed[4].replacen("\"amount\":400", "\"amount\":40", 1);
    let (before, after) = (lines[4].len(), changed[4].len());
    assert!(after < before || changed[3] != lines[3], "something was changed");
    let path = file(folder.path(), "changed.jsonl", &changed);
    ends(&fallgate(&["replay", &path]), 3, "error[entry_hash]");
    ends(&fallgate(&["replay", &path]), 3, "line 5: entry 5:");

    let path = file(folder.path(), "headless.jsonl", &lines[1..]);
    ends(&fallgate(&["replay", &path]), 3, "error[journal_headless]");
    let path = file(folder.path(), "empty.jsonl", &[]);
    ends(&fallgate(&["replay", &path]), 3, "error[journal_empty]");
    let path = file(folder.path(), "noise.jsonl", &["noise".to_owned()]);
    ends(&fallgate(&["replay", &path]), 3, "error[entry_malformed]");
    ends(&fallgate(&["replay", "/nowhere/journal.jsonl"]), 3, "error[unreadable]");

    let mut little = journaling();
    little.limits.journal_entries_max = 4;
    let engine = monday(little);
    let mut lines = engine.drain_journal(100).lines;
    engine.acknowledge_journal(10);
    engine.advance(at(30));
    lines.extend(engine.drain_journal(100).lines);
    let path = file(folder.path(), "gap.jsonl", &lines);
    ends(&fallgate(&["replay", &path]), 3, "error[journal_gap]");
}

#[test]
fn a_key_is_asked_for_by_what_it_is_known_by() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = journaling();
    config.key = *b"0123456789abcdef";
    config.audit_key = Some([3; 32]);
    let journal = file(folder.path(), "journal.jsonl", &monday(config).drain_journal(100).lines);
    ends(&fallgate(&["replay", &journal]), 3, "the engine had a `key`, known by 9f9f5111f7b27a78; give that one");
    let key = folder.path().join("engine.key");
    fs::write(&key, "30313233343536373839616263646566\n").unwrap();
    let key = key.to_str().unwrap();
    ends(&fallgate(&["replay", &journal, "--key-file", key]), 3, "the engine had a `audit_key`");
    let audit = folder.path().join("audit.key");
    fs::write(&audit, [3; 32]).unwrap();
    let audit = audit.to_str().unwrap();
    ends(&fallgate(&["replay", &journal, "--key-file", key, "--audit-key-file", audit]), 0, "equal");
    ends(&fallgate(&["replay", &journal, "--key-file", audit]), 3, "holds no key of an engine");
    assert_eq!(format!("{:?}", Secrets::default()), "Secrets");
}

#[test]
fn a_proposed_bundle_is_told_by_kind_and_for_programs() {
    let folder = tempfile::tempdir().unwrap();
    let journal = file(folder.path(), "journal.jsonl", &monday(journaling()).drain_journal(100).lines);
    let ran = fallgate(&["replay", &journal, "--bundle", NEXT, "--format", "json"]);
    assert_eq!(ran.exit, 1);
    let lines: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [difference, summary] = &lines[..] else { panic!("{}", ran.out) };
    assert_eq!((&difference["n"], &difference["kind"]), (&json!(5), &json!("newly_allowed")));
    assert_eq!(difference["decide"]["resource"]["id"], "p-2");
    let kinds = json!({ "newly_allowed": 1, "newly_denied": 0, "other": 0, "reason": 0 });
    assert_eq!(summary["summary"]["differences"], kinds);
    ends(&fallgate(&["replay", &journal, "--bundle", "../../policies/idp-outage"]), 3, "error[journal_input]");
}

#[test]
fn the_chain_is_held_against_what_the_replay_hands_out() {
    let folder = tempfile::tempdir().unwrap();
    let engine = monday(journaling());
    let mut records = Vec::new();
    for _ in 0..2 {
        // What is not confirmed comes again, and is in the chain once.
        records = engine.drain_audit(100, at(20)).lines;
    }
    engine.acknowledge_audit(3, at(20));
    let journal = file(folder.path(), "journal.jsonl", &engine.drain_journal(100).lines);
    let chain = file(folder.path(), "audit.jsonl", &records);
    let count = records.len();
    ends(&fallgate(&["replay", &journal, "--audit", &chain]), 0, &format!("{count} records of the chain equal"));

    let mut changed = records.clone();
    changed[4] = changed[4].replacen("no_matching_rule", "allowed_by_rule", 1);
    assert_ne!(changed, records);
    let path = file(folder.path(), "changed.jsonl", &changed);
    let ran = fallgate(&["replay", &journal, "--audit", &path]);
    ends(&ran, 1, "record 5, handed out by entry 8: another one, first at /body/decision/context/reason");

    let path = file(folder.path(), "short.jsonl", &records[..count - 1]);
    ends(&fallgate(&["replay", &journal, "--audit", &path]), 1, "1 record of the replay that the chain has not");
    let longer = [&records[..], &[records[0].replacen("\"seq\":1", "\"seq\":99", 1)]].concat();
    let path = file(folder.path(), "longer.jsonl", &longer);
    ends(&fallgate(&["replay", &journal, "--audit", &path]), 0, "1 from before the journal or after its end");
    let path = file(folder.path(), "noise.jsonl", &["{}".to_owned()]);
    ends(&fallgate(&["replay", &journal, "--audit", &path]), 3, "this is no audit record");
    ends(&fallgate(&["replay", &journal, "--audit", &chain, "--bundle", NEXT]), 2, "cannot be used with");
}

#[test]
fn an_audit_chain_needs_a_bundle_and_has_to_be_whole() {
    let folder = tempfile::tempdir().unwrap();
    let records = monday(Config::default()).drain_audit(100, at(20)).lines;
    let chain = file(folder.path(), "audit.jsonl", &records);
    ends(&fallgate(&["replay", &chain]), 2, "give `--bundle`");
    ends(&fallgate(&["replay", &chain, "--bundle", DESK]), 0, "equal: 3 of 3 decisions decided again");
    let path = file(folder.path(), "dropped.jsonl", &[&records[..2], &records[3..]].concat());
    ends(&fallgate(&["replay", &path, "--bundle", DESK]), 3, "error[record_sequence]");
}
