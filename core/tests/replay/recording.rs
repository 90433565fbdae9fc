//! What an engine writes down: its room, its order, its gaps, and what is not in it.

use fallgate::limits::Limits;
use fallgate::operation::{Operation, Outcome};
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::replay::{Replay, ReplayFault, Secrets};
use fallgate::request::{Party, RequestError};
use fallgate::state::document::StateKey;
use fallgate::state::postures::PostureError;
use fallgate::state::quarantine::Selector;
use fallgate::time::{Monotonic, Now, Ttl, Wall};
use fallgate::value::Value;
use fallgate::{Config, Engine, Observation, Request};
use serde_json::json;

use super::corpus::replayed;

pub(crate) fn at(millis: u64) -> Now {
    let wall = 1_767_225_600_000_i64 + i64::try_from(millis).unwrap();
    Now::new(Monotonic::from_millis(millis), Wall::from_millis(wall))
}

pub(crate) fn desk(revision: u64) -> Bundle {
    let document = json!({
        "fallgate": 1, "name": "desk", "revision": revision,
        "schema": { "subject": { "user": { "level": "int" } }, "context": { "note": { "type": "string", "optional": true } } },
        "signals": { "idp": { "ttl": "10s" }, "gateway": { "breaker": { "window": 4, "failure_rate": 0.5, "open_for": "30s", "half_open_probes": 1 } } },
        "actions": {
            "read": { "requires": ["idp"], "cache": { "allow": "5s", "deny": "1s" } },
            "write": { "class": "write", "audit": "required" },
        },
        "postures": [
            { "name": "normal", "rank": 0, "permits": "all" },
            { "name": "closed", "rank": 5, "permits": { "actions": ["read"] }, "leave": { "dwell": "5s" } },
        ],
        "audit": { "level": "all" },
        "rules": [
            { "id": "levels", "effect": "allow", "action": "read", "when": "subject.level > 2" },
            { "id": "writers", "effect": "allow", "action": "write", "when": "subject.level > 4" },
        ],
    });
    Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
}

pub(crate) fn journaling(entries: usize) -> Config {
    let mut config = Config::default();
    config.limits.journal_entries_max = entries;
    config.limits.journal_bytes_max = 64 << 20;
    config
}

pub(crate) fn request(level: i64) -> Request {
    let subject = Party::new("user", "ann").with("level", Value::Int(level));
    Request::new(subject, "read", Party::new("paper", "p-1"))
}

pub(crate) fn lines(engine: &Engine) -> Vec<String> {
    let batch = engine.drain_journal(usize::MAX);
    engine.acknowledge_journal(batch.last_n);
    batch.lines
}

#[test]
fn without_room_there_is_no_journal() {
    let engine = Engine::new(Config::default());
    engine.activate(desk(1), at(0)).unwrap();
    assert_eq!(engine.journal_counts(), None);
    assert!(engine.drain_journal(10).lines.is_empty());
}

#[test]
fn a_journal_says_what_was_put_in_and_what_came_of_it() {
    let engine = Engine::new(journaling(100));
    engine.activate(desk(1), at(0)).unwrap();
    engine.observe(&Observation::ok("idp"), at(10));
    assert!(engine.decide(&request(3), at(20)).is_allow());
    let written = lines(&engine);
    let entries: Vec<serde_json::Value> = written.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries.len(), 4);
    for (entry, verb) in entries.iter().zip(["configure", "activate", "observe", "decide"]) {
        assert!(entry.get(verb).is_some(), "{entry}");
        assert_eq!(entry["fallgate"], "journal/1");
    }
    assert_eq!(entries[0]["prev"], "0".repeat(64));
    assert_eq!(entries[1]["prev"], entries[0]["hash"]);
    assert_eq!(entries[1]["activate"]["bundle"]["sha256"], desk(1).id().to_string());
    assert_eq!(entries[1]["activate"]["bundle"]["text"], String::from_utf8_lossy(desk(1).bytes()).as_ref());
    assert_eq!(entries[2]["observe"], json!({ "signal": "idp", "status": "ok" }));
    assert_eq!(entries[2]["outcome"], "taken");
    assert_eq!(entries[3]["at"], json!({ "monotonic_ns": "20000000", "wall_ns": "1767225600020000000" }));
    assert_eq!(entries[3]["decide"]["subject"]["properties"]["level"], 3);
    assert_eq!(entries[3]["outcome"]["decision"], true);
    replayed(&written, Secrets::default());
}

