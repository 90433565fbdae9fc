//! What the fuzz targets share: an engine with a policy that has something of everything, and its time; bytes as programs,
//! changes to documents, and a bound on what an input may cost.

pub mod bound;
pub mod change;
pub mod people;
pub mod program;

use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::time::{Monotonic, Now, Wall};
use serde_json::json;

/// The start of every run: 2026-01-01T00:00:00Z.
const START_MS: i64 = 1_767_225_600_000;

/// Both clocks, so many milliseconds after the start, as two clocks that agree show it.
pub fn at(ms: u64) -> Now {
    Now::new(Monotonic::from_millis(ms), Wall::from_millis(START_MS + i64::try_from(ms).unwrap_or(0)))
}

/// A policy with required and read signals, a quorum, recovery, caching, time conditions and each way to fail.
pub fn bundle() -> Bundle {
    let pack = json!({
        "fallgate": 1,
        "name": "fuzz",
        "revision": 1,
        "schema": {
            "subject": { "user": { "level": "int", "roles": ["string"], "flag": { "type": "bool", "optional": true } } },
            "resource": { "doc": { "level": "int" } },
        },
        "signals": {
            "idp": { "ttl": "3s", "recover": { "oks": 2 } },
            "a": { "ttl": "5s" },
            "b": { "ttl": "7s" },
            "store": { "ttl": "10s", "quorum": { "of": ["a", "b"], "need": 1 } },
        },
        "actions": {
            "plain": { "cache": { "allow": "4s", "deny": "2s" } },
            "guarded": { "requires": ["idp", "store"], "cache": { "allow": "30s", "deny": "30s" } },
            "stale": { "requires": ["idp"], "on_failure": { "serve_cached": { "max_stale": "20s" } }, "cache": { "allow": "2s" } },
            "small": { "requires": ["idp"], "on_failure": "minimal", "cache": { "allow": "30s" } },
            "open": {
                "requires": ["idp"],
                "on_failure": { "allow": { "justification": "the fuzzer wants to see it" } },
                "cache": { "allow": "30s" },
            },
        },
        "rules": [
            { "id": "level", "effect": "allow", "action": ["plain", "guarded", "stale", "small", "open"],
              "when": "subject.level >= resource.level" },
            { "id": "role", "effect": "allow", "action": "small", "minimal": true, "subject": { "roles": "admin" } },
            { "id": "store", "effect": "allow", "action": "plain", "when": "signals.store.ok && resource.level < 100" },
            { "id": "late", "effect": "allow", "action": "plain", "when": "now < timestamp('2026-01-01T00:00:09Z')" },
            { "id": "failed", "effect": "deny", "action": "open", "when": "signals.b.failed" },
            { "id": "flagged", "effect": "deny", "action": ["plain", "open", "stale"], "when": "subject.flag" },
            { "id": "overflow", "effect": "deny", "action": "guarded", "when": "subject.level + 1 < subject.level" },
        ],
    });
    bundle_of(&pack)
}

/// The bundle of a pack that a fuzz target has itself.
pub fn bundle_of(pack: &serde_json::Value) -> Bundle {
    match Bundle::from_document(pack, &Trust::unsigned_for_development(), &Limits::DEFAULT) {
        Ok(bundle) => bundle,
        Err(error) => panic!("the fuzzer's own pack: {:?}", error.diagnostics()),
    }
}

/// Limits that a fuzzer meets with small inputs, and that the shipped packs keep to.
pub fn low_limits() -> Limits {
    let mut limits = Limits::DEFAULT;
    limits.rules_max = 200;
    limits.actions_max = 100;
    limits.signals_max = 50;
    limits.slots_max = 200;
    limits.condition_bytes_max = 2_000;
    limits.condition_nodes_max = 1_000;
    limits.condition_depth_max = 20;
    limits.request_depth_max = 10;
    limits.request_values_max = 200;
    limits.id_bytes_max = 64;
    limits.rego_bytes_max = 32_000;
    limits.rego_steps_max = 20_000;
    limits.steps_max = 2_000;
    limits
}
