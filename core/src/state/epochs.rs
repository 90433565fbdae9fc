//! Epochs: which engine is the active one, and how two that both believe to be are found (fencing).
//!
//! Whoever takes over claims an epoch above every one that it has seen. The host carries claims from one engine to the
//! other, by its shared store or by asking its peer; nothing here is a consensus. Two that are active at a time see each
//! other's claims at last, and both become strict.

use crate::name::Name;

/// The highest epoch that can be claimed: the highest whole number that every language has.
pub const EPOCH_MAX: u64 = (1 << 53) - 1;

/// Why an engine did not take over, or did not resign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FailoverError {
    /// No bundle is active.
    #[error("no bundle is active")]
    NoPolicy,
    /// The engine has no name that others could know it by.
    #[error("the engine has no `instance`; give each engine a name of its own")]
    NoInstance,
    /// There is no epoch above those that were seen.
    #[error("an epoch was claimed that none can be above; clear the claims, and begin with a fresh state")]
    Exhausted,
    /// The engine is not the active one.
    #[error("the engine has not taken over")]
    NotActive,
}

impl FailoverError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoPolicy => "no_policy",
            Self::NoInstance => "no_instance",
            Self::Exhausted => "epoch_exhausted",
            Self::NotActive => "not_active",
        }
    }
}

/// What one engine knows of who is active.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Epochs {
    epoch: u64,
    active: bool,
    highest: u64,
    split: bool,
    /// The postures that a failover or a split brain entered everywhere, until each is left.
    ///
    /// Invariant: each is entered, so there are no more of them than postures.
    guarded: Vec<Name>,
    changes: u64,
}

impl Epochs {
    /// What an engine with these claims knows, before it takes over: a restart never makes an engine the active one.
    pub fn join(&mut self, epoch: u64, highest: u64, guarded: impl IntoIterator<Item = Name>) {
        if !self.active {
            self.epoch = self.epoch.max(epoch);
        }
        self.highest = self.highest.max(epoch).max(highest);
        guarded.into_iter().for_each(|posture| self.guard(posture));
        self.changes = self.changes.saturating_add(1);
    }

    /// Claims an epoch above every one that was seen.
    ///
    /// # Errors
    /// [`FailoverError::Exhausted`].
    pub fn take_over(&mut self) -> Result<u64, FailoverError> {
        let next = self.highest.max(self.epoch).saturating_add(1);
        if next > EPOCH_MAX {
            return Err(FailoverError::Exhausted);
        }
        (self.epoch, self.highest, self.active, self.split) = (next, next, true, false);
        self.changes = self.changes.saturating_add(1);
        Ok(next)
    }

    /// Takes in a claim to be active with an epoch: by another engine, or by one that goes by this one's name. Whether it
    /// is news that two are active.
    pub fn witness(&mut self, epoch: u64, by_another: bool) -> bool {
        let higher = epoch > self.highest;
        self.highest = self.highest.max(epoch);
        let conflict = self.active && (by_another || epoch > self.epoch);
        let news = conflict && (higher || !self.split);
        self.split |= conflict;
        if higher || news {
            self.changes = self.changes.saturating_add(1);
        }
        news
    }

    /// Gives up being active: whoever else claims it is.
    ///
    /// # Errors
    /// [`FailoverError::NotActive`].
    pub fn resign(&mut self) -> Result<u64, FailoverError> {
        if !self.active {
            return Err(FailoverError::NotActive);
        }
        (self.active, self.split) = (false, false);
        self.changes = self.changes.saturating_add(1);
        Ok(self.epoch)
    }

    /// Remembers the posture that was entered for it, until it is left.
    pub fn guard(&mut self, posture: Name) {
        if !self.guards(&posture) {
            self.guarded.push(posture);
            self.changes = self.changes.saturating_add(1);
        }
    }

    /// Forgets the posture of that name, which was left.
    pub fn unguard(&mut self, posture: &Name) {
        if self.guards(posture) {
            self.guarded.retain(|guarded| guarded != posture);
            self.changes = self.changes.saturating_add(1);
        }
    }

    /// The postures that were entered for it, and were not left since.
    #[must_use]
    pub fn guarded(&self) -> &[Name] {
        &self.guarded
    }

    /// Whether the posture of that name is one of them.
    #[must_use]
    pub fn guards(&self, posture: &Name) -> bool {
        self.guarded.contains(posture)
    }

    /// The epoch of this engine: the one it has claimed, or, of a standby, the one that it was restored with.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The highest epoch that was seen.
    #[must_use]
    pub const fn highest(&self) -> u64 {
        self.highest
    }

    /// Whether this engine has taken over, and not resigned.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.active
    }

    /// Whether no other engine is known to be active beside this one: what the signal `epoch` says.
    #[must_use]
    pub const fn is_single(&self) -> bool {
        !self.split
    }

    /// How often it has changed.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_takes_over_is_above_all_that_it_has_seen() {
        let mut epochs = Epochs::default();
        assert_eq!(epochs.take_over(), Ok(1));
        epochs.witness(7, true);
        assert!(!epochs.is_single());
        assert_eq!(epochs.take_over(), Ok(8));
        assert!(epochs.is_single());
    }

    #[test]
    fn a_standby_takes_the_claims_of_others_for_what_they_are() {
        let mut epochs = Epochs::default();
        assert!(!epochs.witness(3, true));
        assert!(epochs.is_single());
        assert_eq!((epochs.epoch(), epochs.take_over()), (0, Ok(4)));
    }

    #[test]
    fn of_two_that_are_active_each_finds_the_other() {
        // The lower epoch is fenced, and the higher one does not shrug.
        for other in [1, 2, 3] {
            let mut epochs = Epochs::default();
            epochs.witness(1, true);
            assert_eq!(epochs.take_over(), Ok(2));
            assert!(!epochs.witness(2, false), "its own claim, read back");
            assert!(epochs.witness(other, true));
            assert!(!epochs.witness(other, true), "no news");
            assert!(!epochs.is_single());
        }
    }

    #[test]
    fn a_higher_claim_under_the_own_name_is_another_engine() {
        let mut epochs = Epochs::default();
        epochs.take_over().unwrap();
        assert!(epochs.witness(2, false));
    }

    #[test]
    fn an_epoch_that_none_can_be_above_ends_it() {
        let mut epochs = Epochs::default();
        epochs.witness(u64::MAX, true);
        assert_eq!(epochs.take_over(), Err(FailoverError::Exhausted));
        assert_eq!(epochs.resign(), Err(FailoverError::NotActive));
    }

    #[test]
    fn what_is_joined_makes_nobody_active_and_lowers_nothing() {
        let mut epochs = Epochs::default();
        epochs.take_over().unwrap();
        epochs.join(9, 12, []);
        assert_eq!((epochs.epoch(), epochs.is_active()), (1, true));
        assert_eq!(epochs.take_over(), Ok(13));
        let mut standby = Epochs::default();
        standby.join(9, 12, []);
        assert_eq!((standby.epoch(), standby.is_active()), (9, false));
    }
}
