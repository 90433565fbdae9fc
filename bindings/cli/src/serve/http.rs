//! A request's way through: who may ask, what is asked, the answer, and what is noted of it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request, State as Shared};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use fallgate::authzen::{Endpoint, WELL_KNOWN, metadata};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body as _;
use serde_json::Value as Json;
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, timeout};

use super::metrics;
use super::settings::Place;
use super::state::State;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Bytes of a request identifier that is echoed; a longer one is none.
const REQUEST_ID_BYTES_MAX: usize = 256;
const SIGNALS: &str = "/v1/signals";
const METRICS: &str = "/metrics";
const HEALTH: &str = "/healthz";
/// Bytes of a report of signals.
const SIGNALS_BYTES_MAX: usize = 64 << 10;

/// Where a request came from, and the address that it came in by.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) from: Arc<str>,
    pub(super) address: Arc<str>,
}

/// The paths of the server.
pub(super) fn router(state: &Arc<State>) -> Router {
    let mut router = Router::new();
    for endpoint in Endpoint::ALL {
        let answer = move |Shared(state): Shared<Arc<State>>, request: Request| authzen(state, endpoint, request);
        router = router.route(endpoint.path(), post(answer));
    }
    router
        .route(WELL_KNOWN, get(describe))
        .route(SIGNALS, post(signals))
        .route(METRICS, get(count))
        .route(HEALTH, get(health))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "there is nothing at this path") })
        .method_not_allowed_fallback(|| async {
            problem(StatusCode::METHOD_NOT_ALLOWED, "this path takes another method")
        })
        .layer(from_fn_with_state(Arc::clone(state), attend))
        .with_state(Arc::clone(state))
}

/// What every request goes through: who may ask is told first, and what came out is noted last.
async fn attend(
    Shared(state): Shared<Arc<State>>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let (method, endpoint) = (request.method().clone(), label(request.uri().path()));
    let request_id = request.headers().get(&REQUEST_ID).filter(|id| is_echoed(id.as_bytes())).cloned();
    let mut response = match admitted(&state, &request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal,
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(id) = &request_id {
        headers.insert(REQUEST_ID, id.clone());
    }
    let (status, took) = (response.status().as_u16(), started.elapsed());
    state.metrics.request(endpoint, status, took);
    state.log.line(line(&method, endpoint, status, took, &peer, request_id.as_ref()));
    response
}

fn line(
    method: &Method,
    endpoint: &str,
    status: u16,
    took: Duration,
    peer: &Peer,
    request_id: Option<&HeaderValue>,
) -> String {
    let at = fallgate_clocks::now().wall.as_timestamp();
    // A method is whatever a caller writes; those that are served are few.
    let method = if matches!(*method, Method::GET | Method::POST | Method::HEAD) { method.as_str() } else { "other" };
    let millis = took.as_secs_f64() * 1_000.0;
    let mut line =
        format!("at={at} from={} method={method} endpoint={endpoint} status={status} ms={millis:.3}", peer.from);
    if let Some(id) = request_id.and_then(|id| id.to_str().ok()) {
        line.push_str(&format!(" request_id={id:?}"));
    }
    line
}

/// The name of a path in the log and the metrics: one of those that are served, or `other`.
fn label(path: &str) -> &'static str {
    let known = [WELL_KNOWN, SIGNALS, METRICS, HEALTH];
    let known = Endpoint::ALL.into_iter().map(Endpoint::path).chain(known).find(|known| *known == path);
    known.unwrap_or("other")
}

