//! Calendar fields of timestamps, in a time zone, and the parts of durations.

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::value::{Date, SignedDuration, Timestamp, View};

use super::Cause;

/// A field of a timestamp's calendar date or time of day; the last four are parts of durations too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CalendarField {
    FullYear,
    /// From 0.
    Month,
    /// From 1.
    Date,
    /// From 0.
    DayOfMonth,
    /// From 0, which is Sunday.
    DayOfWeek,
    /// From 0.
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

impl CalendarField {
    /// The field that a function of CEL reads.
    pub(super) fn named(function: &str) -> Option<Self> {
        Some(match function {
            "getFullYear" => Self::FullYear,
            "getMonth" => Self::Month,
            "getDate" => Self::Date,
            "getDayOfMonth" => Self::DayOfMonth,
            "getDayOfWeek" => Self::DayOfWeek,
            "getDayOfYear" => Self::DayOfYear,
            "getHours" => Self::Hours,
            "getMinutes" => Self::Minutes,
            "getSeconds" => Self::Seconds,
            "getMilliseconds" => Self::Milliseconds,
            _ => return None,
        })
    }

    /// Whether durations have it too.
    pub(super) const fn of_durations(self) -> bool {
        matches!(self, Self::Hours | Self::Minutes | Self::Seconds | Self::Milliseconds)
    }

    /// How often the field of the time now can change, in seconds; nothing for oftener than every second.
    pub(super) const fn period_seconds(self, zone: &Zone) -> Option<u32> {
        match (self, zone) {
            (Self::Milliseconds, _) => None,
            (Self::Seconds, _) => Some(1),
            (Self::Minutes, _) => Some(60),
            // An offset of whole quarters of an hour changes hours at whole quarters.
            (_, Zone::Fixed(offset_seconds)) if *offset_seconds % 900 == 0 => Some(900),
            // What a named zone changes to lies in its rules, at a whole minute.
            _ => Some(60),
        }
    }

    /// Its value.
    pub(super) fn read(self, value: View<'_>, zone: &Zone) -> Result<i64, Cause> {
        match value {
            View::Timestamp(timestamp) => Ok(self.of_timestamp(timestamp, zone)),
            View::Duration(duration) => self.of_duration(duration),
            _ => Err(Cause::WrongType),
        }
    }

    fn of_timestamp(self, timestamp: Timestamp, zone: &Zone) -> i64 {
        let civil = timestamp.civil(zone.offset_seconds(timestamp));
        let date = civil.date;
        match self {
            Self::FullYear => date.year,
            Self::Month => date.month.saturating_sub(1),
            Self::Date => date.day,
            Self::DayOfMonth => date.day.saturating_sub(1),
            // The first day of 1970 was a Thursday.
            Self::DayOfWeek => civil.days.saturating_add(4).rem_euclid(7),
            Self::DayOfYear => civil.days.saturating_sub(Date { month: 1, day: 1, ..date }.days()),
            Self::Hours => civil.second_of_day.div_euclid(3_600),
            Self::Minutes => civil.second_of_day.div_euclid(60).rem_euclid(60),
            Self::Seconds => civil.second_of_day.rem_euclid(60),
            Self::Milliseconds => i64::from(timestamp.subsec_nanosecond() / 1_000_000),
        }
    }

    /// The whole duration in that unit, but for milliseconds, which are those within the second.
    fn of_duration(self, duration: SignedDuration) -> Result<i64, Cause> {
        match self {
            Self::Hours => Ok(duration.as_hours()),
            Self::Minutes => Ok(duration.as_mins()),
            Self::Seconds => Ok(duration.as_secs()),
            Self::Milliseconds => Ok(i64::from(duration.subsec_millis())),
            _ => Err(Cause::WrongType),
        }
    }
}

/// A time zone, as it was written.
#[derive(Clone, Debug)]
pub(super) enum Zone {
    /// So many seconds east of UTC, always.
    Fixed(i32),
    /// A zone of the IANA database, which comes with the library.
    Named(TimeZone),
}

impl Zone {
    /// Reads `UTC`, an offset such as `+02:00` or `02:00`, or a name such as `Europe/Berlin`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(offset_seconds) = parse_offset(text) {
            return Some(Self::Fixed(offset_seconds));
        }
        TimeZoneDatabase::bundled().get(text).ok().map(Self::Named)
    }

    fn offset_seconds(&self, at: Timestamp) -> i32 {
        match self {
            Self::Fixed(offset_seconds) => *offset_seconds,
            Self::Named(zone) => {
                // The library's time ends on the last but one day of the year 9999; no zone changes behind that.
                let second = at.as_second().min(jiff::Timestamp::MAX.as_second());
                let at = jiff::Timestamp::from_second(second).unwrap_or(jiff::Timestamp::MAX);
                zone.to_offset(at).seconds()
            }
        }
    }
}

/// Reads `UTC`, or an offset such as `+02:00`, `-05:30`, `02:00`; in seconds east.
fn parse_offset(text: &str) -> Option<i32> {
    if text == "UTC" {
        return Some(0);
    }
    let (sign, digits) = match text.as_bytes() {
        [b'+', ..] => (1, text.get(1..)?),
        [b'-', ..] => (-1, text.get(1..)?),
        _ => (1, text),
    };
    let (hours, minutes) = digits.split_once(':')?;
    let two_digits = |part: &str| -> Option<i32> {
        (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse().ok())?
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    hours.checked_mul(3_600)?.checked_add(minutes.checked_mul(60)?)?.checked_mul(sign)
}
