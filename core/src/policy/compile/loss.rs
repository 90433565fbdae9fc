//! No rule may grant more when it knows less (spec 1.3): a rule that allows must not become true by a loss, and a rule
//! that denies must not become false by one, unless its author says why that is right.

use std::fmt;

use super::Compiler;
use crate::condition::Absence;
use crate::condition::program::Program;
use crate::error::{Code, Diagnostic, quoted};
use crate::policy::format::{self, RuleEffect};
use crate::policy::rule::{ScalarView, Test};

impl Compiler<'_> {
    /// Refuses a condition that a loss can move the wrong way.
    pub(super) fn check_condition_loss(&mut self, pointer: fmt::Arguments<'_>, rule: &format::Rule, program: &Program) {
        let wrong_way = match rule.effect {
            RuleEffect::Allow => program.rises(),
            RuleEffect::Deny => program.falls(),
        };
        if let Some(span) = wrong_way
            && rule.accepts_information_loss.is_none()
        {
            self.found.push(refusal(pointer, rule).with_span(span));
        }
    }

    /// Refuses a clause on an attribute whose default moves the rule the wrong way.
    pub(super) fn check_clause_loss(
        &mut self,
        pointer: fmt::Arguments<'_>,
        rule: &format::Rule,
        absence: Absence,
        test: &Test,
    ) {
        let wrong_way = match (absence, rule.effect) {
            (Absence::Indeterminate, _) => false,
            // Absent, the attribute is this value: the clause holds then, or it does not.
            (Absence::Bool(default), RuleEffect::Allow) => test.holds(ScalarView::Bool(default)),
            (Absence::Bool(default), RuleEffect::Deny) => !test.holds(ScalarView::Bool(default)),
            (Absence::Value, _) => true,
        };
        if wrong_way && rule.accepts_information_loss.is_none() {
            self.found.push(refusal(pointer, rule));
        }
    }

    /// Looks at the reason of a rule that accepts the loss, and lists the rule.
    pub(super) fn check_acceptance(&mut self, pointer: &str, rule: &format::Rule) {
        let Some(why) = &rule.accepts_information_loss else { return };
        let pointer = format!("{pointer}/accepts_information_loss");
        if why.trim().is_empty() {
            let message = "to accept a loss of information needs a reason";
            self.fault(Code::InvalidValue, &pointer, message, "say why it is right");
        }
        let message = format!("the rule {} may grant more when it knows less", quoted(&rule.id));
        self.warnings.push(Diagnostic::new(Code::InformationLossAccepted, pointer, message));
    }
}

fn refusal(pointer: fmt::Arguments<'_>, rule: &format::Rule) -> Diagnostic {
    let (what, form) = match rule.effect {
        RuleEffect::Allow => ("could become true, and allow,", "test for presence, not for absence"),
        RuleEffect::Deny => ("could become false, and no longer deny,", "deny on absence, not on presence"),
    };
    let message = format!("the rule {} {what} when what this tests is lost", quoted(&rule.id));
    let help = format!(
        "make the attribute required, choose the default that grants less, {form}, or drop the test; or state \
         `accepts_information_loss: \"<why>\"`"
    );
    Diagnostic::new(Code::InformationLoss, pointer.to_string(), message).with_help(help)
}
