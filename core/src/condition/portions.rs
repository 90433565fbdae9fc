//! What of each attribute a condition may read: a tree of the names that it asks for, so that a reader of requests can leave
//! out the rest (spec 1.4).
//!
//! The analysis follows paths (`resource.object.spec`), through macros too. Wherever a value is used in another way than to
//! ask for something in it, all of it counts as read.

use std::collections::BTreeMap;

use super::program::{Node, NodeId, Program, Walk};
use crate::request::{Named, Portion};
use crate::value::View;

/// Bytes of stack that one level of the program may take here.
const STACK_PER_LEVEL: usize = 4 << 10;

/// How long a path may be that is followed: longer than any request is deep.
const STEPS_MAX: usize = 128;

/// What of one value conditions read.
#[derive(Clone, Debug, Default)]
pub struct Use {
    /// Whether all of it is.
    whole: bool,
    /// What is read of each item of a list, or of each member of a map, if they are gone through.
    each: Option<Box<Use>>,
    /// What is read of the members that are asked for by name.
    named: BTreeMap<Box<str>, Use>,
}

/// One step into a value.
#[derive(Clone, Copy)]
enum Step<'p> {
    Named(&'p str),
    Each,
}

/// Where a value stands: in a slot, and below it.
#[derive(Clone)]
struct Place<'p> {
    slot: u16,
    steps: Vec<Step<'p>>,
}

impl Use {
    /// As much as has to be kept, so that whoever reads this finds what the whole value would give.
    #[must_use]
    pub fn portion(self) -> Portion {
        if self.whole {
            return Portion::Whole;
        }
        let Some(mut each) = self.each else {
            let members: BTreeMap<_, _> = self.named.into_iter().map(|(name, part)| (name, part.portion())).collect();
            return Portion::Named(Named::from(members));
        };
        // A member that is asked for by name is one of those that are gone through.
        self.named.into_values().for_each(|part| each.absorb(part));
        Portion::Each(Box::new(each.portion()))
    }

    fn absorb(&mut self, other: Self) {
        self.whole |= other.whole;
        if let Some(each) = other.each {
            self.each.get_or_insert_default().absorb(*each);
        }
        for (name, part) in other.named {
            self.named.entry(name).or_default().absorb(part);
        }
    }
}

impl Program {
    /// Adds to `uses`, by slot, what the condition may read.
    pub fn add_uses(&self, uses: &mut BTreeMap<u16, Use>) {
        let stack = self.depth.saturating_add(2).saturating_mul(STACK_PER_LEVEL);
        let mut search = Search { program: self, variables: Vec::new(), uses };
        stacker::maybe_grow(stack, stack.saturating_mul(2), || search.whole(self.root));
    }
}

struct Search<'p, 'u> {
    program: &'p Program,
    /// Where the variables of the macros around get their values from, the outermost first; nothing for what is no part of
    /// an attribute.
    variables: Vec<Option<Place<'p>>>,
    uses: &'u mut BTreeMap<u16, Use>,
}

impl<'p> Search<'p, '_> {
    /// A node whose value is used in a way that may read all of it.
    fn whole(&mut self, id: NodeId) {
        if let Some(place) = self.place(id) {
            self.use_of(&place).whole = true;
        }
    }

    /// Notes what a node reads; gives the place of its value, where that is part of an attribute and not read yet.
    fn place(&mut self, id: NodeId) -> Option<Place<'p>> {
        let program = self.program;
        match *program.nodes.get(id as usize)? {
            Node::Slot(slot) => return Some(Place { slot, steps: Vec::new() }),
            Node::Variable(index) => return self.variables.get(index as usize).cloned().flatten(),
            Node::Field { operand, name } => {
                let place = self.place(operand);
                return self.step(place, self.name(name));
            }
            Node::Index { operand, index } => {
                self.whole(index);
                let place = self.place(operand);
                return self.step(place, Some(Step::Each));
            }
            Node::Bind { value, body } => {
                let value = self.place(value);
                if let Some(value) = &value {
                    self.use_of(value);
                }
                self.variables.push(value);
                let place = self.place(body);
                self.variables.pop();
                return place;
            }
            Node::HasField { operand, name } => {
                let place = self.place(operand);
                if let Some(place) = self.step(place, self.name(name)) {
                    self.use_of(&place);
                }
            }
            Node::HasSlot(slot) => {
                self.use_of(&Place { slot, steps: Vec::new() });
            }
            Node::Walk { walk, range, predicate, transform } => {
                let of_two = matches!(walk, Walk::CollectMap | Walk::CollectEntries);
                self.walk(range, [predicate, transform], of_two);
            }
            Node::WalkOfTwo { range, predicate, transform, .. } => self.walk(range, [predicate, transform], true),
            Node::Fail(_)
            | Node::Constant(_)
            | Node::Now
            | Node::SignalOk(_)
            | Node::SignalFailed(_)
            | Node::SignalAge(_)
            | Node::PostureName
            | Node::PostureRank => {}
            Node::And(run) | Node::Or(run) | Node::List(run) | Node::Map(run) => self.all(run.of(&program.children)),
            Node::Call { arguments, .. } => self.all(arguments.of(&program.children)),
            Node::Not(operand)
            | Node::Negate(operand)
            | Node::InSet { needle: operand, .. }
            | Node::Matches { operand, .. }
            | Node::Calendar { operand, .. } => self.whole(operand),
            Node::Conditional { condition, then, otherwise } => self.all(&[condition, then, otherwise]),
            Node::Chain { first, steps } => {
                self.whole(first);
                steps.of(&program.steps).iter().for_each(|(_, operand)| self.whole(*operand));
            }
            Node::Compare { left, right, .. } => self.all(&[left, right]),
            Node::In { needle, haystack } => self.all(&[needle, haystack]),
        }
        None
    }

    fn all(&mut self, nodes: &[NodeId]) {
        nodes.iter().for_each(|node| self.whole(*node));
    }

    /// A macro: its variables are the items of what it goes through, or its keys and values.
    fn walk(&mut self, range: NodeId, bodies: [Option<NodeId>; 2], of_two: bool) {
        let range = self.place(range);
        let item = self.step(range, Some(Step::Each));
        if let Some(item) = &item {
            self.use_of(item);
        }
        let before = self.variables.len();
        if of_two {
            self.variables.push(None);
        }
        self.variables.push(item);
        bodies.into_iter().flatten().for_each(|body| self.whole(body));
        self.variables.truncate(before);
    }

    /// The place one step further; nothing where that is not known, or further than anybody looks.
    fn step(&mut self, place: Option<Place<'p>>, step: Option<Step<'p>>) -> Option<Place<'p>> {
        let mut place = place?;
        match step {
            Some(step) if place.steps.len() < STEPS_MAX => {
                place.steps.push(step);
                Some(place)
            }
            _ => {
                self.use_of(&place).whole = true;
                None
            }
        }
    }

    fn use_of(&mut self, place: &Place<'_>) -> &mut Use {
        let mut part = self.uses.entry(place.slot).or_default();
        for step in &place.steps {
            part = match step {
                Step::Named(name) => part.named.entry((*name).into()).or_default(),
                Step::Each => part.each.get_or_insert_default(),
            };
        }
        part
    }

    fn name(&self, constant: u32) -> Option<Step<'p>> {
        match self.program.constants.get(constant as usize)?.view() {
            View::Str(name) => Some(Step::Named(name)),
            _ => None,
        }
    }
}
