//! Values as a condition sees them: borrowed.

use std::net::IpAddr;

use super::ends::find;
use super::{Cidr, DuplicateName, Map, SignedDuration, Timestamp, Value};

/// A value as a condition sees it: borrowed from the request, the policy or the arena of one decision; copied freely.
#[derive(Clone, Copy, Debug)]
pub enum View<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// CEL `int`.
    Int(i64),
    /// CEL `uint`.
    UInt(u64),
    /// CEL `double`; may be NaN or infinite as a result of arithmetic.
    Double(f64),
    /// CEL `string`.
    Str(&'a str),
    /// CEL `bytes`.
    Bytes(&'a [u8]),
    /// CEL `list`, as it stands in the request or the policy.
    List(&'a [Value]),
    /// CEL `list`, made while evaluating, or as a host holds it.
    Items(&'a [View<'a>]),
    /// CEL `map` with names for keys, as it stands in the request or the policy.
    Map(&'a Map),
    /// CEL `map` with names for keys, as a host holds it.
    Fields(Fields<'a>),
    /// CEL `map`, made while evaluating.
    Entries(&'a [(View<'a>, View<'a>)]),
    /// CEL `google.protobuf.Timestamp`.
    Timestamp(Timestamp),
    /// CEL `google.protobuf.Duration`.
    Duration(SignedDuration),
    /// An address, as Kubernetes' CEL library has it.
    Ip(IpAddr),
    /// A network, as Kubernetes' CEL library has it.
    Cidr(Cidr),
    /// CEL `type`, by its name.
    Type(&'static str),
}

impl<'a> From<&'a Value> for View<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Int(*value),
            Value::UInt(value) => Self::UInt(*value),
            Value::Double(value) => Self::Double(*value),
            Value::String(value) => Self::Str(value),
            Value::List(values) => Self::List(values),
            Value::Map(map) => Self::Map(map),
        }
    }
}

/// Values by name, borrowed from the host.
///
/// Invariant: sorted by name, each name once, so that a look-up is a binary search and costs what it costs in a [`Map`].
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(&'a [(&'a str, View<'a>)]);

impl<'a> Fields<'a> {
    /// No values.
    pub const NONE: Self = Self(&[]);

    /// These values, sorted in place.
    ///
    /// # Errors
    /// [`DuplicateName`] for a name that stands twice.
    pub fn new(entries: &'a mut [(&'a str, View<'a>)]) -> Result<Self, DuplicateName> {
        entries.sort_unstable_by_key(|(name, _)| *name);
        let twice = entries.windows(2).find_map(|pair| match pair {
            [(a, _), (b, _)] if a == b => Some(*a),
            _ => None,
        });
        match twice {
            Some(name) => Err(DuplicateName(name.into())),
            None => Ok(Self(entries)),
        }
    }

    /// These values, which are in byte order of their names, each name once.
    pub(crate) const fn in_order(entries: &'a [(&'a str, View<'a>)]) -> Self {
        Self(entries)
    }

    /// The values with their names, in byte order of these.
    #[must_use]
    pub const fn entries(&self) -> &'a [(&'a str, View<'a>)] {
        self.0
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<View<'a>> {
        find(self.0, name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_stays_within_three_words() {
        assert!(size_of::<View<'_>>() <= 24, "{}", size_of::<View<'_>>());
    }

    #[test]
    fn fields_are_found_by_name_and_none_stands_twice() {
        let mut entries = [("b", View::Int(2)), ("a", View::Int(1))];
        let fields = Fields::new(&mut entries).unwrap();
        assert!(matches!(fields.get("b"), Some(View::Int(2))));
        assert!(fields.get("c").is_none());
        assert_eq!(fields.entries().iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["a", "b"]);
        assert!(Fields::new(&mut [("a", View::Null), ("b", View::Null), ("a", View::Bool(true))]).is_err());
    }
}
