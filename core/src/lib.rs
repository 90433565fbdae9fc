//! Fallgate: a policy decision point that a program links, and that fails closed.
//!
//! > **Knowing less never grants more.**

#![forbid(unsafe_code)]

// The words: every other file uses these.
pub mod error;
pub mod limits;
pub mod time;
pub mod value;
pub mod value_type;

pub mod condition;
