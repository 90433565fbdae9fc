//! Gate 6 where a required signal is not ok: the action's declared way out, in the four ways of spec 1.6.

use super::evaluate::{Evaluation, Unwatched, Which};
use crate::combine::Verdict;
use crate::decision::Particulars;
use crate::policy::action::ActionSpec;
use crate::policy::format::OnFailure;
use crate::reason::{Effect, Reason};
use crate::state::cache::{Answer, Stamp};

/// The verdict, and what goes with it; `kept` is an earlier answer to the same question.
pub(super) fn verdict(
    evaluation: &Evaluation<'_>,
    action: &ActionSpec,
    stamp: Stamp,
    kept: Option<&Answer>,
) -> (Verdict, Particulars) {
    let count = |which| evaluation.count(action, which, false, &mut Unwatched);
    match &action.on_failure {
        OnFailure::Deny => (Verdict::deny(Reason::SignalUnavailable), Particulars::default()),
        OnFailure::Minimal => {
            let counted = count(Which::Minimal);
            let verdict = counted.tally.verdict_minimal();
            (verdict, evaluation.particulars(&counted, verdict))
        }
        OnFailure::Allow(_) => {
            let counted = count(Which::Deny);
            let verdict = counted.tally.verdict_fail_open();
            (verdict, evaluation.particulars(&counted, verdict))
        }
        OnFailure::ServeCached(_) => {
            // Only what the action requires may have changed since, and a posture that rules do not read: every other fact
            // must be as it was. An answer that knows of more changes than this decision was made by another thread after
            // this one began: it is no earlier one.
            let earlier = kept.filter(|answer| {
                answer.verdict.reason().effect() == Effect::Allow
                    && answer.stamp.activation == stamp.activation
                    && answer.stamp.required <= stamp.required
                    && answer.stamp.quarantine <= stamp.quarantine
                    && answer.stamp.read == stamp.read
                    && (answer.stamp.posture == stamp.posture || !action.reads.posture)
                    && evaluation.now.monotonic < answer.stale_until
            });
            let counted = count(Which::Deny);
            let verdict = counted.tally.verdict_stale(earlier.and_then(|answer| answer.verdict.rule()));
            let particulars = match verdict.reason().effect() {
                Effect::Allow => earlier.map(|answer| answer.particulars.clone()).unwrap_or_default(),
                Effect::Deny => evaluation.particulars(&counted, verdict),
            };
            (verdict, particulars)
        }
    }
}
