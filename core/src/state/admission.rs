//! Why a bundle is not taken: neither as the active one, nor to be staged beside it.

use crate::error::{BundleError, Code, quoted};
use crate::name::Name;

/// Why a bundle was neither activated nor staged. The active one stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ActivateError {
    /// A bundle of this name with a higher revision was active.
    #[error("revision {offered} is older than revision {highest}, which was active")]
    OlderRevision {
        /// The revision offered.
        offered: u64,
        /// The highest one seen.
        highest: u64,
    },
    /// Another bundle of this revision was active: what one revision means would depend on the engine.
    #[error("another bundle of revision {revision} was active")]
    SameRevision {
        /// The revision.
        revision: u64,
    },
    /// The engine's trust does not take the bundle, though whoever loaded it did.
    #[error("the bundle does not satisfy the trust of the engine: {}", .0.as_str())]
    Untrusted(Code),
    /// A bundle of another name is active.
    #[error("the bundle is of another pack than the active one")]
    OtherName,
    /// The bundle may not decide now, and the active one may.
    #[error("the bundle is outside its validity")]
    OutsideValidity,
    /// A posture is entered that the bundle has not, or in a scope that it has not: to activate it would leave the posture.
    #[error("the posture {posture} is entered, and the bundle could not keep it")]
    LosesPosture {
        /// The posture.
        posture: Name,
    },
    /// A flag is set that the bundle has not: to activate it would clear the flag.
    #[error("the flag {flag} is set, and the bundle could not keep it; clear it first")]
    LosesFlag {
        /// The flag.
        flag: Name,
    },
    /// A quarantine by a condition is in force that the bundle cannot compile: to activate it would lift the quarantine.
    #[error("a quarantine by a condition is in force, and the bundle has not what it reads")]
    LosesQuarantine,
    /// The active bundle declares how another takes its place.
    #[error("the active bundle takes its successor by a rollout alone: stage it, or have its activation approved")]
    RolloutRequired,
    /// The active bundle does not declare how another takes its place.
    #[error("the active bundle declares no rollout: activate the bundle")]
    NoRollout,
    /// A rollout is under way already.
    #[error("another bundle is in its rollout: promote it or roll it back first")]
    RolloutActive,
    /// It is the active bundle itself.
    #[error("the bundle is the active one already")]
    AlreadyActive,
    /// Two bundles cannot decide beside each other on one state, where they do not declare the same of it.
    #[error("the bundle has other `{section}` than the active one: keep them, or have its activation approved")]
    ChangesState {
        /// The section of the pack.
        section: &'static str,
    },
    /// Cases that the bundle itself carries do not come out as they say.
    #[error("the bundle fails its own test {}{}", quoted(first), others(*more))]
    FailsTests {
        /// The name of the first, or its beginning.
        first: Name,
        /// How many others do.
        more: usize,
    },
}

fn others(more: usize) -> String {
    if more == 0 { String::new() } else { format!(", and {more} more") }
}

impl ActivateError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OlderRevision { .. } => "older_revision",
            Self::SameRevision { .. } => "same_revision",
            Self::Untrusted(code) => code.as_str(),
            Self::OtherName => "other_name",
            Self::OutsideValidity => "outside_validity",
            Self::LosesPosture { .. } => "loses_posture",
            Self::LosesFlag { .. } => "loses_flag",
            Self::LosesQuarantine => "loses_quarantine",
            Self::RolloutRequired => "rollout_required",
            Self::NoRollout => "no_rollout",
            Self::RolloutActive => "rollout_active",
            Self::AlreadyActive => "already_active",
            Self::ChangesState { .. } => "changes_state",
            Self::FailsTests { .. } => "fails_tests",
        }
    }
}

/// Why bytes became neither the active bundle nor a staged one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// They are no bundle that the engine takes.
    #[error(transparent)]
    Refused(#[from] BundleError),
    /// They are one, and it may not take the place of the active one.
    #[error(transparent)]
    NotActivated(#[from] ActivateError),
}

impl LoadError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(error) => match error.diagnostics() {
                [first, ..] => first.code.as_str(),
                [] => "untrusted",
            },
            Self::NotActivated(error) => error.code(),
        }
    }
}
