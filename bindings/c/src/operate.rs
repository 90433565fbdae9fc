//! What an operator or an automation does to an engine: one call for every operation, as JSON.

use std::ffi::c_char;

use fallgate::limits::{NAME_BYTES_MAX, SCOPE_BYTES_MAX};

use crate::boundary::{Fault, borrowed, explained, text, writable};
use crate::decide::{bounded, made};
use crate::engine::fallgate_engine;
use crate::now::{fallgate_now, read};
use crate::status::fallgate_status;
use crate::text::{fallgate_error, fallgate_text, given};

/// Does an operation: a JSON object with one member, named after what is done, such as
/// `{"enter_posture": {"posture": "read-only"}}`. docs/formats/operation.schema.json has them all.
///
/// What it came to is a JSON object in `*outcome`: empty where there is nothing to say but that it was done.
/// Ownership: `*outcome` becomes the caller's, who frees it with fallgate_text_free; `*error` too, where `error` is not NULL
/// and the call fails. The operation is read and not kept. NULL for `outcome`: what it came to is not told. NULL for `engine`
/// or `operation`: FALLGATE_STATUS_NULL_POINTER. NULL for `now`: the library reads the clocks.
/// Failure: `*outcome` is NULL, and nothing was done, but that a state which does not verify puts the strictest posture in
/// force. FALLGATE_STATUS_OPERATION_REFUSED, and the cause from fallgate_error_code: "malformed_operation" for bytes that
/// are no operation. Threads: any number at once.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_operate(
    engine: *const fallgate_engine,
    operation: *const c_char,
    operation_length: usize,
    now: *const fallgate_now,
    outcome: *mut *mut fallgate_text,
    error: *mut *mut fallgate_error,
) -> fallgate_status {
    // SAFETY: the header's contracts of handles, texts, structs and out-parameters.
    unsafe {
        explained(error, || {
            // Before anything is done: an outcome that cannot be told must not be found out afterwards.
            if !outcome.is_null() {
                writable(outcome, "outcome")?;
                outcome.write(std::ptr::null_mut());
            }
            let (host, now) = (borrowed(engine, "engine")?, read(now)?);
            let bytes = bounded(operation, operation_length, host.config().limits.operation_bytes_max(), "operation")?;
            let done = host.operate_json(bytes, now)?;
            if !outcome.is_null() {
                outcome.write(given(done.to_json().to_string()));
            }
            Ok(())
        })
    }
}

/// The posture that is in force, as of the last call that told the engine the time: everywhere where `scope_length` is 0,
/// else in a scope such as "tenant:acme".
///
/// Ownership: `*posture` becomes the caller's, who frees it with fallgate_text_free; the scope is read and not kept.
/// FALLGATE_STATUS_NONE, and NULL in `*posture`, where no bundle is active. NULL for `engine` or `posture`:
/// FALLGATE_STATUS_NULL_POINTER. Threads: any number at once.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_posture(
    engine: *const fallgate_engine,
    scope: *const c_char,
    scope_length: usize,
    posture: *mut *mut fallgate_text,
) -> fallgate_status {
    // SAFETY: the header's contracts of handles, texts and out-parameters.
    unsafe {
        made(posture, "posture", || {
            let host = borrowed(engine, "engine")?;
            let scope = text(scope, scope_length, SCOPE_TEXT_MAX, "scope")?;
            let found = host.posture(Some(scope).filter(|scope| !scope.is_empty())).ok_or_else(Fault::none)?;
            Ok(found.as_str().to_owned())
        })
    }
}

/// How things stand, for people who have to act: a JSON object with the posture, the scopes that have one of their own, the
/// proposals that wait, the overrides in force and the flags that are set. What is due by now is done first.
///
/// Ownership: `*overview` becomes the caller's, who frees it with fallgate_text_free. NULL for `engine` or `overview`:
/// FALLGATE_STATUS_NULL_POINTER. NULL for `now`: the library reads the clocks. Threads: any number at once.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_overview(
    engine: *const fallgate_engine,
    now: *const fallgate_now,
    overview: *mut *mut fallgate_text,
) -> fallgate_status {
    // SAFETY: the header's contracts of handles, structs and out-parameters.
    unsafe {
        made(overview, "overview", || {
            let (host, now) = (borrowed(engine, "engine")?, read(now)?);
            Ok(host.overview(now).to_string())
        })
    }
}

/// Bytes of a scope as it is written: its kind, a colon, and which one of it.
const SCOPE_TEXT_MAX: usize = NAME_BYTES_MAX + 1 + SCOPE_BYTES_MAX;
