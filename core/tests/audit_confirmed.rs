//! `audit: confirmed`: an allow is given out only when its record is written, and only if it still holds then.

// The lints that forbid a panic are for code in reach of input. A test panics to fail.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use fallgate::audit::chain::Head;
use fallgate::audit::verify::{Record, Verifier};
use fallgate::decision::{DecisionId, Pending};
use fallgate::engine::QuarantineTerms;
use fallgate::limits::Limits;
use fallgate::operation::Operation;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::state::quarantine::Selector;
use fallgate::time::{Monotonic, Now, Ttl, Wall};
use fallgate::{Config, Engine, Observation, Reason};
use serde_json::{Value, json};

const START: Now = Now::new(Monotonic::ZERO, Wall::from_millis(1_767_225_600_000));

fn at(millis: u64) -> Now {
    START.after(Ttl::from_millis(millis))
}

fn bundle(revision: u64) -> Bundle {
    let document = json!({
        "fallgate": 1, "name": "vault", "revision": revision,
        "schema": { "subject": { "user": { "email": "string", "roles": ["string"] } } },
        "signals": { "idp": { "ttl": "60s" } },
        "actions": {
            "vault:open": { "audit": "confirmed", "requires": ["idp"] },
            "vault:look": { "requires": ["idp"] },
        },
        "postures": [
            { "name": "normal", "rank": 0, "permits": "all" },
            { "name": "shut", "rank": 5, "permits": { "actions": ["vault:look"] }, "leave": {} },
        ],
        "audit": { "level": "all", "redact": ["subject.email"] },
        "rules": [{ "id": "keepers", "effect": "allow", "when": "'keeper' in subject.roles",
            "obligations": [{ "id": "tell", "type": "notification", "properties": { "to": "desk" } }] }],
    });
    Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
}

fn engine_with(config: Config) -> Engine {
    let engine = Engine::new(config);
    engine.activate(bundle(1), START).unwrap();
    engine.observe(&Observation::ok("idp"), START);
    engine
}

fn engine() -> Engine {
    engine_with(Config::default())
}

fn request(who: &str, action: &str) -> Vec<u8> {
    let roles = if who == "kim" { json!(["keeper"]) } else { json!([]) };
    json!({
        "subject": { "type": "user", "id": who, "properties": { "email": "kim@example.org", "roles": roles } },
        "action": { "name": action },
        "resource": { "type": "vault", "id": "v-1" },
    })
    .to_string()
    .into_bytes()
}

fn ask(engine: &Engine, millis: u64) -> Pending {
    engine.decide_pending_json(&request("kim", "vault:open"), at(millis))
}

/// Drains everything, as if it were written, and confirms it.
fn write(engine: &Engine, millis: u64, written: &mut Vec<Record>) {
    let head = written.last().map_or(Head::default(), |last| Head { count: last.seq, hash: last.hash });
    let mut verifier = Verifier::behind(head);
    let batch = engine.drain_audit(10_000, at(millis));
    written.extend(batch.lines.iter().map(|line| verifier.push(line.as_bytes()).unwrap()));
    engine.acknowledge_audit(batch.last_seq, at(millis));
}

/// The records but those of the beginning, each as its kind and what it says.
fn said(written: &[Record]) -> Vec<(&'static str, String)> {
    let word = |record: &Record| {
        let word =
            ["/decision/context/reason", "/why", "/event"].iter().find_map(|at| record.body.pointer(at)?.as_str());
        (record.kind.code(), word.unwrap_or_default().to_owned())
    };
    written.iter().skip(3).map(word).collect()
}

