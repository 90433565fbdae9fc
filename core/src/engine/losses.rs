//! Losses: since when nobody knew that a signal was ok, and until when a decision still relied on it.
//!
//! What is found late began earlier. A signal that fell silent was known to be ok for the last time when it was last
//! observed, and a host may hold decisions that rest on it until they expire. The span between the two is what a loss costs
//! before everything is secure.

use std::sync::Arc;

use super::told::Told;
use crate::condition::Status;
use crate::policy::compile::Policy;
use crate::policy::signal::{BUILT_IN, Source};
use crate::telemetry::counts::Row;
use crate::time::{Monotonic, Now};

/// What a signal was when it was last looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) status: Status,
    /// How often that has changed.
    pub(super) changes: u64,
    /// The loss that made it what it is, where it is not ok.
    loss: Loss,
}

/// When a signal was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Loss {
    since: Monotonic,
    relied_until: Monotonic,
}

/// A signal that is not what it was.
#[derive(Clone, Copy, Debug)]
pub(super) struct SignalChange {
    pub(super) number: u16,
    pub(super) from: Status,
    pub(super) to: Status,
    pub(super) since: Monotonic,
    pub(super) relied_until: Monotonic,
}

impl Told {
    /// The signals that have changed since this was last asked, but for the built-in ones; takes note of what they are now.
    pub(super) fn changed(&mut self, policy: &Policy, rows: &[Arc<Row>], now: Now) -> Vec<SignalChange> {
        let looked_at = self.signals.take_moved();
        let count = self.signals.views().len();
        let all = self.statuses.len() != count;
        self.statuses.resize(count, Seen::default());
        let numbers: Vec<u16> =
            if all { (0..u16::try_from(count).unwrap_or(u16::MAX)).collect() } else { looked_at.into_iter().collect() };
        let mut changed = Vec::new();
        for number in numbers {
            let to = self.signals.status(number);
            let Some(before) = self.statuses.get(usize::from(number)).copied().filter(|seen| seen.status != to) else {
                continue;
            };
            let loss = if before.status == Status::Ok {
                self.loss(policy, rows, number, to, now.monotonic)
            } else {
                Loss { since: now.monotonic, relied_until: now.monotonic }
            };
            if usize::from(number) >= BUILT_IN.len() {
                let Loss { since, relied_until } = loss;
                changed.push(SignalChange { number, from: before.status, to, since, relied_until });
            }
            // Between two ways not to be ok the loss stays what it was.
            let loss = if before.status == Status::Ok || to == Status::Ok { loss } else { before.loss };
            if let Some(seen) = self.statuses.get_mut(usize::from(number)) {
                *seen = Seen { status: to, changes: before.changes.saturating_add(1), loss };
            }
        }
        changed
    }

    /// The loss of a signal that was ok when it was last looked at.
    fn loss(&self, policy: &Policy, rows: &[Arc<Row>], number: u16, to: Status, now: Monotonic) -> Loss {
        let spec = policy.signals.get(usize::from(number));
        let loss = match spec.map(|spec| &spec.source) {
            Some(Source::Observed { ttl, .. } | Source::Heartbeat { ttl, .. }) => {
                let held = self.signals.held(number);
                let since = held.observed_at().unwrap_or(now).min(now);
                // Silence ends what was known at a time of its own, whenever somebody looks; a report ends it now.
                let silent = to == Status::Unknown && held.was_ok();
                Loss { since, relied_until: if silent { since.after(*ttl).min(now) } else { now } }
            }
            Some(Source::Quorum { members, need }) => self.loss_of_quorum(members, *need, now),
            // A guard's status is its own: what it learns, it learns from a call that has just come back.
            Some(Source::BuiltIn | Source::Guard { .. }) | None => Loss { since: now, relied_until: now },
        };
        let rests_on = |(action, row): (&crate::policy::action::ActionSpec, &Arc<Row>)| {
            let reads = action.requires.contains(&number) || action.reads.signals.contains(&number);
            reads.then(|| row.kept_until())
        };
        let kept_until = policy.actions.iter().zip(rows).filter_map(rests_on).max().unwrap_or(Monotonic::ZERO);
        Loss { relied_until: loss.relied_until.max(kept_until), ..loss }
    }

    /// A quorum is lost with the member after which the others are too few.
    fn loss_of_quorum(&self, members: &[u16], need: usize, now: Monotonic) -> Loss {
        let seen = members.iter().filter_map(|member| self.statuses.get(usize::from(*member)));
        let mut losses: Vec<Loss> = seen.filter(|seen| seen.status != Status::Ok).map(|seen| seen.loss).collect();
        losses.sort_unstable();
        let decisive = losses.get(members.len().saturating_sub(need)).copied();
        decisive.unwrap_or(Loss { since: now, relied_until: now })
    }
}
