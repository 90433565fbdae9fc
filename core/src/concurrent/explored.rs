//! The same for tests of schedules: the real cell, table and lock, and before each step a place at which another thread may
//! go on.
//!
//! `shuttle` runs its threads one at a time, on one thread of the system: so each step of the library under it is whole before
//! another thread goes on. That each of them is so on real threads is what the libraries promise, and is not tried here.

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::ops::Deref;
use std::sync::{Arc, PoisonError};

use arc_swap::Guard;
use papaya::{Equivalent, LocalGuard};
use seize::Collector;
use shuttle::sync::atomic::{AtomicBool, Ordering};
use shuttle::sync::{Condvar, Mutex, MutexGuard};
use shuttle::thread::ThreadId;

/// A place at which another thread may go on.
#[derive(Default)]
struct Step(AtomicBool);

impl Step {
    fn next(&self) {
        self.0.load(Ordering::SeqCst);
    }
}

/// Says nothing: to show what stands behind a step is none.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Step")
    }
}

/// As [`arc_swap::ArcSwap`].
#[derive(Debug)]
pub(crate) struct ArcSwap<T> {
    cell: arc_swap::ArcSwap<T>,
    step: Step,
}

impl<T> ArcSwap<T> {
    pub(crate) fn from_pointee(value: T) -> Self {
        Self { cell: arc_swap::ArcSwap::from_pointee(value), step: Step::default() }
    }

    pub(crate) fn load(&self) -> Guard<Arc<T>> {
        self.step.next();
        self.cell.load()
    }

    pub(crate) fn store(&self, value: Arc<T>) {
        self.step.next();
        self.cell.store(value);
    }
}

/// As [`papaya::HashMap`].
pub(crate) struct HashMap<K, V, S> {
    table: papaya::HashMap<K, V, S>,
    step: Step,
}

/// Without what is in it: that would be as many steps.
impl<K, V, S> fmt::Debug for HashMap<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashMap")
    }
}

/// An empty table whose entries that collector frees.
pub(crate) fn table<K: Send + 'static, V: Send + 'static, S>(
    collector: &Arc<Collector>,
    hasher: S,
) -> HashMap<K, V, S> {
    let table = papaya::HashMap::builder().shared_collector(Arc::clone(collector)).hasher(hasher).build();
    HashMap { table, step: Step::default() }
}

impl<K: Hash + Eq + 'static, V, S: BuildHasher> HashMap<K, V, S> {
    pub(crate) fn get<'g, Q: Equivalent<K> + Hash + ?Sized>(
        &self,
        key: &Q,
        guard: &'g LocalGuard<'_>,
    ) -> Option<&'g V> {
        self.step.next();
        self.table.get(key, guard)
    }

    pub(crate) fn get_key_value<'g, Q: Equivalent<K> + Hash + ?Sized>(
        &self,
        key: &Q,
        guard: &'g LocalGuard<'_>,
    ) -> Option<(&'g K, &'g V)> {
        self.step.next();
        self.table.get_key_value(key, guard)
    }

    pub(crate) fn insert<'g>(&self, key: K, value: V, guard: &'g LocalGuard<'_>) -> Option<&'g V> {
        self.step.next();
        self.table.insert(key, value, guard)
    }

    pub(crate) fn remove<'g, Q: Equivalent<K> + Hash + ?Sized>(
        &self,
        key: &Q,
        guard: &'g LocalGuard<'_>,
    ) -> Option<&'g V> {
        self.step.next();
        self.table.remove(key, guard)
    }
}

/// The unit tests look at all of it.
#[cfg(test)]
impl<K: Hash + Eq + 'static, V, S: BuildHasher> HashMap<K, V, S> {
    pub(crate) fn iter<'g>(&self, guard: &'g LocalGuard<'g>) -> papaya::Iter<'g, K, V, LocalGuard<'g>> {
        self.table.iter(guard)
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }
}

/// As [`parking_lot::ReentrantMutex`]. That one goes by the thread of the system, which is one here; so whose turn it is stands
/// beside it.
#[derive(Debug)]
pub(crate) struct ReentrantMutex<T> {
    turn: Mutex<Turn>,
    freed: Condvar,
    inner: parking_lot::ReentrantMutex<T>,
}

/// Who has the lock, and how often.
#[derive(Debug, Default)]
struct Turn {
    of: Option<ThreadId>,
    depth: usize,
}

/// As [`parking_lot::ReentrantMutexGuard`].
#[derive(Debug)]
pub(crate) struct ReentrantMutexGuard<'m, T> {
    mutex: &'m ReentrantMutex<T>,
    inner: parking_lot::ReentrantMutexGuard<'m, T>,
}

impl<T> ReentrantMutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { turn: Mutex::default(), freed: Condvar::new(), inner: parking_lot::ReentrantMutex::new(value) }
    }

    pub(crate) fn lock(&self) -> ReentrantMutexGuard<'_, T> {
        let here = shuttle::thread::current().id();
        let mut turn = self.turn();
        while turn.of.is_some_and(|of| of != here) {
            turn = self.freed.wait(turn).unwrap_or_else(PoisonError::into_inner);
        }
        *turn = Turn { of: Some(here), depth: turn.depth.saturating_add(1) };
        ReentrantMutexGuard { mutex: self, inner: self.inner.lock() }
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for ReentrantMutexGuard<'_, T> {
    fn drop(&mut self) {
        let mut turn = self.mutex.turn();
        turn.depth = turn.depth.saturating_sub(1);
        if turn.depth == 0 {
            turn.of = None;
            drop(turn);
            self.mutex.freed.notify_one();
        }
    }
}

impl<T> Deref for ReentrantMutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}
