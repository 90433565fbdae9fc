//! Evidence in numbers: what an engine counts, what that comes to as service-level indicators, and how both are written.
//!
//! A decision adds to one counter, without a lock and without an allocation ([`counts`], [`latency`]). Everything else is
//! made when somebody asks: a snapshot of all metrics ([`metrics`]), its text ([`openmetrics`]), and the indicators
//! ([`sli`]), which are pure functions of what happened, so that a live engine and its audit chain give the same.

pub mod counts;
pub mod latency;
pub mod metrics;
pub mod openmetrics;
pub mod sli;
