//! The rollout of a pack: how a later bundle takes its place, as people write it.

use serde::{Deserialize, Serialize};

use super::Approvals;
use crate::time::Ttl;

/// How another bundle takes the place of this one: beside it first, then for a few, then for more, and at last for all.
///
/// What governs a rollout is the pack that is active, whom everybody trusts already; but for `newly_allows`, which is the
/// later pack's own word about itself. While a pack with this section is active, no other is activated but by a rollout.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// For how long at the least the later pack is only asked beside this one, which decides.
    pub shadow: Ttl,
    /// What shares of the requests it decides then, one step after the other: percentages with up to two decimals, as in
    /// `["1%", "10%", "50%"]`, each greater than the one before. Left out: none, so that it decides for all after `shadow`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub canary: Vec<String>,
    /// For how long at the least each share holds. Left out: as long as `shadow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Ttl>,
    /// The attribute that tells on which side a request is, as in `resource.tenant`: equal values are on one side. It is text,
    /// and required in every type; where it is empty, this pack decides. Left out: `subject.id`, with the type of the subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// How many decisions at the least each step compares; less says nothing. Left out: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<u64>,
    /// Who approves a pack that newly allows something. Left out: nobody can, and such a pack is never promoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<Approvals>,
    /// What this pack newly allows over the one before, and means to: actions, or the beginnings of several (`payment:*`).
    /// What it newly allows besides stops its rollout.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub newly_allows: Vec<String>,
    /// When a rollout ends by itself, with everybody on this pack again. Each number is counted from the start of the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roll_back_when: Option<RollBackWhen>,
}

/// When a rollout ends by itself: with the first of these that is reached.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RollBackWhen {
    /// So many requests newly allowed, which nobody declared or approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newly_allowed: Option<u64>,
    /// So many requests newly denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newly_denied: Option<u64>,
    /// So many requests newly indeterminate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub indeterminate: Option<u64>,
    /// A rate of denies that is greater by so much, as in `0.02` for two of a hundred; from `sample` decisions on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deny_rate_delta: Option<f64>,
}
