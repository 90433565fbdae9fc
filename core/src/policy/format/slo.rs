//! Objectives, as people write them.

use serde::{Deserialize, Serialize};

use crate::time::Ttl;

/// What the decisions are held to: safety and availability apart, so that neither pays for the other.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Slo {
    /// The part of all allows that has to be right: neither fail-open nor labelled malicious.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety: Option<Objective>,
    /// The part of all decisions on requests that could be decided which has to be made with nothing missing, late or
    /// broken, and not be a deny labelled legitimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability: Option<Objective>,
}

/// An objective.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// The part that has to be good: greater than 0 and less than 1, as in 0.999. What is missing to 1 is the error budget.
    pub target: f64,
    /// Over what time: from `1m` to `35d`. Left out: 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Ttl>,
}
