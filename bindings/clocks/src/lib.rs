//! The two clocks of this machine, read together: what every face hands to the engine unless its host brings its own.
//!
//! The monotonic clock must go on while the machine sleeps: a signal that was observed before a suspension is stale after
//! it. On Linux and Android that is `CLOCK_BOOTTIME`; elsewhere it is what [`std::time::Instant`] reads, which stands
//! still on some systems while they sleep. There the engine finds that the two clocks have parted
//! (the signal `clock`), and makes what was reported older by the difference.

#![forbid(unsafe_code)]

use std::time::SystemTime;

use fallgate::time::{Monotonic, Now, Wall};

/// Reads both clocks.
///
/// The monotonic one counts from an origin that all threads and forked children of a process share; it says nothing to
/// another machine. The wall clock is cut to the range of [`Wall`].
#[must_use]
pub fn now() -> Now {
    Now::new(Monotonic::from_nanos(monotonic_ns()), Wall::from_nanos(wall_ns()))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn monotonic_ns() -> u64 {
    let reading = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(reading.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(reading.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[allow(clippy::disallowed_methods, reason = "this crate is where a face reads the clocks")]
fn monotonic_ns() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;

    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[allow(clippy::disallowed_methods, reason = "this crate is where a face reads the clocks")]
fn wall_ns() -> i64 {
    let cut = |nanos: u128| i64::try_from(nanos).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => cut(since.as_nanos()),
        Err(before) => cut(before.duration().as_nanos()).saturating_neg(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_does_not_go_back_and_the_wall_clock_is_of_this_century() {
        let mut before = now();
        assert!(before.wall.as_timestamp().to_string().starts_with("20"));
        for _ in 0..1_000 {
            let after = now();
            assert!(after.monotonic >= before.monotonic);
            before = after;
        }
    }
}
