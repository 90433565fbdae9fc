//! Cached decisions: an earlier answer, used again while every fact that it rests on still holds (spec 1.7).
//!
//! An answer is found by its key, which is compared in full: a request that collides with another's hash costs time and
//! gains nothing. What an answer rests on is stamped on it; a stamp that has moved makes it unreachable at once, without
//! a walk over the cache. A look-up takes no lock and writes nothing that another thread reads, but for the mark of an
//! answer that was not used for a round. Whoever keeps an answer waits for nobody either: where somebody else is changing
//! that shard, the answer is not kept.

use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

use foldhash::fast::FixedState;

use crate::combine::Verdict;
use crate::concurrent::{AtomicBool, Collector, Equivalent, HashMap, LocalGuard, Mutex, MutexGuard, Ordering, table};
use crate::decision::Particulars;
use crate::faults::point;
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
    shards: Box<[Shard]>,
    /// Frees an answer that was taken out once nobody reads it any more.
    collector: Arc<Collector>,
    seed: FixedState,
}

/// A part of the cache.
#[derive(Debug)]
struct Shard {
    /// Read by whoever looks an answer up; changed under the lock of `order` alone.
    entries: HashMap<Arc<Key>, Entry, BuildHasherDefault<Hashed>>,
    order: Mutex<Order>,
}

/// The keys of a shard in the order of eviction, and its bounds. On cache lines of its own: who keeps an answer disturbs
/// no look-up by it.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Order {
    /// Invariant: the keys of the shard's entries, each once.
    keys: Vec<Arc<Key>>,
    /// Where the search for an entry to evict goes on (the CLOCK algorithm).
    hand: usize,
    /// Invariant: the sum of what its entries were made to hold: [`held`].
    bytes: usize,
    entries_max: usize,
    bytes_max: usize,
}

/// A key, and its hash.
#[derive(Debug, PartialEq, Eq)]
struct Key {
    hash: u64,
    bytes: Box<[u8]>,
}

/// A key that is looked for.
#[derive(Clone, Copy)]
struct Sought<'k> {
    hash: u64,
    bytes: &'k [u8],
}

#[derive(Debug)]
struct Entry {
    answer: Answer,
    /// Whether it was used since the hand last passed.
    used: AtomicBool,
}

impl Entry {
    const fn new(answer: Answer) -> Self {
        Self { answer, used: AtomicBool::new(false) }
    }
}

/// What a request made an answer hold: its key, and what was said of it.
fn held(key: &[u8], answer: &Answer) -> usize {
    let messages = answer.particulars.messages.as_deref().unwrap_or_default();
    key.len().saturating_add(messages.iter().map(|message| message.len()).sum())
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hash for Sought<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Equivalent<Arc<Key>> for Sought<'_> {
    fn equivalent(&self, key: &Arc<Key>) -> bool {
        self.hash == key.hash && *self.bytes == *key.bytes
    }
}

impl Key {
    const fn sought(&self) -> Sought<'_> {
        Sought { hash: self.hash, bytes: &self.bytes }
    }
}

/// Passes a hash on that a key brings with it, so that no key is hashed twice.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Keys bring one number; what else may come is mixed in, so that this stays a hash.
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = self.0.rotate_left(5) ^ number;
    }
}

const SHARDS: usize = 16;

impl Cache {
    /// An empty cache; `entries_max` zero keeps it so. `seed` keeps the order of hashes from whoever sends requests.
    #[must_use]
    pub fn new(entries_max: usize, bytes_max: usize, seed: u64) -> Self {
        let shards = SHARDS.min(entries_max);
        let each = |total: usize| total.checked_div(shards).unwrap_or(0);
        let collector = Arc::new(Collector::new());
        let shard = || Shard {
            entries: table(&collector, BuildHasherDefault::default()),
            order: Mutex::new(Order { entries_max: each(entries_max), bytes_max: each(bytes_max), ..Order::default() }),
        };
        let shards = std::iter::repeat_with(shard).take(shards).collect();
        Self { shards, collector, seed: FixedState::with_seed(seed) }
    }

    /// The answer kept under this key, whatever it rests on: the caller looks at its stamp and its times.
    #[must_use]
    pub fn find(&self, key: &[u8]) -> Option<Answer> {
        let sought = self.sought(key);
        let shard = self.shard(sought.hash)?;
        let guard = self.collector.enter();
        let entry = shard.entries.get(&sought, &guard)?;
        // Written once in a round of the hand, not once in a look-up: threads that find the same answer share its line.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(entry.answer.clone())
    }

