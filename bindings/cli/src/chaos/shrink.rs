//! The smallest day that still goes wrong: steps are taken out, in halves and then one by one, as long as it does.
//!
//! This is delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002), and after it what a
//! step has more than it needs.

use serde_json::Value;

use super::Day;

/// The smallest day that `fails`, found from one that does. `tried` is told how many days were lived, and ends the search
/// where it says so.
pub(crate) fn smallest(day: &Day, fails: &dyn Fn(&Day) -> bool, tried: &mut dyn FnMut() -> bool) -> Day {
    let mut steps = day.steps.clone();
    let mut size = steps.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut shorter = false;
        while at < steps.len() {
            let end = at.saturating_add(size).min(steps.len());
            let rest: Vec<Value> = steps.iter().take(at).chain(steps.iter().skip(end)).cloned().collect();
            let attempt = day.with(rest);
            if !attempt.steps.is_empty() && fails(&attempt) {
                steps = attempt.steps;
                shorter = true;
            } else {
                at = end;
            }
            if !tried() {
                return day.with(steps);
            }
        }
        match (size, shorter) {
            (1, false) => break,
            (1, true) => {}
            _ => size = size.div_ceil(2),
        }
    }
    trimmed(day, steps, fails, tried)
}

/// Takes out of each step what it does not need: what is observed, one signal at a time, and repetitions.
fn trimmed(day: &Day, mut steps: Vec<Value>, fails: &dyn Fn(&Day) -> bool, tried: &mut dyn FnMut() -> bool) -> Day {
    for at in 0..steps.len() {
        let Some(step) = steps.get(at) else { break };
        let observed = step.get("observe").and_then(Value::as_object);
        let mut smaller: Vec<(String, Option<String>)> =
            observed.into_iter().flatten().map(|(name, _)| ("observe".to_owned(), Some(name.clone()))).collect();
        smaller.push(("repeat".to_owned(), None));
        for (member, inner) in smaller {
            let mut attempt = steps.clone();
            let removed = attempt.get_mut(at).and_then(Value::as_object_mut).and_then(|step| match &inner {
                Some(name) => step.get_mut(&member)?.as_object_mut()?.remove(name),
                None => step.remove(&member),
            });
            let attempt = day.with(attempt);
            if removed.is_some() && fails(&attempt) {
                steps = attempt.steps;
            }
            if !tried() {
                return day.with(steps);
            }
        }
    }
    day.with(steps)
}
