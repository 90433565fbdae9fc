//! The two clocks, distrusted (spec 1.2).

use crate::concurrent::{AtomicU64, Ordering};
use crate::time::{Monotonic, Now, Ttl};

/// The highest monotonic time seen. Time that goes back is held here.
#[derive(Debug, Default)]
pub struct HighWater {
    seen: AtomicU64,
    went_back: AtomicU64,
}

impl HighWater {
    /// The time that counts for a reading: in whole milliseconds, rounded up, and never before an earlier one.
    ///
    /// The mark is written once a millisecond, not once a decision, so that threads do not fight for its cache line.
    pub fn hold(&self, reading: Monotonic) -> Monotonic {
        let rounded = reading.rounded_up();
        let seen = Monotonic::from_nanos(self.seen.load(Ordering::Relaxed));
        if rounded > seen {
            self.seen.fetch_max(rounded.as_nanos(), Ordering::Relaxed);
            return rounded;
        }
        if rounded < seen {
            self.went_back.fetch_add(1, Ordering::Relaxed);
        }
        seen
    }

    /// The time that would count for a reading which is not taken yet.
    pub fn would_hold(&self, reading: Monotonic) -> Monotonic {
        reading.rounded_up().max(self.latest())
    }

    /// The time that counts for now, without another reading.
    pub fn latest(&self) -> Monotonic {
        Monotonic::from_nanos(self.seen.load(Ordering::Relaxed))
    }

    /// How many readings were earlier than one before, by a millisecond or more.
    pub fn went_back(&self) -> u64 {
        self.went_back.load(Ordering::Relaxed)
    }
}

/// The two clocks as they stood together once: from then on they must move together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    at: Now,
    skew_max: Ttl,
}

impl Anchor {
    /// Clocks that agree as of now.
    #[must_use]
    pub const fn new(at: Now, skew_max: Ttl) -> Self {
        Self { at, skew_max }
    }

    /// Whether the clocks have moved alike since, within the skew.
    #[must_use]
    pub fn agrees(&self, now: Now) -> bool {
        let moved = i128::from(now.monotonic.as_nanos()).saturating_sub(i128::from(self.at.monotonic.as_nanos()));
        let wall = i128::from(now.wall.as_nanos()).saturating_sub(i128::from(self.at.wall.as_nanos()));
        moved.saturating_sub(wall).unsigned_abs() <= u128::from(self.skew_max.as_nanos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Wall;

    #[test]
    fn time_never_goes_back() {
        let high = HighWater::default();
        assert_eq!(high.hold(Monotonic::from_millis(5)), Monotonic::from_millis(5));
        assert_eq!(high.hold(Monotonic::from_nanos(4_999_999)), Monotonic::from_millis(5));
        assert_eq!(high.went_back(), 0, "the same millisecond");
        assert_eq!(high.hold(Monotonic::from_millis(1)), Monotonic::from_millis(5));
        assert_eq!(high.hold(Monotonic::ZERO), Monotonic::from_millis(5));
        assert_eq!(high.went_back(), 2);
        assert_eq!(high.latest(), Monotonic::from_millis(5));
        assert_eq!(high.would_hold(Monotonic::from_nanos(5_000_001)), Monotonic::from_millis(6));
        assert_eq!(high.would_hold(Monotonic::ZERO), Monotonic::from_millis(5));
        assert_eq!((high.latest(), high.went_back()), (Monotonic::from_millis(5), 2), "which was not taken");
        assert_eq!(high.hold(Monotonic::NEVER), Monotonic::NEVER);
    }

    #[test]
    fn clocks_agree_within_the_skew_in_both_directions() {
        let start = Now::new(Monotonic::from_millis(1_000), Wall::from_millis(1_000_000));
        let anchor = Anchor::new(start, Ttl::from_secs(5));
        let at = |mono: u64, wall: i64| Now::new(Monotonic::from_millis(mono), Wall::from_millis(wall));
        assert!(anchor.agrees(start));
        assert!(anchor.agrees(at(1_000, 1_005_000)));
        assert!(!anchor.agrees(at(1_000, 1_005_001)));
        assert!(!anchor.agrees(at(1_000, 994_999)));
        assert!(!anchor.agrees(at(28_801_000, 1_000_000)));
        assert!(!anchor.agrees(Now::new(Monotonic::NEVER, Wall::from_nanos(i64::MIN))));
    }
}
