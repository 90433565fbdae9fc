//! Questions in the words of AuthZEN: any bytes at any endpoint.
//!
//! An answer is JSON under a status that is known, the same each time. An evaluation is the engine's own decision; an item
//! of a batch is never allowed where the same item alone is denied; and what a search finds, an evaluation allows. What is
//! answered by the quick reader of requests is compared with what the other one reads.
#![no_main]

use fallgate::authzen::{Endpoint, answer};
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::{Config, Engine, Request};
use fallgate_fuzz::at;
use fallgate_fuzz::bound::within;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value as Json, json};

/// A pack whose names are those of the shipped seeds, so that the fuzzer meets decisions and not only refusals.
fn engine() -> Engine {
    let document = json!({
        "fallgate": 1, "name": "fuzz", "revision": 1,
        "schema": {
            "subject": { "user": { "role": { "type": "string", "optional": true } }, "identity": {} },
            "resource": { "record": { "status": { "type": "string", "optional": true } }, "route": {} },
            "action": { "delete": { "soft": { "type": "bool", "optional": true } } },
        },
        "actions": { "read": { "cache": { "allow": "5s", "deny": "5s" } }, "write": {}, "delete": {}, "GET": {}, "POST": {} },
        "candidates": {
            "subject": { "user": { "alice": {}, "bob": { "role": "admin" } }, "identity": { "i": {} } },
            "resource": { "record": { "record-1": { "status": "active" }, "record-2": { "status": "archived" } } },
        },
        "rules": [
            { "id": "read", "effect": "allow", "action": ["read", "GET"] },
            { "id": "write", "effect": "allow", "action": "write", "when": "subject.role == 'admin' || resource.status == 'active'" },
            { "id": "delete", "effect": "allow", "action": "delete", "when": "action.soft && resource.status == 'active'" },
            { "id": "not-carol", "effect": "deny", "subject": { "id": "carol" } },
        ],
    });
    let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT);
    let engine = Engine::new(Config::default());
    assert_eq!(engine.activate(bundle.unwrap_or_else(|error| panic!("{error}")), at(0)), Ok(()));
    engine
}

/// Whether the decision on a question is an allow; nothing where it is no request.
fn decided(engine: &Engine, question: &[u8]) -> Option<bool> {
    let request = Request::from_json(question, &engine.config().limits).ok()?;
    Some(engine.decide(&request, at(0)).is_allow())
}

fn allows(engine: &Engine, question: &Json) -> bool {
    decided(engine, question.to_string().as_bytes()) == Some(true)
}

fn ask(bytes: &[u8]) {
    thread_local!(static ENGINE: Engine = engine());
    let Some((first, body)) = bytes.split_first() else { return };
    let endpoint = Endpoint::ALL[usize::from(first.wrapping_sub(b'0')) % Endpoint::ALL.len()];
    ENGINE.with(|engine| check(engine, endpoint, body));
}

fuzz_target!(|bytes: &[u8]| within(50, || ask(bytes)));

fn check(engine: &Engine, endpoint: Endpoint, body: &[u8]) {
    let answered = answer(engine, endpoint, body, at(0));
    let read: Json = serde_json::from_str(&answered.body).unwrap_or_else(|error| panic!("{error}: {}", answered.body));
    match answered.status {
        400 | 413 => {
            assert!(endpoint != Endpoint::Evaluation || decided(engine, body).is_none());
            return assert!(read.is_string() && answered.reasons.is_empty(), "{read}");
        }
        status => assert_eq!(status, 200),
    }
    // The cache may have learned it in between: whether a decision is cached is all that may differ.
    let again = answer(engine, endpoint, body, at(0));
    assert_eq!(again.reasons, answered.reasons);
    let question: Json = serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error}"));
    if let Some(items) = read.get("evaluations").and_then(Json::as_array) {
        for (item, asked) in items.iter().zip(question["evaluations"].as_array().into_iter().flatten()) {
            let alone = entities(&[&question, asked]);
            assert_eq!(item["decision"] == true, allows(engine, &alone), "{alone}");
        }
    } else if let Some(found) = read.get("results").and_then(Json::as_array) {
        assert_eq!(again, answered);
        let sought = match endpoint {
            Endpoint::SearchSubject => "subject",
            Endpoint::SearchResource => "resource",
            _ => "action",
        };
        for result in found {
            let asked = entities(&[&question, &json!({ sought: result })]);
            assert!(allows(engine, &asked), "{asked}");
        }
    } else {
        assert_eq!(Some(read["decision"] == true), decided(engine, body));
        assert_eq!(read["decision"] == true, engine.decide_json(body, at(0)).is_allow());
    }
}

/// A question of these parts, and nothing else; a later part replaces an earlier one.
fn entities(parts: &[&Json]) -> Json {
    let mut question = json!({});
    for name in ["subject", "action", "resource", "context"] {
        if let Some(entity) = parts.iter().rev().find_map(|part| part.get(name)) {
            question[name] = entity.clone();
        }
    }
    question
}
