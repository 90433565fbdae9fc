//! State spaces of the engine, explored exhaustively: every order of a finite set of steps, to closure or to a stated depth.
//!
//! The engine itself is explored, not a model of it. A node is reached by taking its steps on a fresh engine; two nodes
//! are one where all that the engines remember is equal ([`memory`]), and all that the space has noted of its own. What a
//! space notes is what its predicates are made of: they are naive, and never the engine's own word.
//!
//! The search is breadth first, so that a property which is broken is told by a shortest order of steps. See
//! `docs/decisions/0032-state-spaces.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "it is a test: it fails by panicking"
)]

pub mod memory;

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Debug};

/// What a step came to.
#[derive(Clone, Debug, Default)]
pub struct Met {
    /// By names that the space gives: all that has to happen somewhere.
    pub names: Vec<&'static str>,
    /// Whether the engine refused it: then everything has to be as it was.
    pub refused: bool,
}

impl Met {
    /// A step that was done.
    #[must_use]
    pub fn done(name: &'static str) -> Self {
        Self { names: vec![name], refused: false }
    }

    /// A step that was refused.
    #[must_use]
    pub fn refused(name: &'static str) -> Self {
        Self { names: vec![name], refused: true }
    }

    /// One or the other, as the engine said.
    #[must_use]
    pub fn of<T>(done: Result<T, &'static str>, name: &'static str) -> Self {
        done.map_or_else(Self::refused, |_| Self::done(name))
    }
}

/// A finite set of steps, and the world that they are taken in.
pub trait Space {
    /// One step.
    type Step: Copy + Debug;
    /// An engine, and what was noted beside it.
    type World;

    /// Every step that there is, in the order in which they are tried.
    fn steps(&self) -> Vec<Self::Step>;

    /// The world before any step.
    fn begin(&self) -> Self::World;

    /// Takes a step, and says what it came to.
    ///
    /// # Errors
    /// It should have come to something else.
    fn take(&self, world: &mut Self::World, step: Self::Step) -> Result<Met, String>;

    /// Looks at what holds always, by questions that change nothing; gives what else was met.
    ///
    /// # Errors
    /// What does not hold.
    fn check(&self, world: &Self::World) -> Result<Vec<&'static str>, String>;

    /// All that what is to come hangs on: worlds of equal memories are one.
    fn memory(&self, world: &Self::World) -> String;

    /// Whether this is where a way has to lead from everywhere. It is asked of a space that is closed.
    fn is_home(&self, world: &Self::World) -> bool;
}

/// How large a space is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// How many worlds were met that differ.
    pub states: usize,
    /// How many steps were tried.
    pub transitions: usize,
    /// How many steps the farthest world is from the first.
    pub depth: usize,
    /// Whether no step from any world leads to one that was not met.
    pub closed: bool,
}

/// What an exploration came to.
#[derive(Debug)]
pub struct Explored {
    /// How many worlds were met that differ.
    pub states: usize,
    /// How many steps were tried.
    pub transitions: usize,
    /// How many steps the farthest world is from the first.
    pub depth: usize,
    /// Whether no step from any world leads to one that was not met.
    pub closed: bool,
    /// By how many steps farther than the space says somebody has asked to go.
    pub deeper: usize,
    /// From how many worlds no way leads home.
    pub stranded: usize,
    /// What was met, and how often.
    pub met: BTreeMap<&'static str, usize>,
}

impl Explored {
    /// Compares it with what is written down of the space, and prints it: to the depth of the tests, and closed, where that
    /// is known. What goes deeper and stays cut has counts of its own.
    ///
    /// # Panics
    /// Where the counts are others, a node has no way home, or one of the names was never met.
    pub fn hold(&self, space: &str, counts: &[Counts], names: &[&str]) {
        println!("{space}: {self}");
        let missed: Vec<_> = names.iter().filter(|name| !self.met.contains_key(**name)).collect();
        assert!(missed.is_empty(), "{space}: never met: {missed:?}");
        assert_eq!(self.stranded, 0, "{space}: no way leads home");
        let found =
            Counts { states: self.states, transitions: self.transitions, depth: self.depth, closed: self.closed };
        let is_known = counts.contains(&found) || (self.deeper > 0 && !self.closed);
        assert!(
            is_known,
            "{space}: the space has changed: {found:?} and not {counts:?}: look why, then write it down here and in its decision"
        );
    }
}

/// One line for whoever reads the tests' output.
impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, transitions, depth, closed, stranded, met, .. } = self;
        let end = if *closed { "closed" } else { "cut" };
        write!(f, "{states} states, {transitions} transitions, depth {depth}, {end}, {stranded} stranded;")?;
        met.iter().try_for_each(|(name, count)| write!(f, " {name} {count},"))
    }
}

