//! What a case or a step expects, held against what came out.

use crate::decision::Decision;
use crate::engine::Engine;
use crate::policy::format::{Expect, RuleEffect};
use crate::reason::Effect;
use crate::time::Now;

/// Everything in which the decision is not as expected; empty if it is.
#[must_use]
pub fn decision_failures(expect: &Expect, decision: &Decision) -> Vec<String> {
    let mut failures = Vec::new();
    let mut hold = |what: &str, expected: Option<String>, found: String| {
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            failures.push(format!("{what}: expected {expected}, found {found}"));
        }
    };
    let effect = |effect| if effect == Effect::Allow { "allow" } else { "deny" };
    let expected_effect = expect.effect.map(|effect| match effect {
        RuleEffect::Allow => "allow".to_owned(),
        RuleEffect::Deny => "deny".to_owned(),
    });
    hold("effect", expected_effect, effect(decision.effect()).to_owned());
    hold("reason", expect.reason.clone(), decision.reason().code().to_owned());
    hold("rule", expect.rule.clone(), decision.rule().unwrap_or("none").to_owned());
    hold("posture", expect.posture.clone(), decision.posture().to_owned());
    hold("cached", expect.cached.map(|cached| cached.to_string()), decision.cached().to_string());
    let degraded: Vec<&str> = decision.degraded().iter().map(|name| name.as_str()).collect();
    hold("degraded", expect.degraded.as_ref().map(|names| names.join(", ")), degraded.join(", "));
    let obligations: Vec<&str> = decision.obligations().iter().map(|obligation| &*obligation.id).collect();
    hold("obligations", expect.obligations.as_ref().map(|ids| ids.join(", ")), obligations.join(", "));
    let messages: Vec<&str> = decision.messages().iter().map(|message| &**message).collect();
    hold("messages", expect.messages.as_ref().map(|messages| messages.join("; ")), messages.join("; "));
    let expires_in = crate::time::Ttl::from_millis(decision.expires_in_ms());
    hold("expires_in", expect.expires_in.map(|ttl| ttl.to_string()), expires_in.to_string());
    failures
}

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

/// Every signal that is not as expected.
#[must_use]
pub fn signal_failures(expect: &Expect, engine: &Engine) -> Vec<String> {
    let failure = |(name, expected): (&String, &String)| {
        let found = engine.signal(name).map_or("not declared", |status| status.name());
        (found != expected.as_str()).then(|| format!("signal {name}: expected {expected}, found {found}"))
    };
    expect.signals.iter().filter_map(failure).collect()
}
