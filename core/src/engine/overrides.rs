//! Gate 9: a deny of gates 4 to 8 that an approved override gets past (spec 1.4, 1.9).

use std::sync::Arc;

use super::Engine;
use super::evaluate::{Evaluation, Unwatched, Which};
use super::snapshot::Snapshot;
use crate::decision::{Decision, Particulars};
use crate::faults::point;
use crate::policy::action::ActionSpec;
use crate::state::events::EventKind;
use crate::state::overrides::Grant;
use crate::state::proposal::ProposalId;
use crate::time::{Monotonic, Wall};

/// An override that is in force, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverrideView {
    /// The proposal that granted it, which is its name too.
    pub id: ProposalId,
    /// Since when it is in force.
    pub from: Monotonic,
    /// When it ends, exclusive.
    pub until: Monotonic,
    /// When it ends on the wall clock: the earlier counts.
    pub until_wall: Wall,
    /// How many uses are left.
    pub uses_left: u32,
}

impl Engine {
    /// The overrides in force, as of the last call that told the engine the time, oldest first.
    #[must_use]
    pub fn overrides(&self) -> Vec<OverrideView> {
        let view = |grant: &Arc<Grant>| OverrideView {
            id: grant.id,
            from: grant.from,
            until: grant.until,
            until_wall: grant.until_wall,
            uses_left: grant.uses_left(),
        };
        self.snapshot.load().overrides.iter().map(view).collect()
    }

    /// Makes of a deny what an override makes of it. Rules that are `absolute` are evaluated whatever gate denied; an allow by
    /// override is never kept, and the host may not keep it either. One that only waits to be confirmed uses none up.
    pub(super) fn override_deny(
        &self,
        snapshot: &Snapshot,
        evaluation: &Evaluation<'_>,
        action: &ActionSpec,
        uses: bool,
        decision: &mut Decision,
    ) {
        if snapshot.overrides.is_empty() || !snapshot.clock_ok {
            return;
        }
        let (request, now) = (evaluation.request, evaluation.now);
        let covers = |grant: &&Arc<Grant>| grant.covers(request, now);
        if !snapshot.overrides.iter().any(|grant| covers(&grant)) {
            return;
        }
        let policy = evaluation.policy;
        if snapshot.quarantines_absolutely(request, evaluation.slots, evaluation.limits, now) {
            return;
        }
        point("gate 9: covered");
        let counted = evaluation.count(action, Which::Absolute, false, &mut Unwatched);
        let Some(verdict) = counted.tally.verdict_override() else { return };
        let take = |grant: &Arc<Grant>| if uses { grant.take_use() } else { grant.uses_left().checked_sub(1) };
        let used = snapshot.overrides.iter().filter(covers).find_map(|grant| Some((grant.id, take(grant)?)));
        let Some((id, uses_left)) = used else { return };
        point("gate 9: used");
        let overrode = decision.reason();
        let review = policy.approvers.overrides.as_ref().and_then(|spec| spec.review.clone());
        decision.particulars = Particulars { obligations: review, messages: None };
        decision.expires_at = now.monotonic;
        decision.cached = false;
        decision.detail = None;
        decision.override_id = Some(id.to_string().into());
        decision.settle(verdict, policy, action);
        point("gate 9: settled");
        if !uses {
            return;
        }
        self.events().push(now, EventKind::OverrideUsed { id, decision: decision.id(), overrode, uses_left });
        point("gate 9: told");
        if uses_left == 0 {
            self.show(now);
        }
    }
}
