//! The AuthZEN Authorization API 1.0: what its text and the certification fixture ask, worked out by hand; and the API
//! gateway's 25 decisions and two JSON Schemas, from `../shared/data/authzen`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

#[path = "authzen/batch.rs"]
mod batch;
#[path = "authzen/candidates.rs"]
mod candidates;
#[path = "authzen/fixture.rs"]
mod fixture;
#[path = "authzen/pages.rs"]
mod pages;
#[path = "authzen/protocol.rs"]
mod protocol;

use std::path::Path;

use fallgate::authzen::{Answer, Endpoint, answer, metadata};
use fallgate::drill::START;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::time::{Monotonic, Now};
use fallgate::{Config, Engine, Reason};
use fallgate_cli::pack::load_pack;
use serde_json::{Value as Json, json};

const NOW: Now = Now::new(Monotonic::ZERO, START);

fn bundle(document: &Json) -> Bundle {
    Bundle::from_document(document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap()
}

fn engine_of(document: &Json) -> Engine {
    let engine = Engine::new(Config::default());
    engine.activate(bundle(document), NOW).unwrap();
    engine
}

fn engine(pack: &str) -> Engine {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies").join(pack);
    engine_of(&load_pack(&folder).unwrap_or_else(|error| panic!("{error}")).document)
}

fn fixture() -> Engine {
    engine("authzen-certification")
}

fn raw(engine: &Engine, endpoint: Endpoint, body: &[u8]) -> Answer {
    answer(engine, endpoint, body, NOW)
}

/// The body of an answer that must have the status 200.
fn ask(engine: &Engine, endpoint: Endpoint, body: &Json) -> Json {
    let answer = raw(engine, endpoint, body.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{body}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

fn status(engine: &Engine, endpoint: Endpoint, body: &Json) -> u16 {
    raw(engine, endpoint, body.to_string().as_bytes()).status
}

fn question(subject: &str, action: &str, resource: &str) -> Json {
    json!({
        "subject": { "type": "user", "id": subject },
        "action": { "name": action },
        "resource": { "type": "record", "id": resource },
    })
}

/// The same with another value at a JSON pointer; nothing takes the member away.
fn with(mut body: Json, pointer: &str, value: Option<Json>) -> Json {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let members = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => members.insert(name.to_owned(), value),
        None => members.remove(name),
    };
    body
}

fn allows(engine: &Engine, body: &Json) -> bool {
    let decisions: Vec<bool> = [body.clone(), with(body.clone(), "/context", Some(json!({ "time": "now", "ip": 7 })))]
        .iter()
        .map(|body| ask(engine, Endpoint::Evaluation, body)["decision"].as_bool().unwrap())
        .collect();
    assert_eq!(decisions[0], decisions[1], "the context changes the answer to {body}");
    decisions[0]
}

/// The ids, or the names, of the results.
fn results(found: &Json) -> Vec<String> {
    let of = |result: &Json| result.get("id").or_else(|| result.get("name")).unwrap().as_str().unwrap().to_owned();
    found["results"].as_array().unwrap().iter().map(of).collect()
}

fn find(engine: &Engine, endpoint: Endpoint, body: &Json) -> Vec<String> {
    let plain = results(&ask(engine, endpoint, body));
    let in_context = with(body.clone(), "/context", Some(json!({ "time": "now" })));
    assert_eq!(plain, results(&ask(engine, endpoint, &in_context)), "the context changes the answer to {body}");
    plain
}

/// The decisions of a batch.
fn decisions(answer: &Json) -> Vec<bool> {
    answer["evaluations"].as_array().unwrap().iter().map(|item| item["decision"].as_bool().unwrap()).collect()
}

/// A pack with `count` users, of whom every third may.
fn crowd(count: usize) -> Json {
    let users: serde_json::Map<String, Json> =
        (0..count).map(|at| (format!("u{at:05}"), json!({ "member": at % 3 == 0 }))).collect();
    json!({
        "fallgate": 1, "name": "crowd", "revision": 1,
        "schema": { "subject": { "user": { "member": "bool", "level": { "type": "int", "optional": true } } } },
        "actions": { "enter": {} },
        "candidates": { "subject": { "user": users } },
        "rules": [{ "id": "members-enter", "effect": "allow", "when": "subject.member" }],
    })
}

fn entering(page: Json) -> Json {
    json!({ "subject": { "type": "user" }, "action": { "name": "enter" }, "resource": { "type": "room", "id": "1" }, "page": page })
}

// Metadata.

#[test]
fn the_metadata_name_the_decision_point_and_its_endpoints() {
    let expected = json!({
        "policy_decision_point": "https://pdp.example.com",
        "access_evaluation_endpoint": "https://pdp.example.com/access/v1/evaluation",
        "access_evaluations_endpoint": "https://pdp.example.com/access/v1/evaluations",
        "search_subject_endpoint": "https://pdp.example.com/access/v1/search/subject",
        "search_resource_endpoint": "https://pdp.example.com/access/v1/search/resource",
        "search_action_endpoint": "https://pdp.example.com/access/v1/search/action",
    });
    assert_eq!(metadata("https://pdp.example.com").unwrap(), expected);
    assert_eq!(metadata("https://pdp.example.com/").unwrap(), expected);
    assert_eq!(metadata("http://127.0.0.1:8180").unwrap()["policy_decision_point"], "http://127.0.0.1:8180");
    for wrong in [
        "",
        "pdp.example.com",
        "ftp://a",
        "https://",
        "https:///x",
        "https://a?b",
        "https://a#b",
        "https://a b",
        "https://u@a",
        "https://a\n",
    ] {
        assert!(metadata(wrong).is_err(), "{wrong}");
    }
    for endpoint in Endpoint::ALL {
        assert_eq!(Endpoint::from_path(endpoint.path()), Some(endpoint));
    }
    assert_eq!(Endpoint::from_path("/access/v1/evaluation/"), None);
}

// The files of the interoperability scenario.

/// A file of `../shared/data/authzen`; nothing in a clone without that folder.
fn shared(name: &str) -> Option<Json> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/authzen").join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(error) => {
            assert!(std::env::var_os("FALLGATE_SHARED_REQUIRED").is_none(), "{}: {error}", path.display());
            println!("left out: {} is not there", path.display());
            None
        }
    }
}

