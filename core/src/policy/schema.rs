//! The schema: what a request must look like, and in which slot each attribute that the policy reads arrives.
//!
//! A request is checked against the schema before any rule sees it (spec 1.4, gate 2): a lie about a type is refused
//! here, not indeterminate later. The same pass puts the attributes that rules read into slots, so that a condition
//! finds its operands by number.

use std::fmt;

mod fill;
mod portions;
mod typed;

pub(super) use typed::typed;

use super::named::Named;
use crate::condition::{Absence, Attribute, Entity};
use crate::error::{nearest, quoted};
use crate::value::{Ends, Value, View};
use crate::value_type::ValueType;

/// A slot per attribute that some rule reads; nothing where the request lacks it.
pub type Slots<'a> = smallvec::SmallVec<[Option<View<'a>>; 64]>;

/// What a request must look like.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    subject: Types,
    action: Types,
    resource: Types,
    context: Fields,
    own: OwnSlots,
    /// The attribute behind each slot.
    slots: Vec<(Entity, Box<str>)>,
}

/// The declared types of an entity.
#[derive(Clone, Debug, Default)]
pub(super) struct Types {
    /// Whether a type that is not declared is refused.
    pub(super) closed: bool,
    pub(super) by_name: Named<Fields>,
}

/// The attributes of one type, in byte order of their names.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(pub(super) Vec<FieldSpec>);

/// One declared attribute.
#[derive(Clone, Debug)]
pub(super) struct FieldSpec {
    name: Box<str>,
    /// The ends of the name, by which it is compared.
    ends: Ends,
    value_type: ValueType,
    presence: Presence,
    slot: Option<u16>,
}

impl FieldSpec {
    /// An attribute that no rule reads yet.
    pub(super) fn new(name: &str, value_type: ValueType, presence: Presence) -> Self {
        Self { name: name.into(), ends: Ends::of(name), value_type, presence, slot: None }
    }
}

/// What it means that an attribute is absent.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Presence {
    /// The request is invalid.
    Required,
    /// Conditions that read it are indeterminate.
    Optional,
    /// It has this value.
    Default(Value),
}

/// The slots of what every request has.
#[derive(Clone, Copy, Debug, Default)]
struct OwnSlots {
    subject_type: Option<u16>,
    subject_id: Option<u16>,
    action_name: Option<u16>,
    resource_type: Option<u16>,
    resource_id: Option<u16>,
}

/// How a request does not fit the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit<'a> {
    entity: Entity,
    kind: MisfitKind<'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum MisfitKind<'a> {
    UnknownType(&'a str),
    Missing(&'a str),
    WrongType(&'a str, &'a ValueType),
}

impl fmt::Display for Misfit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entity = self.entity.name();
        match &self.kind {
            MisfitKind::UnknownType(name) => write!(f, "`{entity}.type` {} is not declared", quoted(name)),
            MisfitKind::Missing(name) => write!(f, "`{entity}.{name}` is missing"),
            MisfitKind::WrongType(name, expected) => write!(f, "`{entity}.{name}` must be {expected}"),
        }
    }
}

impl Schema {
    pub(super) fn new(subject: Types, action: Types, resource: Types, context: Fields) -> Self {
        Self { subject, action, resource, context, own: OwnSlots::default(), slots: Vec::new() }
    }

    /// The attribute behind each slot.
    #[must_use]
    pub fn slots(&self) -> &[(Entity, Box<str>)] {
        &self.slots
    }

    /// Whether the schema says that what is at this path of Rego's input may be absent: an attribute with `optional` or a
    /// default in some declared type, an optional field of a record, or what is below one.
    pub(super) fn says_optional(&self, path: &[String]) -> bool {
        let step = |at: usize| path.get(at).map(String::as_str);
        let (types, name, below) = match (step(0), step(1)) {
            (Some("context"), Some(name)) => {
                return self.context.says_optional(name, path.get(2..).unwrap_or_default());
            }
            (Some("subject"), Some("properties")) => (&self.subject, step(2), path.get(3..)),
            (Some("action"), Some("properties")) => (&self.action, step(2), path.get(3..)),
            (Some("resource"), Some("properties")) => (&self.resource, step(2), path.get(3..)),
            _ => return false,
        };
        let below = below.unwrap_or_default();
        name.is_some_and(|name| types.iter().any(|(_, fields)| fields.says_optional(name, below)))
    }