#[test]
fn the_text_of_a_bundle_stands_once() {
    let engine = Engine::new(journaling(100));
    for millis in 0..3 {
        engine.activate(desk(1), at(millis)).unwrap();
    }
    engine.activate(desk(2), at(9)).unwrap();
    let written = lines(&engine);
    let texts = |revision: u64| {
        let text = serde_json::to_string(&String::from_utf8_lossy(desk(revision).bytes())).unwrap();
        written.iter().filter(|line| line.contains(&text)).count()
    };
    assert_eq!((texts(1), texts(2)), (1, 1));
    replayed(&written, Secrets::default());
}

#[test]
fn no_secret_is_in_a_journal_and_each_is_asked_for() {
    let mut config = journaling(100);
    config.key = *b"the-key-of-cache";
    config.state_key = StateKey::new(*b"the-secret-that-seals-the-state-");
    config.audit_key = Some(*b"the-secret-that-conceals-records");
    let engine = Engine::new(config);
    engine.activate(desk(1), at(0)).unwrap();
    engine.export_state(at(5)).unwrap();
    let _ = engine.decide(&request(1), at(6));
    let written = lines(&engine);
    for secret in ["the-key-of-cache", "the-secret-that"] {
        let hexadecimal: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(!written.iter().any(|line| line.contains(secret) || line.contains(&hexadecimal)), "{secret}");
    }
    let all = Secrets {
        key: Some(*b"the-key-of-cache"),
        state_key: Some(*b"the-secret-that-seals-the-state-"),
        audit_key: Some(*b"the-secret-that-conceals-records"),
    };
    replayed(&written, all.clone());
    for (name, without) in [
        ("key", Secrets { key: None, ..all.clone() }),
        ("state_key", Secrets { state_key: Some([1; 32]), ..all.clone() }),
        ("audit_key", Secrets { audit_key: None, ..all.clone() }),
    ] {
        let error = Replay::new(without).push(written[0].as_bytes()).unwrap_err();
        assert_eq!((error.number, error.fault.code()), (1, "journal_key"));
        assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
    }
    // Nor is it where what holds it is printed.
    assert_eq!(format!("{all:?}"), "Secrets");
}

#[test]
fn what_is_not_confirmed_comes_again_and_what_is_goes() {
    let engine = Engine::new(journaling(100));
    engine.activate(desk(1), at(0)).unwrap();
    engine.advance(at(1));
    let first = engine.drain_journal(2);
    assert_eq!((first.lines.len(), first.last_n), (2, 2));
    assert_eq!(engine.drain_journal(2), first);
    engine.acknowledge_journal(1);
    assert_eq!(engine.drain_journal(10).lines.len(), 2);
    assert_eq!(engine.drain_journal(1).lines[0], first.lines[1]);
    // What was never handed out is not confirmed by a number that is ahead.
    engine.advance(at(2));
    engine.acknowledge_journal(1_000);
    assert_eq!(engine.drain_journal(10).last_n, 4);
}

