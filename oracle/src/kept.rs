//! Earlier answers and how long each holds: chapters 8 and 9.
//!
//! An answer that is given again says what it said before, and how long it may be kept was settled when it was made. So
//! the oracle keeps every one, each with the facts that it rests on, and goes through all of them.

use std::collections::BTreeMap;

use fallgate::Effect;
use fallgate::condition::Truth;
use fallgate::policy::format::{OnFailure, Rule};
use fallgate::time::{Monotonic, Wall};
use fallgate::value::Value;

use crate::pack::Pack;
use crate::request::Asked;
use crate::rules::{Verdict, combine, matched, reads};
use crate::told::Oracle;
use crate::{MILLI, Time};

const MINUTE: i64 = 60_000 * MILLI as i64;

/// An answer, and what it rests on.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    action: String,
    key: BTreeMap<(&'static str, String), Option<Value>>,
    pub(crate) verdict: Verdict,
    at: Time,
    /// From when on it need not be used again, and may not, where the signals are as they should be.
    pub(crate) until: (Time, Time),
    /// From when on it need not stand in for an answer where a required signal is not ok, and from when on it may not.
    stands: (Time, Time),
    /// The number of the bundle that made it.
    of: usize,
    posture: (String, u32),
    /// How much was told by then, of each thing that voids it.
    changes: usize,
    moves: usize,
    tightenings: usize,
    partings: usize,
}

impl Oracle {
    fn key(pack: &Pack, asked: &Asked) -> BTreeMap<(&'static str, String), Option<Value>> {
        let reads = reads(pack, &asked.action);
        if reads.whole {
            return BTreeMap::from([(("request", String::new()), Some(Value::from(&asked.whole)))]);
        }
        let attributes = reads.attributes;
        let value = |(entity, name): (&'static str, String)| {
            let value = asked.attribute(entity, &name).cloned();
            ((entity, name), value)
        };
        attributes.into_iter().map(value).collect()
    }

    /// The signals that an action requires or its rules read.
    fn rests_on(pack: &Pack, action: &str) -> Vec<String> {
        let mut signals: Vec<String> = reads(pack, action).signals.into_iter().collect();
        signals.extend(pack.document.actions[action].requires.iter().cloned());
        signals
    }

    /// Of these the ones that it does not require.
    fn rests_on_besides(pack: &Pack, action: &str) -> Vec<String> {
        let mut signals = Self::rests_on(pack, action);
        signals.retain(|signal| !pack.document.actions[action].requires.contains(signal));
        signals
    }

    /// A wall time as one of the monotonic clock.
    pub(crate) fn by_monotonic(&self, wall: i64) -> Time {
        self.now.saturating_add(u64::try_from(wall.saturating_sub(self.wall)).unwrap_or(0))
    }

    /// When the bundle or the request ends.
    fn ends(&self, pack: &Pack, asked: &Asked) -> Time {
        if asked.ground.is_some() && !self.clock_ok {
            return 0;
        }
        let ends = self.valid(pack).1.into_iter().chain(asked.ground).map(|wall| self.by_monotonic(wall));
        ends.min().unwrap_or(Time::MAX)
    }

    /// The next wall time after `wall` at which a condition of a rule that could match may change by time alone.
    fn boundary(pack: &Pack, asked: &Asked, wall: i64) -> Option<i64> {
        let boundary = |rule: &Rule| {
            if let Some(entry) = pack.rego(&rule.id) {
                // When Rego says otherwise of another time nobody knows; in the days it does so at whole minutes.
                return entry.reads().reads_now.then(|| wall - wall.rem_euclid(MINUTE) + MINUTE);
            }
            let next = pack.condition(&rule.id)?.reads().clock.next_boundary(Wall::from_nanos(wall).as_timestamp())?;
            i64::try_from(next.as_nanosecond()).ok()
        };
        let rules = pack.rules(&asked.action).into_iter();
        rules.filter(|rule| matched(rule, asked) != Truth::False).filter_map(boundary).min()
    }

    /// The first such time at which the answer is another one; nothing where there is none before `limit`.
    fn turns(&mut self, pack: &Pack, asked: &Asked, posture: &(String, u32), verdict: &Verdict, limit: Time) -> Time {
        let (wall, mut from) = (self.wall, self.wall);
        let mut turns = Time::MAX;
        while let Some(next) = Self::boundary(pack, asked, from) {
            let at = self.by_monotonic(next);
            if at >= limit || turns < Time::MAX {
                break;
            }
            self.wall = next;
            let truths = self.truths(pack, asked, (&posture.0, posture.1));
            let then = combine(&truths, |_| true);
            self.wall = wall;
            if then != *verdict {
                turns = at;
            }
            from = next;
        }
        turns
    }

    /// The end of every fact but conditions on the time: the first at which one of these signals could change, and at which
    /// one does.
    fn facts(&self, pack: &Pack, asked: &Asked, signals: &[String]) -> (Time, Time) {
        let end = self.ends(pack, asked);
        let fresh = signals.iter().map(|signal| self.fresh_until(pack, signal));
        fresh.fold((end, end), |(least, most), (first, changed)| (least.min(first), most.min(changed)))
    }

    /// The number of a bundle: the candidate's, or the active one's.
    fn number(&self, pack: &Pack) -> usize {
        let staged = self.rollout.as_ref().filter(|rollout| std::ptr::eq(&raw const *rollout.pack, pack));
        staged.map_or(self.active, |rollout| rollout.number)
    }

