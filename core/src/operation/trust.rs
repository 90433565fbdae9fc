//! Whom an engine trusts, as an operation.

use serde::{Deserialize, Serialize};

/// A trust root that takes the place of the one that is held.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RotateTrust {
    /// The envelope of the root, as text: what `fallgate keys trust --follow` writes.
    pub root: String,
}
