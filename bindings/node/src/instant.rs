//! The two clocks: read here for the caller, or as a test says.

use fallgate::time::{Monotonic, Now, Wall};
use napi::bindgen_prelude::BigInt;
use napi_derive::napi;

use crate::failure::{Result, misuse};

/// The readings of a caller, or those of the machine where it gives none.
pub(crate) fn now(monotonic_ns: Option<&BigInt>, wall_ns: Option<&BigInt>) -> Result<Now> {
    match (monotonic_ns, wall_ns) {
        (None, None) => Ok(fallgate_clocks::now()),
        (Some(monotonic), Some(wall)) => Ok(Now::new(monotonic_of(monotonic)?, wall_of(wall)?)),
        _ => Err(misuse("`now` takes both `monotonicNs` and `wallNs`")),
    }
}

/// The two clocks of this machine: the monotonic one, then the wall clock.
#[napi(catch_unwind, ts_return_type = "[bigint, bigint]")]
pub fn machine_now() -> Vec<BigInt> {
    let now = fallgate_clocks::now();
    vec![BigInt::from(now.monotonic.as_nanos()), BigInt::from(now.wall.as_nanos())]
}

/// A reading of the monotonic clock.
pub(crate) fn monotonic_of(reading: &BigInt) -> Result<Monotonic> {
    match reading.get_u64() {
        (false, nanos, true) => Ok(Monotonic::from_nanos(nanos)),
        _ => Err(misuse("`monotonicNs` must be nanoseconds from 0n to 2n ** 64n - 1n")),
    }
}

fn wall_of(reading: &BigInt) -> Result<Wall> {
    match reading.get_i64() {
        (nanos, true) => Ok(Wall::from_nanos(nanos)),
        _ => Err(misuse("`wallNs` must be nanoseconds since 1970 that fit into 64 bits")),
    }
}
