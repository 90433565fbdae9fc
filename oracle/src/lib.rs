//! A naive reading of the specification: what an engine should answer, worked out from all that it was ever told.
//!
//! It has no cache, no index and nothing that it keeps ready. What was told lies in plain lists, and each question is
//! answered by going through them. It is slow, and short enough to be read beside `docs/SPEC.md`, from which it was
//! written; the engine is held against it on random days.
//!
//! Of the core it uses the words (times, limits, reasons), the reader of packs, and the evaluator of single conditions, which
//! the cases of the CEL specification hold. All else it decides by itself: see
//! `docs/decisions/0031-the-oracle.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "it is a test: it fails by panicking"
)]

mod approvals;
mod audit;
mod calls;
mod codes;
mod decide;
mod failover;
mod feed;
mod kept;
mod pack;
mod postures;
mod quarantine;
mod request;
mod rollout;
mod rules;
mod signals;
mod state;
mod told;

pub use codes::Shown;
pub use decide::{Answer, Chosen};
pub use rollout::Progress;
pub use told::Oracle;

/// A reading of the monotonic clock: nanoseconds, in whole milliseconds.
pub(crate) type Time = u64;
pub(crate) const MILLI: Time = 1_000_000;
