//! OPA's bundles as they are: `.tar.gz` with Rego, data, a manifest, and a signature.
//!
//! In reading order: [`archive`] (from bytes to named files, in memory and within limits), [`jws`] (the signature of a
//! token), [`signature`] (which files the token vouches for), and here, what a bundle of Fallgate is made of them.

pub mod archive;
pub mod jws;
pub mod signature;

use std::path::Path;

use fallgate::error::{Code, quoted};
use serde_json::{Map, Value, json};

use self::archive::File;
use self::jws::VerificationKey;
use crate::budget::Budget;
use crate::finding::Finding;
use crate::json;
use crate::source::{FileId, SourceFile};

/// What OPA's manifest may say here.
const MANIFEST_FIELDS: [&str; 4] = ["metadata", "revision", "rego_version", "roots"];

/// How a bundle of OPA is read.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The name of the pack that is made of it.
    pub name: &'a str,
    /// Its revision; nothing for the one of the manifest, where that is a number.
    pub revision: Option<u64>,
    /// The rule that allows, such as `data.app.authz.allow`.
    pub query: &'a str,
    /// The actions that it decides on.
    pub actions: &'a [String],
    /// The key that must have signed it.
    pub key: Option<&'a VerificationKey>,
    /// The scope that the signature must state.
    pub scope: Option<&'a str>,
}

/// Whether a path names a bundle of OPA.
#[must_use]
pub fn is_archive(path: &Path) -> bool {
    path.is_file() && path.to_string_lossy().ends_with(".tar.gz")
}

/// The document of the pack that a bundle of OPA is: its Rego and data, one rule that allows where the query is true, and
/// the actions that the rule is about.
///
/// # Errors
///
/// An archive that is not exactly one, a signature that does not hold or is not there though a key was named, a file that
/// would not be read.
pub fn document(bytes: &[u8], terms: &Terms<'_>) -> Result<Value, Finding> {
    let mut files = archive::read(bytes)?;
    let signatures = files.iter().position(|file| file.name == signature::NAME).map(|at| files.swap_remove(at));
    match (terms.key, &signatures) {
        (Some(key), signatures) => signature::verify(signatures.as_ref(), &files, key, terms.scope)?,
        (None, None) => {}
        (None, Some(_)) => {
            return Err(Finding::error(Code::Untrusted, "the archive is signed, and nobody said by whom it should be")
                .help("name the public key with `--verification-key`"));
        }
    }
    let (mut rego, mut data, mut manifest) = (Map::new(), Value::Object(Map::new()), None);
    files.sort_by(|one, other| one.name.cmp(&other.name));
    for file in files {
        let last = file.name.rsplit('/').next().unwrap_or_default();
        match last {
            ".manifest" if file.name == ".manifest" => manifest = Some(parsed(&file)?),
            "data.json" => merge(&mut data, &file.name, parsed(&file)?)?,
            _ if last.ends_with(".rego") => drop(rego.insert(file.name.clone(), text(&file)?.into())),
            _ => {
                return Err(Finding::error(Code::Unsupported, format!("{} would not be read", quoted(&file.name)))
                    .help("an archive holds `.manifest`, `data.json` and `*.rego`: leave out the rest"));
            }
        }
    }
    let revision = match terms.revision {
        Some(revision) => revision,
        None => revision(manifest.as_ref())?,
    };
    let actions: Map<String, Value> = terms.actions.iter().map(|action| (action.clone(), json!({}))).collect();
    let rule = json!({ "id": "opa", "effect": "allow", "action": terms.actions, "when": { "rego": terms.query } });
    let mut document = json!({
        "fallgate": 1, "name": terms.name, "revision": revision, "actions": actions, "rules": [rule], "rego": rego,
    });
    if data.as_object().is_some_and(|data| !data.is_empty())
        && let Some(fields) = document.as_object_mut()
    {
        fields.insert("data".to_owned(), data);
    }
    Ok(document)
}

/// The revision that the manifest gives. OPA takes any text for one; here a revision only ever grows, so it is a number.
fn revision(manifest: Option<&Value>) -> Result<u64, Finding> {
    let missing = || {
        Finding::error(Code::MissingField, "the manifest gives no revision that is a whole number")
            .help("name one with `--revision`")
    };
    let Some(manifest) = manifest else { return Err(missing()) };
    let fields = manifest.as_object();
    let fields = fields.ok_or_else(|| Finding::error(Code::InvalidValue, "`.manifest` is no map"))?;
    if let Some(field) = fields.keys().find(|field| !MANIFEST_FIELDS.contains(&field.as_str())) {
        return Err(Finding::error(Code::UnknownField, format!("`.manifest` has an unknown field {}", quoted(field)))
            .help(format!("known here: {}", MANIFEST_FIELDS.join(", "))));
    }
    if fields.get("rego_version").is_some_and(|version| *version != 1) {
        return Err(Finding::error(Code::Unsupported, "`.manifest` asks for another version of Rego than 1"));
    }
    let revision = fields.get("revision").and_then(Value::as_str).unwrap_or_default();
    revision.parse().map_err(|_| missing())
}

fn text(file: &File) -> Result<&str, Finding> {
    std::str::from_utf8(&file.bytes)
        .map_err(|_| Finding::error(Code::Syntax, format!("{} is not UTF-8", quoted(&file.name))))
}

/// A JSON file, read as strictly as a pack's: no key twice.
fn parsed(file: &File) -> Result<Value, Finding> {
    let source = SourceFile::new(file.name.as_str(), text(file)?);
    match json::parse(&source, FileId::new(0), &mut Budget::default()) {
        Ok(parsed) => Ok(parsed.value),
        // What the places are in is in no folder: the name stands in the message instead.
        Err(finding) => {
            let message = format!("{}: {}", quoted(&file.name), finding.message);
            Err(Finding { message, places: Vec::new(), ..finding })
        }
    }
}

/// Puts the data of one file where its folder says; two files must not say something of one place.
fn merge(data: &mut Value, name: &str, more: Value) -> Result<(), Finding> {
    let overlaps = || Finding::error(Code::DuplicateKey, format!("{} says again what another file says", quoted(name)));
    let mut place = data;
    for step in name.split('/').rev().skip(1).collect::<Vec<_>>().into_iter().rev() {
        let Value::Object(members) = place else { return Err(overlaps()) };
        place = members.entry(step).or_insert_with(|| Value::Object(Map::new()));
    }
    let (Value::Object(members), Value::Object(more)) = (place, more) else {
        return Err(Finding::error(Code::InvalidValue, format!("{} is no map", quoted(name))));
    };
    for (key, value) in more {
        if members.insert(key, value).is_some() {
            return Err(overlaps());
        }
    }
    Ok(())
}