    /// The part of a path of Rego's input that nothing here declares, and what may have been meant; nothing where it is
    /// declared, or where the schema leaves open what a request has there.
    pub(super) fn undeclared<'p>(&self, path: &'p [String]) -> Option<(&'p [String], Option<String>)> {
        let step = |at: usize| path.get(at).map(String::as_str);
        let until = |length: usize| path.get(..length).unwrap_or(path);
        let root = step(0)?;
        let Some(entity) = Entity::ALL.into_iter().find(|entity| entity.name() == root) else {
            let meant = nearest(root, Entity::ALL.map(Entity::name));
            return Some((until(1), meant.map(|meant| format!("input.{meant}"))));
        };
        let (name, length, is_open) = match (entity, step(1)?) {
            (Entity::Context, name) => (name, 2, self.context.0.is_empty()),
            (Entity::Subject, "properties") => (step(2)?, 3, !self.subject.closed),
            (Entity::Resource, "properties") => (step(2)?, 3, !self.resource.closed),
            (Entity::Action, "properties") => (step(2)?, 3, self.action.iter().next().is_none()),
            (_, name) => (name, 2, own_names(entity).contains(&name)),
        };
        let is_attribute = length == 3 || entity == Entity::Context;
        if is_open || (is_attribute && self.names(entity).any(|declared| declared == name)) {
            return None;
        }
        let meant = self.suggestion(entity, name).map(|meant| match own_names(entity).contains(&meant.as_str()) {
            true => format!("input.{root}.{meant}"),
            false if entity == Entity::Context => format!("input.context.{meant}"),
            false => format!("input.{root}.properties.{meant}"),
        });
        Some((until(length), meant))
    }

    /// The names of all attributes that are declared for an entity, in any of its types.
    fn names(&self, entity: Entity) -> impl Iterator<Item = &str> {
        self.field_sets(entity).flat_map(|(_, fields)| fields.0.iter().map(|spec| &*spec.name))
    }

    /// The attribute's declared types and presence, over those types of its entity that `matched` admits (all, for
    /// `None`); its slot is made if it has none yet.
    pub(super) fn attribute(
        &mut self,
        entity: Entity,
        name: &str,
        matched: Option<&[Box<str>]>,
    ) -> Result<Attribute, Option<String>> {
        if let Some(own) = self.own.of(entity, name) {
            let slot = match *own {
                Some(slot) => slot,
                None => {
                    let slot = next_slot(&mut self.slots, entity, name);
                    *own = Some(slot);
                    slot
                }
            };
            let absence = Absence::Indeterminate;
            return Ok(Attribute { slot, value_type: ValueType::String, may_be_absent: false, absence });
        }
        let known = self.known(entity, name, matched).ok_or_else(|| self.suggestion(entity, name))?;
        let slot = match known.slot {
            Some(slot) => slot,
            None => {
                let slot = next_slot(&mut self.slots, entity, name);
                self.set_slot(entity, name, slot);
                slot
            }
        };
        let Known { value_type, may_be_absent, absence, .. } = known;
        Ok(Attribute { slot, value_type, may_be_absent, absence })
    }

    fn known(&self, entity: Entity, name: &str, matched: Option<&[Box<str>]>) -> Option<Known> {
        let mut known: Option<Known> = None;
        let mut absent_somewhere = false;
        for (type_name, fields) in self.field_sets(entity) {
            if matched.is_some_and(|matched| !matched.iter().any(|admitted| **admitted == *type_name)) {
                // Still look for a slot that another rule has made for this attribute.
                if let (Some(known), Some(spec)) = (&mut known, fields.spec(name)) {
                    known.slot = known.slot.or(spec.slot);
                }
                continue;
            }
            let Some(spec) = fields.spec(name) else {
                absent_somewhere = true;
                continue;
            };
            let optional = spec.presence == Presence::Optional;
            let absence = spec.presence.absence();
            known = Some(match known {
                None => {
                    Known { value_type: spec.value_type.clone(), may_be_absent: optional, slot: spec.slot, absence }
                }
                Some(before) => Known {
                    value_type: if before.value_type == spec.value_type { before.value_type } else { ValueType::Any },
                    may_be_absent: before.may_be_absent || optional,
                    slot: before.slot.or(spec.slot),
                    absence: either(before.absence, absence),
                },
            });
        }
        // An action without a schema of its own has no attributes.
        absent_somewhere |= entity == Entity::Action;
        let slot = self.slot_of(entity, name);
        known.map(|known| Known {
            may_be_absent: known.may_be_absent || absent_somewhere,
            slot: known.slot.or(slot),
            ..known
        })
    }

    fn slot_of(&self, entity: Entity, name: &str) -> Option<u16> {
        self.field_sets(entity).find_map(|(_, fields)| fields.spec(name).and_then(|spec| spec.slot))
    }

    fn field_sets(&self, entity: Entity) -> Box<dyn Iterator<Item = (&str, &Fields)> + '_> {
        match entity {
            Entity::Subject => Box::new(self.subject.iter()),
            Entity::Action => Box::new(self.action.iter()),
            Entity::Resource => Box::new(self.resource.iter()),
            Entity::Context => Box::new(std::iter::once(("", &self.context))),
        }
    }

    fn set_slot(&mut self, entity: Entity, name: &str, slot: u16) {
        let types = match entity {
            Entity::Subject => &mut self.subject,
            Entity::Action => &mut self.action,
            Entity::Resource => &mut self.resource,
            Entity::Context => return self.context.set_slot(name, slot),
        };
        for fields in types.by_name.values_mut() {
            fields.set_slot(name, slot);
        }
    }

    fn suggestion(&self, entity: Entity, name: &str) -> Option<String> {
        nearest(name, self.names(entity).chain(own_names(entity).iter().copied()))
    }

    /// Whether the schema declares this type for the entity, or leaves its types open.
    pub(super) fn admits_type(&self, entity: Entity, type_name: &str) -> Result<(), Option<String>> {
        let types = match entity {
            Entity::Subject => &self.subject,
            Entity::Resource => &self.resource,
            Entity::Action | Entity::Context => return Ok(()),
        };
        if !types.closed || types.by_name.get(type_name).is_some() {
            Ok(())
        } else {
            Err(nearest(type_name, types.iter().map(|(name, _)| name)))
        }
    }

    /// The declared types of the entity, in no order: none of the context, which has no types.
    pub fn types(&self, entity: Entity) -> impl Iterator<Item = &str> {
        let types = match entity {
            Entity::Subject => Some(&self.subject),
            Entity::Action => Some(&self.action),
            Entity::Resource => Some(&self.resource),
            Entity::Context => None,
        };
        types.into_iter().flat_map(|types| types.iter().map(|(name, _)| name))
    }

    /// The declared type of one attribute of one type of subject or resource.
    pub(super) fn property(&self, entity: Entity, type_name: &str, name: &str) -> Result<&ValueType, Option<String>> {
        let types = match entity {
            Entity::Subject => &self.subject,
            _ => &self.resource,
        };
        let fields = types.by_name.get(type_name);
        let spec = fields.and_then(|fields| fields.spec(name));
        spec.map(|spec| &spec.value_type).ok_or_else(|| {
            let declared = fields.into_iter().flat_map(|fields| fields.0.iter().map(|spec| &*spec.name));
            nearest(name, declared)
        })
    }

    /// The attributes that are declared of this type of the entity (the action's name is its type, the context's is
    /// empty): a request is checked for these, and rules read no others.
    pub fn declared(&self, entity: Entity, type_name: &str) -> impl Iterator<Item = &str> {
        self.fields(entity, type_name).into_iter().flat_map(|fields| fields.0.iter().map(|spec| &*spec.name))
    }

    /// The attributes that are declared of this type of the entity, each with its type and whether a valid request may lack
    /// it.
    pub fn attributes(&self, entity: Entity, type_name: &str) -> impl Iterator<Item = (&str, &ValueType, bool)> {
        let specs = self.fields(entity, type_name).into_iter().flat_map(|fields| &fields.0);
        specs.map(|spec| (&*spec.name, &spec.value_type, spec.presence != Presence::Required))
    }

    /// Whether a subject or resource of a type that is not declared is refused.
    #[must_use]
    pub const fn is_closed(&self, entity: Entity) -> bool {
        match entity {
            Entity::Subject => self.subject.closed,
            Entity::Resource => self.resource.closed,
            Entity::Action | Entity::Context => false,
        }
    }

    fn fields(&self, entity: Entity, type_name: &str) -> Option<&Fields> {
        match entity {
            Entity::Subject => self.subject.by_name.get(type_name),
            Entity::Action => self.action.by_name.get(type_name),
            Entity::Resource => self.resource.by_name.get(type_name),
            Entity::Context => Some(&self.context),
        }
    }
}

