//! The engine's handle, and everything that it is told and asked besides decisions.

use std::ffi::c_char;

use fallgate::error::{Code, Diagnostic};
use fallgate::limits::{Limits, NAME_BYTES_MAX};
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::request::{RequestError, parse_strict, value_to_json};
use fallgate::state::signals::Observed;
use fallgate::time::Monotonic;
use fallgate::{Engine, Observation};

use crate::boundary::{Fault, Handle, borrowed, bytes, contained, copied, explained, free, give, text, writable};
use crate::config::{chosen, fallgate_config};
use crate::now::{fallgate_now, read};
use crate::status::{fallgate_signal_status, fallgate_status, signal_status};
use crate::text::fallgate_error;

/// An engine: it denies everything with `no_policy` until a bundle is activated. Every function that takes a const
/// engine may be called by any number of threads at once.
pub struct fallgate_engine {
    _opaque: [u8; 0],
}

impl Handle for fallgate_engine {
    /// Boxed: an engine's counters are aligned to cache lines, and a handle to a word, like every other.
    type Inner = Box<Engine>;
    const NAME: &'static str = "fallgate_engine";
    const MARK: u64 = 0x6661_6C6C_656E_6769;
}

/// What an engine has counted since it was made.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct fallgate_counters {
    /// Readings of the monotonic clock that were earlier than one before.
    pub clock_went_back: u64,
    /// Events dropped because nobody polled.
    pub events_dropped: u64,
    /// Cached decisions now held.
    pub cached_decisions: u64,
}

/// The active bundle. Texts end with a NUL.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fallgate_bundle {
    /// Its revision.
    pub revision: u64,
    /// Its name.
    pub name: [c_char; 64],
    /// The SHA-256 of its canonical bytes, in hexadecimal.
    pub id: [c_char; 65],
}

/// Takes any bundle, signed or not. For development: whoever can write the file writes the policy. There is no default:
/// a host says what it trusts, and zero is refused with FALLGATE_STATUS_UNTRUSTED.
pub const FALLGATE_TRUST_UNSIGNED_FOR_DEVELOPMENT: u32 = 1;

/// The version of this header's ABI. Pass it to fallgate_engine_new, which refuses any other than the library's own.
pub const FALLGATE_ABI_VERSION: u32 = 1;

/// The ABI version of the library that the program runs with, to be compared with FALLGATE_ABI_VERSION.
///
/// Threads: any. Cannot fail.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn fallgate_abi_version() -> u32 {
    FALLGATE_ABI_VERSION
}

/// The version of the library, such as "0.1.0": static text with a NUL at its end.
///
/// Threads: any. Cannot fail.
#[unsafe(no_mangle)]
pub extern "C" fn fallgate_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Makes an engine.
///
/// `abi_version` is FALLGATE_ABI_VERSION: a library with another one refuses with FALLGATE_STATUS_ABI_MISMATCH.
/// Ownership: `*engine` becomes the caller's, who frees it with fallgate_engine_free. The configuration is read and not
/// kept. NULL for `config`: the defaults. NULL for `engine`: FALLGATE_STATUS_NULL_POINTER. NULL for `error`: no message.
/// Failure: `*engine` is NULL. Threads: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_new(
    abi_version: u32,
    config: *const fallgate_config,
    engine: *mut *mut fallgate_engine,
    error: *mut *mut fallgate_error,
) -> fallgate_status {
    let work = || {
        // SAFETY: the header's contract of out-parameters.
        unsafe {
            writable(engine, "engine")?;
            engine.write(std::ptr::null_mut());
        }
        if abi_version != FALLGATE_ABI_VERSION {
            let message = format!("the program has ABI version {abi_version}, the library {FALLGATE_ABI_VERSION}");
            return Err(Fault::new(fallgate_status::FALLGATE_STATUS_ABI_MISMATCH, message));
        }
        // SAFETY: the header's contract of structs that are passed in.
        let config = unsafe { chosen(config)? };
        let made = give(Box::new(Engine::new(config)));
        // SAFETY: looked at above.
        unsafe { engine.write(made) };
        Ok(())
    };
    // SAFETY: the header's contract of out-parameters.
    unsafe { explained(error, work) }
}

