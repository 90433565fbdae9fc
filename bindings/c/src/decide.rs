//! The decision call, on JSON and on arrays; and the texts that go with decisions: answers, explanations, events, drills.

use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bumpalo::Bump;
use fallgate::authzen::{self, Endpoint};
use fallgate::drill::Drill;
use fallgate::engine::Explanation;
use fallgate::time::Now;
use fallgate::{Decision, Engine, Request};

use crate::boundary::{Fault, borrowed, borrowed_mut, bytes, contained, copied, explained, text, writable};
use crate::decision::{fallgate_decision, fallgate_details};
use crate::engine::{document, fallgate_engine};
use crate::now::{fallgate_now, read};
use crate::request::{Room, fallgate_request, view};
use crate::status::{fallgate_effect, fallgate_status};
use crate::text::{fallgate_error, fallgate_text, given};

/// Decides on a request in arrays of the caller's, and returns the effect: FALLGATE_EFFECT_DENY is 0.
///
/// There is no error to handle: whatever goes wrong is a deny, with `reason` and `status` in `*decision`. An answer from the
/// cache allocates nothing, with details or without, while the request has at most 32 attributes.
/// Ownership: the request is read and not kept; the struct is the caller's, and what was in it is not looked at.
/// NULL for `decision`: a deny. NULL for `details`: no particulars are kept. NULL for `now`: the library reads the clocks.
/// Threads: any number at once, each with a decision and details of its own.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_decide(
    engine: *const fallgate_engine,
    request: *const fallgate_request,
    now: *const fallgate_now,
    decision: *mut fallgate_decision,
    details: *mut fallgate_details,
) -> fallgate_effect {
    // SAFETY: the header's contracts of handles, structs, arrays and out-parameters.
    unsafe {
        answered(engine, now, decision, details, |host, now| {
            let request = copied(request, "request")?.ok_or_else(|| {
                Fault::new(fallgate_status::FALLGATE_STATUS_NULL_POINTER, "`request` is NULL; pass a request")
            })?;
            let spill = Bump::new();
            let mut room = Room::new();
            Ok(match view(&request, &host.config().limits, &mut room, &spill) {
                Ok(view) => (fallgate_status::FALLGATE_STATUS_OK, host.decide_view(&view, now)),
                Err(refusal) => (refusal.status, host.refuse(&refusal.error, now)),
            })
        })
    }
}

/// Decides on the JSON of an AuthZEN evaluation request, and returns the effect: FALLGATE_EFFECT_DENY is 0.
///
/// There is no error to handle: bytes that are no request are a deny with the reason invalid_request, and more than the
/// limit are one with limit_exceeded. Reading JSON allocates; all else is as with fallgate_engine_decide.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_decide_json(
    engine: *const fallgate_engine,
    request: *const c_char,
    request_length: usize,
    now: *const fallgate_now,
    decision: *mut fallgate_decision,
    details: *mut fallgate_details,
) -> fallgate_effect {
    // SAFETY: the header's contracts of handles, structs, texts and out-parameters.
    unsafe {
        answered(engine, now, decision, details, |host, now| {
            let bytes = bounded(request, request_length, host.config().limits.request_bytes_max, "request")?;
            Ok((fallgate_status::FALLGATE_STATUS_OK, host.decide_json(bytes, now)))
        })
    }
}

/// The bytes of a request or an operation; of one that is too long only so many that the core sees that it is.
///
/// # Safety
/// As [`bytes`].
pub(crate) unsafe fn bounded<'a>(
    data: *const c_char,
    length: usize,
    max: usize,
    what: &str,
) -> Result<&'a [u8], Fault> {
    let seen = length.min(max.saturating_add(1));
    // SAFETY: this function's contract.
    unsafe { bytes(data, seen, usize::MAX, what) }
}

/// What both ways have in common: from handles to an answer in the caller's struct. What fails is a deny.
///
/// # Safety
/// The header's contracts of handles, structs and out-parameters.
unsafe fn answered(
    engine: *const fallgate_engine,
    now: *const fallgate_now,
    decision: *mut fallgate_decision,
    details: *mut fallgate_details,
    decide: impl FnOnce(&Engine, Now) -> Result<(fallgate_status, Decision), Fault>,
) -> fallgate_effect {
    // SAFETY: looking at the pointer needs nothing.
    if unsafe { writable(decision, "decision") }.is_err() {
        return fallgate_effect::FALLGATE_EFFECT_DENY;
    }
    let work = || -> Result<fallgate_effect, Fault> {
        // SAFETY: this function's contract.
        let kept = unsafe { if details.is_null() { None } else { Some(borrowed_mut(details, "details")?) } };
        let (kept, wanted) = match kept {
            Some(kept) => (kept, true),
            None => (&mut None, false),
        };
        // What a failure leaves is nothing, and never the decision before.
        *kept = None;
        // SAFETY: this function's contract.
        let (host, now) = unsafe { (borrowed(engine, "engine")?, read(now)?) };
        let (status, decided) = decide(host, now)?;
        // Written where the caller wants it, and only now: the request may have pointed into what was there.
        // SAFETY: not NULL and aligned, as looked at above; writable by this function's contract.
        let answer = unsafe {
            decision.write(fallgate_decision::NONE);
            &mut *decision
        };
        answer.tell(&decided);
        if status != fallgate_status::FALLGATE_STATUS_OK {
            (answer.status, answer.effect) = (status, fallgate_effect::FALLGATE_EFFECT_DENY);
        }
        let effect = answer.effect;
        if wanted {
            *kept = Some(decided);
        }
        Ok(effect)
    };
    let status = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(effect)) => return effect,
        Ok(Err(fault)) => fault.status,
        Err(_) => fallgate_status::FALLGATE_STATUS_INTERNAL_ERROR,
    };
    // SAFETY: not NULL and aligned, as looked at above; writable by this function's contract.
    unsafe { decision.write(fallgate_decision::refused(status)) };
    fallgate_effect::FALLGATE_EFFECT_DENY
}

