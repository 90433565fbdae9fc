//! What the engine has been told, and what it remembers.

pub mod admission;
pub mod approvals;
pub mod cache;
pub mod cache_key;
pub mod clocks;
pub mod control;
pub mod document;
pub mod epochs;
pub mod events;
pub mod flags;
pub mod guards;
pub mod overrides;
pub mod postures;
pub mod proposal;
pub mod quarantine;
pub mod refusals;
pub mod rollout;
pub mod severity;
pub mod signals;
pub mod standings;
pub mod statement;
pub mod totp;
