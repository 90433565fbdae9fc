//! From a request to slots: each attribute that is declared is looked at once, in byte order of the names.

use bumpalo::Bump;

use super::{FieldSpec, Fields, Misfit, MisfitKind, Presence, Schema, Slots, Types, typed};
use crate::condition::Entity;
use crate::request::{Attributes, RequestView, Spelling};
use crate::value::{Ends, Value, View};
use crate::value_type::ValueType;

/// The slots, as they are filled.
type Places<'s, 'a> = &'s mut [Option<View<'a>>];

impl Schema {
    /// Checks the request, whose names are spelt so, and puts what rules read into `slots`; `arena` takes what has to be
    /// converted inside lists.
    ///
    /// The slots are the caller's, since they are too large to be handed back by value.
    ///
    /// # Errors
    /// The first [`Misfit`], in the order subject, action, resource, context.
    pub(crate) fn fill<'a>(
        &'a self,
        request: &RequestView<'a>,
        spelling: &Spelling,
        arena: &'a Bump,
        slots: &mut Slots<'a>,
    ) -> Result<(), Misfit<'a>> {
        slots.clear();
        slots.resize(self.slots.len(), None);
        let places = slots.as_mut_slice();
        put(places, self.own.subject_type, request.subject.party_type);
        put(places, self.own.subject_id, request.subject.id);
        put(places, self.own.action_name, request.action.name);
        put(places, self.own.resource_type, request.resource.party_type);
        put(places, self.own.resource_id, request.resource.id);

        let RequestView { subject, action, resource, context } = request;
        if let Some(fields) = self.subject.of(Entity::Subject, subject.party_type, spelling.subject_type)? {
            fields.fill(Entity::Subject, subject.properties, arena, places)?;
        }
        if let Some(fields) = self.action.of(Entity::Action, action.name, spelling.action_name)? {
            fields.fill(Entity::Action, action.properties, arena, places)?;
        }
        if let Some(fields) = self.resource.of(Entity::Resource, resource.party_type, spelling.resource_type)? {
            fields.fill(Entity::Resource, resource.properties, arena, places)?;
        }
        if self.context.0.is_empty() { Ok(()) } else { self.context.fill(Entity::Context, *context, arena, places) }
    }

    /// Visits each attribute that is declared of this type of the entity, in byte order of the names, as the request has it;
    /// nothing for one that it has not.
    #[inline]
    pub(crate) fn visit_given<'a>(
        &self,
        entity: Entity,
        type_name: &str,
        attributes: &Attributes<'a>,
        visit: impl FnMut(Option<View<'a>>),
    ) {
        let Some(fields) = self.fields(entity, type_name) else { return };
        match attributes.view() {
            View::Map(map) => fields.visit_given(map.entries(), visit),
            View::Fields(given) => fields.visit_given(given.entries(), visit),
            _ => fields.visit_given::<&str, Value>(&[], visit),
        }
    }
}

#[inline]
fn put<'a>(places: Places<'_, 'a>, slot: Option<u16>, text: &'a str) {
    if let Some(place) = slot.and_then(|slot| places.get_mut(usize::from(slot))) {
        *place = Some(View::Str(text));
    }
}

impl Types {
    /// The attributes of a type, where there are any: a type that need not be declared has none.
    #[inline]
    fn of<'a>(&'a self, entity: Entity, type_name: &'a str, ends: Ends) -> Result<Option<&'a Fields>, Misfit<'a>> {
        match self.by_name.find(type_name, ends) {
            Some(fields) => Ok(Some(fields).filter(|fields| !fields.0.is_empty())),
            None if self.closed => Err(Misfit { entity, kind: MisfitKind::UnknownType(type_name) }),
            None => Ok(None),
        }
    }
}