/// What is known of an attribute over several types of its entity.
struct Known {
    value_type: ValueType,
    may_be_absent: bool,
    slot: Option<u16>,
    absence: Absence,
}

impl Presence {
    const fn absence(&self) -> Absence {
        match self {
            Self::Required | Self::Optional => Absence::Indeterminate,
            Self::Default(Value::Bool(value)) => Absence::Bool(*value),
            Self::Default(_) => Absence::Value,
        }
    }
}

/// What absence means where it means one thing or another, as the type of the entity has it.
fn either(one: Absence, other: Absence) -> Absence {
    match (one, other) {
        (Absence::Indeterminate, same) | (same, Absence::Indeterminate) => same,
        (one, other) if one == other => one,
        _ => Absence::Value,
    }
}

impl OwnSlots {
    fn of(&mut self, entity: Entity, name: &str) -> Option<&mut Option<u16>> {
        match (entity, name) {
            (Entity::Subject, "type") => Some(&mut self.subject_type),
            (Entity::Subject, "id") => Some(&mut self.subject_id),
            (Entity::Action, "name") => Some(&mut self.action_name),
            (Entity::Resource, "type") => Some(&mut self.resource_type),
            (Entity::Resource, "id") => Some(&mut self.resource_id),
            _ => None,
        }
    }
}

