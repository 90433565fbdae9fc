//! Operations: what an operator or an automation does to an engine.

use fallgate::operation::OperationError;
use napi::bindgen_prelude::{BigInt, External};
use napi_derive::napi;

use crate::engine::Handle;
use crate::failure::{Result, failure};
use crate::instant::now;

/// Does an operation, as JSON, and gives what it came to, as JSON.
#[napi(catch_unwind)]
pub fn operate(
    handle: &External<Handle>,
    operation: &[u8],
    monotonic_ns: Option<BigInt>,
    wall_ns: Option<BigInt>,
) -> Result<String> {
    handle.open()?;
    let now = now(monotonic_ns.as_ref(), wall_ns.as_ref())?;
    let done = handle.with(|engine| engine.operate_json(operation, now));
    done.map(|outcome| outcome.to_json().to_string()).map_err(|error| not_done(&error))
}

/// The error for an operation that the JavaScript side could not put into text, with what it found wrong.
#[napi(catch_unwind)]
pub fn refuse_operation(handle: &External<Handle>, message: String) -> Result<()> {
    handle.open()?;
    Err(not_done(&OperationError::Malformed { message }))
}

fn not_done(error: &OperationError) -> napi::Error<String> {
    failure(error.code(), &error.to_string(), &[])
}

/// The posture that is in force, everywhere or in a scope; nothing where no bundle is active.
#[napi(catch_unwind)]
pub fn posture(handle: &External<Handle>, scope: Option<String>) -> Option<String> {
    handle.with(|engine| engine.posture(scope.as_deref())).map(|posture| posture.as_str().to_owned())
}

/// How things stand, as JSON.
#[napi(catch_unwind)]
pub fn overview(handle: &External<Handle>, monotonic_ns: Option<BigInt>, wall_ns: Option<BigInt>) -> Result<String> {
    let now = now(monotonic_ns.as_ref(), wall_ns.as_ref())?;
    Ok(handle.with(|engine| engine.overview(now)).to_string())
}
