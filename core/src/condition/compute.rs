//! What operators and functions make of their operands.

use std::cell::Cell;
use std::fmt::Write as _;
use std::net::IpAddr;

use bumpalo::Bump;
use bumpalo::collections::{String as ArenaString, Vec as ArenaVec};

use crate::value::{Cidr, SignedDuration, Timestamp, View, parse_ip};

use super::Cause;
use super::compare::{self, bytes_cost, charge};
use super::eval::Outcome;
use super::functions::Function;
use super::program::Operator;
use super::text::{double_text, duration_text, is_duration, parse_duration, parse_timestamp};
use super::{encoders, format, math, strings};

/// Where values are made, and how much may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory<'a> {
    pub(super) arena: &'a Bump,
    pub(super) bytes_max: usize,
    pub(super) steps_left: &'a Cell<u32>,
}

impl<'a> Memory<'a> {
    /// Asks for so many bytes, before they are taken.
    pub(super) fn reserve(self, bytes: usize) -> Result<(), Cause> {
        let after = self.arena.allocated_bytes().saturating_add(bytes);
        if after > self.bytes_max { Err(Cause::Limit) } else { charge(self.steps_left, bytes_cost(bytes)) }
    }

    /// An empty vector with room for so many entries.
    pub(super) fn vec<T>(self, capacity: usize) -> Result<ArenaVec<'a, T>, Cause> {
        self.reserve(capacity.saturating_mul(size_of::<T>()))?;
        Ok(ArenaVec::with_capacity_in(capacity, self.arena))
    }

    /// An empty text with room for so many bytes.
    pub(super) fn text(self, bytes: usize) -> Result<ArenaString<'a>, Cause> {
        self.reserve(bytes)?;
        Ok(ArenaString::with_capacity_in(bytes, self.arena))
    }
}

impl<'a> Memory<'a> {
    /// So many bytes, all zero.
    pub(super) fn bytes(self, length: usize) -> Result<ArenaVec<'a, u8>, Cause> {
        let mut bytes = self.vec(length)?;
        bytes.resize(length, 0);
        Ok(bytes)
    }
}

/// `-value`.
pub(super) fn negated(value: View<'_>) -> Outcome<'_> {
    match value {
        View::Int(value) => value.checked_neg().map(View::Int).ok_or(Cause::Arithmetic),
        View::Double(value) => Ok(View::Double(-value)),
        _ => Err(Cause::WrongType),
    }
}

/// `left operator right`.
pub(super) fn computed<'a>(operator: Operator, left: View<'a>, right: View<'a>, memory: Memory<'a>) -> Outcome<'a> {
    use View as V;
    let computed = match (left, right) {
        (V::Int(a), V::Int(b)) => match operator {
            Operator::Add => a.checked_add(b),
            Operator::Subtract => a.checked_sub(b),
            Operator::Multiply => a.checked_mul(b),
            Operator::Divide => a.checked_div(b),
            Operator::Remainder => a.checked_rem(b),
        }
        .map(V::Int),
        (V::UInt(a), V::UInt(b)) => match operator {
            Operator::Add => a.checked_add(b),
            Operator::Subtract => a.checked_sub(b),
            Operator::Multiply => a.checked_mul(b),
            Operator::Divide => a.checked_div(b),
            Operator::Remainder => a.checked_rem(b),
        }
        .map(V::UInt),
        (V::Double(a), V::Double(b)) => Some(V::Double(match operator {
            Operator::Add => a + b,
            Operator::Subtract => a - b,
            Operator::Multiply => a * b,
            Operator::Divide => a / b,
            Operator::Remainder => return Err(Cause::WrongType),
        })),
        _ => return joined(operator, left, right, memory),
    };
    computed.ok_or(Cause::Arithmetic)
}

