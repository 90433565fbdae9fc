//! The search: every request that stands for others, or as many as the limit lets, each decided by both policies in every
//! state of things.

use std::collections::BTreeSet;

use fallgate::condition::Entity;
use fallgate::limits::Limits;
use fallgate::policy::bundle::Bundle;
use fallgate::policy::format::Pack;
use fallgate::policy::rule::Rule;
use fallgate::time::Wall;
use fallgate::{Engine, Request};
use serde_json::Value;

use super::bounds::{About, Bounds, Side};
use super::difference::Differences;
use super::space::{Given, Space};
use super::unchanged::Changed;
use super::world::{World, instants, worlds, worlds_after_ok};
use crate::finding::Finding;

/// How many states of things are tried at the most: there are two engines in each.
const WORLDS_MAX: usize = 300;
/// How many requests wait before an engine is asked after a loss.
const WAITING_MAX: usize = 512;
/// Where the requests that nobody wrote come from.
const FOUND: &str = "search";
/// How many requests are tried at the most that two rules can tell apart, on each base.
const FOCUS_MAX: u64 = 256;
/// How many requests that somebody wrote are bases of these.
const BASES_MAX: usize = 4;
/// How many items of a list are tried without, one at a time.
const ITEMS_MAX: usize = 32;
/// How many attributes of a request are changed at once, at the most, where it is a sample.
const CHANGED_MAX: u64 = 4;

/// One policy that is compared.
#[derive(Clone, Copy, Debug)]
pub struct Compared<'a> {
    /// The bundle that decides.
    pub bundle: &'a Bundle,
    /// Its pack.
    pub pack: &'a Pack,
}

/// How far the search for one action went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// The action.
    pub action: String,
    /// How many requests were tried.
    pub requests: u64,
    /// Why they do not stand for all requests; nothing where they do.
    pub gaps: Vec<String>,
    /// Whether nothing that decides on it changed, so that nothing had to be tried.
    pub is_unchanged: bool,
}

impl Coverage {
    /// Whether the requests that were tried stand for all.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.gaps.is_empty()
    }
}

/// Both policies, in every state of things, and what they decide differently.
pub struct Search<'a> {
    compared: [Compared<'a>; 2],
    /// The states of things, and both engines in each.
    worlds: Vec<(World, [Engine; 2])>,
    /// How many states of things there are beyond the bound.
    pub worlds_left_out: usize,
    first: Wall,
    changed: Changed,
    waiting: Vec<(Value, Request, String)>,
    /// What was found.
    pub differences: Differences,
}

impl std::fmt::Debug for Search<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Search").field("differences", &self.differences).finish_non_exhaustive()
    }
}

impl<'a> Search<'a> {
    /// Both policies, in every state of things, from this time on.
    ///
    /// # Errors
    /// A policy that cannot be activated.
    pub fn new(compared: [Compared<'a>; 2], first: Wall) -> Result<Self, Finding> {
        let policies = compared.map(|one| &**one.bundle.policy());
        let mut all = Vec::new();
        let found = worlds(&policies, &instants(&policies, first));
        let worlds_left_out = found.len().saturating_sub(WORLDS_MAX);
        for world in found.into_iter().take(WORLDS_MAX) {
            let engines = [world.engine(compared[0].bundle)?, world.engine(compared[1].bundle)?];
            all.push((world, engines));
        }
        let changed = Changed::of(compared.map(|one| one.pack));
        let differences = Differences::default();
        Ok(Self { compared, worlds: all, worlds_left_out, first, changed, waiting: Vec::new(), differences })
    }

    /// The states of things in which everything is decided.
    pub fn worlds(&self) -> impl Iterator<Item = &World> {
        self.worlds.iter().map(|(world, _)| world)
    }

    /// The actions of both policies.
    #[must_use]
    pub fn actions(&self) -> BTreeSet<&'a str> {
        self.compared.iter().flat_map(|one| one.pack.actions.keys().map(String::as_str)).collect()
    }

