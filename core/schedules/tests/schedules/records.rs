//! What several threads record at once: each decision once, in one chain, and no allow without the record that it demands.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use fallgate::audit::chain::Head;
use fallgate::audit::verify::{Record, Verifier};
use fallgate::{Decision, Reason};

use super::*;

fn recorded(action: &Value) -> Bundle {
    bundle(&json!({
        "fallgate": 1, "name": "books", "revision": 1, "actions": {"read": action}, "audit": {"level": "all"},
        "rules": [{"id": "all", "effect": "allow"}],
    }))
}

/// Drains so many records, and confirms them; they go to the others in the order of the chain.
fn write(engine: &Engine, max: usize, written: &Mutex<BTreeMap<u64, String>>) -> bool {
    let batch = engine.drain_audit(max, START);
    let first = batch.last_seq + 1 - batch.lines.len() as u64;
    let some = !batch.lines.is_empty();
    for (number, line) in (first..).zip(batch.lines) {
        // Two that drain at once may be given the same record: it has to be the same bytes.
        let before = written.lock().unwrap().insert(number, line.clone());
        assert!(before.is_none_or(|before| before == line), "two records have the number {number}");
    }
    engine.acknowledge_audit(batch.last_seq, START);
    some
}

/// The records of the whole chain, which has to be one.
fn chain(engine: &Engine, written: Mutex<BTreeMap<u64, String>>) -> Vec<Record> {
    while write(engine, 100, &written) {}
    let mut verifier = Verifier::behind(Head::default());
    let lines = written.into_inner().unwrap();
    assert!(lines.keys().copied().eq(1..=lines.len() as u64), "a number is missing: {:?}", lines.keys());
    lines.values().map(|line| verifier.push(line.as_bytes()).unwrap()).collect()
}

/// The subjects of the decisions in a chain, in its order.
fn subjects(records: &[Record]) -> Vec<String> {
    let decisions = records.iter().filter(|record| record.kind.code() == "decision");
    decisions.map(|record| record.body["request"]["subject"]["id"].as_str().unwrap().to_owned()).collect()
}

/// How many records a chain says are missing.
fn missing(records: &[Record]) -> u64 {
    let gaps = records.iter().filter(|record| record.kind.code() == "gap");
    gaps.map(|gap| ["allows", "denies", "events"].map(|kind| gap.body[kind].as_u64().unwrap()).iter().sum::<u64>())
        .sum()
}

#[test]
fn each_decision_is_recorded_once_in_one_chain() {
    let pack = recorded(&json!({}));
    in_many_orders(move || {
        let engine = engine_of(&pack, small());
        let written = Mutex::default();
        let asks = |who: [&str; 2]| {
            for who in who {
                assert!(engine.decide_json(&request(who, "read"), START).is_allow());
            }
        };
        let drains = || {
            write(&engine, 2, &written);
            write(&engine, 2, &written);
        };
        beside_one_another(vec![
            Box::new(|| asks(["a1", "a2"])),
            Box::new(|| asks(["b1", "b2"])),
            Box::new(drains),
            Box::new(drains),
        ]);
        let mut subjects = subjects(&chain(&engine, written));
        // What one thread did after another stands behind it.
        let place = |who: &str| subjects.iter().position(|subject| subject == who);
        assert!(place("a1") < place("a2") && place("b1") < place("b2"), "{subjects:?}");
        subjects.sort_unstable();
        assert_eq!(subjects, ["a1", "a2", "b1", "b2"]);
    });
}

/// With room for little, and with somebody who makes room: an allow has its record, and what has none is counted.
#[test]
fn no_allow_goes_without_the_record_that_it_demands() {
    let pack = recorded(&json!({"audit": "required"}));
    let (allowed_ever, refused_ever) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (allowed, refused) = (Arc::clone(&allowed_ever), Arc::clone(&refused_ever));
    in_many_orders(move || {
        let mut config = small();
        // The two events of the activation, two decisions, and the place that is left for a gap.
        config.limits.audit_entries_max = 5;
        let engine = engine_of(&pack, config);
        let (written, answers) = (Mutex::default(), Mutex::new(Vec::<(String, Decision)>::new()));
        let asks = |who: [&str; 2]| {
            for who in who {
                let decision = engine.decide_json(&request(who, "read"), START);
                answers.lock().unwrap().push((who.to_owned(), decision));
            }
        };
        beside_one_another(vec![
            Box::new(|| asks(["a1", "a2"])),
            Box::new(|| asks(["b1", "b2"])),
            Box::new(|| {
                write(&engine, 2, &written);
            }),
        ]);
        let records = chain(&engine, written);
        let subjects = subjects(&records);
        let answers = answers.into_inner().unwrap();
        for (who, decision) in &answers {
            if decision.is_allow() {
                assert_eq!(subjects.iter().filter(|subject| *subject == who).count(), 1, "{who} has no record");
            } else {
                assert_eq!(decision.reason(), Reason::AuditUnavailable, "{who}");
            }
        }
        let count = answers.iter().filter(|(_, decision)| decision.is_allow()).count();
        allowed.fetch_add(count, Ordering::Relaxed);
        refused.fetch_add(answers.len() - count, Ordering::Relaxed);
        let counters = engine.audit_counters();
        assert_eq!(counters.unrecorded, missing(&records), "the gaps do not say what is missing");
    });
    let [allowed, refused] = [allowed_ever, refused_ever].map(|count| count.load(Ordering::Relaxed));
    println!("{allowed} allowed, {refused} refused");
    assert!(allowed > 0 && refused > 0, "nothing was shown");
}
