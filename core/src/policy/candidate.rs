//! Candidates: the subjects and resources that a search may find.

use std::collections::BTreeMap;

use crate::condition::Entity;
use crate::request::Party;

/// The candidates of a policy, by type, each list in byte order of the ids.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    pub(super) subjects: BTreeMap<Box<str>, Vec<Party>>,
    pub(super) resources: BTreeMap<Box<str>, Vec<Party>>,
}

impl Candidates {
    /// The candidates of a type; none for a type that has none.
    #[must_use]
    pub fn of(&self, entity: Entity, type_name: &str) -> &[Party] {
        let by_type = match entity {
            Entity::Subject => &self.subjects,
            Entity::Resource => &self.resources,
            Entity::Action | Entity::Context => return &[],
        };
        by_type.get(type_name).map(Vec::as_slice).unwrap_or_default()
    }
}
