//! The one path of a decision, gate by gate: chapters 7 and 8.

use std::sync::Arc;

use fallgate::condition::{Cause, Status};
use fallgate::policy::format::{OnFailure, Rule, RuleEffect};
use fallgate::{Effect, Reason};
use serde_json::Value as Json;

use crate::Time;
use crate::audit::{demands_record, held_back, takes_two_calls};
use crate::pack::Pack;
use crate::request::{Asked, names, read};
use crate::rollout::is_comparable;
use crate::rules::{Verdict, combine};
use crate::told::Oracle;

/// What should be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Why; the effect follows.
    pub reason: Reason,
    /// The rule that decided.
    pub rule: Option<String>,
    /// The revision of the bundle; zero where there is none.
    pub revision: u64,
    /// The posture that the request is under.
    pub posture: String,
    /// The required signals that are not ok, or the one for want of which the rules allowed nothing.
    pub degraded: Vec<String>,
    /// The ids of the obligations.
    pub obligations: Vec<String>,
    /// Whether it says that it may rest on a loss.
    pub information_loss: bool,
    /// Whether an earlier answer was given again.
    pub cached: bool,
    /// The proposal of the override that got past a deny.
    pub over: Option<usize>,
    /// Until when, on the monotonic clock, the host may keep it, at the least and at the most.
    pub until: (Time, Time),
}

/// What is the engine's to choose, or hangs on how full its buffer of records is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chosen {
    /// Whether an earlier answer is given again where one may.
    pub again: bool,
    /// Whether one stands in for want of a signal, where it may.
    pub stands: bool,
    /// Whether a demanded record would find no room.
    pub full: bool,
    /// Whether it found none in the end.
    pub gone: bool,
    /// The revision of the bundle whose answer was given. Of a rollout's two answers one is not.
    pub revision: u64,
    /// Whether in the other one an earlier answer stands in, where it may.
    pub unseen_stands: bool,
}

/// By which bundle it is decided, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The active one, for an answer that may wait for its record, or has.
    Active { confirmed: bool },
    /// The candidate, on whose side the request is.
    Candidate,
    /// The candidate, which is only compared: nothing that was kept counts, and nothing is.
    Shadow,
}

impl Answer {
    pub(crate) fn deny(reason: Reason, pack: Option<&Pack>, posture: String) -> Self {
        Self {
            reason,
            rule: None,
            revision: pack.map_or(0, |pack| pack.document.revision),
            posture,
            degraded: Vec::new(),
            obligations: Vec::new(),
            information_loss: false,
            cached: false,
            over: None,
            until: (0, 0),
        }
    }
}

impl Oracle {
    /// Decides, in one call.
    pub fn decide(&mut self, request: &Json, chosen: Chosen) -> Answer {
        let (answer, waits) = self.answer(request, chosen, false);
        held_back(answer, chosen, waits)
    }

    /// The answer, and whether an allow has to wait for its record; `confirmed` is whether it has waited.
    pub(crate) fn answer(&mut self, request: &Json, chosen: Chosen, confirmed: bool) -> (Answer, bool) {
        let is_covered = names(request).map(|names| self.is_covered(names));
        let pack = self.pack().cloned();
        let before = self.answer_by(pack.as_ref(), request, chosen, By::Active { confirmed });
        let is_compared = is_covered == Some(false) && is_comparable(before.0.reason) && !confirmed;
        if is_compared { self.compare(request, before, chosen) } else { before }
    }

    /// The same, by one bundle.
    pub(crate) fn answer_by(
        &mut self,
        pack: Option<&Arc<Pack>>,
        request: &Json,
        chosen: Chosen,
        by: By,
    ) -> (Answer, bool) {
        let everywhere = pack.map_or_else(String::new, |pack| self.in_force(pack, None).0);
        let deny = |reason, pack: Option<&Pack>| (Answer::deny(reason, pack, everywhere.clone()), false);
        if names(request).is_none() {
            return deny(Reason::InvalidRequest, pack.map(|pack| &**pack));
        }
        let Some(pack) = pack else { return deny(Reason::NoPolicy, None) };
        let asked = match self.may_decide(pack).and_then(|()| read(pack, request)) {
            Ok(asked) => asked,
            Err(reason) => return deny(reason, Some(pack)),
        };
        if chosen.full && demands_record(pack, &asked.action) {
            return deny(Reason::AuditUnavailable, Some(pack));
        }
        let waits = takes_two_calls(pack, &asked.action) && by != By::Active { confirmed: true };
        let mut answer = self.decide_read(pack, &asked, chosen, by);
        if answer.reason.effect() == Effect::Deny && matches!(by, By::Active { .. }) {
            answer = self.overridden(pack, &asked, answer, !waits);
        }
        (answer, waits)
    }

