//! How the names of a request are spelt: what is seen of them once, and used by whoever looks them up.
//!
//! Names are short. The first eight and the last eight bytes of one, with its length, mostly are all of it: two words, in
//! which a NUL is found, by which a table is searched, and which are compared in the place of the text.

use std::hash::Hasher;

use super::{RequestError, RequestView};
use crate::limits::Limits;
use crate::value::{Ends, WHOLE_BYTES, marks_of};

/// The ends of the names that a request has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spelling {
    pub(crate) subject_type: Ends,
    pub(crate) subject_id: Ends,
    pub(crate) action_name: Ends,
    pub(crate) resource_type: Ends,
    pub(crate) resource_id: Ends,
}

impl Spelling {
    /// That of a request's names.
    #[inline]
    pub(crate) fn of(request: &RequestView<'_>) -> Self {
        Self {
            subject_type: Ends::of(request.subject.party_type),
            subject_id: Ends::of(request.subject.id),
            action_name: Ends::of(request.action.name),
            resource_type: Ends::of(request.resource.party_type),
            resource_id: Ends::of(request.resource.id),
        }
    }

    /// Adds all of the names to a hash. They are added word by word, and what is longer than its two ends as a whole.
    #[inline]
    pub(crate) fn digest(&self, request: &RequestView<'_>, hasher: &mut impl Hasher) {
        let mut lengths = 0_u64;
        let mut add = |ends: Ends, name: &str| {
            if name.len() > WHOLE_BYTES {
                hasher.write(name.as_bytes());
            } else {
                hasher.write_u128(u128::from(ends.last) << 64 | u128::from(ends.first));
            }
            // Twelve bits for each, which hold the length of any name within the default limits.
            lengths = lengths.rotate_left(12) ^ name.len() as u64;
        };
        add(self.subject_type, request.subject.party_type);
        add(self.subject_id, request.subject.id);
        add(self.resource_type, request.resource.party_type);
        add(self.resource_id, request.resource.id);
        add(self.action_name, request.action.name);
        hasher.write_u64(lengths);
    }

    /// Refuses names that no schema can declare: empty, too long, or with a NUL that a C host would cut them at.
    #[inline]
    pub(crate) fn check(&self, request: &RequestView<'_>, limits: &Limits) -> Result<(), RequestError> {
        // All at once: that one of them is none is hardly ever so.
        let Self { subject_type, subject_id, action_name, resource_type, resource_id } = self;
        let marks = subject_type.marks() | subject_id.marks() | action_name.marks();
        let marks = marks | resource_type.marks() | resource_id.marks();
        let lengths = names(request).map(|(_, name)| name.len());
        let longest = lengths.into_iter().fold(0, usize::max);
        if marks & HIGHS == 0 && longest <= limits.id_bytes_max.min(WHOLE_BYTES) {
            return Ok(());
        }
        check_each(request, limits)
    }
}

/// The names of a request, in the order in which they are refused, each with the member that it is.
#[inline]
const fn names<'a>(request: &RequestView<'a>) -> [(&'static str, &'a str); 5] {
    [
        ("subject.type", request.subject.party_type),
        ("subject.id", request.subject.id),
        ("action.name", request.action.name),
        ("resource.type", request.resource.party_type),
        ("resource.id", request.resource.id),
    ]
}

/// The first name that is none, and why.
fn check_each(request: &RequestView<'_>, limits: &Limits) -> Result<(), RequestError> {
    for (member, name) in names(request) {
        if name.is_empty() || has_nul(name.as_bytes()) {
            return Err(RequestError::Member { member, expected: "text, not empty, without NUL" });
        }
        if name.len() > limits.id_bytes_max {
            return Err(RequestError::Limit { max: limits.id_bytes_max, unit: "bytes in an id, type or name" });
        }
    }
    Ok(())
}

/// Whether a byte is NUL: eight at a time, since most names are shorter than what a search for one is made for.
fn has_nul(bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<8>();
    chunks.iter().any(|chunk| marks_of(u64::from_ne_bytes(*chunk)) & HIGHS != 0) || rest.contains(&0)
}

/// The highest bit of each byte.
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{ActionView, Attributes, PartyView};

    #[test]
    fn a_nul_is_found_wherever_it_stands() {
        // In the place of each of the names, since they are looked at together.
        let found = |text: &str| {
            let mut found = Vec::new();
            for place in 0..5 {
                let name = |at: usize| if at == place { text } else { "name" };
                let party = |one: usize, other: usize| PartyView {
                    party_type: name(one),
                    id: name(other),
                    properties: Attributes::NONE,
                };
                let action = ActionView { name: name(2), properties: Attributes::NONE };
                let request =
                    RequestView { subject: party(0, 1), action, resource: party(3, 4), context: Attributes::NONE };
                found.push(Spelling::of(&request).check(&request, &Limits::DEFAULT).is_err());
            }
            found.iter().for_each(|one| assert_eq!(*one, found[0], "{text:?}"));
            found[0]
        };
        assert!(found(""));
        assert!(found(&"a".repeat(Limits::DEFAULT.id_bytes_max + 1)));
        for length in 1..40 {
            for filler in ['\u{1}', '\u{7f}', 'a'] {
                let text = filler.to_string().repeat(length);
                assert!(!found(&text), "{length} of {filler:?}");
                for at in 0..length {
                    let mut text = text.clone();
                    text.replace_range(at..=at, "\0");
                    assert!(found(&text), "{at} of {length}");
                }
            }
            // Bytes with the highest bit, which no byte of ASCII has.
            assert!(!found(&"\u{80}".repeat(length)), "{length}");
        }
    }

    #[test]
    fn texts_are_told_apart_wherever_they_differ() {
        let texts: Vec<String> = (0..40)
            .flat_map(|length| {
                let plain = "a".repeat(length);
                let others = (0..length).map(move |at| format!("{}b{}", &"a".repeat(at), "a".repeat(length - at - 1)));
                std::iter::once(plain).chain(others)
            })
            .collect();
        for (at, text) in texts.iter().enumerate() {
            for (other_at, other) in texts.iter().enumerate() {
                assert_eq!(Ends::of(text).same(text, other, Ends::of(other)), at == other_at, "{text} {other}");
            }
        }
    }

    #[test]
    fn texts_that_are_alike_have_hashes_that_are_not() {
        let names: Vec<String> = (0..10_000).map(|number| format!("payment:{number:04}:x")).collect();
        let mut hashes: Vec<u64> = names.iter().map(|name| Ends::of(name).hash(name)).collect();
        // A table takes its place from one end of a hash and a tag from the other.
        let places: std::collections::BTreeSet<u64> = hashes.iter().map(|hash| hash & 0x3FFF).collect();
        assert!(places.len() > 6_500, "{}", places.len());
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), names.len());
    }
}
