//! The rules of one action against one request: gate 8, and the parts of gates 6 and 9 that count rules.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use bumpalo::Bump;

use super::snapshot::Snapshot;
use crate::combine::{Tally, Verdict};
use crate::condition::rego::{EntryPoint, Messages, Outcome, RegoInput};
use crate::condition::{Cause, ClockUse, PostureView, Scope, SignalView, Truth};
use crate::decision::Particulars;
use crate::faults::point;
use crate::limits::Limits;
use crate::name::Name;
use crate::obligation::Obligation;
use crate::policy::action::ActionSpec;
use crate::policy::compile::Policy;
use crate::policy::index::{Candidate, Index, Left};
use crate::policy::posture::PostureSpec;
use crate::policy::rule::{Condition, Rule, ScalarView, any_scalar};
use crate::policy::signal::CLOCK;
use crate::reason::Effect;
use crate::request::RequestView;
use crate::time::Now;
use crate::value::{Timestamp, View};

/// Which rules count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// All.
    All,
    /// The safe-mode set: of the rules that allow those marked `minimal`, and every rule that denies.
    Minimal,
    /// The rules that deny.
    Deny,
    /// The rules that deny and that no override gets past.
    Absolute,
}

/// What one evaluation reads.
pub(super) struct Evaluation<'e> {
    pub(super) policy: &'e Policy,
    pub(super) limits: &'e Limits,
    pub(super) request: &'e RequestView<'e>,
    pub(super) slots: &'e [Option<View<'e>>],
    pub(super) signals: &'e [SignalView],
    pub(super) posture: PostureView<'e>,
    pub(super) now: Now,
    /// Whether the wall clock is to be trusted.
    pub(super) clock_ok: bool,
    /// The request as Rego sees it; made when the first Rego rule is met.
    pub(super) rego_input: OnceCell<RegoInput>,
}

/// The truth values of the rules, counted, and what else came with them.
pub(super) struct Counted {
    pub(super) tally: Tally,
    /// The next wall time at which a condition that was evaluated may change its value.
    pub(super) boundary: Option<Timestamp>,
    /// The true rules that have obligations, in order of their numbers.
    obliging: smallvec::SmallVec<[u32; 4]>,
    /// The first true rule in order of numbers that says something, and what it says.
    said: Option<(u32, Messages)>,
}

impl Counted {
    /// Whether a rule that is true says something, or obliges the host to something.
    #[inline]
    pub(super) fn has_particulars(&self) -> bool {
        self.said.is_some() || !self.obliging.is_empty()
    }
}

/// Sees each rule that is evaluated; for explanations.
pub(super) trait Watch {
    /// A rule was considered: the truth of its match part, of the whole, and what its condition came to.
    fn considered(&mut self, number: u32, matched: Truth, truth: Truth, condition: &Outcome);
}

/// Sees nothing, at no cost.
pub(super) struct Unwatched;

impl Watch for Unwatched {
    fn considered(&mut self, _: u32, _: Truth, _: Truth, _: &Outcome) {}
}

impl<'e> Evaluation<'e> {
    /// Of that request, whose attributes are in the slots, as the snapshot has the world, in that posture.
    #[inline]
    pub(super) fn of(
        snapshot: &'e Snapshot,
        policy: &'e Policy,
        limits: &'e Limits,
        request: &'e RequestView<'e>,
        slots: &'e [Option<View<'e>>],
        posture: &'e PostureSpec,
        now: Now,
    ) -> Self {
        Self {
            policy,
            limits,
            request,
            slots,
            signals: &snapshot.signals,
            posture: PostureView { name: &posture.name, rank: posture.rank },
            now,
            clock_ok: snapshot.clock_ok,
            rego_input: OnceCell::new(),
        }
    }
}

