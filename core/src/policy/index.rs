//! Which rules can match: the cost of a decision depends on these, not on the rules that exist.
//!
//! A tree over the match parts. A node holds the rules that nothing below it can rule out, and branches, each on one
//! attribute: by value (a hash look-up for each value that the request has), or by prefix (one binary search, then up a
//! chain of ever shorter prefixes). Each node branches on the attribute that leaves the fewest rules to look at.

mod table;

use std::collections::{BTreeMap, BTreeSet};

use self::table::Table;
use super::rule::{Clause, Condition, Rule, Scalar, ScalarView, Test};
use crate::reason::Effect;
use crate::value::{Value, View};

/// How many attributes in a row the tree branches on.
const DEPTH_MAX: usize = 6;

/// From how many rules on it is worth a look-up to rule them all out, or in, at once.
const ALIKE_MIN: usize = 16;

/// Up to how many rules are told apart by their prefixes one by one: their texts stand side by side.
const SCAN_MAX: usize = 8;

/// How many clauses of a rule the tree can vouch for.
const CLAUSES_MAX: u32 = 32;

/// A tree over the match parts of some rules.
///
/// Everything stands in a few long vectors: at a hundred thousand rules a look-up costs what it misses in the
/// processor's caches, so a step must not follow a pointer more than it has to.
#[derive(Debug)]
pub struct Index {
    root: Link,
    /// Invariant: links lead to nodes and branches with lower numbers, so that a walk ends.
    nodes: Vec<Node>,
    branches: Vec<Branch>,
    candidates: Vec<Candidate>,
    /// The texts that candidates refer to, one behind the other.
    texts: String,
}

/// A rule that can match, as far as the tree knows it: what has to be known of most rules without looking at them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The rule's number.
    pub number: u32,
    /// The clauses of its match part that hold, since the tree led here: a bit for each, by position.
    pub verified: u32,
    /// What it does where it is true.
    pub effect: Effect,
    /// Whether it counts under `on_failure: minimal`.
    pub minimal: bool,
    /// Whether no override gets past it.
    pub absolute: bool,
    /// Whether it has obligations.
    pub obliges: bool,
    /// What is left to be seen before it is true.
    pub left: Left,
}

/// What the tree has not settled of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing: every clause holds and there is no condition.
    Nothing,
    /// Whether the text in a slot starts like this one of [`Index::text`]: the last clause, kept here so that most
    /// rules which do not match are passed over without a look at them.
    Prefix {
        /// The slot.
        slot: u16,
        /// Where the text starts.
        start: u32,
        /// Where it ends.
        end: u32,
    },
    /// The condition.
    Condition,
    /// Clauses, and perhaps a condition: the rule itself says.
    Rule,
}

/// Where the tree goes on.
#[derive(Clone, Copy, Debug)]
enum Link {
    /// At these candidates, and ends.
    Leaf { first: u32, count: u32 },
    /// At one branch.
    Branch(u32),
    /// At candidates and branches.
    Node(u32),
}

#[derive(Debug)]
struct Node {
    candidates: Link,
    branches: Box<[u32]>,
}

/// The rules that have a clause on one attribute.
#[derive(Debug)]
struct Branch {
    slot: u16,
    /// By value: where the rules that name it are.
    by_value: Table,
    /// By prefix, in byte order.
    by_prefix: Box<[Prefixed]>,
    /// The texts of the prefixes, one behind the other.
    prefixes: Box<str>,
}

#[derive(Clone, Copy, Debug)]
struct Prefixed {
    start: u32,
    end: u32,
    link: Link,
    /// The longest other prefix here that this one starts with.
    shorter: Option<u32>,
}

impl Index {
    /// The index of the rules with these numbers.
    #[must_use]
    pub fn build(rules: &[Rule], numbers: Vec<u32>) -> Self {
        let root = Link::Leaf { first: 0, count: 0 };
        let mut index =
            Self { root, nodes: Vec::new(), branches: Vec::new(), candidates: Vec::new(), texts: String::new() };
        index.root = index.link(rules, numbers, &mut Vec::new());
        index.nodes.shrink_to_fit();
        index.branches.shrink_to_fit();
        index.candidates.shrink_to_fit();
        index.texts.shrink_to_fit();
        index
    }

