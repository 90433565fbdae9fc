//! Audit as a pack writes it: which decisions leave a record, and what of a request must not be written.

use serde::{Deserialize, Serialize};

/// Which decisions leave a record. Everything else that happens (postures, signals, overrides …) always does, once a pack
/// declares `audit`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Which decisions are recorded, where an action does not say otherwise.
    pub level: AuditLevel,
    /// With `sampled`: which share of the ordinary allows, above 0 and at most 1. Left out: 0.01.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<f64>,
    /// Attributes that are replaced by a keyed tag, as in `subject.email`; `*` stands for every member or item.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redact: Vec<String>,
    /// Attributes that are replaced by a commitment, which the host can open later without a change to the chain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commit: Vec<String>,
}

/// Which decisions are recorded.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AuditLevel {
    /// None.
    None,
    /// Every deny, and every allow that is an exception: stale, minimal, fail-open, by an override.
    Denies,
    /// What `denies` records, and a share of the other allows.
    Sampled,
    /// All.
    #[default]
    All,
}

/// Which decisions on one action are recorded.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ActionAudit {
    /// None.
    None,
    /// Every deny, and every allow that is an exception.
    Denies,
    /// What `denies` records, and a share of the other allows.
    Sampled,
    /// All.
    All,
    /// All; and where no record can be kept, the action is denied.
    Required,
    /// All; and an allow is given out only when the host has confirmed that its record is written: in two calls,
    /// `decide_pending` and `confirm_decision`.
    Confirmed,
}
