//! Candidates against the schema: a declared property that no request could bear is a mistake of the pack.

use std::collections::BTreeMap;

use bumpalo::Bump;

use super::{Compiler, escape};
use crate::condition::Entity;
use crate::error::{Code, quoted};
use crate::policy::candidate::Candidates;
use crate::policy::format::{self, Pack};
use crate::policy::schema::{Schema, typed};
use crate::request::Party;
use crate::value::{Value, View};

type ByType = BTreeMap<String, BTreeMap<String, format::Properties>>;

impl Compiler<'_> {
    /// What a search may find.
    pub(super) fn candidates(&mut self, pack: &Pack, schema: &Schema) -> Candidates {
        let Some(declared) = &pack.candidates else { return Candidates::default() };
        let both = declared.subject.values().chain(declared.resource.values());
        let count = both.fold(0_usize, |count, by_id| count.saturating_add(by_id.len()));
        self.limit("/candidates", "candidates", count, self.limits.candidates_max);
        Candidates {
            subjects: self.of_entity(Entity::Subject, &declared.subject, schema),
            resources: self.of_entity(Entity::Resource, &declared.resource, schema),
        }
    }

    fn of_entity(&mut self, entity: Entity, declared: &ByType, schema: &Schema) -> BTreeMap<Box<str>, Vec<Party>> {
        let mut by_type = BTreeMap::new();
        for (type_name, by_id) in declared {
            let pointer = format!("/candidates/{}/{}", entity.name(), escape(type_name));
            self.check_identifier(&pointer, type_name);
            if let Err(meant) = schema.admits_type(entity, type_name) {
                let help = meant
                    .map_or_else(|| "declare it in the schema".to_owned(), |meant| format!("did you mean `{meant}`?"));
                let message = format!("the schema declares no {} of the type {}", entity.name(), quoted(type_name));
                self.fault(Code::UnknownAttribute, pointer, message, help);
                continue;
            }
            let mut parties = Vec::with_capacity(by_id.len());
            // A BTreeMap is in byte order of its keys.
            for (id, properties) in by_id {
                let pointer = format!("{pointer}/{}", escape(id));
                self.check_identifier(&pointer, id);
                let mut party = Party::new(type_name, id);
                for (name, json) in properties {
                    let value = Value::from(json);
                    self.check_property(
                        &format!("{pointer}/{}", escape(name)),
                        (entity, type_name, name),
                        &value,
                        schema,
                    );
                    party = party.with(name, value);
                }
                parties.push(party);
            }
            by_type.insert(type_name.as_str().into(), parties);
        }
        by_type
    }

    /// A type or an id that a request could not bear either.
    fn check_identifier(&mut self, pointer: &str, text: &str) {
        if text.is_empty() || text.as_bytes().contains(&0) {
            let message = format!("{} is no type and no id of a candidate", quoted(text));
            self.fault(Code::InvalidValue, pointer, message, "write text, not empty, without NUL");
        }
        self.limit(pointer, "bytes in an id or type", text.len(), self.limits.id_bytes_max);
    }

    fn check_property(&mut self, pointer: &str, named: (Entity, &str, &str), value: &Value, schema: &Schema) {
        let (entity, type_name, name) = named;
        match schema.property(entity, type_name, name) {
            Err(meant) => {
                let help = meant
                    .map_or_else(|| "declare it in the schema".to_owned(), |meant| format!("did you mean `{meant}`?"));
                let message = format!("the schema declares no attribute {} of {}", quoted(name), quoted(type_name));
                self.fault(Code::UnknownAttribute, pointer, message, help);
            }
            Ok(value_type) if typed(View::from(value), value_type, &Bump::new()).is_none() => {
                let message = format!("{} is of the type {value_type}", quoted(name));
                self.fault(Code::TypeMismatch, pointer, message, "write a value of the declared type");
            }
            Ok(_) => {}
        }
    }
}
