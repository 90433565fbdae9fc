//! What is done with the guards of the host's own calls, as operations.

use serde::{Deserialize, Serialize};

use crate::resilience::breaker::CallOutcome;
use crate::time::Ttl;

/// A call that a guard is asked about.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Acquire {
    /// The signal that is the guard.
    pub signal: String,
    /// The key that a limiter or a guard against replays tells the call apart by. The other guards take none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What a call came to.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The signal that is the guard.
    pub signal: String,
    /// The permit of the call.
    pub permit: u64,
    /// What it came to.
    pub outcome: CallOutcome,
    /// How long it took. Left out: the time since the permit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took: Option<Ttl>,
}

/// A call that may be tried again.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// The signal that is the guard.
    pub signal: String,
    /// The permit of the call.
    pub permit: u64,
    /// What the last try came to, in the host's own word, as `timeout`.
    pub outcome: String,
}

/// Something that must be taken once.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FirstSeen {
    /// The signal that is the guard.
    pub signal: String,
    /// What tells it apart.
    pub key: String,
    /// When it was made: an RFC 3339 timestamp.
    pub made_at: String,
}

/// A breaker.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BreakerAt {
    /// The signal that is the breaker.
    pub signal: String,
}
