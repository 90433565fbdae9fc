//! The engines of others on the same work as Fallgate: regorus, cedar-policy, casbin and cel.
//!
//! Each is used as its own documentation says to be fast: policies parsed and compiled before, data indexed, inputs
//! built before the timed region where the variant is `prepared`.

pub mod casbin;
pub mod cedar;
pub mod cel;
pub mod rego;

/// Whatever went wrong while an engine was set up; it ends the run.
pub type Failure = Box<dyn std::error::Error>;