#[test]
fn a_full_journal_says_where_inputs_are_missing_and_a_replay_ends_there() {
    let engine = Engine::new(journaling(5));
    engine.activate(desk(1), at(0)).unwrap();
    for millis in 1..=6 {
        engine.advance(at(millis));
    }
    // One place is left for the gap: three entries besides the configuration found room.
    assert_eq!(engine.journal_counts(), Some((4, 4, 4)));
    let decided = engine.decide(&request(3), at(7));
    assert!(!decided.is_allow(), "what is not written is decided all the same");
    let mut written = lines(&engine);
    engine.advance(at(8));
    written.extend(lines(&engine));
    let gap: serde_json::Value = serde_json::from_str(&written[4]).unwrap();
    assert_eq!(gap["n"], 5);
    assert_eq!(gap["gap"]["inputs"], 5);
    assert_eq!(gap["gap"]["since"]["monotonic_ns"], "3000000");
    assert_eq!(gap["gap"]["until"]["monotonic_ns"], "7000000");
    let mut replay = Replay::new(Secrets::default());
    for line in &written[..4] {
        assert_eq!(replay.push(line.as_bytes()).unwrap().difference, None);
    }
    let error = replay.push(written[4].as_bytes()).unwrap_err();
    assert_eq!((error.number, error.fault.code()), (5, "journal_gap"));
    assert!(error.to_string().contains("5 inputs found no room"), "{error}");
}

#[test]
fn every_call_by_its_own_name_is_an_input() {
    let mut config = journaling(1_000);
    config.state_key = StateKey::new([7; 32]);
    config.instance = fallgate::name::name("a").unwrap();
    let engine = Engine::new(config);
    engine.activate(desk(1), at(0)).unwrap();
    engine.observe(&Observation::ok("idp").at(Monotonic::from_nanos(999_999)), at(10));
    let until = Some(Monotonic::from_nanos(2_000_000_001));
    let terms = fallgate::engine::QuarantineTerms { reason: "theft", until, absolute: true };
    engine.quarantine(&Selector::Subject("user", "eve"), &terms, at(20)).unwrap();
    engine.revoke("user", "ann", Monotonic::from_nanos(15_000_001), at(30));
    engine.enter_posture("closed", None, at(40)).unwrap();
    assert_eq!(engine.leave_posture("closed", None, at(50)), Err(PostureError::Dwelling));
    let permit = engine.acquire("gateway", None, at(60)).unwrap();
    let failure = fallgate::resilience::breaker::CallOutcome::Failure;
    engine.report("gateway", permit, failure, Some(Ttl::from_nanos(1_234_567)), at(61)).unwrap();
    engine.force_open("gateway", at(62)).unwrap();
    engine.release("gateway", at(63)).unwrap();
    engine.record_latency(fallgate::Effect::Deny, 1_500);
    engine.report_attempts(3, at(70));
    let _ = engine.take_over(at(80)).unwrap();
    engine.witness_epoch(9, "b", at(90));
    let _ = engine.overview(at(100));
    let _ = engine.explain(&request(9), at(110));
    let _ = engine.slis(at(115));
    let _ = engine.decide(&request(9), at(120));
    let _ = engine.decide_json(b"{", at(130));
    let _ = engine.refuse(&RequestError::Limit { max: 3, unit: "levels" }, at(131));
    let state = engine.export_state(at(140)).unwrap();
    engine.restore_state(&state, None, at(150)).unwrap();
    engine.restore_state(b"\xff", None, at(151)).unwrap_err();
    engine.anchor_clocks(at(160));
    assert!(!engine.drain_audit(usize::MAX, at(170)).lines.is_empty());
    engine.acknowledge_audit(3, at(171));
    engine.checkpoint(at(172));
    // The clock goes back: what comes then is held at the time of what came before.
    let _ = engine.decide(&request(3), at(100));
    engine.advance(at(2_100));
    let _ = engine.decide(&request(3), at(2_101));
    let written = lines(&engine);
    let tally = replayed(&written, Secrets { state_key: Some([7; 32]), ..Secrets::default() });
    assert_eq!(tally.decisions, 5);
    // Each call is one entry: what it is made of is its doing.
    let expected = 30;
    assert_eq!(written.len(), expected + 1, "{}", written.join("\n"));
    for verb in ["quarantine", "revoke", "report", "first", "look", "refuse"] {
        let found = written.iter().any(|line| line.contains(&format!("\"{verb}\"")));
        assert_eq!(found, verb != "first", "{verb}");
    }
}

