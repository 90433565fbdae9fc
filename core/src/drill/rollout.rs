//! Rollouts in a drill: a later bundle, written as what it changes of the pack that the drill is about.
//!
//! The runner makes the whole bundle of it, so that what is recorded is an operation like any other, and who replays a
//! timeline needs no pack but the first.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Step;
use crate::operation::{BundleText, Nothing, Operation, RollBack};
use crate::policy::bundle::{Bundle, hexadecimal};
use crate::policy::format::Rule;

/// A later bundle of the pack: the pack's own document, but for what is said here.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Successor {
    /// Its revision, which other steps call it by.
    pub revision: u64,
    /// Rules that it has: in place of the pack's of the same id, or besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// The ids of the pack's rules that it has not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_rules: Vec<String>,
    /// What else is otherwise: a merge patch of the pack's document (RFC 7396), in which null takes a member out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<Value>,
}

/// The bundles of a drill, by revision: their digests.
pub(super) struct Shelf {
    pack: Value,
    digests: BTreeMap<u64, String>,
}

impl Shelf {
    pub(super) fn new(bundle: &Bundle) -> Self {
        let pack = serde_json::from_slice(bundle.bytes()).unwrap_or_default();
        Self { pack, digests: BTreeMap::from([(bundle.revision(), bundle.id().to_string())]) }
    }

    /// The digest of the bundle of that revision; the revision itself, where the drill has none.
    pub(super) fn digest(&self, revision: u64) -> String {
        self.digests.get(&revision).cloned().unwrap_or_else(|| revision.to_string())
    }

    /// What the step does with bundles, in order.
    pub(super) fn operations(&mut self, step: &Step) -> Vec<Operation> {
        let mut operations = Vec::new();
        operations.extend(step.stage.as_ref().map(|successor| Operation::Stage(self.text(successor))));
        operations.extend(step.activate.as_ref().map(|successor| Operation::Activate(self.text(successor))));
        operations.extend(step.promote.then_some(Operation::Promote(Nothing {})));
        operations.extend(step.roll_back.then(|| Operation::RollBack(RollBack::default())));
        let to = step.return_to.map(|revision| RollBack { to: Some(self.digest(revision)) });
        operations.extend(to.map(Operation::RollBack));
        operations
    }

    fn text(&mut self, successor: &Successor) -> BundleText {
        let mut document = self.pack.clone();
        if let Some(patch) = &successor.with {
            merge(&mut document, patch);
        }
        if let Some(members) = document.as_object_mut() {
            members.insert("revision".to_owned(), successor.revision.into());
            let own = successor.rules.iter().map(|rule| rule.id.as_str());
            let gone: Vec<&str> = own.chain(successor.without_rules.iter().map(String::as_str)).collect();
            let mut rules: Vec<Value> = members.get("rules").and_then(Value::as_array).cloned().unwrap_or_default();
            rules.retain(|rule| !rule.get("id").and_then(Value::as_str).is_some_and(|id| gone.contains(&id)));
            rules.extend(successor.rules.iter().filter_map(|rule| serde_json::to_value(rule).ok()));
            members.insert("rules".to_owned(), rules.into());
        }
        let bytes = serde_json_canonicalizer::to_vec(&document).unwrap_or_default();
        self.digests.insert(successor.revision, hexadecimal(&Sha256::digest(&bytes)));
        BundleText { bundle: String::from_utf8_lossy(&bytes).into_owned() }
    }
}

/// Merges a patch into a document (RFC 7396).
fn merge(document: &mut Value, patch: &Value) {
    let Value::Object(members) = patch else {
        document.clone_from(patch);
        return;
    };
    if !document.is_object() {
        *document = Value::Object(serde_json::Map::new());
    }
    let Some(into) = document.as_object_mut() else { return };
    for (name, value) in members {
        if value.is_null() {
            into.remove(name);
        } else {
            merge(into.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_patch_is_merged_as_rfc_7396_has_it() {
        // The test cases of its appendix A.
        for (document, patch, result) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a":"b"}), json!(["c"]), json!(["c"])),
            (json!({"a":"foo"}), json!(null), json!(null)),
            (json!({"a":"foo"}), json!("bar"), json!("bar")),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ] {
            let mut merged = document.clone();
            merge(&mut merged, &patch);
            assert_eq!(merged, result, "{document} {patch}");
        }
    }
}
