//! What threads share, by name: every lock, cell and table whose order of steps a decision may depend on.
//!
//! In the build that ships these are the ones of the libraries, passed on and nothing else. In the package of tests
//! `core/schedules`, which is built from the same files, each gives `shuttle` the word before it takes a step, so that the
//! orders are tried in which threads may go on. Counters that nothing decides by (`telemetry`) are not among them, nor is a
//! cell that is set once.

#[cfg(feature = "schedules")]
mod explored;

#[cfg(not(feature = "schedules"))]
use std::sync::Arc;

#[cfg(not(feature = "schedules"))]
pub(crate) use {
    arc_swap::ArcSwap,
    papaya::HashMap,
    parking_lot::{ReentrantMutex, ReentrantMutexGuard},
    std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64},
    std::sync::{Mutex, MutexGuard},
};

#[cfg(feature = "schedules")]
pub(crate) use {
    explored::{ArcSwap, HashMap, ReentrantMutex, ReentrantMutexGuard, table},
    shuttle::sync::atomic::{AtomicBool, AtomicU32, AtomicU64},
    shuttle::sync::{Mutex, MutexGuard},
};

pub(crate) use arc_swap::Guard;
pub(crate) use papaya::{Equivalent, LocalGuard};
pub(crate) use seize::Collector;
pub(crate) use std::sync::PoisonError;
pub(crate) use std::sync::atomic::Ordering;

/// An empty table whose entries that collector frees.
#[cfg(not(feature = "schedules"))]
pub(crate) fn table<K: Send + 'static, V: Send + 'static, S>(
    collector: &Arc<Collector>,
    hasher: S,
) -> HashMap<K, V, S> {
    HashMap::builder().shared_collector(Arc::clone(collector)).hasher(hasher).build()
}
