//! A payment desk behind the layer: what still goes on while the identity provider is silent, and what does not.
//!
//! ```text
//! cargo run -p fallgate-tower --example axum -- 127.0.0.1:3000 idp=127.0.0.1:8080 ledger-a=127.0.0.1:8081 ledger-b=127.0.0.1:8082
//! curl -i -H 'x-user: ana' http://127.0.0.1:3000/payments/p-17
//! curl -i -H 'x-user: ana' -X POST 'http://127.0.0.1:3000/payments/p-17/refunds?amount=2500'
//! ```
//!
//! First where to listen, then each source of a signal and its address, which is asked for `/healthz` again and again; all of
//! it is optional, and without sources nothing is known, so that nothing is allowed. To try: let `python3 -m http.server`,
//! with a file `healthz` in its folder, stand for each source, and stop the one of `idp`. What was read before is read on, for
//! five minutes; a payment of another merchant (`q-5`) is not, and no refund is made. Start it again: three answers later
//! all is as it was.
//!
//! The header stands for what a real server has authenticated, the tables below for a directory and a database.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Extension};
use axum::routing::{get, post};
use fallgate::limits::Limits;
use fallgate::obligation::Obligation;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::request::Party;
use fallgate::value::Value;
use fallgate::{Config, Decision, Engine, Observation, Request};
use fallgate_tower::EnforceLayer;
use http::request::Parts;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

/// How often a source is asked, and how long it has to answer. The pack says how long an answer counts: ten seconds.
const ASKED_EVERY: Duration = Duration::from_millis(200);
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().unwrap_or_else(|| "127.0.0.1:3000".into());

    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/payment-gateway");
    let document = fallgate_cli::pack::load_pack(&pack)?.document;
    let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT)?;
    let engine = Arc::new(Engine::new(Config::default()));
    engine.activate(bundle, fallgate_clocks::now())?;

    for source in arguments {
        let (name, address) = source.split_once('=').ok_or("a source is `NAME=ADDRESS`")?;
        tokio::spawn(watch(Arc::clone(&engine), name.to_owned(), address.to_owned()));
    }

    let app = Router::new()
        .route("/payments/{id}", get(payment))
        .route("/payments/{id}/refunds", post(refund))
        .layer(EnforceLayer::new(engine, describe).fulfilling(fulfil));
    let listener = TcpListener::bind(listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

/// Reports what a source answers, for as long as the process runs. If this task died, its signal would end by itself.
async fn watch(engine: Arc<Engine>, name: String, address: String) {
    loop {
        let answers = matches!(timeout(ANSWERS_WITHIN, healthy(&address)).await, Ok(Ok(true)));
        let seen = if answers { Observation::ok(&name) } else { Observation::failed(&name) };
        engine.observe(&seen, fallgate_clocks::now());
        sleep(ASKED_EVERY).await;
    }
}

/// Whether `GET /healthz` is answered with 200.
async fn healthy(address: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").await?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.") && answer.ends_with(b" 200"))
}

/// What the request asks for, in the words of the pack. Where it cannot be said, the layer denies.
fn describe(parts: &Parts) -> Option<Request> {
    let subject = person(parts.headers.get("x-user")?.to_str().ok()?)?;
    let path = parts.uri.path().strip_prefix("/payments/")?;
    let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    let request = if let Some(id) = path.strip_suffix("/refunds") {
        let amount: i64 = parts.uri.query()?.strip_prefix("amount=")?.parse().ok()?;
        let mut refund = Request::new(subject, "payment:refund", stored(id));
        refund.action.properties.insert("amount", Value::Int(amount));
        refund
    } else {
        Request::new(subject, "payment:read", stored(path))
    };
    Some(request.with_context("ip", Value::String(peer.ip().to_string().into())))
}

/// A person of the directory, or nobody.
fn person(name: &str) -> Option<Party> {
    let (role, refund_limit) = match name {
        "ana" => ("agent", 50_000),
        "otto" => ("auditor", 0),
        _ => return None,
    };
    let party = Party::new("user", name)
        .with("roles", Value::from(&json!([role])))
        .with("merchants", Value::from(&json!(["m-1001", "m-1002"])))
        .with("refund_limit", Value::Int(refund_limit))
        .with("mfa_at", Value::String("2026-01-01T08:55:00Z".into()))
        .with("suspended", Value::Bool(false));
    Some(party)
}

/// A payment as the database has it.
fn stored(id: &str) -> Party {
    let merchant = if id.starts_with('p') { "m-1001" } else { "m-1002" };
    Party::new("payment", id)
        .with("merchant", Value::String(merchant.into()))
        .with("amount", Value::Int(12_000))
        .with("refunded", Value::Int(0))
        .with("currency", Value::String("EUR".into()))
        .with("status", Value::String("captured".into()))
        .with("disputed", Value::Bool(false))
}

/// Tells the payer, who is reached by a line on standard output here. What this server cannot do is not done: it denies.
fn fulfil(obligation: &Obligation, parts: &Parts) -> bool {
    let to = obligation.properties.get("to").and_then(serde_json::Value::as_str);
    let ("notification", Some(to)) = (&*obligation.obligation_type, to) else { return false };
    println!("notified {to} of {}", parts.uri.path());
    true
}

async fn payment(Extension(decision): Extension<Decision>) -> String {
    told("a payment", &decision)
}

async fn refund(Extension(decision): Extension<Decision>) -> String {
    told("refunded", &decision)
}

fn told(what: &str, decision: &Decision) -> String {
    format!("{what}: {} {}\n", decision.reason().code(), decision.rule().unwrap_or_default())
}
