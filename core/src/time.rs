//! Time as the engine knows it: two clocks, both arguments.
//!
//! The core reads no clock (spec 1.2). The host passes [`Now`] into every call that depends on time, so that a test owns
//! the clock and a replay next year gives the same bytes. Each clock is a type of its own: a wall time can never be
//! compared with a deadline by mistake.

use core::fmt;

/// Nanoseconds in a millisecond.
const NANOS_PER_MILLI: u64 = 1_000_000;

/// A reading of the host's monotonic clock: nanoseconds since a start that only the host knows.
///
/// Every TTL, timer and window is measured on this clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monotonic(u64);

impl Monotonic {
    /// The start of the clock.
    pub const ZERO: Self = Self(0);
    /// A time that never comes.
    pub const NEVER: Self = Self(u64::MAX);

    /// A reading in nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// A reading in milliseconds; a reading that does not fit stands for [`Monotonic::NEVER`].
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(NANOS_PER_MILLI))
    }

    /// The reading in nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This time and `span` more; saturates at [`Monotonic::NEVER`].
    #[must_use]
    pub const fn after(self, span: Ttl) -> Self {
        Self(self.0.saturating_add(span.as_nanos()))
    }

    /// This time less `span`; saturates at [`Monotonic::ZERO`].
    #[must_use]
    pub const fn before(self, span: Ttl) -> Self {
        Self(self.0.saturating_sub(span.as_nanos()))
    }

    /// How long ago `earlier` was, in nanoseconds; zero if it is yet to come.
    #[must_use]
    pub const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The next whole millisecond at or after this time.
    ///
    /// The engine decides in whole milliseconds, rounded up: what expires does so up to a millisecond early, never late,
    /// and the highest time seen is written at most once a millisecond, not once a decision.
    #[must_use]
    pub const fn rounded_up(self) -> Self {
        match self.0.checked_next_multiple_of(NANOS_PER_MILLI) {
            Some(nanos) => Self(nanos),
            None => Self::NEVER,
        }
    }

    /// The last whole millisecond at or before this time.
    #[must_use]
    pub const fn rounded_down(self) -> Self {
        Self(self.0.saturating_sub(self.0.wrapping_rem(NANOS_PER_MILLI)))
    }
}

impl fmt::Display for Monotonic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ttl::from_nanos(self.0).fmt(f)
    }
}

/// A reading of the host's wall clock: nanoseconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// Only validity dates, conditions that read `now`, and records use this clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(i64);

impl Wall {
    /// A reading in nanoseconds since the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// A reading in milliseconds since the epoch; saturates at the ends of the range (years 1677 and 2262).
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// The reading in nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// The reading as a civil timestamp.
    #[must_use]
    pub fn as_timestamp(self) -> crate::value::Timestamp {
        // Every i64 of nanoseconds lies between the years 1677 and 2262, so the fallback is never taken.
        crate::value::Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or(crate::value::Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_timestamp().fmt(f)
    }
}

/// The two clocks, read together by the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For every TTL, timer and window.
    pub monotonic: Monotonic,
    /// For validity dates, conditions that read `now`, and records.
    pub wall: Wall,
}

impl Now {
    /// Both clocks.
    #[must_use]
    pub const fn new(monotonic: Monotonic, wall: Wall) -> Self {
        Self { monotonic, wall }
    }

    /// Both clocks `span` later, as two clocks that agree would show it.
    #[must_use]
    pub const fn after(self, span: Ttl) -> Self {
        #[allow(clippy::cast_possible_wrap, reason = "a Ttl is at most i64::MAX nanoseconds")]
        let nanos = span.as_nanos() as i64;
        Self { monotonic: self.monotonic.after(span), wall: Wall(self.wall.0.saturating_add(nanos)) }
    }
}

/// A length of time, 0 to about 292 years, written `250ms`, `30s`, `5m`, `2h`, `7d` in packs (spec 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ttl(u64);