#[test]
fn operations_hand_a_journal_over() {
    let engine = Engine::new(journaling(10));
    let drained = |engine: &Engine| match engine.operate_json(br#"{"drain_journal":{}}"#, at(0)).unwrap() {
        Outcome::Journal { lines, last_n } => (lines, last_n),
        other => panic!("{other:?}"),
    };
    let (written, last) = drained(&engine);
    assert_eq!((written.len(), last), (1, 1));
    let acknowledge = Operation::from_json(br#"{"acknowledge_journal":{"n":1}}"#, &Limits::DEFAULT).unwrap();
    assert_eq!(engine.operate(&acknowledge, at(0)), Ok(Outcome::Done));
    assert_eq!(drained(&engine), (Vec::new(), 0));
}

#[test]
fn records_name_the_input_whose_doing_they_are() {
    let engine = Engine::new(journaling(100));
    engine.activate(desk(1), at(0)).unwrap();
    engine.observe(&Observation::ok("idp"), at(10));
    let _ = engine.decide(&request(3), at(20));
    engine.enter_posture("closed", None, at(30)).unwrap();
    let records: Vec<serde_json::Value> =
        engine.drain_audit(100, at(40)).lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let input_of = |event: &str| {
        let record = records.iter().find(|record| record["body"]["event"] == event || record["kind"] == event);
        record.unwrap()["body"]["input"].clone()
    };
    // 1 is how the engine is set up.
    assert_eq!(input_of("bundle_activated"), 2);
    assert_eq!(input_of("decision"), 4);
    assert_eq!(input_of("posture_entered"), 5);
    let off = Engine::new(Config::default());
    off.activate(desk(1), at(0)).unwrap();
    let _ = off.decide(&request(3), at(20));
    assert!(!off.drain_audit(100, at(40)).lines.iter().any(|line| line.contains("\"input\"")));
}

#[test]
fn what_four_threads_put_in_is_replayed() {
    let mut config = journaling(200_000);
    config.limits.audit_entries_max = 500;
    let engine = Engine::new(config);
    engine.activate(desk(1), at(0)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let engine = &engine;
            scope.spawn(move || {
                for round in 0..400_u64 {
                    let now = at(round * 7 + thread);
                    match (round + thread) % 5 {
                        0 => drop(engine.observe(&Observation::ok("idp"), now)),
                        1 => drop(engine.observe(&Observation::failed("idp"), now)),
                        2 if thread == 0 => drop(engine.drain_audit(50, now)),
                        3 if round % 50 == 3 => drop(engine.enter_posture("closed", None, now)),
                        _ => drop(engine.decide(&request(i64::try_from(round % 6).unwrap()), now)),
                    }
                }
            });
        }
    });
    let written = lines(&engine);
    let tally = replayed(&written, Secrets::default());
    assert!(tally.decisions > 500, "{tally:?}");
    assert_eq!(engine.journal_counts().unwrap().1, 0);
}

#[test]
fn a_restarted_host_begins_a_journal_in_the_same_file() {
    let mut written = Vec::new();
    for revision in 1..=3 {
        let engine = Engine::new(journaling(100));
        engine.activate(desk(revision), at(0)).unwrap();
        let _ = engine.decide(&request(3), at(1));
        written.extend(lines(&engine));
    }
    let tally = replayed(&written, Secrets::default());
    assert_eq!((tally.engines, tally.inputs, tally.decisions), (3, 6, 3));
    let error = Replay::new(Secrets::default()).finish().unwrap_err();
    assert_eq!(error.fault, ReplayFault::Empty);
}
