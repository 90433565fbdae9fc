//! A value as its declared type has it.

use bumpalo::Bump;

use crate::condition::text::{parse_duration, parse_timestamp};
use crate::value::{Cidr, View, parse_ip};
use crate::value_type::{Field, ValueType};

/// The value as its declared type has it; nothing where it is of another type.
///
/// Nothing is coerced but texts that are declared to be a timestamp, a duration or an address, and whole numbers that are
/// declared to be a `uint` or `double`. A double is finite: no JSON brings another.
pub(in crate::policy) fn typed<'a>(value: View<'a>, value_type: &ValueType, arena: &'a Bump) -> Option<View<'a>> {
    match (value_type, value) {
        (ValueType::Any, _)
        | (ValueType::Null, View::Null)
        | (ValueType::Bool, View::Bool(_))
        | (ValueType::Int, View::Int(_))
        | (ValueType::UInt, View::UInt(_))
        | (ValueType::String, View::Str(_)) => Some(value),
        (ValueType::Double, View::Double(number)) => number.is_finite().then_some(value),
        (ValueType::UInt, View::Int(number)) => u64::try_from(number).ok().map(View::UInt),
        (ValueType::Double, View::Int(number)) => exact_double(number).map(View::Double),
        (ValueType::Timestamp, View::Str(text)) => parse_timestamp(text).map(View::Timestamp),
        (ValueType::Duration, View::Str(text)) => parse_duration(text).map(View::Duration),
        (ValueType::Ip, View::Str(text)) => parse_ip(text).map(View::Ip),
        (ValueType::Cidr, View::Str(text)) => Cidr::parse(text).map(View::Cidr),
        (ValueType::List(item), View::List(_) | View::Items(_)) => {
            if as_it_stands(item) {
                return fits(value, value_type).then_some(value);
            }
            let mut items = bumpalo::collections::Vec::new_in(arena);
            for value in elements(value) {
                items.push(typed(value, item, arena)?);
            }
            Some(View::Items(items.into_bump_slice()))
        }
        (ValueType::Map(_, item), View::Map(_) | View::Fields(_)) => {
            if as_it_stands(item) {
                return fits(value, value_type).then_some(value);
            }
            let mut entries = bumpalo::collections::Vec::new_in(arena);
            for (name, value) in members(value) {
                entries.push((View::Str(name), typed(value, item, arena)?));
            }
            Some(View::Entries(entries.into_bump_slice()))
        }
        (ValueType::Record(fields), View::Map(_) | View::Fields(_)) => {
            if as_it_stands(value_type) {
                return fits(value, value_type).then_some(value);
            }
            if !has_required(value, fields) {
                return None;
            }
            let mut entries = bumpalo::collections::Vec::new_in(arena);
            for (name, value) in members(value) {
                let view = match fields.get(name) {
                    Some(field) => typed(value, &field.value_type, arena)?,
                    None => value,
                };
                entries.push((View::Str(name), view));
            }
            Some(View::Entries(entries.into_bump_slice()))
        }
        _ => None,
    }
}

/// Whether values of this type are used as they came in, without a conversion at any depth.
fn as_it_stands(value_type: &ValueType) -> bool {
    match value_type {
        ValueType::Any | ValueType::Null | ValueType::Bool | ValueType::Int | ValueType::String => true,
        ValueType::List(item) | ValueType::Map(_, item) => as_it_stands(item),
        ValueType::Record(fields) => fields.values().all(|field| as_it_stands(&field.value_type)),
        _ => false,
    }
}

/// Whether the value is of a type that is used as it stands.
fn fits(value: View<'_>, value_type: &ValueType) -> bool {
    match (value_type, value) {
        (ValueType::Any, _)
        | (ValueType::Null, View::Null)
        | (ValueType::Bool, View::Bool(_))
        | (ValueType::Int, View::Int(_))
        | (ValueType::String, View::Str(_)) => true,
        (ValueType::List(item), View::List(values)) => values.iter().all(|value| fits(View::from(value), item)),
        (ValueType::List(item), View::Items(items)) => items.iter().all(|value| fits(*value, item)),
        (ValueType::Map(_, item), View::Map(_) | View::Fields(_)) => members(value).all(|(_, value)| fits(value, item)),
        (ValueType::Record(fields), View::Map(_) | View::Fields(_)) => {
            has_required(value, fields)
                && members(value)
                    .all(|(name, value)| fields.get(name).is_none_or(|field| fits(value, &field.value_type)))
        }
        _ => false,
    }
}

fn has_required(value: View<'_>, fields: &std::collections::BTreeMap<Box<str>, Field>) -> bool {
    let has = |name: &str| match value {
        View::Map(map) => map.get(name).is_some(),
        View::Fields(fields) => fields.get(name).is_some(),
        _ => false,
    };
    fields.iter().all(|(name, field)| field.optional || has(name))
}

/// The items of a list, whoever holds it.
fn elements(value: View<'_>) -> impl Iterator<Item = View<'_>> {
    let owned = if let View::List(values) = value { values } else { &[] };
    let held = if let View::Items(items) = value { items } else { &[] };
    owned.iter().map(View::from).chain(held.iter().copied())
}

/// The members of a map with names, whoever holds it, in byte order of the names.
fn members(value: View<'_>) -> impl Iterator<Item = (&str, View<'_>)> {
    let owned = if let View::Map(map) = value { map.entries() } else { &[] };
    let held = if let View::Fields(fields) = value { fields.entries() } else { &[] };
    owned.iter().map(|(name, value)| (&**name, View::from(value))).chain(held.iter().copied())
}

/// The number as a double, where that is the same number.
fn exact_double(number: i64) -> Option<f64> {
    const EXACT: u64 = 1 << 53;
    #[allow(clippy::cast_precision_loss, reason = "the number is at most 2^53")]
    (number.unsigned_abs() <= EXACT).then_some(number as f64)
}