impl Ttl {
    /// No time at all: what lives this long is already expired.
    pub const ZERO: Self = Self(0);
    /// The longest span that can be written.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// A span in nanoseconds, capped at [`Ttl::MAX`].
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        if nanos > Self::MAX.0 { Self::MAX } else { Self(nanos) }
    }

    /// A span in milliseconds, capped at [`Ttl::MAX`].
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self::from_nanos(millis.saturating_mul(NANOS_PER_MILLI))
    }

    /// A span in seconds, capped at [`Ttl::MAX`].
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self::from_millis(secs.saturating_mul(1_000))
    }

    /// The span in nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The span in whole milliseconds, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / NANOS_PER_MILLI
    }

    /// Reads `250ms`, `30s`, `5m`, `2h` or `7d`: a whole number and one unit.
    ///
    /// # Errors
    /// What is wrong and how to write it, for anything else (also for more than [`Ttl::MAX`]).
    pub fn parse(text: &str) -> Result<Self, TtlError> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let millis_per_unit: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(TtlError::Unit),
        };
        let number: u64 = number.parse().map_err(|_| TtlError::Number)?;
        let nanos = number
            .checked_mul(millis_per_unit)
            .and_then(|millis| millis.checked_mul(NANOS_PER_MILLI))
            .filter(|nanos| *nanos <= Self::MAX.0)
            .ok_or(TtlError::Range)?;
        Ok(Self(nanos))
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.as_millis();
        let units: [(u64, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
        if millis > 0 {
            for (per_unit, unit) in units {
                if millis.is_multiple_of(per_unit) {
                    return write!(f, "{}{unit}", millis.checked_div(per_unit).unwrap_or(0));
                }
            }
        }
        write!(f, "{millis}ms")
    }
}

/// Why a text is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TtlError {
    /// No known unit behind the number.
    #[error("expected a whole number and a unit: `250ms`, `30s`, `5m`, `2h` or `7d`")]
    Unit,
    /// No whole number before the unit.
    #[error("expected a whole number before the unit, as in `30s`")]
    Number,
    /// Longer than can be counted.
    #[error("longer than 292 years")]
    Range,
}

