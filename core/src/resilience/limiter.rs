//! A rate limiter: for each key so many calls in a time, and a burst of so many at once.
//!
//! It is the token bucket in the form of the generic cell rate algorithm (ITU-T I.371): one number a key, the time at which
//! its bucket is full again. A key whose bucket is full says nothing that a new one does not, so such keys are forgotten
//! first; where every key still says something and there is no room for another, another is refused.

use hashbrown::HashMap;

use crate::time::{Monotonic, Ttl};

/// How a limiter is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimiterSpec {
    /// How many calls a key has in each `per`: 1 to a million.
    pub calls: u32,
    /// The time that `calls` are for; above zero.
    pub per: Ttl,
    /// How many calls of a key may come at once: 1 to a million.
    pub burst: u32,
    /// How many keys are told apart: 1 to a million.
    pub keys_max: usize,
    /// How long a key may be, in bytes.
    pub key_bytes_max: usize,
}

/// What is wrong with a set-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("calls, burst and keys must be from 1 to a million, and the time long enough to hold the calls")]
pub struct LimiterSpecError;

/// Why a call is kept away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Limited {
    /// The key has used up what it has.
    #[error("the limit is used up")]
    UsedUp {
        /// When one call may come again.
        until: Monotonic,
    },
    /// There is no room to tell another key apart.
    #[error("too many keys are limited at once")]
    NoRoom,
    /// The key is too long.
    #[error("the key is too long")]
    KeyTooLong,
}

/// A rate limiter.
#[derive(Clone, Debug)]
pub struct Limiter {
    spec: LimiterSpec,
    /// What one call costs, in nanoseconds of filling.
    cost: u64,
    /// How far ahead of now a bucket may be empty.
    depth: u64,
    now: Monotonic,
    /// By key, when its bucket is full again.
    full_at: HashMap<Box<[u8]>, Monotonic, foldhash::fast::FixedState>,
    /// When buckets that are full were last forgotten, so that an attack with new keys does not make each call a search.
    swept_at: Option<Monotonic>,
}

const MILLION: u32 = 1_000_000;

impl Limiter {
    /// A limiter that has seen nothing. `seed` keeps the order of hashes from whoever chooses the keys.
    ///
    /// # Errors
    /// A set-up that means nothing.
    pub fn new(spec: LimiterSpec, seed: u64) -> Result<Self, LimiterSpecError> {
        let range = 1..=MILLION;
        let keys = usize::try_from(MILLION).unwrap_or(usize::MAX);
        let cost = spec.per.as_nanos().checked_div(u64::from(spec.calls)).unwrap_or(0);
        if !range.contains(&spec.calls)
            || !range.contains(&spec.burst)
            || !(1..=keys).contains(&spec.keys_max)
            || cost == 0
        {
            return Err(LimiterSpecError);
        }
        let depth = cost.checked_mul(u64::from(spec.burst)).ok_or(LimiterSpecError)?;
        let full_at = HashMap::with_hasher(foldhash::fast::FixedState::with_seed(seed));
        Ok(Self { spec, cost, depth, now: Monotonic::ZERO, full_at, swept_at: None })
    }

    /// Asks whether a call of this key may come, and counts it where it may.
    ///
    /// # Errors
    /// Why not, and where time alone helps, from when on.
    pub fn acquire(&mut self, key: &[u8], now: Monotonic) -> Result<(), Limited> {
        if key.len() > self.spec.key_bytes_max {
            return Err(Limited::KeyTooLong);
        }
        self.now = self.now.max(now);
        let now = self.now;
        let held = self.full_at.get(key).copied();
        let full_at = held.unwrap_or(now).max(now).after(Ttl::from_nanos(self.cost));
        if full_at == Monotonic::NEVER || full_at.nanos_since(now) > self.depth {
            let until = Monotonic::from_nanos(full_at.as_nanos().saturating_sub(self.depth));
            return Err(Limited::UsedUp { until });
        }
        if held.is_none() && self.full_at.len() >= self.spec.keys_max {
            self.sweep();
            if self.full_at.len() >= self.spec.keys_max {
                return Err(Limited::NoRoom);
            }
        }
        self.full_at.insert(key.into(), full_at);
        Ok(())
    }

