//! Guards of the host's own calls, as a pack writes them.

use serde::{Deserialize, Serialize};

use super::Signal;
use crate::time::Ttl;

impl Signal {
    /// Whether it is the state of a guard of the host's own calls, and not of what the host observes.
    #[must_use]
    pub const fn is_guard(&self) -> bool {
        self.breaker.is_some()
            || self.bulkhead.is_some()
            || self.limiter.is_some()
            || self.retry.is_some()
            || self.replay_guard.is_some()
    }
}

/// A circuit breaker: after enough failures it keeps calls away, and lets few through to see whether the dependency is back.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Breaker {
    /// Over what the rates are taken: the last calls, so many, or those of a time, as in `30s`. Left out: 20 calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// How many calls the window must hold before a rate means anything. Left out: as many as a window of calls holds; 20 for
    /// a window of time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<u32>,
    /// The share of failures at which it opens: from 0.001 to 1, to three decimals. Left out: 0.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_rate: Option<f64>,
    /// From when on a call that came back well counts as slow. Left out: none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_after: Option<Ttl>,
    /// The share of slow calls at which it opens, likewise; only with `slow_after`. Left out: 0.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_rate: Option<f64>,
    /// For how long it stays open, and within what time a probe must be reported. Left out: 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_for: Option<Ttl>,
    /// How many probes there are in half-open; all of them must come back well. Left out: 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub half_open_probes: Option<u32>,
}

/// Over what a breaker takes its rates.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Window {
    /// The last calls, so many.
    Calls(u32),
    /// The calls of this last span.
    Time(Ttl),
}

/// A bulkhead: at most so many calls at a time.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Bulkhead {
    /// How many calls may be under way at once.
    pub concurrent: u32,
    /// After how long a call that was never reported gives its place back. Left out: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Ttl>,
}

/// A rate limiter: for each key so many calls in a time, and a burst of so many at once.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Limiter {
    /// How many calls a key has in each `per`.
    pub calls: u32,
    /// The time that `calls` are for.
    pub per: Ttl,
    /// How many calls of a key may come at once. Left out: as many as `calls`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// How many keys are told apart; where they are full, a call with another is refused. Left out: 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<u32>,
}

/// Retries of calls: how long to wait, and when to stop.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// The host's words for outcomes that may go away by themselves, as `timeout`. Any other is never retried.
    pub transient: Vec<String>,
    /// The bound of the first wait, which is drawn between zero and it; that of each one after is twice as long. Left out:
    /// 100ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Ttl>,
    /// The bound that no wait exceeds. Left out: 10s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest: Option<Ttl>,
    /// How many retries one call may have: 1 to 100. Left out: 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// How many retries there may be for each call, over all calls: from 0.001 to 1, to three decimals. Left out: 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// How many retries may be saved up: 1 to 1,000. Left out: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved: Option<u32>,
}

/// A guard against replays: each key counts once within a window.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReplayGuard {
    /// How old what a key stands for may be, and for how long the key is remembered.
    pub window: Ttl,
    /// How far ahead of this host's clock another's may be. Left out: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew: Option<Ttl>,
    /// How many keys are remembered; where they are full, another is refused. Left out: 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<u32>,
}
