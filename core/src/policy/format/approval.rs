//! Approvals as a pack writes them: who may approve, what takes how many of them, overrides and flags.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Obligation;
use crate::time::Ttl;

/// The approvers of a group, by name. One name is one person: it has the same key wherever it stands.
pub type Approvers = BTreeMap<String, Approver>;

/// An approver: what he proves with that it is he.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Approver {
    /// A public key, `ed25519:` and 32 bytes in base64 or hexadecimal; or the secret of one-time codes (RFC 6238: SHA-1,
    /// 6 digits, 30 s), `totp:` and 16 bytes or more in base32. Who reads the pack can make the codes of a secret.
    Key(String),
    /// The same, and who it is.
    Person(Person),
}

/// An approver who is a subject too.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The key, as above.
    pub key: String,
    /// Which subject he is, as in `user:alice`: he approves nothing of which this subject has the benefit. Left out: a
    /// subject of any type whose id is his name.
    pub subject: String,
}

/// How many approvals something takes, and whose.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Approvals {
    /// How many distinct approvers, besides the one who proposes.
    pub need: u32,
    /// The group that they are of.
    pub from: String,
}

/// Overrides: under what conditions a deny may be overridden for a while (break-glass). Left out: never.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Overrides {
    /// How many distinct approvers, besides the one who proposes; none of them may have the benefit.
    pub need: u32,
    /// The group that they are of.
    pub from: String,
    /// For how long one may last at the most: not more than 24 hours. What covers the same may not last longer either.
    pub max_window: Ttl,
    /// How many requests one may allow at the most: not more than 10,000.
    pub max_uses: u32,
    /// What the host has to do along with each use: the review of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Obligation>,
}

/// A flag for emergencies: while it is set, a posture is entered, and cannot be left.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Flag {
    /// The posture.
    pub posture: String,
    /// Who answers for it: a team or a person.
    pub owner: String,
    /// After what time at the most a flag that is still set is reported. It stays in effect until it is cleared.
    pub max_age: Ttl,
    /// The approvals that it takes to set and to clear it. Left out: an operator's word alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<Approvals>,
}
