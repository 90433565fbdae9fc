//! A point in time as CEL has it: every nanosecond of the years 1 to 9999.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;

/// The first second of the year 1.
const FIRST_SECOND: i64 = -62_135_596_800;
/// The last second of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;
const NANOS_PER_SECOND: i128 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// A point in time, from the first nanosecond of the year 1 to the last of the year 9999, without leap seconds.
///
/// A type of our own, since the library that knows the time zones ends a day before the year 9999 does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Whole seconds since 1970, rounded down.
    second: i64,
    /// Below 1,000,000,000.
    nanosecond: u32,
}

impl Timestamp {
    /// The first moment of 1970.
    pub const UNIX_EPOCH: Self = Self { second: 0, nanosecond: 0 };

    /// A whole second since 1970; nothing outside the years 1 to 9999.
    #[must_use]
    pub fn from_second(second: i64) -> Option<Self> {
        (FIRST_SECOND..=LAST_SECOND).contains(&second).then_some(Self { second, nanosecond: 0 })
    }

    /// Nanoseconds since 1970; nothing outside the years 1 to 9999.
    #[must_use]
    pub fn from_nanosecond(nanosecond: i128) -> Option<Self> {
        // Every reading of a clock fits 64 bits, where dividing costs a fraction.
        if let Ok(short) = i64::try_from(nanosecond) {
            let second = short.div_euclid(1_000_000_000);
            let nanosecond = u32::try_from(short.rem_euclid(1_000_000_000)).ok()?;
            return Self::from_second(second).map(|at| Self { nanosecond, ..at });
        }
        let second = i64::try_from(nanosecond.checked_div_euclid(NANOS_PER_SECOND)?).ok()?;
        let nanosecond = u32::try_from(nanosecond.checked_rem_euclid(NANOS_PER_SECOND)?).ok()?;
        Self::from_second(second).map(|at| Self { nanosecond, ..at })
    }

    /// Whole seconds since 1970, rounded down.
    #[must_use]
    pub const fn as_second(self) -> i64 {
        self.second
    }

    /// The nanoseconds behind [`Timestamp::as_second`].
    #[must_use]
    pub const fn subsec_nanosecond(self) -> u32 {
        self.nanosecond
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub fn as_nanosecond(self) -> i128 {
        i128::from(self.second).saturating_mul(NANOS_PER_SECOND).saturating_add(i128::from(self.nanosecond))
    }

    /// This time and `span` more; nothing outside the years 1 to 9999.
    #[must_use]
    pub fn checked_add(self, span: SignedDuration) -> Option<Self> {
        Self::from_nanosecond(self.as_nanosecond().checked_add(span.as_nanos())?)
    }

    /// This time and `span` less; nothing outside the years 1 to 9999.
    #[must_use]
    pub fn checked_sub(self, span: SignedDuration) -> Option<Self> {
        Self::from_nanosecond(self.as_nanosecond().checked_sub(span.as_nanos())?)
    }

    /// How much later this is than `earlier`.
    #[must_use]
    pub fn duration_since(self, earlier: Self) -> SignedDuration {
        // Both lie within ten thousand years, so that neither difference overflows.
        let seconds = SignedDuration::from_secs(self.second.saturating_sub(earlier.second));
        let nanos = i64::from(self.nanosecond).saturating_sub(i64::from(earlier.nanosecond));
        seconds.saturating_add(SignedDuration::from_nanos(nanos))
    }

    /// The date and the time of day so many seconds east of UTC.
    pub(crate) fn civil(self, offset_seconds: i32) -> Civil {
        let second = self.second.saturating_add(i64::from(offset_seconds));
        let days = second.div_euclid(SECONDS_PER_DAY);
        Civil { days, date: Date::of_days(days), second_of_day: second.rem_euclid(SECONDS_PER_DAY) }
    }
}

/// A date and a time of day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Civil {
    /// Since 1970.
    pub(crate) days: i64,
    pub(crate) date: Date,
    pub(crate) second_of_day: i64,
}

/// A day of the Gregorian calendar, carried on before its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    pub(crate) year: i64,
    /// From 1.
    pub(crate) month: i64,
    /// From 1.
    pub(crate) day: i64,
}

#[allow(
    clippy::arithmetic_side_effects,
    reason = "every year is of four digits or next to it: nothing comes near 64 bits"
)]
impl Date {
    /// The date so many days after the first of 1970.
    ///
    /// Years are counted from March, so that the odd day stands at their end, in eras of 400 years.
    pub(crate) const fn of_days(days: i64) -> Self {
        let days = days + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        Self { year, month, day }
    }

    /// How many days it lies after the first of 1970.
    pub(crate) const fn days(self) -> i64 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let month_from_march = (self.month + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }
}

/// Text that is no timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTimestamp;

