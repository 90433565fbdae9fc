//! Texts and errors that the library hands out, each with one function that frees it.

use std::ffi::c_char;

use serde_json::{Value, json};

use crate::boundary::{Fault, Handle, borrowed, free, give};
use crate::status::fallgate_status;

/// A text that the library made and the caller frees with fallgate_text_free: UTF-8, with a NUL behind its last byte.
pub struct fallgate_text {
    _opaque: [u8; 0],
}

/// What is wrong with a call, for people and for programs; the caller frees it with fallgate_error_free.
pub struct fallgate_error {
    _opaque: [u8; 0],
}

/// Bytes with a NUL behind them.
pub(crate) struct Terminated(Box<[u8]>);

impl Terminated {
    fn new(text: String) -> Self {
        let mut bytes = text.into_bytes();
        bytes.push(0);
        Self(bytes.into())
    }

    fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}

impl Handle for fallgate_text {
    type Inner = Terminated;
    const NAME: &'static str = "fallgate_text";
    const MARK: u64 = 0x6661_6C6C_7465_7874;
}

/// The words of a fault.
pub(crate) struct ErrorText {
    status: fallgate_status,
    code: Terminated,
    message: Terminated,
    json: Terminated,
}

impl ErrorText {
    pub(crate) fn new(fault: Fault) -> Self {
        let diagnostics: Value = fault
            .diagnostics
            .iter()
            .map(|one| {
                let span = one.span.as_ref().map(|span| [span.start, span.end]);
                let (code, pointer) = (one.code.as_str(), &one.pointer);
                json!({ "code": code, "pointer": pointer, "span": span, "message": one.message, "help": one.help })
            })
            .collect();
        let code = fault.code.map_or_else(|| fault.status.code().to_string_lossy(), Into::into);
        Self {
            status: fault.status,
            code: Terminated::new(code.into_owned()),
            message: Terminated::new(fault.message),
            json: Terminated::new(diagnostics.to_string()),
        }
    }
}

impl Handle for fallgate_error {
    type Inner = ErrorText;
    const NAME: &'static str = "fallgate_error";
    const MARK: u64 = 0x6661_6C6C_6572_726F;
}

/// A text that becomes the caller's.
pub(crate) fn given(text: String) -> *mut fallgate_text {
    give(Terminated::new(text))
}

/// The bytes of a text, with a NUL behind the last one.
///
/// Ownership: the bytes are the text's and go with it. NULL or no text: NULL.
/// Threads: any number at once, while none frees the text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_text_data(text: *const fallgate_text) -> *const c_char {
    // SAFETY: the header's contract of handles.
    unsafe { borrowed(text, "text") }.map_or(std::ptr::null(), Terminated::as_ptr)
}

/// How many bytes a text has, without the NUL.
///
/// NULL or no text: 0. Threads: any number at once, while none frees the text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_text_length(text: *const fallgate_text) -> usize {
    // SAFETY: the header's contract of handles.
    unsafe { borrowed(text, "text") }.map_or(0, |text| text.0.len().saturating_sub(1))
}

/// Frees a text and sets the caller's variable to NULL.
///
/// NULL in the variable: nothing to do, FALLGATE_STATUS_OK. NULL for the variable itself: FALLGATE_STATUS_NULL_POINTER.
/// Threads: no other may use the text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_text_free(text: *mut *mut fallgate_text) -> fallgate_status {
    // SAFETY: the header's contract of handles.
    unsafe { free(text, "text") }
}

/// The status that the failed call returned.
///
/// NULL or no error: FALLGATE_STATUS_INTERNAL_ERROR. Threads: any number at once, while none frees the error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_error_status(error: *const fallgate_error) -> fallgate_status {
    // SAFETY: the header's contract of handles.
    unsafe { borrowed(error, "error") }.map_or(fallgate_status::FALLGATE_STATUS_INTERNAL_ERROR, |error| error.status)
}

/// The stable code of what is wrong, such as "not_stable": that of the status, or, where the status stands for many, as
/// FALLGATE_STATUS_OPERATION_REFUSED does, the particular one. docs/errors.md explains each. It ends with a NUL.
///
/// Ownership: the text is the error's and goes with it. NULL or no error: "internal_error", never NULL.
/// Threads: any number at once, while none frees the error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_error_code(error: *const fallgate_error) -> *const c_char {
    // SAFETY: the header's contract of handles.
    unsafe { borrowed(error, "error") }.map_or(c"internal_error".as_ptr(), |error| error.code.as_ptr())
}

/// One line for people: what is wrong, where, and how to repair it. It ends with a NUL.
///
/// Ownership: the text is the error's and goes with it. NULL or no error: a static text that says so, never NULL.
/// Threads: any number at once, while none frees the error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_error_message(error: *const fallgate_error) -> *const c_char {
    // SAFETY: the header's contract of handles.
    unsafe { borrowed(error, "error") }.map_or(c"no error was passed".as_ptr(), |error| error.message.as_ptr())
}

/// Every mistake in a policy as a JSON array of objects with code, pointer, span, message and help; empty where the
/// error is of another kind. It ends with a NUL.
///
/// Ownership: the text is the error's and goes with it. NULL or no error: "[]", never NULL.
/// Threads: any number at once, while none frees the error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_error_json(error: *const fallgate_error) -> *const c_char {
    // SAFETY: the header's contract of handles.
    unsafe { borrowed(error, "error") }.map_or(c"[]".as_ptr(), |error| error.json.as_ptr())
}

/// Frees an error and sets the caller's variable to NULL.
///
/// NULL in the variable: nothing to do, FALLGATE_STATUS_OK. NULL for the variable itself: FALLGATE_STATUS_NULL_POINTER.
/// Threads: no other may use the error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_error_free(error: *mut *mut fallgate_error) -> fallgate_status {
    // SAFETY: the header's contract of handles.
    unsafe { free(error, "error") }
}
