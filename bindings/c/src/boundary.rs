//! What every function does with what comes over the boundary: look at pointers before they are followed, know a handle
//! by its mark, contain a panic.

use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;

use fallgate::engine::{ActivateError, LoadError};
use fallgate::error::{BundleError, Diagnostic};
use fallgate::operation::OperationError;

use crate::status::fallgate_status;
use crate::text::{ErrorText, fallgate_error};

/// What is wrong with a call, in its words and in its status.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) status: fallgate_status,
    /// The stable code, where the status alone does not tell it.
    pub(crate) code: Option<&'static str>,
    pub(crate) message: String,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Fault {
    pub(crate) fn new(status: fallgate_status, message: impl Into<String>) -> Self {
        Self { status, code: None, message: message.into(), diagnostics: Vec::new() }
    }

    fn null(what: &str) -> Self {
        Self::new(fallgate_status::FALLGATE_STATUS_NULL_POINTER, format!("`{what}` is NULL; pass a pointer"))
    }

    fn misaligned(what: &str) -> Self {
        let message = format!("`{what}` is not aligned for its type; pass the address of a whole object");
        Self::new(fallgate_status::FALLGATE_STATUS_MISALIGNED, message)
    }

    fn too_long(what: &str, length: usize, max: usize) -> Self {
        let message = format!("`{what}` is {length} bytes long, more than the {max} that it may be");
        Self::new(fallgate_status::FALLGATE_STATUS_TOO_LONG, message)
    }

    fn bad_handle(what: &str, kind: &str) -> Self {
        let message = format!("`{what}` is no {kind}; pass one that was given by this library and not freed since");
        Self::new(fallgate_status::FALLGATE_STATUS_BAD_HANDLE, message)
    }

    /// What a call gives where there is nothing to give.
    pub(crate) fn none() -> Self {
        Self::new(fallgate_status::FALLGATE_STATUS_NONE, "there is none")
    }
}

impl From<Diagnostic> for Fault {
    fn from(diagnostic: Diagnostic) -> Self {
        BundleError::from(diagnostic).into()
    }
}

impl From<BundleError> for Fault {
    fn from(error: BundleError) -> Self {
        let code = error.diagnostics().first().map(|first| first.code.as_str());
        Self {
            status: fallgate_status::of_code(code.unwrap_or_default()),
            code,
            message: error.to_string(),
            diagnostics: error.diagnostics().to_vec(),
        }
    }
}

impl From<ActivateError> for Fault {
    fn from(error: ActivateError) -> Self {
        Self::new(fallgate_status::of_code(error.code()), format!("{}: {error}", error.code()))
    }
}

impl From<LoadError> for Fault {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::NotActivated(error) => error.into(),
            LoadError::Refused(error) => error.into(),
            other => Self::new(fallgate_status::of_code(other.code()), other.to_string()),
        }
    }
}

impl From<OperationError> for Fault {
    fn from(error: OperationError) -> Self {
        let refused = Self::new(fallgate_status::FALLGATE_STATUS_OPERATION_REFUSED, error.to_string());
        Self { code: Some(error.code()), ..refused }
    }
}

/// Runs what a function does, and tells how it went. A panic ends here.
pub(crate) fn contained(work: impl FnOnce() -> Result<(), Fault>) -> fallgate_status {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => fallgate_status::FALLGATE_STATUS_OK,
        Ok(Err(fault)) => fault.status,
        Err(_) => fallgate_status::FALLGATE_STATUS_INTERNAL_ERROR,
    }
}

/// The same, with the fault put where the caller wants it: NULL there after a success.
///
/// # Safety
/// `error` is NULL, or may be written to.
pub(crate) unsafe fn explained(
    error: *mut *mut fallgate_error,
    work: impl FnOnce() -> Result<(), Fault>,
) -> fallgate_status {
    if !error.is_null() && !error.is_aligned() {
        return fallgate_status::FALLGATE_STATUS_MISALIGNED;
    }
    let fault = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => None,
        Ok(Err(fault)) => Some(fault),
        Err(_) => {
            let message = "the library met a panic; report it with what was passed in";
            Some(Fault::new(fallgate_status::FALLGATE_STATUS_INTERNAL_ERROR, message))
        }
    };
    let status = fault.as_ref().map_or(fallgate_status::FALLGATE_STATUS_OK, |fault| fault.status);
    if !error.is_null() {
        let given = fault.map_or(std::ptr::null_mut(), |fault| give(ErrorText::new(fault)));
        // SAFETY: not NULL and aligned, as looked at above; writable, as this function's contract says.
        unsafe { error.write(given) };
    }
    status
}

