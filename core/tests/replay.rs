//! Replays: what is journaled is decided again to the byte, and what was changed is found where it was.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test fails by panicking"
)]

#[path = "replay/changed.rs"]
mod changed;
#[path = "replay/corpus.rs"]
mod corpus;
#[path = "control/fleet.rs"]
#[allow(dead_code, reason = "each test uses what it needs")]
mod fleet;
#[path = "replay/inputs.rs"]
mod inputs;
#[path = "replay/recording.rs"]
mod recording;
#[path = "replay/records.rs"]
mod records;
#[path = "replay/sequences.rs"]
mod sequences;
