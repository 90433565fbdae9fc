//! The static type of a value: what a schema declares and what a condition's compiler checks.

use std::collections::BTreeMap;
use std::fmt;

/// The type of an attribute, or of a sub-expression of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// Any value: checked when it is used, not when it is loaded.
    Any,
    /// `null`.
    Null,
    /// `bool`.
    Bool,
    /// `int`: 64 bits with a sign.
    Int,
    /// `uint`: 64 bits without a sign.
    UInt,
    /// `double`.
    Double,
    /// `string`.
    String,
    /// `bytes`.
    Bytes,
    /// `timestamp`: RFC 3339 text in a request.
    Timestamp,
    /// `duration`: text such as `1h30m` in a request, as CEL's `duration()` reads it.
    Duration,
    /// `ip`: an IPv4 or IPv6 address, as text in a request.
    Ip,
    /// `cidr`: a network, as text in a request.
    Cidr,
    /// `[T]`: a list of one type.
    List(Box<ValueType>),
    /// A map: any keys of the first type, values of the second. A schema's `{ "*": T }` has `string` keys.
    Map(Box<ValueType>, Box<ValueType>),
    /// `{ field: T, … }`: named fields, each with a type and whether it may be absent.
    Record(BTreeMap<Box<str>, Field>),
    /// A CEL type itself, the value of `type(x)`.
    Type,
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The type of its value.
    pub value_type: ValueType,
    /// Whether it may be absent.
    pub optional: bool,
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::UInt => f.write_str("uint"),
            Self::Double => f.write_str("double"),
            Self::String => f.write_str("string"),
            Self::Bytes => f.write_str("bytes"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Duration => f.write_str("duration"),
            Self::Ip => f.write_str("ip"),
            Self::Cidr => f.write_str("cidr"),
            Self::List(item) => write!(f, "[{item}]"),
            Self::Map(key, value) if **key == Self::String => write!(f, "{{\"*\": {value}}}"),
            Self::Map(key, value) => write!(f, "map({key}, {value})"),
            Self::Record(fields) => {
                f.write_str("{")?;
                for (at, (name, field)) in fields.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    let mark = if field.optional { "?" } else { "" };
                    write!(f, "{comma}{name}{mark}: {}", field.value_type)?;
                }
                f.write_str("}")
            }
            Self::Type => f.write_str("type"),
        }
    }
}
