//! An allocator that counts what a thread allocates, for tests that show that nothing is, and for what a state takes.
//!
//! It is the one thing here that cannot be written in safe Rust, so it lives outside the core. A test, or a program, makes
//! it its `#[global_allocator]`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, with counts for each thread.
#[derive(Debug)]
pub struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static LARGEST: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    // A thread that is ending has no counter any more, and nothing that anybody looks at.
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
    let _ = LIVE.try_with(|live| live.set(live.get().wrapping_add_unsigned(bytes)));
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(bytes)));
    let _ = BYTES.try_with(|all| all.set(all.get().wrapping_add(bytes)));
}

fn release(bytes: usize) {
    let _ = LIVE.try_with(|live| live.set(live.get().wrapping_sub_unsigned(bytes)));
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches no memory but the thread's own
// cells, which are initialised by constants and so allocate nothing themselves.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        release(layout.size());
        count(size);
        // SAFETY: the caller's contract.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        release(layout.size());
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// How often `work` allocates on this thread, where [`Counting`] is the global allocator.
pub fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

/// What some work asked for, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// By its largest allocation.
    pub largest: usize,
    /// By all of them together, given back or not.
    pub bytes: usize,
}

/// What `work` asks for on this thread, where [`Counting`] is the global allocator.
pub fn asked(work: impl FnOnce()) -> Asked {
    let before = BYTES.get();
    LARGEST.set(0);
    work();
    Asked { largest: LARGEST.get(), bytes: BYTES.get().wrapping_sub(before) }
}

/// The bytes that this thread has allocated and not given back, where [`Counting`] is the global allocator. What one thread
/// gives back for another is counted wrong: only a program of one thread asks.
#[must_use]
pub fn live_bytes() -> isize {
    LIVE.get()
}
