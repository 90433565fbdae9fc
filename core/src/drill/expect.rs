//! What a case or a step expects, held against what came out.

use crate::decision::Decision;
use crate::engine::Engine;
use crate::policy::format::{Expect, RuleEffect};
use crate::reason::Effect;

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

/// Every signal that is not as expected.
#[must_use]
pub fn signal_failures(expect: &Expect, engine: &Engine) -> Vec<String> {
    let failure = |(name, expected): (&String, &String)| {
        let found = engine.signal(name).map_or("not declared", |status| status.name());
        (found != expected.as_str()).then(|| format!("signal {name}: expected {expected}, found {found}"))
    };
    expect.signals.iter().filter_map(failure).collect()
}
