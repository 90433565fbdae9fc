//! Postures as a pack writes them: named modes of the system that cap what may be allowed.

use serde::{Deserialize, Serialize};

use super::Approvals;
use crate::time::Ttl;

/// A posture: what it permits, how it is entered and how it is left.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Posture {
    /// The posture's name: letters, digits, `-`, `_`, `.`; at most 63 bytes; each once.
    pub name: String,
    /// How strict it is: 0 is the normal one, and of two postures the higher is stricter. No two have the same.
    pub rank: u32,
    /// What the posture is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it permits. A request needs that of every laxer posture too.
    pub permits: Permits,
    /// When it is entered without anybody's doing. Left out: only an operator enters it, or another posture escalates to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enter: Option<Enter>,
    /// What it takes to leave it. Every posture but the normal one needs a way out; `{}` lets an operator leave at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave: Option<Leave>,
    /// Which stricter posture follows when nobody acknowledges this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate: Option<Escalate>,
}

/// What a posture permits.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Permits {
    /// Everything, or nothing.
    Whole(Whole),
    /// A part.
    Some(PermitsSome),
}

/// Everything or nothing.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Whole {
    /// Nothing at all.
    None,
    /// Every action.
    All,
}

/// A part of what there is: the actions of `classes` and those that `actions` names (every one, where neither is given),
/// and of these only the requests for which `when` is true.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PermitsSome {
    /// The classes whose actions are permitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<String>>,
    /// Actions that are permitted, or the beginning of several (`payment:*`), besides those of the classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actions: Option<Vec<String>>,
    /// A CEL condition that has to be true besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// When a posture is entered without anybody's doing.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Enter {
    /// A CEL condition over signals. One that cannot be established counts as true.
    pub when: String,
    /// For how long it has to hold without a break. Left out: it is entered at once.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub for_: Option<Ttl>,
}

/// What it takes to leave a posture: all of it, and then an operator who does so.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Leave {
    /// For how long the condition of `enter` has to have been false. Left out: it has to be false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<Ttl>,
    /// How long it lasts at the least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dwell: Option<Ttl>,
    /// Signals that have to be ok.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
    /// The approvals that it takes. Left out: an operator's word alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<Approvals>,
    /// How much longer it lasts where it is entered again soon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_off: Option<BackOff>,
}

/// How a posture that is entered again soon after it was left lasts longer: `dwell` is doubled each time.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BackOff {
    /// How soon is soon.
    pub within: Ttl,
    /// How long the dwell can become.
    pub max: Ttl,
}

/// Which stricter posture follows when nobody acknowledges.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Escalate {
    /// The posture that is entered.
    pub to: String,
    /// How long after this one was entered.
    pub after: Ttl,
}
