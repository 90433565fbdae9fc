//! The two ends of a text: by them and the length most names are told apart, without a call to compare bytes.

/// Bytes of a text that its two ends hold all of.
pub(crate) const WHOLE_BYTES: usize = 16;

/// The two ends of a text: its first and its last eight bytes, which overlap in a short one. A shorter one than eight bytes
/// is repeated until it fills them.
///
/// Two texts of one length of up to sixteen bytes are the same where their ends are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Ends {
    /// The ends of a text.
    #[inline]
    pub(crate) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
            return Self { first: u64::from_ne_bytes(*first), last: u64::from_ne_bytes(*last) };
        }
        let word = match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                u64::from(u32::from_ne_bytes(*first)) << 32 | u64::from(u32::from_ne_bytes(*last))
            }
            _ => match *bytes {
                [a] => u64::from(a).wrapping_mul(0x0101_0101_0101_0101),
                [a, b] => u64::from(u16::from_ne_bytes([a, b])).wrapping_mul(0x0001_0001_0001_0001),
                [a, b, c] => u64::from(u32::from_le_bytes([a, b, c, 0])).wrapping_mul(0x0001_0000_0100_0001),
                _ => 0,
            },
        };
        Self { first: word, last: word }
    }

    /// Whether `text`, of which these are the ends, is the same as `other`, of which those are.
    #[inline]
    pub(crate) fn same(self, text: &str, other: &str, others: Self) -> bool {
        self == others && text.len() == other.len() && (text.len() <= WHOLE_BYTES || text == other)
    }

    /// A hash of the text of which these are the ends; by the ends alone, where they are all of it.
    ///
    /// Without a key: only for tables into which no request ever inserts.
    #[inline]
    pub(crate) fn hash(self, text: &str) -> u64 {
        if text.len() > WHOLE_BYTES {
            return hash_long(text);
        }
        // The fractions of the golden ratio and of the square root of two, which have no pattern.
        let (first, last) = (self.first ^ 0x9E37_79B9_7F4A_7C15, self.last ^ 0x6A09_E667_F3BC_C909 ^ text.len() as u64);
        let product = u128::from(first).wrapping_mul(u128::from(last));
        (product >> 64) as u64 ^ product as u64
    }

    /// Marks of what is NUL in them; the ends of an empty text are.
    #[inline]
    pub(crate) const fn marks(self) -> u64 {
        marks_of(self.first) | marks_of(self.last)
    }
}

#[cold]
fn hash_long(text: &str) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    hasher.write(text.as_bytes());
    hasher.finish()
}

/// A word in which the highest bit of some byte is set where some byte of `word` is NUL, and of none where none is.
#[inline]
pub(crate) const fn marks_of(word: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    word.wrapping_sub(ONES) & !word
}

/// Up to how many entries are gone through one by one.
const SCAN_MAX: usize = 24;

/// The value of that name among entries in byte order of their names.
///
/// Where there are few, their lengths alone rule out most, and no order has to be known; a search by halves compares bytes
/// at each step.
#[inline]
pub(super) fn find<'e, N: AsRef<str>, V>(entries: &'e [(N, V)], name: &str) -> Option<&'e V> {
    if entries.len() <= SCAN_MAX {
        let ends = Ends::of(name);
        let is_it = |known: &str| known.len() == name.len() && ends.same(name, known, Ends::of(known));
        return entries.iter().find(|(known, _)| is_it(known.as_ref())).map(|(_, value)| value);
    }
    let at = entries.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok()?;
    entries.get(at).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(known: &str, name: &str) -> bool {
        find(&[(known, ())], name).is_some()
    }

    #[test]
    fn a_name_is_found_where_every_byte_is_the_same() {
        for length in 0..40 {
            let text: String = ('a'..='z').cycle().take(length).collect();
            assert!(same(&text, &text.clone()), "{length}");
            assert!(!same(&text, &format!("{text}a")), "{length}");
            for at in 0..length {
                let mut other = text.clone();
                other.replace_range(at..=at, "!");
                assert!(!same(&text, &other), "{at} of {length}");
            }
        }
        assert!(!same("\0", ""));
        assert!(!same("a\0", "a"));
    }

    #[test]
    fn few_entries_and_many_give_the_same() {
        for count in [0, 1, SCAN_MAX, SCAN_MAX + 1, 100] {
            let entries: Vec<(String, usize)> = (0..count).map(|at| (format!("name-{at:03}"), at)).collect();
            for at in 0..count {
                assert_eq!(find(&entries, &format!("name-{at:03}")), Some(&at));
            }
            assert_eq!(find(&entries, "name-1000"), None);
        }
    }
}
