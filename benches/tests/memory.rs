//! What input can make an engine ask of memory: an allocation that fails ends a Rust program, so that no input may choose
//! its size (docs/decisions/0036-faults.md).
//!
//! Each call that takes bytes is given documents of many shapes and of three sizes. Its largest allocation, and all of them
//! together, stay below so many times the size of the document, and something that does not grow with it.

use std::hint::black_box;

use fallgate::audit::chain::{Chain, Head};
use fallgate::audit::record::RecordKind;
use fallgate::audit::verify::Verifier;
use fallgate::authzen::{Endpoint, answer};
use fallgate::journal::line::Reader;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::policy::trust::root::TrustRoot;
use fallgate::state::document::StateKey;
use fallgate::{Config, Engine};
use fallgate_benches::counting::{Asked, Counting, asked};
use fallgate_benches::engine::NOW;
use serde_json::{Value, json};

#[global_allocator]
static COUNTING: Counting = Counting;

const SIZES: [usize; 3] = [1 << 10, 16 << 10, 256 << 10];

/// What does not grow with the document: a snapshot, a few tables, an error.
const FIXED: usize = 64 << 10;

/// A call that takes bytes, how many times the size its largest allocation may have, and all of them together.
struct Call {
    name: &'static str,
    largest: usize,
    bytes: usize,
    engine: fn() -> Engine,
    give: fn(&Engine, &[u8]),
    /// Documents of that size that are taken, or nearly so.
    own: fn(usize) -> Vec<Vec<u8>>,
}

fn pack() -> Value {
    json!({
        "fallgate": 1, "name": "memory", "revision": 1,
        "schema": {"subject": {"user": {"any": {"type": "any", "optional": true}}}},
        "actions": {"read": {"cache": {"allow": "1m", "deny": "1m"}}},
        "audit": {"level": "all"},
        "rules": [{"id": "all", "effect": "allow", "when": "subject.id != 'eve'"}],
    })
}

