//! How long a decision may be used again: a cached decision never outlives a fact that it rests on (spec 1.7).

use super::evaluate::Counted;
use super::snapshot::{Need, Snapshot};
use crate::combine::Verdict;
use crate::decision::Decision;
use crate::policy::action::ActionSpec;
use crate::policy::format::OnFailure;
use crate::reason::Reason;
use crate::request::Terms;
use crate::state::cache::{Answer, Stamp};
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
        stamp: Stamp,
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
            stamp,
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::combine::Tally;
    use crate::condition::{Cause, Truth};
    use crate::limits::Limits;
    use crate::policy::bundle::Bundle;
    use crate::policy::trust::Trust;
    use crate::reason::Effect;

    const NOW: Now = Now::new(Monotonic::from_millis(1_000), Wall::from_millis(50_000));

    fn millis(millis: u64) -> Monotonic {
        Monotonic::from_millis(millis)
    }

    /// An action whose allows may be used again for five seconds, and its denies for two.
    fn action(cache: &serde_json::Value) -> ActionSpec {
        let document = json!({
            "fallgate": 1, "name": "test", "revision": 1, "schema": {"subject": {"user": {}}, "resource": {"doc": {}}},
            "signals": {"idp": {"ttl": "10s"}},
            "actions": {"a": {"requires": ["idp"], "on_failure": {"serve_cached": {"max_stale": "1m"}}, "cache": cache}},
            "rules": [{"id": "all", "effect": "allow"}],
        });
        let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT).unwrap();
        bundle.policy().actions[0].clone()
    }

    fn verdict(effect: Effect, truth: Truth) -> Verdict {
        let mut tally = Tally::default();
        tally.count(effect, 0, truth);
        tally.verdict()
    }

    fn allowed() -> Verdict {
        verdict(Effect::Allow, Truth::True)
    }

    const NEVER: Lives = Lives {
        now: NOW.monotonic,
        required: Monotonic::NEVER,
        read: Monotonic::NEVER,
        bundle: Monotonic::NEVER,
        time: Monotonic::NEVER,
        request: Monotonic::NEVER,
    };

    #[test]
    fn an_answer_ends_with_the_first_of_what_it_rests_on() {
        let action = action(&json!({"allow": "5s", "deny": "2s"}));
        let ends_at = |lives: &Lives, verdict| lives.answer_expires_at(verdict, &action);
        assert_eq!(ends_at(&NEVER, allowed()), millis(6_000));
        assert_eq!(ends_at(&NEVER, verdict(Effect::Deny, Truth::True)), millis(3_000));
        assert_eq!(ends_at(&NEVER, Tally::default().verdict()), millis(3_000), "no rule matches");
        // What could not be established is over at once.
        for effect in [Effect::Deny, Effect::Allow] {
            assert_eq!(ends_at(&NEVER, verdict(effect, Truth::Indeterminate(Cause::Missing))), millis(1_000));
        }
        let end = millis(4_000);
        for lives in [
            Lives { required: end, ..NEVER },
            Lives { read: end, ..NEVER },
            Lives { bundle: end, ..NEVER },
            Lives { time: end, ..NEVER },
            Lives { request: end, ..NEVER },
        ] {
            assert_eq!(ends_at(&lives, allowed()), end);
        }
    }

    #[test]
    fn what_has_no_end_is_no_bound_and_the_earliest_is_named_first() {
        let lives = Lives { required: millis(9_000), request: millis(3_500), bundle: millis(7_000), ..NEVER };
        let action = action(&json!({"allow": "5s", "deny": "2s"}));
        let expected = [
            ("the request's own end", 2_500),
            ("the action's ttl", 5_000),
            ("the bundle's validity", 6_000),
            ("the freshness of the required signals", 8_000),
        ];
        assert_eq!(lives.bounds(allowed(), &action), expected);
    }

    #[test]
    fn an_answer_that_is_over_at_once_is_not_kept() {
        let kept = |lives: &Lives, action: &ActionSpec, verdict| {
            let mut decision = Decision::default();
            decision.expires_at = lives.answer_expires_at(verdict, action);
            lives.answer(verdict, &decision, action, Stamp::default())
        };
        let both = action(&json!({"allow": "5s", "deny": "2s"}));
        let answer = kept(&NEVER, &both, allowed()).unwrap();
        // Of an age of exactly `max_stale` it still stands in: 60 s and the last millisecond.
        assert_eq!((answer.expires_at, answer.stale_until), (millis(6_000), millis(61_001)));
        assert_eq!(answer.decided_at, NOW.monotonic);
        let ended = Lives { request: millis(3_000), ..NEVER };
        assert_eq!(kept(&ended, &both, allowed()).unwrap().stale_until, millis(3_000), "not beyond what it rests on");
        let read = Lives { required: millis(3_000), ..NEVER };
        assert_eq!(kept(&read, &both, allowed()).unwrap().stale_until, millis(61_001), "that is what it stands in for");
        let deny = kept(&NEVER, &both, verdict(Effect::Deny, Truth::True)).unwrap();
        assert_eq!(deny.stale_until, NOW.monotonic, "a deny stands in for nothing");
        // An allow that may not be used again is no earlier answer for anybody, though it could stand in for a minute.
        let denies = ActionSpec { allow_ttl: None, ..both.clone() };
        assert!(kept(&NEVER, &denies, allowed()).is_none());
        assert!(kept(&Lives { request: NOW.monotonic, ..NEVER }, &both, allowed()).is_none());
    }

    #[test]
    fn an_end_on_the_wall_clock_is_reached_no_later_on_the_other() {
        let wall = |millis| Wall::from_millis(millis);
        assert_eq!(reached(NOW, wall(53_000)), millis(4_000));
        assert_eq!(reached(NOW, wall(50_000)), NOW.monotonic);
        assert_eq!(reached(NOW, wall(1)), NOW.monotonic);
        // In whole milliseconds, down.
        assert_eq!(reached(NOW, Wall::from_nanos(53_000_999_999)), millis(4_000));
        assert_eq!(reached(NOW, Wall::from_nanos(50_000_000_001)), NOW.monotonic);
        let odd = Now { monotonic: Monotonic::from_nanos(1_000_000_001), ..NOW };
        assert_eq!(reached(odd, Wall::from_nanos(50_000_000_001)), odd.monotonic, "not before now");
        let at = |millis| at_wall(NOW, wall(millis).as_timestamp());
        assert_eq!([at(53_000), at(50_000), at(1)], [millis(4_000), NOW.monotonic, NOW.monotonic]);
        // The year 9999 is beyond what nanoseconds count.
        assert_eq!(at_wall(NOW, Timestamp::from_second(253_402_214_400).unwrap()), Monotonic::NEVER);
    }
}
