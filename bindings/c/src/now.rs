//! The two clocks: passed in, or read where NULL was passed.

use fallgate::time::{Monotonic, Now, Wall};

use crate::boundary::{Fault, contained, copied, writable};
use crate::status::fallgate_status;

/// A reading of the two clocks. Wherever a function takes one, NULL lets the library read them; a test passes its own.
/// Keep to one way for each engine: a clock that seems to go back is held at its highest reading.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct fallgate_now {
    /// Nanoseconds on a clock that never goes back, since a start of its own. Measures every time to live.
    pub monotonic_ns: u64,
    /// Nanoseconds since 1970-01-01T00:00:00Z. For validity dates and conditions that read `now`.
    pub wall_ns: i64,
}

impl From<Now> for fallgate_now {
    fn from(now: Now) -> Self {
        Self { monotonic_ns: now.monotonic.as_nanos(), wall_ns: now.wall.as_nanos() }
    }
}

/// The reading that was passed, or that of this moment.
///
/// # Safety
/// `now` is NULL, or points to a struct that can be read.
pub(crate) unsafe fn read(now: *const fallgate_now) -> Result<Now, Fault> {
    // SAFETY: this function's contract.
    Ok(match unsafe { copied(now, "now")? } {
        Some(now) => Now::new(Monotonic::from_nanos(now.monotonic_ns), Wall::from_nanos(now.wall_ns)),
        None => fallgate_clocks::now(),
    })
}

/// Reads the two clocks as the library does where NULL is passed for `now`: for a host that makes several calls of one
/// moment, or that counts down fallgate_engine_next_deadline.
///
/// Ownership: the struct is the caller's. NULL: FALLGATE_STATUS_NULL_POINTER. Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallgate_now_read(now: *mut fallgate_now) -> fallgate_status {
    contained(|| {
        // SAFETY: the header's contract of out-parameters.
        unsafe { writable(now, "now")? };
        // SAFETY: looked at above.
        unsafe { now.write(fallgate_clocks::now().into()) };
        Ok(())
    })
}
