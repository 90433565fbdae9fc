//! Audit at the engine: what is recorded, what is not written, what finds no room, and that the counts add up.

// The lints that forbid a panic are for code in reach of input. A test panics to fail.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use fallgate::audit::chain::Head;
use fallgate::audit::verify::{Record, Verifier};
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::state::events::Event;
use fallgate::time::{Monotonic, Now, Ttl, Wall};
use fallgate::{Config, Engine, Observation, Reason};
use serde_json::{Value, json};

const START: Now = Now::new(Monotonic::ZERO, Wall::from_millis(1_767_225_600_000));

fn at(millis: u64) -> Now {
    START.after(Ttl::from_millis(millis))
}

/// A pack with three actions: one that goes with the level, one that demands a record, one that leaves none.
fn pack(audit: &Value) -> Value {
    json!({
        "fallgate": 1, "name": "shop", "revision": 1,
        "schema": {
            "subject": { "user": { "email": "string", "roles": ["string"] } },
            "resource": { "order": { "iban": { "type": "string", "optional": true } } },
            "context": { "tokens": { "type": { "*": "string" }, "optional": true } },
        },
        "signals": { "idp": { "ttl": "10s" } },
        "actions": {
            "order:read": {},
            "order:pay": { "audit": "required", "cache": { "allow": "1m" } },
            "order:ping": { "audit": "none" },
        },
        "audit": audit,
        "rules": [
            { "id": "staff", "effect": "allow", "when": "'staff' in subject.roles" },
            { "id": "no-mallory", "effect": "deny", "when": "subject.id == 'mallory'",
              "obligations": [{ "id": "tell", "type": "notification", "properties": { "to": "ann@example.org" } }] },
        ],
    })
}

fn engine(audit: &Value, config: Config) -> Engine {
    let bundle = Bundle::from_document(&pack(audit), &Trust::unsigned_for_development(), &Limits::DEFAULT);
    let engine = Engine::new(config);
    engine.activate(bundle.unwrap(), START).unwrap();
    engine
}

fn small(entries: usize) -> Config {
    let mut config = Config::default();
    config.limits.audit_entries_max = entries;
    config
}

fn request(who: &str, action: &str, context: &Value) -> Vec<u8> {
    let request = json!({
        "subject": { "type": "user", "id": who, "properties": {
            "email": "ann@example.org", "roles": if who == "guest" { json!([]) } else { json!(["staff"]) }, "undeclared": "marker-u" } },
        "action": { "name": action },
        "resource": { "type": "order", "id": "o-1", "properties": { "iban": "DE02120300000000202051" } },
        "context": context,
    });
    request.to_string().into_bytes()
}

fn decide(engine: &Engine, who: &str, action: &str, millis: u64) -> Reason {
    engine.decide_json(&request(who, action, &json!({})), at(millis)).reason()
}

/// Drains everything in small batches, confirming each, and reads the chain.
fn drained(engine: &Engine, millis: u64) -> Vec<Record> {
    let mut verifier = Verifier::behind(Head::default());
    let mut records = Vec::new();
    loop {
        let batch = engine.drain_audit(7, at(millis));
        if batch.lines.is_empty() {
            return records;
        }
        records.extend(batch.lines.iter().map(|line| verifier.push(line.as_bytes()).unwrap()));
        engine.acknowledge_audit(batch.last_seq, at(millis));
    }
}

fn kinds(records: &[Record]) -> Vec<&'static str> {
    records.iter().map(|record| record.kind.code()).collect()
}

