//! From bytes to an immutable policy.
//!
//! Reading order: `format` (the document that people write), `schema` (what a request must look like, and where its
//! attributes go), `signal`, `guard`, `action`, `approver`, `audit`, `posture`, `rule`, `candidate`, `rollout`, `slo` (each as declared, compiled), `index` (which rules can match), `compile` (document to policy),
//! `trust` (whose signatures count), `bundle` (bytes, digest, provenance).

pub mod action;
pub mod approver;
pub mod audit;
pub mod bundle;
pub mod candidate;
pub mod compile;
pub mod failover;
pub mod format;
pub mod guard;
pub mod index;
mod named;
pub mod posture;
pub mod rollout;
pub mod rule;
pub mod schema;
pub mod signal;
pub mod slo;
pub mod trust;