    /// Keeps an answer in place of an earlier one to the same question, and says until when the host may: at the least until
    /// the first time at which a condition could change the answer, and at the most until the first at which one does. The
    /// one of `or` may be what was answered, and still kept.
    pub(crate) fn keep(
        &mut self,
        pack: &Pack,
        asked: &Asked,
        posture: (String, u32),
        verdict: &Verdict,
        or: Option<Kept>,
    ) -> (Time, Time) {
        use fallgate::Reason::{AllowedByRule, DeniedByRule, NoMatchingRule};
        let action = &pack.document.actions[&asked.action];
        let cache = action.cache.as_ref();
        let time = match verdict.reason {
            AllowedByRule => cache.and_then(|cache| cache.allow),
            DeniedByRule | NoMatchingRule => cache.and_then(|cache| cache.deny),
            _ => None,
        };
        let Some(time) = time else { return (0, 0) };
        let end = self.now.saturating_add(time.as_nanos());
        let stands_for = match &action.on_failure {
            Some(OnFailure::ServeCached(terms)) => terms.max_stale.as_nanos().saturating_add(MILLI),
            _ => 0,
        };
        let stands_until = self.now.saturating_add(stands_for);
        let boundary = Self::boundary(pack, asked, self.wall).map_or(Time::MAX, |wall| self.by_monotonic(wall));
        let of_rego = pack.rules(&asked.action).iter().any(|rule| pack.rego(&rule.id).is_some());
        // What Rego makes of the time need not be kept at all.
        let boundary = if of_rego { self.now } else { boundary };
        let turns = self.turns(pack, asked, &posture, verdict, end.max(stands_until));
        let (least, most) = self.facts(pack, asked, &Self::rests_on(pack, &asked.action));
        let (least, most) = (end.min(least).min(boundary), end.min(most).min(turns));
        // A required signal that is ok now was ok then too; what is missing is what it stands in for.
        let others = self.facts(pack, asked, &Self::rests_on_besides(pack, &asked.action));
        let could_end = stands_until.min(others.0).min(boundary);
        // What expires may do so up to a millisecond early.
        let stands = (could_end - could_end % MILLI, stands_until.min(others.1).min(turns));
        let (mut until, mut stands) = ((least, most), stands);
        if let Some(or) = or.filter(|or| or.verdict == *verdict) {
            until = (until.0.min(or.until.0), until.1.max(or.until.1));
            stands = (stands.0.min(or.stands.0), stands.1.max(or.stands.1));
        }
        if self.now < until.1 {
            let (key, of) = (Self::key(pack, asked), self.number(pack));
            self.kept.retain(|kept| kept.of != of || kept.action != asked.action || kept.key != key);
            self.kept.push(Kept {
                action: asked.action.clone(),
                key,
                verdict: verdict.clone(),
                at: self.now,
                until,
                stands,
                of,
                posture,
                changes: self.changes.len(),
                moves: self.moves.len(),
                tightenings: self.tightenings,
                partings: self.partings,
            });
        }
        (least, most)
    }

    /// Until when the last answer of the bundle of a revision is kept, of the times that it may be.
    pub fn kept_until(&mut self, revision: u64, until: Monotonic) {
        let Some(of) = self.of_revision(revision).map(|pack| self.number(pack)) else { return };
        if let Some(kept) = self.kept.iter_mut().rfind(|kept| kept.of == of).filter(|kept| kept.at == self.now) {
            kept.until = (until.as_nanos(), until.as_nanos());
        }
    }

    /// Whether an answer is one to the same question, and neither an activation, a revocation nor clocks that parted have voided it.
    fn still(&self, pack: &Pack, kept: &Kept, asked: &Asked) -> bool {
        kept.action == asked.action
            && kept.of == self.number(pack)
            && kept.partings == self.partings
            && !self.is_revoked(asked, kept.at)
            && kept.key == Self::key(pack, asked)
    }

    /// Whether the posture that the request is under was never another one since an answer was made.
    fn still_under(&self, pack: &Pack, kept: &Kept, asked: &Asked, posture: &(String, u32)) -> bool {
        // What is in force after each moment at which a posture was entered or left.
        let last = |at: &usize| self.moves.get(at + 1).is_none_or(|next| next.0 != self.moves[*at].0);
        let mut stood = (kept.moves..self.moves.len()).filter(last).map(|at| self.stood_after(pack, asked, at));
        kept.posture == *posture && stood.all(|stood| stood == *posture)
    }

    /// The answer that is given again, if there is one.
    pub(crate) fn again(&self, pack: &Pack, asked: &Asked, posture: &(String, u32)) -> Option<&Kept> {
        let signals = Self::rests_on(pack, &asked.action);
        let holds = |kept: &&Kept| {
            self.now < kept.until.1
                && self.still(pack, kept, asked)
                && self.still_under(pack, kept, asked, posture)
                && kept.tightenings == self.tightenings
                && !self.changes[kept.changes..].iter().any(|changed| signals.contains(changed))
        };
        self.kept.iter().find(holds)
    }

    /// The allow that stands in where required signals are not ok. Between the time at which something could have ended it
    /// and the one at which something did, the engine may let it stand or not: `used` says which.
    pub(crate) fn stale(&self, pack: &Pack, asked: &Asked, posture: &(String, u32), used: bool) -> Option<&Kept> {
        let others = Self::rests_on_besides(pack, &asked.action);
        // Today's posture permits the action: only where a rule reads it, the answer rests on it.
        let of_posture = reads(pack, &asked.action).posture;
        let stands = |kept: &&Kept| {
            kept.verdict.reason.effect() == Effect::Allow
                && self.now < if used { kept.stands.1 } else { kept.stands.0 }
                && self.still(pack, kept, asked)
                && (!of_posture || self.still_under(pack, kept, asked, posture))
                && !self.changes[kept.changes..].iter().any(|changed| others.contains(changed))
        };
        self.kept.iter().find(stands)
    }
}
