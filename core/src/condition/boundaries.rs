//! At which values of what it reads a condition can change: what a search for requests that differ has to try.
//!
//! Where an attribute is only held against constants, all values between two of them are alike to the condition, and one
//! of them stands for all. The analysis follows logic and comparisons; where it cannot follow, it says so (`loose`), and
//! no set of values stands for all others.

use super::functions::Function;
use super::program::{Comparison, Constant, Node, NodeId, Program};
use crate::value::{Cidr, View};

/// What a condition reads: an attribute, or a field of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leaf<'p> {
    /// The slot of the attribute.
    pub slot: u16,
    /// The names of the fields below it, from the outermost.
    pub fields: Vec<&'p str>,
}

/// One thing that a condition holds a value against.
#[derive(Clone, Copy, Debug)]
pub enum Cut<'p> {
    /// It is, or is not, this value.
    Is(View<'p>),
    /// It is less or more than this value.
    Order(View<'p>),
    /// The text starts like this.
    StartsWith(&'p str),
    /// The address is in this network.
    Within(Cidr),
    /// The list holds this value.
    Holds(View<'p>),
}

/// Where a condition can change.
#[derive(Clone, Debug, Default)]
pub struct Boundaries<'p> {
    /// What is read, however it is.
    pub leaves: Vec<Leaf<'p>>,
    /// What is held against a constant.
    pub cuts: Vec<(Leaf<'p>, Cut<'p>)>,
    /// What is held against one another, and whether by their order.
    pub pairs: Vec<(Leaf<'p>, Leaf<'p>, bool)>,
    /// What is looked for in a list, and the list.
    pub members: Vec<(Leaf<'p>, Leaf<'p>)>,
    /// What is compared with `now`.
    pub with_now: Vec<Leaf<'p>>,
    /// What is read in a way that this analysis cannot follow.
    pub loose: Vec<Leaf<'p>>,
    /// Constants that stand beside what is loose: values worth trying, and no more.
    pub hints: Vec<(Leaf<'p>, View<'p>)>,
    /// Whether it reads how long ago a signal was observed.
    pub reads_age: bool,
}

impl Program {
    /// At which values of what it reads the condition can change.
    #[must_use]
    pub fn boundaries(&self) -> Boundaries<'_> {
        let mut search = Search { program: self, found: Boundaries::default() };
        // Nodes name earlier ones, so this ends.
        let mut waiting = vec![self.root];
        while let Some(id) = waiting.pop() {
            search.truth(id, &mut waiting);
        }
        search.found
    }
}

struct Search<'p> {
    program: &'p Program,
    found: Boundaries<'p>,
}

impl<'p> Search<'p> {
    fn node(&self, id: NodeId) -> Option<Node> {
        self.program.nodes.get(id as usize).copied()
    }

    /// A node whose truth counts; what of it counts in turn goes into `waiting`.
    fn truth(&mut self, id: NodeId, waiting: &mut Vec<NodeId>) {
        let Some(node) = self.node(id) else { return };
        match node {
            Node::And(terms) | Node::Or(terms) => waiting.extend(terms.of(&self.program.children)),
            Node::Not(operand) => waiting.push(operand),
            Node::Conditional { condition, then, otherwise } => waiting.extend([condition, then, otherwise]),
            Node::Slot(_) | Node::Field { .. } => match self.leaf(id) {
                Some(leaf) => self.cut(leaf, Cut::Is(View::Bool(true))),
                None => self.loose(&[id]),
            },
            Node::HasSlot(slot) => self.found.leaves.push(Leaf { slot, fields: Vec::new() }),
            Node::HasField { operand, name } => match (self.leaf(operand), self.text(name)) {
                (Some(mut leaf), Some(name)) => {
                    leaf.fields.push(name);
                    self.found.leaves.push(leaf);
                }
                _ => self.loose(&[operand]),
            },
            Node::Compare { comparison, left, right } => self.compare(comparison, left, right, waiting),
            Node::In { needle, haystack } => self.membership(needle, haystack),
            Node::InSet { needle, set } => match (self.leaf(needle), self.program.sets.get(set as usize)) {
                (Some(leaf), Some(set)) => {
                    for text in &set.texts {
                        self.cut(leaf.clone(), Cut::Is(View::Str(text)));
                    }
                    for other in &set.others {
                        self.cut(leaf.clone(), Cut::Is(other.view()));
                    }
                }
                _ => self.loose(&[needle]),
            },
            Node::Call { function, arguments } => {
                let arguments = arguments.of(&self.program.children);
                let cut = match *arguments {
                    [first, second] => self.call(function, first, second),
                    _ => None,
                };
                match cut {
                    Some((leaf, cut)) => self.cut(leaf, cut),
                    None => self.loose(arguments),
                }
            }
            _ => self.loose(&[id]),
        }
    }