impl Evaluation<'_> {
    /// Counts the rules that can match; all of them where `every` is set, else only those that can still matter.
    pub(super) fn count(&self, action: &ActionSpec, which: Which, every: bool, watch: &mut impl Watch) -> Counted {
        let mut counted = Counted::nothing();
        if cfg!(feature = "naive-matcher") {
            self.count_each(action, which, &mut counted, watch);
            return counted;
        }
        for root in &action.roots {
            let Some(index) = usize::try_from(*root).ok().and_then(|root| self.policy.index.get(root)) else {
                continue;
            };
            index.candidates(self.slots, &mut |candidate| {
                let Candidate { number, effect, obliges, .. } = *candidate;
                if which.counts(candidate) && (every || obliges || counted.tally.matters(effect, number)) {
                    self.count_one(index, candidate, &mut counted, watch);
                }
            });
        }
        counted
    }

    fn count_one(&self, index: &Index, candidate: &Candidate, counted: &mut Counted, watch: &mut impl Watch) {
        let Candidate { number, effect, obliges, .. } = *candidate;
        let (matched, condition) = match candidate.left {
            Left::Nothing => (Truth::True, Outcome::plain(Truth::True)),
            Left::Prefix { slot, start, end } => {
                let truth = starts_with(self.slots, slot, index.text(start, end));
                (truth, Outcome::plain(Truth::True))
            }
            Left::Condition => {
                let Some(rule) = self.policy.rule(number) else { return };
                (Truth::True, self.condition(rule, counted))
            }
            Left::Rule => {
                let Some(rule) = self.policy.rule(number) else { return };
                let matched = rule.matches(self.slots, candidate.verified);
                let condition = match matched {
                    Truth::False => Outcome::plain(Truth::False),
                    _ => self.condition(rule, counted),
                };
                (matched, condition)
            }
        };
        point("gate 8: rule");
        let truth = and(matched, condition.truth);
        counted.note(number, effect, obliges, truth, &condition);
        watch.considered(number, matched, truth, &condition);
    }

    /// What a rule comes to by itself.
    pub(super) fn alone(&self, rule: &Rule) -> Truth {
        match rule.matches(self.slots, 0) {
            Truth::False => Truth::False,
            matched => and(matched, self.condition(rule, &mut Counted::nothing()).truth),
        }
    }

    fn condition(&self, rule: &Rule, counted: &mut Counted) -> Outcome {
        point("gate 8: condition");
        self.note_boundary(rule, counted);
        match &rule.condition {
            Condition::Always => Outcome::plain(Truth::True),
            Condition::Cel(program) => {
                if let Some(truth) = program.plain_truth(self.slots, self.signals, self.limits.steps_max) {
                    return Outcome::plain(truth);
                }
                // An arena and a budget of its own: what one rule uses up never changes another.
                let arena = Bump::new();
                Outcome::plain(program.truth(&self.scope(&arena)))
            }
            Condition::Rego(entry) => self.ask(entry),
        }
    }

    /// Notes the next time at which the rule's condition may change its value.
    pub(super) fn note_boundary(&self, rule: &Rule, counted: &mut Counted) {
        let boundary = match &rule.condition {
            Condition::Always => None,
            // What the wall clock says costs a division, and few conditions ask.
            Condition::Cel(program) if program.reads().clock == ClockUse::None => None,
            Condition::Cel(program) => program.reads().clock.next_boundary(self.now.wall.as_timestamp()),
            Condition::Rego(entry) => entry.reads().reads_now.then_some(self.now.wall.as_timestamp()),
        };
        if let Some(boundary) = boundary {
            counted.boundary = Some(counted.boundary.map_or(boundary, |before| before.min(boundary)));
        }
    }

    /// What a Rego rule comes to.
    pub(super) fn ask(&self, entry: &EntryPoint) -> Outcome {
        let Some(modules) = &self.policy.modules else {
            return Outcome::plain(Truth::Indeterminate(Cause::Internal));
        };
        modules.ask(entry, self.rego_input.get_or_init(|| self.input()))
    }

    /// What Rego sees of it all: the request as AuthZEN has it, every signal, and the time where it is to be trusted.
    fn input(&self) -> RegoInput {
        let names = self.policy.signals.iter().map(|spec| spec.name.as_str());
        let input = RegoInput::request(self.request).with_signals(names.zip(self.signals.iter().copied()));
        let input = input.with_posture(self.posture);
        if self.clock_ok { input.with_now(self.now.wall.as_timestamp()) } else { input }
    }

    /// What a condition may read.
    pub(super) fn scope<'a>(&'a self, arena: &'a Bump) -> Scope<'a> {
        Scope {
            slots: self.slots,
            signals: self.signals,
            posture: Some(self.posture),
            monotonic: self.now.monotonic,
            wall: self.clock_ok.then(|| self.now.wall.as_timestamp()),
            arena,
            steps_left: Cell::new(self.limits.steps_max),
        }
    }

    /// The signal for want of which nothing could be allowed, if it was that.
    pub(super) fn missed_signal(&self, counted: &Counted) -> Option<Arc<[Name]>> {
        let number = match counted.tally.cause()? {
            Cause::Signal(number) => number,
            Cause::Clock => CLOCK,
            _ => return None,
        };
        self.policy.signals.get(usize::from(number)).map(|spec| Arc::clone(&spec.alone))
    }

    /// What goes with a verdict: what its rule says, and what all true rules with its effect oblige the host to.
    pub(super) fn particulars(&self, counted: &Counted, verdict: Verdict) -> Particulars {
        let said = counted.said.as_ref().filter(|(number, _)| verdict.rule() == Some(*number));
        let messages = said.and_then(|(_, messages)| messages.clone());
        Particulars { obligations: self.obligations(counted, verdict), messages }
    }

    fn obligations(&self, counted: &Counted, verdict: Verdict) -> Option<Arc<[Obligation]>> {
        verdict.rule()?;
        let of_effect =
            |number: &&u32| self.policy.rule(**number).is_some_and(|rule| rule.effect == verdict.reason().effect());
        let mut lists = counted
            .obliging
            .iter()
            .filter(of_effect)
            .filter_map(|number| self.policy.rule(*number)?.obligations.as_ref());
        match (lists.next(), lists.next()) {
            (None, _) => None,
            (Some(only), None) => Some(Arc::clone(only)),
            (Some(first), Some(second)) => {
                let all = [first, second].into_iter().chain(lists);
                Some(all.flat_map(|list| list.iter().cloned()).collect())
            }
        }
    }
}

