//! How much of what happened lately was bad: counts by minute for hours, and by hour for weeks, in bounded room.

use std::collections::VecDeque;

use crate::time::Ttl;

/// Milliseconds of a minute and of an hour: the lengths of the buckets.
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
/// How many buckets of each are kept: six hours, and five weeks, the longest window that a pack can ask for.
const MINUTES: usize = 360;
const HOURS: usize = 35 * 24;

/// How much there was, and how much of it was bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How much there was.
    pub total: u64,
    /// How much of it was bad.
    pub bad: u64,
}

impl Share {
    /// Which part of it was bad; nothing where there was nothing.
    #[must_use]
    pub fn bad_ratio(self) -> Option<f64> {
        (self.total > 0).then(|| self.bad.min(self.total) as f64 / self.total as f64)
    }
}

/// The counts of one objective over time, in milliseconds since its beginning.
#[derive(Clone, Debug, Default)]
pub struct Windows {
    minutes: Buckets,
    hours: Buckets,
}

/// Counts by bucket, ascending by its number.
#[derive(Clone, Debug, Default)]
struct Buckets(VecDeque<(u64, Share)>);

impl Windows {
    /// Adds what happened at a time.
    pub fn add(&mut self, at: u64, total: u64, bad: u64) {
        self.minutes.add(at / MINUTE, MINUTES, |share| {
            share.total = share.total.saturating_add(total);
            share.bad = share.bad.saturating_add(bad);
        });
        self.hours.add(at / HOUR, HOURS, |share| {
            share.total = share.total.saturating_add(total);
            share.bad = share.bad.saturating_add(bad);
        });
    }

    /// Takes back that something of that time was bad.
    pub fn forgive(&mut self, at: u64) {
        self.minutes.add(at / MINUTE, MINUTES, |share| share.bad = share.bad.saturating_sub(1));
        self.hours.add(at / HOUR, HOURS, |share| share.bad = share.bad.saturating_sub(1));
    }

    /// What happened in the window that ends now, to the minute for windows of up to six hours and to the hour for longer
    /// ones: the bucket that is not over yet, and as many before it as the window has more.
    #[must_use]
    pub fn over(&self, window: Ttl, now: u64) -> Share {
        let window = window.as_millis();
        let (minutes, hours) = (window.div_ceil(MINUTE), window.div_ceil(HOUR));
        let by_minute = usize::try_from(minutes).is_ok_and(|minutes| minutes <= MINUTES);
        let (buckets, newest, count) =
            if by_minute { (&self.minutes, now / MINUTE, minutes) } else { (&self.hours, now / HOUR, hours) };
        let oldest = newest.saturating_sub(count.saturating_sub(1));
        buckets.sum(oldest, newest)
    }
}

impl Buckets {
    /// Changes a bucket. One that is older than the `max` newest is forgotten already.
    fn add(&mut self, number: u64, max: usize, change: impl FnOnce(&mut Share)) {
        let at = self.0.partition_point(|(other, _)| *other < number);
        if self.0.get(at).is_none_or(|(other, _)| *other != number) {
            self.0.insert(at, (number, Share::default()));
        }
        if let Some((_, share)) = self.0.get_mut(at) {
            change(share);
        }
        while self.0.len() > max {
            self.0.pop_front();
        }
    }

    fn sum(&self, oldest: u64, newest: u64) -> Share {
        let within = self.0.iter().filter(|(number, _)| (oldest..=newest).contains(number));
        within.fold(Share::default(), |sum, (_, share)| Share {
            total: sum.total.saturating_add(share.total),
            bad: sum.bad.saturating_add(share.bad),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn minutes(minutes: u64) -> u64 {
        minutes * MINUTE
    }

    #[test]
    fn a_window_is_its_last_buckets() {
        let mut windows = Windows::default();
        windows.add(minutes(0), 10, 1);
        windows.add(minutes(4), 10, 2);
        windows.add(minutes(5), 10, 4);
        let five = Ttl::from_secs(300);
        assert_eq!(windows.over(five, minutes(4) + 59_999), Share { total: 20, bad: 3 });
        // At five minutes the first bucket is out: the window is the minutes 1 to 5.
        assert_eq!(windows.over(five, minutes(5)), Share { total: 20, bad: 6 });
        assert_eq!(windows.over(five, minutes(60)), Share::default());
        assert_eq!(windows.over(Ttl::from_secs(3_600), minutes(59)), Share { total: 30, bad: 7 });
    }

    #[test]
    fn a_long_window_counts_by_the_hour() {
        let mut windows = Windows::default();
        for hour in 0..24_u64 {
            windows.add(hour * HOUR, 100, 1);
        }
        assert_eq!(windows.over(Ttl::from_secs(24 * 3_600), 23 * HOUR), Share { total: 2_400, bad: 24 });
        assert_eq!(windows.over(Ttl::from_secs(24 * 3_600), 24 * HOUR), Share { total: 2_300, bad: 23 });
    }

    #[test]
    fn what_was_bad_can_be_forgiven_in_its_own_time() {
        let mut windows = Windows::default();
        windows.add(minutes(1), 5, 1);
        windows.add(minutes(9), 5, 1);
        windows.forgive(minutes(1));
        assert_eq!(windows.over(Ttl::from_secs(3_600), minutes(9)), Share { total: 10, bad: 1 });
        assert_eq!(windows.over(Ttl::from_secs(60), minutes(9)), Share { total: 5, bad: 1 });
    }

    #[test]
    fn the_room_is_bounded() {
        let mut windows = Windows::default();
        for minute in 0..100_000 {
            windows.add(minutes(minute), 1, 0);
        }
        assert_eq!((windows.minutes.0.len(), windows.hours.0.len()), (MINUTES, HOURS));
        windows.add(0, 1, 1);
        assert_eq!(windows.minutes.0.len(), MINUTES);
    }
}
