//! Cached decisions: an earlier answer, used again while every fact that it rests on still holds (spec 1.7).
//!
//! An answer is found by its key, which is compared in full: a request that collides with another's hash costs time and
//! gains nothing. What an answer rests on is stamped on it; a stamp that has moved makes it unreachable at once, without
//! a walk over the cache. No look-up waits for a lock: a shard that somebody else holds counts as a miss.

use std::sync::{Mutex, MutexGuard};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::combine::Verdict;
use crate::decision::Particulars;
use crate::state::postures::Standing;
use crate::time::Monotonic;

/// What an answer rests on, besides time: equal stamps mean that nothing of it has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Which activation decided: a number that grows with each.
    pub activation: u64,
    /// The changes so far of the signals that the action requires.
    pub required: u64,
    /// The changes so far of the other signals that its rules read, and of the clock.
    pub read: u64,
    /// The posture of the request's scopes.
    pub posture: Standing,
    /// The changes so far of quarantines and revocations.
    pub quarantine: u64,
}

/// An earlier answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The verdict.
    pub verdict: Verdict,
    /// What goes with it.
    pub particulars: Particulars,
    /// When it was decided.
    pub decided_at: Monotonic,
    /// Until when it may be used again, exclusive.
    pub expires_at: Monotonic,
    /// Until when it may stand in under `serve_cached`, exclusive.
    pub stale_until: Monotonic,
    /// What it rests on.
    pub stamp: Stamp,
}

/// A cache bounded by count and by bytes.
#[derive(Debug)]
pub struct Cache {
    shards: Box<[Mutex<Shard>]>,
    seed: FixedState,
}

/// A part of the cache, under a lock of its own and on cache lines of its own, so that no neighbour disturbs it.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard {
    /// Positions in `entries`, by the hash of the key.
    positions: HashTable<u32>,
    entries: Vec<Entry>,
    /// Where the search for an entry to evict goes on (the CLOCK algorithm).
    hand: usize,
    /// Invariant: the sum of [`Entry::bytes`].
    bytes: usize,
    entries_max: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    key: Box<[u8]>,
    answer: Answer,
    /// Whether it was used since the hand last passed.
    used: bool,
}

impl Entry {
    /// What the request made it hold: its key, and what was said of it.
    fn bytes(&self) -> usize {
        let messages = self.answer.particulars.messages.as_deref().unwrap_or_default();
        self.key.len().saturating_add(messages.iter().map(|message| message.len()).sum())
    }
}

const SHARDS: usize = 16;

impl Cache {
    /// An empty cache; `entries_max` zero keeps it so. `seed` keeps the order of hashes from whoever sends requests.
    #[must_use]
    pub fn new(entries_max: usize, bytes_max: usize, seed: u64) -> Self {
        let shards = SHARDS.min(entries_max);
        let each = |total: usize| total.checked_div(shards).unwrap_or(0);
        let shard =
            || Mutex::new(Shard { entries_max: each(entries_max), bytes_max: each(bytes_max), ..Shard::default() });
        Self { shards: std::iter::repeat_with(shard).take(shards).collect(), seed: FixedState::with_seed(seed) }
    }

    /// The answer kept under this key, whatever it rests on: the caller looks at its stamp and its times.
    #[must_use]
    pub fn find(&self, key: &[u8]) -> Option<Answer> {
        let hash = self.hash(key);
        let mut shard = self.shard(hash)?;
        let position = shard.position(hash, key)?;
        let entry = shard.entries.get_mut(position)?;
        if !entry.used {
            entry.used = true;
        }
        Some(entry.answer.clone())
    }

    /// Keeps an answer under this key, in place of an earlier one.
    pub fn keep(&self, key: &[u8], answer: Answer) {
        let hash = self.hash(key);
        let Some(mut shard) = self.shard(hash) else { return };
        if let Some(entry) = shard.position(hash, key).and_then(|position| shard.entries.get_mut(position)) {
            let before = entry.bytes();
            entry.answer = answer;
            let after = entry.bytes();
            shard.bytes = shard.bytes.saturating_sub(before).saturating_add(after);
            // The answer says more than the one before: what was within the bound need not be now.
            while shard.bytes > shard.bytes_max && shard.evict() {}
            return;
        }
        shard.insert(Entry { hash, key: key.into(), answer, used: false });
    }

    /// How many answers are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        let lengths = self.shards.iter().filter_map(|shard| Some(shard.lock().ok()?.entries.len()));
        lengths.sum()
    }

    /// How many answers are kept, and how many bytes requests made them hold.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let sizes =
            self.shards.iter().filter_map(|shard| shard.lock().ok().map(|shard| (shard.entries.len(), shard.bytes)));
        sizes.fold((0, 0), |(entries, bytes), (more, held)| {
            (usize::saturating_add(entries, more), usize::saturating_add(bytes, held))
        })
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn hash(&self, key: &[u8]) -> u64 {
        use std::hash::{BuildHasher, Hasher};
        let mut hasher = self.seed.build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    /// The shard of a hash, unless somebody holds it, or a panic has left it half changed.
    fn shard(&self, hash: u64) -> Option<MutexGuard<'_, Shard>> {
        // The table uses the other end of the hash.
        let shards = u64::try_from(self.shards.len()).ok()?;
        let at = hash.checked_shr(48)?.checked_rem(shards)?;
        self.shards.get(usize::try_from(at).ok()?)?.try_lock().ok()
    }
}

