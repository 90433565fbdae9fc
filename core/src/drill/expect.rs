//! What a case or a step expects, held against what came out.

use crate::engine::Engine;
pub use crate::engine::case::{decision_failures, signal_failures};
use crate::policy::format::Expect;
use crate::time::Now;

/// The posture of the whole system, where it is not as expected.
#[must_use]
pub fn posture_failure(expect: &Expect, engine: &Engine) -> Option<String> {
    expect.posture.as_ref().and_then(|expected| wrong_posture("posture", expected, engine, None))
}

/// Every posture of a scope that is not as expected.
#[must_use]
pub fn posture_failures(expect: &Expect, engine: &Engine) -> Vec<String> {
    let wrong = |(scope, expected): (&String, &String)| {
        wrong_posture(&format!("posture of {scope}"), expected, engine, Some(scope))
    };
    expect.postures.iter().filter_map(wrong).collect()
}

fn wrong_posture(what: &str, expected: &str, engine: &Engine, scope: Option<&str>) -> Option<String> {
    let found = engine.posture(scope).unwrap_or_default();
    (found.as_str() != expected).then(|| format!("{what}: expected {expected}, found {found}"))
}

/// Every metric and every indicator that is not as expected.
#[must_use]
pub fn measure_failures(expect: &Expect, engine: &Engine, now: Now) -> Vec<String> {
    let mut failures = Vec::new();
    let mut hold = |what: String, expected: Option<f64>, found: Option<f64>| {
        let same = match (expected, found) {
            (Some(expected), Some(found)) => (expected - found).abs() <= 1e-9 * expected.abs().max(1.0),
            (expected, found) => expected.is_none() && found.is_none(),
        };
        if !same {
            let word = |number: Option<f64>| number.map_or_else(|| "nothing".to_owned(), |number| number.to_string());
            failures.push(format!("{what}: expected {}, found {}", word(expected), word(found)));
        }
    };
    if !expect.slis.is_empty() {
        let slis = engine.slis(now);
        for (name, expected) in &expect.slis {
            match slis.value(name) {
                Some(found) => hold(format!("indicator {name}"), *expected, found),
                None => hold(format!("indicator {name} (there is none so named)"), Some(0.0), None),
            }
        }
    }
    if !expect.metrics.is_empty() {
        let metrics = engine.metrics();
        for (name, expected) in &expect.metrics {
            hold(format!("metric {name}"), Some(*expected), metrics.value(name));
        }
    }
    failures
}
