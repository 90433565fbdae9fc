//! Objectives that a pack sets: safety and availability apart, each with a target of its own.
//!
//! Apart, because one must never pay for the other: a system that allows everything is available, and one that denies
//! everything is safe.

use crate::time::Ttl;

/// The shortest window of an objective.
pub const WINDOW_MIN: Ttl = Ttl::from_secs(60);
/// The longest one.
pub const WINDOW_MAX: Ttl = Ttl::from_secs(35 * 24 * 3_600);
/// That of an objective which does not say.
pub const WINDOW_DEFAULT: Ttl = Ttl::from_secs(30 * 24 * 3_600);

/// What an objective aims at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aim {
    /// That no allow was one too many.
    Safety,
    /// That nothing was missing, late or broken when somebody asked.
    Availability,
}

impl Aim {
    /// A stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Safety => "safety",
            Self::Availability => "availability",
        }
    }
}

/// An objective.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// What it aims at.
    pub aim: Aim,
    /// The part that has to be good, greater than 0 and less than 1: what is missing to 1 is the error budget.
    pub target: f64,
    /// Over what time.
    pub window: Ttl,
}
