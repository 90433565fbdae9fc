//! What may be lost: which way the truth of a condition can move when it knows less (spec 1.3).
//!
//! An operator of strong Kleene logic is monotone in information: where an operand is lost, its result stays or becomes
//! indeterminate, and never flips. Only what turns absence into an ordinary value can flip: the presence tests. This
//! analysis follows each of them through the program and says whether its loss can make the whole *rise* (become true
//! when it was not: never in a rule that allows) or *fall* (become false when it was not: never in a rule that denies).
//! Where it cannot follow, it says both.

use super::Absence;
use super::functions::Function;
use super::program::{Comparison, Constant, Node, NodeId, Program, Walk};
use crate::value::View;
use crate::value_type::ValueType;

/// Which way a truth can move when something is lost, and the node that moves it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moves {
    /// It can become true when it was not.
    pub(super) rises: Option<NodeId>,
    /// It can become false when it was not.
    pub(super) falls: Option<NodeId>,
}

impl Moves {
    const NONE: Self = Self { rises: None, falls: None };

    const fn falling(node: NodeId) -> Self {
        Self { rises: None, falls: Some(node) }
    }

    const fn rising(node: NodeId) -> Self {
        Self { rises: Some(node), falls: None }
    }

    const fn both(node: NodeId) -> Self {
        Self { rises: Some(node), falls: Some(node) }
    }

    fn or(self, other: Self) -> Self {
        Self { rises: self.rises.or(other.rises), falls: self.falls.or(other.falls) }
    }

    const fn negated(self) -> Self {
        Self { rises: self.falls, falls: self.rises }
    }

    /// What an operation that is not logic makes of an operand that moves: it can go anywhere.
    fn followed_by_anything(self) -> Self {
        match self.rises.or(self.falls) {
            Some(node) => Self::both(node),
            None => Self::NONE,
        }
    }
}

/// What the analysis knows of a program besides its nodes.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// By node: its static type.
    pub(super) types: Vec<ValueType>,
    /// By slot: what its absence means.
    pub(super) absences: Vec<(u16, Absence)>,
    /// Signals that fail by a loss.
    pub(super) failing_by_loss: Vec<u16>,
    /// Constants that stand for a presence test of the pack's data.
    pub(super) presence_of_data: Vec<NodeId>,
}

impl Facts {
    /// Notes the type of a node. What was noted of it and of later ones before is gone: the compiler takes nodes back
    /// when it folds them into a constant.
    pub(super) fn note(&mut self, node: NodeId, value_type: ValueType) {
        self.types.truncate(node as usize);
        self.types.push(value_type);
        self.presence_of_data.retain(|known| *known < node);
    }
}

/// Which way the program's truth can move.
///
/// Children come before their parents, so one pass over the nodes is enough.
pub(super) fn moves(program: &Program, facts: &Facts) -> Moves {
    let mut all: Vec<Moves> = Vec::with_capacity(program.nodes.len());
    for (id, node) in (0..).zip(&program.nodes) {
        let moves = Analysis { program, facts, done: &all }.node(id, *node);
        all.push(moves);
    }
    all.get(program.root as usize).copied().unwrap_or(Moves::both(program.root))
}

struct Analysis<'a> {
    program: &'a Program,
    facts: &'a Facts,
    done: &'a [Moves],
}

