//! Which attributes the active policy reads, with each name as Python looks it up: so that a request is asked for these
//! and for nothing else.

use fallgate::Engine;
use fallgate::condition::Entity;
use fallgate::engine::Readers;
use fallgate::policy::bundle::Bundle;
use fallgate::policy::compile::Wanted;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// The attributes that are wanted of one type of an entity.
#[derive(Debug)]
pub(crate) enum Want {
    /// All that there are.
    All,
    /// These.
    Named(Vec<(Box<str>, Py<PyString>)>),
}

/// What is wanted of each type. Only names of the policy are in it, so nobody can aim at one place of it.
type Table = HashMap<Box<str>, Want, FixedState>;

/// What an active bundle wants.
///
/// The types of a request come from whoever asks, and those that no schema declares are not remembered: the table grows
/// with the policy and not with the requests.
#[derive(Debug, Default)]
pub(crate) struct Wants {
    /// Who read requests when it was asked; nothing where everything is wanted for anybody.
    readers: Option<Readers>,
    subject: Table,
    action: Table,
    resource: Table,
    context: Option<Want>,
}

impl Wants {
    /// What the active bundle of an engine wants: all, while another one is in its rollout beside it.
    pub(crate) fn now(py: Python<'_>, engine: &Engine) -> Self {
        let readers = engine.readers();
        match engine.bundle() {
            Some(bundle) if !readers.are_two() => Self { readers: Some(readers), ..Self::of(py, &bundle) },
            _ => Self { readers: Some(readers), ..Self::default() },
        }
    }

    /// Whether what was read by it is enough for those who read now.
    pub(crate) fn is_enough(&self, readers: impl FnOnce() -> Readers) -> bool {
        self.readers.is_none_or(|known| known == readers())
    }

    /// What this bundle wants.
    fn of(py: Python<'_>, bundle: &Bundle) -> Self {
        let table = |entity: Entity| -> Table {
            let types = bundle.policy().schema.types(entity);
            types.map(|name| (name.into(), want(py, bundle, entity, name))).collect()
        };
        let (subject, action, resource) = (table(Entity::Subject), table(Entity::Action), table(Entity::Resource));
        let context = Some(want(py, bundle, Entity::Context, ""));
        Self { readers: None, subject, action, resource, context }
    }

    /// What is wanted of this type of the entity: all where no bundle is active.
    pub(crate) fn of_type(&self, entity: Entity, type_name: &str) -> &Want {
        const ALL: &Want = &Want::All;
        const NONE: &Want = &Want::Named(Vec::new());
        let Some(context) = &self.context else { return ALL };
        let table = match entity {
            Entity::Subject => &self.subject,
            Entity::Action => &self.action,
            Entity::Resource => &self.resource,
            Entity::Context => return context,
        };
        // Of a type that no schema declares, only a policy that reads everything reads anything.
        table.get(type_name).unwrap_or(if matches!(context, Want::All) { ALL } else { NONE })
    }
}

fn want(py: Python<'_>, bundle: &Bundle, entity: Entity, type_name: &str) -> Want {
    match bundle.policy().wanted(entity, type_name) {
        Wanted::All => Want::All,
        Wanted::Named(names) => {
            let named = names.into_iter().map(|name| (name.into(), PyString::intern(py, name).unbind()));
            Want::Named(named.collect())
        }
    }
}