/// `+` and `-` on what is no number.
fn joined<'a>(operator: Operator, left: View<'a>, right: View<'a>, memory: Memory<'a>) -> Outcome<'a> {
    use View as V;
    match (operator, left, right) {
        (Operator::Add, V::Str(a), V::Str(b)) => {
            let mut text = memory.text(a.len().saturating_add(b.len()))?;
            text.push_str(a);
            text.push_str(b);
            Ok(V::Str(text.into_bump_str()))
        }
        (Operator::Add, V::Bytes(a), V::Bytes(b)) => {
            let mut bytes = memory.vec(a.len().saturating_add(b.len()))?;
            bytes.extend_from_slice(a);
            bytes.extend_from_slice(b);
            Ok(V::Bytes(bytes.into_bump_slice()))
        }
        (Operator::Add, V::List(_) | V::Items(_), V::List(_) | V::Items(_)) => {
            let mut items = memory.vec(compare::length(left).saturating_add(compare::length(right)))?;
            items.extend(compare::elements(left).chain(compare::elements(right)));
            Ok(V::Items(items.into_bump_slice()))
        }
        (Operator::Add, V::Timestamp(at), V::Duration(by)) | (Operator::Add, V::Duration(by), V::Timestamp(at)) => {
            timestamp(at.checked_add(by))
        }
        (Operator::Subtract, V::Timestamp(at), V::Duration(by)) => timestamp(at.checked_sub(by)),
        (Operator::Subtract, V::Timestamp(a), V::Timestamp(b)) => duration(Some(a.duration_since(b))),
        (Operator::Add, V::Duration(a), V::Duration(b)) => duration(a.checked_add(b)),
        (Operator::Subtract, V::Duration(a), V::Duration(b)) => duration(a.checked_sub(b)),
        _ => Err(Cause::WrongType),
    }
}

fn timestamp<'a>(value: Option<Timestamp>) -> Outcome<'a> {
    value.map(View::Timestamp).ok_or(Cause::Arithmetic)
}

fn duration<'a>(value: Option<SignedDuration>) -> Outcome<'a> {
    value.filter(|value| is_duration(*value)).map(View::Duration).ok_or(Cause::Arithmetic)
}

/// `operand[index]`.
pub(super) fn indexed<'a>(operand: View<'a>, index: View<'_>, steps_left: &Cell<u32>) -> Outcome<'a> {
    match operand {
        View::List(_) | View::Items(_) => {
            let at = match index {
                View::Int(at) => usize::try_from(at).ok(),
                View::UInt(at) => usize::try_from(at).ok(),
                View::Double(at) => match whole(at) {
                    Some(at) => usize::try_from(at).ok(),
                    None => return Err(Cause::InvalidArgument),
                },
                _ => return Err(Cause::WrongType),
            };
            at.and_then(|at| compare::element(operand, at)).ok_or(Cause::IndexOutOfRange)
        }
        View::Map(_) | View::Fields(_) | View::Entries(_) => {
            compare::lookup(operand, index, steps_left)?.ok_or(Cause::Missing)
        }
        _ => Err(Cause::WrongType),
    }
}

/// A double that is a whole number, as one.
fn whole(double: f64) -> Option<i64> {
    (double.trunc() == double).then(|| int_of(double)).flatten()
}

/// A double without its fraction, if it fits strictly between the ends of `i64`, as CEL demands.
#[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
fn int_of(double: f64) -> Option<i64> {
    (double > -9_223_372_036_854_775_808.0 && double < 9_223_372_036_854_775_808.0).then_some(double as i64)
}

/// A double without its fraction, if it fits `u64`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
fn uint_of(double: f64) -> Option<u64> {
    (0.0..18_446_744_073_709_551_616.0).contains(&double).then_some(double as u64)
}

