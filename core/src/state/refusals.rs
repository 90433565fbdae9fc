//! Refusals, told one by one until there are too many of them: noise must not drown out what happens.

use crate::time::{Monotonic, Ttl};

/// After what time refusals are told one by one again.
const WINDOW: Ttl = Ttl::from_secs(60);

/// What was refused of late, and how much of it was told.
#[derive(Clone, Copy, Debug)]
pub struct Refusals {
    told_max: u32,
    since: Monotonic,
    told: u32,
    untold: u64,
}

impl Refusals {
    /// None so far; at most `told_max` are told in a minute.
    #[must_use]
    pub const fn new(told_max: u32) -> Self {
        Self { told_max, since: Monotonic::ZERO, told: 0, untold: 0 }
    }

    /// Whether a refusal at `now` is told as an event, and how many were not told since the last one that was.
    pub fn tells(&mut self, now: Monotonic) -> Option<u64> {
        if now >= self.since.after(WINDOW) {
            (self.since, self.told) = (now, 0);
        }
        if self.told >= self.told_max {
            self.untold = self.untold.saturating_add(1);
            return None;
        }
        self.told = self.told.saturating_add(1);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_until_there_are_too_many() {
        let mut refusals = Refusals::new(16);
        let mut told = |seconds| refusals.tells(Monotonic::ZERO.after(Ttl::from_secs(seconds)));
        assert_eq!((0..16).map(|_| told(100)).collect::<Vec<_>>(), [Some(0); 16]);
        assert_eq!((told(100), told(159)), (None, None));
        assert_eq!(told(160), Some(2), "a minute later, with those that were not told");
        assert_eq!(told(160), Some(0));
    }
}
