//! From the truth values of the rules to an effect: the whole table of spec 1.3, and the only maker of an allow.
//!
//! A [`Verdict`] cannot be made elsewhere with an allowing reason, and a decision cannot be made without a verdict.

use crate::condition::{Cause, Truth};
use crate::reason::{Effect, Reason};

/// A reason that was come by honestly, and the rule behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    reason: Reason,
    rule: Option<u32>,
}

/// The truth values of the rules that could match, counted. The order of counting does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    deny_true: Option<u32>,
    deny_indeterminate: Option<u32>,
    allow_true: Option<u32>,
    allow_indeterminate: Option<(u32, Cause)>,
}

impl Tally {
    /// Counts the truth value of a rule. Of several with one value the lowest number is kept: ids in order.
    pub fn count(&mut self, effect: Effect, rule: u32, truth: Truth) {
        let first = |kept: Option<u32>| Some(kept.map_or(rule, |kept| kept.min(rule)));
        match (effect, truth) {
            (_, Truth::False) => {}
            (Effect::Deny, Truth::True) => self.deny_true = first(self.deny_true),
            (Effect::Deny, Truth::Indeterminate(_)) => self.deny_indeterminate = first(self.deny_indeterminate),
            (Effect::Allow, Truth::True) => self.allow_true = first(self.allow_true),
            (Effect::Allow, Truth::Indeterminate(cause)) => {
                self.allow_indeterminate = Some(match self.allow_indeterminate {
                    None => (rule, cause),
                    // A signal is the cause only where signals alone are, whichever rule was counted first.
                    Some((kept, kept_cause)) => (kept.min(rule), kept_cause.join(cause)),
                });
            }
        }
    }

    /// Whether the truth of this rule could still change a verdict, or the rule that it names.
    #[must_use]
    pub const fn matters(&self, effect: Effect, rule: u32) -> bool {
        match (effect, self.deny_true, self.allow_true) {
            (Effect::Deny, Some(kept), _) | (Effect::Allow, None, Some(kept)) => rule < kept,
            (Effect::Allow, Some(_), _) => false,
            (_, None, _) => true,
        }
    }

    /// Spec 1.3: deny overrides, and what could not be established counts against access.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match (self.against(), self.allow_true, self.allow_indeterminate) {
            (Some(deny), _, _) => deny,
            (None, Some(rule), _) => Verdict { reason: Reason::AllowedByRule, rule: Some(rule) },
            (None, None, Some((rule, cause))) if cause.is_signal() => {
                Verdict { reason: Reason::SignalUnavailable, rule: Some(rule) }
            }
            (None, None, Some((rule, _))) => Verdict { reason: Reason::Indeterminate, rule: Some(rule) },
            (None, None, None) => Verdict { reason: Reason::NoMatchingRule, rule: None },
        }
    }

    /// Spec 1.6, `serve_cached`: an earlier allow by `rule` stands unless a deny rule is true or indeterminate.
    #[must_use]
    pub const fn verdict_stale(&self, earlier: Option<u32>) -> Verdict {
        match (self.against(), earlier) {
            (Some(deny), _) => deny,
            (None, Some(rule)) => Verdict { reason: Reason::AllowedStale, rule: Some(rule) },
            (None, None) => Verdict { reason: Reason::SignalUnavailable, rule: None },
        }
    }

    /// Spec 1.6, `minimal`: the allow rules counted were those of the safe-mode set; the deny rules were all.
    #[must_use]
    pub const fn verdict_minimal(&self) -> Verdict {
        match (self.against(), self.allow_true) {
            (Some(deny), _) => deny,
            (None, Some(rule)) => Verdict { reason: Reason::AllowedMinimal, rule: Some(rule) },
            (None, None) => Verdict { reason: Reason::SignalUnavailable, rule: None },
        }
    }

    /// Spec 1.6, `allow`: the declared fail-open, unless a deny rule is true or indeterminate.
    #[must_use]
    pub const fn verdict_fail_open(&self) -> Verdict {
        match self.against() {
            Some(deny) => deny,
            None => Verdict { reason: Reason::AllowedFailOpen, rule: None },
        }
    }

    /// Spec 1.4, gate 9: an override allows, unless an `absolute` deny rule is true or indeterminate; the rules counted
    /// were those. Nothing where one is: then the deny stands as it was.
    #[must_use]
    pub const fn verdict_override(&self) -> Option<Verdict> {
        match self.against() {
            Some(_) => None,
            None => Some(Verdict { reason: Reason::AllowedByOverride, rule: None }),
        }
    }

    /// Why the rules that would allow could not be established, if that is why nothing was allowed.
    #[must_use]
    pub const fn cause(&self) -> Option<Cause> {
        match (self.against(), self.allow_true, self.allow_indeterminate) {
            (None, None, Some((_, cause))) => Some(cause),
            _ => None,
        }
    }

    /// The deny that the deny rules demand, if they do.
    const fn against(&self) -> Option<Verdict> {
        match (self.deny_true, self.deny_indeterminate) {
            (Some(rule), _) => Some(Verdict { reason: Reason::DeniedByRule, rule: Some(rule) }),
            (None, Some(rule)) => Some(Verdict { reason: Reason::Indeterminate, rule: Some(rule) }),
            (None, None) => None,
        }
    }
}

impl Verdict {
    /// A deny for a reason that no rule gives. An allowing reason becomes `internal_error`.
    #[must_use]
    pub const fn deny(reason: Reason) -> Self {
        let reason = if matches!(reason.effect(), Effect::Deny) { reason } else { Reason::InternalError };
        Self { reason, rule: None }
    }

    /// Why.
    #[must_use]
    pub const fn reason(self) -> Reason {
        self.reason
    }

    /// The number of the rule that decided.
    #[must_use]
    pub const fn rule(self) -> Option<u32> {
        self.rule
    }
}