    /// The bytes of a text that a candidate refers to.
    #[must_use]
    pub fn text(&self, start: u32, end: u32) -> &[u8] {
        self.texts.as_bytes().get(start as usize..end as usize).unwrap_or_default()
    }

    /// Calls `visit` with each rule that can match; with some of them more than once.
    pub fn candidates<'a>(&self, slots: &[Option<View<'a>>], visit: &mut impl FnMut(&Candidate)) {
        self.follow(self.root, slots, visit);
    }

    fn follow<'a>(&self, link: Link, slots: &[Option<View<'a>>], visit: &mut impl FnMut(&Candidate)) {
        match link {
            Link::Leaf { first, count } => {
                let end = first.saturating_add(count) as usize;
                self.candidates.get(first as usize..end).unwrap_or_default().iter().for_each(visit);
            }
            Link::Branch(branch) => self.look_up(branch, slots, visit),
            Link::Node(node) => {
                let Some(node) = self.nodes.get(node as usize) else { return };
                self.follow(node.candidates, slots, visit);
                for branch in &node.branches {
                    self.look_up(*branch, slots, visit);
                }
            }
        }
    }

    fn look_up<'a>(&self, branch: u32, slots: &[Option<View<'a>>], visit: &mut impl FnMut(&Candidate)) {
        let Some(branch) = self.branches.get(branch as usize) else { return };
        // An attribute that is absent here belongs to types that none of the branch's rules admits: a clause leads the
        // index only where it is always present.
        let Some(Some(view)) = slots.get(usize::from(branch.slot)) else { return };
        match *view {
            View::Str(text) => self.look_up_text(branch, text, slots, visit),
            View::List(items) => {
                for item in items {
                    match item {
                        Value::String(text) => self.look_up_text(branch, text, slots, visit),
                        other => self.look_up_other(branch, View::from(other), slots, visit),
                    }
                }
            }
            View::Items(items) => {
                for item in items {
                    match *item {
                        View::Str(text) => self.look_up_text(branch, text, slots, visit),
                        other => self.look_up_other(branch, other, slots, visit),
                    }
                }
            }
            other => self.look_up_other(branch, other, slots, visit),
        }
    }

    fn look_up_text<'a>(
        &self,
        branch: &Branch,
        text: &'a str,
        slots: &[Option<View<'a>>],
        visit: &mut impl FnMut(&Candidate),
    ) {
        if let Some(link) = branch.by_value.find(ScalarView::Str(text)) {
            self.follow(link, slots, visit);
        }
        if !branch.by_prefix.is_empty() {
            branch.prefixed(text, |link| self.follow(link, slots, visit));
        }
    }

    fn look_up_other<'a>(
        &self,
        branch: &Branch,
        value: View<'a>,
        slots: &[Option<View<'a>>],
        visit: &mut impl FnMut(&Candidate),
    ) {
        if let Some(link) = ScalarView::of(value).and_then(|scalar| branch.by_value.find(scalar)) {
            self.follow(link, slots, visit);
        }
    }

    /// Makes the tree of these rules, which the attributes in `used` have led to.
    fn link(&mut self, rules: &[Rule], numbers: Vec<u32>, used: &mut Vec<u16>) -> Link {
        let mut remaining = numbers;
        let mut branches = Vec::new();
        let mut branched = Vec::new();
        while remaining.len() > 1 && used.len() < DEPTH_MAX {
            let Some(slot) = best_slot(rules, &remaining, used, &branched) else { break };
            let (groups, rest) = group(rules, &remaining, slot);
            branched.push(slot);
            used.push(slot);
            let branch = self.branch(rules, slot, groups, used);
            used.pop();
            branches.push(number(self.branches.len()));
            self.branches.push(branch);
            remaining = rest;
        }
        let leaf = self.leaf(rules, &remaining, used);
        match (branches.as_slice(), remaining.is_empty()) {
            ([], _) => leaf,
            ([branch], true) => Link::Branch(*branch),
            _ => {
                self.nodes.push(Node { candidates: leaf, branches: branches.into() });
                Link::Node(number(self.nodes.len()).saturating_sub(1))
            }
        }
    }

    fn leaf(&mut self, rules: &[Rule], numbers: &[u32], used: &[u16]) -> Link {
        let first = number(self.candidates.len());
        for number in numbers {
            self.candidates.extend(candidate(rules, *number, used, &mut self.texts));
        }
        Link::Leaf { first, count: number(self.candidates.len()).saturating_sub(first) }
    }

    fn branch(&mut self, rules: &[Rule], slot: u16, groups: Groups, used: &mut Vec<u16>) -> Branch {
        let by_value =
            groups.by_value.into_iter().map(|(scalar, numbers)| (scalar, self.link(rules, numbers, used))).collect();
        let by_value = Table::new(by_value);
        let mut by_prefix: Vec<Prefixed> = Vec::with_capacity(groups.by_prefix.len());
        let mut prefixes = String::new();
        for (prefix, numbers) in groups.by_prefix {
            let link = self.link(rules, numbers, used);
            let shorter = longest_prefix(&by_prefix, &prefixes, &prefix);
            let start = number(prefixes.len());
            prefixes.push_str(&prefix);
            by_prefix.push(Prefixed { start, end: number(prefixes.len()), link, shorter });
        }
        Branch { slot, by_value, by_prefix: by_prefix.into(), prefixes: prefixes.into() }
    }
}

