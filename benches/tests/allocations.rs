//! Shows that a native decision allocates nothing, cached or not, by counting every allocation of the thread.
//!
//! It needs an allocator of its own, and so lives outside the core.

use std::hint::black_box;

use fallgate::{Engine, Request};
use fallgate_benches::counting::{Counting, allocations};
use fallgate_benches::engine::{NOW, drain, engine, prepared};
use fallgate_benches::floors::bytes;
use fallgate_benches::{admission, many_rules, roles};
use serde_json::Value;

#[global_allocator]
static COUNTING: Counting = Counting;

/// Decides on each request; each decision must allocate nothing, and allows and denies must both occur.
fn check(workload: &str, engine: &Engine, requests: &[Request], cached: bool) {
    let mut allowed = 0;
    for (at, request) in requests.iter().enumerate() {
        let mut decision = None;
        let count = allocations(|| decision = Some(engine.decide(black_box(request), NOW)));
        let decision = decision.unwrap();
        let reason = decision.reason();
        assert_eq!(decision.cached(), cached, "{workload}: request {at}, {reason:?}");
        assert!(decision.obligations().is_empty());
        allowed += usize::from(decision.is_allow());
        let count = count + allocations(|| drop(decision));
        assert_eq!(count, 0, "{workload}: request {at}, {reason:?}: allocations");
    }
    assert!(allowed > 0 && allowed < requests.len(), "{workload}: {allowed} allowed");
}

/// The first decision of a thread may set up what the snapshot's reader keeps for it.
fn warm(engine: &Engine, request: &Request) {
    let _decision = engine.decide(request, NOW);
}

fn uncached(workload: &str, document: &Value, bytes: &[Vec<u8>]) {
    let (engine, requests) = (engine(document).unwrap(), prepared(bytes).unwrap());
    warm(&engine, &requests[0]);
    check(workload, &engine, &requests, false);
}

fn cached(workload: &str, document: &Value, bytes: &[Vec<u8>]) {
    let (engine, requests) = (engine(document).unwrap(), prepared(bytes).unwrap());
    requests.iter().for_each(|request| warm(&engine, request));
    check(workload, &engine, &requests, true);
}

fn roles_bytes(kind: roles::Kind) -> Vec<Vec<u8>> {
    bytes(&roles::Request::seeded(), |request| request.to_json(kind))
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(black_box(Box::new(7)))), 1);
    assert_eq!(allocations(|| drop(black_box(vec![0_u8; 64]))), 1);
    assert_eq!(allocations(|| ()), 0);
}

#[test]
fn roles_allocate_nothing() {
    let (kind, grants) = (roles::Kind::Roles, roles::Grants::seeded());
    uncached("W1", &roles::document(kind, &grants, false), &roles_bytes(kind));
    cached("W1 cached", &roles::document(kind, &grants, true), &roles_bytes(kind));
}

#[test]
fn attributes_allocate_nothing() {
    let (kind, grants) = (roles::Kind::Attributes, roles::Grants::seeded());
    uncached("W2", &roles::document(kind, &grants, false), &roles_bytes(kind));
    cached("W2 cached", &roles::document(kind, &grants, true), &roles_bytes(kind));
}

/// A host that has drained once records into the memory of what it drained.
#[test]
fn a_record_allocates_nothing() {
    let kind = roles::Kind::Attributes;
    let mut document = roles::document(kind, &roles::Grants::seeded(), false);
    document["audit"] = serde_json::json!({ "level": "all" });
    let (engine, requests) = (engine(&document).unwrap(), prepared(&roles_bytes(kind)).unwrap());
    requests.iter().for_each(|request| warm(&engine, request));
    drain(&engine);
    let before = engine.audit_counters().recorded;
    check("W2 with audit", &engine, &requests, false);
    assert_eq!(engine.audit_counters().recorded - before, requests.len() as u64);
}

#[test]
fn many_rules_allocate_nothing() {
    let rules = many_rules::Rule::seeded(1_000);
    let requests = bytes(&many_rules::Request::seeded(1_000), many_rules::Request::to_json);
    uncached("W3", &many_rules::document(&rules, false), &requests);
    cached("W3 cached", &many_rules::document(&rules, true), &requests);
}

#[test]
fn an_admission_review_allocates_nothing() {
    uncached("W4", &admission::document(), &bytes(&admission::requests(), Clone::clone));
}

/// A request as services send it is read where it stands: what it holds finds room on the stack.
#[test]
fn small_requests_as_bytes_allocate_nothing() {
    let rules = many_rules::Rule::seeded(1_000);
    let grants = roles::Grants::seeded();
    let (w1, w2) = (roles::Kind::Roles, roles::Kind::Attributes);
    let workloads = [
        ("W1", roles::document(w1, &grants, false), roles_bytes(w1)),
        ("W2", roles::document(w2, &grants, false), roles_bytes(w2)),
        (
            "W3",
            many_rules::document(&rules, false),
            bytes(&many_rules::Request::seeded(1_000), many_rules::Request::to_json),
        ),
    ];
    for (workload, document, requests) in workloads {
        let engine = engine(&document).unwrap();
        let _warm = engine.decide_json(&requests[0], NOW);
        let mut allowed = 0;
        for (at, request) in requests.iter().enumerate() {
            let count = allocations(|| allowed += usize::from(engine.decide_json(black_box(request), NOW).is_allow()));
            assert_eq!(count, 0, "{workload}: request {at}: allocations");
        }
        assert!(allowed > 0 && allowed < requests.len(), "{workload}: {allowed} allowed");
    }
}

/// Under a posture of a scope, with a condition of its own, and past a scope that nobody has heard of.
#[test]
fn postures_allocate_nothing() {
    let document = serde_json::json!({
        "fallgate": 1, "name": "postures", "revision": 1,
        "schema": { "subject": { "user": { "level": "int" } }, "resource": { "thing": { "tenant": "string" } } },
        "actions": { "read": { "class": "read" }, "write": { "class": "write" } },
        "scopes": { "tenant": "resource.tenant" },
        "postures": [
            { "name": "read-only", "rank": 1, "permits": { "classes": ["read"], "when": "subject.level > 1" }, "leave": {} },
        ],
        "rules": [{ "id": "all", "effect": "allow" }],
    });
    let request = |action: &str, tenant: &str, level: i64| {
        let request = serde_json::json!({
            "subject": { "type": "user", "id": "ann", "properties": { "level": level } }, "action": { "name": action },
            "resource": { "type": "thing", "id": "t", "properties": { "tenant": tenant } },
        });
        request.to_string().into_bytes()
    };
    let bytes = [
        request("read", "acme", 2),
        request("read", "acme", 1),
        request("write", "acme", 2),
        request("write", "beta", 1),
        request("write", &"x".repeat(256), 1),
    ];
    let (engine, requests) = (engine(&document).unwrap(), prepared(&bytes).unwrap());
    engine.enter_posture("read-only", Some("tenant:acme"), NOW).unwrap();
    warm(&engine, &requests[0]);
    check("postures", &engine, &requests, false);
    let reasons: Vec<_> = requests.iter().map(|request| engine.decide(request, NOW).reason().code()).collect();
    assert_eq!(reasons, ["allowed_by_rule", "posture", "posture", "allowed_by_rule", "allowed_by_rule"]);
}
