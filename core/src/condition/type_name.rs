//! The names of CEL's types, which are values themselves: what `type(x)` gives.

use crate::value::View;

/// Every type, by its name.
const NAMES: [&str; 14] = [
    "null_type",
    "bool",
    "int",
    "uint",
    "double",
    "string",
    "bytes",
    "list",
    "map",
    "type",
    "google.protobuf.Timestamp",
    "google.protobuf.Duration",
    "net.IP",
    "net.CIDR",
];

/// The type of that name.
pub(super) fn named(name: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|known| *known == name)
}

/// The name of a value's type.
pub(super) const fn of(value: View<'_>) -> &'static str {
    match value {
        View::Null => "null_type",
        View::Bool(_) => "bool",
        View::Int(_) => "int",
        View::UInt(_) => "uint",
        View::Double(_) => "double",
        View::Str(_) => "string",
        View::Bytes(_) => "bytes",
        View::List(_) | View::Items(_) => "list",
        View::Map(_) | View::Fields(_) | View::Entries(_) => "map",
        View::Type(_) => "type",
        View::Timestamp(_) => "google.protobuf.Timestamp",
        View::Duration(_) => "google.protobuf.Duration",
        View::Ip(_) => "net.IP",
        View::Cidr(_) => "net.CIDR",
    }
}
