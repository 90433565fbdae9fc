//! From a value that rules name to where they are: what a decision looks up most.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::{Link, number};
use crate::policy::rule::{Scalar, ScalarView};
use crate::value::{Ends, WHOLE_BYTES};

/// Up to how many values are compared one by one: that costs less than a hash.
const SCAN_MAX: usize = 4;

/// What stands for the length of a value that is no text. No text of a bundle or request is as long.
const NO_TEXT: u32 = u32::MAX;

/// Links by the value that rules name.
#[derive(Debug)]
pub(super) struct Table {
    entries: Entries,
    /// What lies between the ends of the longer texts, one behind the other.
    middles: Box<str>,
}

#[derive(Debug)]
enum Entries {
    Few(Box<[(Key, Link)]>),
    /// A fixed hash is safe: requests look up here and never insert.
    Many(HashTable<(Key, Link)>),
}

/// A value, in so few words that comparing it follows no pointer: but for the middle of a text longer than its ends.
#[derive(Clone, Copy, Debug)]
struct Key {
    ends: Ends,
    /// The text's length, or [`NO_TEXT`].
    bytes: u32,
    /// Where the rest of the text starts in `middles`.
    rest: u32,
}

/// A value that is looked up: its key, and the rest of the text where the ends are not all.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    ends: Ends,
    bytes: u32,
    /// The whole of a longer text; of another nothing.
    long: &'a str,
}

impl<'a> Wanted<'a> {
    #[inline]
    fn of(scalar: ScalarView<'a>) -> Self {
        match scalar {
            ScalarView::Str(text) => {
                let long = if text.len() > WHOLE_BYTES { text } else { "" };
                Self { ends: Ends::of(text), bytes: number(text.len()).min(NO_TEXT.saturating_sub(1)), long }
            }
            ScalarView::Int(value) => Self::no_text(value.cast_unsigned(), 0),
            ScalarView::Bool(value) => Self::no_text(u64::from(value), 1),
        }
    }

    const fn no_text(value: u64, kind: u64) -> Self {
        Self { ends: Ends { first: value, last: kind }, bytes: NO_TEXT, long: "" }
    }

    #[inline]
    fn is(&self, key: &Key, middles: &str) -> bool {
        if key.ends != self.ends || key.bytes != self.bytes {
            return false;
        }
        let rest = (key.rest as usize).saturating_add(self.long.len());
        self.long.is_empty() || middles.get(key.rest as usize..rest) == Some(self.long)
    }

    /// A text is hashed as its bytes alone: where it ends is what the comparison sees. Of a longer one the whole is hashed,
    /// or a bundle whose names differ in the middle would be searched from end to end.
    #[inline]
    fn hash(&self) -> u64 {
        let mut hasher = FixedState::default().build_hasher();
        if self.long.is_empty() {
            hasher.write_u128(u128::from(self.ends.first) | u128::from(self.ends.last) << 64);
        } else {
            hasher.write(self.long.as_bytes());
        }
        hasher.finish()
    }
}

impl Table {
    /// The table of these values, each of which stands once.
    pub(super) fn new(values: Vec<(Scalar, Link)>) -> Self {
        let mut middles = String::new();
        let mut keyed = Vec::with_capacity(values.len());
        for (scalar, link) in &values {
            let wanted = Wanted::of(scalar.view());
            keyed.push((Key { ends: wanted.ends, bytes: wanted.bytes, rest: number(middles.len()) }, *link));
            middles.push_str(wanted.long);
        }
        let entries = if keyed.len() <= SCAN_MAX {
            Entries::Few(keyed.into())
        } else {
            let mut table = HashTable::with_capacity(keyed.len());
            for ((scalar, _), entry) in values.iter().zip(keyed) {
                // The table is large enough, so nothing is hashed again.
                table.insert_unique(Wanted::of(scalar.view()).hash(), entry, |_| 0);
            }
            Entries::Many(table)
        };
        Self { entries, middles: middles.into() }
    }

    /// Where the rules are that name this value.
    #[inline]
    pub(super) fn find(&self, scalar: ScalarView<'_>) -> Option<Link> {
        let wanted = Wanted::of(scalar);
        let found = match &self.entries {
            Entries::Few(entries) => entries.iter().find(|(key, _)| wanted.is(key, &self.middles)),
            Entries::Many(table) => table.find(wanted.hash(), |(key, _)| wanted.is(key, &self.middles)),
        };
        found.map(|(_, link)| *link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_leads_to_its_own_link_and_no_other_does() {
        let texts =
            ["", "a", "ab", "abc", "abcd", "abcdefgh", "abcdefghabcdefgh", "abcdefgh-abcdefgh", "abcdefgh+abcdefgh"];
        for count in 0..=texts.len() {
            let mut values: Vec<Scalar> = texts.iter().take(count).map(|text| Scalar::Str((*text).into())).collect();
            values.extend(
                [Scalar::Int(0), Scalar::Int(-1), Scalar::Bool(false), Scalar::Bool(true)].into_iter().take(count),
            );
            let linked = values.iter().cloned().enumerate().map(|(at, scalar)| (scalar, Link::Branch(number(at))));
            let table = Table::new(linked.collect());
            for (at, scalar) in values.iter().enumerate() {
                let found = table.find(scalar.view());
                assert!(matches!(found, Some(Link::Branch(found)) if found == number(at)), "{scalar:?}: {found:?}");
            }
            for other in ["x", "abcdefg", "abcdefgh_abcdefgh", "abcdefgh--abcdefgh"] {
                assert!(table.find(ScalarView::Str(other)).is_none(), "{other}");
            }
            assert!(table.find(ScalarView::Int(1)).is_none());
        }
    }
}
