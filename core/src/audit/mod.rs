//! Audit: what was decided and why, as records that are linked by hash (spec 2.5).
//!
//! On the path of a decision a record is only kept ([`buffer`]): a [`draft`] of bytes, with a copy of what was [`asked`].
//! It becomes text, loses what must not be written ([`redact`]) and is linked to the one before ([`chain`]) when the host
//! drains. [`verify`] reads a chain back and names the first record that is not what was written; a [`checkpoint`] kept
//! elsewhere shows that it is all there.

pub mod asked;
pub mod buffer;
pub mod chain;
pub mod checkpoint;
mod chunk;
pub mod draft;
mod packed;
pub mod record;
pub mod redact;
pub mod verify;
