//! How long decisions take, as the host measures it: the core reads no clock.

use std::sync::atomic::{AtomicU64, Ordering};

use super::counts::{PLACES, Places};
use crate::reason::Effect;

/// The upper bounds of the buckets, inclusive, in nanoseconds: from 250 ns, below which no decision is, to a second, above
/// which none should be.
pub const BOUNDS: [u64; 20] = [
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    1_000_000_000,
];

/// The buckets, and one for what is longer than the last bound.
const BUCKETS: usize = BOUNDS.len() + 1;

/// One histogram in one place.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Buckets {
    counts: [AtomicU64; BUCKETS],
    nanos: AtomicU64,
}

/// How long decisions took, by effect.
#[derive(Debug, Default)]
pub struct Latency {
    denies: [Buckets; PLACES],
    allows: [Buckets; PLACES],
    places: Places,
}

/// What a histogram comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// By bucket, those above the last bound at the end: how many decisions took as long.
    pub counts: [u64; BUCKETS],
    /// How long all of them took together.
    pub nanos: u64,
}

impl Latency {
    /// Takes note of how long a decision took.
    pub fn record(&self, effect: Effect, nanos: u64) {
        let Some(buckets) = self.of(effect).get(self.places.here()) else { return };
        let bucket = BOUNDS.partition_point(|bound| *bound < nanos);
        if let Some(count) = buckets.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        buckets.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// What was recorded so far of decisions with this effect.
    #[must_use]
    pub fn distribution(&self, effect: Effect) -> Distribution {
        let mut sum = Distribution::default();
        for buckets in self.of(effect) {
            for (sum, count) in sum.counts.iter_mut().zip(&buckets.counts) {
                *sum = sum.saturating_add(count.load(Ordering::Relaxed));
            }
            sum.nanos = sum.nanos.saturating_add(buckets.nanos.load(Ordering::Relaxed));
        }
        sum
    }

    const fn of(&self, effect: Effect) -> &[Buckets; PLACES] {
        match effect {
            Effect::Deny => &self.denies,
            Effect::Allow => &self.allows,
        }
    }
}

impl Distribution {
    /// How many decisions there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// How long they took on average, in seconds; nothing where there were none.
    #[must_use]
    pub fn mean_seconds(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.nanos as f64 / count as f64 / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let latency = Latency::default();
        for nanos in [0, 250, 251, 1_000_000_000, 1_000_000_001] {
            latency.record(Effect::Deny, nanos);
        }
        let denies = latency.distribution(Effect::Deny);
        let mut counts = [0; BUCKETS];
        (counts[0], counts[1], counts[BUCKETS - 2], counts[BUCKETS - 1]) = (2, 1, 1, 1);
        assert_eq!(denies.counts, counts);
        assert_eq!(denies.nanos, 2_000_000_502);
        assert_eq!(denies.count(), 5);
        assert_eq!(latency.distribution(Effect::Allow), Distribution::default());
    }

    #[test]
    fn the_mean_is_in_seconds() {
        let latency = Latency::default();
        latency.record(Effect::Allow, 1_000_000);
        latency.record(Effect::Allow, 3_000_000);
        assert_eq!(latency.distribution(Effect::Allow).mean_seconds(), Some(0.002));
        assert_eq!(latency.distribution(Effect::Deny).mean_seconds(), None);
    }
}
