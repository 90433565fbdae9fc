//! Two requests, the second a change of the first: they have one key exactly where a policy reads the same of both, and an
//! answer that was kept for one is never given to the other where it would be another answer.
#![no_main]

use std::sync::LazyLock;

use fallgate::policy::action::ActionReads;
use fallgate::policy::bundle::Bundle;
use fallgate::request::{Request, RequestView};
use fallgate::state::cache_key::Key;
use fallgate::value::{Map, Value, View};
use fallgate::{Config, Engine};
use fallgate_fuzz::bound::within;
use fallgate_fuzz::change::change;
use fallgate_fuzz::program::Program;
use fallgate_fuzz::{at, bundle_of, low_limits};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value as Json, json};

/// A policy that keeps its answers for long, and reads values of any type whole and in parts.
static BUNDLE: LazyLock<Bundle> = LazyLock::new(|| {
    let lossy = "the attribute is of any type here";
    let any = json!({ "type": "any", "optional": true });
    bundle_of(&json!({
        "fallgate": 1, "name": "keys", "revision": 1,
        "schema": {
            "subject": { "user": { "a": any, "b": any, "c": any } },
            "resource": { "doc": { "a": any, "b": any } },
            "context": { "a": any, "b": any },
        },
        "actions": {
            "whole": { "cache": { "allow": "1h", "deny": "1h" } },
            "parts": { "cache": { "allow": "1h", "deny": "1h" } },
        },
        "rules": [
            { "id": "all", "effect": "allow" },
            { "id": "same", "effect": "deny", "action": "whole", "when": "subject.a == resource.a || subject.b == context.a", "accepts_information_loss": lossy },
            { "id": "texts", "effect": "deny", "action": "whole", "when": "type(subject.c) == string || type(context.b) == list", "accepts_information_loss": lossy },
            { "id": "sizes", "effect": "deny", "action": "parts", "when": "size(subject.a) > 1", "accepts_information_loss": lossy },
            { "id": "deep", "effect": "deny", "action": "parts", "when": "resource.b.exists(x, x.a == 'a')", "accepts_information_loss": lossy },
            { "id": "who", "effect": "deny", "action": "parts", "when": "subject.id == resource.id" },
        ],
    }))
});

/// Whether two values are one value, to the type and the bit: as the specification has it, and in no encoding.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::UInt(a), Value::UInt(b)) => a == b,
        (Value::Double(a), Value::Double(b)) => a.to_bits() == b.to_bits(),
        (Value::String(a), Value::String(b)) => a == b,
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Map(a), Value::Map(b)) => same_map(a, b),
        _ => false,
    }
}

fn same_map(one: &Map, other: &Map) -> bool {
    one.len() == other.len() && one.iter().zip(other.iter()).all(|((a, one), (b, other))| a == b && same(one, other))
}

fn same_whole(one: &Request, other: &Request) -> bool {
    let parties = [(&one.subject, &other.subject), (&one.resource, &other.resource)];
    parties.iter().all(|(a, b)| a.party_type == b.party_type && a.id == b.id && same_map(&a.properties, &b.properties))
        && same_map(&one.action.properties, &other.action.properties)
        && same_map(&one.context, &other.context)
}

fn key(reads: &ActionReads, slots: &[Option<View<'_>>], request: &Request) -> Vec<u8> {
    let of = |action: u32| {
        let mut key = Key::default();
        key.fill(action, reads, slots, &RequestView::from(request));
        key.bytes().to_vec()
    };
    assert_ne!(of(7), of(8), "two actions have one key");
    of(7)
}

/// What of a request stands in slots: every attribute that there is, and the same ones where there is none.
fn slots(request: &Request) -> Vec<Option<&Value>> {
    let names = ["a", "b", "c"];
    let maps = [&request.subject.properties, &request.resource.properties, &request.context];
    maps.iter().flat_map(|map| names.map(|name| map.get(name))).collect()
}

fn views<'v>(slots: &[Option<&'v Value>]) -> Vec<Option<View<'v>>> {
    slots.iter().map(|value| value.map(View::from)).collect()
}

fn check(one: &Request, other: &Request) {
    let whole = ActionReads { whole_request: true, ..ActionReads::default() };
    let is_same = key(&whole, &[], one) == key(&whole, &[], other);
    assert_eq!(is_same, same_whole(one, other), "{one:?}\n{other:?}");

    let parts = ActionReads { slots: (0..9).collect(), ..ActionReads::default() };
    let [ours, theirs] = [slots(one), slots(other)];
    let alike = ours.iter().zip(&theirs).all(|pair| match pair {
        (None, None) => true,
        (Some(a), Some(b)) => same(a, b),
        _ => false,
    });
    let is_same = key(&parts, &views(&ours), one) == key(&parts, &views(&theirs), other);
    assert_eq!(is_same, alike, "{one:?}\n{other:?}");

    let mut forgetful = Config::default();
    forgetful.limits.cache_entries_max = 0;
    let [keeps, forgets] = [Config::default(), forgetful].map(Engine::new);
    for engine in [&keeps, &forgets] {
        assert_eq!(engine.activate(BUNDLE.clone(), at(0)), Ok(()));
    }
    for action in ["whole", "parts"] {
        for request in [one, other, one] {
            let mut request = request.clone();
            request.action.name = action.into();
            let (kept, anew) = (keeps.decide(&request, at(1)), forgets.decide(&request, at(1)));
            assert_eq!(kept.reason(), anew.reason(), "{request:?}, kept: {}", kept.cached());
            assert_eq!(kept.rule(), anew.rule(), "{request:?}, kept: {}", kept.cached());
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    // A JSON text has no such byte, so what stands behind the first one is the program.
    let (text, changes) = bytes.split_at(bytes.iter().position(|byte| *byte == 0xff).unwrap_or(bytes.len()));
    let Ok(mut document) = serde_json::from_slice::<Json>(text) else { return };
    let Ok(one) = Request::from_json(text, &low_limits()) else { return };
    let mut program = Program::of(changes);
    program.byte();
    while !program.is_over() {
        change(&mut document, &mut program);
    }
    let Ok(other) = Request::from_json(document.to_string().as_bytes(), &low_limits()) else { return };
    within(20, || check(&one, &other));
});
