//! A pack's folder, made into the one document that the core compiles, and the map back to the files.
//!
//! The document has the fields of `pack.yaml`, and `rules`, `rego`, `data` and `tests` from the files beside it.

use std::fmt;
use std::path::{Path, PathBuf};

use fallgate::error::{Code, nearest, quoted};
use serde_json::{Map, Value};

use crate::budget::Budget;
use crate::finding::Finding;
use crate::json;
use crate::reading::{Reader, shown};
use crate::reference::References;
use crate::report;
use crate::scalar::Style;
use crate::source::{Content, FileId, Node, SourceFile, SourceMap, Span};
use crate::yaml::{Parsed, duplicate_key};

/// A document, and where each of its values was written.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The document: what `Bundle::from_document` or `Drill::from_document` takes.
    pub document: Value,
    /// Where each of its values was written.
    pub sources: SourceMap,
}

/// Why a pack or a drill cannot be read: the first mistake, and the files that were read up to there.
#[derive(Clone, Debug)]
pub struct LoadError {
    /// The mistake.
    pub finding: Finding,
    /// The files that its places are in.
    pub files: Vec<SourceFile>,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&report::one_line(&self.finding, &self.files))
    }
}

impl std::error::Error for LoadError {}

/// Reads a pack: its folder, or a bundle's file (`.json`).
///
/// # Errors
///
/// The first file that cannot be read, or mistake of YAML or JSON. What the fields mean is for the core to check.
pub fn load_pack(path: &Path) -> Result<Loaded, LoadError> {
    if path.is_file() {
        return load_bundle(path);
    }
    load(path, |reader| Assembly::default().pack(reader))
}

fn load_bundle(path: &Path) -> Result<Loaded, LoadError> {
    load(path.parent().unwrap_or(path), |reader| {
        if path.extension().is_none_or(|extension| extension != "json") {
            return Err(Finding::unreadable(format!("{} is neither a folder nor a bundle", quoted(&shown(path))))
                .help("name the pack's folder, or a bundle's `.json` file"));
        }
        let parsed = reader.parse(path)?;
        // Nobody may take the signatures of a bundle for verified that were not looked at.
        if parsed.value.get("payloadType").is_some() {
            let message = format!("{} is a signed bundle, and nobody said whom to trust", quoted(&shown(path)));
            return Err(Finding::error(Code::Untrusted, message).help("name a trust root with `--trust`"));
        }
        Ok((parsed.value, parsed.node))
    })
}

/// Reads a bundle's text, which was verified before: `path` is where it came from.
///
/// # Errors
///
/// The first mistake of JSON.
pub fn load_text(path: &str, text: &str) -> Result<Loaded, LoadError> {
    let file = SourceFile::new(path, text);
    match json::parse(&file, FileId::new(0), &mut Budget::default()) {
        Ok(parsed) => Ok(Loaded { document: parsed.value, sources: SourceMap::new(vec![file], parsed.node) }),
        Err(finding) => Err(LoadError { finding, files: vec![file] }),
    }
}

/// Reads a drill, and what it refers to. The pack's folder is the nearest one above that holds a `pack.yaml`, else the
/// drill's own.
///
/// # Errors
///
/// As [`load_pack`].
pub fn load_drill(path: &Path) -> Result<Loaded, LoadError> {
    let own = path.parent().unwrap_or(path);
    let folder = path.ancestors().skip(1).find(|folder| folder.join("pack.yaml").is_file()).unwrap_or(own);
    load(folder, |reader| {
        // An empty path and `.` name the same folder; the reader knows it by the second name.
        let path = match folder.as_os_str().is_empty() {
            true => reader.folder().join(path),
            false => path.to_owned(),
        };
        let mut parsed = reader.parse(&path)?;
        References::default().resolve(reader, &path, &mut parsed, 0)?;
        Ok((parsed.value, parsed.node))
    })
}