/// An opaque type of the header, and what stands behind it.
pub(crate) trait Handle: Sized {
    /// What the handle leads to.
    type Inner;
    /// The name in the header.
    const NAME: &'static str;
    /// The first word of every living handle of this kind.
    const MARK: u64;
}

/// The first word of a handle that was freed.
const FREED: u64 = 0xDEAD_0FA1_16A7_EDEA;

/// What a handle points to. The mark comes first, so that it can be read before anything else is believed.
#[repr(C)]
pub(crate) struct Marked<T> {
    mark: u64,
    inner: T,
}

/// Hands something over to the caller.
pub(crate) fn give<H: Handle>(inner: H::Inner) -> *mut H {
    Box::into_raw(Box::new(Marked { mark: H::MARK, inner })).cast()
}

/// The address behind a handle, once its pointer and its mark were looked at.
///
/// # Safety
/// `handle` is NULL, or points to at least eight bytes that can be read. That a freed handle is found out is luck that
/// this makes likely: the memory may be another's by then.
unsafe fn known<H: Handle>(handle: *const H, what: &str) -> Result<*mut Marked<H::Inner>, Fault> {
    let place = handle.cast::<Marked<H::Inner>>();
    if place.is_null() {
        return Err(Fault::null(what));
    }
    if !place.is_aligned() {
        return Err(Fault::misaligned(what));
    }
    // SAFETY: not NULL, aligned, and readable by this function's contract. The mark is the first field of `repr(C)`.
    let mark = unsafe { place.cast::<u64>().read_volatile() };
    if mark != H::MARK {
        return Err(Fault::bad_handle(what, H::NAME));
    }
    Ok(place.cast_mut())
}

/// What stands behind a handle that stays the caller's.
///
/// # Safety
/// As [`known`]; and nobody frees the handle, or changes what is behind it, for `'a`.
pub(crate) unsafe fn borrowed<'a, H: Handle>(handle: *const H, what: &str) -> Result<&'a H::Inner, Fault> {
    // SAFETY: this function's contract; the mark says that a whole `Marked` of this kind stands there.
    unsafe { known(handle, what).map(|place| &(*place).inner) }
}

/// The same, to be changed.
///
/// # Safety
/// As [`borrowed`], and no other thread uses the handle for `'a`.
pub(crate) unsafe fn borrowed_mut<'a, H: Handle>(handle: *mut H, what: &str) -> Result<&'a mut H::Inner, Fault> {
    // SAFETY: as in `borrowed`; exclusive by this function's contract.
    unsafe { known(handle.cast_const(), what).map(|place| &mut (*place).inner) }
}

/// Frees a handle and puts NULL in its place, so that the caller cannot free it twice by the same variable.
///
/// # Safety
/// `place` is NULL or may be read and written; `*place` is NULL or as in [`known`]; no other thread uses the handle.
pub(crate) unsafe fn free<H: Handle>(place: *mut *mut H, what: &str) -> fallgate_status {
    contained(|| {
        // SAFETY: this function's contract.
        unsafe { writable(place, what)? };
        // SAFETY: as above.
        let handle = unsafe { place.read() };
        if handle.is_null() {
            return Ok(());
        }
        // SAFETY: this function's contract.
        let marked = unsafe { known(handle.cast_const(), what)? };
        // SAFETY: the mark says that `give` made it, and it is this thread's alone. The mark goes first, so that a
        // second variable with the same address is found out while the memory is nobody's.
        unsafe {
            place.write(std::ptr::null_mut());
            (&raw mut (*marked).mark).write_volatile(FREED);
            drop(Box::from_raw(marked));
        }
        Ok(())
    })
}

/// That something can be written to a place of the caller's.
///
/// # Safety
/// None is needed for looking; what it allows is as safe as the caller's promise that the memory is there.
pub(crate) unsafe fn writable<T>(place: *mut T, what: &str) -> Result<(), Fault> {
    match (place.is_null(), place.is_aligned()) {
        (true, _) => Err(Fault::null(what)),
        (_, false) => Err(Fault::misaligned(what)),
        _ => Ok(()),
    }
}

