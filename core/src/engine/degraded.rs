//! Gate 6 where a required signal is not ok: the action's declared way out, in the four ways of spec 1.6.

use std::sync::Arc;

use super::evaluate::{Evaluation, Unwatched, Which};
use super::snapshot::Need;
use crate::combine::Verdict;
use crate::obligation::Obligation;
use crate::policy::action::ActionSpec;
use crate::policy::format::OnFailure;
use crate::reason::{Effect, Reason};
use crate::state::cache::Answer;

/// The verdict, and the obligations that go with it; `kept` is an earlier answer to the same question.
pub(super) fn verdict(
    evaluation: &Evaluation<'_>,
    action: &ActionSpec,
    need: &Need,
    kept: Option<&Answer>,
) -> (Verdict, Option<Arc<[Obligation]>>) {
    let count = |which| evaluation.count(action, which, false, &mut Unwatched);
    match &action.on_failure {
        OnFailure::Deny => (Verdict::deny(Reason::SignalUnavailable), None),
        OnFailure::Minimal => {
            let counted = count(Which::Minimal);
            let verdict = counted.tally.verdict_minimal();
            (verdict, evaluation.obligations(&counted, verdict))
        }
        OnFailure::Allow(_) => {
            let counted = count(Which::Deny);
            let verdict = counted.tally.verdict_fail_open();
            (verdict, evaluation.obligations(&counted, verdict))
        }
        OnFailure::ServeCached(_) => {
            // Only what the action requires may have changed since: every other fact must be as it was.
            let earlier = kept.filter(|answer| {
                answer.verdict.reason().effect() == Effect::Allow
                    && answer.stamp.activation == need.stamp.activation
                    && answer.stamp.read == need.stamp.read
                    && evaluation.now.monotonic < answer.stale_until
            });
            let counted = count(Which::Deny);
            let verdict = counted.tally.verdict_stale(earlier.and_then(|answer| answer.verdict.rule()));
            let obligations = match verdict.reason().effect() {
                Effect::Allow => earlier.and_then(|answer| answer.obligations.clone()),
                Effect::Deny => evaluation.obligations(&counted, verdict),
            };
            (verdict, obligations)
        }
    }
}
