//! What a panic inside comes to: a deny that leaves its record, and an engine that allows nothing more (spec 1.4).
//!
//! A defect that panics once does so again where it finds the same again. So nothing here rests on what may have panicked:
//! where the snapshot of a failed engine cannot be made, an empty one takes its place; where a deny cannot be recorded,
//! identified or counted, it is given all the same.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::Engine;
use super::snapshot::Snapshot;
use crate::combine::Verdict;
use crate::decision::Decision;
use crate::reason::Reason;
use crate::request::{Checked, RequestView, Spelling};
use crate::time::Now;

impl Engine {
    /// Makes a decision; where that panics, the deny that stands for it.
    pub(super) fn contained(
        &self,
        request: Option<&RequestView<'_>>,
        now: Now,
        decide: impl FnOnce(&mut Decision),
    ) -> Decision {
        // A decision is some four hundred bytes: it is made where it is handed back, and never moved.
        let mut decision = Decision::new(Verdict::deny(Reason::InternalError), now);
        self.contain(request, now, &mut decision, decide);
        decision
    }

    /// A panic inside is a deny, which leaves its record, and ends this engine's allowing until a bundle is activated.
    pub(super) fn contain(
        &self,
        request: Option<&RequestView<'_>>,
        now: Now,
        decision: &mut Decision,
        decide: impl FnOnce(&mut Decision),
    ) {
        if catch_unwind(AssertUnwindSafe(|| decide(&mut *decision))).is_err() {
            *decision = self.after_panic(request, now);
        }
    }

    #[cold]
    fn after_panic(&self, request: Option<&RequestView<'_>>, now: Now) -> Decision {
        self.fail(Some(now));
        let now = self.held(now);
        let mut decision = Decision::new(Verdict::deny(Reason::InternalError), now);
        let identified = || {
            request.map_or_else(
                || self.id_of(now, 0),
                |request| self.decision_id(&Checked::before(request, &Spelling::of(request)), now),
            )
        };
        decision.id = catch_unwind(AssertUnwindSafe(identified)).unwrap_or_else(|_| self.id_of(now, 0));
        self.record_after_panic(request, &mut decision);
        let _counted = catch_unwind(AssertUnwindSafe(|| self.measures.count_other(&decision)));
        decision
    }

    /// Ends this engine's allowing until a bundle is activated: every decision that begins after this denies.
    ///
    /// `now` is when the call came that met a panic, where it brought a time. No lock of this engine is held by the caller.
    #[cold]
    pub(super) fn fail(&self, now: Option<Now>) {
        let shown = now.is_some_and(|now| {
            let show = || {
                let now = self.held(now);
                let mut told = self.told();
                told.engine_ok = false;
                self.publish(&mut told, now);
            };
            catch_unwind(AssertUnwindSafe(show)).is_ok()
        });
        if !shown {
            // No call ends before its lock is free again, so nothing that is published later is older than this.
            let mut told = self.told();
            told.engine_ok = false;
            let active = self.snapshot.load().active.clone();
            self.snapshot.store(Arc::new(Snapshot::failed(active, told.quarantines.table())));
        }
    }
}