/// A count of rules or of bytes of a bundle, which `Limits` keeps far below this type's end.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn candidate(rules: &[Rule], number: u32, used: &[u16], texts: &mut String) -> Option<Candidate> {
    let rule = rules.get(number as usize)?;
    let mut verified = 0;
    let mut open = Vec::new();
    for (bit, clause) in (0_u32..).zip(&rule.clauses) {
        let known = clause.always_true || (used.contains(&clause.slot) && clause.always_present);
        let holds = known && bit < CLAUSES_MAX;
        if holds {
            verified |= 1_u32.checked_shl(bit).unwrap_or(0);
        } else {
            open.push(clause);
        }
    }
    let left = match (open.as_slice(), &rule.condition) {
        ([], Condition::Always) => Left::Nothing,
        ([], _) => Left::Condition,
        ([Clause { slot, test, always_present: true, .. }], Condition::Always) => match &**test {
            Test::Prefix(prefix) => {
                let start = self::number(texts.len());
                texts.push_str(prefix);
                Left::Prefix { slot: *slot, start, end: self::number(texts.len()) }
            }
            Test::OneOf(_) => Left::Rule,
        },
        _ => Left::Rule,
    };
    let Rule { effect, minimal, absolute, .. } = *rule;
    Some(Candidate { number, verified, effect, minimal, absolute, obliges: rule.obligations.is_some(), left })
}

impl Branch {
    fn prefixed(&self, text: &str, mut each: impl FnMut(Link)) {
        let mut at = longest_prefix(&self.by_prefix, &self.prefixes, text);
        while let Some(entry) = at.and_then(|at| self.by_prefix.get(at as usize)) {
            each(entry.link);
            at = entry.shorter;
        }
    }
}

impl Prefixed {
    fn text<'p>(&self, prefixes: &'p str) -> &'p str {
        prefixes.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// The longest entry that `text` starts with.
///
/// Entries are in byte order, so every entry that `text` starts with is the last one not after `text`, or on its chain.
fn longest_prefix(entries: &[Prefixed], prefixes: &str, text: &str) -> Option<u32> {
    let not_after = entries.partition_point(|entry| entry.text(prefixes) <= text);
    let mut at = u32::try_from(not_after.checked_sub(1)?).ok();
    while let Some(entry) = at.and_then(|at| entries.get(at as usize)) {
        if text.starts_with(entry.text(prefixes)) {
            return at;
        }
        at = entry.shorter;
    }
    None
}

/// Rules by the value or prefix that they demand of one attribute, in an order that does not depend on a hash.
#[derive(Default)]
struct Groups {
    by_value: BTreeMap<Scalar, Vec<u32>>,
    by_prefix: BTreeMap<Box<str>, Vec<u32>>,
}

