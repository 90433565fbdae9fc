//! The search: each question that is denied is asked again with one thing less, and then with two.
//!
//! The smallest removal counts: where taking an attribute away opens, nothing that holds it is tried, neither the map
//! around it nor a pair with it. All single removals come before the first pair, so that a limit cuts off pairs first.

use super::removal::Removal;

/// How many values of requests may be copied for each removal that the limit admits: a removal from a huge request costs
/// as much as many from a small one.
const VALUES_PER_TRY: u64 = 256;

/// What can be asked with less.
pub trait Asked {
    /// The policy with a state of its data.
    type World;

    /// The policy without these entries of its data; nothing where it cannot decide so.
    fn world_without(&self, lost: &[&Removal]) -> Option<Self::World>;

    /// Whether a question is allowed, in a world and without these parts of what is asked.
    fn is_allowed(&self, world: &Self::World, question: usize, lost: &[&Removal]) -> bool;
}

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Whether pairs are tried.
    pub pairs: bool,
    /// How many removals are tried at the most.
    pub tries_max: u64,
}

/// What a search came to.
#[derive(Debug, Default)]
pub struct Searched {
    /// The number of each question that opens, and the smallest removals that open it.
    pub opened: Vec<(usize, Vec<Removal>)>,
    /// How many removals were tried.
    pub tried: u64,
    /// How many values were copied for that.
    copied: u64,
    /// Whether the limit ended the search.
    pub is_cut_off: bool,
}

impl Searched {
    /// Searches on: `own` has what can be taken away from each question, `data` what from the data, each with what is
    /// inside before what it is in. `step` is called for each removal that is looked at.
    pub fn search<A: Asked>(
        &mut self,
        asked: &A,
        own: &[Vec<Removal>],
        data: &[Removal],
        bounds: Bounds,
        step: &mut dyn FnMut(),
    ) {
        let first = self.opened.len();
        let mut run = Run { asked, own, bounds, step, searched: self, opened: vec![Vec::new(); own.len()] };
        run.all(data);
        let opened = std::mem::take(&mut run.opened);
        let all = opened
            .into_iter()
            .enumerate()
            .flat_map(|(question, sets)| sets.into_iter().map(move |set| (question, set)));
        self.opened.extend(all);
        if let Some(new) = self.opened.get_mut(first..) {
            new.sort_by_key(|(question, set)| (*question, set.len()));
        }
    }
}

/// How many removals a search looks at, at the most.
#[must_use]
pub fn length(own: &[Vec<Removal>], data: usize, bounds: Bounds) -> u64 {
    let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let of = |number: usize| {
        let all = wide(number).saturating_add(wide(data));
        let pairs = all.saturating_mul(all.saturating_sub(1)) / 2;
        if bounds.pairs { all.saturating_add(pairs) } else { all }
    };
    own.iter().map(|one| of(one.len())).fold(0_u64, u64::saturating_add).min(bounds.tries_max)
}

/// What is done with each question in a world.
type Work<'w, 'r, A> = dyn FnMut(&mut Run<'r, A>, &<A as Asked>::World, usize) + 'w;

struct Run<'r, A: Asked> {
    asked: &'r A,
    own: &'r [Vec<Removal>],
    bounds: Bounds,
    step: &'r mut dyn FnMut(),
    searched: &'r mut Searched,
    opened: Vec<Vec<Vec<Removal>>>,
}

impl<'r, A: Asked> Run<'r, A> {
    fn all(&mut self, data: &[Removal]) {
        let Some(whole) = self.asked.world_without(&[]) else { return };
        for (question, removals) in self.own.iter().enumerate() {
            for one in removals {
                self.attempt(&whole, question, &[one]);
                if self.searched.is_cut_off {
                    return;
                }
            }
        }
        for lost in data {
            self.in_world(&[lost], &mut |run, world, question| run.attempt(world, question, &[lost]));
        }
        if !self.bounds.pairs {
            return;
        }
        for (question, removals) in self.own.iter().enumerate() {
            for (one, other) in pairs(removals) {
                self.attempt(&whole, question, &[one, other]);
                if self.searched.is_cut_off {
                    return;
                }
            }
        }
        for lost in data {
            self.in_world(&[lost], &mut |run, world, question| {
                for one in run.own.get(question).into_iter().flatten() {
                    run.attempt(world, question, &[lost, one]);
                }
            });
        }
        for (one, other) in pairs(data) {
            if self.searched.is_cut_off {
                return;
            }
            if !one.contains(other) && !other.contains(one) {
                self.in_world(&[one, other], &mut |run, world, question| run.attempt(world, question, &[one, other]));
            }
        }
    }

