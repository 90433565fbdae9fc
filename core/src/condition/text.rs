//! Text that stands for timestamps, durations and numbers, as CEL reads and writes it.

use std::fmt::Write as _;

use crate::value::{SignedDuration, Timestamp};

/// The first second of the year 1, the earliest that CEL has.
const FIRST_SECOND: i64 = -62_135_596_800;
/// Seconds of the longest duration that CEL has: ten thousand years.
const DURATION_SECONDS_MAX: i64 = 315_576_000_000;

/// Reads an RFC 3339 timestamp, from the year 1 to the year 9999.
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    // RFC 3339 and no other notation that the reader would take: the date and the time have fixed places.
    let punctuated = |at: usize, wanted: &[u8]| bytes.get(at).is_some_and(|byte| wanted.contains(byte));
    let zoned = matches!(bytes, [.., b'Z' | b'z'] | [.., b'+' | b'-', _, _, b':', _, _]);
    let shaped = punctuated(4, b"-") && punctuated(7, b"-") && punctuated(10, b"Tt") && punctuated(13, b":");
    if !shaped || !zoned || !punctuated(16, b":") || bytes.contains(&b',') {
        return None;
    }
    text.parse().ok().filter(|timestamp| in_range(*timestamp))
}

/// Whether CEL has such a timestamp.
pub(super) fn in_range(timestamp: Timestamp) -> bool {
    timestamp.as_second() >= FIRST_SECOND
}

/// Whether CEL has such a duration.
pub(super) fn is_duration(duration: SignedDuration) -> bool {
    duration.as_secs().unsigned_abs() <= DURATION_SECONDS_MAX.unsigned_abs()
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
