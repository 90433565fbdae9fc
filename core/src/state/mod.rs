//! What the engine has been told, and what it remembers.

pub mod cache;
pub mod cache_key;
pub mod clocks;
pub mod document;
pub mod epochs;
pub mod events;
pub mod postures;
pub mod quarantine;
pub mod signals;
