//! The gates of a decision, in their order (spec 1.4): each may only tighten what follows, and gates 6 and 9 loosen only as
//! a bundle declares.

use bumpalo::Bump;

use super::evaluate::{Counted, Evaluation, Unwatched, Which};
use super::lives::{self, Lives};
use super::snapshot::{Active, Need, Snapshot};
use super::{Engine, degraded, posture_name, postures};
use crate::combine::Verdict;
use crate::decision::Decision;
use crate::faults::point;
use crate::policy::action::ActionSpec;
use crate::policy::format::ActionAudit;
use crate::policy::schema::Slots;
use crate::reason::{Effect, Reason};
use crate::request::{Checked, Terms};
use crate::state::cache::{Answer, Stamp};
use crate::state::cache_key::Key;
use crate::state::postures::Standing;
use crate::time::Now;

impl Engine {
    /// The path of every decision.
    pub(super) fn gates(
        &self,
        snapshot: &Snapshot,
        request: &Checked<'_>,
        now: Now,
        manner: Manner,
        decision: &mut Decision,
    ) {
        decision.at = now;
        decision.id = self.decision_id(request, now);
        point(if manner.arm == CANDIDATE { "candidate" } else { "gate 1: begin" });
        // An engine that met a panic denies until a bundle is activated.
        if !snapshot.engine_ok {
            return;
        }
        let limits = &self.config.limits;
        // Gate 1: a bundle is active, not revoked, and inside its validity.
        let Some(active) = &snapshot.active else {
            decision.deny(Reason::NoPolicy);
            return;
        };
        let policy = &**active.bundle.policy();
        decision.bundle = policy.name;
        decision.revision = policy.revision;
        if let Some(posture) = policy.postures.spec(snapshot.in_force.everywhere().posture) {
            decision.posture = posture.name;
        }
        if let Err(reason) = bundle_gate(snapshot, active, now) {
            decision.deny(reason);
            return;
        }
        point("gate 1: passed");
        // Gate 2: the request fits the schema; the action is declared; the revision is new enough.
        let terms = match (!request.context.is_empty()).then(|| request.terms()).transpose() {
            Ok(terms) => terms.unwrap_or_default(),
            Err(error) => return decision.deny(Reason::InvalidRequest).because(&error),
        };
        if terms.min_revision.is_some_and(|least| policy.revision < least) {
            decision.deny(Reason::RevisionTooOld);
            return;
        }
        let Some((number, action)) = policy.action_spelt(request.action.name, request.spelling().action_name) else {
            decision.deny(Reason::UnknownAction);
            return;
        };
        decision.action = Some(number);
        let arena = Bump::new();
        let mut slots = Slots::new();
        if let Err(misfit) = policy.schema.fill(request, request.spelling(), &arena, &mut slots) {
            return decision.deny(Reason::InvalidRequest).because(&misfit);
        }
        let Some(need) = usize::try_from(number).ok().and_then(|number| snapshot.needs.get(number)) else {
            return;
        };
        point("gate 2: passed");
        // Gate 3: where the action demands a record, there is room for one.
        if action.audit.is_some() && !self.may_record(action) {
            decision.deny(Reason::AuditUnavailable);
            return;
        }
        point("gate 3: passed");
        let Some(standing) = snapshot.in_force.of(&policy.postures.scopes, &slots) else {
            if snapshot.quarantines(request, &slots, limits, now) {
                decision.deny(Reason::Quarantined);
                return;
            }
            return decision.deny(Reason::LimitExceeded).because(&SCOPE_TOO_LONG);
        };
        let Some(posture) = policy.postures.spec(standing.posture) else {
            return;
        };
        let evaluation = Evaluation::of(snapshot, policy, limits, request, &slots, posture, now);
        let question = Question { snapshot, number, action, need, standing, terms, manner };
        self.judge(&question, &evaluation, decision);
        point("gate 9: begin");
        // Gate 9: an override that covers a deny.
        if manner.overrides && !decision.is_allow() {
            self.override_deny(snapshot, &evaluation, action, manner.uses_up(action), decision);
        }
    }

