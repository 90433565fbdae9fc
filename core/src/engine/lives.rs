//! How long a decision may be used again: a cached decision never outlives a fact that it rests on (spec 1.7).

use super::evaluate::Counted;
use super::snapshot::{Need, Snapshot};
use crate::combine::Verdict;
use crate::decision::Decision;
use crate::policy::action::ActionSpec;
use crate::policy::format::OnFailure;
use crate::reason::Reason;
use crate::request::Terms;
use crate::state::cache::Answer;
use crate::time::{Monotonic, Now, Ttl, Wall};
use crate::value::Timestamp;

/// How long an answer may live: until the first of the facts that it rests on ends.
pub(super) struct Lives {
    now: Monotonic,
    /// The end of every fact but the required signals' freshness.
    facts: Monotonic,
    /// The end of the required signals' freshness.
    required: Monotonic,
}

impl Lives {
    pub(super) fn of(snapshot: &Snapshot, need: &Need, counted: &Counted, terms: Terms, now: Now) -> Self {
        let wall = now.wall.as_timestamp();
        let bundle_end = snapshot.active.as_ref().and_then(|active| active.bundle.policy().valid_until);
        let at_wall = |at: Timestamp| {
            if at <= wall {
                return now.monotonic;
            }
            i64::try_from(at.as_nanosecond()).map_or(Monotonic::NEVER, |at| reached(now, Wall::from_nanos(at)))
        };
        let ends = [
            Some(need.read_until),
            bundle_end.map(|end| reached(now, end)),
            counted.boundary.map(at_wall),
            terms.expires_at.map(at_wall),
        ];
        let facts = ends.into_iter().flatten().min().unwrap_or(Monotonic::NEVER);
        Self { now: now.monotonic, facts, required: need.required_until }
    }

    /// Until when the answer may be used again; the time of the decision for not at all.
    pub(super) fn answer_expires_at(&self, verdict: Verdict, action: &ActionSpec) -> Monotonic {
        let ttl = match verdict.reason() {
            Reason::AllowedByRule => action.allow_ttl,
            Reason::DeniedByRule | Reason::NoMatchingRule => action.deny_ttl,
            // What could not be established is never kept: the next request may know more.
            _ => None,
        };
        ttl.map_or(self.now, |ttl| self.now.after(ttl).min(self.facts).min(self.required))
    }

    pub(super) fn answer(
        &self,
        verdict: Verdict,
        decision: &Decision,
        action: &ActionSpec,
        need: &Need,
    ) -> Option<Answer> {
        let stale_until = match (&action.on_failure, verdict.reason()) {
            (OnFailure::ServeCached(serve), Reason::AllowedByRule) => {
                // Not older than `max_stale`: an answer of exactly that age still serves.
                self.now.after(serve.max_stale).after(Ttl::from_millis(1)).min(self.facts)
            }
            _ => self.now,
        };
        (decision.expires_at > self.now).then(|| Answer {
            verdict,
            obligations: decision.obligations.clone(),
            decided_at: self.now,
            expires_at: decision.expires_at,
            stale_until,
            stamp: need.stamp,
        })
    }
}

/// When, on the monotonic clock, the wall clock reaches `at`; now, for a time that has passed.
fn reached(now: Now, at: Wall) -> Monotonic {
    let span = at.as_nanos().saturating_sub(now.wall.as_nanos());
    u64::try_from(span)
        .map_or(now.monotonic, |span| now.monotonic.after(Ttl::from_nanos(span)).rounded_down().max(now.monotonic))
}
