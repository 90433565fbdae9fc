//! What a decision adds to: one counter for each action and reason, without a lock and without an allocation.
//!
//! Threads that decide at once would fight over one counter's cache line, so each counter stands in several places, which
//! are handed out to threads in turn. Sums are made when somebody reads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use thread_local::ThreadLocal;

use crate::decision::Decision;
use crate::name::Name;
use crate::reason::{Effect, Reason};
use crate::time::Monotonic;

/// How many places each counter stands in.
pub(super) const PLACES: usize = 8;

/// Counters of a row: reasons that deny, reasons that allow, and what else is said of a decision.
const CELLS: usize = 40;
const ALLOWS: usize = 24;
const CACHED: usize = 32;
const DEGRADED: usize = 33;
const INFORMATION_LOSS: usize = 34;
const MISSED: usize = 35;

/// The counters of one action in one place. A cache line of their own, so that no neighbour disturbs them.
#[derive(Debug)]
#[repr(align(64))]
struct Cells([AtomicU64; CELLS]);

impl Default for Cells {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Cells {
    fn add(&self, cell: usize) {
        if let Some(count) = self.0.get(cell) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What is counted of the decisions on one action.
#[derive(Default)]
pub struct Row {
    cells: [Cells; PLACES],
    places: Arc<Places>,
    /// Until when a host may keep an allow that it was given, the latest of them all.
    kept_until: AtomicU64,
}

/// Without the counts, which are many, and decide nothing.
impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row").finish_non_exhaustive()
    }
}

/// What a row comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// By reason: how many decisions. Reasons that did not occur are left out.
    pub reasons: BTreeMap<Reason, u64>,
    /// How many of them used an earlier evaluation again.
    pub cached: u64,
    /// How many of them were made while a signal was not ok that they needed.
    pub degraded: u64,
    /// How many of them the cache could have had and did not.
    pub missed: u64,
    /// How many of them a rule decided that may grant more for knowing less.
    pub information_loss: u64,
}

impl Row {
    fn counting_at(places: &Arc<Places>) -> Self {
        Self { places: Arc::clone(places), ..Self::default() }
    }

    /// Counts a decision.
    pub fn count(&self, decision: &Decision) {
        let Some(cells) = self.cells.get(self.places.here()) else { return };
        cells.add(cell_of(decision.reason()));
        let flags = [
            (decision.cached(), CACHED),
            (decision.is_degraded(), DEGRADED),
            (decision.information_loss(), INFORMATION_LOSS),
        ];
        flags.into_iter().filter(|(holds, _)| *holds).for_each(|(_, cell)| cells.add(cell));
    }

    /// Counts that the cache did not have a decision that it could have had.
    pub fn miss(&self) {
        if let Some(cells) = self.cells.get(self.places.here()) {
            cells.add(MISSED);
        }
    }

    /// Notes until when a host may keep an allow.
    pub fn keep(&self, until: Monotonic) {
        // Most decisions end no later than one before them, and then there is nothing to write.
        if self.kept_until.load(Ordering::Relaxed) < until.as_nanos() {
            self.kept_until.fetch_max(until.as_nanos(), Ordering::Relaxed);
        }
    }

    /// Until when a host may keep an allow that it was given, at the latest.
    #[must_use]
    pub fn kept_until(&self) -> Monotonic {
        Monotonic::from_nanos(self.kept_until.load(Ordering::Relaxed))
    }

    /// What was counted so far.
    #[must_use]
    pub fn sums(&self) -> Sums {
        let sum = |cell: usize| {
            let counts = self.cells.iter().filter_map(|Cells(cells)| cells.get(cell));
            counts.fold(0_u64, |sum, count| sum.saturating_add(count.load(Ordering::Relaxed)))
        };
        let reasons = Reason::ALL.iter().map(|reason| (*reason, sum(cell_of(*reason))));
        Sums {
            reasons: reasons.filter(|(_, count)| *count > 0).collect(),
            cached: sum(CACHED),
            degraded: sum(DEGRADED),
            missed: sum(MISSED),
            information_loss: sum(INFORMATION_LOSS),
        }
    }
}

impl Sums {
    /// Adds what another row comes to.
    pub fn add(&mut self, other: &Self) {
        for (reason, count) in &other.reasons {
            let sum = self.reasons.entry(*reason).or_default();
            *sum = sum.saturating_add(*count);
        }
        self.cached = self.cached.saturating_add(other.cached);
        self.degraded = self.degraded.saturating_add(other.degraded);
        self.missed = self.missed.saturating_add(other.missed);
        self.information_loss = self.information_loss.saturating_add(other.information_loss);
    }

    /// How many decisions had this reason.
    #[must_use]
    pub fn of(&self, reason: Reason) -> u64 {
        self.reasons.get(&reason).copied().unwrap_or(0)
    }
}