fn is_echoed(id: &[u8]) -> bool {
    (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.iter().all(|byte| (b' '..=b'~').contains(byte))
}

/// Whether the caller may ask.
///
/// With a token: whoever brings it. Without one the server is on loopback or on a socket of its owner; there the host that
/// the caller names must be this machine, so that no page of another name, opened in a browser here, can ask or report.
fn admitted(state: &State, request: &Request) -> Result<(), Response> {
    let settings = &state.settings;
    match &settings.token {
        Some(token) => {
            let is_open = [HEALTH, WELL_KNOWN].contains(&request.uri().path());
            if is_open || bearer(request.headers()).is_some_and(|given| token.is(given)) {
                return Ok(());
            }
            let mut refusal = problem(StatusCode::UNAUTHORIZED, "send `Authorization: Bearer` with the server's token");
            refusal.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            Err(refusal)
        }
        None if matches!(settings.place, Place::Unix(_)) => Ok(()),
        None => {
            let named = request.headers().get_all(HOST).iter().map(|host| host.to_str().unwrap_or("?"));
            let named = named.chain(request.uri().authority().map(|authority| authority.as_str()));
            let public = settings.public_url.as_deref().and_then(authority);
            match named.into_iter().all(|host| is_this_machine(host) || Some(host) == public) {
                true => Ok(()),
                false => {
                    Err(problem(StatusCode::MISDIRECTED_REQUEST, "name this machine in `Host`, or set --public-url"))
                }
            }
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (given.next()?.as_bytes(), given.next()) else { return None };
    let (scheme, token) = value.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}

/// The host and port of an address.
fn authority(address: &str) -> Option<&str> {
    address.split_once("://").and_then(|(_, rest)| rest.split('/').next())
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

async fn authzen(state: Arc<State>, endpoint: Endpoint, request: Request) -> Response {
    let bytes_max = endpoint.bytes_max(&state.engine.config().limits);
    // The room is kept until the answer is there.
    let (body, _room) = match read(&state, request, bytes_max).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    match timeout(state.settings.request_timeout, state.answer(endpoint, body)).await {
        Ok(Some(answer)) => {
            json(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), answer.body)
        }
        Ok(None) => problem(StatusCode::INTERNAL_SERVER_ERROR, "the engine failed"),
        Err(_) => problem(StatusCode::SERVICE_UNAVAILABLE, "there was no time to answer; ask again later"),
    }
}

async fn signals(Shared(state): Shared<Arc<State>>, request: Request) -> Response {
    let (body, _room) = match read(&state, request, SIGNALS_BYTES_MAX).await {
        Ok(read) => read,
        Err(refusal) => return refusal,
    };
    match state.observe(&body) {
        Ok(told) if told.known => json(StatusCode::OK, told.outcomes.to_string()),
        Ok(told) => json(StatusCode::BAD_REQUEST, told.outcomes.to_string()),
        Err(message) => problem(StatusCode::BAD_REQUEST, &message),
    }
}

async fn describe(Shared(state): Shared<Arc<State>>, Extension(peer): Extension<Peer>) -> Response {
    match metadata(state.settings.public_url.as_deref().unwrap_or(&peer.address)) {
        Ok(described) => json(StatusCode::OK, described.to_string()),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

async fn count(Shared(state): Shared<Arc<State>>) -> Response {
    match state.metrics.text(&state.engine, state.log.dropped()) {
        Ok(text) => respond(StatusCode::OK, metrics::CONTENT_TYPE, text),
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written"),
    }
}

async fn health(Shared(state): Shared<Arc<State>>) -> Response {
    match state.is_healthy() {
        true => json(StatusCode::OK, r#"{"status":"ok"}"#.to_owned()),
        false => json(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"failed"}"#.to_owned()),
    }
}

/// The body of a request that says that it is JSON, within a size and a time; and the room that it takes.
async fn read(
    state: &State,
    request: Request,
    bytes_max: usize,
) -> Result<(Vec<u8>, Option<SemaphorePermit<'_>>), Response> {
    if !is_json(request.headers()) {
        return Err(problem(StatusCode::BAD_REQUEST, "send the content type `application/json`"));
    }
    let too_large = || problem(StatusCode::PAYLOAD_TOO_LARGE, &format!("a request has at most {bytes_max} bytes here"));
    let body = request.into_body();
    // A body that does not say its size may have the largest.
    let said = body.size_hint().exact().map_or(bytes_max, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    if said > bytes_max {
        return Err(too_large());
    }
    let within = state.settings.request_timeout;
    let Ok(room) = timeout(within, state.room(said)).await else {
        return Err(problem(StatusCode::SERVICE_UNAVAILABLE, "there is no room for another body; ask again later"));
    };
    match timeout(within, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(body)) => Ok((body.to_bytes().into(), room)),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(problem(StatusCode::BAD_REQUEST, "the body ends too early")),
        Err(_) => Err(problem(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut given = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (given.next(), given.next()) else { return false };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// What is wrong, as AuthZEN has it: a text, here as JSON.
fn problem(status: StatusCode, message: &str) -> Response {
    json(status, Json::from(message).to_string())
}

fn json(status: StatusCode, body: String) -> Response {
    respond(status, "application/json", body)
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_this_machine() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:8180", "127.9.9.9", "[::1]:8180", "[::1]"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "10.0.0.1:8180",
            "[::2]",
            "::",
            "localhost:80:80",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn an_identifier_that_a_log_cannot_hold_is_none() {
        assert!(is_echoed(b"bfe9eb29-ab87-4ca3-be83-a1d5d8305716") && is_echoed(&[b'x'; REQUEST_ID_BYTES_MAX]));
        for id in [&b""[..], b"a\tb", b"\xc3\xbc", &[b'x'; REQUEST_ID_BYTES_MAX + 1]] {
            assert!(!is_echoed(id));
        }
    }

    #[test]
    fn a_content_type_is_one_and_json() {
        let headers = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_TYPE, HeaderValue::from_static(value));
            }
            headers
        };
        assert!(is_json(&headers(&["application/json"])) && is_json(&headers(&["Application/JSON; charset=utf-8"])));
        for values in [&[][..], &["text/plain"], &["application/jsonp"], &["application/json", "text/plain"], &[""]] {
            assert!(!is_json(&headers(values)), "{values:?}");
        }
    }
}
