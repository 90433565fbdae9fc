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

/// The ends of the facts that an answer rests on; [`Monotonic::NEVER`] for what has none.
pub(super) struct Lives {
    now: Monotonic,
    /// The freshness of the signals that the action requires.
    required: Monotonic,
    /// The freshness of the other signals that its rules read.
    read: Monotonic,
    /// The bundle's validity.
    bundle: Monotonic,
    /// The next time at which a condition that reads `now` may change.
    time: Monotonic,
    /// The request's own ground.
    request: Monotonic,
}

impl Lives {
    pub(super) fn of(snapshot: &Snapshot, need: &Need, counted: &Counted, terms: Terms, now: Now) -> Self {
        let bundle = snapshot.active.as_ref().and_then(|active| active.bundle.policy().valid_until);
        Self {
            now: now.monotonic,
            required: need.required_until,
            read: need.read_until,
            bundle: bundle.map_or(Monotonic::NEVER, |end| reached(now, end)),
            time: counted.boundary.map_or(Monotonic::NEVER, |at| at_wall(now, at)),
            request: request_end(snapshot, terms, now),
        }
    }

    /// The end of every fact but the required signals' freshness.
    fn facts(&self) -> Monotonic {
        self.read.min(self.bundle).min(self.time).min(self.request)
    }

    /// Until when the answer may be used again; the time of the decision for not at all.
    pub(super) fn answer_expires_at(&self, verdict: Verdict, action: &ActionSpec) -> Monotonic {
        ttl(verdict, action).map_or(self.now, |ttl| self.now.after(ttl).min(self.facts()).min(self.required))
    }

    /// What bounds the answer's life, and in how many milliseconds each of it ends, the earliest first.
    pub(super) fn bounds(&self, verdict: Verdict, action: &ActionSpec) -> Vec<(&'static str, u64)> {
        let ttl = ttl(verdict, action).map_or(self.now, |ttl| self.now.after(ttl));
        let ends = [
            ("the action's ttl", ttl),
            ("the freshness of the required signals", self.required),
            ("the freshness of the signals that rules read", self.read),
            ("the bundle's validity", self.bundle),
            ("the next boundary of a time condition", self.time),
            ("the request's own end", self.request),
        ];
        let ends = ends.into_iter().filter(|(_, end)| *end < Monotonic::NEVER);
        let mut bounds: Vec<_> = ends.map(|(name, end)| (name, end.nanos_since(self.now) / 1_000_000)).collect();
        bounds.sort_by_key(|(_, millis)| *millis);
        bounds
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
                self.now.after(serve.max_stale).after(Ttl::from_millis(1)).min(self.facts())
            }
            _ => self.now,
        };
        (decision.expires_at > self.now).then(|| Answer {
            verdict,
            particulars: decision.particulars.clone(),
            decided_at: self.now,
            expires_at: decision.expires_at,
            stale_until,
            stamp: need.stamp,
        })
    }
}

/// The end of the request's own ground, on which an answer to it rests whoever was given it first; at once, where the clock
/// that would measure it is not to be trusted.
pub(super) fn request_end(snapshot: &Snapshot, terms: Terms, now: Now) -> Monotonic {
    match terms.expires_at {
        None => Monotonic::NEVER,
        Some(_) if !snapshot.clock_ok => now.monotonic,
        Some(at) => at_wall(now, at),
    }
}

/// For how long the action lets a decision with this verdict be used again.
const fn ttl(verdict: Verdict, action: &ActionSpec) -> Option<Ttl> {
    match verdict.reason() {
        Reason::AllowedByRule => action.allow_ttl,
        Reason::DeniedByRule | Reason::NoMatchingRule => action.deny_ttl,
        // What could not be established is never kept: the next request may know more.
        _ => None,
    }
}

fn at_wall(now: Now, at: Timestamp) -> Monotonic {
    if at <= now.wall.as_timestamp() {
        return now.monotonic;
    }
    i64::try_from(at.as_nanosecond()).map_or(Monotonic::NEVER, |at| reached(now, Wall::from_nanos(at)))
}

/// When, on the monotonic clock, the wall clock reaches `at`; now, for a time that has passed.
fn reached(now: Now, at: Wall) -> Monotonic {
    let span = at.as_nanos().saturating_sub(now.wall.as_nanos());
    u64::try_from(span)
        .map_or(now.monotonic, |span| now.monotonic.after(Ttl::from_nanos(span)).rounded_down().max(now.monotonic))
}
