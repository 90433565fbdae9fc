//! A decision in a struct of the caller's, and the particulars that have no fixed size.

use std::ffi::c_char;

use fallgate::Decision;

use crate::boundary::{Fault, Handle, borrowed, explained, free, give, writable, written};
use crate::now::fallgate_now;
use crate::status::{fallgate_effect, fallgate_reason, fallgate_status, reason_number};
use crate::text::fallgate_error;

/// The answer to a request: plain memory without pointers, which the caller owns and may copy. A zeroed one is a deny.
/// Texts are UTF-8 and end with a NUL.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fallgate_decision {
    /// What the decision does; the same as the function returned.
    pub effect: fallgate_effect,
    /// Why.
    pub reason: fallgate_reason,
    /// FALLGATE_STATUS_OK where the engine decided; else what was wrong with the call, and the effect is a deny.
    pub status: fallgate_status,
    /// How many obligations go with it. A host that cannot fulfil one of them must deny; fallgate_details_obligations
    /// has them.
    pub obligations: u32,
    /// How many required signals were not ok.
    pub degraded: u32,
    /// How many messages a deny set of Rego gave.
    pub messages: u32,
    /// Whether an earlier evaluation was used again.
    pub cached: bool,
    /// Whether the rule that decided declares that it may grant more when it knows less.
    pub information_loss: bool,
    /// The revision of the bundle that decided; 0 if there was none.
    pub revision: u64,
    /// For how long from `decided_at` the host may keep it, in whole milliseconds; 0 for not at all.
    pub expires_in_ms: u64,
    /// When it was decided; the monotonic reading is rounded up to whole milliseconds.
    pub decided_at: fallgate_now,
    /// The identifier, for logs.
    pub id: [c_char; 27],
    /// The reason's stable code.
    pub reason_code: [c_char; 32],
    /// The rule that decided; empty if none did.
    pub rule: [c_char; 64],
    /// The bundle that decided; empty if there was none.
    pub bundle: [c_char; 64],
    /// The posture that the request was under; empty if there was no bundle.
    pub posture: [c_char; 64],
    /// The override that allowed it, by the id of its proposal; empty if none did.
    pub override_id: [c_char; 65],
}

impl fallgate_decision {
    /// A decision that never was: a deny.
    pub(crate) const NONE: Self = Self {
        effect: fallgate_effect::FALLGATE_EFFECT_DENY,
        reason: fallgate_reason::FALLGATE_REASON_INTERNAL_ERROR,
        status: fallgate_status::FALLGATE_STATUS_INTERNAL_ERROR,
        obligations: 0,
        degraded: 0,
        messages: 0,
        cached: false,
        information_loss: false,
        revision: 0,
        expires_in_ms: 0,
        decided_at: fallgate_now { monotonic_ns: 0, wall_ns: 0 },
        id: [0; 27],
        reason_code: [0; 32],
        rule: [0; 64],
        bundle: [0; 64],
        posture: [0; 64],
        override_id: [0; 65],
    };

    /// A deny because of what was wrong with the call.
    pub(crate) fn refused(status: fallgate_status) -> Self {
        let mut refused = Self { status, ..Self::NONE };
        put(&mut refused.reason_code, "internal_error");
        refused
    }

    /// Says in a decision that never was what the engine decided.
    #[inline]
    pub(crate) fn tell(&mut self, decision: &Decision) {
        // A reason without a number of ours is one of a newer core: it cannot be told, so it does not allow.
        let Some(reason) = reason_number(decision.reason()) else {
            *self = Self::refused(fallgate_status::FALLGATE_STATUS_INTERNAL_ERROR);
            return;
        };
        self.effect = decision.effect().into();
        self.reason = reason;
        self.status = fallgate_status::FALLGATE_STATUS_OK;
        self.obligations = decision.obligations().len().try_into().unwrap_or(u32::MAX);
        self.degraded = decision.degraded().len().try_into().unwrap_or(u32::MAX);
        self.messages = decision.messages().len().try_into().unwrap_or(u32::MAX);
        self.cached = decision.cached();
        self.information_loss = decision.information_loss();
        self.revision = decision.revision();
        self.expires_in_ms = decision.expires_in_ms();
        self.decided_at = decision.at().into();
        put(&mut self.reason_code, decision.reason().code());
        put(&mut self.rule, decision.rule().unwrap_or_default());
        put(&mut self.bundle, decision.bundle());
        put(&mut self.posture, decision.posture());
        put(&mut self.override_id, decision.override_id().unwrap_or_default());
        put_bytes(&mut self.id, &decision.id().letters());
    }
}

/// Puts a text into an array of zeros that ends with one: names have at most 63 bytes, codes fewer than 32.
pub(crate) fn put(room: &mut [c_char], text: &str) {
    put_bytes(room, text.as_bytes());
}

fn put_bytes(room: &mut [c_char], bytes: &[u8]) {
    let length = bytes.len().min(room.len().saturating_sub(1));
    // SAFETY: so many bytes are in both, which do not overlap; `c_char` and `u8` have one layout.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), room.as_mut_ptr().cast::<u8>(), length) };
}

/// A place for the particulars of a decision: its obligations, the signals that were not ok, what was wrong with a
/// request, the whole as JSON. Make one for each thread and pass it to every decision; each replaces what was in it.
pub struct fallgate_details {
    _opaque: [u8; 0],
}