impl fmt::Display for NoTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no timestamp; write one such as `2026-01-31T08:00:00Z`")
    }
}

impl std::error::Error for NoTimestamp {}

impl FromStr for Timestamp {
    type Err = NoTimestamp;

    /// Reads RFC 3339: a date, `T`, a time of day with at most nine decimals, and `Z` or an offset.
    fn from_str(text: &str) -> Result<Self, NoTimestamp> {
        read(text.as_bytes()).ok_or(NoTimestamp)
    }
}

fn read(bytes: &[u8]) -> Option<Timestamp> {
    let punctuated = |at: usize, wanted: &[u8]| bytes.get(at).is_some_and(|byte| wanted.contains(byte));
    let shaped = punctuated(4, b"-") && punctuated(7, b"-") && punctuated(10, b"Tt");
    if !shaped || !punctuated(13, b":") || !punctuated(16, b":") {
        return None;
    }
    let field = |at: usize, digits: usize| number(bytes.get(at..at.checked_add(digits)?)?);
    let date = Date { year: field(0, 4)?, month: field(5, 2)?, day: field(8, 2)? };
    let (hour, minute, second) = (field(11, 2)?, field(14, 2)?, field(17, 2)?);
    if !(1..=12).contains(&date.month) || Date::of_days(date.days()) != date {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanosecond, zone) = decimals(bytes.get(19..)?)?;
    let second_of_day = hour.checked_mul(3_600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)?;
    let local = date.days().checked_mul(SECONDS_PER_DAY)?.checked_add(second_of_day)?;
    let at = Timestamp::from_second(local.checked_sub(offset(zone)?)?)?;
    Some(Timestamp { nanosecond, ..at })
}

/// The decimals of a second in nanoseconds, and what stands behind them.
fn decimals(rest: &[u8]) -> Option<(u32, &[u8])> {
    let Some(digits) = rest.strip_prefix(b".") else { return Some((0, rest)) };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&count) {
        return None;
    }
    let (digits, zone) = digits.split_at(count);
    let scale = 10_i64.checked_pow(u32::try_from(9_usize.checked_sub(count)?).ok()?)?;
    Some((u32::try_from(number(digits)?.checked_mul(scale)?).ok()?, zone))
}

/// `Z` or an offset, in seconds east.
fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match zone {
        [b'Z' | b'z'] => return Some(0),
        [sign @ (b'+' | b'-'), a, b, b':', c, d] => (*sign, number(&[*a, *b])?, number(&[*c, *d])?),
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = hours.checked_mul(3_600)?.checked_add(minutes.checked_mul(60)?)?;
    if sign == b'-' { seconds.checked_neg() } else { Some(seconds) }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0_i64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| digit.checked_sub(b'0')).flatten()?;
        number.checked_mul(10)?.checked_add(i64::from(digit))
    })
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with as many decimals as it takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { date, second_of_day, .. } = self.civil(0);
        let (minutes, second) = (second_of_day.div_euclid(60), second_of_day.rem_euclid(60));
        let (hour, minute) = (minutes.div_euclid(60), minutes.rem_euclid(60));
        write!(f, "{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}", date.year, date.month, date.day)?;
        if self.nanosecond != 0 {
            let mut decimals = arrayvec::ArrayString::<9>::new();
            fmt::Write::write_fmt(&mut decimals, format_args!("{:09}", self.nanosecond))?;
            write!(f, ".{}", decimals.trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_nanosecond_are_there_and_no_other() {
        for text in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2024-02-29T12:00:00.5Z"] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        }
        for text in [
            "0000-12-31T23:59:59Z",
            "10000-01-01T00:00:00Z",
            "9999-12-31T23:59:59-00:01",
            "0001-01-01T00:00:00+00:01",
            "2023-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T08:00:60Z",
            "2026-01-31T08:00:00",
            "2026-01-31T08:00:00.Z",
            "2026-01-31 08:00:00Z",
            "+026-01-31T08:00:00Z",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(NoTimestamp), "{text}");
        }
        let last: Timestamp = "9999-12-31T23:59:59.999999999Z".parse().unwrap();
        assert_eq!(last.checked_add(SignedDuration::from_nanos(1)), None);
        assert_eq!(last.duration_since(Timestamp::UNIX_EPOCH), SignedDuration::new(LAST_SECOND, 999_999_999));
    }

    #[test]
    fn days_and_dates_are_each_others_inverse() {
        for days in (-719_162..2_932_897).step_by(17) {
            assert_eq!(Date::of_days(days).days(), days);
        }
        assert_eq!(Date::of_days(0), Date { year: 1970, month: 1, day: 1 });
        assert_eq!(Date::of_days(11_016), Date { year: 2000, month: 2, day: 29 });
    }
}