    /// How many keys are told apart now.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.full_at.len()
    }

    fn sweep(&mut self) {
        let now = self.now;
        if self.swept_at.is_some_and(|at| now.nanos_since(at) < self.cost) {
            return;
        }
        self.swept_at = Some(now);
        self.full_at.retain(|_, full_at| *full_at > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Monotonic {
        Monotonic::from_millis(millis)
    }

    const SPEC: LimiterSpec =
        LimiterSpec { calls: 10, per: Ttl::from_secs(1), burst: 3, keys_max: 2, key_bytes_max: 8 };

    #[test]
    fn a_burst_and_then_the_rate() {
        let mut limiter = Limiter::new(SPEC, 0).unwrap();
        for _ in 0..3 {
            assert_eq!(limiter.acquire(b"a", at(0)), Ok(()));
        }
        assert_eq!(limiter.acquire(b"a", at(0)), Err(Limited::UsedUp { until: at(100) }));
        assert_eq!(limiter.acquire(b"a", at(99)), Err(Limited::UsedUp { until: at(100) }));
        assert_eq!(limiter.acquire(b"a", at(100)), Ok(()));
        assert!(limiter.acquire(b"a", at(100)).is_err());
        // In any second after the burst there are ten calls and no more.
        let through = (101..=1_100).filter(|millis| limiter.acquire(b"a", at(*millis)).is_ok()).count();
        assert_eq!(through, 10);
    }

    #[test]
    fn keys_have_limits_of_their_own_and_full_ones_are_forgotten_first() {
        let mut limiter = Limiter::new(SPEC, 0).unwrap();
        for _ in 0..3 {
            assert_eq!(limiter.acquire(b"a", at(0)), Ok(()));
        }
        assert_eq!(limiter.acquire(b"b", at(0)), Ok(()));
        assert_eq!(limiter.acquire(b"c", at(0)), Err(Limited::NoRoom));
        // What a new key brings must never free one that has used up what it has.
        assert!(limiter.acquire(b"a", at(0)).is_err());
        assert_eq!(limiter.acquire(b"c", at(100)), Ok(()));
        assert_eq!(limiter.keys(), 2);
        assert_eq!(limiter.acquire(b"longer than", at(100)), Err(Limited::KeyTooLong));
    }

    #[test]
    fn time_that_goes_back_fills_nothing() {
        let mut limiter = Limiter::new(SPEC, 0).unwrap();
        for _ in 0..3 {
            assert_eq!(limiter.acquire(b"a", at(5_000)), Ok(()));
        }
        assert_eq!(limiter.acquire(b"a", at(0)), Err(Limited::UsedUp { until: at(5_100) }));
        let mut end = Limiter::new(SPEC, 0).unwrap();
        assert!(end.acquire(b"a", Monotonic::NEVER).is_err());
    }

    #[test]
    fn a_set_up_that_means_nothing_is_refused() {
        for spec in [
            LimiterSpec { calls: 0, ..SPEC },
            LimiterSpec { burst: 0, ..SPEC },
            LimiterSpec { keys_max: 0, ..SPEC },
            LimiterSpec { per: Ttl::ZERO, ..SPEC },
            LimiterSpec { calls: 1_000_000, per: Ttl::from_nanos(999_999), ..SPEC },
            LimiterSpec { per: Ttl::from_nanos(u64::MAX), calls: 1, burst: 3, ..SPEC },
        ] {
            assert_eq!(Limiter::new(spec, 0).unwrap_err(), LimiterSpecError, "{spec:?}");
        }
    }
}
