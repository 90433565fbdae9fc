//! Fallgate: a policy decision point that a program links, and that fails closed.
//!
//! > **Knowing less never grants more.**

#![forbid(unsafe_code)]

// The words: every other file uses these.
pub mod error;
pub mod limits;
pub mod name;
pub mod obligation;
pub mod reason;
pub mod request;
pub mod time;
pub mod value;
pub mod value_type;

pub mod condition;

pub mod policy;

pub mod combine;
pub mod decision;

pub mod state;

pub mod engine;

pub mod drill;

#[cfg(feature = "schema")]
pub mod schemas;

pub use decision::Decision;
pub use engine::{Config, Engine};
pub use reason::{Effect, Reason};
pub use request::Request;
pub use state::signals::Observation;
