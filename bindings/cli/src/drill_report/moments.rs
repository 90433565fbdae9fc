//! The axis of time: every moment at which something was done or came about, and where it stands on the page.
//!
//! An outage has seconds in which everything happens and hours in which nothing does. So the axis is not to scale: a
//! stretch takes room as the logarithm of its length, and each moment that is marked says its time.

/// The moments of a drill, ascending, and their places.
#[derive(Debug)]
pub(super) struct Moments {
    /// Each moment in milliseconds, with its place from 0 to 1.
    at: Vec<(u64, f64)>,
}

/// A stretch so long, in milliseconds, takes little more room than one of no length.
const SHORT: f64 = 250.0;

impl Moments {
    /// These moments, in any order, and the start.
    pub(super) fn new(moments: impl Iterator<Item = u64>) -> Self {
        let mut moments: Vec<u64> = std::iter::once(0).chain(moments).collect();
        moments.sort_unstable();
        moments.dedup();
        let mut before = 0;
        let mut room = 0.0;
        let mut at: Vec<(u64, f64)> = Vec::with_capacity(moments.len());
        for moment in moments {
            room += (moment.saturating_sub(before) as f64 / SHORT).ln_1p();
            before = moment;
            at.push((moment, room));
        }
        // What happens last has some room behind it, so that it can be seen.
        let all = if room > 0.0 { room * 1.02 } else { 1.0 };
        for (_, place) in &mut at {
            *place /= all;
        }
        Self { at }
    }

    /// The place of a moment: of the last one that is not after it.
    pub(super) fn place(&self, moment: u64) -> f64 {
        let after = self.at.partition_point(|(at, _)| *at <= moment);
        let found = after.checked_sub(1).and_then(|at| self.at.get(at));
        found.map_or(0.0, |(_, place)| *place)
    }

    /// The last moment.
    pub(super) fn last(&self) -> u64 {
        self.at.last().map_or(0, |(at, _)| *at)
    }

    /// Moments to mark on the axis: no two nearer than `apart`.
    pub(super) fn marks(&self, apart: f64) -> Vec<(u64, f64)> {
        let mut marks: Vec<(u64, f64)> = Vec::new();
        for (at, place) in &self.at {
            if marks.last().is_none_or(|(_, before)| place - before >= apart) {
                marks.push((*at, *place));
            }
        }
        marks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_to_the_right_and_an_hour_takes_no_more_than_its_logarithm() {
        let moments = Moments::new([5_000, 1_000, 3_605_000, 3_606_000, 1_000].into_iter());
        let places: Vec<f64> = [0, 1_000, 5_000, 3_605_000, 3_606_000].map(|at| moments.place(at)).to_vec();
        assert!(places.is_sorted() && places[0] == 0.0 && *places.last().unwrap() < 1.0, "{places:?}");
        assert_eq!(moments.last(), 3_606_000);
        // ln(1 + 3,600,000 / 250) is less than six times ln(1 + 1,000 / 250).
        let (hour, second) = (places[3] - places[2], places[1] - places[0]);
        assert!(hour > 5.0 * second && hour < 6.0 * second, "{hour} {second}");
        assert_eq!(moments.place(4_999), places[1], "between two moments it stands at the one before");
    }

    #[test]
    fn marks_keep_their_distance() {
        let moments = Moments::new((0..100_000).map(|second| second * 1_000));
        let marks = moments.marks(0.1);
        assert!((9..=10).contains(&marks.len()), "{marks:?}");
    }

    #[test]
    fn a_drill_of_one_moment_has_a_place_for_it() {
        let moments = Moments::new(std::iter::empty());
        assert_eq!((moments.place(0), moments.place(9), moments.last()), (0.0, 0.0, 0));
    }
}