    /// Keeps an answer under this key, in place of an earlier one.
    pub fn keep(&self, key: &[u8], answer: Answer) {
        let sought = self.sought(key);
        let Some(shard) = self.shard(sought.hash) else { return };
        // Somebody else holds it, or a panic has left it half changed.
        let Ok(mut order) = shard.order.try_lock() else { return };
        let guard = self.collector.enter();
        point("cache: keep");
        match shard.entries.get_key_value(&sought, &guard) {
            Some((kept, before)) => {
                let (before, after) = (held(key, &before.answer), held(key, &answer));
                shard.entries.insert(Arc::clone(kept), Entry::new(answer), &guard);
                point("cache: replaced");
                order.bytes = order.bytes.saturating_sub(before).saturating_add(after);
                // The answer says more than the one before: what was within the bound need not be now.
                while order.bytes > order.bytes_max && shard.evict(&mut order, &guard) {}
            }
            None => shard.insert(&mut order, sought, answer, &guard),
        }
    }

    /// How many answers are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.size().0
    }

    /// How many answers are kept, and how many bytes requests made them hold.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let sizes = self.shards.iter().filter_map(|shard| shard.order().map(|order| (order.keys.len(), order.bytes)));
        sizes.fold((0, 0), |(entries, bytes), (more, held)| {
            (usize::saturating_add(entries, more), usize::saturating_add(bytes, held))
        })
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn sought<'k>(&self, key: &'k [u8]) -> Sought<'k> {
        use std::hash::BuildHasher;
        let mut hasher = self.seed.build_hasher();
        hasher.write(key);
        Sought { hash: hasher.finish(), bytes: key }
    }

    fn shard(&self, hash: u64) -> Option<&Shard> {
        // The table uses both ends of the hash.
        let shards = u64::try_from(self.shards.len()).ok()?;
        let at = hash.checked_shr(40)?.checked_rem(shards)?;
        self.shards.get(usize::try_from(at).ok()?)
    }
}