impl serde::Serialize for Ttl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Ttl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(|error| serde::de::Error::custom(format_args!("{error}")))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Ttl {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[0-9]+(ms|s|m|h|d)$",
            "description": "A length of time: a whole number and a unit, as in 250ms, 30s, 5m, 2h, 7d.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_back_as_it_was_written() {
        for text in ["0ms", "250ms", "30s", "5m", "2h", "7d"] {
            assert_eq!(Ttl::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "s", "5", "-5s", "1.5s", "5 s", "5S", "٣s", "9223372036854775807d", "1e3s", "+5s"] {
            assert!(Ttl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rounding_tightens_and_never_wraps() {
        assert_eq!(Monotonic::from_nanos(1).rounded_up(), Monotonic::from_millis(1));
        assert_eq!(Monotonic::from_millis(1).rounded_up(), Monotonic::from_millis(1));
        assert_eq!(Monotonic::from_nanos(u64::MAX - 1).rounded_up(), Monotonic::NEVER);
        assert_eq!(Monotonic::from_nanos(1_999_999).rounded_down(), Monotonic::from_millis(1));
        assert_eq!(Monotonic::from_millis(3).as_nanos(), 3_000_000);
    }

    #[test]
    fn sums_saturate_at_never() {
        assert_eq!(Monotonic::NEVER.after(Ttl::from_secs(1)), Monotonic::NEVER);
        assert_eq!(Ttl::from_secs(u64::MAX), Ttl::MAX);
    }

    /// The longest that can be written, by hand: 9,223,372,036,854,775,807 ns are 106,751 days and some hours.
    #[test]
    fn a_duration_is_read_to_the_last_one_that_can_be_counted() {
        assert_eq!(Ttl::parse("9223372036854ms").map(Ttl::as_nanos), Ok(9_223_372_036_854_000_000));
        assert_eq!(Ttl::parse("106751d").map(Ttl::as_nanos), Ok(9_223_286_400_000_000_000));
        for text in ["9223372036855ms", "106752d", "18446744073709551615ms", "18446744073709551615d"] {
            assert_eq!(Ttl::parse(text), Err(TtlError::Range), "{text}");
        }
        assert_eq!(Ttl::parse("18446744073709551616ms"), Err(TtlError::Number));
        assert_eq!(Ttl::parse("1w"), Err(TtlError::Unit));
        for (text, nanos) in [("3ms", 3_000_000), ("3s", 3_000_000_000), ("3m", 180_000_000_000)] {
            assert_eq!(Ttl::parse(text).map(Ttl::as_nanos), Ok(nanos));
        }
        assert_eq!(Ttl::parse("3h").map(Ttl::as_millis), Ok(10_800_000));
        assert_eq!(Ttl::parse("3d").map(Ttl::as_millis), Ok(259_200_000));
    }

    #[test]
    fn a_span_is_capped_and_never_wraps() {
        let max = 9_223_372_036_854_775_807;
        assert_eq!(Ttl::from_nanos(max - 1).as_nanos(), max - 1);
        assert_eq!(Ttl::from_nanos(max).as_nanos(), max);
        assert_eq!(Ttl::from_nanos(u64::MAX).as_nanos(), max);
        assert_eq!(Ttl::from_millis(u64::MAX), Ttl::MAX);
        assert_eq!((Ttl::from_millis(7).as_nanos(), Ttl::from_secs(7).as_nanos()), (7_000_000, 7_000_000_000));
        assert_eq!(Ttl::from_nanos(1_999_999).as_millis(), 1);
    }

    #[test]
    fn a_time_is_after_another_by_what_lies_between() {
        let (early, late) = (Monotonic::from_nanos(5), Monotonic::from_nanos(12));
        assert_eq!((late.nanos_since(early), early.nanos_since(late)), (7, 0));
        assert_eq!(early.after(Ttl::from_nanos(7)), late);
        assert_eq!(Monotonic::from_millis(u64::MAX), Monotonic::NEVER);
        let now = Now::new(early, Wall::from_nanos(-2)).after(Ttl::from_nanos(7));
        assert_eq!(now, Now::new(late, Wall::from_nanos(5)));
        let last = Now::new(Monotonic::NEVER, Wall::from_nanos(i64::MAX));
        assert_eq!(last.after(Ttl::MAX), last);
        assert_eq!(Monotonic::from_nanos(1_999_999).rounded_down().rounded_up(), Monotonic::from_millis(1));
    }

    /// `date -u -d @-1` and `date -u -d @1767225600` by any other program.
    #[test]
    fn a_wall_time_is_shown_as_a_civil_one() {
        assert_eq!(Wall::from_millis(1_767_225_600_000).to_string(), "2026-01-01T00:00:00Z");
        assert_eq!(Wall::from_millis(-1_000).to_string(), "1969-12-31T23:59:59Z");
        assert_eq!(Wall::from_millis(i64::MIN), Wall::from_nanos(i64::MIN));
        assert_eq!(Wall::from_millis(3).as_nanos(), 3_000_000);
        assert_eq!(Wall::from_nanos(1_500_000_000).as_timestamp().as_nanosecond(), 1_500_000_000);
        assert_eq!(Monotonic::from_millis(90_000).to_string(), "90s");
    }

    #[test]
    fn a_duration_in_a_pack_is_its_text() {
        assert_eq!(serde_json::from_str::<Ttl>(r#""5m""#).unwrap(), Ttl::from_secs(300));
        assert_eq!(serde_json::to_string(&Ttl::from_secs(300)).unwrap(), r#""5m""#);
        let refused = serde_json::from_str::<Ttl>(r#""5x""#).unwrap_err().to_string();
        assert!(refused.starts_with("expected a whole number and a unit"), "{refused}");
    }

    #[test]
    fn a_span_is_shown_in_the_longest_unit_that_is_whole() {
        for (millis, text) in [
            (0, "0ms"),
            (999, "999ms"),
            (60_000, "1m"),
            (61_000, "61s"),
            (3_600_000, "1h"),
            (86_400_000, "1d"),
            (90_000_000, "25h"),
            (172_800_001, "172800001ms"),
        ] {
            assert_eq!(Ttl::from_millis(millis).to_string(), text);
            assert_eq!(Ttl::parse(text), Ok(Ttl::from_millis(millis)));
        }
    }
}
