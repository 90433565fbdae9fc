//! What is known of types when a condition is loaded: which can be equal, ordered, computed with.

use crate::value::Value;
use crate::value_type::{Field, ValueType};

use super::program::Operator;

/// Whether a type is a number.
pub(super) const fn is_number(value_type: &ValueType) -> bool {
    matches!(value_type, ValueType::Int | ValueType::UInt | ValueType::Double)
}

/// Whether values of the two types can ever be equal.
pub(super) fn can_be_equal(a: &ValueType, b: &ValueType) -> bool {
    use ValueType as T;
    match (a, b) {
        (T::Any, _) | (_, T::Any) => true,
        (T::List(a), T::List(b)) => can_be_equal(a, b),
        (T::Map(..) | T::Record(_), T::Map(..) | T::Record(_)) => true,
        (a, b) => (is_number(a) && is_number(b)) || a == b,
    }
}

/// Whether values of the two types can be ordered.
pub(super) fn can_be_ordered(a: &ValueType, b: &ValueType) -> bool {
    use ValueType as T;
    let ordered = |value_type: &T| {
        is_number(value_type)
            || matches!(value_type, T::Any | T::Bool | T::String | T::Bytes | T::Timestamp | T::Duration)
    };
    ordered(a) && ordered(b) && can_be_equal(a, b)
}

/// The type of `a op b`; nothing where there is no such operation.
pub(super) fn computed(operator: Operator, a: &ValueType, b: &ValueType) -> Option<ValueType> {
    use ValueType as T;
    let result = match (operator, a, b) {
        (Operator::Add, T::Any, _) | (Operator::Add, _, T::Any) => T::Any,
        (Operator::Subtract, T::Any, other) | (Operator::Subtract, other, T::Any)
            if is_number(other) || matches!(other, T::Any | T::Timestamp | T::Duration) =>
        {
            T::Any
        }
        (Operator::Multiply | Operator::Divide, T::Any, other)
        | (Operator::Multiply | Operator::Divide, other, T::Any)
            if is_number(other) || *other == T::Any =>
        {
            T::Any
        }
        (Operator::Remainder, T::Any, T::Any | T::Int | T::UInt) | (Operator::Remainder, T::Int | T::UInt, T::Any) => {
            T::Any
        }
        (_, T::Int, T::Int) => T::Int,
        (_, T::UInt, T::UInt) => T::UInt,
        (Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide, T::Double, T::Double) => T::Double,
        (Operator::Add, T::String, T::String) => T::String,
        (Operator::Add, T::Bytes, T::Bytes) => T::Bytes,
        (Operator::Add, T::List(a), T::List(b)) => T::List(Box::new(joined(a, b))),
        (Operator::Add, T::Timestamp, T::Duration)
        | (Operator::Add, T::Duration, T::Timestamp)
        | (Operator::Subtract, T::Timestamp, T::Duration) => T::Timestamp,
        (Operator::Add | Operator::Subtract, T::Duration, T::Duration)
        | (Operator::Subtract, T::Timestamp, T::Timestamp) => T::Duration,
        _ => return None,
    };
    Some(result)
}

/// The type of a value that may be of either.
pub(super) fn joined(a: &ValueType, b: &ValueType) -> ValueType {
    match (a, b) {
        (a, b) if a == b => a.clone(),
        (ValueType::List(a), ValueType::List(b)) => ValueType::List(Box::new(joined(a, b))),
        (ValueType::Map(key_a, a), ValueType::Map(key_b, b)) => {
            ValueType::Map(Box::new(joined(key_a, key_b)), Box::new(joined(a, b)))
        }
        _ => ValueType::Any,
    }
}

/// The type that all of them have, or else any.
pub(super) fn joined_all<'a>(types: impl IntoIterator<Item = &'a ValueType>) -> ValueType {
    let mut types = types.into_iter();
    let Some(first) = types.next() else { return ValueType::Any };
    types.fold(first.clone(), |all, next| if all == ValueType::Any { all } else { joined(&all, next) })
}

/// The type of a value of the pack's data, to the depth of one container: what lies deeper is checked when it is used.
pub(super) fn of_value(value: &Value) -> ValueType {
    let shallow = |value: &Value| match value {
        Value::List(_) => ValueType::List(Box::new(ValueType::Any)),
        Value::Map(_) => ValueType::Map(Box::new(ValueType::String), Box::new(ValueType::Any)),
        scalar => of_scalar(scalar),
    };
    match value {
        Value::List(items) => ValueType::List(Box::new(joined_all(&items.iter().map(shallow).collect::<Vec<_>>()))),
        Value::Map(map) => {
            let values: Vec<ValueType> = map.iter().map(|(_, value)| shallow(value)).collect();
            ValueType::Map(Box::new(ValueType::String), Box::new(joined_all(&values)))
        }
        scalar => of_scalar(scalar),
    }
}

fn of_scalar(value: &Value) -> ValueType {
    match value {
        Value::Null => ValueType::Null,
        Value::Bool(_) => ValueType::Bool,
        Value::Int(_) => ValueType::Int,
        Value::UInt(_) => ValueType::UInt,
        Value::Double(_) => ValueType::Double,
        Value::String(_) => ValueType::String,
        Value::List(_) | Value::Map(_) => ValueType::Any,
    }
}

/// The type that a macro's variable takes from what it goes through; nothing where that is no list and no map.
pub(super) fn element(range: &ValueType) -> Option<ValueType> {
    match range {
        ValueType::Any => Some(ValueType::Any),
        ValueType::List(item) => Some((**item).clone()),
        ValueType::Map(key, _) => Some((**key).clone()),
        ValueType::Record(_) => Some(ValueType::String),
        _ => None,
    }
}

/// The types that a macro's two variables take from what it goes through; nothing where that is no list and no map.
pub(super) fn pair(range: &ValueType) -> Option<(ValueType, ValueType)> {
    match range {
        ValueType::Any => Some((ValueType::Any, ValueType::Any)),
        ValueType::List(item) => Some((ValueType::Int, (**item).clone())),
        ValueType::Map(key, value) => Some(((**key).clone(), (**value).clone())),
        ValueType::Record(fields) => {
            Some((ValueType::String, joined_all(fields.values().map(|field| &field.value_type))))
        }
        _ => None,
    }
}

/// A field of a type, as far as the type says.
#[derive(Debug)]
pub(super) enum Member<'a> {
    /// The field is declared.
    Declared(&'a Field),
    /// It may be there; if it is, it has this type.
    Possible(ValueType),
    /// The type has other fields.
    Unknown(Option<String>),
    /// The type has no fields at all.
    NoFields,
}

/// What a type says of its field `name`.
pub(super) fn member<'a>(value_type: &'a ValueType, name: &str) -> Member<'a> {
    match value_type {
        ValueType::Any => Member::Possible(ValueType::Any),
        ValueType::Map(key, value) if matches!(**key, ValueType::String | ValueType::Any) => {
            Member::Possible((**value).clone())
        }
        ValueType::Record(fields) => match fields.get(name) {
            Some(field) => Member::Declared(field),
            None => Member::Unknown(crate::error::nearest(name, fields.keys().map(|field| &**field))),
        },
        _ => Member::NoFields,
    }
}
