//! What makes `os.fork` safe beside threads that decide without the interpreter's lock.
//!
//! Every other call holds that lock from its begin to its end, and so does a fork: no lock of an engine is ever held by a
//! thread that the child lacks. A section that runs detached is counted here, and a fork waits for it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use pyo3::prelude::*;

static DETACHED: AtomicUsize = AtomicUsize::new(0);
static FORKING: AtomicBool = AtomicBool::new(false);

/// Counts a section for as long as it lives.
struct Section;

impl Section {
    fn begin() -> Self {
        DETACHED.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Section {
    fn drop(&mut self) {
        DETACHED.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Does the work without the interpreter's lock; with it, while a fork is under way.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    if FORKING.load(Ordering::SeqCst) {
        return work();
    }
    let section = Section::begin();
    py.detach(move || {
        let done = work();
        // Before this thread waits for the lock, which the one that forks may hold.
        drop(section);
        done
    })
}

/// Before a fork: begins no more sections, and waits for those under way.
#[pyfunction]
pub(crate) fn _before_fork() {
    FORKING.store(true, Ordering::SeqCst);
    while DETACHED.load(Ordering::SeqCst) > 0 {
        std::thread::sleep(Duration::from_micros(50));
    }
}

/// After a fork, in both processes.
#[pyfunction]
pub(crate) fn _after_fork() {
    FORKING.store(false, Ordering::SeqCst);
}