/// The rows of all actions that were ever declared, and one for decisions on no declared action.
///
/// An action keeps its row when another bundle declares it too, so that its counters never go back.
#[derive(Debug)]
pub struct Counts {
    by_action: BTreeMap<Name, Arc<Row>>,
    /// Decisions on what no bundle declares, and on actions beyond `max`.
    others: Arc<Row>,
    places: Arc<Places>,
    max: usize,
}

impl Counts {
    /// No action yet; at most `max` are counted by name.
    #[must_use]
    pub fn new(max: usize) -> Self {
        let places = Arc::default();
        let others = Arc::new(Row::counting_at(&places));
        Self { by_action: BTreeMap::new(), others, places, max }
    }

    /// The row of an action that a bundle declares.
    pub fn row(&mut self, action: &Name) -> Arc<Row> {
        if let Some(row) = self.by_action.get(action) {
            return Arc::clone(row);
        }
        if self.by_action.len() >= self.max {
            return self.others();
        }
        let row = Arc::new(Row::counting_at(&self.places));
        self.by_action.insert(*action, Arc::clone(&row));
        row
    }

    /// The row of decisions on no action that is counted by name.
    #[must_use]
    pub fn others(&self) -> Arc<Row> {
        Arc::clone(&self.others)
    }

    /// What was counted so far, by action; under no name for the others.
    pub fn sums(&self) -> impl Iterator<Item = (&str, Sums)> + '_ {
        let named = self.by_action.iter().map(|(action, row)| (action.as_str(), row.sums()));
        std::iter::once(("", self.others.sums())).chain(named)
    }
}

/// Where the counter of a reason is in a row.
fn cell_of(reason: Reason) -> usize {
    let number = usize::from(reason as u8);
    match reason.effect() {
        Effect::Deny => number,
        Effect::Allow => number.saturating_sub(100).saturating_add(ALLOWS),
    }
}

/// Which place a thread counts in: the next at its first count, so that as many threads as there are places never meet.
/// Which one it is changes no sum.
#[derive(Debug, Default)]
pub(super) struct Places {
    of_threads: ThreadLocal<usize>,
    handed_out: AtomicUsize,
}

impl Places {
    /// The place of this thread.
    pub(super) fn here(&self) -> usize {
        *self.of_threads.get_or(|| self.handed_out.fetch_add(1, Ordering::Relaxed) % PLACES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combine::Verdict;
    use crate::time::Now;

    fn denied(reason: Reason) -> Decision {
        Decision::new(Verdict::deny(reason), Now::default())
    }

    #[test]
    fn every_reason_has_a_counter_of_its_own() {
        let mut cells: Vec<usize> = Reason::ALL.iter().map(|reason| cell_of(*reason)).collect();
        assert!(cells.iter().all(|cell| *cell < CACHED), "{cells:?}");
        cells.sort_unstable();
        cells.dedup();
        assert_eq!(cells.len(), Reason::ALL.len());
    }

    #[test]
    fn what_many_threads_count_adds_up() {
        let row = Row::default();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..1_000).for_each(|_| row.count(&denied(Reason::Posture))));
            }
        });
        let mut cached = denied(Reason::NoMatchingRule);
        cached.cached = true;
        row.count(&cached);
        let sums = row.sums();
        assert_eq!((sums.of(Reason::Posture), sums.of(Reason::NoMatchingRule), sums.cached), (8_000, 1, 1));
        assert_eq!(sums.reasons.len(), 2);
    }

    #[test]
    fn as_many_threads_as_there_are_places_count_in_places_of_their_own() {
        let places = Places::default();
        let gate = std::sync::Barrier::new(PLACES);
        let mut here = std::thread::scope(|scope| {
            let places = &places;
            let gate = &gate;
            let at = move || {
                let here = places.here();
                // Nobody ends, and leaves its place to another, before all have one.
                gate.wait();
                (here, places.here())
            };
            let threads: Vec<_> = (0..PLACES).map(|_| scope.spawn(at)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        here.sort_unstable();
        assert_eq!(here, (0..PLACES).map(|place| (place, place)).collect::<Vec<_>>());
    }

    #[test]
    fn an_action_keeps_its_row_and_those_without_room_share_one() {
        let mut counts = Counts::new(1);
        let name = |text: &str| crate::name::name(text).unwrap();
        counts.row(&name("read")).count(&denied(Reason::Posture));
        counts.row(&name("read")).count(&denied(Reason::Posture));
        counts.row(&name("write")).count(&denied(Reason::Quarantined));
        counts.others().count(&denied(Reason::UnknownAction));
        let sums: BTreeMap<_, _> = counts.sums().collect();
        assert_eq!(sums["read"].of(Reason::Posture), 2);
        assert_eq!(sums[""].of(Reason::Quarantined), 1);
        assert_eq!(sums[""].of(Reason::UnknownAction), 1);
    }

    #[test]
    fn the_latest_end_of_what_a_host_keeps_is_held() {
        let row = Row::default();
        row.keep(Monotonic::from_millis(5));
        row.keep(Monotonic::from_millis(3));
        assert_eq!(row.kept_until(), Monotonic::from_millis(5));
    }
}
