//! Which rules cost most: each one that a request leads to, evaluated by itself again and again.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use fallgate::Engine;
use fallgate::time::Now;

use super::asked::Asked;
use super::figures::RuleCost;
use super::measure::{nanos, timer};

/// For how long a rule is evaluated for one request, at the least and at the most.
const SPAN: (Duration, Duration) = (Duration::from_micros(100), Duration::from_millis(20));
/// How long the calls of one mean take, at the least: short enough that most of them are not disturbed.
const WINDOW: Duration = Duration::from_micros(10);
/// How many calls one mean is of, at the most.
const CALLS_MAX: u32 = 1 << 20;

/// What the rules take for these requests, the costliest first: about so long is spent to learn it.
#[must_use]
pub fn costs(
    (engine, now): &(Engine, Now),
    asked: &[Asked],
    lasts: Duration,
    round: &mut dyn FnMut(),
) -> Vec<RuleCost> {
    let visits = visits(engine, asked, *now);
    let span = lasts.checked_div(visits).unwrap_or(SPAN.0).clamp(SPAN.0, SPAN.1);
    let mut taken: BTreeMap<String, (u64, f64)> = BTreeMap::new();
    for request in asked.iter().filter_map(|asked| asked.prepared.as_ref()) {
        engine.each_considered(request, *now, &mut |rule, evaluate| {
            let nanos = time(span, &mut || {
                black_box(evaluate());
            });
            let (requests, sum) = taken.entry(rule.to_owned()).or_default();
            *requests = requests.saturating_add(1);
            *sum += nanos;
        });
        round();
    }
    let total: f64 = taken.values().map(|(_, sum)| sum).sum();
    let mut costs: Vec<RuleCost> = taken
        .into_iter()
        .map(|(rule, (requests, sum))| RuleCost {
            rule,
            requests,
            each_ns: sum / requests.max(1) as f64,
            share: sum / total.max(f64::MIN_POSITIVE),
        })
        .collect();
    costs.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.rule.cmp(&b.rule)));
    costs
}

/// How many rules the requests lead to, in all.
fn visits(engine: &Engine, asked: &[Asked], now: Now) -> u32 {
    let mut visits = 0_u32;
    for request in asked.iter().filter_map(|asked| asked.prepared.as_ref()) {
        engine.each_considered(request, now, &mut |_, _| visits = visits.saturating_add(1));
    }
    visits
}

/// The nanoseconds of one call, measured for about that span: the least of many means, since what else the machine does
/// only adds to them.
fn time(span: Duration, call: &mut dyn FnMut()) -> f64 {
    call();
    let started = timer();
    let mut calls = 1_u32;
    let mut least = f64::INFINITY;
    loop {
        let window = timer();
        for _ in 0..calls {
            call();
        }
        let took = window.elapsed();
        if took < WINDOW && calls < CALLS_MAX {
            // Too short to be told from reading the timer.
            calls = calls.saturating_mul(2);
            continue;
        }
        least = least.min(nanos(took) as f64 / f64::from(calls));
        if started.elapsed() >= span {
            return least;
        }
    }
}
