//! Exported state and failover as operations.

use serde::{Deserialize, Serialize};

/// No particulars: `{}`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A state that is restored.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RestoreState {
    /// What `export_state` gave, to the byte; empty where there is none.
    pub state: String,
    /// The lowest sequence that is taken. Left out: any that is not below what this engine has restored already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_sequence: Option<u64>,
}

/// A claim to be the active engine.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The epoch.
    pub epoch: u64,
    /// The engine that claims it.
    pub instance: String,
}

/// What was restored.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct StateReport {
    /// The sequence of the state.
    pub sequence: u64,
    /// Its epoch.
    pub epoch: u64,
    /// The engine that wrote it.
    pub instance: String,
    /// How much time has passed since at the most, in milliseconds; null where the clocks cannot tell.
    pub elapsed_ms: Option<u64>,
}
