//! The functions of CEL's math extension.

use std::cmp::Ordering;

use crate::value::View;

use super::Cause;
use super::compare;
use super::compute::Memory;
use super::eval::Outcome;
use super::functions::Function;

/// Calls one of them.
pub(super) fn call<'a>(function: Function, arguments: &[View<'a>], memory: Memory<'a>) -> Outcome<'a> {
    use Function as F;
    match (function, arguments) {
        (F::Greatest, arguments) => extreme(Ordering::Greater, arguments, memory),
        (F::Least, arguments) => extreme(Ordering::Less, arguments, memory),
        (F::BitAnd | F::BitOr | F::BitXor | F::BitShiftLeft | F::BitShiftRight, [left, right]) => {
            of_bits(function, *left, *right)
        }
        (F::BitNot, [View::Int(value)]) => Ok(View::Int(!value)),
        (F::BitNot, [View::UInt(value)]) => Ok(View::UInt(!value)),
        (F::Abs | F::Sign | F::Sqrt, [value]) => of_number(function, *value),
        (_, [View::Double(value)]) => of_double(function, *value),
        _ => Err(Cause::WrongType),
    }
}

/// The first argument, or the first element of the one list, that no other goes beyond.
fn extreme<'a>(beyond: Ordering, arguments: &[View<'a>], memory: Memory<'a>) -> Outcome<'a> {
    let mut found: Option<View<'a>> = None;
    let mut consider = |next: View<'a>| -> Result<(), Cause> {
        compare::charge(memory.steps_left, 1)?;
        if !matches!(next, View::Int(_) | View::UInt(_) | View::Double(_)) {
            return Err(Cause::WrongType);
        }
        match found {
            Some(known) if compare::order(next, known, memory.steps_left)? != Some(beyond) => {}
            _ => found = Some(next),
        }
        Ok(())
    };
    match arguments {
        [list @ (View::List(_) | View::Items(_))] => compare::elements(*list).try_for_each(&mut consider)?,
        arguments => arguments.iter().copied().try_for_each(&mut consider)?,
    }
    found.ok_or(Cause::InvalidArgument)
}

fn of_bits<'a>(function: Function, left: View<'a>, right: View<'a>) -> Outcome<'a> {
    use Function as F;
    use View as V;
    if matches!(function, F::BitShiftLeft | F::BitShiftRight) {
        let V::Int(by) = right else { return Err(Cause::WrongType) };
        let by = u64::try_from(by).map_err(|_| Cause::InvalidArgument)?;
        let shift = |bits: u64| {
            let by = u32::try_from(by).unwrap_or(u32::MAX);
            let shifted = if function == F::BitShiftLeft { bits.checked_shl(by) } else { bits.checked_shr(by) };
            shifted.unwrap_or(0)
        };
        return match left {
            // The sign is a bit like another: what comes in is zero.
            V::Int(value) => Ok(V::Int(shift(value.cast_unsigned()).cast_signed())),
            V::UInt(value) => Ok(V::UInt(shift(value))),
            _ => Err(Cause::WrongType),
        };
    }
    let combined = |a: u64, b: u64| match function {
        F::BitAnd => a & b,
        F::BitOr => a | b,
        _ => a ^ b,
    };
    match (left, right) {
        (V::Int(a), V::Int(b)) => Ok(V::Int(combined(a.cast_unsigned(), b.cast_unsigned()).cast_signed())),
        (V::UInt(a), V::UInt(b)) => Ok(V::UInt(combined(a, b))),
        _ => Err(Cause::WrongType),
    }
}

#[allow(clippy::cast_precision_loss, reason = "a root of a whole number is that of the nearest double")]
fn of_number(function: Function, value: View<'_>) -> Outcome<'_> {
    use Function as F;
    use View as V;
    match (function, value) {
        (F::Abs, V::Int(value)) => value.checked_abs().map(V::Int).ok_or(Cause::Arithmetic),
        (F::Abs, V::UInt(_)) => Ok(value),
        (F::Abs, V::Double(value)) => Ok(V::Double(value.abs())),
        (F::Sign, V::Int(value)) => Ok(V::Int(value.signum())),
        (F::Sign, V::UInt(value)) => Ok(V::UInt(value.min(1))),
        // Zero keeps its sign, and no number stays none.
        (F::Sign, V::Double(value)) => Ok(V::Double(if value == 0.0 { value } else { value.signum() })),
        (F::Sqrt, V::Int(value)) => Ok(V::Double((value as f64).sqrt())),
        (F::Sqrt, V::UInt(value)) => Ok(V::Double((value as f64).sqrt())),
        (F::Sqrt, V::Double(value)) => Ok(V::Double(value.sqrt())),
        _ => Err(Cause::WrongType),
    }
}

fn of_double<'a>(function: Function, value: f64) -> Outcome<'a> {
    use Function as F;
    Ok(match function {
        F::Ceil => View::Double(value.ceil()),
        F::Floor => View::Double(value.floor()),
        // Halves go away from zero.
        F::Round => View::Double(value.round()),
        F::Trunc => View::Double(value.trunc()),
        F::IsNan => View::Bool(value.is_nan()),
        F::IsInf => View::Bool(value.is_infinite()),
        F::IsFinite => View::Bool(value.is_finite()),
        _ => return Err(Cause::Internal),
    })
}