/// Answers the JSON of an AuthZEN evaluation request with that of an evaluation response, and returns the effect.
///
/// Ownership: `*response` becomes the caller's, who frees it with fallgate_text_free; the request is read and not kept.
/// Failure: a deny. Where the engine itself could not be asked (NULL or no engine), `*response` is NULL. NULL for
/// `response`: a deny. NULL for `now`: the library reads the clocks. Threads: any number at once.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_evaluate(
    engine: *const fallgate_engine,
    request: *const c_char,
    request_length: usize,
    now: *const fallgate_now,
    response: *mut *mut fallgate_text,
) -> fallgate_effect {
    let mut effect = fallgate_effect::FALLGATE_EFFECT_DENY;
    // SAFETY: the header's contracts of handles, structs, texts and out-parameters.
    let status = unsafe {
        made(response, "response", || {
            let (host, now) = (borrowed(engine, "engine")?, read(now)?);
            let decision = host
                .decide_json(bounded(request, request_length, host.config().limits.request_bytes_max, "request")?, now);
            let response = decision.to_json_text();
            effect = decision.effect().into();
            Ok(response)
        })
    };
    match status {
        fallgate_status::FALLGATE_STATUS_OK => effect,
        _ => fallgate_effect::FALLGATE_EFFECT_DENY,
    }
}

/// Answers a request of the AuthZEN Authorization API 1.0 as a server would: an evaluation, a batch or a search, by the
/// path that HTTP has for it, such as "/access/v1/evaluations".
///
/// Returns the HTTP status that goes with the JSON in `*answer`: 200; 400 or 413 for a request that is none, 404 for a path
/// that is none, 500 where the engine failed, each with a text that says what is wrong. What is allowed is in the body
/// alone. 0, and NULL in `*answer`, where the engine could not be asked: NULL or no engine, a pointer that cannot be read.
/// Ownership: `*answer` becomes the caller's, who frees it with fallgate_text_free; the request is read and not kept.
/// NULL for `now`: the library reads the clocks. Threads: any number at once.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_authzen(
    engine: *const fallgate_engine,
    path: *const c_char,
    path_length: usize,
    request: *const c_char,
    request_length: usize,
    now: *const fallgate_now,
    answer: *mut *mut fallgate_text,
) -> u16 {
    let mut http_status = 0;
    // SAFETY: the header's contracts of handles, structs, texts and out-parameters.
    let status = unsafe {
        made(answer, "answer", || {
            let (host, now) = (borrowed(engine, "engine")?, read(now)?);
            let path = text(path, path_length, PATH_BYTES_MAX, "path").ok().and_then(Endpoint::from_path);
            let Some(endpoint) = path else {
                http_status = 404;
                return json_of(&"there is nothing at this path");
            };
            let bytes = bounded(request, request_length, endpoint.bytes_max(&host.config().limits), "request")?;
            let answer = authzen::answer(host, endpoint, bytes, now);
            http_status = answer.status;
            Ok(answer.body)
        })
    };
    match status {
        fallgate_status::FALLGATE_STATUS_OK => http_status,
        _ => 0,
    }
}

/// The longest path that is looked at.
const PATH_BYTES_MAX: usize = 1 << 10;

/// What an AuthZEN decision point at this address says of itself, as JSON: what a server has at
/// "/.well-known/authzen-configuration". The address, such as `https://pdp.example.com`, is never to be taken from a request.
///
/// Ownership: `*metadata` becomes the caller's, who frees it with fallgate_text_free. FALLGATE_STATUS_INVALID_VALUE, and NULL
/// in `*metadata`, for what is no http or https address. NULL: FALLGATE_STATUS_NULL_POINTER. Threads: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_authzen_metadata(
    address: *const c_char,
    address_length: usize,
    metadata: *mut *mut fallgate_text,
) -> fallgate_status {
    // SAFETY: the header's contracts of texts and out-parameters.
    unsafe {
        made(metadata, "metadata", || {
            let address = text(address, address_length, PATH_BYTES_MAX, "address")?;
            let metadata = authzen::metadata(address)
                .map_err(|error| Fault::new(fallgate_status::FALLGATE_STATUS_INVALID_VALUE, error.to_string()))?;
            Ok(metadata.to_string())
        })
    }
}

