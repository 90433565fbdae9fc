//! The document of a pack: what people write, as the bundle carries it.
//!
//! These types are the format reference: the JSON Schema of a pack is generated from them, docs and all. Unknown fields
//! are errors everywhere, since a mistyped `requries` must never become an action without requirements.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::time::Ttl;

mod approval;
mod audit;
mod control;
mod failover;
mod guard;
mod posture;
mod rollout;
mod slo;

pub use approval::{Approvals, Approver, Approvers, Flag, Overrides, Person};
pub use audit::{ActionAudit, Audit, AuditLevel};
pub use control::{Control, Heartbeat};
pub use failover::Failover;
pub use guard::{Breaker, Bulkhead, Limiter, ReplayGuard, Retry, Window};
pub use posture::{BackOff, Enter, Escalate, Leave, Permits, PermitsSome, Posture, Whole};
pub use rollout::{RollBackWhen, Rollout};
pub use slo::{Objective, Slo};

/// A pack: everything that decides, in one document.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// The version of this format: 1.
    pub fallgate: u32,
    /// The pack's name: letters, digits, `-`, `_`, `.`; at most 63 bytes.
    pub name: String,
    /// The revision: a whole number that only ever grows.
    pub revision: u64,
    /// What the pack is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who answers for it: teams or people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    /// Where its runbook is: a path or an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// When it may decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<Validity>,
    /// What a request looks like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
    /// The signals, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub signals: BTreeMap<String, Signal>,
    /// The actions, by name. A request for any other is denied.
    #[serde(default)]
    pub actions: BTreeMap<String, Action>,
    /// The postures, in any order: modes of the system that cap what may be allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub postures: Vec<Posture>,
    /// The scopes that have a posture each, by name: the attribute that tells in which one a request falls, as in
    /// `tenant: resource.tenant`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scopes: BTreeMap<String, String>,
    /// The control feed that the built-in signal `control` follows. Left out: there is no such signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<Control>,
    /// What happens when an engine takes over from another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<Failover>,
    /// How another bundle takes the place of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// What the decisions are held to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slo: Option<Slo>,
    /// Who may approve what loosens, by group.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub approvers: BTreeMap<String, Approvers>,
    /// How a deny may be overridden for a while. Left out: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Overrides>,
    /// What is recorded. Left out: nothing but what an action demands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Audit>,
    /// Flags for emergencies, by name: each holds a posture while it is set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flags: BTreeMap<String, Flag>,
    /// The rules, in any order.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Rego modules: the text of each, by file name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rego: BTreeMap<String, String>,
    /// The content of `data.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// What a search may find: subjects and resources that the pack knows by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidates: Option<Candidates>,
    /// Cases that the pack must pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<Case>,
}

/// When a pack may decide: from `from`, inclusive, until `until`, exclusive; RFC 3339 timestamps.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Validity {
    /// The first instant at which it may decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The first instant at which it may no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// What a request looks like: the attributes of each type of subject and resource, of actions, and of the context.
///
/// An attribute's type is `string`, `int`, `uint`, `double`, `bool`, `timestamp`, `duration`, `ip`, `cidr` or `any`;
/// `[T]` is a list, `{ field: T }` a record, `{ "*": T }` a map. `{ type: T, optional: true }` may be absent;
/// `{ type: T, default: v }` is `v` where it is absent. Every other attribute is required.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The types of subjects, each with its attributes. Left out: subjects of any type, with none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<BTreeMap<String, Attributes>>,
    /// The attributes of actions, by action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<BTreeMap<String, Attributes>>,
    /// The types of resources, each with its attributes. Left out: resources of any type, with none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<BTreeMap<String, Attributes>>,
    /// The attributes of the context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Attributes>,
}

/// Attributes by name, each with its type.
pub type Attributes = BTreeMap<String, Value>;

/// What a search may find: by type and id, each with the properties that it is tried with.
///
/// They stand in for what the caller of a search cannot name. An evaluation never reads them: what a request leaves out
/// stays unknown there.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Candidates {
    /// Subjects, by type and id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub subject: BTreeMap<String, BTreeMap<String, Properties>>,
    /// Resources, by type and id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub resource: BTreeMap<String, BTreeMap<String, Properties>>,
}

/// Properties by name, each with its value.
pub type Properties = BTreeMap<String, Value>;

/// A signal: a fact about a dependency that the host reports, and that expires; or the state of a guard of the host's own
/// calls to it. At most one of `quorum`, `heartbeat`, `breaker`, `bulkhead`, `limiter`, `retry` and `replay_guard`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// For how long an observation holds; after that the signal is unknown, which counts as not ok. Only a guard may leave it
    /// out: what was heard of its calls then holds until something else is heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Ttl>,
    /// What a failed signal takes to count as ok again. Left out: one ok observation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recover: Option<Recover>,
    /// Makes the signal follow others instead of observations of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<Quorum>,
    /// Makes the signal ok while messages of a control feed come, and unknown when none has come for longer than `ttl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Heartbeat>,
    /// Makes the signal the state of a circuit breaker: closed is ok, half-open degraded, open failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Breaker>,
    /// Makes the signal the state of a bulkhead: degraded while all its places are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulkhead: Option<Bulkhead>,
    /// Makes the signal the state of a rate limiter: degraded where it has no room for another key, and where the calls
    /// without a key have used up what they have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limiter: Option<Limiter>,
    /// Makes the signal the state of the retries of calls: degraded while their budget is used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Makes the signal the state of a guard against replays: degraded while it has no room for another key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_guard: Option<ReplayGuard>,
}

