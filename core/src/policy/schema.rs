//! The schema: what a request must look like, and in which slot each attribute that the policy reads arrives.
//!
//! A request is checked against the schema before any rule sees it (spec 1.4, gate 2): a lie about a type is refused
//! here, not indeterminate later. The same pass puts the attributes that rules read into slots, so that a condition
//! finds its operands by number.

use std::fmt;

use bumpalo::Bump;
use hashbrown::HashMap;

mod typed;

pub(super) use typed::typed;

use crate::condition::{Absence, Attribute, Entity};
use crate::error::{nearest, quoted};
use crate::request::{Attributes, RequestView};
use crate::value::{Value, View};
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
    pub(super) by_name: HashMap<Box<str>, Fields, foldhash::fast::FixedState>,
}

/// The attributes of one type, in byte order of their names.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(pub(super) Vec<FieldSpec>);

/// One declared attribute.
#[derive(Clone, Debug)]
pub(super) struct FieldSpec {
    pub(super) name: Box<str>,
    pub(super) value_type: ValueType,
    pub(super) presence: Presence,
    pub(super) slot: Option<u16>,
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
        name.is_some_and(|name| types.by_name.values().any(|fields| fields.says_optional(name, below)))
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
        let declared = self.field_sets(entity).flat_map(|(_, fields)| fields.0.iter().map(|spec| &*spec.name));
        let own: &[&str] = match entity {
            Entity::Subject | Entity::Resource => &["id", "type"],
            Entity::Action => &["name"],
            Entity::Context => &[],
        };
        nearest(name, declared.chain(own.iter().copied()))
    }

    /// Whether the schema declares this type for the entity, or leaves its types open.
    pub(super) fn admits_type(&self, entity: Entity, type_name: &str) -> Result<(), Option<String>> {
        let types = match entity {
            Entity::Subject => &self.subject,
            Entity::Resource => &self.resource,
            Entity::Action | Entity::Context => return Ok(()),
        };
        if !types.closed || types.by_name.contains_key(type_name) {
            Ok(())
        } else {
            Err(nearest(type_name, types.by_name.keys().map(|name| &**name)))
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

    /// Checks the request and puts what rules read into `slots`; `arena` takes what has to be converted inside lists.
    ///
    /// The slots are the caller's, since they are too large to be handed back by value.
    ///
    /// # Errors
    /// The first [`Misfit`], in the order subject, action, resource, context.
    pub fn fill<'a>(
        &'a self,
        request: &RequestView<'a>,
        arena: &'a Bump,
        slots: &mut Slots<'a>,
    ) -> Result<(), Misfit<'a>> {
        slots.clear();
        slots.resize(self.slots.len(), None);
        let mut put = |slot: Option<u16>, text: &'a str| {
            if let Some(place) = slot.and_then(|slot| slots.get_mut(usize::from(slot))) {
                *place = Some(View::Str(text));
            }
        };
        put(self.own.subject_type, request.subject.party_type);
        put(self.own.subject_id, request.subject.id);
        put(self.own.action_name, request.action.name);
        put(self.own.resource_type, request.resource.party_type);
        put(self.own.resource_id, request.resource.id);

        let subject = self.subject.fields(request.subject.party_type);
        fill_entity(Entity::Subject, subject, request.subject.properties, arena, slots)?;
        let action = self.action.fields(request.action.name);
        fill_entity(Entity::Action, action, request.action.properties, arena, slots)?;
        let resource = self.resource.fields(request.resource.party_type);
        fill_entity(Entity::Resource, resource, request.resource.properties, arena, slots)?;
        fill_entity(Entity::Context, Ok(Some(&self.context)), request.context, arena, slots)
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
        self.by_name.iter().map(|(name, fields)| (&**name, fields))
    }

    /// The attributes of a type: none for one that need not be declared, an error for one that must.
    fn fields<'a>(&'a self, type_name: &'a str) -> Result<Option<&'a Fields>, &'a str> {
        match self.by_name.get(type_name) {
            Some(fields) => Ok(Some(fields)),
            None if self.closed => Err(type_name),
            None => Ok(None),
        }
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

/// Walks the declared attributes and the given properties together: both are in byte order of their names.
fn fill_entity<'a>(
    entity: Entity,
    fields: Result<Option<&'a Fields>, &'a str>,
    properties: Attributes<'a>,
    arena: &'a Bump,
    slots: &mut Slots<'a>,
) -> Result<(), Misfit<'a>> {
    let fields = match fields {
        Ok(Some(fields)) => fields,
        Ok(None) => return Ok(()),
        Err(type_name) => return Err(Misfit { entity, kind: MisfitKind::UnknownType(type_name) }),
    };
    let mut at = 0_usize;
    for spec in &fields.0 {
        let value = properties.next_named(&mut at, &spec.name);
        let value = match (value, &spec.presence) {
            (Some(value), _) => Some(value),
            (None, Presence::Default(value)) => Some(View::from(value)),
            (None, Presence::Optional) => None,
            (None, Presence::Required) => return Err(Misfit { entity, kind: MisfitKind::Missing(&spec.name) }),
        };
        let view = match value {
            Some(value) => {
                let wrong = || Misfit { entity, kind: MisfitKind::WrongType(&spec.name, &spec.value_type) };
                Some(typed(value, &spec.value_type, arena).ok_or_else(wrong)?)
            }
            None => None,
        };
        if let Some(place) = spec.slot.and_then(|slot| slots.get_mut(usize::from(slot))) {
            *place = view;
        }
    }
    Ok(())
}