    /// Gates 4 to 8, and what of the answer is kept.
    #[inline]
    fn judge(&self, question: &Question<'_>, evaluation: &Evaluation<'_>, decision: &mut Decision) {
        let Question { snapshot, number, action, need, standing, manner, .. } = *question;
        let Evaluation { policy, slots, request, now, .. } = *evaluation;
        // Gate 4: neither the subject nor the resource nor a scope is quarantined.
        if snapshot.quarantines(request, slots, &self.config.limits, now) {
            decision.deny(Reason::Quarantined);
            return;
        }
        point("gate 4: passed");
        // Gate 5: the strictest posture of the request's scopes permits it.
        if standing.posture != snapshot.in_force.everywhere().posture {
            decision.posture = posture_name(policy, standing.posture);
        }
        if standing.posture > 0 && !postures::permits(evaluation, number, standing.posture) {
            decision.deny(Reason::Posture);
            return;
        }
        point("gate 5: passed");
        if manner.keeps && (action.allow_ttl.is_some() || action.deny_ttl.is_some()) {
            return self.judge_or_find(question, evaluation, decision);
        }
        // Gate 6: every signal that the action requires is ok, or the action's declared way out.
        if need.degraded.is_some() {
            return self.judge_degraded(question, evaluation, None, decision);
        }
        point("gate 6: passed");
        // Gate 8: the rules.
        let counted = evaluation.count(action, Which::All, false, &mut Unwatched);
        point("gate 8: counted");
        settle_by_rules(evaluation, action, &counted, decision);
    }

    /// Gates 6 to 8 on an action whose answers are kept.
    #[inline(never)]
    fn judge_or_find(&self, question: &Question<'_>, evaluation: &Evaluation<'_>, decision: &mut Decision) {
        let Question { snapshot, number, action, need, terms, manner, .. } = *question;
        let Evaluation { policy, slots, request, now, .. } = *evaluation;
        let stamp = question.stamp();
        let mut key = Key::default();
        key.fill(number | manner.arm, &action.reads, slots, request);
        let key = key.bytes();
        point("gate 7: key made");
        let kept = self.cache.find(key);
        point("gate 7: looked");
        let void =
            |answer: &Answer| snapshot.quarantine.revoked(&request.subject, answer.decided_at, answer.stamp.quarantine);
        let kept = kept.filter(|answer| !void(answer));
        if need.degraded.is_some() {
            return self.judge_degraded(question, evaluation, kept.as_ref(), decision);
        }
        // Gate 7: an earlier answer whose facts all still hold.
        let kept = kept.filter(|answer| answer.stamp == stamp && now.monotonic < answer.expires_at);
        if let Some(answer) = kept {
            decision.expires_at = answer.expires_at.min(lives::request_end(snapshot, terms, now));
            let (verdict, particulars) = if cfg!(feature = "no-cache") {
                // What the rules say now lives no longer than what they said then, and does not take its place: a decision
                // that stands in later is as old as it would have been.
                let counted = evaluation.count(action, Which::All, false, &mut Unwatched);
                let verdict = counted.tally.verdict();
                decision.degraded = evaluation.missed_signal(&counted);
                (verdict, evaluation.particulars(&counted, verdict))
            } else {
                decision.cached = true;
                (answer.verdict, answer.particulars)
            };
            point("gate 7: found");
            decision.particulars = particulars;
            return decision.settle(verdict, policy, action);
        }
        let row = snapshot.row(number);
        if let Some(row) = row {
            row.miss();
        }
        // Gate 8: the rules.
        let counted = evaluation.count(action, Which::All, false, &mut Unwatched);
        let verdict = settle_by_rules(evaluation, action, &counted, decision);
        point("gate 10: begin");
        // Gate 10: what may be kept, and for how long. What an override makes of it is not.
        if key.len() <= self.config.limits.cache_key_bytes_max {
            let lives = Lives::of(snapshot, need, &counted, terms, now);
            decision.expires_at = lives.answer_expires_at(verdict, action);
            if let Some(row) = row.filter(|_| verdict.reason().effect() == Effect::Allow) {
                row.keep(decision.expires_at);
            }
            if let Some(answer) = lives.answer(verdict, decision, action, stamp) {
                point("gate 10: answer made");
                self.cache.keep(key, answer);
                point("gate 10: kept");
            }
        }
    }