/// What a failed signal takes to count as ok again; both, where both are given.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Recover {
    /// That many ok observations in a row, at different times, none of them stale when the next one comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oks: Option<u32>,
    /// Ok observations over that long, none of them stale when the next one comes.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub for_: Option<Ttl>,
}

/// A signal that is ok when enough others are.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Quorum {
    /// The members. One that is not declared by itself is a signal with this one's `ttl` and `recover`.
    pub of: Vec<String>,
    /// How many of them must be ok.
    pub need: u32,
}

/// An action: what it requires, and what happens when that is not there.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// What kind of action it is: `read`, `write`, `admin` or a word of your own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// What the action is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// An action that may never fail open, and that Rego decides only where `allow_rego` says why.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
    /// Why Rego may decide this protected action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_rego: Option<String>,
    /// The signals that must be ok.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
    /// What happens when one of them is not. Left out: `deny`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// For how long decisions may be used again. Left out: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheTtls>,
    /// Which decisions on it are recorded. Left out: as the pack's `audit` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<ActionAudit>,
}

/// What happens to an action when a signal that it requires is not ok.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// It is denied.
    #[default]
    Deny,
    /// Only rules marked `minimal: true` allow; every deny rule still denies.
    Minimal,
    /// An earlier allow for the same question, by the same revision, stands for a while.
    ServeCached(ServeCached),
    /// It is allowed: fail-open, for content where availability comes first.
    Allow(FailOpen),
}

/// How an earlier allow stands in.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ServeCached {
    /// How old it may be.
    pub max_stale: Ttl,
}

/// A declared fail-open.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FailOpen {
    /// Why that is right: for the people who answer for it.
    pub justification: String,
}

/// For how long decisions may be used again, at the most; a fact that ends earlier ends them earlier.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CacheTtls {
    /// For an allow. Left out: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<Ttl>,
    /// For a deny. Left out: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deny: Option<Ttl>,
}

/// A rule: what it matches, and under which condition it allows or denies.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The rule's name: letters, digits, `-`, `_`, `.`; at most 63 bytes; each once.
    pub id: String,
    /// Whether it allows or denies.
    pub effect: RuleEffect,
    /// What the rule is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// An action, several, or all that begin alike (`payment:*`). Left out: every action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<OneOrMany>,
    /// What the subject must be: by attribute, a value, several, or `{ prefix: … }`; `type` and `id` among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<BTreeMap<String, Value>>,
    /// What the resource must be, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<BTreeMap<String, Value>>,
    /// What the context must be, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<BTreeMap<String, Value>>,
    /// The condition: a CEL expression, or `{ rego: data.package.rule }`. Left out: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// Whether an allow rule also counts under `on_failure: minimal`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub minimal: bool,
    /// Whether no override gets past a deny rule.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub absolute: bool,
    /// Why the rule may grant more when it knows less: for the rare rule that needs a presence test the other way
    /// round. Every decision of the rule says so, and for a rule that denies every allow of its actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepts_information_loss: Option<String>,
    /// What the host has to do along with a decision of this rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub obligations: Vec<Obligation>,
}

/// What a rule does where it matches.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RuleEffect {
    /// It denies, whatever allows.
    Deny,
    /// It allows, where nothing denies.
    Allow,
}

/// One name or several.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// A condition.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum When {
    /// A CEL expression.
    Cel(String),
    /// A Rego rule.
    Rego(RegoQuery),
}

/// A Rego rule that gives a truth value.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RegoQuery {
    /// Its path: `data.package.rule`.
    pub rego: String,
}

/// What the host has to do along with a decision (AuthZEN's obligations profile).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Obligation {
    /// Which one it is.
    pub id: String,
    /// What kind of thing is to be done.
    #[serde(rename = "type")]
    pub obligation_type: String,
    /// The particulars.
    #[serde(default)]
    pub properties: Value,
}

/// A case: a request, the signals, and the decision that must come out.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What the case shows.
    pub name: String,
    /// An AuthZEN evaluation request; may be broken on purpose.
    pub request: Value,
    /// What is observed at the time of the decision: `ok`, `degraded` or `failed`. Any other signal is unknown.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub signals: BTreeMap<String, String>,
    /// The posture that an operator has entered everywhere. Left out: the one that the signals leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posture: Option<String>,
    /// The wall clock: an RFC 3339 timestamp. Left out: the start of the validity, or 2026-01-01T00:00:00Z.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What must come out.
    pub expect: Expect,
}

/// What must come out of a decision. What is left out is not looked at.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<RuleEffect>,
    /// The reason's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The rule's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Whether an earlier evaluation was used again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<bool>,
    /// The required signals that were not ok, in order of their names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded: Option<Vec<String>>,
    /// The ids of the obligations, in order of their rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obligations: Option<Vec<String>>,
    /// What the rule that denied says, in its order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<String>>,
    /// For how long the host may keep the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<Ttl>,
    /// The posture: of the decision, or where none is asked for of the whole system after the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posture: Option<String>,
    /// The postures of scopes after the step, by scope, as in `tenant:acme` (in drills).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub postures: BTreeMap<String, String>,
    /// Why a posture could not be entered, left or acknowledged, or a quarantine not begun or lifted (in drills). Left out: it could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The status of signals after the step (in drills).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub signals: BTreeMap<String, String>,
    /// Metrics after the step, by name and labels as the exporter writes them (in drills).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// Indicators after the step, by name, and of objectives as in `safety.budget_remaining`; null where nothing tells
    /// them (in drills).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slis: BTreeMap<String, Option<f64>>,
}