/// The drills of a pack's folder, in the order of their names; none for a bundle's file.
///
/// # Errors
///
/// A folder that cannot be read, or that holds what is no drill.
pub fn drill_files(pack: &Path) -> Result<Vec<PathBuf>, LoadError> {
    if pack.is_file() {
        return Ok(Vec::new());
    }
    let listing = Reader::open(pack).and_then(|reader| reader.listing(&pack.join("drills"), "yaml", false));
    listing.map_err(|finding| LoadError { finding, files: Vec::new() })
}

fn load(folder: &Path, read: impl FnOnce(&mut Reader) -> Result<(Value, Node), Finding>) -> Result<Loaded, LoadError> {
    let mut reader = Reader::open(folder).map_err(|finding| LoadError { finding, files: Vec::new() })?;
    match read(&mut reader) {
        Ok((document, root)) => Ok(Loaded { document, sources: SourceMap::new(reader.into_files(), root) }),
        Err(finding) => Err(LoadError { finding, files: reader.into_files() }),
    }
}

/// The document of a pack while it is put together.
#[derive(Default)]
struct Assembly {
    values: Map<String, Value>,
    nodes: Vec<(Box<str>, Node)>,
}

impl Assembly {
    fn pack(mut self, reader: &mut Reader) -> Result<(Value, Node), Finding> {
        let folder = reader.folder().to_owned();
        refuse_misnamed(&folder)?;
        let path = folder.join("pack.yaml");
        if !path.is_file() {
            return Err(Finding::unreadable(format!("there is no {}", quoted(&shown(&path))))
                .help("name a pack's folder, or begin one with `fallgate init NAME`"));
        }
        let parsed = reader.parse(&path)?;
        let root = parsed.node.value;
        let (Value::Object(values), Content::Map(nodes)) = (parsed.value, parsed.node.content) else {
            return Err(Finding::error(Code::InvalidValue, "a pack is a map").at(root));
        };
        (self.values, self.nodes) = (values, nodes);

        let rules = folder.join("rules.yaml");
        let single = if rules.exists() { vec![rules] } else { Vec::new() };
        let folded = reader.listing(&folder.join("rules"), "yaml", false)?;
        for path in single.iter().chain(&folded) {
            let parsed = reader.parse(path)?;
            self.append("rules", "rules", parsed)?;
        }
        let mut references = References::default();
        // The tests of pack.yaml itself may refer to files as well.
        self.resolve_tests(reader, &mut references, &path)?;
        for path in reader.listing(&folder.join("tests"), "yaml", false)? {
            let mut parsed = reader.parse(&path)?;
            references.resolve(reader, &path, &mut parsed, 1)?;
            self.append("tests", "cases", parsed)?;
        }
        self.rego(reader, &folder.join("rego"))?;
        let data = folder.join("data.json");
        if data.exists() {
            let parsed = reader.parse(&data)?;
            self.insert("data", parsed.value, parsed.node)?;
        }
        let node = Node { key: None, value: root, content: Content::Map(self.nodes) };
        Ok((Value::Object(self.values), node))
    }

    fn resolve_tests(&mut self, reader: &mut Reader, references: &mut References, path: &Path) -> Result<(), Finding> {
        let node = self.nodes.iter_mut().find(|(name, _)| &**name == "tests").map(|(_, node)| node);
        let (Some(value), Some(node)) = (self.values.get_mut("tests"), node) else { return Ok(()) };
        let mut parsed = Parsed { value: value.take(), node: node.clone(), weight: crate::budget::Weight::default() };
        references.resolve(reader, path, &mut parsed, 1)?;
        *value = parsed.value;
        *node = parsed.node;
        Ok(())
    }

    /// Adds a field that only one file may give.
    fn insert(&mut self, name: &str, value: Value, node: Node) -> Result<(), Finding> {
        if self.values.contains_key(name) {
            let first = self.nodes.iter().find(|(known, _)| **known == *name).and_then(|(_, node)| node.key);
            return Err(duplicate_key(name, node.shown(), first));
        }
        self.values.insert(name.to_owned(), value);
        self.nodes.push((name.into(), node));
        Ok(())
    }