    fn call(&self, function: Function, first: NodeId, second: NodeId) -> Option<(Leaf<'p>, Cut<'p>)> {
        match (function, self.constant(first), self.constant(second)) {
            (Function::StartsWith, None, Some(View::Str(text))) => Some((self.leaf(first)?, Cut::StartsWith(text))),
            (Function::ContainsIp, Some(View::Cidr(network)), None) => Some((self.leaf(second)?, Cut::Within(network))),
            _ => None,
        }
    }

    fn compare(&mut self, comparison: Comparison, left: NodeId, right: NodeId, waiting: &mut Vec<NodeId>) {
        let ordered = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        let of = |value| if ordered { Cut::Order(value) } else { Cut::Is(value) };
        let is_now = |node| matches!(node, Some(Node::Now));
        match (self.leaf(left), self.leaf(right), self.constant(left), self.constant(right)) {
            (Some(leaf), _, _, Some(value)) | (_, Some(leaf), Some(value), _) => self.cut(leaf, of(value)),
            (Some(one), Some(other), ..) => {
                self.found.leaves.extend([one.clone(), other.clone()]);
                self.found.pairs.push((one, other, ordered));
            }
            (Some(leaf), ..) if is_now(self.node(right)) => self.with_now(leaf),
            (_, Some(leaf), ..) if is_now(self.node(left)) => self.with_now(leaf),
            // Two truths that are compared: what moves one of them moves the whole.
            _ if self.is_truth(left) && self.is_truth(right) => waiting.extend([left, right]),
            _ => self.loose(&[left, right]),
        }
    }

