//! The two readers of requests: the quick one takes the same bytes for the same request as the one that says what is right,
//! and refuses the same for the same reason; and the decision on bytes is the one on the request that they are.
#![no_main]

use std::sync::LazyLock;

use bumpalo::Bump;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::request::{Attributes, Request, RequestView};
use fallgate::value::{Map, Value, View};
use fallgate::{Config, Engine};
use fallgate_fuzz::bound::within;
use fallgate_fuzz::{at, bundle, low_limits};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

/// Each policy in two engines, told the same.
static ENGINES: LazyLock<Vec<[Engine; 2]>> =
    LazyLock::new(|| [bundle(), parts()].map(|bundle| [(); 2].map(|()| engine(&bundle))).into());

fn engine(bundle: &Bundle) -> Engine {
    let mut config = Config::default();
    config.limits = low_limits();
    let engine = Engine::new(config);
    assert_eq!(engine.activate(bundle.clone(), at(0)), Ok(()));
    engine
}

/// A policy that reads parts of attributes of any type, of subjects and resources of any type.
fn parts() -> Bundle {
    let lossy = "the attribute is of any type here";
    let pack = json!({
        "fallgate": 1,
        "name": "parts",
        "revision": 1,
        "schema": {
            "subject": { "user": { "a": "any", "roles": { "type": ["string"], "optional": true } } },
            "resource": { "doc": { "a": "any", "b": { "type": { "*": "any" }, "optional": true } } },
            "context": { "a": { "type": "any", "optional": true }, "b": { "type": "any", "optional": true } },
        },
        "actions": { "x": {}, "y": { "cache": { "allow": "1h", "deny": "1h" } } },
        "rules": [
            { "id": "all", "effect": "allow" },
            { "id": "list", "effect": "deny", "when": "resource.a.all(x, x.b == 1)", "accepts_information_loss": lossy },
            { "id": "deep", "effect": "deny", "when": "subject.a.a.b.exists(x, has(x.a) && x.b.a == context.a)", "accepts_information_loss": lossy },
            { "id": "whole", "effect": "deny", "action": "x", "when": "resource.b['a'] == subject.a", "accepts_information_loss": lossy },
        ],
    });
    match Bundle::from_document(&pack, &Trust::unsigned_for_development(), &Limits::DEFAULT) {
        Ok(bundle) => bundle,
        Err(error) => panic!("the fuzzer's own pack: {:?}", error.diagnostics()),
    }
}

fn same(value: &Value, view: View<'_>) -> bool {
    match (value, view) {
        (Value::Null, View::Null) => true,
        (Value::Bool(a), View::Bool(b)) => *a == b,
        (Value::Int(a), View::Int(b)) => *a == b,
        (Value::UInt(a), View::UInt(b)) => *a == b,
        (Value::Double(a), View::Double(b)) => a.to_bits() == b.to_bits(),
        (Value::String(a), View::Str(b)) => **a == *b,
        (Value::List(a), View::Items(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, *b)),
        (Value::Map(a), View::Fields(b)) => {
            let alike = |((a, value), (b, view)): ((&str, &Value), &(&str, View<'_>))| a == *b && same(value, *view);
            a.len() == b.len() && a.iter().zip(b.entries()).all(alike)
        }
        _ => false,
    }
}

fn same_attributes(map: &Map, attributes: &Attributes<'_>) -> bool {
    let alike = |((a, value), (b, view)): ((&str, &Value), (&str, View<'_>))| a == b && same(value, view);
    map.len() == attributes.len() && map.iter().zip(attributes.iter()).all(alike)
}

fn same_request(request: &Request, view: &RequestView<'_>) -> bool {
    let (subject, resource) = (&request.subject, &request.resource);
    (&*subject.party_type, &*subject.id) == (view.subject.party_type, view.subject.id)
        && (&*resource.party_type, &*resource.id) == (view.resource.party_type, view.resource.id)
        && *request.action.name == *view.action.name
        && same_attributes(&subject.properties, &view.subject.properties)
        && same_attributes(&request.action.properties, &view.action.properties)
        && same_attributes(&resource.properties, &view.resource.properties)
        && same_attributes(&request.context, &view.context)
}

fn check(bytes: &[u8]) {
    let arena = Bump::new();
    let right = Request::from_json(bytes, &low_limits());
    let quick = RequestView::from_json(bytes, &low_limits(), &arena);
    match (&right, &quick) {
        (Ok(request), Ok(view)) => assert!(same_request(request, view), "{request:?}\n{view:?}"),
        (Err(right), Err(quick)) => assert_eq!(right, quick),
        _ => panic!("{right:?}\n{quick:?}"),
    }
    for [by_bytes, by_request] in ENGINES.iter() {
        let decided = match &right {
            Ok(request) => by_request.decide(request, at(1)),
            Err(error) => by_request.refuse(error, at(1)),
        };
        assert_eq!(by_bytes.decide_json(bytes, at(1)).to_json(), decided.to_json());
    }
}

fuzz_target!(|bytes: &[u8]| within(20, || check(bytes)));
