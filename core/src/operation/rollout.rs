//! Bundles as operations: how one becomes the active one, step by step or at once, and how it is gone back.

use serde::{Deserialize, Serialize};

/// A bundle to activate or to stage.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BundleText {
    /// The bundle, or the envelope that it is signed in, as text: to the byte what `fallgate build` or `fallgate sign` wrote.
    /// Whether it is taken is for the engine's own trust to say.
    pub bundle: String,
}

/// What to go back from, and to what.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RollBack {
    /// The digest of a bundle that was active here before, to become the active one again. Left out: the candidate is
    /// abandoned, and the active bundle stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}
