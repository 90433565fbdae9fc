//! What is due before anything new counts: by the clocks as they are read, whoever brings the reading.

use super::Engine;
use super::told::Told;
use crate::concurrent::MutexGuard;
use crate::state::approvals::Close;
use crate::state::clocks::Reading;
use crate::state::events::EventKind;
use crate::state::overrides::End;
use crate::time::Now;

impl Engine {
    /// Does all that is due by now, and finds clocks that have parted: the writers' lock, the time as it is held, and whether
    /// the clocks were found to have parted, or the wall clock to have run further ahead. Nothing of it is published yet.
    pub(super) fn met(&self, read: Reading) -> (MutexGuard<'_, Told>, Now, bool) {
        let now = self.held(read.clocks());
        let mut told = self.told();
        let known_apart = !told.clock_ok;
        let parted = told.anchor.is_some_and(|anchor| anchor.is_left(read, known_apart));
        if parted {
            // Whatever wall time bounds has ended, before anything is done on the strength of it.
            told.end_approvals(Close::Clock, End::Clock, now.monotonic);
        }
        // What was due before comes before what is new: a late report hides no silence.
        told.settle(now);
        if parted {
            told.part(read, now.monotonic);
        }
        if parted && !known_apart {
            self.events().push(now, EventKind::ClockFailed);
        }
        (told, now, parted)
    }
}
