//! `{ $ref: requests/refund.json }`: one request, written once, used in many cases and drills.
//!
//! The path is relative to the file that holds it and stays inside the folder. What it names takes the place of the
//! reference, and findings point into the file that it came from.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use fallgate::error::{Code, quoted};
use serde_json::Value;

use crate::budget::{DEPTH_MAX, Weight};
use crate::finding::Finding;
use crate::reading::Reader;
use crate::source::{Content, Node};
use crate::yaml::Parsed;

/// The field that makes a map a reference.
const REF: &str = "$ref";

/// Replaces references by the files that they name.
#[derive(Debug, Default)]
pub struct References {
    /// The files that were read, with their own references replaced.
    known: HashMap<PathBuf, Parsed>,
    /// The files that are being read, to find circles.
    reading: Vec<PathBuf>,
}

impl References {
    /// Replaces every reference inside of a value, that stands in the file `path`, `depth` levels deep.
    ///
    /// # Errors
    ///
    /// A reference that is not well formed, leads outside or in a circle, and every mistake in the file that it names.
    pub fn resolve(
        &mut self,
        reader: &mut Reader,
        path: &Path,
        parsed: &mut Parsed,
        depth: usize,
    ) -> Result<(), Finding> {
        let folder = path.parent().unwrap_or(path).to_owned();
        self.walk(reader, &folder, &mut parsed.value, &mut parsed.node, depth)
    }

    fn walk(
        &mut self,
        reader: &mut Reader,
        folder: &Path,
        value: &mut Value,
        node: &mut Node,
        depth: usize,
    ) -> Result<(), Finding> {
        let inner = depth.saturating_add(1);
        if let Some(target) = target(value, node)? {
            let place = node.member(REF).map_or(node.value, |member| member.value);
            let path = reader.follow(folder, &target).ok_or_else(|| {
                Finding::unreadable(format!("the reference {} leads outside of the folder", quoted(&target)))
                    .at(place)
                    .help("the path is relative to the file that holds it, and stays inside the folder")
            })?;
            let parsed = self.load(reader, &path).map_err(|finding| match finding.places.is_empty() {
                true => finding.at(place),
                false => finding,
            })?;
            let weight = weigh(&parsed.value);
            if depth.saturating_add(weight.height) > DEPTH_MAX {
                let message = format!("maps and lists are nested more than {DEPTH_MAX} levels deep");
                return Err(Finding::error(Code::LimitExceeded, message).at(place));
            }
            if !reader.budget().spend_copy(weight) {
                return Err(Finding::error(Code::LimitExceeded, "references unfold to too many values").at(place));
            }
            let parsed = parsed.clone();
            let key = node.key;
            *value = parsed.value;
            *node = parsed.node;
            node.key = key;
            return Ok(());
        }
        match (value, &mut node.content) {
            (Value::Array(values), Content::List(nodes)) => {
                for (value, node) in values.iter_mut().zip(nodes) {
                    self.walk(reader, folder, value, node, inner)?;
                }
            }
            (Value::Object(values), Content::Map(nodes)) => {
                for (name, node) in nodes {
                    if let Some(value) = values.get_mut(&**name) {
                        self.walk(reader, folder, value, node, inner)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn load(&mut self, reader: &mut Reader, path: &Path) -> Result<&Parsed, Finding> {
        if self.reading.iter().any(|reading| reading == path) {
            return Err(Finding::error(Code::InvalidValue, "references lead round in a circle"));
        }
        if !self.known.contains_key(path) {
            if self.reading.len() >= DEPTH_MAX {
                return Err(Finding::error(Code::LimitExceeded, "references are nested too deep"));
            }
            let mut parsed = reader.parse(path)?;
            self.reading.push(path.to_owned());
            self.resolve(reader, path, &mut parsed, 0)?;
            self.reading.pop();
            self.known.insert(path.to_owned(), parsed);
        }
        self.known.get(path).ok_or_else(|| Finding::unreadable("the file was not kept"))
    }
}

/// The path that a value refers to, where it is a reference.
fn target(value: &Value, node: &Node) -> Result<Option<String>, Finding> {
    let Value::Object(fields) = value else { return Ok(None) };
    let Some(target) = fields.get(REF) else { return Ok(None) };
    let place = node.member(REF).and_then(|member| member.key).unwrap_or(node.value);
    match target {
        Value::String(path) if fields.len() == 1 => Ok(Some(path.clone())),
        Value::String(_) => Err(Finding::error(Code::InvalidValue, "`$ref` stands beside other fields")
            .at(place)
            .help("a reference is the whole value: move the other fields into the file that it names")),
        _ => Err(Finding::error(Code::InvalidValue, "`$ref` takes a path").at(place)),
    }
}

/// What copying a value costs; the depth of documents is bounded, and so is the recursion.
fn weigh(value: &Value) -> Weight {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Weight::scalar(0),
        Value::String(text) => Weight::scalar(text.len()),
        Value::Array(values) => values.iter().fold(Weight::collection(), |mut weight, value| {
            weight.add(0, weigh(value));
            weight
        }),
        Value::Object(fields) => fields.iter().fold(Weight::collection(), |mut weight, (name, value)| {
            weight.add(name.len(), weigh(value));
            weight
        }),
    }
}
