//! The flat form of a condition: tests of attributes and signals, joined by `&&`, `||` and `!`.
//!
//! Most conditions are no more than that, and such a one needs no arena, no clock and no values made on the way. It is
//! not another law: it settles what is plain, by the words of `eval`, and whatever is not (a value of a type that the test
//! is not made for, a text long enough to cost steps, a budget that could run out) it leaves to `eval` as a whole.

use std::cmp::Ordering;
use std::net::IpAddr;

use super::functions::Function;
use super::program::{Comparison, Constant, Node, NodeId, Program, Run};
use super::{Cause, SignalView, Status, Truth};
use crate::value::{Cidr, View};

/// How deep tests nest at most, so that going through them takes little stack.
const DEPTH_MAX: u32 = 12;

/// Texts this long cost steps to compare.
const LONG_BYTES: usize = 64;

/// A condition as tests.
#[derive(Debug)]
pub(super) struct Flat {
    tests: Vec<Test>,
    children: Vec<u32>,
    networks: Vec<Cidr>,
    /// The IPv4 networks among them, each as the bits that count and what they must be.
    masked: Vec<(u32, u32)>,
    root: u32,
}

/// One test. Each has a boolean for its value, or none.
#[derive(Clone, Copy, Debug)]
enum Test {
    All(Run),
    Any(Run),
    Not(u32),
    Slot(u16),
    HasSlot(u16),
    SignalOk(u16),
    SignalFailed(u16),
    Compare {
        comparison: Comparison,
        left: Operand,
        right: Operand,
    },
    /// An attribute with a whole number.
    CompareInt {
        comparison: Comparison,
        slot: u16,
        with: i64,
    },
    /// Whether an attribute is one of a set of constants.
    InSet {
        slot: u16,
        set: u32,
    },
    /// Whether a text stands in a list.
    Holds {
        slot: u16,
        text: u32,
    },
    /// Whether an address lies in one of some networks, which stood one behind the other.
    Within {
        slot: u16,
        networks: Run,
        masked: Run,
    },
}

#[derive(Clone, Copy, Debug)]
enum Operand {
    Slot(u16),
    Constant(u32),
}

/// Why a test has no boolean.
enum Open {
    /// It cannot be established.
    Unknown(Cause),
    /// The flat form does not say.
    Unsaid,
}

/// What the tests read.
#[derive(Clone, Copy)]
pub(super) struct Facts<'f, 'v> {
    pub(super) slots: &'f [Option<View<'v>>],
    pub(super) signals: &'f [SignalView],
    pub(super) steps_max: u32,
}

impl Flat {
    /// The flat form of a program, where it has one.
    pub(super) fn of(program: &Program) -> Option<Self> {
        let mut flat =
            Self { tests: Vec::new(), children: Vec::new(), networks: Vec::new(), masked: Vec::new(), root: 0 };
        flat.root = flat.lower(program, program.root, DEPTH_MAX)?;
        Some(flat)
    }

    /// What the condition comes to; nothing where `eval` has to say.
    #[inline]
    pub(super) fn truth(&self, program: &Program, facts: Facts<'_, '_>) -> Option<Truth> {
        // Each node is evaluated at most once, so a budget beyond their number is never met, nor its last step taken.
        let nodes = u32::try_from(program.nodes.len()).ok()?;
        let left = facts.steps_max.checked_sub(nodes)?.checked_sub(1)?;
        let items_max = left.checked_div(nodes)?;
        let seen = Seen { flat: self, program, facts, items_max: items_max as usize };
        match seen.test(self.root) {
            Ok(true) => Some(Truth::True),
            Ok(false) => Some(Truth::False),
            Err(Open::Unknown(cause)) => Some(Truth::Indeterminate(cause)),
            Err(Open::Unsaid) => None,
        }
    }

    fn push(&mut self, test: Test) -> u32 {
        let at = number(self.tests.len());
        self.tests.push(test);
        at
    }