impl Counted {
    fn nothing() -> Self {
        Self { tally: Tally::default(), boundary: None, obliging: smallvec::SmallVec::new(), said: None }
    }

    /// Notes what a rule came to.
    pub(super) fn note(&mut self, number: u32, effect: Effect, obliges: bool, truth: Truth, condition: &Outcome) {
        if truth == Truth::True
            && condition.messages.is_some()
            && self.said.as_ref().is_none_or(|(before, _)| number < *before)
        {
            self.said = Some((number, condition.messages.clone()));
        }
        self.tally.count(effect, number, truth);
        if truth == Truth::True && obliges && !self.obliging.contains(&number) {
            let at = self.obliging.partition_point(|before| *before < number);
            self.obliging.insert(at, number);
        }
    }
}

impl Which {
    fn counts(self, rule: &Candidate) -> bool {
        match self {
            Self::All => true,
            Self::Minimal => rule.minimal || rule.effect == Effect::Deny,
            Self::Deny => rule.effect == Effect::Deny,
            Self::Absolute => rule.effect == Effect::Deny && rule.absolute,
        }
    }
}

/// Whether the text in a slot, or one of a list, starts like this; an absent one cannot be told.
fn starts_with(slots: &[Option<View<'_>>], slot: u16, prefix: &[u8]) -> Truth {
    let Some(Some(view)) = slots.get(usize::from(slot)) else { return Truth::Indeterminate(Cause::Missing) };
    let starts = |text: &str| text.as_bytes().starts_with(prefix);
    let holds = match *view {
        View::Str(text) => starts(text),
        other => any_scalar(other, |scalar| matches!(scalar, ScalarView::Str(text) if starts(text))),
    };
    if holds { Truth::True } else { Truth::False }
}

/// Strong Kleene conjunction.
pub(super) const fn and(a: Truth, b: Truth) -> Truth {
    match (a, b) {
        (Truth::False, _) | (_, Truth::False) => Truth::False,
        (Truth::True, other) | (other, Truth::True) => other,
        (Truth::Indeterminate(a), Truth::Indeterminate(b)) => Truth::Indeterminate(a.join(b)),
    }
}
