//! Audit records as operations: how a host in any language takes them over.

use serde::{Deserialize, Serialize};

/// Hands out records, oldest first. They stay until they are acknowledged.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DrainAudit {
    /// How many at the most: 1 to 10,000. Left out: 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
}

impl DrainAudit {
    /// How many records at the most.
    #[must_use]
    pub fn max(&self) -> usize {
        usize::try_from(self.max.unwrap_or(1_000).clamp(1, 10_000)).unwrap_or(1)
    }
}

/// Confirms that records are written.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeAudit {
    /// The number of the last record that is written.
    pub seq: u64,
}

/// Decides, and lets an allow wait until its record is written, where the action demands that.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DecidePending {
    /// An AuthZEN evaluation request.
    pub request: serde_json::Value,
}

/// Asks for what waited: its record is written.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ConfirmDecision {
    /// What waits, by the identifier that `decide_pending` gave.
    pub pending: String,
}

/// Adds a record of where the chain has come to.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {}
