//! A sequence of operations: an engine with a cache allows nothing that one without a cache, told the same, denies.
//!
//! This is what "a cached decision never outlives a fact that it rests on" comes to. The one allow that rests on an
//! earlier decision by declaration, `allowed_stale`, is held against that earlier allow instead.
#![no_main]

use std::collections::BTreeMap;

use fallgate::condition::Status;
use fallgate::{Config, Engine, Observation, Reason};
use fallgate_fuzz::bound::within;
use fallgate_fuzz::{at, bundle};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

const SIGNALS: [&str; 4] = ["idp", "a", "b", "store"];
const STATUSES: [Status; 4] = [Status::Ok, Status::Failed, Status::Degraded, Status::Unknown];
const ACTIONS: [&str; 6] = ["plain", "guarded", "stale", "small", "open", "unheard-of"];
/// How long an allow may be served stale, by the pack, in milliseconds.
const STALE_MAX_MS: u64 = 20_000;

/// What the policy could have read for the request: roles for `small` alone. Two that differ in nothing else are one question
/// (spec 1.7), of which one may be served the other's earlier allow.
fn question(what: u8) -> (u8, u8, Option<bool>, bool) {
    (what % 6, what >> 6, (what & 16 != 0).then_some(what & 32 != 0), what % 6 == 3 && what & 8 != 0)
}

fn request(what: u8) -> Vec<u8> {
    let action = usize::from(what % 6);
    let mut properties = json!({ "level": i64::from(what >> 6) * 50, "roles": if what & 8 == 0 { json!([]) } else { json!(["admin"]) } });
    if what & 16 != 0 {
        properties["flag"] = json!(what & 32 != 0);
    }
    let document = json!({
        "subject": { "type": "user", "id": "u", "properties": properties },
        "action": { "name": ACTIONS[action] },
        "resource": { "type": "doc", "id": "d", "properties": { "level": 50 } },
    });
    document.to_string().into_bytes()
}

fn check(bytes: &[u8]) {
    let mut plain = Config::default();
    plain.limits.cache_entries_max = 0;
    let (caching, plain) = (Engine::new(Config::default()), Engine::new(plain));
    let bundle = bundle();
    for engine in [&caching, &plain] {
        assert_eq!(engine.activate(bundle.clone(), at(0)), Ok(()));
    }
    let (mut ms, mut last): (u64, u8) = (0, 0);
    let mut allowed_at = BTreeMap::new();
    for operation in bytes.chunks_exact(2).take(500) {
        let what = operation[1];
        match operation[0] % 4 {
            // Half of them moments, so that much happens within the life of an answer; any span; or whole half seconds,
            // the ends that the policy names.
            0 => {
                ms += match what {
                    0..128 => u64::from(what),
                    128..192 => u64::from(what) * 37,
                    _ => u64::from(what - 191) * 500,
                }
            }
            1 => {
                let observation = Observation::new(SIGNALS[usize::from(what % 4)], STATUSES[usize::from(what / 4 % 4)]);
                assert_eq!(caching.observe(&observation, at(ms)), plain.observe(&observation, at(ms)));
            }
            2 if what < 64 => {
                caching.advance(at(ms));
                plain.advance(at(ms));
            }
            kind => {
                // The last question once more, or another one.
                let what = if kind == 2 { last } else { what };
                last = what;
                let (question, request) = (question(what), request(what));
                let (with, without) = (caching.decide_json(&request, at(ms)), plain.decide_json(&request, at(ms)));
                let shown = String::from_utf8_lossy(&request);
                if with.reason() == Reason::AllowedStale {
                    let earlier = allowed_at.get(&question).copied();
                    assert!(
                        earlier.is_some_and(|then| ms - then <= STALE_MAX_MS),
                        "{shown} at {ms}, allowed {earlier:?}"
                    );
                } else {
                    assert_eq!(with.reason(), without.reason(), "{shown} at {ms}, cached: {}", with.cached());
                    assert_eq!(with.rule(), without.rule(), "{shown} at {ms}, cached: {}", with.cached());
                }
                if with.reason() == Reason::AllowedByRule {
                    let computed = if with.cached() { allowed_at.get(&question).copied().unwrap_or(0) } else { ms };
                    allowed_at.insert(question, computed);
                }
            }
        }
    }
}

fuzz_target!(|bytes: &[u8]| within(100, || check(bytes)));
