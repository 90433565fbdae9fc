//! Which rules can match: the cost of a decision depends on these, not on the rules that exist.
//!
//! A tree over the match parts. A node holds the rules that nothing below it can rule out, and branches, each on one
//! attribute: by value (a hash look-up for each value that the request has), or by prefix (one binary search, then up a
//! chain of ever shorter prefixes). Each node branches on the attribute that leaves the fewest rules to look at.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::rule::{Clause, Rule, Scalar, ScalarView, Test, any_scalar};
use crate::value::View;

/// As many rules as are looked at one by one rather than indexed further.
const LEAF_RULES_MAX: usize = 4;

/// How many attributes in a row the tree branches on.
const DEPTH_MAX: usize = 6;

/// A tree over the match parts of some rules.
#[derive(Debug, Default)]
pub struct Index {
    /// Invariant: a node's branches lead to nodes with higher numbers, so that a walk ends.
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    /// The rules to look at whatever the request has.
    rules: Box<[u32]>,
    branches: Box<[Branch]>,
}

/// The rules that have a clause on one attribute.
#[derive(Debug)]
struct Branch {
    slot: u16,
    /// By value: the nodes of the rules that name it. A fixed hash is safe: requests look up here and never insert.
    by_value: HashTable<(Scalar, u32)>,
    /// By prefix, in byte order.
    by_prefix: Box<[Prefixed]>,
}

#[derive(Debug)]
struct Prefixed {
    prefix: Box<str>,
    node: u32,
    /// The longest other prefix here that this one starts with.
    shorter: Option<u32>,
}

impl Index {
    /// The index of the rules with these numbers.
    #[must_use]
    pub fn build(rules: &[Rule], numbers: Vec<u32>) -> Self {
        let mut index = Self::default();
        index.node(rules, numbers, &mut Vec::new());
        index
    }

    /// Calls `visit` with the number of each rule that can match; with some of them more than once.
    pub fn candidates<'a>(&self, slots: &[Option<View<'a>>], visit: &mut impl FnMut(u32)) {
        if let Some(root) = self.nodes.first() {
            self.walk(root, slots, visit);
        }
    }

    fn walk<'a>(&self, node: &Node, slots: &[Option<View<'a>>], visit: &mut impl FnMut(u32)) {
        for rule in &node.rules {
            visit(*rule);
        }
        for branch in &node.branches {
            // An attribute that is absent here belongs to types that none of the branch's rules admits: a clause leads
            // the index only where it is always present.
            let Some(Some(view)) = slots.get(usize::from(branch.slot)) else { continue };
            any_scalar(*view, |scalar| {
                if let Some(node) = branch.valued(scalar) {
                    self.descend(node, slots, visit);
                }
                if let ScalarView::Str(text) = scalar {
                    branch.prefixed(text, |node| self.descend(node, slots, visit));
                }
                false
            });
        }
    }

    fn descend<'a>(&self, node: u32, slots: &[Option<View<'a>>], visit: &mut impl FnMut(u32)) {
        if let Some(node) = usize::try_from(node).ok().and_then(|node| self.nodes.get(node)) {
            self.walk(node, slots, visit);
        }
    }

    /// Makes the node of these rules, which the attributes in `used` have led to.
    fn node(&mut self, rules: &[Rule], numbers: Vec<u32>, used: &mut Vec<u16>) -> u32 {
        let at = self.nodes.len();
        self.nodes.push(Node::default());
        let mut remaining = numbers;
        let mut branches = Vec::new();
        let mut branched = Vec::new();
        while remaining.len() > LEAF_RULES_MAX && used.len() < DEPTH_MAX {
            let Some(slot) = best_slot(rules, &remaining, used, &branched) else { break };
            let (groups, rest) = group(rules, &remaining, slot);
            branched.push(slot);
            used.push(slot);
            branches.push(self.branch(rules, slot, groups, used));
            used.pop();
            remaining = rest;
        }
        if let Some(node) = self.nodes.get_mut(at) {
            *node = Node { rules: remaining.into(), branches: branches.into() };
        }
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    fn branch(&mut self, rules: &[Rule], slot: u16, groups: Groups, used: &mut Vec<u16>) -> Branch {
        let mut by_value = HashTable::with_capacity(groups.by_value.len());
        for (scalar, numbers) in groups.by_value {
            let node = self.node(rules, numbers, used);
            let hash = FixedState::default().hash_one(&scalar);
            by_value.insert_unique(hash, (scalar, node), |(scalar, _)| FixedState::default().hash_one(scalar));
        }
        let mut by_prefix: Vec<Prefixed> = Vec::with_capacity(groups.by_prefix.len());
        for (prefix, numbers) in groups.by_prefix {
            let node = self.node(rules, numbers, used);
            let shorter = longest_prefix(&by_prefix, &prefix);
            by_prefix.push(Prefixed { prefix, node, shorter });
        }
        Branch { slot, by_value, by_prefix: by_prefix.into() }
    }
}

impl Branch {
    fn valued(&self, scalar: ScalarView<'_>) -> Option<u32> {
        let hash = FixedState::default().hash_one(scalar);
        self.by_value.find(hash, |(key, _)| hashbrown::Equivalent::equivalent(&scalar, key)).map(|(_, node)| *node)
    }

    fn prefixed(&self, text: &str, mut each: impl FnMut(u32)) {
        let mut at = longest_prefix(&self.by_prefix, text);
        while let Some(entry) = at.and_then(|at| self.by_prefix.get(usize::try_from(at).ok()?)) {
            each(entry.node);
            at = entry.shorter;
        }
    }
}

/// The longest entry that `text` starts with.
///
/// Entries are in byte order, so every entry that `text` starts with is the last one not after `text`, or on its chain.
fn longest_prefix(entries: &[Prefixed], text: &str) -> Option<u32> {
    let not_after = entries.partition_point(|entry| *entry.prefix <= *text);
    let mut at = u32::try_from(not_after.checked_sub(1)?).ok();
    while let Some(entry) = at.and_then(|at| entries.get(usize::try_from(at).ok()?)) {
        if text.starts_with(&*entry.prefix) {
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
        match leading_clause(rules, *number, slot).map(|clause| &clause.test) {
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
    rule.clauses.iter().find(|clause| clause.slot == slot && clause.always_present)
}

/// The attribute to branch on: the one that leaves the fewest rules to look at, if it halves them at least.
fn best_slot(rules: &[Rule], numbers: &[u32], used: &[u16], branched: &[u16]) -> Option<u16> {
    let mut sizes: BTreeMap<u16, BTreeMap<&Demand<'_>, usize>> = BTreeMap::new();
    let keys: Vec<(u16, Demand<'_>)> = numbers
        .iter()
        .filter_map(|number| rules.get(usize::try_from(*number).ok()?))
        .flat_map(|rule| rule.clauses.iter())
        .filter(|clause| clause.always_present && !used.contains(&clause.slot) && !branched.contains(&clause.slot))
        .flat_map(|clause| {
            let tests: Vec<Demand<'_>> = match &clause.test {
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
    sizes
        .into_iter()
        .map(|(slot, groups)| {
            let indexed: usize = groups.values().sum();
            let squares: usize = groups.values().map(|size| size.saturating_mul(*size)).sum();
            let expected = squares.checked_div(indexed).unwrap_or(0);
            (total.saturating_sub(indexed).saturating_add(expected), slot)
        })
        .min()
        .filter(|(left, _)| left.saturating_mul(2) <= total)
        .map(|(_, slot)| slot)
}

/// What a clause demands, for counting.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Demand<'a> {
    Value(&'a Scalar),
    Prefix(&'a str),
}
