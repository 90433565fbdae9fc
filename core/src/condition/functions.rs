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
    Type,
    CharAt,
    IndexOf,
    LastIndexOf,
    Join,
    Replace,
    Split,
    Substring,
    Trim,
    Reverse,
    Quote,
    Format,
    Greatest,
    Least,
    Ceil,
    Floor,
    Round,
    Trunc,
    IsNan,
    IsInf,
    IsFinite,
    Abs,
    Sign,
    Sqrt,
    BitAnd,
    BitOr,
    BitXor,
    BitNot,
    BitShiftLeft,
    BitShiftRight,
    EncodeBase64,
    DecodeBase64,
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
    /// Of texts.
    Texts,
    /// A type itself.
    Type,
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
                | (Self::Type, ValueType::Type)
        ) || matches!((self, value_type), (Self::Texts, ValueType::List(item)) if matches!(**item, ValueType::Any | ValueType::String))
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
            Self::Texts => ValueType::List(Box::new(ValueType::String)),
            Self::Type => ValueType::Type,
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
        plain("type", &[K::Any], K::Type, F::Type),
        method("charAt", &[K::String, K::Int], K::String, F::CharAt),
        method("indexOf", &[K::String, K::String], K::Int, F::IndexOf),
        method("indexOf", &[K::String, K::String, K::Int], K::Int, F::IndexOf),
        method("lastIndexOf", &[K::String, K::String], K::Int, F::LastIndexOf),
        method("lastIndexOf", &[K::String, K::String, K::Int], K::Int, F::LastIndexOf),
        method("join", &[K::Texts], K::String, F::Join),
        method("join", &[K::Texts, K::String], K::String, F::Join),
        method("replace", &[K::String, K::String, K::String], K::String, F::Replace),
        method("replace", &[K::String, K::String, K::String, K::Int], K::String, F::Replace),
        method("split", &[K::String, K::String], K::Texts, F::Split),
        method("split", &[K::String, K::String, K::Int], K::Texts, F::Split),
        method("substring", &[K::String, K::Int], K::String, F::Substring),
        method("substring", &[K::String, K::Int, K::Int], K::String, F::Substring),
        method("trim", &[K::String], K::String, F::Trim),
        method("reverse", &[K::String], K::String, F::Reverse),
        method("format", &[K::String, K::List], K::String, F::Format),
        plain("strings.quote", &[K::String], K::String, F::Quote),
        plain("math.ceil", &[K::Double], K::Double, F::Ceil),
        plain("math.floor", &[K::Double], K::Double, F::Floor),
        plain("math.round", &[K::Double], K::Double, F::Round),
        plain("math.trunc", &[K::Double], K::Double, F::Trunc),
        plain("math.isNaN", &[K::Double], K::Bool, F::IsNan),
        plain("math.isInf", &[K::Double], K::Bool, F::IsInf),
        plain("math.isFinite", &[K::Double], K::Bool, F::IsFinite),
        plain("math.abs", &[K::Int], K::Int, F::Abs),
        plain("math.abs", &[K::UInt], K::UInt, F::Abs),
        plain("math.abs", &[K::Double], K::Double, F::Abs),
        plain("math.sign", &[K::Int], K::Int, F::Sign),
        plain("math.sign", &[K::UInt], K::UInt, F::Sign),
        plain("math.sign", &[K::Double], K::Double, F::Sign),
        plain("math.sqrt", &[K::Int], K::Double, F::Sqrt),
        plain("math.sqrt", &[K::UInt], K::Double, F::Sqrt),
        plain("math.sqrt", &[K::Double], K::Double, F::Sqrt),
        plain("math.bitAnd", &[K::Int, K::Int], K::Int, F::BitAnd),
        plain("math.bitAnd", &[K::UInt, K::UInt], K::UInt, F::BitAnd),
        plain("math.bitOr", &[K::Int, K::Int], K::Int, F::BitOr),
        plain("math.bitOr", &[K::UInt, K::UInt], K::UInt, F::BitOr),
        plain("math.bitXor", &[K::Int, K::Int], K::Int, F::BitXor),
        plain("math.bitXor", &[K::UInt, K::UInt], K::UInt, F::BitXor),
        plain("math.bitNot", &[K::Int], K::Int, F::BitNot),
        plain("math.bitNot", &[K::UInt], K::UInt, F::BitNot),
        plain("math.bitShiftLeft", &[K::Int, K::Int], K::Int, F::BitShiftLeft),
        plain("math.bitShiftLeft", &[K::UInt, K::Int], K::UInt, F::BitShiftLeft),
        plain("math.bitShiftRight", &[K::Int, K::Int], K::Int, F::BitShiftRight),
        plain("math.bitShiftRight", &[K::UInt, K::Int], K::UInt, F::BitShiftRight),
        plain("base64.encode", &[K::Bytes], K::String, F::EncodeBase64),
        plain("base64.decode", &[K::String], K::Bytes, F::DecodeBase64),
    ]
};

/// The functions of any number of numbers, which may also come as one list.
pub(super) fn of_many(name: &str) -> Option<Function> {
    match name {
        "math.greatest" => Some(Function::Greatest),
        "math.least" => Some(Function::Least),
        _ => None,
    }
}

/// Whether functions of that space have their names behind a dot, as in `math.abs`.
pub(super) fn is_space(name: &str) -> bool {
    matches!(name, "math" | "strings" | "base64" | "ip" | "cel")
}

/// The overloads of that name, called in that way.
pub(super) fn overloads(name: &str, method: bool) -> impl Iterator<Item = &'static Overload> + Clone {
    OVERLOADS.iter().filter(move |overload| overload.method == method && overload.name == name)
}
