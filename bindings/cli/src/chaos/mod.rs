//! Chaos: random days of faults on a pack's own signals, postures and requests, and theorems that hold at every step.
//!
//! A day is a drill ([`weather`] makes it), so whatever goes wrong in one can be kept, read and run again. What is held at each
//! step is in [`theorems`]; a day that breaks one is made as small as it can be ([`shrink`]).

pub(crate) mod dice;
pub(crate) mod shrink;
#[cfg(test)]
mod tests;
pub(crate) mod theorems;
pub(crate) mod weather;
pub(crate) mod world;

use std::collections::BTreeMap;

use fallgate::drill::{Drill, DrillReport};
use fallgate::error::Diagnostic;
use fallgate::limits::Limits;
use fallgate::policy::bundle::Bundle;
use serde_json::{Value, json};

use theorems::{Never, Violation};

/// A random day: the steps as they stand in a drill, and what they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Day {
    pub(crate) steps: Vec<Value>,
    /// What approvers sign with.
    pub(crate) keys: BTreeMap<String, String>,
    pub(crate) faults: Vec<(&'static str, usize)>,
}

impl Day {
    /// The same people on a day of these steps.
    pub(crate) fn with(&self, steps: Vec<Value>) -> Self {
        Self { steps, keys: self.keys.clone(), faults: Vec::new() }
    }

    /// The day as a drill's document.
    pub(crate) fn document(&self, title: &str, pack: Option<&str>) -> Value {
        let mut document = json!({ "drill": title, "keys": self.keys, "steps": self.steps });
        if let (Some(pack), Some(members)) = (pack, document.as_object_mut()) {
            members.insert("pack".to_owned(), pack.into());
        }
        document
    }

    /// The day as a drill.
    ///
    /// # Errors
    /// What a drill's reader says of it; a mistake of the weather, which a test looks for.
    pub(crate) fn drill(&self) -> Result<Drill, Diagnostic> {
        let mut limits = Limits::DEFAULT;
        limits.drill_steps_max = usize::MAX;
        Drill::from_document(&self.document("chaos", None), &limits)
    }
}

/// The first violation of a day, and what it came to.
pub(crate) fn lived(
    day: &Day,
    bundle: &Bundle,
    never: &[Never],
) -> Result<(DrillReport, Option<Violation>), Diagnostic> {
    let drill = day.drill()?;
    let report = drill.run(bundle);
    let violation = theorems::first(bundle, &drill, &report, never);
    Ok((report, violation))
}
