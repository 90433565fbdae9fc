//! The work that is measured: seeded requests, policies, hand-written floors, and the check that all engines agree.
//!
//! Machines are shared and noisy, so only ratios within one run count. That asks for three things, and they are this
//! crate: the same requests for every engine ([`roles`], [`many_rules`], [`admission`]), a floor written by hand for
//! each workload, and no timing before every engine gave the same answer to every request ([`contest`]).
//!
//! The engines of others live in `benches/peers`, a workspace of its own: they take minutes to build, and Fallgate takes
//! regorus without its feature `std` while its peers take it with, of which one program can hold only one.

pub mod admission;
pub mod admission_floor;
pub mod contest;
pub mod counting;
pub mod elsewhere;
#[cfg(feature = "engine")]
pub mod engine;
#[cfg(feature = "engine")]
pub mod failing;
pub mod floors;
pub mod many_rules;
#[cfg(feature = "engine")]
pub mod paths;
pub mod random;
pub mod record;
pub mod report;
pub mod roles;
pub mod roles_floor;
#[cfg(feature = "engine")]
pub mod scale;
pub mod scaling;
pub mod text;

/// Requests of each workload, every one of which all engines must agree on before anything is timed.
///
/// A power of two, so that the timed loop walks round them with a mask.
pub const REQUESTS: usize = 2_048;

/// The seed of every generator.
pub const SEED: u64 = 0xfa11_6a7e;
