//! The rules of an action as its pack lists them, each looked at as if it were alone: what the index and the early stop
//! of [`super::evaluate`] must not change.
//!
//! Reached with the feature `naive-matcher` alone, which is for tests: the corpus is decided both ways, and every
//! decision must be the same. So nothing here knows what the compiler arranged to be fast: a rule is its clauses and its
//! condition, every clause is looked at, whatever the others came to, and a condition is evaluated by walking it.

use bumpalo::Bump;

use super::evaluate::{Counted, Evaluation, Watch, Which, and};
use crate::condition::rego::Outcome;
use crate::condition::{Cause, Truth};
use crate::policy::action::ActionSpec;
use crate::policy::rule::{Clause, Condition, Rule, any_scalar};
use crate::reason::Effect;

impl Evaluation<'_> {
    /// Counts every rule for the action that counts, in order of their numbers.
    pub(super) fn count_each(&self, action: &ActionSpec, which: Which, counted: &mut Counted, watch: &mut impl Watch) {
        let rules = action.rules.iter().filter_map(|number| Some((*number, self.policy.rule(*number)?)));
        for (number, rule) in rules.filter(|(_, rule)| counts(which, rule)) {
            let matched = rule.clauses.iter().fold(Truth::True, |truth, clause| and(truth, self.clause(clause)));
            let condition = self.each_condition(rule);
            // A time at which a rule that does not match would change has no bearing on the answer.
            if matched != Truth::False {
                self.note_boundary(rule, counted);
            }
            let truth = and(matched, condition.truth);
            counted.note(number, rule.effect, rule.obligations.is_some(), truth, &condition);
            watch.considered(number, matched, truth, &condition);
        }
    }

    fn clause(&self, clause: &Clause) -> Truth {
        match self.slots.get(usize::from(clause.slot)) {
            Some(Some(view)) if any_scalar(*view, |scalar| clause.test.holds(scalar)) => Truth::True,
            Some(Some(_)) => Truth::False,
            _ => Truth::Indeterminate(Cause::Missing),
        }
    }

    fn each_condition(&self, rule: &Rule) -> Outcome {
        match &rule.condition {
            Condition::Always => Outcome::plain(Truth::True),
            Condition::Cel(program) => {
                let arena = Bump::new();
                Outcome::plain(program.truth(&self.scope(&arena)))
            }
            Condition::Rego(entry) => self.ask(entry),
        }
    }
}

const fn counts(which: Which, rule: &Rule) -> bool {
    match (which, rule.effect) {
        (Which::All, _) | (Which::Minimal | Which::Deny, Effect::Deny) => true,
        (Which::Minimal, Effect::Allow) => rule.minimal,
        (Which::Absolute, Effect::Deny) => rule.absolute,
        (Which::Deny | Which::Absolute, Effect::Allow) => false,
    }
}
