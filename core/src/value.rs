//! Values: what an attribute, a constant or the pack's data holds, and the borrowed view that conditions compute with.

mod address;
mod ends;
mod timestamp;
mod view;

pub use jiff::SignedDuration;

pub use address::{Cidr, parse_ip};
pub(crate) use ends::{Ends, WHOLE_BYTES, marks_of};
pub(crate) use timestamp::Date;
pub use timestamp::{NoTimestamp, Timestamp};
pub use view::{Fields, View};

/// An owned value, as it came in (JSON has the first eight of these and no more).
///
/// Timestamps, durations and addresses arrive as text; the schema says which text is one ([`crate::value_type`]).
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// JSON `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number that fits 64 bits with a sign.
    Int(i64),
    /// A whole number above `i64::MAX` that fits 64 bits.
    UInt(u64),
    /// Any other number; always finite.
    Double(f64),
    /// Text.
    String(Box<str>),
    /// Values in order.
    List(Vec<Value>),
    /// Values by name.
    Map(Map),
}

impl From<&serde_json::Value> for Value {
    fn from(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(number), _, _) => Self::Int(number),
                (None, Some(number), _) => Self::UInt(number),
                (None, None, number) => number.map_or(Self::Null, Self::Double),
            },
            serde_json::Value::String(text) => Self::String(text.as_str().into()),
            serde_json::Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            serde_json::Value::Object(members) => {
                let mut entries: Vec<_> =
                    members.iter().map(|(name, value)| (name.as_str().into(), Self::from(value))).collect();
                entries.sort_by(|(a, _): &(Box<str>, Self), (b, _)| a.cmp(b));
                Self::Map(Map { entries })
            }
        }
    }
}

/// A map from names to values, kept in byte order of the names, each name once.
///
/// Invariant: `entries` is sorted by name and has no name twice, so that a look-up is a binary search and two maps with
/// the same content have the same bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    entries: Vec<(Box<str>, Value)>,
}

/// A name that stands twice in one map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateName(pub Box<str>);

impl Map {
    /// A map of these entries.
    ///
    /// # Errors
    /// [`DuplicateName`] for a name that stands twice: which of the two would count is a matter of parser, so neither does.
    pub fn from_entries(mut entries: Vec<(Box<str>, Value)>) -> Result<Self, DuplicateName> {
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        let twice = entries.windows(2).find_map(|pair| match pair {
            [(a, _), (b, _)] if a == b => Some(a.clone()),
            _ => None,
        });
        match twice {
            Some(name) => Err(DuplicateName(name)),
            None => Ok(Self { entries }),
        }
    }

    /// The value of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        ends::find(&self.entries, name)
    }

    /// The entries, in byte order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(name, value)| (&**name, value))
    }

    /// The entries as a slice, in byte order of their names.
    #[must_use]
    pub fn entries(&self) -> &[(Box<str>, Value)] {
        &self.entries
    }

    /// How many entries there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Puts `value` under `name`, in place of what stood there.
    pub fn insert(&mut self, name: &str, value: Value) {
        match self.entries.binary_search_by(|(key, _)| (**key).cmp(name)) {
            Ok(at) => {
                if let Some(entry) = self.entries.get_mut(at) {
                    entry.1 = value;
                }
            }
            Err(at) => self.entries.insert(at, (name.into(), value)),
        }
    }

    /// Takes the entry of that name out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.entries.binary_search_by(|(key, _)| (**key).cmp(name)).ok()?;
        Some(self.entries.remove(at).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_twice_is_refused() {
        let entries = vec![("b".into(), Value::Null), ("a".into(), Value::Null), ("b".into(), Value::Bool(true))];
        assert_eq!(Map::from_entries(entries), Err(DuplicateName("b".into())));
    }
}
