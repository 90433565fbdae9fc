//! The functions of CEL, as a table: what may be called, with which types, and what comes of it.

use crate::value_type::ValueType;

/// A function, by name; which overload is meant is settled by the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    StartsWith,
    EndsWith,
    Contains,
    LowerAscii,
    UpperAscii,
    Timestamp,
    Duration,
    Int,
    UInt,
    Double,
    String,
    Bool,
    Bytes,
    Dyn,
    Ip,
    Cidr,
    IsIp,
    IsCidr,
    ContainsIp,
    ContainsCidr,
    Family,
    IsLoopback,
    IsUnspecified,
    IsGlobalUnicast,
    IsLinkLocalMulticast,
    IsLinkLocalUnicast,
    IsCanonicalIp,
    NetworkAddress,
    PrefixLength,
    Masked,
}

/// The type of a parameter or a result, written so that a table can hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    Bool,
    Int,
    UInt,
    Double,
    String,
    Bytes,
    Timestamp,
    Duration,
    Ip,
    Cidr,
    /// Of anything.
    List,
    /// Of anything, and records.
    Map,
}

impl Kind {
    /// Whether a value of that type may be passed for it.
    pub(super) const fn takes(self, value_type: &ValueType) -> bool {
        matches!(
            (self, value_type),
            (Self::Any, _)
                | (_, ValueType::Any)
                | (Self::Bool, ValueType::Bool)
                | (Self::Int, ValueType::Int)
                | (Self::UInt, ValueType::UInt)
                | (Self::Double, ValueType::Double)
                | (Self::String, ValueType::String)
                | (Self::Bytes, ValueType::Bytes)
                | (Self::Timestamp, ValueType::Timestamp)
                | (Self::Duration, ValueType::Duration)
                | (Self::Ip, ValueType::Ip)
                | (Self::Cidr, ValueType::Cidr)
                | (Self::List, ValueType::List(_))
                | (Self::Map, ValueType::Map(..) | ValueType::Record(_))
        )
    }

    /// As a type; containers hold anything.
    pub(super) fn value_type(self) -> ValueType {
        match self {
            Self::Any => ValueType::Any,
            Self::Bool => ValueType::Bool,
            Self::Int => ValueType::Int,
            Self::UInt => ValueType::UInt,
            Self::Double => ValueType::Double,
            Self::String => ValueType::String,
            Self::Bytes => ValueType::Bytes,
            Self::Timestamp => ValueType::Timestamp,
            Self::Duration => ValueType::Duration,
            Self::Ip => ValueType::Ip,
            Self::Cidr => ValueType::Cidr,
            Self::List => ValueType::List(Box::new(ValueType::Any)),
            Self::Map => ValueType::Map(Box::new(ValueType::Any), Box::new(ValueType::Any)),
        }
    }
}

/// One way to call a function.
#[derive(Debug)]
pub(super) struct Overload {
    pub(super) name: &'static str,
    /// Whether it is called on its first parameter: `x.f(y)`, and not `f(x, y)`.
    pub(super) method: bool,
    pub(super) parameters: &'static [Kind],
    pub(super) result: Kind,
    pub(super) function: Function,
}

const fn plain(name: &'static str, parameters: &'static [Kind], result: Kind, function: Function) -> Overload {
    Overload { name, method: false, parameters, result, function }
}

const fn method(name: &'static str, parameters: &'static [Kind], result: Kind, function: Function) -> Overload {
    Overload { name, method: true, parameters, result, function }
}

