//! Shows that a decision on arrays allocates nothing, cached or not, by counting every allocation of the thread.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::ffi::c_char;
use std::mem::zeroed;
use std::ptr;

use fallgate_benches::counting::{Counting, allocations};
use fallgate_c::*;

#[global_allocator]
static COUNTING: Counting = Counting;

const PACK: &str = r#"{
    "fallgate": 1, "name": "shop", "revision": 1,
    "schema": {"subject": {"user": {"roles": ["string"], "level": "int", "home": {"type": "any", "optional": true}}}},
    "actions": {"kept": {"cache": {"allow": "1m", "deny": "1m"}}, "fresh": {}, "plain": {}},
    "rules": [{"id": "plain", "effect": "allow", "action": "plain", "when": "subject.level >= 3 && 'agent' in subject.roles"},
              {"id": "seniors", "effect": "allow", "action": ["kept", "fresh"], "when": "subject.level >= 3 && 'agent' in subject.roles",
               "obligations": [{"id": "log", "type": "audit", "properties": {"to": "file"}}]}]
}"#;

fn text(text: &'static str) -> fallgate_str {
    fallgate_str { data: text.as_ptr().cast::<c_char>(), length: text.len() }
}

fn attribute(name: &'static str, kind: fallgate_value_kind, of: fallgate_value_data) -> fallgate_attribute {
    fallgate_attribute { name: text(name), value: fallgate_value { kind: kind as u32, of } }
}

/// An engine with the pack, particulars, and the moment of every decision.
struct Fixture {
    engine: *mut fallgate_engine,
    details: *mut fallgate_details,
    now: fallgate_now,
}

impl Fixture {
    fn new() -> Self {
        let (mut engine, mut details) = (ptr::null_mut(), ptr::null_mut());
        let now = fallgate_now { monotonic_ns: 1_000_000, wall_ns: 1_767_225_600_000_000_000 };
        // SAFETY: every pointer is to a variable or a literal, with its length.
        unsafe {
            let none = ptr::null_mut();
            assert_eq!(
                fallgate_engine_new(FALLGATE_ABI_VERSION, ptr::null(), &raw mut engine, none),
                fallgate_status::FALLGATE_STATUS_OK
            );
            assert_eq!(fallgate_details_new(&raw mut details, none), fallgate_status::FALLGATE_STATUS_OK);
            let (pack, trust) = (PACK.as_ptr().cast(), FALLGATE_TRUST_UNSIGNED_FOR_DEVELOPMENT);
            let status = fallgate_engine_activate_document(engine, pack, PACK.len(), trust, &raw const now, none);
            assert_eq!(status, fallgate_status::FALLGATE_STATUS_OK);
        }
        Self { engine, details, now }
    }

    /// The decision, and what it cost in allocations.
    fn decide(&self, action: &'static str, level: i64, details: *mut fallgate_details) -> (fallgate_decision, usize) {
        use fallgate_value_kind as kind;
        let role =
            fallgate_value { kind: kind::FALLGATE_VALUE_TEXT as u32, of: fallgate_value_data { text: text("agent") } };
        let roles = fallgate_list { items: &raw const role, count: 1 };
        let street = attribute("street", kind::FALLGATE_VALUE_TEXT, fallgate_value_data { text: text("Main St") });
        let home = fallgate_map { entries: &raw const street, count: 1 };
        let attributes = [
            attribute("roles", kind::FALLGATE_VALUE_LIST, fallgate_value_data { list: roles }),
            attribute("level", kind::FALLGATE_VALUE_INT, fallgate_value_data { integer: level }),
            attribute("home", kind::FALLGATE_VALUE_MAP, fallgate_value_data { map: home }),
        ];
        // SAFETY: zero is a value of every field: no text, no attributes.
        let mut request: fallgate_request = unsafe { zeroed() };
        (request.subject.party_type, request.subject.id) = (text("user"), text("ann"));
        request.subject.properties = fallgate_attributes { entries: attributes.as_ptr(), count: attributes.len() };
        request.action.name = text(action);
        (request.resource.party_type, request.resource.id) = (text("doc"), text("1"));
        // SAFETY: as above.
        let mut decision: fallgate_decision = unsafe { zeroed() };
        let count = allocations(|| {
            // SAFETY: every pointer is to a variable that outlives the call.
            let effect = unsafe {
                fallgate_engine_decide(self.engine, &raw const request, &raw const self.now, &raw mut decision, details)
            };
            assert_eq!(effect, decision.effect);
        });
        (decision, count)
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // SAFETY: the handles are this fixture's.
        unsafe {
            fallgate_details_free(&raw mut self.details);
            fallgate_engine_free(&raw mut self.engine);
        }
    }
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(7)))), 1);
    let fixture = Fixture::new();
    let (first, count) = fixture.decide("kept", 3, ptr::null_mut());
    assert!(!first.cached && count > 0, "the first answer is put into the cache: {count}");
}

#[test]
fn an_answer_from_the_cache_allocates_nothing() {
    let fixture = Fixture::new();
    for (level, effect) in [(3, fallgate_effect::FALLGATE_EFFECT_ALLOW), (2, fallgate_effect::FALLGATE_EFFECT_DENY)] {
        let (first, _) = fixture.decide("kept", level, fixture.details);
        assert_eq!((first.effect, first.cached), (effect, false));
        for details in [ptr::null_mut(), fixture.details] {
            let (decision, count) = fixture.decide("kept", level, details);
            assert_eq!((decision.effect, decision.cached), (effect, true));
            assert_eq!(decision.obligations, u32::from(level == 3));
            assert_eq!(count, 0, "level {level}, details {}", !details.is_null());
        }
    }
}

#[test]
fn an_answer_by_rules_allocates_nothing_without_obligations() {
    let fixture = Fixture::new();
    let _first = fixture.decide("fresh", 2, ptr::null_mut());
    for (action, level, effect, reason) in [
        ("fresh", 2, fallgate_effect::FALLGATE_EFFECT_DENY, fallgate_reason::FALLGATE_REASON_NO_MATCHING_RULE),
        ("plain", 2, fallgate_effect::FALLGATE_EFFECT_DENY, fallgate_reason::FALLGATE_REASON_NO_MATCHING_RULE),
        ("plain", 3, fallgate_effect::FALLGATE_EFFECT_ALLOW, fallgate_reason::FALLGATE_REASON_ALLOWED_BY_RULE),
    ] {
        for details in [ptr::null_mut(), fixture.details] {
            let (decision, count) = fixture.decide(action, level, details);
            assert!(!decision.cached);
            assert_eq!((decision.effect, decision.reason, decision.obligations), (effect, reason, 0));
            assert_eq!(count, 0, "{action}, level {level}, details {}", !details.is_null());
        }
    }
}
