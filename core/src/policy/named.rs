//! What a policy declares, by name: one look-up, by the two ends of the name.

use hashbrown::HashTable;

use crate::value::Ends;

/// Up to how many names are compared one by one.
const FEW: usize = 4;

/// Values by name, each name once. The hash has no key: requests look up here and never insert.
#[derive(Clone, Debug)]
pub(super) struct Named<V> {
    entries: Vec<Entry<V>>,
    /// By the hash of the name, where each is in `entries`.
    places: HashTable<u32>,
}

#[derive(Clone, Debug)]
struct Entry<V> {
    ends: Ends,
    name: Box<str>,
    value: V,
}

impl<V> Default for Named<V> {
    fn default() -> Self {
        Self { entries: Vec::new(), places: HashTable::new() }
    }
}

impl<V> Named<V> {
    /// The value of that name.
    pub(super) fn get(&self, name: &str) -> Option<&V> {
        self.find(name, Ends::of(name))
    }

    /// The value of that name, whose ends are known.
    #[inline]
    pub(super) fn find(&self, name: &str, ends: Ends) -> Option<&V> {
        let is_it = |entry: &&Entry<V>| ends.same(name, &entry.name, entry.ends);
        if self.entries.len() <= FEW {
            return self.entries.iter().find(is_it).map(|entry| &entry.value);
        }
        let at = self.places.find(ends.hash(name), |at| self.at(*at).as_ref().is_some_and(is_it))?;
        self.at(*at).map(|entry| &entry.value)
    }

    #[inline]
    fn at(&self, at: u32) -> Option<&Entry<V>> {
        self.entries.get(at as usize)
    }

    /// Names with their values, in the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.entries.iter().map(|entry| (&*entry.name, &entry.value))
    }

    /// The values, in the same order, to be changed.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.iter_mut().map(|entry| &mut entry.value)
    }
}

impl<V> FromIterator<(Box<str>, V)> for Named<V> {
    /// Of a name that stands twice the first value counts.
    fn from_iter<I: IntoIterator<Item = (Box<str>, V)>>(named: I) -> Self {
        let mut by_name = Self::default();
        for (name, value) in named {
            let ends = Ends::of(&name);
            let hash = ends.hash(&name);
            let Self { entries, places } = &mut by_name;
            let entry = |at: &u32| entries.get(*at as usize);
            let known = places.find(hash, |at| entry(at).is_some_and(|entry| *entry.name == *name)).is_some();
            // `Limits` keep the number of names far below this type's end.
            let Ok(at) = u32::try_from(entries.len()) else { break };
            if !known {
                places.insert_unique(hash, at, |at| entry(at).map_or(0, |entry| entry.ends.hash(&entry.name)));
                entries.push(Entry { ends, name, value });
            }
        }
        by_name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_no_other() {
        // Short ones, and long ones that are alike at both ends.
        let name = |number: usize| match number % 3 {
            0 => format!("{number}"),
            1 => format!("payment:{number}"),
            _ => format!("payments:invoices-of-{number:05}-suppliers:download"),
        };
        let by_name: Named<usize> = (0..3_000).map(|number| (name(number).into(), number)).collect();
        for number in 0..6_000 {
            assert_eq!(by_name.get(&name(number)).copied(), (number < 3_000).then_some(number), "{}", name(number));
        }
        assert_eq!(by_name.iter().count(), 3_000);
        assert_eq!(Named::<u8>::default().get("a"), None);
    }
}