    fn lower(&mut self, program: &Program, id: NodeId, depth: u32) -> Option<u32> {
        let depth = depth.checked_sub(1)?;
        let test = match *program.nodes.get(id as usize)? {
            Node::And(terms) => Test::All(self.terms(program, terms, depth, false)?),
            Node::Or(terms) => Test::Any(self.terms(program, terms, depth, true)?),
            Node::Not(operand) => Test::Not(self.lower(program, operand, depth)?),
            Node::Slot(slot) => Test::Slot(slot),
            Node::HasSlot(slot) => Test::HasSlot(slot),
            Node::SignalOk(signal) => Test::SignalOk(signal),
            Node::SignalFailed(signal) => Test::SignalFailed(signal),
            Node::Compare { comparison, left, right } => {
                let (left, right) = (operand(program, left)?, operand(program, right)?);
                match (left, right) {
                    (Operand::Slot(slot), Operand::Constant(index)) => match program.constants.get(index as usize)? {
                        Constant::Scalar(View::Int(with)) => Test::CompareInt { comparison, slot, with: *with },
                        _ => Test::Compare { comparison, left, right },
                    },
                    _ => Test::Compare { comparison, left, right },
                }
            }
            Node::InSet { needle, set } => match operand(program, needle)? {
                Operand::Slot(slot) => Test::InSet { slot, set },
                Operand::Constant(_) => return None,
            },
            Node::In { needle, haystack } => match (operand(program, needle)?, operand(program, haystack)?) {
                (Operand::Constant(text), Operand::Slot(slot)) if short_text(program, text).is_some() => {
                    Test::Holds { slot, text }
                }
                _ => return None,
            },
            Node::Call { .. } => {
                let (slot, network) = network_test(program, id)?;
                self.within(slot, vec![network])
            }
            _ => return None,
        };
        Some(self.push(test))
    }

    /// The terms of `&&` or `||`. Of `||`, networks that the same address is looked for in, one behind the other, are one
    /// term: what one of them cannot establish no other can.
    fn terms(&mut self, program: &Program, terms: Run, depth: u32, any: bool) -> Option<Run> {
        let mut lowered = Vec::new();
        let mut terms = terms.of(&program.children).iter().peekable();
        while let Some(term) = terms.next() {
            let Some((slot, network)) = network_test(program, *term).filter(|_| any) else {
                lowered.push(self.lower(program, *term, depth)?);
                continue;
            };
            let mut networks = vec![network];
            while let Some((_, next)) =
                terms.peek().and_then(|term| network_test(program, **term)).filter(|(next, _)| *next == slot)
            {
                networks.push(next);
                terms.next();
            }
            let test = self.within(slot, networks);
            lowered.push(self.push(test));
        }
        let start = number(self.children.len());
        self.children.extend(lowered);
        Some(Run { start, end: number(self.children.len()) })
    }

    fn within(&mut self, slot: u16, networks: Vec<Cidr>) -> Test {
        let (start, first) = (number(self.networks.len()), number(self.masked.len()));
        self.masked.extend(networks.iter().filter_map(Cidr::masked_bits));
        self.networks.extend(networks);
        Test::Within {
            slot,
            networks: Run { start, end: number(self.networks.len()) },
            masked: Run { start: first, end: number(self.masked.len()) },
        }
    }
}

/// A count of what the compiler of conditions keeps far below this type's end.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn operand(program: &Program, id: NodeId) -> Option<Operand> {
    match *program.nodes.get(id as usize)? {
        Node::Slot(slot) => Some(Operand::Slot(slot)),
        Node::Constant(constant) => Some(Operand::Constant(constant)),
        _ => None,
    }
}

/// The attribute and the network of a call that looks for the one in the other.
fn network_test(program: &Program, id: NodeId) -> Option<(u16, Cidr)> {
    let Node::Call { function: Function::ContainsIp, arguments } = *program.nodes.get(id as usize)? else {
        return None;
    };
    let [network, address] = *arguments.of(&program.children) else { return None };
    let (Operand::Constant(network), Operand::Slot(slot)) = (operand(program, network)?, operand(program, address)?)
    else {
        return None;
    };
    match program.constants.get(network as usize)? {
        Constant::Scalar(View::Cidr(network)) => Some((slot, *network)),
        _ => None,
    }
}

/// A constant that is a text and costs no steps to compare.
fn short_text(program: &Program, constant: u32) -> Option<&str> {
    match program.constants.get(constant as usize)? {
        Constant::Text(text) if text.len() < LONG_BYTES => Some(text),
        _ => None,
    }
}

/// The tests with what they read.
struct Seen<'s, 'f, 'v> {
    flat: &'s Flat,
    program: &'s Program,
    facts: Facts<'f, 'v>,
    /// So many items of a list are looked at within the budget, by each test.
    items_max: usize,
}