/// Whether a value fits a schema of the few words that the two schemas use. A word that asserts and is not known here is a
/// failure, never passed over.
fn fits(value: &Json, schema: &Json) -> bool {
    const ANNOTATIONS: [&str; 7] = ["$schema", "$id", "$comment", "title", "description", "example", "examples"];
    schema.as_object().unwrap().iter().all(|(word, asserted)| match word.as_str() {
        "type" => match asserted.as_str().unwrap() {
            "object" => value.is_object(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            other => panic!("the type {other} is not known here"),
        },
        "required" => {
            let names = asserted.as_array().unwrap();
            !value.is_object() || names.iter().all(|name| value.get(name.as_str().unwrap()).is_some())
        }
        "properties" => asserted
            .as_object()
            .unwrap()
            .iter()
            .all(|(name, schema)| value.get(name).is_none_or(|value| fits(value, schema))),
        other => {
            assert!(ANNOTATIONS.contains(&other), "the word {other} is not known here");
            true
        }
    })
}

#[test]
fn the_gateway_decides_as_published() {
    let Some(published) = shared("gateway-decisions.json") else { return };
    let engine = engine("authzen-gateway");
    let cases = published["evaluation"].as_array().unwrap();
    assert_eq!(cases.len(), 25);
    for case in cases {
        let answer = ask(&engine, Endpoint::Evaluation, &case["request"]);
        assert_eq!(answer["decision"], case["expected"], "{}", case["request"]);
    }
    // The same in one batch.
    let items: Vec<&Json> = cases.iter().map(|case| &case["request"]).collect();
    let expected: Vec<bool> = cases.iter().map(|case| case["expected"].as_bool().unwrap()).collect();
    assert_eq!(decisions(&ask(&engine, Endpoint::Evaluations, &json!({ "evaluations": items }))), expected);
    // And found by searches: what is allowed is found, what is denied is not.
    for case in cases {
        let request = &case["request"];
        for (endpoint, sought) in [(Endpoint::SearchSubject, "subject"), (Endpoint::SearchResource, "resource")] {
            let body = with(request.clone(), &format!("/{sought}/id"), None);
            let found = find(&engine, endpoint, &body).contains(&request[sought]["id"].as_str().unwrap().to_owned());
            assert_eq!(json!(found), case["expected"], "{sought} of {request}");
        }
        let actions = find(&engine, Endpoint::SearchAction, &with(request.clone(), "/action", None));
        assert_eq!(json!(actions.contains(&request["action"]["name"].as_str().unwrap().to_owned())), case["expected"]);
    }
}

#[test]
fn requests_and_answers_fit_the_published_schemas() {
    let (Some(requests), Some(answers)) =
        (shared("evaluation-request.schema.json"), shared("evaluation-response.schema.json"))
    else {
        return;
    };
    let engine = fixture();
    let mut bodies = vec![question("alice", "read", "record-1"), question("bob", "write", "record-1")];
    bodies.push(with(
        question("alice", "write", "record-1"),
        "/resource/properties",
        Some(json!({ "status": "archived" })),
    ));
    bodies.push(question("alice", "print", "record-1"));
    for body in &bodies {
        assert!(fits(body, &requests), "{body}");
        let answer = ask(&engine, Endpoint::Evaluation, body);
        assert!(fits(&answer, &answers), "{answer}");
    }
    let mut items = bodies.clone();
    items.push(json!({ "subject": 5 }));
    for answer in
        ask(&engine, Endpoint::Evaluations, &json!({ "evaluations": items }))["evaluations"].as_array().unwrap()
    {
        assert!(fits(answer, &answers), "{answer}");
    }
    // What the schema of a request refuses is refused here, and the checker does refuse.
    for member in ["/subject", "/action", "/resource", "/subject/type", "/subject/id", "/action/name", "/resource/type"]
    {
        for wrong in [None, Some(json!(5))] {
            let broken = with(question("alice", "read", "record-1"), member, wrong);
            assert!(!fits(&broken, &requests), "{broken}");
            assert_eq!(status(&engine, Endpoint::Evaluation, &broken), 400, "{broken}");
        }
    }
    assert!(!fits(&json!({ "context": {} }), &answers) && !fits(&json!({ "decision": "true" }), &answers));
}
