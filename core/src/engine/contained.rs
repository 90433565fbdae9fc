//! What a panic inside comes to: a deny that leaves its record, and an engine that allows nothing more (spec 1.4).

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Engine;
use crate::combine::Verdict;
use crate::decision::Decision;
use crate::reason::Reason;
use crate::request::RequestView;
use crate::state::events::EventKind;
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
        let now = self.held(now);
        let mut told = self.told();
        if told.engine_ok {
            told.engine_ok = false;
            self.events().push(now, EventKind::EngineFailed);
        }
        self.publish(&mut told, now);
        drop(told);
        let mut decision = Decision::new(Verdict::deny(Reason::InternalError), now);
        decision.id = request.map_or_else(|| self.id_of(now, 0), |request| self.decision_id(request, now));
        self.record_after_panic(request, &mut decision);
        self.measures.count_other(&decision);
        decision
    }
}