impl Handle for fallgate_details {
    type Inner = Option<Decision>;
    const NAME: &'static str = "fallgate_details";
    const MARK: u64 = 0x6661_6C6C_6465_7461;
}

/// Makes a place for particulars.
///
/// Ownership: `*details` becomes the caller's, who frees it with fallgate_details_free; `*error` too, where `error` is not
/// NULL and the call fails. NULL for `details`: FALLGATE_STATUS_NULL_POINTER. Threads: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_details_new(
    details: *mut *mut fallgate_details,
    error: *mut *mut fallgate_error,
) -> fallgate_status {
    // SAFETY: the header's contract of out-parameters.
    unsafe {
        explained(error, || {
            writable(details, "details")?;
            details.write(give(None));
            Ok(())
        })
    }
}

/// Frees a place for particulars and sets the caller's variable to NULL.
///
/// NULL in the variable: nothing to do, FALLGATE_STATUS_OK. NULL for the variable itself: FALLGATE_STATUS_NULL_POINTER.
/// Threads: no other may use it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_details_free(details: *mut *mut fallgate_details) -> fallgate_status {
    // SAFETY: the header's contract of handles.
    unsafe { free(details, "details") }
}

/// What `text` makes of the decision in `details`, written to the buffer; nothing is 0 and an empty text.
///
/// # Safety
/// `details` as the header says, `buffer` has `capacity` bytes or is NULL.
unsafe fn fetched(
    details: *const fallgate_details,
    buffer: *mut c_char,
    capacity: usize,
    text: impl FnOnce(&Decision) -> Option<String>,
) -> usize {
    let mut needed = 0;
    let work = || -> Result<(), Fault> {
        // SAFETY: this function's contract; an empty text first, so that a failure leaves no old one.
        unsafe { written("", buffer, capacity) };
        // SAFETY: the header's contract of handles.
        let decision = unsafe { borrowed(details, "details")? };
        if let Some(text) = decision.as_ref().and_then(text) {
            // SAFETY: this function's contract.
            needed = unsafe { written(&text, buffer, capacity) };
        }
        Ok(())
    };
    match crate::boundary::contained(work) {
        fallgate_status::FALLGATE_STATUS_OK => needed,
        _ => 0,
    }
}

/// The whole decision as the JSON of an AuthZEN evaluation response.
///
/// Gives how many bytes the text has without its NUL, and writes it where `capacity` is greater than that; where it is
/// not, an empty text, never a part. 0 where `details` is NULL or no details, or holds no decision.
/// Ownership: the buffer is the caller's; NULL with any capacity only asks for the length. Threads: one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_details_json(
    details: *const fallgate_details,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    // SAFETY: the header's contracts of handles and buffers.
    unsafe { fetched(details, buffer, capacity, |decision| Some(decision.to_json_text())) }
}

/// What the host has to do along with the decision, as a JSON array of objects with id, type and properties.
///
/// Gives and writes as fallgate_details_json does. Threads: one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_details_obligations(
    details: *const fallgate_details,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    // SAFETY: the header's contracts of handles and buffers.
    unsafe {
        fetched(details, buffer, capacity, |decision| {
            let obligations: serde_json::Value = decision.obligations().iter().map(|one| one.to_json()).collect();
            Some(obligations.to_string())
        })
    }
}

/// The name of a required signal that was not ok; `index` counts from 0 and is less than `degraded` of the decision.
///
/// Gives and writes as fallgate_details_json does; 0 where there is none of that index. Threads: one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_details_degraded(
    details: *const fallgate_details,
    index: usize,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    // SAFETY: the header's contracts of handles and buffers.
    unsafe {
        fetched(details, buffer, capacity, |decision| decision.degraded().get(index).map(|name| name.to_string()))
    }
}

/// A message that a deny set of Rego gave; `index` counts from 0 and is less than `messages` of the decision.
///
/// Gives and writes as fallgate_details_json does; 0 where there is none of that index. Threads: one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_details_message(
    details: *const fallgate_details,
    index: usize,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    // SAFETY: the header's contracts of handles and buffers.
    unsafe {
        fetched(details, buffer, capacity, |decision| decision.messages().get(index).map(|message| message.to_string()))
    }
}

/// What exactly was wrong with the request: names of attributes, never their values.
///
/// Gives and writes as fallgate_details_json does; 0 where there is nothing to say. Threads: one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_details_detail(
    details: *const fallgate_details,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    // SAFETY: the header's contracts of handles and buffers.
    unsafe { fetched(details, buffer, capacity, |decision| decision.detail().map(str::to_owned)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeroed_memory_is_a_deny() {
        // SAFETY: zero is a value of every field: of the enumerations, of `bool`, of the numbers.
        let zeroed: fallgate_decision = unsafe { std::mem::zeroed() };
        assert_eq!(format!("{zeroed:?}"), format!("{:?}", fallgate_decision::NONE));
    }

    #[test]
    fn a_default_decision_arrives_as_a_deny_with_its_reason() {
        let mut decision = fallgate_decision::NONE;
        decision.tell(&Decision::default());
        assert_eq!(decision.effect, fallgate_effect::FALLGATE_EFFECT_DENY);
        let text: Vec<u8> = decision.reason_code.iter().map(|letter| *letter as u8).collect();
        assert!(text.starts_with(b"internal_error\0"));
        assert!(decision.id.iter().take(26).all(|letter| *letter == b'0'.cast_signed() as c_char));
        assert_eq!(decision.id[26], 0);
    }
}
