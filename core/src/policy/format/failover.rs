//! A failover as a pack writes it: what it takes before the engine that took over is trusted with everything.

use serde::{Deserialize, Serialize};

/// What happens when an engine takes over from another, or finds another active beside itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Failover {
    /// The posture that is entered everywhere; any but the normal one.
    pub posture: String,
    /// Signals that have to be ok before it is left, besides those of its own `leave`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
}
