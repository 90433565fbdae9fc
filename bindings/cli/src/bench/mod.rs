//! How long a pack's decisions take on this machine: its own requests, asked again and again, and which of its rules that
//! time goes to.
//!
//! In reading order: [`asked`] collects the requests, [`measure`] asks them, [`rules`] weighs the rules, [`figures`] is
//! what came out, and what an earlier run is compared by.

pub mod asked;
pub mod figures;
pub mod measure;
pub mod rules;