impl Fields {
    fn fill<'a>(
        &'a self,
        entity: Entity,
        properties: Attributes<'a>,
        arena: &'a Bump,
        places: Places<'_, 'a>,
    ) -> Result<(), Misfit<'a>> {
        match properties.view() {
            View::Map(map) => self.fill_from(entity, map.entries(), arena, places),
            View::Fields(fields) => self.fill_from(entity, fields.entries(), arena, places),
            _ => self.fill_from::<&str, Value>(entity, &[], arena, places),
        }
    }

    /// Walks the declared attributes and the given ones together: both are in byte order of their names.
    fn fill_from<'a, N: AsRef<str>, V: Given<'a>>(
        &'a self,
        entity: Entity,
        mut given: &'a [(N, V)],
        arena: &'a Bump,
        places: Places<'_, 'a>,
    ) -> Result<(), Misfit<'a>> {
        for spec in &self.0 {
            let view = match (spec.take(&mut given), &spec.presence) {
                (Some(value), _) => match value.as_it_stands(&spec.value_type) {
                    Some(view) => view,
                    None => spec.converted(entity, value.view(), arena)?,
                },
                (None, Presence::Default(value)) => spec.converted(entity, View::from(value), arena)?,
                (None, Presence::Optional) => continue,
                (None, Presence::Required) => {
                    return Err(Misfit { entity, kind: MisfitKind::Missing(&spec.name) });
                }
            };
            if let Some(place) = spec.slot.and_then(|slot| places.get_mut(usize::from(slot))) {
                *place = Some(view);
            }
        }
        Ok(())
    }

    fn visit_given<'a, N: AsRef<str>, V: Given<'a>>(
        &self,
        mut given: &'a [(N, V)],
        mut visit: impl FnMut(Option<View<'a>>),
    ) {
        for spec in &self.0 {
            visit(spec.take(&mut given).map(Given::view));
        }
    }
}

impl FieldSpec {
    /// The value of that name among those given, which are taken up to it: those before it are not declared.
    #[inline]
    fn take<'a, N: AsRef<str>, V>(&self, given: &mut &'a [(N, V)]) -> Option<&'a V> {
        while let [(name, value), rest @ ..] = *given {
            let name = name.as_ref();
            // Mostly it is the very next one: to see that names are equal costs less than to see which comes first.
            let is_it = name.len() == self.name.len() && self.ends.same(&self.name, name, Ends::of(name));
            if !is_it && *name > *self.name {
                return None;
            }
            *given = rest;
            if is_it {
                return Some(value);
            }
        }
        None
    }

    /// The value as the declared type has it, where that takes a conversion or a closer look.
    #[inline(never)]
    fn converted<'a>(&'a self, entity: Entity, value: View<'a>, arena: &'a Bump) -> Result<View<'a>, Misfit<'a>> {
        let wrong = || Misfit { entity, kind: MisfitKind::WrongType(&self.name, &self.value_type) };
        typed(value, &self.value_type, arena).ok_or_else(wrong)
    }
}

/// A value that is given, whoever holds it.
trait Given<'a> {
    /// As a condition sees it.
    fn view(&'a self) -> View<'a>;

    /// Likewise, where it is of the declared type and of one that most are of; nothing where it takes a closer look.
    fn as_it_stands(&'a self, value_type: &ValueType) -> Option<View<'a>>;
}

impl<'a> Given<'a> for Value {
    fn view(&'a self) -> View<'a> {
        View::from(self)
    }

    #[inline]
    fn as_it_stands(&'a self, value_type: &ValueType) -> Option<View<'a>> {
        match (value_type, self) {
            (ValueType::String, Self::String(text)) => Some(View::Str(text)),
            (ValueType::Int, Self::Int(number)) => Some(View::Int(*number)),
            (ValueType::Bool, Self::Bool(value)) => Some(View::Bool(*value)),
            (ValueType::List(item), Self::List(values))
                if matches!(**item, ValueType::String)
                    && values.iter().all(|value| matches!(value, Self::String(_))) =>
            {
                Some(View::List(values))
            }
            _ => None,
        }
    }
}

impl<'a> Given<'a> for View<'a> {
    fn view(&'a self) -> View<'a> {
        *self
    }

    #[inline]
    fn as_it_stands(&'a self, value_type: &ValueType) -> Option<View<'a>> {
        match (value_type, self) {
            (ValueType::String, View::Str(_)) | (ValueType::Int, View::Int(_)) | (ValueType::Bool, View::Bool(_)) => {
                Some(*self)
            }
            _ => None,
        }
    }
}
