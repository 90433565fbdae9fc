//! Flags for emergencies: each holds a posture while it is set, has an owner, and never goes stale in silence.

use std::collections::BTreeMap;

use crate::name::Name;
use crate::policy::approver::Approvers;
use crate::time::{Monotonic, Ttl};

/// A flag that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Set {
    /// Since when.
    pub since: Monotonic,
    /// From when on it is reported.
    pub expires_at: Monotonic,
    /// Whether that was reported.
    pub reported: bool,
}

/// Why a flag was not set or cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlagError {
    /// The pack declares no such flag, or no bundle is active.
    #[error("the pack declares no such flag")]
    UnknownFlag,
    /// It would be reported later than the pack admits, or at once.
    #[error("a flag is set for a length of time up to its `max_age`")]
    AgeTooLong,
    /// It is not set.
    #[error("the flag is not set")]
    NotSet,
    /// It takes approvals.
    #[error("it takes approvals: propose it")]
    NotApproved,
}

impl FlagError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnknownFlag => "unknown_flag",
            Self::AgeTooLong => "age_too_long",
            Self::NotSet => "not_set",
            Self::NotApproved => "not_approved",
        }
    }
}

/// The flags that are set, by name.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    set: BTreeMap<Name, Set>,
}

impl Flags {
    /// Those that are set.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &Set)> {
        self.set.iter()
    }

    /// Sets a flag; one that is set already is set anew, and has been set since it was first.
    pub fn set(&mut self, name: Name, at: Monotonic, age: Ttl) {
        let since = self.set.get(&name).map_or(at, |set| set.since);
        self.set.insert(name, Set { since, expires_at: at.after(age), reported: false });
    }

    /// Sets a flag as it was set before.
    pub fn restore(&mut self, name: Name, set: Set) {
        self.set.insert(name, set);
    }

    /// Clears a flag.
    ///
    /// # Errors
    /// [`FlagError::NotSet`].
    pub fn clear(&mut self, name: &Name) -> Result<(), FlagError> {
        self.set.remove(name).map(|_| ()).ok_or(FlagError::NotSet)
    }

    /// A flag that is set and that these do not declare.
    #[must_use]
    pub fn lost_by(&self, after: &Approvers) -> Option<Name> {
        self.set.keys().find(|name| after.flag(name).is_none()).copied()
    }

    /// The postures that flags hold, by number.
    #[must_use]
    pub fn postures(&self, approvers: &Approvers) -> Vec<u16> {
        self.set.keys().filter_map(|name| approvers.flag(name)).map(|flag| flag.posture).collect()
    }

    /// Those that are stale now and were not reported yet, and since when.
    pub fn stale(&mut self, now: Monotonic) -> Vec<(Monotonic, Name)> {
        let stale = self.set.iter_mut().filter(|(_, set)| !set.reported && set.expires_at <= now);
        stale
            .map(|(name, set)| {
                set.reported = true;
                (set.expires_at, *name)
            })
            .collect()
    }

    /// When the next one goes stale.
    #[must_use]
    pub fn due(&self) -> Option<Monotonic> {
        self.set.values().filter(|set| !set.reported).map(|set| set.expires_at).min()
    }
}
