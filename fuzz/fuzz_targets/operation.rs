//! Bytes as an operation: never a panic; what is refused changes no decision, and what only tightens lifts no deny.
#![no_main]

use std::sync::LazyLock;

use fallgate::operation::Operation;
use fallgate::policy::bundle::Bundle;
use fallgate::state::document::StateKey;
use fallgate::time::Now;
use fallgate::{Config, Decision, Engine, Observation};
use fallgate_fuzz::bound::within;
use fallgate_fuzz::people::public;
use fallgate_fuzz::{at, bundle_of, low_limits};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

static BUNDLE: LazyLock<Bundle> = LazyLock::new(|| {
    bundle_of(&json!({
        "fallgate": 1, "name": "operation", "revision": 1,
        "schema": { "resource": { "doc": { "tenant": "string" } } },
        "scopes": { "tenant": "resource.tenant" },
        "signals": {
            "idp": { "ttl": "1h" },
            "dial": { "breaker": { "window": 4, "failure_rate": 0.5, "open_for": "30s", "half_open_probes": 1 } },
        },
        "actions": { "read": { "class": "read", "requires": ["idp"], "cache": { "allow": "1h" } }, "dial": { "requires": ["dial"] }, "free": {} },
        "postures": [
            { "name": "read-only", "rank": 1, "permits": { "classes": ["read"] }, "leave": { "dwell": "1s" } },
            { "name": "shut", "rank": 5, "permits": "none", "leave": { "approvals": { "need": 1, "from": "sre" } } },
        ],
        "approvers": { "sre": { "ann": public("ann"), "bob": public("bob") } },
        "flags": { "stop": { "posture": "read-only", "owner": "sre", "max_age": "1h" } },
        "overrides": { "need": 1, "from": "sre", "max_window": "1h", "max_uses": 5 },
        "audit": { "level": "all" },
        "rules": [{ "id": "all", "effect": "allow" }, { "id": "not-u2", "effect": "deny", "action": "free", "subject": { "id": "u2" } }],
    }))
});

static QUESTIONS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let subjects = ["u1", "u2"].iter().flat_map(|id| ["read", "dial", "free"].map(|action| (*id, action)));
    let all = subjects.flat_map(|(id, action)| ["x", "y"].map(|tenant| (id, action, tenant)));
    let question = |(id, action, tenant): (&str, &str, &str)| {
        json!({
            "subject": { "type": "user", "id": id }, "action": { "name": action },
            "resource": { "type": "doc", "id": "d", "properties": { "tenant": tenant } },
        })
    };
    all.map(|asked| question(asked).to_string().into_bytes()).collect()
});

fn answers(engine: &Engine, now: Now) -> Vec<Decision> {
    QUESTIONS.iter().map(|question| engine.decide_json(question, now)).collect()
}

fn check(bytes: &[u8]) {
    let limits = low_limits();
    let read = Operation::from_json(bytes, &limits);
    if let Ok(operation) = &read {
        let again = Operation::from_json(operation.to_json().to_string().as_bytes(), &limits);
        assert_eq!(again.as_ref(), Ok(operation), "it does not read back as it was");
    }
    let mut config = Config::default();
    config.limits = limits;
    config.state_key = StateKey::new([9; 32]);
    let engine = Engine::new(config);
    assert_eq!(engine.activate(BUNDLE.clone(), at(1_000)), Ok(()));
    engine.observe(&Observation::ok("idp"), at(1_000));
    let now = at(2_000);
    let before = answers(&engine, now);
    let done = engine.operate_json(bytes, now);
    let after = answers(&engine, now);
    let restores = bytes.windows(13).any(|window| window == b"restore_state");
    for (before, after) in before.iter().zip(&after) {
        let refused = done.is_err() && !restores;
        assert!(!refused || before.reason() == after.reason(), "{done:?}: {before:?}, {after:?}");
        // Nobody who signs nothing gets anything here that was denied: no posture is entered, no signal has failed.
        assert!(before.is_allow() || !after.is_allow(), "{done:?}: {before:?}, {after:?}");
    }
}

fuzz_target!(|bytes: &[u8]| within(50, || check(bytes)));