    fn membership(&mut self, needle: NodeId, haystack: NodeId) {
        match (self.leaf(needle), self.leaf(haystack), self.constant(needle), self.constant(haystack)) {
            (_, Some(list), Some(value), _) => self.cut(list, Cut::Holds(value)),
            (Some(leaf), Some(list), ..) => {
                self.found.leaves.extend([leaf.clone(), list.clone()]);
                self.found.members.push((leaf, list));
            }
            (Some(leaf), _, _, Some(constant)) => {
                let values: Vec<View<'p>> = match constant {
                    View::List(items) => items.iter().map(View::from).collect(),
                    View::Items(items) => items.to_vec(),
                    View::Map(map) => map.entries().iter().map(|(name, _)| View::Str(name)).collect(),
                    _ => return self.loose(&[needle, haystack]),
                };
                self.found.leaves.push(leaf.clone());
                for value in values {
                    self.cut(leaf.clone(), Cut::Is(value));
                }
            }
            _ => match self.node(haystack) {
                Some(Node::List(items)) => {
                    let items = items.of(&self.program.children).to_vec();
                    match (self.leaf(needle), items.iter().map(|item| self.constant(*item)).collect::<Option<Vec<_>>>())
                    {
                        (Some(leaf), Some(values)) => {
                            for value in values {
                                self.cut(leaf.clone(), Cut::Is(value));
                            }
                        }
                        _ => self.loose(&[needle, haystack]),
                    }
                }
                _ => self.loose(&[needle, haystack]),
            },
        }
    }

    fn cut(&mut self, leaf: Leaf<'p>, cut: Cut<'p>) {
        self.found.leaves.push(leaf.clone());
        self.found.cuts.push((leaf, cut));
    }

    fn with_now(&mut self, leaf: Leaf<'p>) {
        self.found.leaves.push(leaf.clone());
        self.found.with_now.push(leaf);
    }

    /// Everything that is read below these nodes, in ways of which nothing is known.
    fn loose(&mut self, nodes: &[NodeId]) {
        let (mut leaves, mut constants) = (Vec::new(), Vec::new());
        let mut waiting = nodes.to_vec();
        while let Some(id) = waiting.pop() {
            if let Some(leaf) = self.leaf(id) {
                leaves.push(leaf);
                continue;
            }
            match self.node(id) {
                Some(Node::HasSlot(slot)) => leaves.push(Leaf { slot, fields: Vec::new() }),
                Some(Node::SignalAge(_)) => self.found.reads_age = true,
                Some(node) => {
                    constants.extend(self.constant(id));
                    self.below(node, &mut waiting);
                }
                None => {}
            }
        }
        for leaf in leaves {
            self.found.hints.extend(constants.iter().map(|value| (leaf.clone(), *value)));
            self.found.leaves.push(leaf.clone());
            self.found.loose.push(leaf);
        }
    }

    /// The nodes that a node is made of.
    fn below(&self, node: Node, into: &mut Vec<NodeId>) {
        match node {
            Node::Fail(_)
            | Node::Constant(_)
            | Node::Slot(_)
            | Node::HasSlot(_)
            | Node::Variable(_)
            | Node::Now
            | Node::SignalOk(_)
            | Node::SignalFailed(_)
            | Node::SignalAge(_)
            | Node::PostureName
            | Node::PostureRank => {}
            Node::And(run) | Node::Or(run) | Node::List(run) | Node::Map(run) => {
                into.extend(run.of(&self.program.children));
            }
            Node::Call { arguments, .. } => into.extend(arguments.of(&self.program.children)),
            Node::Not(operand) | Node::Negate(operand) => into.push(operand),
            Node::Conditional { condition, then, otherwise } => into.extend([condition, then, otherwise]),
            Node::Chain { first, steps } => {
                into.push(first);
                into.extend(steps.of(&self.program.steps).iter().map(|(_, operand)| *operand));
            }
            Node::Compare { left, right, .. } => into.extend([left, right]),
            Node::In { needle, haystack } => into.extend([needle, haystack]),
            Node::InSet { needle: operand, .. }
            | Node::Field { operand, .. }
            | Node::HasField { operand, .. }
            | Node::Matches { operand, .. }
            | Node::Calendar { operand, .. } => into.push(operand),
            Node::Index { operand, index } => into.extend([operand, index]),
            Node::Bind { value, body } => into.extend([value, body]),
            Node::Walk { range, predicate, transform, .. } | Node::WalkOfTwo { range, predicate, transform, .. } => {
                into.push(range);
                into.extend(predicate);
                into.extend(transform);
            }
        }
    }

    /// The attribute, or the field of one, that a node is.
    fn leaf(&self, id: NodeId) -> Option<Leaf<'p>> {
        let mut names = Vec::new();
        let mut at = id;
        loop {
            match self.node(at)? {
                Node::Slot(slot) => {
                    names.reverse();
                    return Some(Leaf { slot, fields: names });
                }
                Node::Field { operand, name } => {
                    names.push(self.text(name)?);
                    at = operand;
                }
                _ => return None,
            }
        }
    }

    fn constant(&self, id: NodeId) -> Option<View<'p>> {
        match self.node(id)? {
            Node::Constant(index) => self.program.constants.get(index as usize).map(Constant::view),
            _ => None,
        }
    }

    fn text(&self, constant: u32) -> Option<&'p str> {
        match self.program.constants.get(constant as usize).map(Constant::view) {
            Some(View::Str(text)) => Some(text),
            _ => None,
        }
    }

    /// Whether a node is logic or a test, whose truth can be followed.
    fn is_truth(&self, id: NodeId) -> bool {
        matches!(
            self.node(id),
            Some(
                Node::And(_)
                    | Node::Or(_)
                    | Node::Not(_)
                    | Node::Compare { .. }
                    | Node::In { .. }
                    | Node::InSet { .. }
                    | Node::HasSlot(_)
                    | Node::HasField { .. }
                    | Node::SignalOk(_)
                    | Node::SignalFailed(_)
            )
        )
    }
}
