//! A program against one request: strong Kleene logic over borrowed values.
//!
//! Every node and every element of a walk costs a step. Nothing is allocated but what a condition builds itself, and
//! that in the decision's arena, within a limit.

use std::ops::Range;

use smallvec::SmallVec;

use crate::value::{SignedDuration, View};

use super::compare::{self, charge};
use super::eval_walks::Parts;
use super::program::{Comparison, Constant, Node, NodeId, Operator, Program, Run, Walk};
use super::{Cause, Scope, Status, compute};

/// Bytes of stack that one level of the program may take.
const STACK_PER_LEVEL: usize = 8 << 10;

/// How many fields of fields are gone through in one loop.
const PATH_MAX: usize = 8;

/// What comes of a sub-expression.
pub(super) type Outcome<'a> = Result<View<'a>, Cause>;

/// Who is told of each sub-expression that was evaluated.
pub(super) trait Observer<'a> {
    /// Whether it has to be told of every one.
    const SEES: bool;

    fn saw(&mut self, span: impl FnOnce() -> Range<usize>, outcome: Outcome<'a>);
}

impl Observer<'_> for () {
    const SEES: bool = false;

    fn saw(&mut self, _: impl FnOnce() -> Range<usize>, _: Outcome<'_>) {}
}

impl<'a> Observer<'a> for &mut dyn FnMut(Range<usize>, Outcome<'a>) {
    const SEES: bool = true;

    fn saw(&mut self, span: impl FnOnce() -> Range<usize>, outcome: Outcome<'a>) {
        self(span(), outcome);
    }
}

/// Evaluates a program.
pub(super) fn value<'a>(program: &'a Program, scope: &'a Scope<'a>, observer: &mut impl Observer<'a>) -> Outcome<'a> {
    let stack = program.depth.saturating_add(2).saturating_mul(STACK_PER_LEVEL);
    let mut evaluation = Evaluation { program, scope, variables: SmallVec::new(), observer };
    stacker::maybe_grow(stack, stack.saturating_mul(2), || evaluation.eval(program.root))
}

/// The state of one evaluation.
pub(super) struct Evaluation<'a, 'o, O> {
    program: &'a Program,
    pub(super) scope: &'a Scope<'a>,
    /// The variables of the walks around, the outermost first.
    pub(super) variables: SmallVec<[View<'a>; 8]>,
    observer: &'o mut O,
}

impl<'a, O: Observer<'a>> Evaluation<'a, '_, O> {
    pub(super) fn eval(&mut self, id: NodeId) -> Outcome<'a> {
        let outcome = self.charged(id).and_then(|node| self.eval_node(node));
        self.told(id, outcome)
    }

    /// The node, its step taken.
    #[inline]
    fn charged(&self, id: NodeId) -> Result<Node, Cause> {
        charge(&self.scope.steps_left, 1)?;
        self.program.nodes.get(id as usize).copied().ok_or(Cause::Internal)
    }

    #[inline]
    fn told(&mut self, id: NodeId, outcome: Outcome<'a>) -> Outcome<'a> {
        let program = self.program;
        self.observer.saw(|| program.span(id), outcome);
        outcome
    }

    /// As [`Self::eval`], for what is mostly a leaf: no call is made for one.
    #[inline]
    fn operand(&mut self, id: NodeId) -> Outcome<'a> {
        match self.program.nodes.get(id as usize) {
            Some(Node::Slot(_) | Node::Variable(_) | Node::Constant(_)) => {
                let outcome = self.charged(id).and_then(|node| self.leaf(node));
                self.told(id, outcome)
            }
            _ => self.eval(id),
        }
    }

