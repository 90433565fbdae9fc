//! The layer before a real router: what passes, what does not, and what is said of it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::Extension;
use axum::routing::get;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::request::Party;
use fallgate::time::{Monotonic, Now, Ttl, Wall};
use fallgate::{Config, Decision, Engine, Observation, Request};
use fallgate_tower::EnforceLayer;
use http::request::Parts;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

const START: Now = Now::new(Monotonic::ZERO, Wall::from_millis(1_767_225_600_000));

fn engine() -> Arc<Engine> {
    let document = serde_json::json!({
        "fallgate": 1, "name": "shop", "revision": 3,
        "signals": { "idp": { "ttl": "10s" } },
        "actions": { "order:read": { "requires": ["idp"] } },
        "rules": [
            { "id": "owners-read", "effect": "allow", "when": "subject.id == resource.id" },
            { "id": "auditors-read", "effect": "allow", "subject": { "id": "audit" },
              "obligations": [{ "id": "log", "type": "log", "properties": {} }] },
        ],
    });
    let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
    let engine = Engine::new(Config::default());
    engine.activate(bundle, START).unwrap();
    engine.observe(&Observation::ok("idp"), START);
    Arc::new(engine)
}

fn describe(parts: &Parts) -> Option<Request> {
    let user = parts.headers.get("x-user")?.to_str().ok()?;
    let order = parts.uri.path().strip_prefix("/orders/")?;
    Some(Request::new(Party::new("user", user), "order:read", Party::new("order", order)))
}

/// The layer's answer to a reader of an order, and how often the service behind it was called.
async fn ask(layer: EnforceLayer<Body>, user: Option<&str>, order: &str) -> (u16, String, usize) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let order_of = move |Extension(decision): Extension<Decision>| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move { decision.rule().unwrap_or_default().to_owned() }
    };
    let app = Router::new().route("/orders/{id}", get(order_of)).layer(layer);
    let mut request = http::Request::get(format!("/orders/{order}"));
    if let Some(user) = user {
        request = request.header("x-user", user);
    }
    let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    if status == 403 {
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["cache-control"], "no-store");
    }
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap(), calls.load(Ordering::Relaxed))
}

fn layer() -> EnforceLayer<Body> {
    EnforceLayer::new(engine(), describe).with_clock(|| START)
}

fn reason(body: &str) -> String {
    let problem: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!((problem["status"].as_u64(), problem["decision"].as_str().unwrap().len()), (Some(403), 26));
    problem["reason"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_allow_passes_with_its_decision_and_a_deny_does_not() {
    assert_eq!(ask(layer(), Some("ann"), "ann").await, (200, "owners-read".into(), 1));
    let (status, body, calls) = ask(layer(), Some("bob"), "ann").await;
    assert_eq!((status, reason(&body).as_str(), calls), (403, "no_matching_rule", 0));
    assert!(!body.contains("bob") && !body.contains("ann"), "{body}");
}

#[tokio::test]
async fn what_cannot_be_described_does_not_pass() {
    let (status, body, calls) = ask(layer(), None, "ann").await;
    assert_eq!((status, reason(&body).as_str(), calls), (403, "invalid_request", 0));
}

#[tokio::test]
async fn silence_ends_what_passed() {
    let after =
        |seconds| EnforceLayer::new(engine(), describe).with_clock(move || START.after(Ttl::from_secs(seconds)));
    assert_eq!(ask(after(10), Some("ann"), "ann").await.0, 200);
    let (status, body, calls) = ask(after(11), Some("ann"), "ann").await;
    assert_eq!((status, reason(&body).as_str(), calls), (403, "signal_unavailable", 0));
}

#[tokio::test]
async fn an_obligation_that_nobody_fulfils_denies() {
    let (status, body, calls) = ask(layer(), Some("audit"), "ann").await;
    assert_eq!((status, reason(&body).as_str(), calls), (403, "obligation_unfulfilled", 0));
    let fulfilling = |fulfilled: bool| {
        layer().fulfilling(move |obligation, parts| {
            fulfilled && &*obligation.id == "log" && parts.headers.contains_key("x-user")
        })
    };
    assert_eq!(ask(fulfilling(false), Some("audit"), "ann").await.0, 403);
    assert_eq!(ask(fulfilling(true), Some("audit"), "ann").await, (200, "auditors-read".into(), 1));
}

/// A protocol with other words for a denial, as gRPC has them.
#[tokio::test]
async fn a_host_may_deny_in_its_own_words() {
    let deny = |decision: &Decision| {
        let mut response = http::Response::new(Body::empty());
        response.headers_mut().insert("grpc-status", http::HeaderValue::from_static("7"));
        assert!(!decision.is_allow());
        response
    };
    let layer = EnforceLayer::denying_with(engine(), describe, deny).with_clock(|| START);
    let app = Router::new().route("/orders/{id}", get(|| async { "an order" })).layer(layer);
    let request = http::Request::get("/orders/ann").header("x-user", "bob").body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "7");
}

#[tokio::test]
async fn without_a_policy_nothing_passes() {
    let layer = EnforceLayer::new(Arc::new(Engine::new(Config::default())), describe);
    let (status, body, calls) = ask(layer, Some("ann"), "ann").await;
    assert_eq!((status, reason(&body).as_str(), calls), (403, "no_policy", 0));
}

/// A server with many requests at once, while a bundle comes and the signal goes: no request passes that may not.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_load_nothing_passes_that_may_not() {
    let app = Router::new().route("/orders/{id}", get(|| async { "an order" })).layer(layer());
    let tasks: Vec<_> = (0..64)
        .map(|number| {
            let app = app.clone();
            tokio::spawn(async move {
                let (user, order) = if number % 2 == 0 { ("ann", "ann") } else { ("bob", "ann") };
                for _ in 0..50 {
                    let request = http::Request::get(format!("/orders/{order}")).header("x-user", user);
                    let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
                    assert_eq!(response.status().as_u16(), if number % 2 == 0 { 200 } else { 403 });
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}
