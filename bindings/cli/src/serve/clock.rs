//! The two clocks of this machine, read together.

use std::time::SystemTime;

use fallgate::time::{Monotonic, Now, Wall};

/// Reads both clocks. The monotonic one goes on while the machine sleeps, where the system has such a clock: a signal that
/// was observed before is stale after.
pub(super) fn now() -> Now {
    Now::new(Monotonic::from_nanos(monotonic_ns()), Wall::from_nanos(wall_ns()))
}

#[cfg(target_os = "linux")]
fn monotonic_ns() -> u64 {
    let reading = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (seconds, nanos) = (u64::try_from(reading.tv_sec).unwrap_or(0), u64::try_from(reading.tv_nsec).unwrap_or(0));
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::disallowed_methods, reason = "a server is a host, and a host reads its clocks")]
fn monotonic_ns() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;

    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[allow(clippy::disallowed_methods, reason = "a server is a host, and a host reads its clocks")]
fn wall_ns() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
