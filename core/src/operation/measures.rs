//! What operators and hosts report for the measures, and how they ask for them.

use serde::{Deserialize, Serialize};

use crate::policy::format::RuleEffect;
use crate::telemetry::sli::{DecisionLabel, TriggerLabel};

/// Says what the request of a decision turned out to be, in place of what was said of it before.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LabelDecision {
    /// The decision: the `id` in its context.
    pub decision: String,
    /// What its request turned out to be.
    pub label: DecisionLabel,
}

/// Says whether a posture was entered for a reason.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LabelTrigger {
    /// The `id` of the event `posture_entered`, where no operator caused it.
    pub trigger: u64,
    /// What it turned out to be.
    pub label: TriggerLabel,
}

/// Reports how often the host was asked to do something.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReportAttempts {
    /// How often since the last report.
    pub count: u64,
}

/// Reports on an obligation.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReportMitigation {
    /// Whether it was fulfilled.
    pub done: bool,
}

/// Reports how long a decision took.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RecordLatency {
    /// What the decision did.
    pub effect: RuleEffect,
    /// How long it took, in nanoseconds.
    pub nanos: u64,
}
