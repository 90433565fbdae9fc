//! Which attributes a reader of requests keeps: those that the schema declares, and of those of any type what is read.

use std::collections::BTreeMap;

use super::{FieldSpec, Fields, Schema, Types};
use crate::condition::portions::Use;
use crate::request::{Named, Portion, Portions};
use crate::value_type::ValueType;

impl Schema {
    /// The slots of the attributes whose values need not be kept whole: nothing inside them is checked.
    pub(in crate::policy) fn divisible(&self) -> impl Iterator<Item = u16> {
        self.all_fields().filter(|spec| is_divisible(&spec.value_type)).filter_map(|spec| spec.slot)
    }

    /// What of a request has to be kept, where of the attributes in `uses` no more is read than that. One that has a slot
    /// and is not in there is kept whole. Without `uses`, all are.
    pub(in crate::policy) fn portions(&self, uses: Option<BTreeMap<u16, Use>>) -> Portions {
        let uses = uses.map(|uses| uses.into_iter().map(|(slot, part)| (slot, part.portion())).collect());
        let uses = uses.as_ref();
        let mut context = members([&self.context], uses);
        // What a request demands of the decision itself.
        context.insert("fallgate".into(), Portion::Whole);
        Portions {
            subject: of_types(&self.subject, uses),
            action: of_types(&self.action, uses),
            resource: of_types(&self.resource, uses),
            context: Portion::Named(Named::from(context)),
        }
    }

    fn all_fields(&self) -> impl Iterator<Item = &FieldSpec> {
        let types = [&self.subject, &self.action, &self.resource];
        let fields = types.into_iter().flat_map(|types| types.iter().map(|(_, fields)| fields));
        fields.chain([&self.context]).flat_map(|fields| &fields.0)
    }
}

/// Whether the schema says nothing of what is inside values of this type.
fn is_divisible(value_type: &ValueType) -> bool {
    match value_type {
        ValueType::Any => true,
        ValueType::Map(_, item) => **item == ValueType::Any,
        _ => false,
    }
}

/// Over all types of the entity: which of them a request is of may stand behind its attributes.
fn of_types(types: &Types, uses: Option<&BTreeMap<u16, Portion>>) -> Portion {
    Portion::Named(Named::from(members(types.iter().map(|(_, fields)| fields), uses)))
}

fn members<'f>(
    fields: impl IntoIterator<Item = &'f Fields>,
    uses: Option<&BTreeMap<u16, Portion>>,
) -> BTreeMap<Box<str>, Portion> {
    let mut members: BTreeMap<Box<str>, Portion> = BTreeMap::new();
    for spec in fields.into_iter().flat_map(|fields| &fields.0) {
        let portion = portion(spec, uses);
        match members.get_mut(&spec.name) {
            None => {
                members.insert(spec.name.clone(), portion);
            }
            Some(known) if *known == portion => {}
            Some(known) => *known = Portion::Whole,
        }
    }
    members
}

fn portion(spec: &FieldSpec, uses: Option<&BTreeMap<u16, Portion>>) -> Portion {
    match (uses, spec.slot) {
        (Some(uses), slot) if is_divisible(&spec.value_type) => match slot {
            // No rule reads it: that it is there, and of what type, is all that is asked.
            None => Portion::Named(Named::default()),
            Some(slot) => uses.get(&slot).cloned().unwrap_or_default(),
        },
        _ => Portion::Whole,
    }
}
