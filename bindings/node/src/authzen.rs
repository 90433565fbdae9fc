//! AuthZEN over bytes: for a host that has an HTTP server of its own and wants to be a decision point for others.

use fallgate::authzen::{Endpoint, answer, metadata};
use fallgate::error::quoted;
use napi::bindgen_prelude::{BigInt, External};
use napi_derive::napi;
use serde_json::json;

use crate::engine::Handle;
use crate::failure::{Result, misuse};
use crate::instant::now;

/// Answers the bytes of a request at an endpoint: the status, the body and the reasons, as JSON.
#[napi(catch_unwind)]
pub fn authzen(
    handle: &External<Handle>,
    path: String,
    body: &[u8],
    monotonic_ns: Option<BigInt>,
    wall_ns: Option<BigInt>,
) -> Result<String> {
    let endpoint = Endpoint::from_path(&path).ok_or_else(|| {
        let known = Endpoint::ALL.map(Endpoint::path).join(", ");
        misuse(&format!("{} is no endpoint; there are {known}", quoted(&path)))
    })?;
    let now = now(monotonic_ns.as_ref(), wall_ns.as_ref())?;
    let answer = handle.with(|engine| answer(engine, endpoint, body, now));
    let reasons: Vec<_> = answer.reasons.iter().map(|reason| reason.code()).collect();
    Ok(json!({ "status": answer.status, "body": answer.body, "reasons": reasons }).to_string())
}

/// The metadata of the decision point at this address, as JSON.
#[napi(catch_unwind)]
pub fn authzen_metadata(address: String) -> Result<String> {
    metadata(&address).map(|metadata| metadata.to_string()).map_err(|error| misuse(&error.to_string()))
}