    /// Makes a world, where some question still has a use for it, and tries each question in it.
    fn in_world(&mut self, lost: &[&Removal], work: &mut Work<'_, 'r, A>) {
        let is_of_use = (0..self.own.len()).any(|question| !self.is_known(question, lost));
        if !is_of_use || !self.spend(0) {
            return;
        }
        if let Some(world) = self.asked.world_without(lost) {
            for question in 0..self.own.len() {
                work(self, &world, question);
            }
        }
    }

    fn attempt(&mut self, world: &A::World, question: usize, lost: &[&Removal]) {
        let is_nested = matches!(lost, [one, other] if one.contains(other) || other.contains(one));
        let values = self.own.get(question).map_or(0, Vec::len);
        if is_nested || self.is_known(question, lost) || !self.spend(values) {
            return;
        }
        if self.asked.is_allowed(world, question, lost)
            && let Some(opened) = self.opened.get_mut(question)
        {
            opened.push(lost.iter().map(|one| (*one).clone()).collect());
        }
    }

    /// Whether something smaller opens the question already.
    fn is_known(&self, question: usize, lost: &[&Removal]) -> bool {
        let known = self.opened.get(question).map(Vec::as_slice).unwrap_or_default();
        known.iter().any(|set| set.iter().all(|smaller| lost.iter().any(|one| one.contains(smaller))))
    }

    /// Spends one removal, and so many values that it copies; false where that is too much.
    fn spend(&mut self, values: usize) -> bool {
        let copied = self.searched.copied.saturating_add(u64::try_from(values).unwrap_or(u64::MAX));
        let copied_max = self.bounds.tries_max.saturating_mul(VALUES_PER_TRY);
        if self.searched.tried >= self.bounds.tries_max || copied > copied_max {
            self.searched.is_cut_off = true;
            return false;
        }
        self.searched.tried = self.searched.tried.saturating_add(1);
        self.searched.copied = copied;
        (self.step)();
        true
    }
}

/// Each two of a list, in its order.
fn pairs(list: &[Removal]) -> impl Iterator<Item = (&Removal, &Removal)> {
    list.iter().enumerate().flat_map(|(at, one)| list.iter().skip(at.saturating_add(1)).map(move |other| (one, other)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use serde_json::{Value, json};

    use super::super::removal::{Reach, Root, removals, without};
    use super::*;

    /// Allows where `opens` says so of what is left of the input and of the data.
    struct Doors {
        input: Value,
        data: Value,
        opens: fn(&Value, &Value) -> bool,
    }

    impl Asked for Doors {
        type World = Value;

        fn world_without(&self, lost: &[&Removal]) -> Option<Value> {
            Some(without(Root::Data, &self.data, lost)).filter(|data| data.get("needed").is_some())
        }

        fn is_allowed(&self, world: &Value, _: usize, lost: &[&Removal]) -> bool {
            (self.opens)(&without(Root::Input, &self.input, lost), world)
        }
    }

    fn searched(opens: fn(&Value, &Value) -> bool, bounds: Bounds) -> (Vec<Vec<String>>, Searched) {
        let doors = Doors { input: json!({"a": {"b": 1}, "c": 2, "d": 3}), data: json!({"needed": 1, "e": 4}), opens };
        let reach = Reach { items: true, levels: 9 };
        let own = vec![removals(Root::Input, &[], &doors.input, reach)];
        let data = removals(Root::Data, &[], &doors.data, reach);
        let mut searched = Searched::default();
        searched.search(&doors, &own, &data, bounds, &mut || {});
        let shown = searched.opened.iter().map(|(_, set)| set.iter().map(Removal::shown).collect()).collect();
        (shown, searched)
    }

    const ALL: Bounds = Bounds { pairs: true, tries_max: 1_000 };

    #[test]
    fn the_smallest_removal_is_the_finding() {
        // Without `b` it opens, so that neither `a` nor a pair with either is another finding.
        let (found, searched) = searched(|input, _| input.pointer("/a/b").is_none(), ALL);
        assert_eq!(found, [["input.a.b"]]);
        // By hand. Alone: b, c and d of the input; e with the world that it takes; needed, without which there is no world.
        // In pairs: c with d; e with c and with d, in one world; needed, no world; needed with e, no world.
        assert_eq!(searched.tried, 3 + 2 + 1 + 1 + 3 + 1 + 1);
        assert!(!searched.is_cut_off);
    }

    #[test]
    fn a_pair_opens_what_neither_does() {
        let open = |input: &Value, data: &Value| input.get("c").is_none() && data.get("e").is_none();
        assert_eq!(searched(open, ALL).0, [["data.e", "input.c"]]);
        assert!(searched(open, Bounds { pairs: false, ..ALL }).0.is_empty());
    }

    #[test]
    fn the_limit_is_kept_and_told() {
        let (found, searched) = searched(|input, _| input.get("d").is_none(), Bounds { pairs: true, tries_max: 2 });
        assert_eq!((found.len(), searched.tried, searched.is_cut_off), (0, 2, true));
    }
}
