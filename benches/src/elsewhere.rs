//! What a host does on another core: a thread that waits to be told to do its work, while who tells it waits.
//!
//! The drain of a thousand records writes some megabytes. On the core whose decisions are timed it would leave their data cold
//! and be charged to them, though no host drains there.

#![allow(clippy::disallowed_methods, reason = "a bench stands for the host")]

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

/// A thread with one piece of work.
pub struct Elsewhere {
    turns: Arc<Turns>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Turns {
    asked: AtomicU64,
    done: AtomicU64,
    over: AtomicBool,
}

impl Elsewhere {
    /// A thread that does this work each time that it is told to.
    #[must_use]
    pub fn new(work: impl Fn() + Send + 'static) -> Self {
        let turns = Arc::new(Turns::default());
        let theirs = Arc::clone(&turns);
        let thread = std::thread::spawn(move || {
            while !theirs.over.load(Ordering::Acquire) {
                let asked = theirs.asked.load(Ordering::Acquire);
                if asked == theirs.done.load(Ordering::Relaxed) {
                    std::thread::park();
                } else {
                    work();
                    theirs.done.store(asked, Ordering::Release);
                }
            }
        });
        Self { turns, thread: Some(thread) }
    }

    /// Has the work done, and comes back when it is. It spins for that, so that the work runs on another core.
    pub fn work(&self) {
        let asked = self.turns.asked.fetch_add(1, Ordering::AcqRel) + 1;
        self.wake();
        while self.turns.done.load(Ordering::Acquire) < asked && !self.has_ended() {
            spin_loop();
        }
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }

    /// A thread whose work panicked never says that it is done.
    fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.turns.over.store(true, Ordering::Release);
        self.wake();
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_is_done_once_for_each_time_that_it_is_asked_for() {
        let count = Arc::new(AtomicU64::new(0));
        let theirs = Arc::clone(&count);
        let elsewhere = Elsewhere::new(move || {
            theirs.fetch_add(1, Ordering::Relaxed);
        });
        for asked in 1..=100 {
            elsewhere.work();
            assert_eq!(count.load(Ordering::Relaxed), asked);
        }
    }

    #[test]
    fn nobody_waits_for_work_that_panicked() {
        Elsewhere::new(|| panic!("the work fails")).work();
    }
}