/// Frees an engine and sets the caller's variable to NULL.
///
/// NULL in the variable: nothing to do, FALLGATE_STATUS_OK. NULL for the variable itself: FALLGATE_STATUS_NULL_POINTER. A
/// copy of the pointer is found out later where the memory still shows it, which nobody can promise.
/// Threads: no other may use the engine, now or later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_free(engine: *mut *mut fallgate_engine) -> fallgate_status {
    // SAFETY: the header's contract of handles.
    unsafe { free(engine, "engine") }
}

/// Makes a bundle the active one, from its canonical bytes as `fallgate build` writes them.
///
/// Decisions that are under way finish with the bundle before; none waits and none sees half of each. `trust` is
/// FALLGATE_TRUST_UNSIGNED_FOR_DEVELOPMENT. NULL for `now`: the library reads the clocks.
/// Ownership: the bytes are read and not kept. NULL for `error`: no message. NULL for `bundle`: FALLGATE_STATUS_NULL_POINTER,
/// or FALLGATE_STATUS_SYNTAX where its length is 0.
/// Failure: the bundle before stays active, and the status is the code of the first mistake. Threads: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_activate_bundle(
    engine: *const fallgate_engine,
    bundle: *const c_char,
    bundle_length: usize,
    trust: u32,
    now: *const fallgate_now,
    error: *mut *mut fallgate_error,
) -> fallgate_status {
    // SAFETY: the header's contracts of handles, texts, structs and out-parameters.
    unsafe {
        explained(error, || {
            let host = borrowed(engine, "engine")?;
            let trust = trusted(trust)?;
            let bytes = bytes(bundle, bundle_length, host.config().limits.bundle_bytes_max, "bundle")?;
            activated(host, Bundle::from_json_within(bytes, &trust, &host.config().limits)?, now)
        })
    }
}

/// Makes a bundle the active one, from the JSON of a pack's document: what a pack's files say, as one object with name,
/// revision, schema, signals, actions and rules. A key that stands twice is refused.
///
/// All else is as with fallgate_engine_activate_bundle.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_activate_document(
    engine: *const fallgate_engine,
    document: *const c_char,
    document_length: usize,
    trust: u32,
    now: *const fallgate_now,
    error: *mut *mut fallgate_error,
) -> fallgate_status {
    // SAFETY: the header's contracts of handles, texts, structs and out-parameters.
    unsafe {
        explained(error, || {
            let host = borrowed(engine, "engine")?;
            let trust = trusted(trust)?;
            let bytes = bytes(document, document_length, host.config().limits.bundle_bytes_max, "document")?;
            let document = self::document(bytes, host.config().limits.bundle_bytes_max)?;
            activated(host, Bundle::from_document(&document, &trust, &host.config().limits)?, now)
        })
    }
}

fn trusted(trust: u32) -> Result<Trust, Fault> {
    match trust {
        FALLGATE_TRUST_UNSIGNED_FOR_DEVELOPMENT => Ok(Trust::unsigned_for_development()),
        _ => {
            let message = "`trust` names nothing; say FALLGATE_TRUST_UNSIGNED_FOR_DEVELOPMENT if that is meant";
            Err(Fault::new(fallgate_status::FALLGATE_STATUS_UNTRUSTED, message))
        }
    }
}

/// # Safety
/// The header's contract of structs.
unsafe fn activated(host: &Engine, bundle: Bundle, now: *const fallgate_now) -> Result<(), Fault> {
    // SAFETY: this function's contract.
    let now = unsafe { read(now)? };
    Ok(host.activate(bundle, now)?)
}

