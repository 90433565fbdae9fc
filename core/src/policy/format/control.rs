//! Control feeds in a pack: which signals follow them.
//!
//! Who may sign their messages is not said here. That is the trust root's to say: whoever writes policy is not thereby an
//! operator.

use serde::{Deserialize, Serialize};

use super::Recover;
use crate::time::Ttl;

/// The control feed of a fleet: its messages keep the built-in signal `control` ok, and silence makes it unknown.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// The feed, as the trust root names it.
    pub feed: String,
    /// For how long a message holds; after that the signal is unknown, which counts as not ok.
    pub ttl: Ttl,
    /// What the signal takes to count as ok again after it failed. Left out: one message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recover: Option<Recover>,
}

/// A signal that follows the messages of a control feed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// The feed, as the trust root names it.
    pub feed: String,
}