    #[inline]
    fn leaf(&self, node: Node) -> Outcome<'a> {
        match node {
            Node::Slot(slot) => self.slot(slot).ok_or(Cause::Missing),
            Node::Variable(index) => self.variables.get(index as usize).copied().ok_or(Cause::Internal),
            Node::Constant(index) => {
                self.program.constants.get(index as usize).map(|constant| constant.view()).ok_or(Cause::Internal)
            }
            _ => Err(Cause::Internal),
        }
    }

    fn eval_node(&mut self, node: Node) -> Outcome<'a> {
        match node {
            Node::Fail(cause) => Err(cause),
            Node::Constant(_) | Node::Slot(_) | Node::Variable(_) => self.leaf(node),
            Node::HasSlot(slot) => Ok(View::Bool(self.slot(slot).is_some())),
            Node::Now => self.scope.wall.map(View::Timestamp).ok_or(Cause::Clock),
            Node::SignalOk(_) | Node::SignalFailed(_) | Node::SignalAge(_) => self.signal(node),
            Node::PostureName => self.scope.posture.map(|posture| View::Str(posture.name)).ok_or(Cause::Internal),
            Node::PostureRank => {
                self.scope.posture.map(|posture| View::Int(i64::from(posture.rank))).ok_or(Cause::Internal)
            }
            Node::And(_)
            | Node::Or(_)
            | Node::Not(_)
            | Node::Compare { .. }
            | Node::HasField { .. }
            | Node::Walk { walk: Walk::All | Walk::Exists | Walk::ExistsOne, .. } => {
                self.boolean_node(node).map(View::Bool)
            }
            Node::Conditional { condition, then, otherwise } => {
                if self.boolean(condition)? {
                    self.eval(then)
                } else {
                    self.eval(otherwise)
                }
            }
            Node::Negate(operand) => compute::negated(self.eval(operand)?),
            Node::Chain { first, steps } => self.chain(first, steps),
            Node::In { needle, haystack } => self.contained(needle, haystack),
            Node::InSet { needle, set } => self.in_set(needle, set),
            Node::Field { operand, name } => {
                let operand = self.path(operand)?;
                self.field(operand, name)?.ok_or(Cause::Missing)
            }
            Node::Index { operand, index } => {
                // Both are evaluated, so that the cause does not depend on which stands first.
                let (operand, index) = self.pair(operand, index)?;
                compute::indexed(operand, index, &self.scope.steps_left)
            }
            Node::List(items) => self.list(items),
            Node::Map(entries) => self.map(entries),
            Node::Call { function, arguments } => self.call(function, arguments),
            Node::Matches { operand, regex } => {
                let View::Str(text) = self.eval(operand)? else { return Err(Cause::WrongType) };
                let Some(regex) = self.program.regexes.get(regex as usize) else { return Err(Cause::Internal) };
                charge(&self.scope.steps_left, compare::bytes_cost(text.len()))?;
                Ok(View::Bool(regex.is_match(text)))
            }
            Node::Calendar { field, operand, zone } => {
                let value = self.eval(operand)?;
                let zone = self.program.zones.get(zone as usize).ok_or(Cause::Internal)?;
                field.read(value, zone).map(View::Int)
            }
            Node::Walk { walk, range, predicate, transform } => {
                self.walk(Parts { walk, range, predicate, transform, of_two: false })
            }
            Node::WalkOfTwo { walk, range, predicate, transform } => {
                self.walk(Parts { walk, range, predicate, transform, of_two: true })
            }
            Node::Bind { value, body } => {
                let value = self.eval(value)?;
                self.variables.push(value);
                let outcome = self.eval(body);
                self.variables.pop();
                outcome
            }
        }
    }

    fn slot(&self, slot: u16) -> Option<View<'a>> {
        self.scope.slots.get(usize::from(slot)).copied().flatten()
    }

    fn signal(&self, node: Node) -> Outcome<'a> {
        let (Node::SignalOk(index) | Node::SignalFailed(index) | Node::SignalAge(index)) = node else {
            return Err(Cause::Internal);
        };
        // A signal that the host does not hold was never observed.
        let signal = self.scope.signals.get(usize::from(index)).copied().unwrap_or_default();
        match (node, signal.status) {
            (Node::SignalOk(_), status) => Ok(View::Bool(status == Status::Ok)),
            // Of what is not known nothing can be said, not even for how long: an age that went on would be a presence test.
            (_, Status::Unknown) => Err(Cause::Signal(index)),
            (Node::SignalFailed(_), status) => Ok(View::Bool(status == Status::Failed)),
            _ => {
                let observed_at = signal.observed_at.ok_or(Cause::Signal(index))?;
                let nanos = self.scope.monotonic.nanos_since(observed_at);
                let nanos = i64::try_from(nanos).map_err(|_| Cause::Arithmetic)?;
                Ok(View::Duration(SignedDuration::from_nanos(nanos)))
            }
        }
    }

    pub(super) fn boolean(&mut self, id: NodeId) -> Result<bool, Cause> {
        match self.program.nodes.get(id as usize) {
            Some(
                Node::And(_)
                | Node::Or(_)
                | Node::Not(_)
                | Node::Compare { .. }
                | Node::HasField { .. }
                | Node::Walk { walk: Walk::All | Walk::Exists | Walk::ExistsOne, .. },
            ) => {
                let holds = self.charged(id).and_then(|node| self.boolean_node(node));
                let program = self.program;
                self.observer.saw(|| program.span(id), holds.map(View::Bool));
                holds
            }
            _ => match self.path(id)? {
                View::Bool(value) => Ok(value),
                _ => Err(Cause::WrongType),
            },
        }
    }

    /// The nodes whose value is a boolean or none, without making a value of it.
    fn boolean_node(&mut self, node: Node) -> Result<bool, Cause> {
        match node {
            Node::And(terms) => self.logic(terms, false),
            Node::Or(terms) => self.logic(terms, true),
            Node::Not(operand) => self.boolean(operand).map(|value| !value),
            Node::Compare { comparison, left, right } => self.comparison(comparison, left, right),
            Node::HasField { operand, name } => {
                let operand = self.path(operand)?;
                self.field(operand, name).map(|value| value.is_some())
            }
            Node::Walk { walk, range, predicate, transform } => {
                self.quantified(Parts { walk, range, predicate, transform, of_two: false })
            }
            _ => Err(Cause::Internal),
        }
    }

    /// As [`Self::eval`], for what is mostly a field of a field of a leaf: that is gone through in a loop.
    pub(super) fn path(&mut self, id: NodeId) -> Outcome<'a> {
        if O::SEES {
            return self.eval(id);
        }
        let mut names = [0; PATH_MAX];
        let mut length: usize = 0;
        let mut base = id;
        while let (Some(Node::Field { operand, name }), Some(place)) =
            (self.program.nodes.get(base as usize), names.get_mut(length))
        {
            charge(&self.scope.steps_left, 1)?;
            *place = *name;
            length = length.saturating_add(1);
            base = *operand;
        }
        let mut value = self.operand(base)?;
        for name in names.get(..length).unwrap_or_default().iter().rev() {
            value = self.field(value, *name)?.ok_or(Cause::Missing)?;
        }
        Ok(value)
    }

    /// The operands of a strict operation: if either cannot be established, neither can the result.
    fn pair(&mut self, left: NodeId, right: NodeId) -> Result<(View<'a>, View<'a>), Cause> {
        match (self.path(left), self.operand(right)) {
            (Ok(left), Ok(right)) => Ok((left, right)),
            (Err(left), Err(right)) => Err(left.join(right)),
            (Err(cause), _) | (_, Err(cause)) => Err(cause),
        }
    }

    /// `&&` where `decisive` is false, `||` where it is true: one decisive term settles it, wherever it stands.
    fn logic(&mut self, terms: Run, decisive: bool) -> Result<bool, Cause> {
        let mut cause: Option<Cause> = None;
        for term in terms.of(&self.program.children) {
            match self.boolean(*term) {
                Ok(value) if value == decisive => return Ok(decisive),
                Ok(_) => {}
                Err(next) => {
                    cause = Some(cause.map_or(next, |known| known.join(next)));
                    if self.exhausted() {
                        return Err(Cause::Limit);
                    }
                }
            }
        }
        cause.map_or(Ok(!decisive), Err)
    }

    /// Whether no step is left, so that nothing more can be established.
    pub(super) fn exhausted(&self) -> bool {
        self.scope.steps_left.get() == 0
    }

    fn chain(&mut self, first: NodeId, steps: Run) -> Outcome<'a> {
        let mut value = self.eval(first);
        for (operator, operand) in steps.of(&self.program.steps) {
            let operand = self.eval(*operand);
            value = match (value, operand) {
                (Ok(left), Ok(right)) => self.computed(*operator, left, right),
                (Err(left), Err(right)) => Err(left.join(right)),
                (Err(cause), _) | (_, Err(cause)) => Err(cause),
            };
            if value.is_err() && self.exhausted() {
                return Err(Cause::Limit);
            }
        }
        value
    }

    fn computed(&self, operator: Operator, left: View<'a>, right: View<'a>) -> Outcome<'a> {
        compute::computed(operator, left, right, self.memory())
    }

    fn comparison(&mut self, comparison: Comparison, left: NodeId, right: NodeId) -> Result<bool, Cause> {
        let (left, right) = self.pair(left, right)?;
        let steps_left = &self.scope.steps_left;
        match comparison {
            Comparison::Equal => compare::equal(left, right, steps_left),
            Comparison::NotEqual => compare::equal(left, right, steps_left).map(|equal| !equal),
            // NaN has no order, so none holds.
            ordered => Ok(compare::order(left, right, steps_left)?.is_some_and(|order| ordered.holds(order))),
        }
    }

    fn contained(&mut self, needle: NodeId, haystack: NodeId) -> Outcome<'a> {
        let (needle, haystack) = self.pair(needle, haystack)?;
        let steps_left = &self.scope.steps_left;
        match haystack {
            View::List(_) | View::Items(_) => {
                for element in compare::elements(haystack) {
                    charge(steps_left, 1)?;
                    if compare::equal(element, needle, steps_left)? {
                        return Ok(View::Bool(true));
                    }
                }
                Ok(View::Bool(false))
            }
            View::Map(_) | View::Fields(_) | View::Entries(_) => {
                Ok(View::Bool(compare::lookup(haystack, needle, steps_left)?.is_some()))
            }
            _ => Err(Cause::WrongType),
        }
    }

    fn in_set(&mut self, needle: NodeId, set: u32) -> Outcome<'a> {
        let needle = self.eval(needle)?;
        let Some(set) = self.program.sets.get(set as usize) else { return Err(Cause::Internal) };
        if let View::Str(text) = needle {
            return Ok(View::Bool(set.has_text(text)));
        }
        for constant in &set.others {
            charge(&self.scope.steps_left, 1)?;
            if compare::equal(constant.view(), needle, &self.scope.steps_left)? {
                return Ok(View::Bool(true));
            }
        }
        Ok(View::Bool(false))
    }

    #[inline]
    fn field(&self, operand: View<'a>, name: u32) -> Result<Option<View<'a>>, Cause> {
        let Some(name) = self.program.constants.get(name as usize) else { return Err(Cause::Internal) };
        match (operand, name) {
            // Most fields are looked for in a map as it came, by name, which costs no steps.
            (View::Map(map), Constant::Text(name)) => Ok(map.get(name).map(View::from)),
            _ => compare::lookup(operand, name.view(), &self.scope.steps_left),
        }
    }

    /// Where values are made.
    pub(super) const fn memory(&self) -> compute::Memory<'a> {
        compute::Memory {
            arena: self.scope.arena,
            bytes_max: self.program.arena_bytes_max,
            steps_left: &self.scope.steps_left,
        }
    }

    fn list(&mut self, items: Run) -> Outcome<'a> {
        let nodes = items.of(&self.program.children);
        let mut list = self.memory().vec(nodes.len())?;
        for node in nodes {
            list.push(self.eval(*node)?);
        }
        Ok(View::Items(list.into_bump_slice()))
    }

    fn map(&mut self, entries: Run) -> Outcome<'a> {
        let nodes = entries.of(&self.program.children);
        let mut map: bumpalo::collections::Vec<'a, (View<'a>, View<'a>)> = self.memory().vec(nodes.len() / 2)?;
        for pair in nodes.chunks_exact(2) {
            let [key, value] = pair else { return Err(Cause::Internal) };
            let (key, value) = self.pair(*key, *value)?;
            if !matches!(key, View::Bool(_) | View::Int(_) | View::UInt(_) | View::Str(_)) {
                return Err(Cause::WrongType);
            }
            for (known, _) in &map {
                charge(&self.scope.steps_left, 1)?;
                if compare::equal(*known, key, &self.scope.steps_left)? {
                    return Err(Cause::InvalidArgument);
                }
            }
            map.push((key, value));
        }
        Ok(View::Entries(map.into_bump_slice()))
    }

    fn call(&mut self, function: super::functions::Function, arguments: Run) -> Outcome<'a> {
        let nodes = arguments.of(&self.program.children);
        match nodes {
            [argument] => {
                let argument = self.path(*argument)?;
                compute::call(function, &[argument], self.memory())
            }
            [first, second] => {
                let (first, second) = self.pair(*first, *second)?;
                compute::call(function, &[first, second], self.memory())
            }
            nodes => {
                let mut arguments = self.memory().vec(nodes.len())?;
                let mut cause: Option<Cause> = None;
                for node in nodes {
                    match self.eval(*node) {
                        Ok(argument) => arguments.push(argument),
                        Err(next) => cause = Some(cause.map_or(next, |known| known.join(next))),
                    }
                    if self.exhausted() {
                        return Err(Cause::Limit);
                    }
                }
                match cause {
                    Some(cause) => Err(cause),
                    None => compute::call(function, &arguments, self.memory()),
                }
            }
        }
    }
}