    /// Decides a request by both policies, everywhere; whether it could be read as one.
    ///
    /// What a request demands of the decision itself, such as a revision, is left out: the two have two.
    ///
    /// # Errors
    /// A policy that cannot be activated.
    pub fn ask(&mut self, request: &Value, from: &str) -> Result<bool, Finding> {
        let Some((mut asked, mut shown)) = read(request) else { return Ok(false) };
        if asked.context.remove("fallgate").is_some()
            && let Some(context) = shown.get_mut("context").and_then(Value::as_object_mut)
        {
            context.remove("fallgate");
        }
        for (world, [old, new]) in &self.worlds {
            let decisions = (world.decide(old, &asked), world.decide(new, &asked));
            self.differences.take(&shown, world, from, &decisions.0, &decisions.1);
        }
        self.waiting.push((shown, asked, from.to_owned()));
        if self.waiting.len() >= WAITING_MAX {
            self.ask_after_losses()?;
        }
        Ok(true)
    }

    /// Decides what waits once more where an earlier decision may stand in.
    ///
    /// # Errors
    /// A policy that cannot be activated.
    pub fn ask_after_losses(&mut self) -> Result<(), Finding> {
        let waiting = std::mem::take(&mut self.waiting);
        let policies = self.compared.map(|one| &**one.bundle.policy());
        for action in waiting.iter().map(|(_, asked, _)| &*asked.action.name).collect::<BTreeSet<_>>() {
            for world in worlds_after_ok(&policies, action, self.first) {
                let engines = [world.engine(self.compared[0].bundle)?, world.engine(self.compared[1].bundle)?];
                let about = || waiting.iter().filter(|(_, asked, _)| *asked.action.name == *action);
                for (engine, policy) in engines.iter().zip(policies) {
                    for (_, asked, _) in about() {
                        let _before = world.decide(engine, asked);
                    }
                    world.lose_now(engine, policy);
                }
                let [old, new] = &engines;
                for (shown, asked, from) in about() {
                    let decisions = (world.decide_later(old, asked), world.decide_later(new, asked));
                    self.differences.take(shown, &world, from, &decisions.0, &decisions.1);
                }
            }
        }
        Ok(())
    }

    /// Tries the requests about one action; `seen` are requests that somebody wrote, and `advance` hears of each.
    ///
    /// # Errors
    /// A policy that cannot be activated.
    pub fn action(
        &mut self,
        action: &str,
        seen: &[Value],
        limit: u64,
        advance: &mut dyn FnMut(),
    ) -> Result<Coverage, Finding> {
        let mut coverage = Coverage { action: action.to_owned(), requests: 0, gaps: Vec::new(), is_unchanged: false };
        if !self.changed.concerns(action) {
            coverage.is_unchanged = true;
            return Ok(coverage);
        }
        let (spaces, gaps) = self.spaces(action);
        coverage.gaps = gaps;
        let size = spaces.iter().try_fold(0_u64, |sum, part| sum.checked_add(part.space.size()?));
        let is_counted = size.is_some_and(|size| size <= limit);
        if !is_counted {
            let size = size.map_or_else(|| "too many requests".to_owned(), |size| format!("{size} requests"));
            coverage.gaps.push(format!("{size} stand for all, more than `--limit {limit}`"));
        }
        let count = u64::try_from(spaces.len()).unwrap_or(u64::MAX).max(1);
        let share = limit.checked_div(count).unwrap_or_default().max(1);
        for part in &spaces {
            let size = part.space.size().filter(|size| is_counted || *size <= share);
            for number in 0..size.unwrap_or_default() {
                self.ask(&part.space.request(&part.space.number(number)), FOUND)?;
                advance();
            }
            let tried = size.unwrap_or_default();
            coverage.requests = coverage.requests.saturating_add(tried);
            // What is no complete domain may have more values in what somebody wrote than those that were tried.
            if size.is_none() || !part.space.gaps.is_empty() {
                let tried = self.sample(part, seen, share.saturating_sub(tried), advance)?;
                coverage.requests = coverage.requests.saturating_add(tried);
            }
        }
        for gap in spaces.into_iter().flat_map(|part| part.space.gaps) {
            if !coverage.gaps.contains(&gap) {
                coverage.gaps.push(gap);
            }
        }
        Ok(coverage)
    }

    /// Both policies, as their rules are read.
    fn sides(&self) -> [Side<'a>; 2] {
        self.compared.map(|one| Side { policy: one.bundle.policy(), pack: one.pack })
    }

    /// The instants of all states of things, in nanoseconds.
    fn instants(&self) -> Vec<i128> {
        self.worlds().map(|world| i128::from(world.at.as_nanos())).collect()
    }