/// Puts a text into an out-parameter, or NULL where there is none.
///
/// # Safety
/// `place` is NULL or may be written to.
pub(crate) unsafe fn made(
    place: *mut *mut fallgate_text,
    what: &str,
    make: impl FnOnce() -> Result<String, Fault>,
) -> fallgate_status {
    contained(|| {
        // SAFETY: this function's contract.
        unsafe {
            writable(place, what)?;
            place.write(std::ptr::null_mut());
        }
        let text = given(make()?);
        // SAFETY: looked at above.
        unsafe { place.write(text) };
        Ok(())
    })
}

/// Explains what a decision on the JSON of a request would be, without an effect on anything: a JSON object with the
/// rules considered, the value of each part of their conditions, the signals, and what bounds the answer's life.
///
/// Ownership: `*explanation` becomes the caller's, who frees it with fallgate_text_free. A request that cannot be read has
/// an explanation too. NULL for `engine` or `explanation`: FALLGATE_STATUS_NULL_POINTER. NULL for `now`: the library reads
/// the clocks. Failure: `*explanation` is NULL. Threads: any number at once.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_explain(
    engine: *const fallgate_engine,
    request: *const c_char,
    request_length: usize,
    now: *const fallgate_now,
    explanation: *mut *mut fallgate_text,
) -> fallgate_status {
    // SAFETY: the header's contracts of handles, structs, texts and out-parameters.
    unsafe {
        made(explanation, "explanation", || {
            let (host, now) = (borrowed(engine, "engine")?, read(now)?);
            let explanation = match Request::from_json(
                bounded(request, request_length, host.config().limits.request_bytes_max, "request")?,
                &host.config().limits,
            ) {
                Ok(request) => host.explain(&request, now),
                Err(error) => {
                    let mut stopped = Explanation::default();
                    stopped.stopped = Some(error.to_string());
                    stopped
                }
            };
            json_of(&explanation)
        })
    }
}

fn json_of(value: &impl serde::Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| {
        Fault::new(fallgate_status::FALLGATE_STATUS_INTERNAL_ERROR, format!("the text cannot be written: {error}"))
    })
}

/// Takes the oldest event that was not polled yet: a JSON object with `event`, `at` and the event's particulars.
///
/// FALLGATE_STATUS_NONE, and NULL in `*event`, where there is none. NULL for `engine` or `event`:
/// FALLGATE_STATUS_NULL_POINTER, and no event is lost. Ownership: `*event` becomes the caller's, who frees it with
/// fallgate_text_free. Threads: any number at once; each event goes to one of them.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_poll_event(
    engine: *const fallgate_engine,
    event: *mut *mut fallgate_text,
) -> fallgate_status {
    // SAFETY: the header's contracts of handles and out-parameters.
    unsafe {
        made(event, "event", || {
            let host = borrowed(engine, "engine")?;
            let event = host.poll_event().ok_or_else(Fault::none)?;
            Ok(event.to_json().to_string())
        })
    }
}

/// Runs a drill, given as the JSON of its document, with the active bundle on an engine of its own: the one that is
/// passed decides nothing and hears nothing. The report is a JSON object with drill, passed, steps and decisions_hash.
///
/// FALLGATE_STATUS_OK says that the drill ran; whether it passed is in the report. FALLGATE_STATUS_NONE: no bundle is active.
/// Ownership: `*report` becomes the caller's, who frees it with fallgate_text_free; `*error` too, where `error` is not NULL
/// and the call fails. NULL for `engine` or `report`: FALLGATE_STATUS_NULL_POINTER. Failure: `*report` is NULL, and the
/// status is the code of the mistake. Threads: any number at once.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_engine_drill(
    engine: *const fallgate_engine,
    drill: *const c_char,
    drill_length: usize,
    report: *mut *mut fallgate_text,
    error: *mut *mut fallgate_error,
) -> fallgate_status {
    // SAFETY: the header's contracts of handles, texts and out-parameters.
    unsafe {
        explained(error, || {
            writable(report, "report")?;
            report.write(std::ptr::null_mut());
            let host = borrowed(engine, "engine")?;
            let most = host.config().limits.bundle_bytes_max;
            let document = document(bytes(drill, drill_length, most, "drill")?, most)?;
            let drill = Drill::from_document(&document, &host.config().limits)?;
            let bundle = host.bundle().ok_or_else(|| {
                Fault::new(fallgate_status::FALLGATE_STATUS_NONE, "no bundle is active; activate the one to rehearse")
            })?;
            report.write(given(drill.run(&bundle).to_json().to_string()));
            Ok(())
        })
    }
}
