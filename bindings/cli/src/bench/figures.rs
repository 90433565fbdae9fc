//! What a run came to, as people and programs read it, and how it differs from an earlier one.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// A whole run.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// The version of the command.
    pub fallgate: String,
    /// The pack's name.
    pub pack: String,
    /// Its revision.
    pub revision: u64,
    /// How many different requests were asked.
    pub requests: usize,
    /// For how long, in seconds.
    pub seconds: f64,
    /// What reading the timer takes, which is taken off every latency.
    pub timer_ns: u64,
    /// By the way in which the engine was asked.
    pub ways: Vec<Latencies>,
    /// The rules that were looked at, the costliest first.
    pub rules: Vec<RuleCost>,
}

/// The latencies of one way to ask.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Latencies {
    /// `prepared`, `prepared_cached`, `bytes` or `bytes_cached`.
    pub way: String,
    /// How many different requests were asked so: where answers are kept, those that one answers.
    pub requests: usize,
    /// How many decisions were timed one by one.
    pub decisions: u64,
    /// How many decisions a second one thread makes, while none is timed by itself.
    pub decisions_per_second: f64,
    /// Half of the latencies are no longer.
    pub p50_ns: u64,
    /// Nine of ten are no longer.
    pub p90_ns: u64,
    /// 99 of 100 are no longer.
    pub p99_ns: u64,
    /// 999 of 1,000 are no longer.
    pub p99_9_ns: u64,
    /// The longest.
    pub max_ns: u64,
    /// How many latencies were up to so many nanoseconds, and longer than the one before.
    pub histogram: Vec<Bar>,
}

/// One bar of a histogram.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Bar {
    /// The longest latency in it, in nanoseconds.
    pub up_to_ns: u64,
    /// How many there were.
    pub count: u64,
}

/// What one rule takes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RuleCost {
    /// Its id.
    pub rule: String,
    /// For how many of the requests it was looked at.
    pub requests: u64,
    /// What looking at it takes, its match part and its condition: the mean over those requests.
    pub each_ns: f64,
    /// Its part of what all rules take for all requests, from 0 to 1.
    pub share: f64,
}

impl Latencies {
    /// The latencies of a histogram.
    #[must_use]
    pub fn of(way: &str, requests: usize, histogram: &Histogram<u64>, decisions_per_second: f64) -> Self {
        Self {
            way: way.to_owned(),
            requests,
            decisions: histogram.len(),
            decisions_per_second,
            p50_ns: histogram.value_at_quantile(0.5),
            p90_ns: histogram.value_at_quantile(0.9),
            p99_ns: histogram.value_at_quantile(0.99),
            p99_9_ns: histogram.value_at_quantile(0.999),
            max_ns: histogram.max(),
            histogram: bars(histogram),
        }
    }
}

/// Two bars for each doubling, from the first that has anything to the last.
fn bars(histogram: &Histogram<u64>) -> Vec<Bar> {
    let mut ends = (1..u64::BITS).flat_map(|power| {
        let whole = 1_u64.checked_shl(power).unwrap_or(u64::MAX);
        [whole, whole.saturating_add(whole / 2)]
    });
    let mut bars: Vec<Bar> = Vec::new();
    for recorded in histogram.iter_recorded() {
        while bars.last().is_none_or(|bar| bar.up_to_ns < recorded.value_iterated_to()) {
            let Some(up_to_ns) = ends.next() else { break };
            if up_to_ns >= recorded.value_iterated_to() || !bars.is_empty() {
                bars.push(Bar { up_to_ns, count: 0 });
            }
        }
        if let Some(bar) = bars.last_mut() {
            bar.count = bar.count.saturating_add(recorded.count_since_last_iteration());
        }
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_is_in_one_bar_and_none_is_left_out_between() {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, 1_000_000, 3).unwrap();
        // 3 is in the bar up to 3; 4 in that up to 4; 5 and 6 in that up to 6; 13 in that up to 16.
        for (value, times) in [(3, 2), (4, 1), (5, 1), (6, 4), (13, 5)] {
            histogram.record_n(value, times).unwrap();
        }
        let expected = [(3, 2), (4, 1), (6, 5), (8, 0), (12, 0), (16, 5)];
        assert_eq!(bars(&histogram), expected.map(|(up_to_ns, count)| Bar { up_to_ns, count }));
        let latencies = Latencies::of("prepared", 1, &histogram, 2.0);
        assert_eq!((latencies.decisions, latencies.requests, latencies.max_ns), (13, 1, 13));
        // Of 13 latencies the seventh is 6, and the twelfth 13.
        assert_eq!((latencies.p50_ns, latencies.p90_ns), (6, 13));
    }

    #[test]
    fn a_histogram_of_nothing_has_no_bars() {
        assert_eq!(bars(&Histogram::<u64>::new_with_bounds(1, 1_000, 3).unwrap()), []);
    }
}