impl<'s: 'v, 'v> Seen<'s, '_, 'v> {
    fn test(&self, at: u32) -> Result<bool, Open> {
        let Some(test) = self.flat.tests.get(at as usize) else { return Err(Open::Unsaid) };
        match *test {
            Test::All(terms) => self.logic(terms, false),
            Test::Any(terms) => self.logic(terms, true),
            Test::Not(operand) => self.test(operand).map(|value| !value),
            Test::Slot(slot) => match self.slot(slot)? {
                View::Bool(value) => Ok(value),
                _ => Err(Open::Unsaid),
            },
            Test::HasSlot(slot) => Ok(self.slot(slot).is_ok()),
            Test::SignalOk(signal) => Ok(self.status(signal) == Status::Ok),
            Test::SignalFailed(signal) => match self.status(signal) {
                Status::Unknown => Err(Open::Unknown(Cause::Signal(signal))),
                status => Ok(status == Status::Failed),
            },
            Test::Compare { comparison, left, right } => {
                let (left, right) = (self.operand(left)?, self.operand(right)?);
                compared(comparison, left, right)
            }
            Test::CompareInt { comparison, slot, with } => match self.slot(slot)? {
                View::Int(value) => Ok(comparison.holds(value.cmp(&with))),
                _ => Err(Open::Unsaid),
            },
            Test::InSet { slot, set } => match (self.slot(slot)?, self.program.sets.get(set as usize)) {
                (View::Str(text), Some(set)) => Ok(set.has_text(text)),
                _ => Err(Open::Unsaid),
            },
            Test::Holds { slot, text } => {
                let list = self.slot(slot)?;
                let Some(text) = short_text(self.program, text) else { return Err(Open::Unsaid) };
                let is_it = |item: View<'_>| matches!(item, View::Str(item) if item == text);
                match list {
                    View::List(items) if items.len() <= self.items_max => {
                        Ok(items.iter().any(|item| is_it(View::from(item))))
                    }
                    View::Items(items) if items.len() <= self.items_max => Ok(items.iter().any(|item| is_it(*item))),
                    _ => Err(Open::Unsaid),
                }
            }
            Test::Within { slot, networks, masked } => match self.slot(slot)? {
                View::Ip(IpAddr::V4(address)) => {
                    let bits = address.to_bits();
                    Ok(masked.of(&self.flat.masked).iter().any(|(mask, network)| bits & mask == *network))
                }
                View::Ip(address) => Ok(networks.of(&self.flat.networks).iter().any(|one| one.contains(address))),
                _ => Err(Open::Unsaid),
            },
        }
    }

    /// As `eval` has it: one decisive term settles it, wherever it stands.
    fn logic(&self, terms: Run, decisive: bool) -> Result<bool, Open> {
        let mut cause: Option<Cause> = None;
        for term in terms.of(&self.flat.children) {
            match self.test(*term) {
                Ok(value) if value == decisive => return Ok(decisive),
                Ok(_) => {}
                Err(Open::Unknown(next)) => cause = Some(cause.map_or(next, |known| known.join(next))),
                Err(Open::Unsaid) => return Err(Open::Unsaid),
            }
        }
        cause.map_or(Ok(!decisive), |cause| Err(Open::Unknown(cause)))
    }

    #[inline]
    fn slot(&self, slot: u16) -> Result<View<'v>, Open> {
        match self.facts.slots.get(usize::from(slot)) {
            Some(Some(view)) => Ok(*view),
            _ => Err(Open::Unknown(Cause::Missing)),
        }
    }

    fn status(&self, signal: u16) -> Status {
        self.facts.signals.get(usize::from(signal)).map_or(Status::Unknown, |signal| signal.status)
    }

    #[inline]
    fn operand(&self, operand: Operand) -> Result<View<'v>, Open> {
        match operand {
            Operand::Slot(slot) => self.slot(slot),
            Operand::Constant(index) => {
                self.program.constants.get(index as usize).map(Constant::view).ok_or(Open::Unsaid)
            }
        }
    }
}

/// Compares what costs no steps to compare.
fn compared(comparison: Comparison, left: View<'_>, right: View<'_>) -> Result<bool, Open> {
    let ordering = match (left, right) {
        (View::Int(left), View::Int(right)) => left.cmp(&right),
        (View::Bool(left), View::Bool(right)) => left.cmp(&right),
        (View::Str(left), View::Str(right)) => match comparison {
            Comparison::Equal | Comparison::NotEqual if left.len() != right.len() => Ordering::Less,
            _ if left.len().min(right.len()) >= LONG_BYTES => return Err(Open::Unsaid),
            _ => left.cmp(right),
        },
        (View::Timestamp(left), View::Timestamp(right)) => left.cmp(&right),
        _ => return Err(Open::Unsaid),
    };
    Ok(comparison.holds(ordering))
}

#[cfg(test)]
mod tests;