fn group(rules: &[Rule], numbers: &[u32], slot: u16) -> (Groups, Vec<u32>) {
    let mut groups = Groups::default();
    let mut rest = Vec::new();
    for number in numbers {
        match leading_clause(rules, *number, slot).map(|clause| &*clause.test) {
            None => rest.push(*number),
            Some(Test::OneOf(scalars)) => {
                for scalar in scalars {
                    let group = groups.by_value.entry(scalar.clone()).or_default();
                    if group.last() != Some(number) {
                        group.push(*number);
                    }
                }
            }
            Some(Test::Prefix(prefix)) => groups.by_prefix.entry(prefix.clone()).or_default().push(*number),
        }
    }
    (groups, rest)
}

/// The rule's clause on `slot`, if it may lead the index.
fn leading_clause(rules: &[Rule], number: u32, slot: u16) -> Option<&Clause> {
    let rule = rules.get(usize::try_from(number).ok()?)?;
    rule.clauses.iter().find(|clause| clause.slot == slot && clause.leads())
}

/// The attribute to branch on: the one that leaves the fewest rules to look at, if it halves them at least; or one of
/// which many rules all demand the same, so that one look-up stands for all of them.
fn best_slot(rules: &[Rule], numbers: &[u32], used: &[u16], branched: &[u16]) -> Option<u16> {
    let mut sizes: BTreeMap<u16, BTreeMap<&Demand<'_>, usize>> = BTreeMap::new();
    let mut lists: BTreeSet<u16> = BTreeSet::new();
    let keys: Vec<(u16, Demand<'_>)> = numbers
        .iter()
        .filter_map(|number| rules.get(usize::try_from(*number).ok()?))
        .flat_map(|rule| rule.clauses.iter())
        .filter(|clause| clause.leads() && !used.contains(&clause.slot) && !branched.contains(&clause.slot))
        .flat_map(|clause| {
            if clause.of_list {
                lists.insert(clause.slot);
            }
            let tests: Vec<Demand<'_>> = match &*clause.test {
                Test::OneOf(scalars) => scalars.iter().map(Demand::Value).collect(),
                Test::Prefix(prefix) => vec![Demand::Prefix(prefix)],
            };
            tests.into_iter().map(|test| (clause.slot, test))
        })
        .collect();
    for (slot, test) in &keys {
        let size = sizes.entry(*slot).or_default().entry(test).or_default();
        *size = size.saturating_add(1);
    }
    let total = numbers.len();
    let alike = |groups: &BTreeMap<&Demand<'_>, usize>| groups.len() == 1 && groups.values().sum::<usize>() == total;
    if total >= ALIKE_MIN
        && let Some((slot, _)) = sizes.iter().find(|(_, groups)| alike(groups))
    {
        return Some(*slot);
    }
    let best = |by_prefix: bool| {
        let of_kind = |groups: &BTreeMap<&Demand<'_>, usize>| {
            groups.keys().any(|demand| matches!(demand, Demand::Prefix(_))) == by_prefix
        };
        let left = |(slot, groups): (&u16, &BTreeMap<&Demand<'_>, usize>)| {
            let indexed: usize = groups.values().sum();
            let squares: usize = groups.values().map(|size| size.saturating_mul(*size)).sum();
            let expected = squares.checked_div(indexed).unwrap_or(0);
            (total.saturating_sub(indexed).saturating_add(expected), *slot)
        };
        let halving = |(left, _): &(usize, u16)| left.saturating_mul(2) <= total;
        let candidates = sizes.iter().filter(|(_, groups)| of_kind(groups)).map(left).filter(halving);
        // A list brings several values, and each a group of its own.
        let cost = |(left, slot): &(usize, u16)| {
            let of_list = lists.contains(slot);
            (if of_list { left.saturating_mul(2) } else { *left }, of_list, *slot)
        };
        candidates.min_by_key(cost).map(|(_, slot)| slot)
    };
    if total <= SCAN_MAX {
        return best(false);
    }
    // A look-up by hash costs the same among ten as among ten thousand; a search among prefixes does not.
    best(false).or_else(|| best(true))
}

/// What a clause demands, for counting.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Demand<'a> {
    Value(&'a Scalar),
    Prefix(&'a str),
}
