//! One rule, compiled: what it matches, its condition, and what it does.

use std::sync::Arc;

use crate::condition::program::Program;
use crate::condition::rego::EntryPoint;
use crate::condition::{Cause, Truth};
use crate::name::Name;
use crate::obligation::Obligation;
use crate::reason::Effect;
use crate::value::{Value, View};

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Its id.
    pub id: Name,
    /// What it does where it is true.
    pub effect: Effect,
    /// Whether an allow rule counts under `on_failure: minimal`.
    pub minimal: bool,
    /// Whether no override gets past it, where it denies.
    pub absolute: bool,
    /// Whether it may grant more when it knows less, as its author declares.
    pub accepts_information_loss: bool,
    /// The match part: every clause must hold.
    pub clauses: Box<[Clause]>,
    /// The condition.
    pub condition: Condition,
    /// What the host has to do along with a decision of this rule; nothing, for most.
    pub obligations: Option<Arc<[Obligation]>>,
}

/// What must hold beyond the match part.
#[derive(Debug)]
pub enum Condition {
    /// Nothing.
    Always,
    /// A CEL expression.
    Cel(Box<Program>),
    /// A Rego rule.
    Rego(Box<EntryPoint>),
}

/// One clause of a match part: an attribute, and what it must be.
#[derive(Debug)]
pub struct Clause {
    /// The slot of the attribute.
    pub slot: u16,
    /// What it must be. Rules that demand the same share it.
    pub test: Arc<Test>,
    /// Whether a valid request that the rule's type clauses admit always has the attribute. Only such a clause may lead
    /// the index: an absent attribute makes a rule indeterminate, and the index must not make it false.
    pub always_present: bool,
    /// Whether it holds for every valid request, as a clause that admits every declared type does.
    pub always_true: bool,
    /// Whether the attribute is a list, of which one item must be it.
    pub of_list: bool,
}

/// What an attribute must be; where it is a list, one of its items must.
#[derive(Debug, PartialEq, Eq, Hash)]
pub enum Test {
    /// One of these.
    OneOf(Box<[Scalar]>),
    /// A text that starts like this.
    Prefix(Box<str>),
}

/// A value that a match part compares with.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scalar {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text.
    Str(Box<str>),
}

/// A [`Scalar`] as the request has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScalarView<'a> {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text.
    Str(&'a str),
}

impl Scalar {
    /// The scalar as a request would have it.
    #[must_use]
    pub fn view(&self) -> ScalarView<'_> {
        match self {
            Self::Bool(value) => ScalarView::Bool(*value),
            Self::Int(value) => ScalarView::Int(*value),
            Self::Str(value) => ScalarView::Str(value),
        }
    }
}

impl<'a> ScalarView<'a> {
    /// The value as a scalar, if it is one.
    #[must_use]
    pub fn of(view: View<'a>) -> Option<Self> {
        match view {
            View::Bool(value) => Some(Self::Bool(value)),
            View::Int(value) => Some(Self::Int(value)),
            View::Str(value) => Some(Self::Str(value)),
            _ => None,
        }
    }
}

/// Calls `each` with the value, or with each item of a list, until it gives `true`; whether it did.
pub fn any_scalar<'a>(view: View<'a>, mut each: impl FnMut(ScalarView<'a>) -> bool) -> bool {
    match view {
        View::List(values) => {
            values.iter().any(|value: &Value| ScalarView::of(View::from(value)).is_some_and(&mut each))
        }
        View::Items(items) => items.iter().any(|item| ScalarView::of(*item).is_some_and(&mut each)),
        scalar => ScalarView::of(scalar).is_some_and(each),
    }
}

impl Rule {
    /// Whether the match part holds, of which the clauses in `verified` do: a bit for each, by position.
    #[must_use]
    pub fn matches(&self, slots: &[Option<View<'_>>], verified: u32) -> Truth {
        let mut truth = Truth::True;
        for (bit, clause) in (0_u32..).zip(&self.clauses) {
            if verified.checked_shr(bit).unwrap_or(0) & 1 == 1 {
                continue;
            }
            match clause.truth(slots) {
                Truth::False => return Truth::False,
                Truth::True => {}
                unknown @ Truth::Indeterminate(_) => truth = unknown,
            }
        }
        truth
    }
}

impl Clause {
    /// Whether the index may branch on it: it is always there, and rules something out.
    pub(super) const fn leads(&self) -> bool {
        self.always_present && !self.always_true
    }

    fn truth(&self, slots: &[Option<View<'_>>]) -> Truth {
        let Some(Some(view)) = slots.get(usize::from(self.slot)) else {
            return Truth::Indeterminate(Cause::Missing);
        };
        if any_scalar(*view, |scalar| self.test.holds(scalar)) { Truth::True } else { Truth::False }
    }
}

impl Test {
    /// Whether a value is one that the test demands.
    #[must_use]
    pub fn holds(&self, scalar: ScalarView<'_>) -> bool {
        match (self, scalar) {
            (Self::OneOf(scalars), _) => scalars.iter().any(|one| one.view() == scalar),
            (Self::Prefix(prefix), ScalarView::Str(text)) => text.starts_with(&**prefix),
            (Self::Prefix(_), _) => false,
        }
    }
}
