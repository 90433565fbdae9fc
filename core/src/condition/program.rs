//! The compiled form of a condition: flat, immutable, shared between threads.
//!
//! Nodes stand in one vector and name one another by index, so that a program is dropped without recursion and walked
//! without following pointers. Chains (`a && b && …`, `a + b + …`) are one node with many children.

use std::cmp::Ordering;
use std::ops::Range;

use crate::value::{Value, View};

use super::calendar::{CalendarField, Zone};
use super::eval;
use super::flat::{Facts, Flat};
use super::functions::Function;
use super::monotone::Moves;
use super::{Cause, Reads, Scope, SignalView, Truth};

/// The index of a node in its program.
pub(super) type NodeId = u32;

/// A run of consecutive entries of one of the program's vectors.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Run {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Run {
    /// The entries of `all` in this run.
    pub(super) fn of<T>(self, all: &[T]) -> &[T] {
        all.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// A value known when the condition is loaded.
#[derive(Debug)]
pub(super) enum Constant {
    /// A value that borrows nothing.
    Scalar(View<'static>),
    Text(Box<str>),
    Bytes(Box<[u8]>),
    /// A list or map of JSON's types: from the pack's data, or a list of literals.
    Value(Value),
}

impl Constant {
    pub(super) fn view(&self) -> View<'_> {
        match self {
            Self::Scalar(view) => *view,
            Self::Text(text) => View::Str(text),
            Self::Bytes(bytes) => View::Bytes(bytes),
            Self::Value(value) => View::from(value),
        }
    }
}

/// The constants that `x in [...]` looks through: texts by binary search, the few others one by one.
#[derive(Debug, Default)]
pub(super) struct Set {
    /// Ascending, each once.
    pub(super) texts: Vec<Box<str>>,
    pub(super) others: Vec<Constant>,
}

impl Set {
    /// Whether this text is one of the constants.
    pub(super) fn has_text(&self, text: &str) -> bool {
        self.texts.binary_search_by(|known| (**known).cmp(text)).is_ok()
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// Whether it holds of two values in that order.
    #[inline]
    pub(super) const fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// How two values are computed into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    pub(super) const fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}

/// Which macro goes through a list or a map's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walk {
    All,
    Exists,
    ExistsOne,
    /// `map` and `filter`: the elements for which the predicate holds, transformed.
    Collect,
    /// `transformMap`: the keys, with their values transformed.
    CollectMap,
    /// `transformMapEntry`: the entries of the maps that elements are transformed to.
    CollectEntries,
}

/// One operation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Node {
    /// What cannot be established, whatever the request.
    Fail(Cause),
    Constant(u32),
    Slot(u16),
    HasSlot(u16),
    /// A macro's variable, counted from the outermost macro.
    Variable(u32),
    Now,
    SignalOk(u16),
    SignalFailed(u16),
    SignalAge(u16),
    PostureName,
    PostureRank,
    And(Run),
    Or(Run),
    Not(NodeId),
    Conditional {
        condition: NodeId,
        then: NodeId,
        otherwise: NodeId,
    },
    Negate(NodeId),
    /// `first op a op b …`, from left to right.
    Chain {
        first: NodeId,
        steps: Run,
    },
    Compare {
        comparison: Comparison,
        left: NodeId,
        right: NodeId,
    },
    In {
        needle: NodeId,
        haystack: NodeId,
    },
    InSet {
        needle: NodeId,
        set: u32,
    },
    /// The field whose name is a constant.
    Field {
        operand: NodeId,
        name: u32,
    },
    HasField {
        operand: NodeId,
        name: u32,
    },
    Index {
        operand: NodeId,
        index: NodeId,
    },
    List(Run),
    /// Keys and values in turn.
    Map(Run),
    Call {
        function: Function,
        arguments: Run,
    },
    Matches {
        operand: NodeId,
        regex: u32,
    },
    Calendar {
        field: CalendarField,
        operand: NodeId,
        zone: u32,
    },
    /// A value under a name, which is a variable as a macro's is.
    Bind {
        value: NodeId,
        body: NodeId,
    },
    /// As a walk, with the index or the key for another variable before the element or the value.
    WalkOfTwo {
        walk: Walk,
        range: NodeId,
        predicate: Option<NodeId>,
        transform: Option<NodeId>,
    },
    Walk {
        walk: Walk,
        range: NodeId,
        predicate: Option<NodeId>,
        transform: Option<NodeId>,
    },
}

/// A condition, checked and compiled. Evaluating it needs a [`Scope`] and no more.
#[derive(Debug)]
pub struct Program {
    pub(super) nodes: Vec<Node>,
    pub(super) spans: Vec<(u32, u32)>,
    pub(super) children: Vec<NodeId>,
    pub(super) steps: Vec<(Operator, NodeId)>,
    pub(super) constants: Vec<Constant>,
    pub(super) sets: Vec<Set>,
    pub(super) regexes: Vec<regex::Regex>,
    pub(super) zones: Vec<Zone>,
    pub(super) root: NodeId,
    /// How deep the nodes nest: what the evaluator's stack is measured by.
    pub(super) depth: usize,
    pub(super) arena_bytes_max: usize,
    pub(super) reads: Reads,
    pub(super) moves: Moves,
    /// The same condition as plain tests, where it is no more than that.
    pub(super) flat: Option<Flat>,
}

impl Program {
    /// The bytes of the text by whose loss the condition could become true: nothing, if none can.
    #[must_use]
    pub fn rises(&self) -> Option<Range<usize>> {
        self.moves.rises.map(|node| self.span(node))
    }

    /// The bytes of the text by whose loss the condition could become false: nothing, if none can.
    #[must_use]
    pub fn falls(&self) -> Option<Range<usize>> {
        self.moves.falls.map(|node| self.span(node))
    }

    /// What it may read.
    #[must_use]
    pub const fn reads(&self) -> &Reads {
        &self.reads
    }

    /// Whether it holds for what `scope` lets it read.
    #[must_use]
    pub fn truth(&self, scope: &Scope<'_>) -> Truth {
        if let Some(truth) = self.plain_truth(scope.slots, scope.signals, scope.steps_left.get()) {
            return truth;
        }
        self.evaluated(scope)
    }

    /// The same, where attributes and signals alone settle it, so that no more has to be at hand; nothing where they do not.
    #[must_use]
    #[inline]
    pub fn plain_truth(&self, slots: &[Option<View<'_>>], signals: &[SignalView], steps_max: u32) -> Option<Truth> {
        self.flat.as_ref()?.truth(self, Facts { slots, signals, steps_max })
    }

    /// The same, by evaluation of every part.
    pub(super) fn evaluated(&self, scope: &Scope<'_>) -> Truth {
        match self.value(scope) {
            Ok(View::Bool(true)) => Truth::True,
            Ok(View::Bool(false)) => Truth::False,
            Ok(_) => Truth::Indeterminate(Cause::WrongType),
            Err(cause) => Truth::Indeterminate(cause),
        }
    }

    /// Its value for what `scope` lets it read.
    ///
    /// # Errors
    /// The cause, where the value cannot be established.
    pub fn value<'a>(&'a self, scope: &'a Scope<'a>) -> Result<View<'a>, Cause> {
        eval::value(self, scope, &mut ())
    }

    /// Evaluates it, and tells `saw` each sub-expression that was evaluated, by the bytes of the condition's text that
    /// stand for it, in the order in which they were finished (a macro's body once an element).
    ///
    /// # Errors
    /// The cause, where the value cannot be established.
    pub fn explain<'a>(
        &'a self,
        scope: &'a Scope<'a>,
        mut saw: &mut dyn FnMut(Range<usize>, Result<View<'a>, Cause>),
    ) -> Result<View<'a>, Cause> {
        eval::value(self, scope, &mut saw)
    }

    /// The bytes of the text that stand for a node.
    pub(super) fn span(&self, node: NodeId) -> Range<usize> {
        self.spans.get(node as usize).map_or(0..0, |(start, end)| *start as usize..*end as usize)
    }
}
