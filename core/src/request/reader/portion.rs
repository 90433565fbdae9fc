//! Which parts of a request are kept when it is read: those that the policy may read.

use std::collections::BTreeMap;

/// Of each entity, which of its attributes are kept. All else is checked as JSON, and not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Portions {
    /// Of the subject's properties.
    pub subject: Portion,
    /// Of the action's properties.
    pub action: Portion,
    /// Of the resource's properties.
    pub resource: Portion,
    /// Of the context.
    pub context: Portion,
}

/// How much of one value is kept. A scalar always is, whole; a list and a map are kept as such, whatever is left of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Portion {
    /// All of it.
    #[default]
    Whole,
    /// Of a map the members so named, and of a list no item.
    Named(Named),
    /// Of a map every member, and of a list every item; of each of them so much.
    Each(Box<Portion>),
}

/// Members by their names, and how much of each is kept.
///
/// Invariant: in byte order of the names, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named(Box<[(Box<str>, Portion)]>);

impl Portions {
    /// All of everything.
    pub(crate) const WHOLE: Self =
        Self { subject: Portion::Whole, action: Portion::Whole, resource: Portion::Whole, context: Portion::Whole };
}

impl From<BTreeMap<Box<str>, Portion>> for Named {
    fn from(members: BTreeMap<Box<str>, Portion>) -> Self {
        Self(members.into_iter().collect())
    }
}

/// So many names are looked through one by one.
const SCANNED_MAX: usize = 12;

impl Named {
    #[inline]
    fn find(&self, name: &str) -> Option<&Portion> {
        if self.0.len() <= SCANNED_MAX {
            return self.0.iter().find(|(known, _)| **known == *name).map(|(_, portion)| portion);
        }
        let at = self.0.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        self.0.get(at).map(|(_, portion)| portion)
    }
}

impl Portion {
    /// How much is kept of the member of that name; nothing where the member is not.
    #[inline]
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Whole => Some(self),
            Self::Named(named) => named.find(name),
            Self::Each(each) => Some(each),
        }
    }

    /// How much is kept of each item; nothing where none is.
    #[inline]
    pub(super) fn item(&self) -> Option<&Self> {
        match self {
            Self::Whole => Some(self),
            Self::Named(_) => None,
            Self::Each(each) => Some(each),
        }
    }
}