impl Analysis<'_> {
    /// A node that comes later than the one at hand is one that this pass cannot follow.
    fn of(&self, id: NodeId) -> Moves {
        self.done.get(id as usize).copied().unwrap_or(Moves::both(id))
    }

    fn anything(&self, parts: &[NodeId]) -> Moves {
        parts.iter().fold(Moves::NONE, |moves, part| moves.or(self.of(*part).followed_by_anything()))
    }

    fn holds_keys(&self, id: NodeId) -> bool {
        self.facts.types.get(id as usize).is_none_or(may_hold_keys)
    }

    fn constant(&self, id: NodeId) -> Option<bool> {
        match self.program.nodes.get(id as usize) {
            Some(Node::Constant(index)) if !self.facts.presence_of_data.contains(&id) => {
                match self.program.constants.get(*index as usize).map(Constant::view) {
                    Some(View::Bool(value)) => Some(value),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn absence(&self, slot: u16) -> Absence {
        let found = self.facts.absences.iter().find(|(known, _)| *known == slot);
        found.map_or(Absence::Value, |(_, absence)| *absence)
    }

    fn node(&self, id: NodeId, node: Node) -> Moves {
        match node {
            Node::Constant(_) if self.facts.presence_of_data.contains(&id) => Moves::falling(id),
            Node::SignalFailed(signal) if self.facts.failing_by_loss.contains(&signal) => Moves::rising(id),
            Node::Fail(_)
            | Node::Constant(_)
            | Node::Variable(_)
            | Node::Now
            | Node::SignalFailed(_)
            | Node::SignalAge(_) => Moves::NONE,
            Node::Slot(slot) => match self.absence(slot) {
                Absence::Indeterminate => Moves::NONE,
                Absence::Bool(false) => Moves::falling(id),
                Absence::Bool(true) => Moves::rising(id),
                Absence::Value => Moves::both(id),
            },
            Node::HasSlot(_) | Node::SignalOk(_) => Moves::falling(id),
            Node::And(terms) | Node::Or(terms) => {
                let terms = terms.of(&self.program.children);
                terms.iter().fold(Moves::NONE, |moves, term| moves.or(self.of(*term)))
            }
            Node::Not(operand) => self.of(operand).negated(),
            Node::Conditional { condition, then, otherwise } => self.conditional(condition, then, otherwise),
            Node::Compare { comparison, left, right } => self.compare(id, comparison, left, right),
            Node::In { needle, haystack } => {
                let moves = self.anything(&[needle, haystack]);
                match (self.holds_keys(needle), self.is_or_may_be_map(haystack)) {
                    // Whether two maps are equal changes with every key.
                    (true, _) if self.holds_keys(haystack) => moves.or(Moves::both(id)),
                    (_, true) => moves.or(Moves::falling(id)),
                    _ => moves,
                }
            }
            Node::InSet { needle, .. } | Node::Matches { operand: needle, .. } | Node::Negate(needle) => {
                self.anything(&[needle])
            }
            Node::Calendar { operand, .. } | Node::Field { operand, .. } => self.anything(&[operand]),
            Node::HasField { operand, .. } => self.anything(&[operand]).or(Moves::falling(id)),
            Node::Index { operand, index } => self.anything(&[operand, index]),
            Node::Chain { first, steps } => {
                let steps = steps.of(&self.program.steps).iter().map(|(_, operand)| *operand);
                steps.fold(self.anything(&[first]), |moves, operand| moves.or(self.anything(&[operand])))
            }
            Node::List(items) | Node::Map(items) => self.anything(items.of(&self.program.children)),
            Node::Call { function, arguments } => {
                let arguments = arguments.of(&self.program.children);
                let moves = self.anything(arguments);
                let counts_keys = match function {
                    Function::Size => arguments.iter().any(|one| self.is_or_may_be_map(*one)),
                    // The text of a map tells its keys.
                    Function::Format => arguments.iter().any(|one| self.holds_keys(*one)),
                    _ => false,
                };
                if counts_keys { moves.or(Moves::both(id)) } else { moves }
            }
            // A name for a value that moves can go anywhere; one for a value that does not is as good as the value.
            Node::Bind { value, body } => self.anything(&[value]).or(self.of(body)),
            Node::Walk { walk, range, predicate, transform }
            | Node::WalkOfTwo { walk, range, predicate, transform } => self.walk(id, walk, range, predicate, transform),
        }
    }

    fn is_or_may_be_map(&self, id: NodeId) -> bool {
        let value_type = self.facts.types.get(id as usize);
        value_type.is_none_or(|one| matches!(one, ValueType::Any | ValueType::Map(..) | ValueType::Record(_)))
    }

    /// `c ? a : b`. Where `c` can move, only a constant branch makes it logic again. It is not quite the logic of `&&` and
    /// `||`: these are settled by one term, while a choice waits for `c`. So a `c` that was indeterminate and moves, either
    /// way, settles the whole to whatever the branch is that it moves to.
    fn conditional(&self, condition: NodeId, then: NodeId, otherwise: NodeId) -> Moves {
        let (c, a, b) = (self.of(condition), self.of(then), self.of(otherwise));
        if c == Moves::NONE {
            return a.or(b);
        }
        let either = c.rises.or(c.falls);
        match (self.constant(then), self.constant(otherwise)) {
            (Some(true), Some(false)) => c,
            (Some(false), Some(true)) => c.negated(),
            (_, Some(false)) => Moves { rises: c.rises, falls: either }.or(a),
            (Some(true), _) => Moves { rises: either, falls: c.falls }.or(b),
            (_, Some(true)) => Moves { rises: either, falls: c.rises }.or(a),
            (Some(false), _) => Moves { rises: c.falls, falls: either }.or(b),
            _ => c.or(a).or(b).followed_by_anything(),
        }
    }

    fn compare(&self, id: NodeId, comparison: Comparison, left: NodeId, right: NodeId) -> Moves {
        let equality = match comparison {
            Comparison::Equal => true,
            Comparison::NotEqual => false,
            _ => return self.anything(&[left, right]),
        };
        // `x == true` is `x`, `x == false` is `!x`, and `!=` the other way round.
        let with_constant = match (self.constant(left), self.constant(right)) {
            (None, Some(constant)) => Some((left, constant)),
            (Some(constant), None) => Some((right, constant)),
            _ => None,
        };
        if let Some((operand, constant)) = with_constant {
            let moves = self.of(operand);
            return if constant == equality { moves } else { moves.negated() };
        }
        let moves = self.anything(&[left, right]);
        // Whether two maps are equal changes with every key.
        if self.holds_keys(left) && self.holds_keys(right) { moves.or(Moves::both(id)) } else { moves }
    }

    /// A list is whole or absent; a map can lose its entries one by one.
    fn walk(
        &self,
        id: NodeId,
        walk: Walk,
        range: NodeId,
        predicate: Option<NodeId>,
        transform: Option<NodeId>,
    ) -> Moves {
        let range_moves = self.anything(&[range]);
        let predicate = predicate.map_or(Moves::NONE, |predicate| self.of(predicate));
        let transform = transform.map_or(Moves::NONE, |transform| self.of(transform).followed_by_anything());
        let keys = self.is_or_may_be_map(range);
        let own = match walk {
            Walk::All if keys => predicate.or(Moves::rising(id)),
            Walk::Exists if keys => predicate.or(Moves::falling(id)),
            Walk::All | Walk::Exists => predicate,
            _ if keys => Moves::both(id),
            Walk::ExistsOne | Walk::Collect | Walk::CollectMap | Walk::CollectEntries => {
                predicate.followed_by_anything()
            }
        };
        range_moves.or(own).or(transform)
    }
}

/// Whether a value of the type may be a map, or hold one: something that can lose a part of itself.
fn may_hold_keys(value_type: &ValueType) -> bool {
    match value_type {
        ValueType::Any | ValueType::Map(..) | ValueType::Record(_) => true,
        ValueType::List(item) => may_hold_keys(item),
        _ => false,
    }
}
