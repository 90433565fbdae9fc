//! Readers and writers on real threads: one decision sees one bundle, and a swap makes nobody wait.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::time::{Monotonic, Now, Ttl, Wall};
use fallgate::{Config, Engine, Observation, Reason};
use serde_json::json;

const NOW: Now = Now::new(Monotonic::ZERO, Wall::from_millis(0));

/// A bundle whose revision and rule's name move together, so that a decision that mixes two bundles shows.
fn bundle(revision: u64) -> Bundle {
    let document = json!({
        "fallgate": 1, "name": "test", "revision": revision,
        "signals": {"idp": {"ttl": "10s"}},
        "actions": {
            "read": {"cache": {"allow": "1m", "deny": "1m"}},
            "write": {"requires": ["idp"], "cache": {"allow": "1m"}},
        },
        "rules": [{"id": format!("all-{revision}"), "effect": "allow"}],
    });
    Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
}

fn request(action: &str) -> Vec<u8> {
    request_of("ann", action)
}

fn request_of(who: &str, action: &str) -> Vec<u8> {
    let request = json!({
        "subject": {"type": "user", "id": who}, "action": {"name": action}, "resource": {"type": "doc", "id": "d"},
    });
    request.to_string().into_bytes()
}

#[test]
fn a_decision_is_of_one_bundle_while_bundles_are_swapped() {
    let engine = Engine::new(Config::default());
    engine.activate(bundle(1), NOW).unwrap();
    let (done, decided) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let decision = engine.decide_json(&request("read"), NOW);
                    assert_eq!(decision.rule(), Some(format!("all-{}", decision.revision()).as_str()));
                    decided.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for revision in 2..200 {
            engine.activate(bundle(revision), NOW).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(decided.into_inner() > 0);
}

/// What a call that returned has told the engine holds for every decision that starts afterwards, on every thread.
#[test]
fn a_failure_that_was_reported_is_seen_by_all() {
    let engine = Engine::new(Config::default());
    engine.activate(bundle(1), NOW).unwrap();
    engine.observe(&Observation::ok("idp"), NOW);
    let (failed, done) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    let known = failed.load(Ordering::Acquire);
                    let reason = engine.decide_json(&request("write"), NOW).reason();
                    assert!(!known || reason == Reason::SignalUnavailable, "{reason:?}");
                }
            });
        }
        std::thread::yield_now();
        let later = Now::new(Monotonic::ZERO, Wall::from_millis(0));
        engine.observe(&Observation::failed("idp"), later);
        failed.store(true, Ordering::Release);
        for _ in 0..1_000 {
            std::thread::yield_now();
        }
        done.store(true, Ordering::Release);
    });
}

/// Sixty-four threads are answered from a cache that is full, while what it holds of one of them is revoked again and again.
#[test]
fn no_thread_is_answered_with_what_a_revocation_that_returned_has_ended() {
    const KEPT_MAX: usize = 64;
    const ROUNDS: u64 = 10;
    let at = |millis: u64| NOW.after(Ttl::from_millis(millis));
    let mut config = Config::default();
    config.limits.cache_entries_max = KEPT_MAX;
    let engine = Engine::new(config);
    let document = json!({
        "fallgate": 1, "name": "test", "revision": 1,
        "actions": {"read": {"cache": {"allow": "1m"}}},
        "rules": [{"id": "known", "effect": "allow", "when": "subject.id != 'nobody'"}],
    });
    let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    engine.activate(bundle, NOW).unwrap();
    let (revoked, decided, cached, done) =
        (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for thread in 0..64_u64 {
            let (engine, revoked, decided, cached, done) = (&engine, &revoked, &decided, &cached, &done);
            scope.spawn(move || {
                let ann = request("read");
                let others: Vec<_> =
                    (0..8).map(|other| request_of(&format!("{}", (thread + other) % 200), "read")).collect();
                while !done.load(Ordering::Acquire) {
                    let known = revoked.load(Ordering::Acquire);
                    let decision = engine.decide_json(&ann, at(known + 1));
                    assert_eq!(decision.reason(), Reason::AllowedByRule);
                    // What was decided before it could be kept for a minute from then.
                    assert!(decision.expires_at() >= at(known + 60_000).monotonic, "{known}: {decision:?}");
                    for other in &others {
                        assert!(engine.decide_json(other, at(known + 1)).is_allow());
                    }
                    cached.fetch_add(u64::from(decision.cached()), Ordering::Relaxed);
                    decided.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for round in 1..=ROUNDS {
            let before = decided.load(Ordering::Relaxed);
            while decided.load(Ordering::Relaxed) < before + 32 {
                std::thread::yield_now();
            }
            let now = at(round * 10);
            engine.revoke("user", "ann", now.monotonic, now);
            revoked.store(round * 10, Ordering::Release);
            assert!(engine.counters().cached_decisions <= KEPT_MAX as u64);
        }
        done.store(true, Ordering::Release);
    });
    assert!(cached.into_inner() > 0, "nobody was answered from the cache");
}

/// What several threads record at once stands in the chain, each decision once.
#[test]
fn what_many_threads_record_is_all_there() {
    let engine = Engine::new(Config::default());
    let document = json!({
        "fallgate": 1, "name": "test", "revision": 1, "actions": {"read": {}}, "audit": {"level": "all"},
        "rules": [{"id": "all", "effect": "allow", "obligations": [{"id": "log", "type": "log", "properties": {}}]}],
    });
    let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    engine.activate(bundle, NOW).unwrap();
    let mut lines = Vec::new();
    let mut drain = || {
        let batch = engine.drain_audit(33, NOW);
        engine.acknowledge_audit(batch.last_seq, NOW);
        let some = !batch.lines.is_empty();
        lines.extend(batch.lines);
        some
    };
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let engine = &engine;
            scope.spawn(move || {
                for number in 0..250 {
                    let _ = engine.decide_json(&request_of(&format!("{thread}-{number}"), "read"), NOW);
                }
            });
        }
        (0..20).for_each(|_| {
            drain();
        });
    });
    while drain() {}
    let mut verifier = fallgate::audit::verify::Verifier::behind(fallgate::audit::chain::Head::default());
    let records = lines.iter().map(|line| verifier.push(line.as_bytes()).unwrap());
    let decisions = records.filter(|record| record.kind.code() == "decision");
    let mut who: Vec<String> = decisions
        .map(|record| {
            assert_eq!(record.body["decision"]["context"]["obligations"][0]["id"], "log");
            record.body["request"]["subject"]["id"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(who.len(), 2_000);
    who.sort_unstable();
    who.dedup();
    assert_eq!(who.len(), 2_000);
}
