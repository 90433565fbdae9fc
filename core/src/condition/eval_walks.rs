//! The macros that go through a list or a map, evaluated: of one variable and of two.

use crate::value::View;

use super::Cause;
use super::compare::{self, charge};
use super::eval::{Evaluation, Observer, Outcome};
use super::program::{NodeId, Walk};

/// The parts of a macro's node.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    pub(super) walk: Walk,
    pub(super) range: NodeId,
    pub(super) predicate: Option<NodeId>,
    pub(super) transform: Option<NodeId>,
    /// Whether it has two variables.
    pub(super) of_two: bool,
}

impl<'a, O: Observer<'a>> Evaluation<'a, '_, O> {
    pub(super) fn walk(&mut self, parts: Parts) -> Outcome<'a> {
        match parts.walk {
            Walk::Collect => {
                let range = self.range(parts)?;
                self.collect(range, parts)
            }
            Walk::CollectMap | Walk::CollectEntries => {
                let range = self.range(parts)?;
                self.collect_map(range, parts)
            }
            Walk::All | Walk::Exists | Walk::ExistsOne => self.quantified(parts).map(View::Bool),
        }
    }

    fn range(&mut self, parts: Parts) -> Outcome<'a> {
        let range = self.path(parts.range)?;
        let is_range =
            matches!(range, View::List(_) | View::Items(_) | View::Map(_) | View::Fields(_) | View::Entries(_));
        if is_range { Ok(range) } else { Err(Cause::WrongType) }
    }

    /// `all`, `exists` and `exists_one`.
    pub(super) fn quantified(&mut self, parts: Parts) -> Result<bool, Cause> {
        let range = self.range(parts)?;
        let walk = parts.walk;
        let Some(predicate) = parts.predicate else { return Err(Cause::Internal) };
        let mut cause: Option<Cause> = None;
        let mut found: usize = 0;
        for index in 0..compare::length(range) {
            charge(&self.scope.steps_left, 1)?;
            let before = self.variables.len();
            self.enter(range, index, parts.of_two)?;
            let holds = self.boolean(predicate);
            self.variables.truncate(before);
            match (walk, holds) {
                (Walk::All, Ok(false)) => return Ok(false),
                (Walk::Exists, Ok(true)) => return Ok(true),
                (_, Ok(true)) => found = found.saturating_add(1),
                (_, Ok(false)) => {}
                (_, Err(next)) => {
                    cause = Some(cause.map_or(next, |known| known.join(next)));
                    if self.exhausted() {
                        return Err(Cause::Limit);
                    }
                }
            }
        }
        match (walk, cause) {
            (_, Some(cause)) => Err(cause),
            (Walk::All, None) => Ok(true),
            (Walk::ExistsOne, None) => Ok(found == 1),
            (_, None) => Ok(false),
        }
    }

    /// Gives the macro's variables their values for one element.
    fn enter(&mut self, range: View<'a>, index: usize, of_two: bool) -> Result<(), Cause> {
        if !of_two {
            self.variables.push(compare::element(range, index).ok_or(Cause::Internal)?);
            return Ok(());
        }
        let (key, value) = self.pair_at(range, index)?;
        self.variables.extend([key, value]);
        Ok(())
    }

    /// The index and the element of a list, or the key and the value of a map.
    fn pair_at(&self, range: View<'a>, index: usize) -> Result<(View<'a>, View<'a>), Cause> {
        let pair = match range {
            View::Map(map) => map.entries().get(index).map(|(key, value)| (View::Str(key), View::from(value))),
            View::Fields(fields) => fields.entries().get(index).map(|(key, value)| (View::Str(key), *value)),
            View::Entries(entries) => entries.get(index).copied(),
            list => {
                let number = i64::try_from(index).map_err(|_| Cause::Arithmetic)?;
                compare::element(list, index).map(|element| (View::Int(number), element))
            }
        };
        pair.ok_or(Cause::Internal)
    }

    fn collect(&mut self, range: View<'a>, parts: Parts) -> Outcome<'a> {
        let mut items = self.memory().vec(compare::length(range))?;
        for index in 0..compare::length(range) {
            charge(&self.scope.steps_left, 1)?;
            let before = self.variables.len();
            self.enter(range, index, parts.of_two)?;
            let item = self.collected(parts);
            self.variables.truncate(before);
            items.extend(item?);
        }
        Ok(View::Items(items.into_bump_slice()))
    }

    fn collected(&mut self, parts: Parts) -> Result<Option<View<'a>>, Cause> {
        if let Some(predicate) = parts.predicate
            && !self.boolean(predicate)?
        {
            return Ok(None);
        }
        self.eval(parts.transform.ok_or(Cause::Internal)?).map(Some)
    }

    /// `transformMap`, which keeps the keys, and `transformMapEntry`, which makes its own, each once.
    fn collect_map(&mut self, range: View<'a>, parts: Parts) -> Outcome<'a> {
        let mut map: bumpalo::collections::Vec<'a, (View<'a>, View<'a>)> = self.memory().vec(compare::length(range))?;
        for index in 0..compare::length(range) {
            charge(&self.scope.steps_left, 1)?;
            let (key, value) = self.pair_at(range, index)?;
            self.variables.extend([key, value]);
            let item = self.collected(parts);
            self.variables.truncate(self.variables.len().saturating_sub(2));
            let Some(item) = item? else { continue };
            if parts.walk == Walk::CollectMap {
                map.push((key, item));
                continue;
            }
            let (View::Map(_) | View::Fields(_) | View::Entries(_)) = item else { return Err(Cause::WrongType) };
            if compare::length(item) != 1 {
                return Err(Cause::InvalidArgument);
            }
            let (key, value) = self.pair_at(item, 0)?;
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
}