/// A JSON document of one meaning: a key that stands twice is no document.
pub(crate) fn document(bytes: &[u8], bytes_max: usize) -> Result<serde_json::Value, Fault> {
    let mut limits = Limits::DEFAULT;
    (limits.request_bytes_max, limits.request_values_max, limits.request_depth_max) = (bytes_max, usize::MAX, 127);
    let value = parse_strict(bytes, &limits).map_err(|error| {
        let code = match &error {
            RequestError::DuplicateKey(_) => Code::DuplicateKey,
            RequestError::Limit { .. } => Code::LimitExceeded,
            _ => Code::Syntax,
        };
        let message = error.to_string().replacen("the request", "the document", 1);
        Diagnostic::new(code, "", message)
    })?;
    Ok(value_to_json(&value))
}

/// Takes a report about a signal: `status` is one of fallgate_signal_status.
///
/// `observed_at_ns` points to the monotonic time at which it was seen; NULL for now. NULL for `now`: the library reads the
/// clocks. Ownership: everything is read and not kept. NULL for `engine` or `signal`: FALLGATE_STATUS_NULL_POINTER.
/// Failure: nothing is refreshed. FALLGATE_STATUS_OBSERVATION_OLDER, _OBSERVATION_FUTURE, FALLGATE_STATUS_UNKNOWN_SIGNAL and
/// _NOT_OBSERVABLE are events too; FALLGATE_STATUS_OUT_OF_RANGE for a status that is none. Threads: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_observe(
    engine: *const fallgate_engine,
    signal: *const c_char,
    signal_length: usize,
    status: u32,
    observed_at_ns: *const u64,
    now: *const fallgate_now,
) -> fallgate_status {
    contained(|| {
        // SAFETY: the header's contracts of handles, texts and structs.
        let (host, signal, observed_at, now) = unsafe {
            let host = borrowed(engine, "engine")?;
            let signal = name(signal, signal_length)?;
            (host, signal, copied(observed_at_ns, "observed_at_ns")?, read(now)?)
        };
        let Some(status) = signal_status(status) else {
            return Err(Fault::new(fallgate_status::FALLGATE_STATUS_OUT_OF_RANGE, "`status` is no status"));
        };
        let mut observation = Observation::new(signal, status);
        if let Some(nanos) = observed_at {
            observation = observation.at(Monotonic::from_nanos(nanos));
        }
        match host.observe(&observation, now) {
            Observed::Taken => Ok(()),
            ignored => Err(Fault::new(fallgate_status::of_code(ignored.code()), "the observation was not taken")),
        }
    })
}

/// The name of a signal. A name that is too long names none, and is cut to where that can be seen.
unsafe fn name<'a>(data: *const c_char, length: usize) -> Result<&'a str, Fault> {
    // SAFETY: the header's contract of texts.
    unsafe { text(data, length, NAME_BYTES_MAX, "signal") }
}

/// Lets time alone do what is due: signals expire, a validity ends, clocks that have parted are found. A decision does
/// this by itself; a host calls it at fallgate_engine_next_deadline, so that events come in time.
///
/// NULL for `now`: the library reads the clocks. NULL for `engine`: FALLGATE_STATUS_NULL_POINTER. Threads: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_advance(
    engine: *const fallgate_engine,
    now: *const fallgate_now,
) -> fallgate_status {
    contained(|| {
        // SAFETY: the header's contracts of handles and structs.
        let (host, now) = unsafe { (borrowed(engine, "engine")?, read(now)?) };
        host.advance(now);
        Ok(())
    })
}

/// Takes the two clocks as they stand for right: the way out after they have parted.
///
/// NULL for `now`: the library reads the clocks. NULL for `engine`: FALLGATE_STATUS_NULL_POINTER. Threads: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_anchor_clocks(
    engine: *const fallgate_engine,
    now: *const fallgate_now,
) -> fallgate_status {
    contained(|| {
        // SAFETY: the header's contracts of handles and structs.
        let (host, now) = unsafe { (borrowed(engine, "engine")?, read(now)?) };
        host.anchor_clocks(now);
        Ok(())
    })
}

