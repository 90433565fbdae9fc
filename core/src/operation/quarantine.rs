//! Quarantine and revocation as operations.

use serde::{Deserialize, Serialize};

use crate::state::quarantine::Selector;
use crate::time::Ttl;

/// What is quarantined.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Quarry {
    /// A subject, or every subject of a type.
    Subject(Named),
    /// A resource, or every resource of a type.
    Resource(Named),
    /// A scope, as in `tenant:acme`.
    Scope(String),
    /// Every request for which a CEL condition holds, or for which nobody can tell whether it does: over subject, action,
    /// resource, context, signals and `now`.
    When(String),
    /// Everything.
    Everything,
}

/// A type, and which one of it.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The id. Left out: every one of the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// A quarantine that begins.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Quarantine {
    /// What is quarantined.
    pub what: Quarry,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For how long. Left out: until it is lifted.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub for_: Option<Ttl>,
    /// Whether no override may ever get past it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub absolute: bool,
}

/// A subject whose earlier decisions are void.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// The subject's type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The subject's id.
    pub id: String,
    /// What was decided until then is void: a time of the monotonic clock. Left out: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Ttl>,
}

impl From<Selector<'_>> for Quarry {
    fn from(selector: Selector<'_>) -> Self {
        let named =
            |type_name: &str, id: Option<&str>| Named { type_name: type_name.to_owned(), id: id.map(str::to_owned) };
        match selector {
            Selector::Subject(type_name, id) => Self::Subject(named(type_name, Some(id))),
            Selector::SubjectType(type_name) => Self::Subject(named(type_name, None)),
            Selector::Resource(type_name, id) => Self::Resource(named(type_name, Some(id))),
            Selector::ResourceType(type_name) => Self::Resource(named(type_name, None)),
            Selector::Scope(scope) => Self::Scope(scope.to_owned()),
            Selector::When(condition) => Self::When(condition.to_owned()),
            Selector::Everything => Self::Everything,
        }
    }
}

impl Quarry {
    /// The selector of what is quarantined.
    #[must_use]
    pub fn selector(&self) -> Selector<'_> {
        match self {
            Self::Subject(Named { type_name, id: Some(id) }) => Selector::Subject(type_name, id),
            Self::Subject(Named { type_name, id: None }) => Selector::SubjectType(type_name),
            Self::Resource(Named { type_name, id: Some(id) }) => Selector::Resource(type_name, id),
            Self::Resource(Named { type_name, id: None }) => Selector::ResourceType(type_name),
            Self::Scope(scope) => Selector::Scope(scope),
            Self::When(condition) => Selector::When(condition),
            Self::Everything => Selector::Everything,
        }
    }
}
