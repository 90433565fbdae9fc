//! Calendar fields of timestamps, in UTC or at a fixed offset, and the parts of durations.

use jiff::tz::Offset;

use crate::value::{SignedDuration, Timestamp, View};

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
    pub(super) const fn period_seconds(self, offset_seconds: i32) -> Option<u32> {
        match self {
            Self::Milliseconds => None,
            Self::Seconds => Some(1),
            Self::Minutes => Some(60),
            // Zones lie whole quarters of an hour apart; an offset that does not changes hours at odd minutes.
            _ if offset_seconds % 900 == 0 => Some(900),
            _ => Some(60),
        }
    }

    /// Its value.
    pub(super) fn read(self, value: View<'_>, offset_seconds: i32) -> Result<i64, Cause> {
        match value {
            View::Timestamp(timestamp) => self.of_timestamp(timestamp, offset_seconds),
            View::Duration(duration) => self.of_duration(duration),
            _ => Err(Cause::WrongType),
        }
    }

    fn of_timestamp(self, timestamp: Timestamp, offset_seconds: i32) -> Result<i64, Cause> {
        let offset = Offset::from_seconds(offset_seconds).map_err(|_| Cause::InvalidArgument)?;
        let civil = offset.to_datetime(timestamp);
        Ok(match self {
            Self::FullYear => i64::from(civil.year()),
            Self::Month => i64::from(civil.month()).saturating_sub(1),
            Self::Date => i64::from(civil.day()),
            Self::DayOfMonth => i64::from(civil.day()).saturating_sub(1),
            Self::DayOfWeek => i64::from(civil.weekday().to_sunday_zero_offset()),
            Self::DayOfYear => i64::from(civil.day_of_year()).saturating_sub(1),
            Self::Hours => i64::from(civil.hour()),
            Self::Minutes => i64::from(civil.minute()),
            Self::Seconds => i64::from(civil.second()),
            Self::Milliseconds => i64::from(civil.millisecond()),
        })
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

/// Reads a zone: `UTC`, or an offset such as `+02:00`, `-05:30`, `02:00`; in seconds east.
pub(super) fn parse_offset(text: &str) -> Option<i32> {
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
