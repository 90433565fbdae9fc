//! A name by value: what a decision carries of the policy that made it.

use crate::limits::NAME_BYTES_MAX;

/// A name of a pack, a rule, an action or a signal. Copying one allocates nothing and touches no shared counter, so
/// that a decision carries its names by value.
pub type Name = arrayvec::ArrayString<NAME_BYTES_MAX>;

/// A text as a [`Name`]; nothing for one that is longer than [`NAME_BYTES_MAX`].
#[must_use]
pub fn name(text: &str) -> Option<Name> {
    Name::from(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_whole_or_not_at_all() {
        assert_eq!(name(&"a".repeat(NAME_BYTES_MAX)).unwrap().len(), NAME_BYTES_MAX);
        assert_eq!(name(&"a".repeat(NAME_BYTES_MAX + 1)), None);
    }
}