    /// The requests about an action, by the types of subject and resource; and what these leave out.
    fn spaces(&self, action: &str) -> (Vec<Part<'a>>, Vec<String>) {
        let sides = self.sides();
        let mut gaps = Vec::new();
        let [subjects, resources] = [Entity::Subject, Entity::Resource].map(|entity| {
            let mut types: BTreeSet<String> =
                sides.iter().flat_map(|side| side.policy.schema.types(entity)).map(str::to_owned).collect();
            if sides.iter().any(|side| !side.policy.schema.is_closed(entity)) {
                let open = Bounds::types(&sides, entity);
                if !open.is_exact {
                    gaps.push(format!("`{}.type` is not only compared with constants", entity.name()));
                }
                types.extend(open.values.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            types
        });
        let instants = self.instants();
        let mut spaces = Vec::new();
        for subject in &subjects {
            for resource in &resources {
                let about = About { action, subject, resource };
                let rules = sides.map(|side| side.rules(about));
                // Where the same rules have a say, and nothing else changed, both decide alike.
                let has_say = |id: &str| rules.iter().flatten().any(|rule| rule.id.as_str() == id);
                if self.changed.is_more_than_rules(action) || self.changed.rules().any(has_say) {
                    let space = Space::of(&sides, &rules, about, &instants);
                    spaces.push(Part { subject: subject.clone(), resource: resource.clone(), rules, space });
                }
            }
        }
        (spaces, gaps)
    }

    /// Makes the smallest requests of a sample smaller, as long as they show the same: an attribute at a time as plain as
    /// can be, and an item of a list at a time gone.
    fn shrink(&mut self, space: &Space, action: &str) -> Result<(), Finding> {
        let plainest = space.plainest();
        let found: Vec<Value> = self.differences.smallest(action).filter(|one| space.is_about(one)).cloned().collect();
        for mut smallest in found {
            for (number, plain) in plainest.iter().enumerate() {
                for smaller in smaller(&space.project(&smallest), number, plain) {
                    let request = space.request(&smaller);
                    if request == smallest {
                        continue;
                    }
                    self.ask(&request, FOUND)?;
                    if self.differences.smallest(action).any(|one| *one == request) {
                        smallest = request;
                    }
                }
            }
        }
        Ok(())
    }

    /// Tries a sample: what changed rules, alone and with each other rule, can tell apart; what somebody wrote and the
    /// plainest request, each with one attribute changed; and then with several, by chance that is the same each time.
    fn sample(
        &mut self,
        part: &Part<'a>,
        seen: &[Value],
        limit: u64,
        advance: &mut dyn FnMut(),
    ) -> Result<u64, Finding> {
        let space = &part.space;
        let seen: Vec<&Value> = seen.iter().filter(|request| space.is_about(request)).collect();
        let mut bases: Vec<Vec<Given>> = vec![space.plainest()];
        bases.extend(seen.iter().map(|request| space.project(request)));
        let mut tried = BTreeSet::new();
        let mut count = 0_u64;
        // The rest is for what lies between these rules.
        let focused_max = limit.saturating_sub(limit.checked_div(4).unwrap_or_default());
        for focus in self.foci(part) {
            if count >= focused_max {
                break;
            }
            let mut under = vec![focus.plainest()];
            under.extend(seen.iter().take(BASES_MAX).map(|request| focus.project(request)));
            for base in under {
                for number in 0..focus.size().unwrap_or(FOCUS_MAX).min(FOCUS_MAX) {
                    let request = focus.request(&focus.number_on(number, &base));
                    if count < focused_max && tried.insert(request.to_string()) {
                        self.ask(&request, FOUND)?;
                        count = count.saturating_add(1);
                        advance();
                    }
                }
            }
        }
        let mut chance = Chance(0);
        // As often as there may be nothing new to try.
        let mut misses_left = limit.saturating_mul(4).saturating_add(1_000);
        let mut singles = singles(space, &bases);
        while count < limit && misses_left > 0 {
            let given = match singles.pop() {
                Some(given) => given,
                None => walked(space, &bases, &mut chance),
            };
            let request = space.request(&given);
            if !tried.insert(request.to_string()) {
                misses_left = misses_left.saturating_sub(1);
                continue;
            }
            self.ask(&request, FOUND)?;
            count = count.saturating_add(1);
            advance();
        }
        self.shrink(space, space.action())?;
        Ok(count)
    }

    /// The requests that each changed rule can tell apart by itself, and then together with each other rule; where more
    /// than rules changed, those of each rule.
    fn foci<'s>(&self, part: &'s Part<'a>) -> impl Iterator<Item = Space> + use<'a, 's> {
        let ids: BTreeSet<&str> = part.rules.iter().flatten().map(|rule| rule.id.as_str()).collect();
        let is_more = self.changed.is_more_than_rules(part.space.action());
        let changed: Vec<&str> =
            ids.iter().copied().filter(|id| is_more || self.changed.rules().any(|one| one == *id)).collect();
        let alone: Vec<[&str; 2]> = changed.iter().map(|id| [*id, *id]).collect();
        let paired =
            move || changed.into_iter().flat_map(move |id| ids.clone().into_iter().map(move |with| [id, with]));
        let (sides, instants) = (self.sides(), self.instants());
        alone.into_iter().chain(paired().filter(|[one, other]| one != other)).map(move |named| {
            let rules = part.rules.each_ref().map(|rules| {
                let is_named = |rule: &&&Rule| named.contains(&rule.id.as_str());
                rules.iter().filter(is_named).copied().collect()
            });
            let about = About { action: part.space.action(), subject: &part.subject, resource: &part.resource };
            Space::of(&sides, &rules, about, &instants)
        })
    }
}

/// The requests about an action, one type of subject and one of resource, and the rules that have a say.
struct Part<'a> {
    subject: String,
    resource: String,
    rules: [Vec<&'a Rule>; 2],
    space: Space,
}

/// Requests that say less at one place: nothing, what is plainest, one item less.
fn smaller(given: &[Given], number: usize, plain: &Given) -> Vec<Vec<Given>> {
    let mut values: Vec<Given> = vec![None, plain.clone()];
    if let Some(Some(Value::Array(items))) = given.get(number) {
        values.extend((0..items.len().min(ITEMS_MAX)).map(|gone| {
            let kept = items.iter().enumerate().filter(|(at, _)| *at != gone);
            Some(Value::Array(kept.map(|(_, item)| item.clone()).collect()))
        }));
    }
    let with = |value: Given| {
        let mut given = given.to_vec();
        if let Some(place) = given.get_mut(number) {
            *place = value;
        }
        given
    };
    values.into_iter().map(with).collect()
}

/// Every base, and every base with one attribute changed, the first last.
fn singles(space: &Space, bases: &[Vec<Given>]) -> Vec<Vec<Given>> {
    let mut all = bases.to_vec();
    for base in bases {
        for (number, axis) in space.axes.iter().enumerate() {
            for value in &axis.values {
                let mut given = base.clone();
                if let Some(place) = given.get_mut(number) {
                    place.clone_from(value);
                }
                all.push(given);
            }
        }
    }
    all.reverse();
    all
}

/// A base with a few attributes changed.
fn walked(space: &Space, bases: &[Vec<Given>], chance: &mut Chance) -> Vec<Given> {
    let Some(mut given) = chance.one_of(bases).cloned() else { return Vec::new() };
    for _ in 0..=chance.below(CHANGED_MAX) {
        let number = chance.below(u64::try_from(space.axes.len()).unwrap_or(u64::MAX));
        let number = usize::try_from(number).unwrap_or_default();
        let value = space.axes.get(number).and_then(|axis| chance.one_of(&axis.values));
        if let (Some(place), Some(value)) = (given.get_mut(number), value) {
            place.clone_from(value);
        }
    }
    given
}

/// A request, and what is shown of it.
fn read(request: &Value) -> Option<(Request, Value)> {
    let bytes = serde_json::to_vec(request).ok()?;
    let asked = Request::from_json(&bytes, &Limits::DEFAULT).ok()?;
    Some((asked, request.clone()))
}

/// Chance that is the same each time (SplitMix64).
struct Chance(u64);

impl Chance {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or_default()
    }

    fn one_of<'t, T>(&mut self, all: &'t [T]) -> Option<&'t T> {
        let number = self.below(u64::try_from(all.len()).ok()?);
        all.get(usize::try_from(number).ok()?)
    }
}