/// Calls a function.
pub(super) fn call<'a>(function: Function, arguments: &[View<'a>], memory: Memory<'a>) -> Outcome<'a> {
    use Function as F;
    use View as V;
    let Some(first) = arguments.first().copied() else { return Err(Cause::Internal) };
    let second = arguments.get(1).copied();
    match function {
        F::Size => size(first, memory.steps_left),
        F::StartsWith | F::EndsWith | F::Contains => {
            let (V::Str(text), Some(V::Str(part))) = (first, second) else { return Err(Cause::WrongType) };
            charge(memory.steps_left, bytes_cost(text.len()))?;
            Ok(V::Bool(match function {
                F::StartsWith => text.starts_with(part),
                F::EndsWith => text.ends_with(part),
                _ => text.contains(part),
            }))
        }
        F::LowerAscii | F::UpperAscii => {
            let V::Str(from) = first else { return Err(Cause::WrongType) };
            let mut text = memory.text(from.len())?;
            text.push_str(from);
            if function == F::LowerAscii {
                text.make_ascii_lowercase();
            } else {
                text.make_ascii_uppercase();
            }
            Ok(V::Str(text.into_bump_str()))
        }
        F::Timestamp => match first {
            V::Timestamp(_) => Ok(first),
            V::Str(text) => parse_timestamp(text).map(V::Timestamp).ok_or(Cause::InvalidArgument),
            V::Int(second) => timestamp(Timestamp::from_second(second)),
            _ => Err(Cause::WrongType),
        },
        F::Duration => match first {
            V::Duration(_) => Ok(first),
            V::Str(text) => parse_duration(text).map(V::Duration).ok_or(Cause::InvalidArgument),
            _ => Err(Cause::WrongType),
        },
        F::Int | F::UInt | F::Double | F::Bool => to_scalar(function, first),
        F::String => to_text(first, memory),
        F::Bytes => match first {
            V::Bytes(_) => Ok(first),
            V::Str(text) => Ok(V::Bytes(text.as_bytes())),
            _ => Err(Cause::WrongType),
        },
        F::Dyn => Ok(first),
        F::Ip | F::Cidr | F::IsIp | F::IsCidr | F::IsCanonicalIp => from_network_text(function, first),
        F::ContainsIp | F::ContainsCidr => contained(function, first, second),
        F::NetworkAddress | F::PrefixLength | F::Masked => {
            let V::Cidr(network) = first else { return Err(Cause::WrongType) };
            Ok(match function {
                F::NetworkAddress => V::Ip(network.address()),
                F::PrefixLength => V::Int(i64::from(network.prefix())),
                _ => V::Cidr(network.masked()),
            })
        }
        F::Family
        | F::IsLoopback
        | F::IsUnspecified
        | F::IsGlobalUnicast
        | F::IsLinkLocalMulticast
        | F::IsLinkLocalUnicast => {
            let V::Ip(ip) = first else { return Err(Cause::WrongType) };
            Ok(of_address(function, ip))
        }
        F::Type => Ok(V::Type(super::type_name::of(first))),
        F::CharAt
        | F::IndexOf
        | F::LastIndexOf
        | F::Join
        | F::Replace
        | F::Split
        | F::Substring
        | F::Trim
        | F::Reverse
        | F::Quote => strings::call(function, arguments, memory),
        F::Format => match (first, second) {
            (V::Str(text), Some(list)) => format::formatted(text, list, memory),
            _ => Err(Cause::WrongType),
        },
        F::EncodeBase64 => encoders::encoded(first, memory),
        F::DecodeBase64 => encoders::decoded(first, memory),
        F::Greatest
        | F::Least
        | F::Ceil
        | F::Floor
        | F::Round
        | F::Trunc
        | F::IsNan
        | F::IsInf
        | F::IsFinite
        | F::Abs
        | F::Sign
        | F::Sqrt
        | F::BitAnd
        | F::BitOr
        | F::BitXor
        | F::BitNot
        | F::BitShiftLeft
        | F::BitShiftRight => math::call(function, arguments, memory),
    }
}

fn size<'a>(value: View<'a>, steps_left: &Cell<u32>) -> Outcome<'a> {
    let size = match value {
        View::Str(text) => {
            charge(steps_left, bytes_cost(text.len()))?;
            text.chars().count()
        }
        View::Bytes(bytes) => bytes.len(),
        View::List(_) | View::Items(_) | View::Map(_) | View::Fields(_) | View::Entries(_) => compare::length(value),
        _ => return Err(Cause::WrongType),
    };
    i64::try_from(size).map(View::Int).map_err(|_| Cause::Arithmetic)
}