fn counted(engine: &Engine, reason: Reason) -> u64 {
    let label = format!("reason=\"{}\"", reason.code());
    let text = engine.metrics().to_openmetrics();
    let line =
        text.lines().find(|line| line.starts_with("fallgate_decisions_total{") && line.contains(&label)).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn one_call_gives_no_allow_and_keeps_nothing() {
    let engine = engine();
    for millis in [1, 2] {
        let decision = engine.decide_json(&request("kim", "vault:open"), at(millis));
        assert_eq!((decision.reason(), decision.rule()), (Reason::AuditPending, Some("keepers")));
        assert!(decision.obligations().is_empty() && decision.detail().unwrap().contains("decide_pending"));
        assert_eq!(engine.confirm(decision.id(), at(millis)).reason(), Reason::AuditPending);
    }
    // Who is denied is denied as ever, and so is who may do something else.
    assert_eq!(engine.decide_json(&request("bob", "vault:open"), at(3)).reason(), Reason::NoMatchingRule);
    assert!(engine.decide_json(&request("kim", "vault:look"), at(3)).is_allow());
    let mut written = Vec::new();
    write(&engine, 4, &mut written);
    let [pending, none, look] =
        ["audit_pending", "no_matching_rule", "allowed_by_rule"].map(|word| ("decision", word.to_owned()));
    assert_eq!(said(&written), [pending.clone(), pending, none, look]);
    assert_eq!(engine.next_deadline(), Some(at(60_001).monotonic), "the signal's, and nothing else waits");
}

#[test]
fn an_allow_is_given_when_its_record_is_written_and_once() {
    let engine = engine();
    let pending = ask(&engine, 1);
    assert_eq!(pending.decision.reason(), Reason::AuditPending);
    assert!(pending.decision.obligations().is_empty());
    let id = pending.id.unwrap();
    assert_eq!(pending.seq, 4, "behind the bundle's two and the signal's");
    // What was not handed out nobody can have written, drained is not written, and the record before is another one.
    engine.acknowledge_audit(u64::MAX, at(2));
    assert_eq!(engine.confirm(id, at(2)).reason(), Reason::AuditPending);
    let batch = engine.drain_audit(100, at(2));
    assert_eq!(engine.confirm(id, at(2)).reason(), Reason::AuditPending);
    engine.acknowledge_audit(pending.seq - 1, at(2));
    assert_eq!(engine.confirm(id, at(2)).reason(), Reason::AuditPending);
    assert_eq!(counted(&engine, Reason::AuditPending), 0, "nothing was decided yet");
    engine.acknowledge_audit(batch.last_seq, at(2));
    let decision = engine.confirm(id, at(3));
    assert_eq!((decision.reason(), decision.rule()), (Reason::AllowedByRule, Some("keepers")));
    assert_eq!(decision.obligations().len(), 1);
    for _ in 0..2 {
        let again = engine.confirm(id, at(3));
        assert!(!again.is_allow() && again.detail().unwrap().contains("nothing waits"), "{again:?}");
    }
    assert_eq!((counted(&engine, Reason::AllowedByRule), counted(&engine, Reason::AuditPending)), (1, 0));
    let first: Value = serde_json::from_str(&batch.lines[3]).unwrap();
    assert_eq!((&first["kind"], &first["body"]["decision"]["decision"]), (&json!("pending"), &json!(true)));
    assert_eq!(first["body"]["decision"]["context"]["id"], id.to_string());
    assert!(!batch.lines[3].contains("kim@example.org"), "{}", batch.lines[3]);
    let second: Value = serde_json::from_str(&engine.drain_audit(100, at(4)).lines[0]).unwrap();
    assert_eq!((&second["kind"], &second["body"]["pending"]), (&json!("decision"), &json!(id.to_string())));
    assert_eq!(second["body"]["decision"], decision.to_json());
}

#[test]
fn what_came_in_between_is_what_counts() {
    let failed = |engine: &Engine| assert_eq!(engine.observe(&Observation::failed("idp"), at(3)).code(), "taken");
    let quarantine = |engine: &Engine| {
        let terms = QuarantineTerms { reason: "theft", until: None, absolute: false };
        engine.quarantine(&Selector::Subject("user", "kim"), &terms, at(3)).unwrap();
    };
    type Happens<'a> = &'a dyn Fn(&Engine);
    let ahead = Now::new(at(3).monotonic, at(90_000).wall);
    let cases: [(&str, Happens<'_>, Reason); 6] = [
        ("a signal", &failed, Reason::SignalUnavailable),
        ("a posture", &|engine| engine.enter_posture("shut", None, at(3)).unwrap(), Reason::Posture),
        ("a quarantine", &quarantine, Reason::Quarantined),
        ("another revision", &|engine| engine.activate(bundle(2), at(3)).unwrap(), Reason::AuditPending),
        ("clocks that part", &|engine| engine.advance(ahead), Reason::SignalUnavailable),
        (
            "clocks that part, and a report after that",
            &|engine| assert_eq!(engine.observe(&Observation::ok("idp"), ahead).code(), "taken"),
            Reason::AllowedByRule,
        ),
    ];
    for (what, happens, reason) in cases {
        let engine = engine();
        let mut written = Vec::new();
        let id = ask(&engine, 1).id.unwrap();
        write(&engine, 2, &mut written);
        happens(&engine);
        let decision = engine.confirm(id, at(4));
        assert_eq!(decision.reason(), reason, "{what}: {decision:?}");
        assert_eq!(engine.confirm(id, at(4)).reason(), Reason::AuditPending, "{what}: it waits no more");
        write(&engine, 5, &mut written);
        let said = said(&written);
        let last = ("decision", reason.code().to_owned());
        assert_eq!(said[0], ("pending", "allowed_by_rule".to_owned()), "{what}");
        if decision.is_allow() {
            assert_eq!(said.last(), Some(&last), "{what}: {said:?}");
        } else {
            assert_eq!(said[said.len() - 2..], [last, ("withdrawn", reason.code().to_owned())], "{what}");
            let withdrawn = written.last().unwrap();
            assert_eq!(withdrawn.body["decision"], id.to_string(), "{what}");
        }
    }
}

#[test]
fn a_deny_waits_for_nothing() {
    let engine = engine();
    let denied = engine.decide_pending_json(&request("bob", "vault:open"), at(1));
    assert_eq!((denied.decision.reason(), denied.id, denied.seq), (Reason::NoMatchingRule, None, 0));
    let broken = engine.decide_pending_json(b"{", at(1));
    assert_eq!((broken.decision.reason(), broken.id), (Reason::InvalidRequest, None));
    // An action that does not demand it is answered at once.
    let look = engine.decide_pending_json(&request("kim", "vault:look"), at(1));
    assert_eq!((look.decision.reason(), look.id), (Reason::AllowedByRule, None));
    let mut written = Vec::new();
    write(&engine, 2, &mut written);
    let words = ["no_matching_rule", "invalid_request", "allowed_by_rule"].map(|word| ("decision", word.to_owned()));
    assert_eq!(said(&written), words);
}

#[test]
fn what_nobody_comes_for_ends_after_thirty_seconds() {
    for (millis, given) in [(30_000, true), (30_001, false), (45_000, false)] {
        let engine = engine();
        let mut written = Vec::new();
        let id = ask(&engine, 1).id.unwrap();
        write(&engine, 2, &mut written);
        assert_eq!(engine.next_deadline(), Some(at(30_001).monotonic));
        assert_eq!(engine.confirm(id, at(millis)).is_allow(), given, "{millis}");
        write(&engine, millis, &mut written);
        let expired = said(&written).contains(&("withdrawn", "expired".to_owned()));
        assert_eq!(expired, !given, "{millis}");
    }
    // Also where nobody asks any more, and the clock goes back.
    let engine = engine();
    let mut written = Vec::new();
    let id = ask(&engine, 1).id.unwrap();
    write(&engine, 2, &mut written);
    engine.advance(at(30_001));
    assert_eq!(engine.next_deadline(), Some(at(60_001).monotonic));
    assert!(!engine.confirm(id, at(5)).is_allow());
    write(&engine, 30_001, &mut written);
    let withdrawn = written.last().unwrap();
    assert_eq!((withdrawn.kind.code(), &withdrawn.body["why"]), ("withdrawn", &json!("expired")));
    assert_eq!(withdrawn.body["decision"], id.to_string());
}

#[test]
fn two_that_are_alike_wait_apart() {
    let engine = engine();
    let (first, second) = (ask(&engine, 1), ask(&engine, 1));
    assert_ne!(first.id, second.id);
    assert_eq!((first.seq, second.seq), (4, 5));
    engine.drain_audit(100, at(2));
    engine.acknowledge_audit(4, at(2));
    assert!(engine.confirm(first.id.unwrap(), at(2)).is_allow());
    assert!(!engine.confirm(second.id.unwrap(), at(2)).is_allow());
    engine.acknowledge_audit(5, at(2));
    assert!(engine.confirm(second.id.unwrap(), at(2)).is_allow());
}

#[test]
fn without_room_nothing_waits() {
    let mut config = Config::default();
    config.limits.audit_entries_max = 6;
    let engine = engine_with(config);
    // Six places: three are taken, and one is left for a gap.
    assert!(ask(&engine, 1).id.is_some() && ask(&engine, 2).id.is_some());
    let full = ask(&engine, 3);
    assert_eq!((full.decision.reason(), full.id), (Reason::AuditUnavailable, None));
    // Records that are written leave room for others, and what waits takes as much: six, until somebody comes for it.
    for millis in 4..8 {
        engine.drain_audit(100, at(millis));
        engine.acknowledge_audit(u64::MAX, at(millis));
        assert!(ask(&engine, millis).id.is_some());
    }
    engine.drain_audit(100, at(8));
    engine.acknowledge_audit(u64::MAX, at(8));
    let full = ask(&engine, 9);
    assert_eq!((full.decision.reason(), full.id), (Reason::AuditUnavailable, None));
    assert!(full.decision.detail().unwrap().contains("too many"), "{full:?}");
    engine.advance(at(30_010));
    engine.drain_audit(100, at(30_010));
    engine.acknowledge_audit(u64::MAX, at(30_010));
    assert!(ask(&engine, 30_010).id.is_some(), "what has ended takes no room");
}

/// Kim asks with an address of 6,000 letters: the record takes more than the 4,096 bytes that the gate looks for.
fn ask_at_length(engine: &Engine, millis: u64) -> Pending {
    let request = String::from_utf8(request("kim", "vault:open")).unwrap();
    let request = request.replace("kim@example.org", &"k".repeat(6_000));
    engine.decide_pending_json(request.as_bytes(), at(millis))
}

fn engine_with_bytes(bytes: usize) -> Engine {
    let mut config = Config::default();
    config.limits.audit_bytes_max = bytes;
    engine_with(config)
}

#[test]
fn an_allow_whose_record_finds_no_room_does_not_wait_for_it() {
    // Three events are kept, each for 512 bytes: 5,464 are left, and the record takes more than 6,000.
    let engine = engine_with_bytes(7_000);
    let denied = ask_at_length(&engine, 1);
    assert_eq!((denied.decision.reason(), denied.id, denied.seq), (Reason::AuditUnavailable, None, 0));
    assert!(denied.decision.obligations().is_empty());
    assert_eq!(engine.next_deadline(), Some(at(60_001).monotonic), "the signal's, and nothing waits");
    let mut written = Vec::new();
    write(&engine, 2, &mut written);
    assert!(written.iter().all(|record| record.kind.code() != "pending"));
    let gap = written.iter().find(|record| record.kind.code() == "gap").unwrap();
    assert_eq!((&gap.body["denies"], &gap.body["allows"]), (&json!(1), &json!(0)));
    // With the room that was given back, it waits and is given.
    let id = ask_at_length(&engine, 3).id.unwrap();
    write(&engine, 4, &mut written);
    assert!(engine.confirm(id, at(5)).is_allow());
}

#[test]
fn an_allow_that_waited_and_whose_second_record_finds_no_room_is_not_given() {
    let engine = engine_with_bytes(8_500);
    let id = ask_at_length(&engine, 1).id.unwrap();
    let mut written = Vec::new();
    write(&engine, 2, &mut written);
    // Three small records that nobody writes leave the room that the gate looks for, and not that of the large one.
    for millis in 3..6 {
        assert_eq!(engine.decide_json(&request("bob", "vault:look"), at(millis)).reason(), Reason::NoMatchingRule);
    }
    let denied = engine.confirm(id, at(6));
    assert_eq!((denied.reason(), denied.rule()), (Reason::AuditUnavailable, None));
    assert!(denied.obligations().is_empty());
    write(&engine, 7, &mut written);
    let again = engine.confirm(id, at(8));
    assert!(!again.is_allow() && again.detail().unwrap().contains("nothing waits"), "it is not given later either");
    let said = said(&written);
    assert_eq!(said.first(), Some(&("pending", "allowed_by_rule".to_owned())));
    assert_eq!(said.last(), Some(&("withdrawn", "audit_unavailable".to_owned())));
    assert!(!said[1..].contains(&("decision", "allowed_by_rule".to_owned())), "{said:?}");
    assert_eq!(written.last().unwrap().body["decision"], id.to_string());
}

/// Those that are confirmed leave their ends behind, which are swept now and then: what waits keeps its own.
#[test]
fn what_waits_ends_in_its_time_however_many_are_confirmed_meanwhile() {
    let engine = engine();
    let mut written = Vec::new();
    let first = ask(&engine, 1).id.unwrap();
    for millis in 2..=200 {
        let id = ask(&engine, millis).id.unwrap();
        write(&engine, millis, &mut written);
        assert!(engine.confirm(id, at(millis)).is_allow());
    }
    let last = ask(&engine, 201).id.unwrap();
    write(&engine, 201, &mut written);
    assert_eq!(engine.next_deadline(), Some(at(30_001).monotonic));
    engine.advance(at(30_001));
    assert_eq!(engine.next_deadline(), Some(at(30_201).monotonic));
    write(&engine, 30_001, &mut written);
    let withdrawn = written.last().unwrap();
    assert_eq!((withdrawn.kind.code(), &withdrawn.body["decision"]), ("withdrawn", &json!(first.to_string())));
    assert!(!engine.confirm(first, at(30_002)).is_allow());
    assert!(engine.confirm(last, at(30_200)).is_allow());
}

#[test]
fn nobody_guesses_what_waits() {
    let engine = engine();
    let id = ask(&engine, 1).id.unwrap();
    engine.drain_audit(100, at(2));
    engine.acknowledge_audit(u64::MAX, at(2));
    for other in [DecisionId::default(), DecisionId(u128::MAX), DecisionId(id.0 ^ 1), DecisionId(id.0 + 2)] {
        assert!(!engine.confirm(other, at(2)).is_allow(), "{other}");
    }
    let other = engine_with(Config::default());
    assert!(!other.confirm(id, at(2)).is_allow(), "another engine, or this one after a restart");
    assert!(engine.confirm(id, at(2)).is_allow());
}

#[test]
fn both_calls_are_operations() {
    let engine = engine();
    let operate = |operation: &Value, millis| {
        let done = engine.operate_json(operation.to_string().as_bytes(), at(millis));
        done.map(|outcome| outcome.to_json()).map_err(|error| error.code())
    };
    let request: Value = serde_json::from_slice(&request("kim", "vault:open")).unwrap();
    let first = operate(&json!({ "decide_pending": { "request": request } }), 1).unwrap();
    assert_eq!((&first["decision"]["decision"], &first["seq"]), (&json!(false), &json!(4)));
    let confirm = json!({ "confirm_decision": { "pending": first["pending"] } });
    assert_eq!(operate(&confirm, 2).unwrap()["decision"]["context"]["reason"], "audit_pending");
    operate(&json!({ "drain_audit": {} }), 3).unwrap();
    operate(&json!({ "acknowledge_audit": { "seq": 4 } }), 3).unwrap();
    let second = operate(&confirm, 4).unwrap();
    assert_eq!((&second["decision"]["decision"], second.get("pending")), (&json!(true), None));
    assert_eq!(operate(&json!({ "confirm_decision": { "pending": "none" } }), 5), Err("malformed_operation"));
    // A request that could be read in two ways is none.
    let text = json!({ "decide_pending": { "request": request } }).to_string();
    let twice = text.replace(r#""id":"kim""#, r#""id":"bob","id":"kim""#);
    assert_ne!(text, twice);
    let refused = Operation::from_json(twice.as_bytes(), &Limits::DEFAULT).unwrap_err();
    assert_eq!(refused.code(), "malformed_operation");
    assert_eq!(
        operate(&json!({ "decide_pending": { "request": 7 } }), 5).unwrap()["decision"]["context"]["reason"],
        "invalid_request"
    );
}
