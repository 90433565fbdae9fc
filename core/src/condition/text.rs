//! Text that stands for timestamps, durations and numbers, as CEL reads and writes it.

use std::fmt::Write as _;

use crate::value::{SignedDuration, Timestamp};

/// Reads an RFC 3339 timestamp, from the year 1 to the year 9999.
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Whether CEL has such a duration: one whose nanoseconds fit 64 bits with a sign, 292 years in either direction.
pub(super) fn is_duration(duration: SignedDuration) -> bool {
    i64::try_from(duration.as_nanos()).is_ok()
}

/// Reads a duration such as `1h30m`, `1.5s`, `-250ms` or `0`: numbers with the units h, m, s, ms, us, µs and ns.
#[must_use]
pub fn parse_duration(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.as_bytes() {
        [b'-', ..] => (true, text.get(1..)?),
        [b'+', ..] => (false, text.get(1..)?),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanos: i128 = 0;
    while !rest.is_empty() {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, after) = rest.split_at(digits(rest));
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(digits(after)),
            None => ("", after),
        };
        if (whole.is_empty() && fraction.is_empty()) || whole.len() > 20 {
            return None;
        }
        let unit_end = after.bytes().take_while(|byte| !byte.is_ascii_digit() && *byte != b'.').count();
        let (unit, after) = after.split_at(unit_end);
        let nanos_per_unit: i128 = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" | "μs" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        nanos = nanos.checked_add(whole.checked_mul(nanos_per_unit)?)?;
        // Digits beyond the nanosecond fall away.
        let mut scale = nanos_per_unit;
        for digit in fraction.bytes() {
            scale = scale.checked_div(10)?;
            let digit = i128::from(digit.checked_sub(b'0')?);
            nanos = nanos.checked_add(digit.checked_mul(scale)?)?;
        }
        rest = after;
    }
    let nanos = if negative { nanos.checked_neg()? } else { nanos };
    let seconds = i64::try_from(nanos.checked_div(1_000_000_000)?).ok()?;
    let subsecond = i32::try_from(nanos.checked_rem(1_000_000_000)?).ok()?;
    Some(SignedDuration::new(seconds, subsecond)).filter(|duration| is_duration(*duration))
}

/// Writes a duration as CEL does: seconds, with as many decimals as it takes.
pub(super) fn duration_text(duration: SignedDuration, to: &mut impl std::fmt::Write) -> std::fmt::Result {
    let sign = if duration.is_negative() { "-" } else { "" };
    let nanos = duration.subsec_nanos().unsigned_abs();
    write!(to, "{sign}{}", duration.as_secs().unsigned_abs())?;
    if nanos != 0 {
        let mut decimals = arrayvec::ArrayString::<16>::new();
        write!(decimals, "{nanos:09}")?;
        write!(to, ".{}", decimals.trim_end_matches('0'))?;
    }
    to.write_str("s")
}

/// Writes a double as CEL does: the fewest digits that stand for it, with an exponent where it is below -4 or above 5.
pub(super) fn double_text(double: f64, to: &mut impl std::fmt::Write) -> std::fmt::Result {
    if double.is_nan() {
        return to.write_str("NaN");
    }
    if double.is_infinite() {
        return to.write_str(if double > 0.0 { "+Inf" } else { "-Inf" });
    }
    let mut written = arrayvec::ArrayString::<32>::new();
    write!(written, "{double:e}")?;
    let (digits, exponent) = written.split_once('e').ok_or(std::fmt::Error)?;
    let exponent: i32 = exponent.parse().map_err(|_| std::fmt::Error)?;
    if (-4..6).contains(&exponent) {
        return write!(to, "{double}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    write!(to, "{digits}e{sign}{:02}", exponent.unsigned_abs())
}