/// When fallgate_engine_advance is due at the latest, on the monotonic clock.
///
/// FALLGATE_STATUS_NONE, and nothing written, while time alone changes nothing. NULL: FALLGATE_STATUS_NULL_POINTER.
/// Ownership: the variable is the caller's. Threads: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_next_deadline(
    engine: *const fallgate_engine,
    monotonic_ns: *mut u64,
) -> fallgate_status {
    contained(|| {
        // SAFETY: the header's contracts of handles and out-parameters.
        let host = unsafe { borrowed(engine, "engine")? };
        // SAFETY: as above.
        unsafe { writable(monotonic_ns, "monotonic_ns")? };
        let due = host.next_deadline().ok_or_else(Fault::none)?;
        // SAFETY: looked at above.
        unsafe { monotonic_ns.write(due.as_nanos()) };
        Ok(())
    })
}

/// What an engine has counted since it was made.
///
/// NULL: FALLGATE_STATUS_NULL_POINTER. Ownership: the struct is the caller's. Threads: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_counters(
    engine: *const fallgate_engine,
    counters: *mut fallgate_counters,
) -> fallgate_status {
    contained(|| {
        // SAFETY: the header's contracts of handles and out-parameters.
        let host = unsafe { borrowed(engine, "engine")? };
        // SAFETY: as above.
        unsafe { writable(counters, "counters")? };
        let counted = host.counters();
        let counted = fallgate_counters {
            clock_went_back: counted.clock_went_back,
            events_dropped: counted.events_dropped,
            cached_decisions: counted.cached_decisions,
        };
        // SAFETY: looked at above.
        unsafe { counters.write(counted) };
        Ok(())
    })
}

/// What a signal is, as of the last call that told the engine the time.
///
/// FALLGATE_STATUS_NONE, and FALLGATE_SIGNAL_UNKNOWN written, where the active bundle has no such signal. NULL:
/// FALLGATE_STATUS_NULL_POINTER. Ownership: the name is read and not kept, the variable is the caller's. Threads: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_signal(
    engine: *const fallgate_engine,
    signal: *const c_char,
    signal_length: usize,
    status: *mut fallgate_signal_status,
) -> fallgate_status {
    contained(|| {
        // SAFETY: the header's contract of out-parameters.
        unsafe {
            writable(status, "status")?;
            status.write(fallgate_signal_status::FALLGATE_SIGNAL_UNKNOWN);
        }
        // SAFETY: the header's contracts of handles and texts.
        let (host, signal) = unsafe { (borrowed(engine, "engine")?, name(signal, signal_length)?) };
        let found = host.signal(signal).ok_or_else(Fault::none)?;
        // SAFETY: looked at above.
        unsafe { status.write(found.into()) };
        Ok(())
    })
}

/// The active bundle.
///
/// FALLGATE_STATUS_NONE, and nothing written, where none is active. NULL: FALLGATE_STATUS_NULL_POINTER.
/// Ownership: the struct is the caller's. Threads: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_bundle(
    engine: *const fallgate_engine,
    bundle: *mut fallgate_bundle,
) -> fallgate_status {
    contained(|| {
        // SAFETY: the header's contracts of handles and out-parameters.
        let host = unsafe { borrowed(engine, "engine")? };
        // SAFETY: as above.
        unsafe { writable(bundle, "bundle")? };
        let active = host.bundle().ok_or_else(Fault::none)?;
        let mut found = fallgate_bundle { revision: active.revision(), name: [0; 64], id: [0; 65] };
        crate::decision::put(&mut found.name, active.name());
        crate::decision::put(&mut found.id, &active.id().to_string());
        // SAFETY: looked at above.
        unsafe { bundle.write(found) };
        Ok(())
    })
}