/// Every overload.
pub(super) const OVERLOADS: &[Overload] = {
    use Function as F;
    use Kind as K;
    &[
        plain("size", &[K::String], K::Int, F::Size),
        plain("size", &[K::Bytes], K::Int, F::Size),
        plain("size", &[K::List], K::Int, F::Size),
        plain("size", &[K::Map], K::Int, F::Size),
        method("size", &[K::String], K::Int, F::Size),
        method("size", &[K::Bytes], K::Int, F::Size),
        method("size", &[K::List], K::Int, F::Size),
        method("size", &[K::Map], K::Int, F::Size),
        method("startsWith", &[K::String, K::String], K::Bool, F::StartsWith),
        method("endsWith", &[K::String, K::String], K::Bool, F::EndsWith),
        method("contains", &[K::String, K::String], K::Bool, F::Contains),
        method("lowerAscii", &[K::String], K::String, F::LowerAscii),
        method("upperAscii", &[K::String], K::String, F::UpperAscii),
        plain("timestamp", &[K::String], K::Timestamp, F::Timestamp),
        plain("timestamp", &[K::Int], K::Timestamp, F::Timestamp),
        plain("timestamp", &[K::Timestamp], K::Timestamp, F::Timestamp),
        plain("duration", &[K::String], K::Duration, F::Duration),
        plain("duration", &[K::Duration], K::Duration, F::Duration),
        plain("int", &[K::Int], K::Int, F::Int),
        plain("int", &[K::UInt], K::Int, F::Int),
        plain("int", &[K::Double], K::Int, F::Int),
        plain("int", &[K::String], K::Int, F::Int),
        plain("int", &[K::Timestamp], K::Int, F::Int),
        plain("uint", &[K::Int], K::UInt, F::UInt),
        plain("uint", &[K::UInt], K::UInt, F::UInt),
        plain("uint", &[K::Double], K::UInt, F::UInt),
        plain("uint", &[K::String], K::UInt, F::UInt),
        plain("double", &[K::Int], K::Double, F::Double),
        plain("double", &[K::UInt], K::Double, F::Double),
        plain("double", &[K::Double], K::Double, F::Double),
        plain("double", &[K::String], K::Double, F::Double),
        plain("string", &[K::String], K::String, F::String),
        plain("string", &[K::Bool], K::String, F::String),
        plain("string", &[K::Int], K::String, F::String),
        plain("string", &[K::UInt], K::String, F::String),
        plain("string", &[K::Double], K::String, F::String),
        plain("string", &[K::Bytes], K::String, F::String),
        plain("string", &[K::Timestamp], K::String, F::String),
        plain("string", &[K::Duration], K::String, F::String),
        plain("string", &[K::Ip], K::String, F::String),
        plain("string", &[K::Cidr], K::String, F::String),
        plain("bool", &[K::Bool], K::Bool, F::Bool),
        plain("bool", &[K::String], K::Bool, F::Bool),
        plain("bytes", &[K::Bytes], K::Bytes, F::Bytes),
        plain("bytes", &[K::String], K::Bytes, F::Bytes),
        plain("dyn", &[K::Any], K::Any, F::Dyn),
        plain("ip", &[K::String], K::Ip, F::Ip),
        plain("ip", &[K::Ip], K::Ip, F::Ip),
        plain("cidr", &[K::String], K::Cidr, F::Cidr),
        plain("cidr", &[K::Cidr], K::Cidr, F::Cidr),
        plain("isIP", &[K::String], K::Bool, F::IsIp),
        plain("isCIDR", &[K::String], K::Bool, F::IsCidr),
        plain("ip.isCanonical", &[K::String], K::Bool, F::IsCanonicalIp),
        method("containsIP", &[K::Cidr, K::Ip], K::Bool, F::ContainsIp),
        method("containsIP", &[K::Cidr, K::String], K::Bool, F::ContainsIp),
        method("containsCIDR", &[K::Cidr, K::Cidr], K::Bool, F::ContainsCidr),
        method("containsCIDR", &[K::Cidr, K::String], K::Bool, F::ContainsCidr),
        method("ip", &[K::Cidr], K::Ip, F::NetworkAddress),
        method("prefixLength", &[K::Cidr], K::Int, F::PrefixLength),
        method("masked", &[K::Cidr], K::Cidr, F::Masked),
        method("family", &[K::Ip], K::Int, F::Family),
        method("isLoopback", &[K::Ip], K::Bool, F::IsLoopback),
        method("isUnspecified", &[K::Ip], K::Bool, F::IsUnspecified),
        method("isGlobalUnicast", &[K::Ip], K::Bool, F::IsGlobalUnicast),
        method("isLinkLocalMulticast", &[K::Ip], K::Bool, F::IsLinkLocalMulticast),
        method("isLinkLocalUnicast", &[K::Ip], K::Bool, F::IsLinkLocalUnicast),
    ]
};

/// The overloads of that name, called in that way.
pub(super) fn overloads(name: &str, method: bool) -> impl Iterator<Item = &'static Overload> + Clone {
    OVERLOADS.iter().filter(move |overload| overload.method == method && overload.name == name)
}
