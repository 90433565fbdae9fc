//! An action as the policy declares it, with all that its decisions may rest on.

use super::format::{ActionAudit, OnFailure};
use crate::name::Name;
use crate::time::Ttl;

/// A declared action.
#[derive(Clone, Debug)]
pub struct ActionSpec {
    /// Its name.
    pub name: Name,
    /// What kind of action it is.
    pub class: Option<Name>,
    /// Whether it may never fail open.
    pub protected: bool,
    /// The signals that must be ok, ascending by number.
    pub requires: Box<[u16]>,
    /// Whether a rule that may deny it declares that it may cease to when it knows less: then each allow says so.
    pub may_lose_a_deny: bool,
    /// What happens when one of them is not.
    pub on_failure: OnFailure,
    /// For how long an allow may be used again.
    pub allow_ttl: Option<Ttl>,
    /// For how long a deny may be used again.
    pub deny_ttl: Option<Ttl>,
    /// Which decisions on it are recorded, where it does not go with the pack.
    pub audit: Option<ActionAudit>,
    /// The parts of the index that hold the rules for it.
    pub roots: Box<[u32]>,
    /// The rules for it, ascending by number: for the matcher without an index, and empty where that is not built in
    /// (feature `naive-matcher`).
    pub rules: Box<[u32]>,
    /// What the rules for it may read.
    pub reads: ActionReads,
}

/// What the rules for an action may read: the facts that its decisions rest on.
#[derive(Clone, Debug, Default)]
pub struct ActionReads {
    /// The slots, ascending: the projection of the request that keys a cached decision.
    pub slots: Box<[u16]>,
    /// Whether a rule may read the whole request (Rego): then all of it is the key.
    pub whole_request: bool,
    /// Whether a rule may read the posture.
    pub posture: bool,
    /// The signals that rules read and the action does not require, ascending.
    pub signals: Box<[u16]>,
}
