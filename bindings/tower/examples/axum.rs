//! An axum server that asks before it answers: `cargo run -p fallgate-tower --example axum`, then
//! `curl -i -H 'x-user: ana' http://127.0.0.1:3000/payments/p-17`.
//!
//! The header stands for what a real server has authenticated. The directory of people and payments is in memory.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use axum::routing::get;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::request::Party;
use fallgate::value::Value;
use fallgate::{Config, Decision, Engine, Observation, Request};
use fallgate_tower::EnforceLayer;
use http::request::Parts;

/// What the request asks for, in the words of the pack.
fn describe(parts: &Parts) -> Option<Request> {
    let user = parts.headers.get("x-user")?.to_str().ok()?;
    let payment = parts.uri.path().strip_prefix("/payments/")?;
    let texts = |texts: &[&str]| Value::List(texts.iter().map(|text| Value::String((*text).into())).collect());
    let subject = Party::new("user", user)
        .with("roles", texts(if user == "ana" { &["agent"] } else { &[] }))
        .with("merchants", texts(&["m-1001"]))
        .with("refund_limit", Value::Int(50_000))
        .with("mfa_at", Value::String("2026-01-01T08:55:00Z".into()))
        .with("suspended", Value::Bool(false));
    let resource = Party::new("payment", payment)
        .with("merchant", Value::String("m-1001".into()))
        .with("amount", Value::Int(12_000))
        .with("refunded", Value::Int(0))
        .with("currency", Value::String("EUR".into()))
        .with("status", Value::String("captured".into()))
        .with("disputed", Value::Bool(false));
    Some(Request::new(subject, "payment:read", resource).with_context("ip", Value::String("10.1.2.3".into())))
}

async fn payment(Extension(decision): Extension<Decision>) -> String {
    format!("a payment, by the rule {}\n", decision.rule().unwrap_or_default())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/payment-gateway");
    let document = fallgate_cli::pack::load_pack(&pack)?.document;
    let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT)?;
    let engine = Arc::new(Engine::new(Config::default()));
    engine.activate(bundle, fallgate_clocks::now())?;

    // The identity provider answers for as long as this task sees it: without it, reads end after the signal's ttl.
    let observed = Arc::clone(&engine);
    tokio::spawn(async move {
        loop {
            observed.observe(&Observation::ok("idp"), fallgate_clocks::now());
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    });

    let app = Router::new().route("/payments/{id}", get(payment)).layer(EnforceLayer::new(engine, describe));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
