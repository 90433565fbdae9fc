//! Time as an oracle: an input that costs too much is as bad as one that panics.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How much slower the instrumented build is than that of users, at the most. `docs/decisions/0033-fuzzing.md` has what was
/// measured.
const INSTRUMENTED: u32 = if cfg!(fuzzing) { 8 } else { 2 };

/// What this thread has computed so far: the wall clock would measure the neighbours.
fn spent() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs().try_into().unwrap_or(0))
}

/// Checks an input, and fails where that takes more than so many milliseconds of a build for users.
///
/// The first time may pay for what is made once, and for pages that were never touched, so what takes long is checked again:
/// three times in all, of which the quickest counts.
pub fn within(millis: u64, mut check: impl FnMut()) {
    let bound = Duration::from_millis(millis) * INSTRUMENTED;
    let mut took = Duration::MAX;
    for _ in 0..3 {
        let before = spent();
        check();
        took = took.min(spent().saturating_sub(before));
        if took <= bound {
            return;
        }
    }
    panic!("it takes {took:?}, and may take {bound:?}");
}