/// A world that was met: how it was first reached.
struct Node {
    before: usize,
    step: usize,
    depth: usize,
}

/// How many steps farther to go where a space is cut: `FALLGATE_SPACES_DEEPER`, for whoever has the time.
#[allow(clippy::disallowed_methods, reason = "how far to go is for whoever runs the tests to say")]
fn deeper() -> usize {
    std::env::var("FALLGATE_SPACES_DEEPER").map_or(0, |said| said.parse().expect("a number of steps"))
}

/// Explores a space to closure, or to so many steps from its first world.
///
/// # Panics
/// Where a step finds something that does not hold, with a shortest order of steps that leads there.
pub fn explore<S: Space>(space: &S, depth_max: usize) -> Explored {
    let steps = space.steps();
    let deeper = if depth_max == usize::MAX { 0 } else { deeper() };
    let depth_max = depth_max.saturating_add(deeper);
    let first = space.begin();
    let mut nodes = vec![Node { before: 0, step: 0, depth: 0 }];
    let mut numbers = HashMap::from([(space.memory(&first), 0)]);
    let mut homes = vec![space.is_home(&first)];
    let mut ways_back: Vec<Vec<usize>> = vec![Vec::new()];
    let (mut transitions, mut met, mut at) = (0, BTreeMap::new(), 0);
    while at < nodes.len() && nodes[at].depth < depth_max {
        let world = reach(space, &steps, &nodes, at);
        assert_eq!(numbers.get(&space.memory(&world)), Some(&at), "the same steps led elsewhere");
        let mut unmoved = Some(world);
        for (number, step) in steps.iter().enumerate() {
            let way = || order(&steps, &nodes, at, Some(number));
            let mut world = unmoved.take().unwrap_or_else(|| reach(space, &steps, &nodes, at));
            let Met { names, refused } = space.take(&mut world, *step).unwrap_or_else(|wrong| broken(&wrong, &way()));
            let more = space.check(&world).unwrap_or_else(|wrong| broken(&wrong, &way()));
            names.into_iter().chain(more).for_each(|name| *met.entry(name).or_insert(0) += 1);
            transitions += 1;
            let memory = space.memory(&world);
            let known = numbers.get(&memory).copied();
            if refused && known != Some(at) {
                broken("it was refused, and something has changed", &way());
            }
            let to = known.unwrap_or_else(|| {
                numbers.insert(memory, nodes.len());
                nodes.push(Node { before: at, step: number, depth: nodes[at].depth + 1 });
                homes.push(space.is_home(&world));
                ways_back.push(Vec::new());
                nodes.len() - 1
            });
            ways_back[to].push(at);
            // A step that changed nothing leaves the world for the next one.
            unmoved = (to == at).then_some(world);
        }
        at += 1;
    }
    let closed = at == nodes.len();
    let stranded = if closed { stranded(&homes, &ways_back) } else { Vec::new() };
    if let Some(number) = stranded.first() {
        println!("no way home after {:?}", order(&steps, &nodes, *number, None));
    }
    let depth = nodes.iter().map(|node| node.depth).max().unwrap_or(0);
    Explored { states: nodes.len(), transitions, depth, closed, deeper, stranded: stranded.len(), met }
}

fn broken(what: &str, way: &[impl Debug]) -> ! {
    panic!("{what}, after {way:?}")
}

/// The numbers of the steps that first led to a node.
fn path(nodes: &[Node], mut at: usize) -> Vec<usize> {
    let mut path = Vec::new();
    while at != 0 {
        path.push(nodes[at].step);
        at = nodes[at].before;
    }
    path.reverse();
    path
}

fn order<S: Copy>(steps: &[S], nodes: &[Node], at: usize, last: Option<usize>) -> Vec<S> {
    path(nodes, at).into_iter().chain(last).map(|number| steps[number]).collect()
}

fn reach<S: Space>(space: &S, steps: &[S::Step], nodes: &[Node], at: usize) -> S::World {
    let mut world = space.begin();
    for step in order(steps, nodes, at, None) {
        space.take(&mut world, step).expect("it held when this was first met");
    }
    world
}

/// The nodes from which no way leads home.
fn stranded(homes: &[bool], ways_back: &[Vec<usize>]) -> Vec<usize> {
    let mut leads_home = homes.to_vec();
    let mut waiting: Vec<usize> = (0..homes.len()).filter(|number| homes[*number]).collect();
    while let Some(number) = waiting.pop() {
        for before in &ways_back[number] {
            if !std::mem::replace(&mut leads_home[*before], true) {
                waiting.push(*before);
            }
        }
    }
    (0..homes.len()).filter(|number| !leads_home[*number]).collect()
}