impl Shard {
    fn position(&self, hash: u64, key: &[u8]) -> Option<usize> {
        let found = self.positions.find(hash, |position| self.at(*position).is_some_and(|entry| *entry.key == *key))?;
        usize::try_from(*found).ok()
    }

    fn at(&self, position: u32) -> Option<&Entry> {
        self.entries.get(usize::try_from(position).ok()?)
    }

    fn insert(&mut self, entry: Entry) {
        let bytes = entry.bytes();
        if bytes > self.bytes_max || self.entries_max == 0 {
            return;
        }
        while self.entries.len() >= self.entries_max || self.bytes.saturating_add(bytes) > self.bytes_max {
            if !self.evict() {
                return;
            }
        }
        let Ok(position) = u32::try_from(self.entries.len()) else { return };
        let hash = entry.hash;
        self.entries.push(entry);
        self.bytes = self.bytes.saturating_add(bytes);
        let entries = &self.entries;
        let rehash = |position: &u32| {
            usize::try_from(*position).ok().and_then(|position| entries.get(position)).map_or(0, |entry| entry.hash)
        };
        self.positions.insert_unique(hash, position, rehash);
    }

    /// Takes out the first entry from the hand on that was not used since the hand last passed it.
    fn evict(&mut self) -> bool {
        // After one round every entry is unused, so two rounds find one.
        for _ in 0..self.entries.len().saturating_mul(2) {
            if self.hand >= self.entries.len() {
                self.hand = 0;
            }
            match self.entries.get_mut(self.hand) {
                Some(entry) if entry.used => {
                    entry.used = false;
                    self.hand = self.hand.saturating_add(1);
                }
                Some(_) => {
                    self.remove(self.hand);
                    return true;
                }
                None => return false,
            }
        }
        false
    }

    /// Takes out the entry at `position`; the last entry moves there.
    fn remove(&mut self, position: usize) {
        let (Ok(here), Some(last)) = (u32::try_from(position), self.entries.len().checked_sub(1)) else { return };
        let Some(hash) = self.entries.get(position).map(|entry| entry.hash) else { return };
        if let Ok(found) = self.positions.find_entry(hash, |at| *at == here) {
            found.remove();
        }
        let removed = self.entries.swap_remove(position);
        self.bytes = self.bytes.saturating_sub(removed.bytes());
        if position != last
            && let (Some(moved), Ok(was)) = (self.entries.get(position), u32::try_from(last))
            && let Some(at) = self.positions.find_mut(moved.hash, |at| *at == was)
        {
            *at = here;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Reason;

    fn answer(number: u64) -> Answer {
        Answer {
            verdict: Verdict::deny(Reason::NoMatchingRule),
            particulars: Particulars::default(),
            decided_at: Monotonic::from_nanos(number),
            expires_at: Monotonic::NEVER,
            stale_until: Monotonic::ZERO,
            stamp: Stamp::default(),
        }
    }

    #[test]
    fn an_answer_that_says_more_than_the_one_before_stays_within_bounds() {
        let cache = Cache::new(16 * 100, 16 * 1_000, 7);
        let said = |length: usize| {
            let messages: crate::condition::rego::Messages = Some([Box::from("x".repeat(length))].into());
            Answer { particulars: Particulars { messages, ..Particulars::default() }, ..answer(0) }
        };
        for length in [0, 300] {
            for number in 0..1_000_u64 {
                cache.keep(&number.to_be_bytes(), said(length));
            }
        }
        for shard in &cache.shards {
            let shard = shard.lock().unwrap();
            let held: usize = shard.entries.iter().map(Entry::bytes).sum();
            assert!(held <= 1_000 && held == shard.bytes, "{held} {}", shard.bytes);
        }
    }

    #[test]
    fn count_and_bytes_stay_within_bounds_and_the_rest_is_found() {
        let cache = Cache::new(160, 16 * 1_000, 7);
        for number in 0..10_000_u64 {
            cache.keep(&number.to_be_bytes(), answer(number));
        }
        assert!(cache.len() <= 160, "{}", cache.len());
        assert!(cache.len() > 100, "eviction makes room for one, not for all");
        let found = (0..10_000_u64).filter_map(|number| Some((number, cache.find(&number.to_be_bytes())?)));
        let found: Vec<_> = found.collect();
        assert_eq!(found.len(), cache.len());
        assert!(found.iter().all(|(number, answer)| answer.decided_at == Monotonic::from_nanos(*number)));
    }

    #[test]
    fn a_key_beyond_the_bytes_is_not_kept() {
        let cache = Cache::new(160, 160, 7);
        cache.keep(&[0; 11], answer(0));
        assert!(cache.is_empty());
        cache.keep(&[0; 10], answer(0));
        assert_eq!(cache.len(), 1);
    }

    #[test]
    fn a_cache_of_nothing_keeps_nothing() {
        let cache = Cache::new(0, 1_000, 7);
        cache.keep(b"key", answer(0));
        assert!(cache.find(b"key").is_none());
    }

    #[test]
    fn the_newer_answer_replaces_the_older() {
        let cache = Cache::new(100, 10_000, 7);
        cache.keep(b"key", answer(1));
        cache.keep(b"key", answer(2));
        assert_eq!(cache.len(), 1);
        assert_eq!(cache.find(b"key").map(|answer| answer.decided_at), Some(Monotonic::from_nanos(2)));
    }
}
