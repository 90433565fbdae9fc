//! Retries: how long to wait before the next try, and when to stop trying.
//!
//! The wait grows exponentially and is drawn between zero and its bound ("full jitter"), so that the clients of a dependency
//! that comes back do not come back together. A budget shared by all calls keeps retries to a share of them: where most
//! calls fail, retries would be most of the load.

use crate::time::Ttl;

/// How retries are set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffSpec {
    /// The bound of the first wait; above zero.
    pub first: Ttl,
    /// The bound that no wait exceeds; not below `first`.
    pub longest: Ttl,
    /// How many retries one call may have: 1 to 100.
    pub retries: u32,
    /// How many retries there may be for 1,000 first tries, over all calls: 1 to 1,000.
    pub retries_per_mille: u32,
    /// How many retries may be saved up: 1 to 1,000.
    pub saved_max: u32,
}

/// What is wrong with a set-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("waits must be above zero and ordered, retries from 1 to 100, and the budget from 1 to 1000")]
pub struct BackoffSpecError;

/// Whether a failure may go away by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It will be the same next time: a refusal, a mistake of the caller. Never retried.
    Permanent,
    /// A timeout, a lost connection, an overload.
    Transient,
}

/// Why a call is not tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoRetry {
    /// The failure will be the same next time.
    #[error("the failure is permanent")]
    Permanent,
    /// The call has had all its retries.
    #[error("the call has had all its retries")]
    Exhausted,
    /// All calls together have had their share of retries.
    #[error("the budget of retries is used up")]
    Budget,
}

/// The retries of all calls to one dependency.
#[derive(Clone, Debug)]
pub struct Backoff {
    spec: BackoffSpec,
    /// Thousandths of a retry that are saved up.
    saved: u64,
    /// The state of the jitter: the same seed draws the same waits.
    state: u64,
}

/// One call and its retries so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    retried: u32,
}

impl Backoff {
    /// With a full budget; `seed` is what the jitter is drawn from.
    ///
    /// # Errors
    /// A set-up that means nothing.
    pub fn new(spec: BackoffSpec, seed: u64) -> Result<Self, BackoffSpecError> {
        let sound = spec.first > Ttl::ZERO
            && spec.longest >= spec.first
            && (1..=100).contains(&spec.retries)
            && (1..=1_000).contains(&spec.retries_per_mille)
            && (1..=1_000).contains(&spec.saved_max);
        if !sound {
            return Err(BackoffSpecError);
        }
        Ok(Self { spec, saved: u64::from(spec.saved_max).saturating_mul(1_000), state: seed })
    }

    /// Begins a call: its first try adds to the budget.
    pub fn begin(&mut self) -> Tries {
        let full = u64::from(self.spec.saved_max).saturating_mul(1_000);
        self.saved = self.saved.saturating_add(u64::from(self.spec.retries_per_mille)).min(full);
        Tries::default()
    }

    /// Whether no retry is saved up: the next one is refused.
    #[must_use]
    pub const fn used_up(&self) -> bool {
        self.saved < 1_000
    }

    /// How long to wait before the next try, after a failure.
    ///
    /// # Errors
    /// Why there is none.
    pub fn retry(&mut self, tries: &mut Tries, failure: Failure) -> Result<Ttl, NoRetry> {
        if failure == Failure::Permanent {
            return Err(NoRetry::Permanent);
        }
        if tries.retried >= self.spec.retries {
            return Err(NoRetry::Exhausted);
        }
        self.saved = self.saved.checked_sub(1_000).ok_or(NoRetry::Budget)?;
        let doubled = 1_u64.checked_shl(tries.retried).unwrap_or(u64::MAX);
        let bound = self.spec.first.as_nanos().saturating_mul(doubled).min(self.spec.longest.as_nanos());
        tries.retried = tries.retried.saturating_add(1);
        Ok(Ttl::from_nanos(self.drawn(bound)))
    }

    /// A number from zero to `bound`, both included, from the next state of the generator (SplitMix64, Steele et al. 2014).
    fn drawn(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        // The upper half of the product of the two: fair enough for a wait, and never above the bound.
        let product = u128::from(mixed).saturating_mul(u128::from(bound).saturating_add(1));
        u64::try_from(product >> 64).unwrap_or(bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: BackoffSpec = BackoffSpec {
        first: Ttl::from_millis(100),
        longest: Ttl::from_millis(1_000),
        retries: 6,
        retries_per_mille: 100,
        saved_max: 10,
    };

    #[test]
    fn waits_grow_to_their_bound_and_differ() {
        let mut widest = [0_u64; 6];
        for seed in 0..2_000 {
            let mut backoff = Backoff::new(SPEC, seed).unwrap();
            let mut tries = backoff.begin();
            for wait in &mut widest {
                *wait = (*wait).max(backoff.retry(&mut tries, Failure::Transient).unwrap().as_millis());
            }
            assert_eq!(backoff.retry(&mut tries, Failure::Transient), Err(NoRetry::Exhausted));
        }
        for (wait, bound) in widest.into_iter().zip([100, 200, 400, 800, 1_000, 1_000]) {
            assert!(wait <= bound && wait >= bound * 95 / 100, "{wait} of {bound}");
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_waits() {
        let waits = |seed| {
            let mut backoff = Backoff::new(SPEC, seed).unwrap();
            let mut tries = backoff.begin();
            [0; 6].map(|_: i32| backoff.retry(&mut tries, Failure::Transient).unwrap())
        };
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
    }

    #[test]
    fn what_is_permanent_is_never_retried_and_costs_nothing() {
        let mut backoff = Backoff::new(SPEC, 0).unwrap();
        let mut tries = backoff.begin();
        for _ in 0..100 {
            assert_eq!(backoff.retry(&mut tries, Failure::Permanent), Err(NoRetry::Permanent));
        }
        assert!(backoff.retry(&mut tries, Failure::Transient).is_ok());
    }

    #[test]
    fn retries_stay_a_share_of_the_first_tries() {
        let mut backoff = Backoff::new(SPEC, 0).unwrap();
        let mut retries = 0;
        for _ in 0..1_000 {
            let mut tries = backoff.begin();
            while backoff.retry(&mut tries, Failure::Transient).is_ok() {
                retries += 1;
            }
        }
        // What was saved at the start, and a tenth of a thousand.
        assert_eq!(retries, 10 + 100 - 1);
    }

    #[test]
    fn a_set_up_that_means_nothing_is_refused() {
        for spec in [
            BackoffSpec { first: Ttl::ZERO, ..SPEC },
            BackoffSpec { longest: Ttl::from_millis(99), ..SPEC },
            BackoffSpec { retries: 0, ..SPEC },
            BackoffSpec { retries_per_mille: 0, ..SPEC },
            BackoffSpec { saved_max: 0, ..SPEC },
        ] {
            assert_eq!(Backoff::new(spec, 0).unwrap_err(), BackoffSpecError, "{spec:?}");
        }
    }
}
