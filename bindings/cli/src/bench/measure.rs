//! Asks an engine the same requests again and again, and notes how long each answer takes.
//!
//! One thread. Half of the time each decision is timed by itself, for the latencies; in the other half whole rounds are,
//! for the decisions a second, so that the timer has no part in those.

use std::hint::black_box;
use std::time::{Duration, Instant};

use fallgate::time::Now;
use fallgate::{Decision, Engine};
use hdrhistogram::{CreationError, Histogram};

use super::asked::{Asked, drain};
use super::figures::Latencies;

/// The longest latency that is told apart from longer ones: a minute.
const LATENCY_MAX_NS: u64 = 60_000_000_000;
/// Digits of a latency that are kept.
const DIGITS: u8 = 3;
/// How often the timer is read to learn what that takes.
const TIMER_READINGS: u32 = 10_000;

/// A way to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// Its name.
    pub name: &'static str,
    /// Whether the engine is given bytes; else requests as the host holds them.
    pub bytes: bool,
    /// Whether earlier answers are kept.
    pub keeps_answers: bool,
}

/// Every way, in the order in which they are told.
pub const WAYS: [Way; 4] = [
    Way { name: "prepared", bytes: false, keeps_answers: false },
    Way { name: "prepared_cached", bytes: false, keeps_answers: true },
    Way { name: "bytes", bytes: true, keeps_answers: false },
    Way { name: "bytes_cached", bytes: true, keeps_answers: true },
];

/// Reads the machine's timer.
#[allow(clippy::disallowed_methods, reason = "this command measures time; the core takes it as an argument")]
pub(crate) fn timer() -> Instant {
    Instant::now()
}

/// Nanoseconds of a span.
pub(crate) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// What it takes to read the timer twice with nothing between: the median.
#[must_use]
pub fn timer_ns() -> u64 {
    let mut readings: Vec<u64> = (0..TIMER_READINGS).map(|_| nanos(timer().elapsed())).collect();
    readings.sort_unstable();
    readings.get(readings.len() / 2).copied().unwrap_or_default()
}

/// Asks in one way for so long; `timer_ns` is taken off each latency. Calls `round` after each round. Where answers are
/// kept, only what is answered by an earlier one is asked; nothing comes out where nothing is.
///
/// # Errors
/// Where the histogram cannot be made.
pub fn measure(
    way: Way,
    (engine, now): &(Engine, Now),
    asked: &[Asked],
    lasts: Duration,
    timer_ns: u64,
    round: &mut dyn FnMut(),
) -> Result<Option<Latencies>, CreationError> {
    // The first round, untimed, brings code and policy into the caches, and answers into the engine's.
    let run = Run { way, engine, now: *now, asked: asked.iter().collect() };
    run.all(|_, decision| {
        black_box(&decision);
    });
    let mut asked = Vec::new();
    run.all(|asks, decision| asked.extend((decision.cached() == way.keeps_answers).then_some(asks)));
    drain(engine, *now);
    if asked.is_empty() {
        return Ok(None);
    }

    let run = Run { asked, ..run };
    let mut histogram = Histogram::<u64>::new_with_bounds(1, LATENCY_MAX_NS, DIGITS)?;
    let (mut decisions, mut untimed) = (0_u64, Duration::ZERO);
    let started = timer();
    loop {
        run.each(&mut |took| histogram.saturating_record(nanos(took).saturating_sub(timer_ns).max(1)));
        drain(engine, *now);
        let whole = timer();
        let mut count = 0_u64;
        run.all(|_, decision| {
            black_box(&decision);
            count = count.saturating_add(1);
        });
        untimed = untimed.saturating_add(whole.elapsed());
        decisions = decisions.saturating_add(count);
        drain(engine, *now);
        round();
        if started.elapsed() >= lasts {
            break;
        }
    }
    let per_second = decisions as f64 / untimed.as_secs_f64().max(f64::EPSILON);
    Ok(Some(Latencies::of(way.name, run.asked.len(), &histogram, per_second)))
}

struct Run<'r> {
    way: Way,
    engine: &'r Engine,
    now: Now,
    asked: Vec<&'r Asked>,
}

impl<'r> Run<'r> {
    /// Asks every request once.
    fn all(&self, mut each: impl FnMut(&'r Asked, Decision)) {
        for asked in &self.asked {
            each(asked, self.decide(asked));
        }
    }

    /// Asks every request once, and times each.
    fn each(&self, each: &mut dyn FnMut(Duration)) {
        for asked in &self.asked {
            let started = timer();
            let decision = black_box(self.decide(asked));
            let took = started.elapsed();
            drop(decision);
            each(took);
        }
    }

    fn decide(&self, asked: &Asked) -> Decision {
        match &asked.prepared {
            Some(request) if !self.way.bytes => self.engine.decide(request, self.now),
            _ => self.engine.decide_json(&asked.bytes, self.now),
        }
    }
}