    /// Adds the members of a file's list, its only field `field`, to the document's field `name`.
    fn append(&mut self, name: &str, field: &str, parsed: Parsed) -> Result<(), Finding> {
        let shown = parsed.node.shown();
        let takes = |what: &str| Finding::error(Code::InvalidValue, format!("this file takes {what}"));
        let (Value::Object(mut fields), Content::Map(mut members)) = (parsed.value, parsed.node.content) else {
            return Err(takes("a map").at(shown).help(format!("begin it with `{field}:`")));
        };
        if let Some((other, node)) = members.iter().find(|(known, _)| **known != *field) {
            let help = match nearest(other, [field]) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("this file holds `{field}:` and nothing else"),
            };
            let finding = Finding::error(Code::UnknownField, format!("unknown field {}", quoted(other)));
            return Err(finding.at(node.named()).help(help));
        }
        let list = fields.remove(field).unwrap_or_default();
        let Some((_, node)) = members.pop() else {
            let finding = Finding::error(Code::MissingField, format!("the field `{field}` is missing"));
            return Err(finding.at(shown).help(format!("write `{field}: []` where there is none")));
        };
        let shown = node.shown();
        let (Value::Array(values), Content::List(nodes)) = (list, node.content) else {
            return Err(Finding::error(Code::InvalidValue, format!("`{field}` takes a list")).at(shown));
        };
        if !self.values.contains_key(name) {
            let empty = Node { key: node.key, value: node.value, content: Content::List(Vec::new()) };
            self.values.insert(name.to_owned(), Value::Array(Vec::new()));
            self.nodes.push((name.into(), empty));
        }
        let known = self.nodes.iter_mut().find(|(known, _)| **known == *name);
        match (self.values.get_mut(name), known) {
            (Some(Value::Array(all)), Some((_, Node { content: Content::List(places), .. }))) => {
                all.extend(values);
                places.extend(nodes);
                Ok(())
            }
            (_, Some((_, node))) => {
                Err(Finding::error(Code::InvalidValue, format!("`{name}` takes a list")).at(node.shown()))
            }
            _ => Ok(()),
        }
    }

    fn rego(&mut self, reader: &mut Reader, folder: &Path) -> Result<(), Finding> {
        let (mut values, mut nodes) = (Map::new(), Vec::new());
        for path in reader.listing(folder, "rego", true)? {
            let file = reader.read(&path)?;
            let text = reader.text(file).to_owned();
            let name = shown(path.strip_prefix(folder).unwrap_or(&path));
            let value = Span::new(file, 0..text.len());
            nodes.push((name.as_str().into(), Node { key: None, value, content: Content::Scalar(Style::Verbatim) }));
            values.insert(name, Value::String(text));
        }
        match nodes.first().map(|(_, node)| node.value.file) {
            None => Ok(()),
            Some(first) => {
                let node = Node { key: None, value: top(first), content: Content::Map(nodes) };
                self.insert("rego", Value::Object(values), node)
            }
        }
    }
}

fn top(file: FileId) -> Span {
    Span::new(file, 0..0)
}

/// Files whose name is nearly one that is read: passed over in silence, they would take their rules with them.
fn refuse_misnamed(folder: &Path) -> Result<(), Finding> {
    const MISNAMED: [(&str, &str); 6] = [
        ("pack.yml", "pack.yaml"),
        ("pack.json", "pack.yaml"),
        ("rules.yml", "rules.yaml"),
        ("rules.json", "rules.yaml"),
        ("data.yaml", "data.json"),
        ("data.yml", "data.json"),
    ];
    for (name, meant) in MISNAMED {
        let path = folder.join(name);
        if path.exists() {
            return Err(Finding::unreadable(format!("{} would not be read", quoted(&shown(&path))))
                .help(format!("name it `{meant}`")));
        }
    }
    Ok(())
}
