//! A bulkhead: at most so many calls to one dependency at a time, so that a slow one does not take every thread of its host.

use crate::time::{Monotonic, Ttl};

/// How a bulkhead is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkheadSpec {
    /// How many calls may be under way at once: 1 to [`CALLS_MAX`].
    pub calls: u32,
    /// After how long a call that was never released gives its place back; nothing for never.
    pub lease: Option<Ttl>,
}

/// The most calls that a bulkhead lets through at once.
pub const CALLS_MAX: u32 = 100_000;

/// What is wrong with a set-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there must be from 1 to {CALLS_MAX} calls at once, and a lease above zero, or none")]
pub struct BulkheadSpecError;

/// The right to be under way. It is used up by [`Bulkhead::release`].
#[derive(Debug, PartialEq, Eq, Hash)]
#[must_use = "a place that is not released is taken until its lease is over"]
pub struct Place(u64);

/// As many calls as there may be are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("as many calls as there may be are under way")]
pub struct Full {
    /// When the first lease ends, if leases do.
    pub until: Option<Monotonic>,
}

/// A bulkhead.
#[derive(Clone, Debug)]
pub struct Bulkhead {
    spec: BulkheadSpec,
    now: Monotonic,
    next: u64,
    /// The places that are taken, by number, each with the end of its lease; in the order in which they were taken, which is
    /// that of their ends too.
    taken: std::collections::VecDeque<(u64, Monotonic)>,
}

impl Bulkhead {
    /// An empty bulkhead.
    ///
    /// # Errors
    /// A set-up that lets nothing through, or more than the limit.
    pub fn new(spec: BulkheadSpec) -> Result<Self, BulkheadSpecError> {
        if !(1..=CALLS_MAX).contains(&spec.calls) || spec.lease == Some(Ttl::ZERO) {
            return Err(BulkheadSpecError);
        }
        Ok(Self { spec, now: Monotonic::ZERO, next: 0, taken: std::collections::VecDeque::new() })
    }

    /// Asks for a place.
    ///
    /// # Errors
    /// [`Full`], where there is none.
    pub fn acquire(&mut self, now: Monotonic) -> Result<Place, Full> {
        self.now = self.now.max(now);
        while self.taken.front().is_some_and(|(_, end)| *end <= self.now) {
            self.taken.pop_front();
        }
        if self.under_way() >= self.spec.calls {
            let until = self.taken.front().map(|(_, end)| *end).filter(|end| *end < Monotonic::NEVER);
            return Err(Full { until });
        }
        let end = self.spec.lease.map_or(Monotonic::NEVER, |lease| self.now.after(lease));
        let number = self.next;
        self.next = self.next.saturating_add(1);
        self.taken.push_back((number, end));
        Ok(Place(number))
    }

    /// Gives a place back. One whose lease is over was given back before.
    pub fn release(&mut self, place: Place) {
        let Place(number) = place;
        if let Ok(at) = self.taken.binary_search_by_key(&number, |(number, _)| *number) {
            self.taken.remove(at);
        }
    }

    /// How many calls are under way, those whose lease has ended since the last call included.
    #[must_use]
    pub fn under_way(&self) -> u32 {
        u32::try_from(self.taken.len()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Monotonic {
        Monotonic::from_millis(millis)
    }

    #[test]
    fn no_more_than_its_places_are_under_way() {
        let mut bulkhead = Bulkhead::new(BulkheadSpec { calls: 2, lease: None }).unwrap();
        let first = bulkhead.acquire(at(0)).unwrap();
        let _second = bulkhead.acquire(at(0)).unwrap();
        assert_eq!(bulkhead.acquire(Monotonic::from_millis(1_000_000)), Err(Full { until: None }));
        bulkhead.release(first);
        assert!(bulkhead.acquire(at(0)).is_ok());
        assert_eq!(bulkhead.under_way(), 2);
    }

    #[test]
    fn a_lease_that_is_over_gives_its_place_back_once() {
        let lease = Some(Ttl::from_millis(100));
        let mut bulkhead = Bulkhead::new(BulkheadSpec { calls: 1, lease }).unwrap();
        let late = bulkhead.acquire(at(0)).unwrap();
        assert_eq!(bulkhead.acquire(at(99)), Err(Full { until: Some(at(100)) }));
        let _holder = bulkhead.acquire(at(100)).unwrap();
        // The one that came too late must not free the place of another.
        bulkhead.release(late);
        assert!(bulkhead.acquire(at(101)).is_err());
        // Time that goes back ends no lease, and begins none in the past.
        assert!(bulkhead.acquire(at(0)).is_err());
    }

    #[test]
    fn a_set_up_that_means_nothing_is_refused() {
        for (calls, lease) in [(0, None), (CALLS_MAX + 1, None), (1, Some(Ttl::ZERO))] {
            assert_eq!(Bulkhead::new(BulkheadSpec { calls, lease }).unwrap_err(), BulkheadSpecError);
        }
    }
}