#[test]
fn decisions_and_events_are_recorded_in_their_order() {
    let engine = engine(&json!({ "level": "all" }), Config::default());
    engine.observe(&Observation::ok("idp"), at(1));
    let context = json!({ "fallgate": { "request_id": "r-17",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" } });
    let decision = engine.decide_json(&request("ann", "order:read", &context), at(2));
    let _ = decide(&engine, "ann", "order:ping", 3);
    let records = drained(&engine, 4);
    // An unsigned bundle is two events: that it is active, and that nobody vouches for it.
    assert_eq!(kinds(&records), ["bundle", "bundle", "signal", "decision"]);
    let body = &records[3].body;
    assert_eq!(body["decision"], decision.to_json());
    assert_eq!(body["request"]["request_id"], "r-17");
    assert_eq!(body["request"]["traceparent"], "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert_eq!(body["request"]["subject"]["roles"], json!(["staff"]));
    assert_eq!(records[3].at, at(2).wall.to_string());
    // What the schema does not declare was not read, and is not written.
    assert!(!body.to_string().contains("marker-u"));
}

#[test]
fn each_level_records_what_it_says() {
    let recorded = |level: &Value| {
        let engine = engine(level, Config::default());
        for who in ["ann", "guest", "mallory"] {
            let _ = decide(&engine, who, "order:read", 1);
        }
        let _ = engine.decide_json(b"{", at(1));
        let decisions = drained(&engine, 2).into_iter().filter(|record| record.kind.code() == "decision");
        decisions.map(|record| record.body["decision"]["context"]["reason"].clone()).collect::<Vec<_>>()
    };
    let denies = [json!("no_matching_rule"), json!("denied_by_rule"), json!("invalid_request")];
    assert_eq!(recorded(&json!({ "level": "none" })), Vec::<Value>::new());
    assert_eq!(recorded(&json!({ "level": "denies" })), denies);
    assert_eq!(recorded(&json!({ "level": "all" })), [&[json!("allowed_by_rule")], &denies[..]].concat());
    // A share of one is every allow; the smallest share is none of these few.
    assert_eq!(recorded(&json!({ "level": "sampled", "sample": 1.0 })).len(), 4);
    assert_eq!(recorded(&json!({ "level": "sampled", "sample": 0.000_001 })).len(), 3);
}

#[test]
fn a_sample_is_about_as_large_as_it_says() {
    let engine = engine(&json!({ "level": "sampled", "sample": 0.1 }), Config::default());
    (0..10_000).for_each(|millis| assert!(decide(&engine, "ann", "order:read", millis) == Reason::AllowedByRule));
    let recorded = engine.audit_counters().recorded;
    // Ten thousand draws of one in ten: four standard deviations are 120. Two records are of the bundle.
    assert!((882..=1_122).contains(&recorded), "{recorded}");
}

#[test]
fn nothing_that_must_not_be_written_is_in_any_record() {
    let audit = json!({ "level": "all", "redact": ["subject.email", "subject.id", "context.tokens.*"],
        "commit": ["resource.iban"] });
    for audit_key in [None, Some([7; 32])] {
        let mut config = Config::default();
        config.audit_key = audit_key;
        let engine = engine(&audit, config);
        let context = json!({ "tokens": { "first": "marker-t1", "second": "marker-t2" } });
        for action in ["order:read", "order:pay", "order:none"] {
            let _ = engine.decide_json(&request("mallory", action, &context), at(1));
        }
        let all: String = drained(&engine, 2).iter().map(|record| record.body.to_string()).collect();
        for secret in ["ann@example.org", "\"mallory\"", "marker-t1", "marker-t2", "DE02120300000000202051"] {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
        // The obligation repeats the address; the tag of equal values is equal where there is a key.
        assert!(all.contains("[redacted]"), "{all}");
        assert_eq!(all.contains("committed"), audit_key.is_some());
    }
}

#[test]
fn what_is_not_confirmed_comes_again_byte_for_byte() {
    let engine = engine(&json!({ "level": "all" }), Config::default());
    (0..4).for_each(|millis| assert!(decide(&engine, "ann", "order:read", millis) == Reason::AllowedByRule));
    let first = engine.drain_audit(4, at(10));
    assert_eq!((first.lines.len(), first.last_seq), (4, 4));
    assert_eq!(engine.drain_audit(4, at(20)), first);
    engine.acknowledge_audit(2, at(20));
    let second = engine.drain_audit(4, at(30));
    assert_eq!(second.lines[..2], first.lines[2..]);
    assert_eq!(second.last_seq, 6);
    engine.acknowledge_audit(6, at(30));
    assert!(engine.drain_audit(4, at(40)).lines.is_empty());
    assert_eq!(engine.audit_counters().kept, 0);
    assert_eq!(engine.audit_counters().kept_bytes, 0);
}

#[test]
fn without_room_a_demanded_record_denies_and_what_is_lost_is_counted_in_its_place() {
    let engine = engine(&json!({ "level": "all" }), small(5));
    assert_eq!(decide(&engine, "ann", "order:pay", 1), Reason::AllowedByRule);
    assert_eq!(engine.signal("audit").map(|status| status.name()), Some("ok"));
    // Five places: two of the bundle, the decision, one more, and the one that a gap may take.
    assert_eq!(decide(&engine, "ann", "order:read", 2), Reason::AllowedByRule);
    assert_eq!(decide(&engine, "ann", "order:pay", 3), Reason::AuditUnavailable);
    // The gate stands before the rules: whoever they would deny is told the same.
    assert_eq!(decide(&engine, "guest", "order:pay", 3), Reason::AuditUnavailable);
    assert_eq!(decide(&engine, "ann", "order:read", 4), Reason::AllowedByRule);
    assert_eq!(decide(&engine, "guest", "order:read", 5), Reason::NoMatchingRule);
    assert_eq!(engine.signal("audit").map(|status| status.name()), Some("failed"));
    let records = drained(&engine, 6);
    assert_eq!(kinds(&records), ["bundle", "bundle", "decision", "decision", "gap"]);
    let gap = &records[4].body;
    assert_eq!((&gap["denies"], &gap["allows"]), (&json!(3), &json!(1)));
    assert_eq!(
        (gap["since"].as_str(), gap["until"].as_str()),
        (Some(&*at(3).wall.to_string()), Some(&*at(5).wall.to_string()))
    );
    // Room again: the signal is well, and the action is allowed.
    assert_eq!(engine.signal("audit").map(|status| status.name()), Some("ok"));
    assert_eq!(decide(&engine, "ann", "order:pay", 7), Reason::AllowedByRule);
}

/// A buffer that fills up is no reading of the clocks: the time of its last record may be one that was held.
#[test]
fn a_buffer_that_fills_up_after_a_clock_went_back_does_not_part_the_clocks() {
    let engine = engine(&json!({ "level": "all" }), small(5));
    engine.advance(at(60_000));
    // The monotonic clock goes back a minute, further than the skew, and an operator takes the two for right.
    let back = |millis: u64| Now::new(START.monotonic.after(Ttl::from_millis(millis)), at(60_000 + millis).wall);
    engine.anchor_clocks(back(0));
    let status = |name| engine.signal(name).map(|status| status.name());
    while status("audit") == Some("ok") {
        let _decision = engine.decide_json(&request("ann", "order:read", &json!({})), back(1));
    }
    assert_eq!((status("audit"), status("clock")), (Some("failed"), Some("ok")));
    let failed = |event: &Event| event.kind.code() == "clock_failed";
    assert_eq!(std::iter::from_fn(|| engine.poll_event()).filter(failed).count(), 1, "the one that was anchored");
}

/// The gate looks for the room of an ordinary record, of 4,096 bytes. What is larger is found out when it is written.
#[test]
fn an_allow_whose_record_is_larger_than_the_room_becomes_a_deny() {
    let mut config = Config::default();
    config.limits.audit_bytes_max = 6_000;
    let engine = engine(&json!({ "level": "all" }), config);
    let pay = |iban: &str, millis| {
        let mut request: Value = serde_json::from_slice(&request("ann", "order:pay", &json!({}))).unwrap();
        request["resource"]["properties"]["iban"] = iban.into();
        engine.decide_json(request.to_string().as_bytes(), at(millis))
    };
    // Two events of the bundle are kept, each for 512 bytes: 4,976 are left.
    let denied = pay(&"7".repeat(5_000), 1);
    assert_eq!((denied.reason(), denied.rule()), (Reason::AuditUnavailable, None));
    assert_eq!(engine.signal("audit").map(|status| status.name()), Some("failed"));
    // Not even the deny found room: it is counted in its place, as a deny.
    let records = drained(&engine, 2);
    assert_eq!(kinds(&records)[2..], ["gap"]);
    assert_eq!((&records[2].body["denies"], &records[2].body["allows"]), (&json!(1), &json!(0)));
    // With the room that was given back, it is recorded and allowed.
    assert_eq!(pay(&"7".repeat(5_000), 3).reason(), Reason::AllowedByRule);
    // Two events and this decision; the deny was not.
    let counters = engine.audit_counters();
    assert_eq!((counters.recorded, counters.unrecorded), (3, 1));
}

#[test]
fn with_the_sink_stalled_for_an_hour_memory_stays_bounded_and_the_counts_add_up() {
    let mut config = small(1_000);
    config.limits.audit_bytes_max = 400_000;
    let engine = engine(&json!({ "level": "all" }), config);
    let (mut decided, mut allowed) = (0_u64, 0_u64);
    for second in 0..3_600_u64 {
        for (who, action) in [("ann", "order:read"), ("guest", "order:read"), ("ann", "order:pay")] {
            let decision = engine.decide_json(&request(who, action, &json!({})), at(second * 1_000));
            decided += 1;
            allowed += u64::from(decision.is_allow());
        }
        let counters = engine.audit_counters();
        assert!(counters.kept <= 1_000 && counters.kept_bytes <= 400_000 + 1_024, "{counters:?}");
    }
    let records = drained(&engine, 3_600_000);
    let decisions: Vec<_> = records.iter().filter(|record| record.kind.code() == "decision").collect();
    let gaps: Vec<_> = records.iter().filter(|record| record.kind.code() == "gap").collect();
    let of_gaps = |name: &str| gaps.iter().map(|gap| gap.body[name].as_u64().unwrap()).sum::<u64>();
    let recorded_allows = decisions.iter().filter(|record| record.body["decision"]["decision"] == true).count() as u64;
    assert_eq!(decided, decisions.len() as u64 + of_gaps("denies") + of_gaps("allows"));
    assert_eq!(allowed, recorded_allows + of_gaps("allows"));
    assert_eq!(engine.audit_counters().unrecorded, of_gaps("denies") + of_gaps("allows") + of_gaps("events"));
    assert!(decisions.len() < 1_000 && of_gaps("denies") > 3_600);
    assert_eq!(gaps.len(), 1);
}

#[test]
fn what_was_not_handed_out_cannot_be_confirmed() {
    let engine = engine(&json!({ "level": "all" }), Config::default());
    (0..4).for_each(|millis| assert!(decide(&engine, "ann", "order:read", millis) == Reason::AllowedByRule));
    let _ = engine.checkpoint(at(4));
    assert_eq!(engine.drain_audit(2, at(5)).last_seq, 2);
    engine.acknowledge_audit(u64::MAX, at(5));
    let records: Vec<u64> = engine
        .drain_audit(100, at(6))
        .lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(records, [3, 4, 5, 6, 7]);
}

#[test]
fn a_host_that_drains_and_never_confirms_gets_no_more_than_there_is_room_for() {
    let engine = engine(&json!({ "level": "all" }), small(5));
    for millis in 0..1_000 {
        let _ = decide(&engine, "ann", "order:read", millis);
        let batch = engine.drain_audit(usize::MAX, at(millis));
        // Five entries, and a checkpoint, which is asked for each time, behind each of them at the most.
        assert!(batch.lines.len() <= 10, "{}", batch.lines.len());
        assert!(engine.audit_counters().kept <= 5);
        let _ = engine.checkpoint(at(millis));
    }
    let records = drained(&engine, 1_000);
    let gaps: Vec<_> = records.iter().filter(|record| record.kind.code() == "gap").collect();
    let of_gaps: u64 = gaps.iter().map(|gap| gap.body["allows"].as_u64().unwrap()).sum();
    let decisions = records.iter().filter(|record| record.kind.code() == "decision").count() as u64;
    assert_eq!(decisions + of_gaps, 1_000);
}

#[test]
fn a_chain_goes_on_behind_the_head_that_the_host_has() {
    let first = engine(&json!({ "level": "all" }), Config::default());
    let _ = decide(&first, "ann", "order:read", 1);
    let head = first.checkpoint(at(2));
    let written = first.drain_audit(10, at(2));
    assert_eq!(head.count, 3);
    let last = first.audit_counters().head;
    assert_eq!((written.last_seq, last.count), (4, 4));
    let mut config = Config::default();
    config.audit_head = last;
    let second = engine(&json!({ "level": "all" }), config);
    let mut verifier = Verifier::behind(Head::default()).through(head);
    let lines = written.lines.into_iter().chain(second.drain_audit(10, at(3)).lines);
    lines.for_each(|line| assert!(verifier.push(line.as_bytes()).is_ok()));
    assert_eq!(verifier.finish().unwrap().count, 6);
}

#[test]
fn a_thousand_records_have_a_checkpoint_among_them() {
    let engine = engine(&json!({ "level": "all" }), Config::default());
    (0..2_100).for_each(|millis| assert!(decide(&engine, "ann", "order:read", millis) == Reason::AllowedByRule));
    let records = drained(&engine, 3_000);
    let checkpoints: Vec<u64> =
        records.iter().filter(|record| record.kind.code() == "checkpoint").map(|record| record.seq).collect();
    assert_eq!(checkpoints, [1_001, 2_002]);
}

#[test]
fn a_pack_that_redacts_what_is_not_there_is_refused() {
    let code = |audit: Value| {
        let found = Bundle::from_document(&pack(&audit), &Trust::unsigned_for_development(), &Limits::DEFAULT);
        found.unwrap_err().diagnostics()[0].code.as_str()
    };
    assert_eq!(code(json!({ "level": "all", "redact": ["subject.emial"] })), "unknown_attribute");
    assert_eq!(code(json!({ "level": "all", "redact": ["email"] })), "invalid_value");
    assert_eq!(code(json!({ "level": "all", "sample": 0.5 })), "invalid_value");
    assert_eq!(code(json!({ "level": "sampled", "sample": 0.0 })), "invalid_value");
    assert_eq!(code(json!({ "level": "some" })), "invalid_value");
    assert_eq!(code(json!({ "redact": [] })), "missing_field");
}