impl Shard {
    fn order(&self) -> Option<MutexGuard<'_, Order>> {
        self.order.lock().ok()
    }

    fn insert(&self, order: &mut Order, sought: Sought<'_>, answer: Answer, guard: &LocalGuard<'_>) {
        let bytes = held(sought.bytes, &answer);
        if bytes > order.bytes_max || order.entries_max == 0 {
            return;
        }
        while order.keys.len() >= order.entries_max || order.bytes.saturating_add(bytes) > order.bytes_max {
            if !self.evict(order, guard) {
                return;
            }
        }
        let key = Arc::new(Key { hash: sought.hash, bytes: sought.bytes.into() });
        order.bytes = order.bytes.saturating_add(bytes);
        order.keys.push(Arc::clone(&key));
        point("cache: ordered");
        self.entries.insert(key, Entry::new(answer), guard);
    }

    /// Takes out the first entry from the hand on that was not used since the hand last passed it.
    fn evict(&self, order: &mut Order, guard: &LocalGuard<'_>) -> bool {
        // After one round every entry is unused, unless it is found at this very time; two rounds find one that is not.
        for _ in 0..order.keys.len().saturating_mul(2) {
            if order.hand >= order.keys.len() {
                order.hand = 0;
            }
            let Some(key) = order.keys.get(order.hand) else { return false };
            let Some(entry) = self.entries.get(&key.sought(), guard) else { return false };
            if entry.used.load(Ordering::Relaxed) {
                entry.used.store(false, Ordering::Relaxed);
                order.hand = order.hand.saturating_add(1);
                continue;
            }
            // The last key moves here.
            let key = order.keys.swap_remove(order.hand);
            point("cache: taken out of the order");
            order.bytes = order.bytes.saturating_sub(held(&key.bytes, &entry.answer));
            self.entries.remove(&key.sought(), guard);
            return true;
        }
        false
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
            let order = shard.order().unwrap();
            let guard = cache.collector.enter();
            let held: usize = shard.entries.iter(&guard).map(|(key, entry)| held(&key.bytes, &entry.answer)).sum();
            assert!(held <= 1_000 && held == order.bytes, "{held} {}", order.bytes);
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

    /// Whoever brings a request whose hash is another's gains nothing by it.
    #[test]
    fn a_key_with_the_hash_of_another_finds_nothing_of_it() {
        let cache = Cache::new(160, 16 * 1_000, 7);
        let (shard, guard) = (&cache.shards[0], cache.collector.enter());
        for number in [1_u8, 2] {
            let key = Key { hash: 7, bytes: Box::from([number]) };
            shard.entries.insert(Arc::new(key), Entry::new(answer(number.into())), &guard);
        }
        let found = |number: u8| {
            let sought = Sought { hash: 7, bytes: &[number] };
            shard.entries.get(&sought, &guard).map(|entry| entry.answer.decided_at.as_nanos())
        };
        assert_eq!([1, 2, 3].map(found), [Some(1), Some(2), None]);
    }

    #[test]
    fn the_newer_answer_replaces_the_older() {
        let cache = Cache::new(100, 10_000, 7);
        cache.keep(b"key", answer(1));
        cache.keep(b"key", answer(2));
        assert_eq!(cache.len(), 1);
        assert_eq!(cache.find(b"key").map(|answer| answer.decided_at), Some(Monotonic::from_nanos(2)));
    }

    #[test]
    fn what_threads_find_is_what_was_kept_under_that_key() {
        let (cache, numbers) = (Cache::new(160, 16 * 70, 7), 2_000_u64);
        std::thread::scope(|scope| {
            for thread in 0..16_u64 {
                let cache = &cache;
                scope.spawn(move || {
                    for turn in 0..numbers {
                        let number = turn.wrapping_mul(thread | 1) % 400;
                        match cache.find(&number.to_be_bytes()) {
                            Some(found) => assert_eq!(found.decided_at, Monotonic::from_nanos(number)),
                            None => cache.keep(&number.to_be_bytes(), answer(number)),
                        }
                        let (entries, bytes) = if turn % 100 == 0 { cache.size() } else { (0, 0) };
                        assert!(entries <= 160 && bytes <= 16 * 70, "{entries} {bytes}");
                    }
                });
            }
        });
        assert!(!cache.is_empty());
        for shard in &cache.shards {
            let order = shard.order().unwrap();
            let guard = cache.collector.enter();
            assert!(order.keys.len() <= 10 && order.bytes <= 70 && order.bytes == 8 * order.keys.len());
            assert_eq!(shard.entries.len(), order.keys.len());
            assert!(order.keys.iter().all(|key| shard.entries.get(&key.sought(), &guard).is_some()));
        }
    }

    /// Keys that one shard of a cache holds.
    fn of_one_shard(cache: &Cache, count: usize) -> Vec<[u8; 8]> {
        let first = |number: &u64| {
            let shard = cache.shard(cache.sought(&number.to_be_bytes()).hash).unwrap();
            std::ptr::eq(shard, &cache.shards[0])
        };
        (0..u64::MAX).filter(first).take(count).map(u64::to_be_bytes).collect()
    }

    /// The CLOCK algorithm, turn by turn.
    #[test]
    fn what_was_found_since_the_hand_passed_stays() {
        let cache = Cache::new(16 * 3, 16 * 1_000, 7);
        let keys = of_one_shard(&cache, 7);
        let kept = || {
            let guard = cache.collector.enter();
            let there = |key: &&[u8; 8]| cache.shards[0].entries.get(&cache.sought(*key), &guard).is_some();
            keys.iter().enumerate().filter(|(_, key)| there(key)).map(|(number, _)| number).collect::<Vec<_>>()
        };
        let keep = |number: usize| cache.keep(&keys[number], answer(0));
        (0..3).for_each(keep);
        assert!(cache.find(&keys[0]).is_some());
        keep(3);
        assert_eq!(kept(), [0, 2, 3], "the first one that was not found");
        keep(4);
        assert_eq!(kept(), [0, 3, 4], "the hand goes on from there");
        keep(5);
        assert_eq!(kept(), [0, 4, 5]);
        assert!(cache.find(&keys[4]).is_some() && cache.find(&keys[5]).is_some());
        keep(6);
        assert_eq!(kept(), [4, 5, 6], "round, to the one that was found before the hand passed it last");
    }

    #[test]
    fn a_key_beyond_the_bytes_takes_nobody_s_place() {
        let cache = Cache::new(16 * 3, 16 * 100, 7);
        let keys = of_one_shard(&cache, 2);
        cache.keep(&keys[0], answer(1));
        let long = (0..u8::MAX).map(|last| [&[0; 100][..], &[last]].concat());
        long.for_each(|key| cache.keep(&key, answer(2)));
        assert!(cache.find(&keys[0]).is_some());
        assert_eq!(cache.size(), (1, 8));
    }

    #[test]
    fn the_bound_itself_is_within_bounds() {
        let cache = Cache::new(1, 100, 7);
        assert!(cache.is_empty() && cache.size() == (0, 0));
        let said = |length: usize| {
            let messages: crate::condition::rego::Messages =
                Some([Box::from("x".repeat(length)), Box::from("y")].into());
            Answer { particulars: Particulars { messages, ..Particulars::default() }, ..answer(0) }
        };
        cache.keep(b"12345678", answer(0));
        assert!(!cache.is_empty());
        assert_eq!((cache.len(), cache.size()), (1, (1, 8)));
        cache.keep(b"12345678", said(91));
        assert_eq!(cache.size(), (1, 100));
        cache.keep(b"12345678", said(92));
        assert_eq!(cache.size(), (0, 0), "one byte more");
        cache.keep(b"12345678", said(91));
        assert_eq!(cache.size(), (1, 100));
    }

    #[test]
    fn a_hash_that_a_key_brings_is_its_hash() {
        let finished = |write: &dyn Fn(&mut Hashed)| {
            let mut hasher = Hashed::default();
            write(&mut hasher);
            hasher.finish()
        };
        assert_eq!(finished(&|hasher| hasher.write_u64(7)), 7);
        // Five bits on, and the same bits once more: nothing is left.
        assert_eq!(finished(&|hasher| [3, 96].into_iter().for_each(|number| hasher.write_u64(number))), 0);
        assert_eq!(finished(&|hasher| hasher.write(&[1, 2])), 34);
    }
}
