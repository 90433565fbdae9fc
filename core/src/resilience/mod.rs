//! Guards for the host's own calls to its dependencies: state machines without I/O, whose time is an argument.
//!
//! A guard is asked before a call (`acquire`) and told afterwards (`report`, `release`). What is refused is refused with a
//! reason and, where time alone can help, with the time to come back. Every guard is bounded in memory, takes time that
//! goes back for time that stands still, and refuses what it cannot tell.

pub mod backoff;
pub mod breaker;
pub mod bulkhead;
pub mod limiter;
pub mod replay_guard;