fn next_slot(slots: &mut Vec<(Entity, Box<str>)>, entity: Entity, name: &str) -> u16 {
    // The compiler refuses a policy with more slots than `Limits::slots_max`, far below this.
    let slot = u16::try_from(slots.len()).unwrap_or(u16::MAX);
    slots.push((entity, name.into()));
    slot
}

impl Types {
    fn iter(&self) -> impl Iterator<Item = (&str, &Fields)> {
        self.by_name.iter()
    }
}

/// What every entity of this kind has by itself.
const fn own_names(entity: Entity) -> &'static [&'static str] {
    match entity {
        Entity::Subject | Entity::Resource => &["id", "type"],
        Entity::Action => &["name"],
        Entity::Context => &[],
    }
}

impl Fields {
    fn says_optional(&self, name: &str, below: &[String]) -> bool {
        let Some(spec) = self.spec(name) else { return false };
        if spec.presence != Presence::Required {
            return true;
        }
        let mut value_type = &spec.value_type;
        for name in below {
            match value_type {
                ValueType::Record(fields) => match fields.get(name.as_str()) {
                    Some(field) if field.optional => return true,
                    Some(field) => value_type = &field.value_type,
                    None => return false,
                },
                _ => return false,
            }
        }
        false
    }

    fn spec(&self, name: &str) -> Option<&FieldSpec> {
        let at = self.0.binary_search_by(|spec| (*spec.name).cmp(name)).ok()?;
        self.0.get(at)
    }

    fn set_slot(&mut self, name: &str, slot: u16) {
        if let Ok(at) = self.0.binary_search_by(|spec| (*spec.name).cmp(name))
            && let Some(spec) = self.0.get_mut(at)
        {
            spec.slot = Some(slot);
        }
    }
}
