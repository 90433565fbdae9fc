//! How long things lasted: postures that were in force, and how long each took to be left.

use std::collections::BTreeMap;

/// An average of lengths in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mean {
    millis: u64,
    count: u64,
}

impl Mean {
    /// Takes one more length.
    pub(super) const fn add(&mut self, millis: u64) {
        self.millis = self.millis.saturating_add(millis);
        self.count = self.count.saturating_add(1);
    }

    /// The average in seconds; nothing where there was nothing.
    #[must_use]
    pub(super) fn seconds(self) -> Option<f64> {
        (self.count > 0).then(|| self.millis as f64 / self.count as f64 / 1_000.0)
    }
}

/// A posture that is in force.
#[derive(Clone, Copy, Debug)]
struct Span {
    since: u64,
    read_only: bool,
}

/// Postures in force over time, those of scopes among them.
#[derive(Clone, Debug, Default)]
pub(super) struct Postures {
    open: BTreeMap<(String, String), Span>,
    /// How long postures were in force, of those that were left.
    in_force: u64,
    /// How long postures were called for and not in force yet.
    awaited: u64,
    /// How long each took to be left.
    pub(super) recovery: Mean,
    /// How many of those in force are read-only, since when any is, and for how long any was before.
    read_only: u64,
    read_only_since: u64,
    read_only_before: u64,
}

impl Postures {
    /// A posture was entered that was called for since `called_for`. At most `max` are followed at a time.
    pub(super) fn enter(&mut self, key: (String, String), called_for: u64, at: u64, read_only: bool, max: usize) {
        if self.open.contains_key(&key) || self.open.len() >= max {
            return;
        }
        self.awaited = self.awaited.saturating_add(at.saturating_sub(called_for));
        if read_only {
            if self.read_only == 0 {
                self.read_only_since = at;
            }
            self.read_only = self.read_only.saturating_add(1);
        }
        self.open.insert(key, Span { since: at, read_only });
    }

    /// A posture was left.
    pub(super) fn leave(&mut self, key: &(String, String), at: u64) {
        let Some(span) = self.open.remove(key) else { return };
        let lasted = at.saturating_sub(span.since);
        self.in_force = self.in_force.saturating_add(lasted);
        self.recovery.add(lasted);
        if span.read_only {
            self.read_only = self.read_only.saturating_sub(1);
            if self.read_only == 0 {
                let lasted = at.saturating_sub(self.read_only_since);
                self.read_only_before = self.read_only_before.saturating_add(lasted);
            }
        }
    }

    /// Of the time in which postures were called for, the part in which they were in force; nothing where none was.
    #[must_use]
    pub(super) fn availability(&self, now: u64) -> Option<f64> {
        let open = self.open.values().map(|span| now.saturating_sub(span.since));
        let in_force = open.fold(self.in_force, u64::saturating_add);
        let called_for = in_force.saturating_add(self.awaited);
        (called_for > 0).then(|| in_force as f64 / called_for as f64)
    }

    /// For how long any read-only posture was in force, in seconds.
    #[must_use]
    pub(super) fn read_only_seconds(&self, now: u64) -> f64 {
        let open = if self.read_only > 0 { now.saturating_sub(self.read_only_since) } else { 0 };
        self.read_only_before.saturating_add(open) as f64 / 1_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(posture: &str, scope: &str) -> (String, String) {
        (posture.to_owned(), scope.to_owned())
    }

    #[test]
    fn the_time_before_a_posture_is_in_force_counts_against_it() {
        let mut postures = Postures::default();
        assert_eq!(postures.availability(0), None);
        postures.enter(key("read-only", ""), 8_000, 10_000, true, 9);
        // Called for since 8 s, in force from 10 s to 18 s: eight of ten seconds.
        assert_eq!(postures.availability(18_000), Some(0.8));
        postures.leave(&key("read-only", ""), 18_000);
        assert_eq!(postures.availability(90_000), Some(0.8));
        assert_eq!(postures.recovery.seconds(), Some(8.0));
    }

    #[test]
    fn read_only_windows_that_overlap_count_once() {
        let mut postures = Postures::default();
        postures.enter(key("read-only", ""), 0, 0, true, 9);
        postures.enter(key("read-only", "tenant:a"), 2_000, 2_000, true, 9);
        postures.enter(key("lockdown", ""), 2_000, 2_000, false, 9);
        postures.leave(&key("read-only", ""), 5_000);
        assert_eq!(postures.read_only_seconds(6_000), 6.0);
        postures.leave(&key("read-only", "tenant:a"), 7_000);
        assert_eq!(postures.read_only_seconds(60_000), 7.0);
    }

    #[test]
    fn what_is_in_force_is_not_entered_again_and_the_room_is_bounded() {
        let mut postures = Postures::default();
        postures.enter(key("a", ""), 0, 0, false, 1);
        postures.enter(key("a", ""), 0, 5, false, 1);
        postures.enter(key("b", ""), 0, 5, false, 1);
        postures.leave(&key("b", ""), 9);
        postures.leave(&key("a", ""), 10);
        assert_eq!(postures.recovery, Mean { millis: 10, count: 1 });
    }
}
