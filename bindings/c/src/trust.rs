//! Whom an engine trusts: signed bundles, and the root that says who may sign them.

use std::ffi::c_char;

use fallgate::Engine;

use crate::boundary::{Fault, borrowed, bytes, contained, explained, writable};
use crate::engine::fallgate_engine;
use crate::now::{fallgate_now, read};
use crate::status::fallgate_status;
use crate::text::fallgate_error;

/// Makes a signed bundle the active one: an envelope (DSSE) as `fallgate sign` writes it, which enough keys of the engine's
/// trust root have signed. Its signatures are verified before a byte of the bundle is parsed.
///
/// NULL for `now`: the library reads the clocks. Ownership: the bytes are read and not kept. NULL for `error`: no message. NULL
/// for `envelope`: FALLGATE_STATUS_NULL_POINTER, or FALLGATE_STATUS_SYNTAX where its length is 0.
/// Failure: the bundle before stays active, and the status says why: FALLGATE_STATUS_UNSIGNED, _STRIPPED, _UNDER_SIGNED,
/// _ALTERED, _OLDER_REVISION and their like; FALLGATE_STATUS_UNTRUSTED where the engine was made without `trust_root`.
/// Threads: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_activate_signed(
    engine: *const fallgate_engine,
    envelope: *const c_char,
    envelope_length: usize,
    now: *const fallgate_now,
    error: *mut *mut fallgate_error,
) -> fallgate_status {
    // SAFETY: the header's contracts of handles, texts, structs and out-parameters.
    unsafe {
        explained(error, || {
            let (host, now) = (rooted(engine)?, read(now)?);
            let envelope = bytes(envelope, envelope_length, envelope_bytes_max(host), "envelope")?;
            Ok(host.activate_signed(envelope, now)?)
        })
    }
}

/// Takes a new trust root, which as many keys of the held one have signed as that asks for: an envelope as
/// `fallgate keys trust --follow` writes it.
///
/// Where it revokes the active bundle, or too many of its signers, everything is denied from now on, until another bundle is
/// activated. `*version` is the version of the root that is held then; NULL: it is not told. NULL for `now`: the library reads
/// the clocks. Ownership: the bytes are read and not kept. NULL for `error`: no message. NULL for `envelope`:
/// FALLGATE_STATUS_NULL_POINTER, or FALLGATE_STATUS_SYNTAX where its length is 0.
/// Failure: the root before is still held, nothing is written to `*version`, and the status says why:
/// FALLGATE_STATUS_OLDER_TRUST, _UNDER_SIGNED, _REVOCATION_LOST and their like; FALLGATE_STATUS_UNTRUSTED where the engine was
/// made without `trust_root`, or its clock is not to be trusted. Threads: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_rotate_trust(
    engine: *const fallgate_engine,
    envelope: *const c_char,
    envelope_length: usize,
    now: *const fallgate_now,
    version: *mut u64,
    error: *mut *mut fallgate_error,
) -> fallgate_status {
    // SAFETY: the header's contracts of handles, texts, structs and out-parameters.
    unsafe {
        explained(error, || {
            // Before anything is done: a version that cannot be told must not be found out afterwards.
            if !version.is_null() {
                writable(version, "version")?;
            }
            let (host, now) = (borrowed(engine, "engine")?, read(now)?);
            let envelope = bytes(envelope, envelope_length, envelope_bytes_max(host), "envelope")?;
            let held = host.rotate_trust(envelope, now)?;
            if !version.is_null() {
                version.write(held);
            }
            Ok(())
        })
    }
}

/// The version of the trust root that the engine holds.
///
/// FALLGATE_STATUS_NONE, and nothing written, where it was made without `trust_root`. NULL: FALLGATE_STATUS_NULL_POINTER.
/// Ownership: the variable is the caller's. Threads: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_trust_version(
    engine: *const fallgate_engine,
    version: *mut u64,
) -> fallgate_status {
    contained(|| {
        // SAFETY: the header's contracts of handles and out-parameters.
        let host = unsafe { borrowed(engine, "engine")? };
        // SAFETY: as above.
        unsafe { writable(version, "version")? };
        let held = host.trust().root().map(|root| root.version()).ok_or_else(Fault::none)?;
        // SAFETY: looked at above.
        unsafe { version.write(held) };
        Ok(())
    })
}

/// An engine that holds a trust root. One that holds none would take anybody's bundle, whoever signed it: here that is said
/// at each activation, and never by leaving something out.
///
/// # Safety
/// The header's contract of handles.
unsafe fn rooted<'a>(engine: *const fallgate_engine) -> Result<&'a Engine, Fault> {
    // SAFETY: this function's contract.
    let host: &Engine = unsafe { borrowed(engine, "engine")? };
    if host.trust().root().is_none() {
        let message = "the engine holds no trust root; give `trust_root` in its configuration";
        return Err(Fault::new(fallgate_status::FALLGATE_STATUS_UNTRUSTED, message));
    }
    Ok(host)
}

/// How long an envelope can be that the core would take: its payload is base64, of which three bytes become four.
fn envelope_bytes_max(host: &Engine) -> usize {
    host.config().limits.bundle_bytes_max.saturating_mul(2)
}
