//! The response to a request that may not pass.

use fallgate::Decision;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

/// A `403` with a problem document (RFC 9457): the reason and the decision's identifier, and nothing of the request.
///
/// The rule, the signals and the messages of the policy stay inside: who is denied learns that, not how to get around it.
#[must_use]
pub fn problem<R: From<String>>(decision: &Decision) -> Response<R> {
    let reason = if decision.is_allow() { "obligation_unfulfilled" } else { decision.reason().code() };
    let body = serde_json::json!({
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "reason": reason,
        "decision": decision.id().to_string(),
    });
    let mut response = Response::new(R::from(body.to_string()));
    *response.status_mut() = StatusCode::FORBIDDEN;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