    /// Gate 6 where a signal is not ok that the action requires: its declared way out.
    #[inline(never)]
    fn judge_degraded(
        &self,
        question: &Question<'_>,
        evaluation: &Evaluation<'_>,
        kept: Option<&Answer>,
        decision: &mut Decision,
    ) {
        point("gate 6: degraded");
        let (verdict, particulars) = degraded::verdict(evaluation, question.action, question.stamp(), kept);
        decision.degraded = question.need.degraded.clone();
        decision.particulars = particulars;
        decision.settle(verdict, evaluation.policy, question.action);
    }
}

/// What a decision is about, resolved: the snapshot that it sees, the action, its signals, and the posture in force.
#[derive(Clone, Copy)]
struct Question<'q> {
    snapshot: &'q Snapshot,
    number: u32,
    action: &'q ActionSpec,
    need: &'q Need,
    standing: Standing,
    terms: Terms,
    manner: Manner,
}

impl Question<'_> {
    /// What the answer rests on.
    fn stamp(&self) -> Stamp {
        Stamp { posture: self.standing, quarantine: self.snapshot.quarantine.changes(), ..self.need.stamp }
    }
}

/// Settles a decision by the rules that were counted.
#[inline]
fn settle_by_rules(
    evaluation: &Evaluation<'_>,
    action: &ActionSpec,
    counted: &Counted,
    decision: &mut Decision,
) -> Verdict {
    let verdict = counted.tally.verdict();
    if counted.has_particulars() {
        decision.particulars = evaluation.particulars(counted, verdict);
    }
    decision.degraded = evaluation.missed_signal(counted);
    decision.settle(verdict, evaluation.policy, action);
    verdict
}

/// How a decision is gone about.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    /// Whether an override may get past a deny, and is used up by it.
    overrides: bool,
    /// Whether the allow has waited for its record, and is given out now.
    confirmed: bool,
    /// Whether earlier answers are used, and this one is kept.
    keeps: bool,
    /// What parts the answers of a candidate from those of the active bundle, in the keys of the cache.
    arm: u32,
}

/// The highest bit of an action's number, which none has: see [`Limits::actions_max`].
const CANDIDATE: u32 = 1 << 31;

impl Manner {
    /// By the active bundle, as hosts ask.
    pub(super) const ANSWER: Self = Self { overrides: true, confirmed: false, keeps: true, arm: 0 };
    /// The same, where the allow has waited for its record.
    pub(super) const CONFIRMED: Self = Self { confirmed: true, ..Self::ANSWER };
    /// The same without overrides: nobody acts on it, and it must use none up.
    pub(super) const UNOVERRIDDEN: Self = Self { overrides: false, ..Self::ANSWER };
    /// By a candidate that is only compared: without a trace.
    pub(super) const SHADOW: Self = Self { keeps: false, ..Self::CANDIDATE };
    /// By a candidate on whose side the request is. What an override covers is never its.
    pub(super) const CANDIDATE: Self = Self { overrides: false, arm: CANDIDATE, ..Self::ANSWER };

    /// Whether an override that counts is used up: what only waits to be given out uses none.
    fn uses_up(self, action: &ActionSpec) -> bool {
        self.confirmed || action.audit != Some(ActionAudit::Confirmed)
    }
}

/// Gate 1. A clock that is not to be trusted ends what wall time bounds, and starts nothing.
pub(super) fn bundle_gate(snapshot: &Snapshot, active: &Active, now: Now) -> Result<(), Reason> {
    if active.revoked {
        return Err(Reason::NoPolicy);
    }
    let policy = active.bundle.policy();
    if policy.valid_until.is_some_and(|until| !snapshot.clock_ok || until <= now.wall) {
        return Err(Reason::PolicyExpired);
    }
    if policy.valid_from.is_some_and(|from| !snapshot.clock_ok || now.wall < from) {
        return Err(Reason::PolicyNotYetValid);
    }
    Ok(())
}

/// The detail of a request that names a longer scope than there can be.
pub(super) const SCOPE_TOO_LONG: &str = "a scope is named by at most 256 bytes";
