//! What `fallgate diff` looks for: what two policies say differently, and for which requests that makes a difference.
//!
//! In reading order: [`changes`] compares the documents; [`bounds`] says what both policies hold attributes against,
//! [`domain`] which values stand for all others, [`space`] puts them together to requests; [`world`] is in what state of
//! things they are decided; [`unchanged`] says what need
//! not be asked, [`search`] asks the rest; [`recorded`] asks what was asked before; [`difference`] keeps what comes out.

pub mod bounds;
pub mod changes;
pub mod difference;
pub mod domain;
pub mod recorded;
pub mod search;
pub mod space;
pub mod unchanged;
pub mod world;