fn engine() -> Engine {
    let mut config = Config::default();
    config.state_key = StateKey::new([7; 32]);
    let engine = Engine::new(config);
    let bundle = Bundle::from_document(&pack(), &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    engine.activate(bundle, NOW).unwrap();
    engine
}

/// An engine that takes what keys have signed.
fn trusting() -> Engine {
    const ROOT: &str = include_str!("../../bindings/signed/root.json");
    let mut config = Config::default();
    config.trust = Trust::keys(TrustRoot::from_json(ROOT.as_bytes(), &Limits::DEFAULT).unwrap());
    Engine::new(config)
}

/// Texts that are hard on readers: long, deep, wide, cut off, or none at all.
fn shapes(size: usize) -> Vec<Vec<u8>> {
    let filled = |begin: &str, part: &str, end: &str| {
        let times = size.saturating_sub(begin.len() + end.len()) / part.len();
        format!("{begin}{}{end}", part.repeat(times)).into_bytes()
    };
    let members: String = (0..size / 12).map(|number| format!(r#""{number:06}":0,"#)).collect();
    vec![
        vec![0; size],
        vec![0xFF; size],
        filled("", "1", ""),
        filled("[", "1,", "1]"),
        filled("", "[", ""),
        filled("", r#"{"a":"#, ""),
        filled("[", "{},", "{}]"),
        filled("[", r#"["a"],"#, "[]]"),
        filled("\"", "x", "\""),
        filled("\"", r"\u0041", "\""),
        filled("\"", r"\\", "\""),
        filled("{\"", "k", "\":1}"),
        format!("{{{members}\"end\":0}}").into_bytes(),
        filled("-", "9", "e9"),
    ]
}

/// A document with each shape in the place of one value.
fn around(size: usize, begin: &str, end: &str) -> Vec<Vec<u8>> {
    shapes(size).into_iter().map(|shape| [begin.as_bytes(), &shape, end.as_bytes()].concat()).collect()
}

fn requests(size: usize) -> Vec<Vec<u8>> {
    let begin = r#"{"subject":{"type":"user","id":"ann","properties":{"any":"#;
    let end = r#"}},"action":{"name":"read"},"resource":{"type":"doc","id":"d"}}"#;
    around(size, begin, end)
}

fn batches(size: usize) -> Vec<Vec<u8>> {
    let item = r#"{"subject":{"type":"user","id":"ann"},"action":{"name":"read"},"resource":{"type":"doc","id":"d"}},"#;
    let items = item.repeat(size / item.len());
    vec![format!(r#"{{"evaluations":[{}]}}"#, items.trim_end_matches(',')).into_bytes()]
}

fn packs(size: usize) -> Vec<Vec<u8>> {
    let mut packs = around(size, r#"{"fallgate":1,"name":"memory","revision":2,"rules":"#, "}");
    let mut rules = pack();
    let count = size / 80;
    rules["rules"] = (0..count)
        .map(|number| json!({"id": format!("r-{number}"), "effect": "allow", "when": "subject.id == 'a'"}))
        .collect();
    packs.push(canonical(&rules));
    let mut long = pack();
    long["rules"][0]["when"] = json!(format!("subject.id == '{}'", "x".repeat(size.min(60 << 10))));
    packs.push(canonical(&long));
    packs
}

fn envelopes(size: usize) -> Vec<Vec<u8>> {
    let payload = "QUFB".repeat(size / 4);
    let mut envelopes =
        around(size, r#"{"payload":"","payloadType":"application/vnd.fallgate.control+json","signatures":"#, "}");
    envelopes.push(
        json!({"payload": payload, "payloadType": "application/vnd.fallgate.control+json", "signatures": [{"keyid": "a", "sig": "AA=="}]})
            .to_string()
            .into_bytes(),
    );
    envelopes
}

fn roots(size: usize) -> Vec<Vec<u8>> {
    let revoked: Vec<String> = (0..size / 68).map(|number| format!("{number:064x}")).collect();
    let mut roots = around(size, r#"{"fallgate_trust":1,"keys":"#, r#","threshold":1,"version":1}"#);
    roots.push(canonical(
        &json!({"fallgate_trust": 1, "version": 1, "threshold": 1, "keys": [], "revoked": {"keys": revoked}}),
    ));
    roots
}

fn states(size: usize) -> Vec<Vec<u8>> {
    let mut states = around(size, r#"{"fallgate":"state/1","mac":"#, r#","state":{}}"#);
    let mac = "0".repeat(64);
    states.extend(around(size, &format!(r#"{{"fallgate":"state/1","mac":"{mac}","state":"#), "}"));
    states
}

fn operations(size: usize) -> Vec<Vec<u8>> {
    let mut operations = around(size, r#"{"restore_state":{"state":"#, "}}");
    operations.extend(around(size, r#"{"propose":{"proposal":"#, r#","signature":"AA=="}}"#));
    operations.extend(around(size, r#"{"quarantine":{"what":{"subject":{"type":"user","id":"a"}},"reason":"#, "}}"));
    operations
}

fn records(size: usize) -> Vec<Vec<u8>> {
    let mut chain = Chain::default();
    let body = json!({"request": "x".repeat(size)});
    let mut records = vec![chain.link(NOW, RecordKind::Decision, body).unwrap().into_bytes()];
    records.extend(around(size, r#"{"at":"2026-01-01T00:00:00Z","body":"#, "}"));
    records
}

fn entries(size: usize) -> Vec<Vec<u8>> {
    around(size, r#"{"fallgate":"journal/1","n":1,"operate":"#, "}")
}

fn canonical(document: &Value) -> Vec<u8> {
    // Its members are in order of their names, and its numbers small.
    document.to_string().into_bytes()
}

fn calls() -> Vec<Call> {
    let unsigned = |_: &Engine, bytes: &[u8]| {
        let _ = black_box(Bundle::from_signed(bytes, &Trust::unsigned_for_development(), &Limits::DEFAULT, NOW.wall));
    };
    vec![
        Call {
            name: "decide_json",
            largest: 16,
            bytes: 64,
            engine,
            give: |engine, bytes| drop(engine.decide_json(bytes, NOW)),
            own: requests,
        },
        Call {
            name: "a batch",
            largest: 16,
            bytes: 64,
            engine,
            give: |engine, bytes| drop(black_box(answer(engine, Endpoint::Evaluations, bytes, NOW))),
            own: batches,
        },
        Call { name: "a bundle", largest: 80, bytes: 400, engine, give: unsigned, own: packs },
        Call {
            name: "a trust root",
            largest: 16,
            bytes: 64,
            engine,
            give: |_, bytes| drop(black_box(TrustRoot::from_json(bytes, &Limits::DEFAULT))),
            own: roots,
        },
        Call {
            name: "apply",
            largest: 16,
            bytes: 64,
            engine: trusting,
            give: |engine, bytes| drop(black_box(engine.apply(bytes, NOW))),
            own: envelopes,
        },
        Call {
            name: "restore_state",
            largest: 16,
            bytes: 64,
            engine,
            give: |engine, bytes| drop(black_box(engine.restore_state(bytes, None, NOW))),
            own: states,
        },
        Call {
            name: "operate_json",
            largest: 16,
            bytes: 96,
            engine,
            give: |engine, bytes| drop(black_box(engine.operate_json(bytes, NOW))),
            own: operations,
        },
        Call {
            name: "a record",
            largest: 16,
            bytes: 64,
            engine,
            give: |_, bytes| drop(black_box(Verifier::behind(Head::default()).push(bytes))),
            own: records,
        },
        Call {
            name: "an entry",
            largest: 16,
            bytes: 64,
            engine,
            give: |_, bytes| drop(black_box(Reader::default().push(bytes))),
            own: entries,
        },
    ]
}

#[test]
fn no_input_asks_for_more_than_some_times_its_size() {
    let mut failures = Vec::new();
    for Call { name, largest, bytes, engine, give, own } in calls() {
        let mut most = (0, 0);
        for size in SIZES {
            for (number, document) in shapes(size).into_iter().chain(own(size)).enumerate() {
                let engine = engine();
                let Asked { largest: one, bytes: all } = asked(|| give(&engine, &document));
                let times = |asked: usize| asked.saturating_sub(FIXED).div_ceil(document.len());
                most = (most.0.max(times(one)), most.1.max(times(all)));
                if times(one) > largest || times(all) > bytes {
                    let start = String::from_utf8_lossy(&document[..document.len().min(60)]).into_owned();
                    failures.push(format!(
                        "{name}, {number}, {} bytes: {one} at once, {all} in all: {start}",
                        document.len()
                    ));
                }
            }
        }
        println!("{name}: at most {} times its size at once, {} times in all", most.0, most.1);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The counter sees what it is to bound.
#[test]
fn the_counter_sees_the_largest() {
    let Asked { largest, bytes } = asked(|| {
        drop(black_box(vec![0_u8; 1_000]));
        drop(black_box(vec![0_u8; 3_000]));
    });
    assert_eq!((largest, bytes), (3_000, 4_000));
}
