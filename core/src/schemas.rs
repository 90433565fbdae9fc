//! The JSON Schema (draft 2020-12) of every format, generated from the types that read it.

use schemars::{JsonSchema, Schema, schema_for};
use serde::Deserialize;

use crate::drill::Drill;
use crate::operation::{ControlForm, Operation};
use crate::policy::format::{Case, Pack, Rule};
use crate::policy::trust::envelope::EnvelopeForm;
use crate::policy::trust::root::TrustForm;

/// A file of rules: `rules.yaml`, `rules/*.yaml`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RulesFile {
    /// The rules.
    pub rules: Vec<Rule>,
}

/// A file of cases: `tests/*.yaml`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CasesFile {
    /// The cases.
    pub cases: Vec<Case>,
}

/// The formats that have a schema, by name.
pub const NAMES: [&str; 8] = ["pack", "rules", "cases", "drill", "operation", "envelope", "trust", "control"];

/// The schema of the format of that name.
#[must_use]
pub fn schema(name: &str) -> Option<Schema> {
    match name {
        "pack" => Some(schema_for!(Pack)),
        "rules" => Some(schema_for!(RulesFile)),
        "cases" => Some(schema_for!(CasesFile)),
        "drill" => Some(schema_for!(Drill)),
        "operation" => Some(schema_for!(Operation)),
        "envelope" => Some(schema_for!(EnvelopeForm)),
        "trust" => Some(schema_for!(TrustForm)),
        "control" => Some(schema_for!(ControlForm)),
        _ => None,
    }
}
