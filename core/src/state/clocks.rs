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

/// The two clocks as the host read them, and not as the engine holds them: of a monotonic clock that went back a held time
/// would look as if the two had parted. So nobody asks with one by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading(Now);

impl Reading {
    /// What a host has brought with a call.
    #[must_use]
    pub const fn of(read: Now) -> Self {
        Self(read)
    }

    /// The reading as it came.
    #[must_use]
    pub const fn clocks(self) -> Now {
        self.0
    }
}

/// The two clocks as they stood together once: from then on they must move together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    at: Now,
    skew_max: Ttl,
    /// How far ahead of the monotonic clock the wall clock was found, at the most.
    ahead: Ttl,
}

impl Anchor {
    /// Clocks that agree as of now.
    #[must_use]
    pub const fn new(read: Reading, skew_max: Ttl) -> Self {
        Self { at: read.0, skew_max, ahead: Ttl::ZERO }
    }

    /// Whether the clocks have moved alike since, within the skew.
    #[must_use]
    pub fn agrees(&self, read: Reading) -> bool {
        self.lead(read).unsigned_abs() <= u128::from(self.skew_max.as_nanos())
    }

    /// Whether a reading shows what was not known: that the clocks have parted, or, where they had, that the wall clock is
    /// further ahead than it was found before, by more than the skew.
    #[must_use]
    pub fn is_left(&self, read: Reading, known_apart: bool) -> bool {
        if !known_apart {
            return !self.agrees(read);
        }
        self.lead(read) > i128::from(self.ahead.as_nanos()).saturating_add(i128::from(self.skew_max.as_nanos()))
    }

    /// Notes how far the wall clock is ahead, and gives by how much that is more than before: so long the monotonic clock
    /// may have stood still, as it does on some systems that sleep. In whole milliseconds, rounded up, as the engine decides.
    pub fn note(&mut self, read: Reading) -> Ttl {
        let lead = u64::try_from(self.lead(read).max(0)).unwrap_or(u64::MAX);
        let more = Monotonic::from_nanos(lead).rounded_up().as_nanos().saturating_sub(self.ahead.as_nanos());
        self.ahead = Ttl::from_nanos(self.ahead.as_nanos().saturating_add(more));
        Ttl::from_nanos(more)
    }

    /// By how many nanoseconds the wall clock has moved on further than the monotonic one.
    fn lead(&self, Reading(now): Reading) -> i128 {
        let moved = i128::from(now.monotonic.as_nanos()).saturating_sub(i128::from(self.at.monotonic.as_nanos()));
        let wall = i128::from(now.wall.as_nanos()).saturating_sub(i128::from(self.at.wall.as_nanos()));
        wall.saturating_sub(moved)
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
        let start = Reading(Now::new(Monotonic::from_millis(1_000), Wall::from_millis(1_000_000)));
        let anchor = Anchor::new(start, Ttl::from_secs(5));
        let at = |mono: u64, wall: i64| Reading(Now::new(Monotonic::from_millis(mono), Wall::from_millis(wall)));
        assert!(anchor.agrees(start));
        assert!(anchor.agrees(at(1_000, 1_005_000)));
        assert!(!anchor.agrees(at(1_000, 1_005_001)));
        assert!(!anchor.agrees(at(1_000, 994_999)));
        assert!(!anchor.agrees(at(28_801_000, 1_000_000)));
        assert!(!anchor.agrees(Reading(Now::new(Monotonic::NEVER, Wall::from_nanos(i64::MIN)))));
    }

    #[test]
    fn each_sleep_is_noted_once_and_a_wall_clock_that_goes_back_is_none() {
        let at = |mono: u64, wall: i64| Reading(Now::new(Monotonic::from_millis(mono), Wall::from_millis(wall)));
        let mut anchor = Anchor::new(at(1_000, 1_000_000), Ttl::from_secs(5));
        assert!(!anchor.is_left(at(1_000, 1_005_000), false), "within the skew");
        assert!(anchor.is_left(at(1_000, 1_060_000), false));
        assert_eq!(anchor.note(at(1_000, 1_060_000)), Ttl::from_secs(60));
        assert!(!anchor.is_left(at(2_000, 1_066_000), true), "a skew more");
        assert!(anchor.is_left(at(2_000, 1_066_001), true), "a second sleep");
        assert_eq!(anchor.note(at(2_000, 1_071_000)), Ttl::from_secs(10), "what is new of it");
        assert!(!anchor.is_left(at(3_000, 1_002_000), true), "the clocks agree again, and stay known to have parted");
        assert_eq!(anchor.note(at(3_000, 900_000)), Ttl::ZERO);
        assert_eq!(anchor.note(at(3_000, 1_072_000)), Ttl::ZERO, "as far as it was");
        let (mono, wall) = (Monotonic::from_millis(3_000), Wall::from_nanos(1_072_000_000_001));
        assert_eq!(anchor.note(Reading(Now::new(mono, wall))), Ttl::from_millis(1), "rounded up");
        assert!(anchor.is_left(Reading(Now::new(Monotonic::ZERO, Wall::from_nanos(i64::MAX))), true));
        assert!(
            anchor.note(Reading(Now::new(Monotonic::ZERO, Wall::from_nanos(i64::MAX)))) > Ttl::from_secs(1_000_000_000)
        );
        let mut far = Anchor::new(Reading(Now::new(Monotonic::NEVER, Wall::from_nanos(i64::MIN))), Ttl::ZERO);
        assert_eq!(far.note(Reading(Now::new(Monotonic::ZERO, Wall::from_nanos(i64::MAX)))), Ttl::from_nanos(u64::MAX));
    }
}
