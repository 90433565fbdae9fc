//! A guard against replays: each key counts once within a window.
//!
//! For idempotency keys, nonces, one-time codes and statement ids. What was made before the window, or in the future, is
//! refused, so that forgetting a key with its window never lets it in again; where there is no room to remember another key,
//! another is refused.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use crate::time::{Ttl, Wall};

/// How a guard is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayGuardSpec {
    /// How old what a key stands for may be; above zero.
    pub window: Ttl,
    /// How far ahead of this machine's clock another's may be.
    pub skew: Ttl,
    /// How many keys are remembered.
    pub keys_max: usize,
    /// How long a key may be, in bytes.
    pub key_bytes_max: usize,
}

/// Why a key does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It was used before.
    #[error("it was used before")]
    Duplicate,
    /// It was made before the window.
    #[error("it is too old")]
    Expired,
    /// It was made in the future.
    #[error("it is from the future")]
    Future,
    /// There is no room to remember it.
    #[error("there is no room to remember it")]
    NoRoom,
    /// It is too long.
    #[error("it is too long")]
    KeyTooLong,
}

/// A guard against replays.
#[derive(Clone, Debug)]
pub struct ReplayGuard {
    spec: ReplayGuardSpec,
    /// The latest time seen: a clock that is set back forgets nothing and lets nothing in again.
    now: Wall,
    made_at: HashMap<Box<[u8]>, Wall, foldhash::fast::FixedState>,
    /// The same keys in the order of their times, to forget the oldest first.
    in_order: BTreeSet<(Wall, Box<[u8]>)>,
}

impl ReplayGuard {
    /// A guard that has seen nothing. `seed` keeps the order of hashes from whoever chooses the keys.
    #[must_use]
    pub fn new(spec: ReplayGuardSpec, seed: u64) -> Self {
        let made_at = HashMap::with_hasher(foldhash::fast::FixedState::with_seed(seed));
        Self { spec, now: Wall::from_nanos(i64::MIN), made_at, in_order: BTreeSet::new() }
    }

    /// Uses up a key that was made at `made_at`.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn take(&mut self, key: &[u8], made_at: Wall, now: Wall) -> Result<(), Refused> {
        if key.len() > self.spec.key_bytes_max {
            return Err(Refused::KeyTooLong);
        }
        self.now = self.now.max(now);
        let oldest = self.oldest();
        // Looked at before the rest: a replay is called one even where it is late as well.
        if self.made_at.contains_key(key) {
            return Err(Refused::Duplicate);
        }
        if made_at <= oldest {
            return Err(Refused::Expired);
        }
        if made_at > after(now, self.spec.skew) {
            return Err(Refused::Future);
        }
        while let Some((at, _)) = self.in_order.first()
            && *at <= oldest
        {
            if let Some((_, key)) = self.in_order.pop_first() {
                self.made_at.remove(&key);
            }
        }
        if self.made_at.len() >= self.spec.keys_max {
            return Err(Refused::NoRoom);
        }
        self.made_at.insert(key.into(), made_at);
        self.in_order.insert((made_at, key.into()));
        Ok(())
    }

    /// How many keys are remembered.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.made_at.len()
    }

    /// What was made then, or before, is too old.
    fn oldest(&self) -> Wall {
        let window = i64::try_from(self.spec.window.as_nanos()).unwrap_or(i64::MAX);
        Wall::from_nanos(self.now.as_nanos().saturating_sub(window))
    }
}

fn after(at: Wall, span: Ttl) -> Wall {
    Wall::from_nanos(at.as_nanos().saturating_add(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: i64) -> Wall {
        Wall::from_millis(millis)
    }

    const SPEC: ReplayGuardSpec =
        ReplayGuardSpec { window: Ttl::from_secs(10), skew: Ttl::from_secs(1), keys_max: 2, key_bytes_max: 8 };

    #[test]
    fn a_key_counts_once() {
        let mut guard = ReplayGuard::new(SPEC, 0);
        assert_eq!(guard.take(b"a", at(0), at(0)), Ok(()));
        assert_eq!(guard.take(b"a", at(0), at(9_999)), Err(Refused::Duplicate));
        assert_eq!(guard.take(b"a", at(5_000), at(5_000)), Err(Refused::Duplicate));
        // Out of the window it is forgotten, and too old to come back.
        assert_eq!(guard.take(b"b", at(10_000), at(10_000)), Ok(()));
        assert_eq!((guard.keys(), guard.take(b"a", at(0), at(10_000))), (1, Err(Refused::Expired)));
    }

    #[test]
    fn the_past_and_the_future_do_not_count() {
        let mut guard = ReplayGuard::new(SPEC, 0);
        assert_eq!(guard.take(b"a", at(11_001), at(10_000)), Err(Refused::Future));
        assert_eq!(guard.take(b"a", at(11_000), at(10_000)), Ok(()));
        assert_eq!(guard.take(b"b", at(0), at(10_000)), Err(Refused::Expired));
        assert_eq!(guard.take(b"b", at(1), at(10_000)), Ok(()));
    }

    #[test]
    fn a_clock_that_is_set_back_lets_nothing_in_again() {
        let mut guard = ReplayGuard::new(SPEC, 0);
        assert_eq!(guard.take(b"a", at(0), at(0)), Ok(()));
        assert_eq!(guard.take(b"b", at(20_000), at(20_000)), Ok(()));
        assert_eq!(guard.take(b"a", at(0), at(0)), Err(Refused::Expired));
    }

    #[test]
    fn without_room_another_key_does_not_count() {
        let mut guard = ReplayGuard::new(SPEC, 0);
        assert_eq!(guard.take(b"a", at(0), at(0)), Ok(()));
        assert_eq!(guard.take(b"b", at(0), at(0)), Ok(()));
        assert_eq!(guard.take(b"c", at(0), at(0)), Err(Refused::NoRoom));
        assert_eq!(guard.take(b"a", at(0), at(0)), Err(Refused::Duplicate));
        assert_eq!(guard.take(b"too long!", at(0), at(0)), Err(Refused::KeyTooLong));
        assert_eq!(guard.take(b"c", at(10_000), at(10_000)), Ok(()));
    }
}
