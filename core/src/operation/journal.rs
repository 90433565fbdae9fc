//! The journal of inputs as operations: how a host in any language takes it over.

use serde::{Deserialize, Serialize};

/// Hands out entries, oldest first. They stay until they are acknowledged.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DrainJournal {
    /// How many at the most: 1 to 10,000. Left out: 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
}

impl DrainJournal {
    /// How many entries at the most.
    #[must_use]
    pub fn max(&self) -> usize {
        usize::try_from(self.max.unwrap_or(1_000).clamp(1, 10_000)).unwrap_or(1)
    }
}

/// Confirms that entries are written.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeJournal {
    /// The number of the last entry that is written.
    pub n: u64,
}