/// A struct of the caller's, copied; nothing for NULL.
///
/// # Safety
/// `place` is NULL, or points to a `T` that can be read.
pub(crate) unsafe fn copied<T: Copy>(place: *const T, what: &str) -> Result<Option<T>, Fault> {
    match (place.is_null(), place.is_aligned()) {
        (true, _) => Ok(None),
        (_, false) => Err(Fault::misaligned(what)),
        // SAFETY: not NULL, aligned, readable by this function's contract.
        _ => Ok(Some(unsafe { place.read() })),
    }
}

/// An array of the caller's: empty where the count is zero, whatever the pointer.
///
/// # Safety
/// Where `count` is not zero and at most `max`, `data` is NULL, misaligned, or points to so many `T` that stay as they
/// are for `'a`.
pub(crate) unsafe fn array<'a, T>(data: *const T, count: usize, max: usize, what: &str) -> Result<&'a [T], Fault> {
    if count == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(Fault::null(what));
    }
    if !data.is_aligned() {
        return Err(Fault::misaligned(what));
    }
    // No object is larger than `isize::MAX` bytes.
    let possible = isize::MAX.unsigned_abs().checked_div(size_of::<T>()).unwrap_or(0);
    if count > max.min(possible) {
        return Err(Fault::too_long(what, count, max.min(possible)));
    }
    // SAFETY: looked at above, and this function's contract.
    Ok(unsafe { slice::from_raw_parts(data, count) })
}

/// Bytes of the caller's.
///
/// # Safety
/// As [`array`].
pub(crate) unsafe fn bytes<'a>(data: *const c_char, length: usize, max: usize, what: &str) -> Result<&'a [u8], Fault> {
    // SAFETY: this function's contract; `char` and `u8` have one layout.
    unsafe { array(data.cast::<u8>(), length, max, what) }
}

/// A text of the caller's.
///
/// # Safety
/// As [`array`].
pub(crate) unsafe fn text<'a>(data: *const c_char, length: usize, max: usize, what: &str) -> Result<&'a str, Fault> {
    // SAFETY: this function's contract.
    let bytes = unsafe { bytes(data, length, max, what)? };
    str::from_utf8(bytes).map_err(|error| {
        let message = format!("`{what}` is not UTF-8 at byte {}", error.valid_up_to());
        Fault::new(fallgate_status::FALLGATE_STATUS_NOT_UTF8, message)
    })
}

/// Puts a text and a NUL into a caller's buffer: the whole of it, or an empty text where it has no room. Gives the bytes
/// of the text without the NUL, so that a caller who had too little room knows how much is needed.
///
/// # Safety
/// `buffer` is NULL, or `capacity` bytes may be written there.
pub(crate) unsafe fn written(text: &str, buffer: *mut c_char, capacity: usize) -> usize {
    if !buffer.is_null() && capacity > 0 {
        let length = if text.len() < capacity { text.len() } else { 0 };
        // SAFETY: `length + 1` is at most `capacity`; the caller's buffer is not part of our text.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr(), buffer.cast::<u8>(), length);
            buffer.add(length).write(0);
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_internal_error() {
        let status = contained(|| panic!("a panic that a test asked for"));
        assert_eq!(status, fallgate_status::FALLGATE_STATUS_INTERNAL_ERROR);
        let mut error = std::ptr::null_mut();
        // SAFETY: the pointer is to a variable.
        let status = unsafe { explained(&raw mut error, || panic!("a panic that a test asked for")) };
        assert_eq!(status, fallgate_status::FALLGATE_STATUS_INTERNAL_ERROR);
        // SAFETY: as above; `explained` gave the handle.
        let freed = unsafe { free(&raw mut error, "error") };
        assert_eq!((freed, error.is_null()), (fallgate_status::FALLGATE_STATUS_OK, true));
    }

    #[test]
    fn a_text_without_room_is_empty_and_not_cut() {
        let mut buffer = [1_i8; 4].map(|byte| byte as c_char);
        // SAFETY: the buffer has the room that is named.
        let needed = unsafe { [written("four", buffer.as_mut_ptr(), 4), written("abc", buffer.as_mut_ptr(), 0)] };
        assert_eq!((needed, buffer[0]), ([4, 3], 0));
        // SAFETY: as above.
        let needed = unsafe { written("abc", buffer.as_mut_ptr(), 4) };
        assert_eq!((needed, buffer), (3, [b'a', b'b', b'c', 0].map(|byte| byte as c_char)));
    }
}
