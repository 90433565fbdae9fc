//! What the engine has been told, and what it remembers.

pub mod cache;
pub mod cache_key;
pub mod clocks;
pub mod events;
pub mod postures;
pub mod quarantine;
pub mod severity;
pub mod signals;