/// The conversions to numbers and booleans.
#[allow(clippy::cast_precision_loss, reason = "CEL rounds whole numbers that no double has")]
fn to_scalar(function: Function, value: View<'_>) -> Outcome<'_> {
    use View as V;
    match (function, value) {
        (Function::Int, V::Int(_))
        | (Function::UInt, V::UInt(_))
        | (Function::Double, V::Double(_))
        | (Function::Bool, V::Bool(_)) => Ok(value),
        (Function::Int, V::UInt(value)) => i64::try_from(value).map(V::Int).map_err(|_| Cause::Arithmetic),
        (Function::Int, V::Double(value)) => int_of(value).map(V::Int).ok_or(Cause::Arithmetic),
        (Function::Int, V::Timestamp(value)) => Ok(V::Int(value.as_second())),
        (Function::Int, V::Str(text)) => text.parse().map(V::Int).map_err(|_| Cause::InvalidArgument),
        (Function::UInt, V::Int(value)) => u64::try_from(value).map(V::UInt).map_err(|_| Cause::Arithmetic),
        (Function::UInt, V::Double(value)) => uint_of(value).map(V::UInt).ok_or(Cause::Arithmetic),
        (Function::UInt, V::Str(text)) if text.starts_with('+') => Err(Cause::InvalidArgument),
        (Function::UInt, V::Str(text)) => text.parse().map(V::UInt).map_err(|_| Cause::InvalidArgument),
        (Function::Double, V::Int(value)) => Ok(V::Double(value as f64)),
        (Function::Double, V::UInt(value)) => Ok(V::Double(value as f64)),
        (Function::Double, V::Str(text)) => text.parse().map(V::Double).map_err(|_| Cause::InvalidArgument),
        (Function::Bool, V::Str(text)) => match text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(V::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(V::Bool(false)),
            _ => Err(Cause::InvalidArgument),
        },
        _ => Err(Cause::WrongType),
    }
}

/// `string(value)`.
fn to_text<'a>(value: View<'a>, memory: Memory<'a>) -> Outcome<'a> {
    use View as V;
    /// More than any of these takes, a double's 17 digits, sign and exponent among them.
    const BYTES_MAX: usize = 400;
    match value {
        V::Str(_) => return Ok(value),
        V::Bytes(bytes) => {
            return std::str::from_utf8(bytes).map(V::Str).map_err(|_| Cause::InvalidArgument);
        }
        _ => {}
    }
    let mut scratch = arrayvec::ArrayString::<BYTES_MAX>::new();
    let written = match value {
        V::Bool(value) => write!(scratch, "{value}"),
        V::Int(value) => write!(scratch, "{value}"),
        V::UInt(value) => write!(scratch, "{value}"),
        V::Double(value) => double_text(value, &mut scratch),
        V::Timestamp(value) => write!(scratch, "{value}"),
        V::Duration(value) => duration_text(value, &mut scratch),
        V::Ip(value) => write!(scratch, "{value}"),
        V::Cidr(value) => write!(scratch, "{}/{}", value.address(), value.prefix()),
        _ => return Err(Cause::WrongType),
    };
    written.map_err(|_| Cause::Internal)?;
    let mut text = memory.text(scratch.len())?;
    text.push_str(&scratch);
    Ok(V::Str(text.into_bump_str()))
}

/// The functions that read an address or a network.
fn from_network_text(function: Function, value: View<'_>) -> Outcome<'_> {
    use View as V;
    let text = match (function, value) {
        (Function::Ip, V::Ip(_)) | (Function::Cidr, V::Cidr(_)) => return Ok(value),
        (_, V::Str(text)) => text,
        _ => return Err(Cause::WrongType),
    };
    match function {
        Function::Ip => parse_ip(text).map(V::Ip).ok_or(Cause::InvalidArgument),
        Function::Cidr => Cidr::parse(text).map(V::Cidr).ok_or(Cause::InvalidArgument),
        Function::IsIp => Ok(V::Bool(parse_ip(text).is_some())),
        Function::IsCidr => Ok(V::Bool(Cidr::parse(text).is_some())),
        _ => {
            let ip = parse_ip(text).ok_or(Cause::InvalidArgument)?;
            let mut canonical = arrayvec::ArrayString::<48>::new();
            write!(canonical, "{ip}").map_err(|_| Cause::Internal)?;
            Ok(V::Bool(canonical.as_str() == text))
        }
    }
}

/// `network.containsIP(ip)` and `network.containsCIDR(other)`.
fn contained<'a>(function: Function, network: View<'a>, part: Option<View<'a>>) -> Outcome<'a> {
    let (View::Cidr(network), Some(part)) = (network, part) else { return Err(Cause::WrongType) };
    let contained = match (function, part) {
        (Function::ContainsIp, View::Ip(ip)) => network.contains(ip),
        (Function::ContainsIp, View::Str(text)) => network.contains(parse_ip(text).ok_or(Cause::InvalidArgument)?),
        (Function::ContainsCidr, View::Cidr(other)) => contains_network(&network, &other),
        (Function::ContainsCidr, View::Str(text)) => {
            contains_network(&network, &Cidr::parse(text).ok_or(Cause::InvalidArgument)?)
        }
        _ => return Err(Cause::WrongType),
    };
    Ok(View::Bool(contained))
}

fn contains_network(outer: &Cidr, inner: &Cidr) -> bool {
    outer.prefix() <= inner.prefix() && outer.contains(inner.address())
}

/// What kind of address it is.
fn of_address<'a>(function: Function, ip: IpAddr) -> View<'a> {
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let link_local_multicast = match ip {
        IpAddr::V4(ip) => matches!(ip.octets(), [224, 0, 0, _]),
        IpAddr::V6(ip) => matches!(ip.octets(), [0xff, scope, ..] if scope & 0x0f == 0x02),
    };
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    match function {
        Function::Family => View::Int(if ip.is_ipv4() { 4 } else { 6 }),
        Function::IsLoopback => View::Bool(ip.is_loopback()),
        Function::IsUnspecified => View::Bool(ip.is_unspecified()),
        Function::IsLinkLocalMulticast => View::Bool(link_local_multicast),
        Function::IsLinkLocalUnicast => View::Bool(link_local),
        _ => View::Bool(!(broadcast || ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || link_local)),
    }
}
