//! The control feed: who may speak, in which order he is heard, what silence does, and that nothing comes twice.

// The lints that forbid a panic are for code in reach of input. A test panics to fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

#[path = "control/fleet.rs"]
#[allow(dead_code, reason = "each test uses what it needs")]
mod fleet;
#[path = "control/order.rs"]
mod order;
#[path = "control/silence.rs"]
mod silence;
#[path = "control/speakers.rs"]
mod speakers;
