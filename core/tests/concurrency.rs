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
use fallgate::time::{Monotonic, Now, Wall};
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
    let request = json!({
        "subject": {"type": "user", "id": "ann"}, "action": {"name": action}, "resource": {"type": "doc", "id": "d"},
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