    fn decide_read(&mut self, pack: &Pack, asked: &Asked, chosen: Chosen, by: By) -> Answer {
        let is_seen = self.rollout.is_none() || chosen.revision == pack.document.revision;
        let stands = if is_seen { chosen.stands } else { chosen.unseen_stands };
        let posture = self.in_force(pack, Some(asked));
        if self.is_quarantined(pack, asked, false) {
            return Answer::deny(Reason::Quarantined, Some(pack), self.in_force(pack, None).0);
        }
        let mut answer = Answer::deny(Reason::Posture, Some(pack), posture.0.clone());
        if !self.is_permitted(pack, asked, posture.1) {
            return answer;
        }
        let action = pack.document.actions[&asked.action].clone();
        let mut missing = action.requires.clone();
        missing.retain(|signal| self.status(pack, signal, self.now) != Status::Ok);
        missing.sort();
        let mut until = (0, 0);
        let verdict = if missing.is_empty() {
            let earlier = self.again(pack, asked, &posture).filter(|_| by != By::Shadow).cloned();
            match earlier {
                Some(kept) if chosen.again && is_seen => {
                    answer.cached = true;
                    until = kept.until;
                    kept.verdict
                }
                earlier => {
                    let truths = self.truths(pack, asked, (&posture.0, posture.1));
                    let verdict = combine(&truths, |_| true);
                    if by != By::Shadow {
                        // Whether an answer that nobody sees was an earlier one nobody knows.
                        until = self.keep(pack, asked, posture, &verdict, earlier.filter(|_| !is_seen));
                    }
                    verdict
                }
            }
        } else {
            let way = action.on_failure.unwrap_or_default();
            self.without(pack, asked, &posture, way, (by != By::Shadow).then_some(stands))
        };
        answer.degraded = missing;
        answer.degraded.extend(verdict.missed.map(|cause| match cause {
            Cause::Signal(number) => pack.signal_numbered(number).to_owned(),
            _ => "clock".to_owned(),
        }));
        let ground = asked.ground.map_or(Time::MAX, |ground| if self.clock_ok { self.by_monotonic(ground) } else { 0 });
        answer.until = (ground.min(until.0), ground.min(until.1));
        answer.reason = verdict.reason;
        answer.obligations = verdict.obligations;
        let rules = pack.rules(&asked.action);
        let accepts = |id: &String| rules.iter().any(|rule| rule.id == *id && rule.accepts_information_loss.is_some());
        let may_lose =
            rules.iter().any(|rule| rule.effect == RuleEffect::Deny && rule.accepts_information_loss.is_some());
        answer.information_loss =
            verdict.rule.as_ref().is_some_and(accepts) || (verdict.reason.effect() == Effect::Allow && may_lose);
        answer.rule = verdict.rule;
        answer
    }

    /// The last gate: what an override makes of a deny.
    fn overridden(&mut self, pack: &Pack, asked: &Asked, answer: Answer, uses: bool) -> Answer {
        let posture = self.in_force(pack, Some(asked));
        let truths = self.truths(pack, asked, (&posture.0, posture.1));
        let Some((over, obligations)) = self.override_deny(pack, asked, &truths, uses) else { return answer };
        let reason = Reason::AllowedByOverride;
        let rules = pack.rules(&asked.action);
        let lossy = |rule: &Rule| rule.effect == RuleEffect::Deny && rule.accepts_information_loss.is_some();
        let information_loss = rules.into_iter().any(lossy);
        let over = Some(over);
        Answer { reason, rule: None, obligations, information_loss, cached: false, over, until: (0, 0), ..answer }
    }

    /// What the action's `on_failure` says where required signals are not ok.
    /// `stands` is whether an earlier answer stands in where one may; nothing where none does.
    fn without(
        &self,
        pack: &Pack,
        asked: &Asked,
        posture: &(String, u32),
        way: OnFailure,
        stands: Option<bool>,
    ) -> Verdict {
        if way == OnFailure::Deny {
            return Verdict::plain(Reason::SignalUnavailable);
        }
        let truths = self.truths(pack, asked, (&posture.0, posture.1));
        let denies = combine(&truths, |rule| rule.effect == RuleEffect::Deny);
        if denies.reason != Reason::NoMatchingRule {
            return denies;
        }
        match way {
            OnFailure::Allow(_) => Verdict::plain(Reason::AllowedFailOpen),
            OnFailure::ServeCached(_) => match stands.and_then(|stands| self.stale(pack, asked, posture, stands)) {
                None => Verdict::plain(Reason::SignalUnavailable),
                Some(kept) => Verdict { reason: Reason::AllowedStale, ..kept.verdict.clone() },
            },
            OnFailure::Minimal => {
                let few = combine(&truths, |rule| rule.minimal);
                match few.reason {
                    Reason::AllowedByRule => Verdict { reason: Reason::AllowedMinimal, ..few },
                    _ => Verdict::plain(Reason::SignalUnavailable),
                }
            }
            OnFailure::Deny => unreachable!("it was answered"),
        }
    }
}
