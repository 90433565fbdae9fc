//! Rego as a team has it: a file or a folder of modules with their tests and data, beside whatever else is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fallgate::error::quoted;
use serde_json::{Map, Value};

use crate::budget::Budget;
use crate::finding::Finding;
use crate::json;
use crate::pack::LoadError;
use crate::reading::{bytes_of, shown, unreadable};
use crate::scalar::Style;
use crate::source::{Content, FileId, Node, SourceFile, SourceMap, Span};
use crate::yaml::{self, Parsed};

/// How deep folders are entered.
const FOLDERS_MAX: usize = 32;

/// The files of one run, each under a pointer of its own: `/rego/<path>`, `/data/<n>`, `/inputs/<n>`.
#[derive(Debug, Default)]
pub struct RegoFiles {
    files: Vec<SourceFile>,
    budget: Budget,
    /// The modules, by path.
    pub modules: BTreeMap<String, String>,
    nodes: Vec<(Box<str>, Node)>,
    /// All data put together; nothing where there is none.
    pub data: Option<Value>,
}

impl RegoFiles {
    /// Reads a module with its tests beside it (`authz_test.rego` of `authz.rego`), or all modules of a folder with the
    /// `data.json` and `data.yaml` in it, each below the names of its folders.
    ///
    /// # Errors
    /// What cannot be read, or holds no module.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        let mut read = Self::default();
        match read.load(path) {
            Ok(()) => Ok(read),
            Err(finding) => Err(LoadError { finding, files: read.files }),
        }
    }

    fn load(&mut self, path: &Path) -> Result<(), Finding> {
        if path.is_file() {
            self.module(path)?;
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let tests = path.with_file_name(format!("{stem}_test.rego"));
            return if tests.is_file() { self.module(&tests) } else { Ok(()) };
        }
        let mut found = Vec::new();
        list(path, 0, &mut found)?;
        found.sort();
        for file in &found {
            match file.file_name().and_then(|name| name.to_str()) {
                Some("data.json" | "data.yaml") => {
                    let below = file.parent().and_then(|folder| folder.strip_prefix(path).ok());
                    let names: Vec<String> = below
                        .into_iter()
                        .flat_map(Path::components)
                        .map(|part| part.as_os_str().to_string_lossy().into_owned())
                        .collect();
                    self.add_data(file, &names)?;
                }
                _ => self.module(file)?,
            }
        }
        match self.modules.is_empty() {
            false => Ok(()),
            true => Err(Finding::unreadable(format!("there is no Rego module in {}", quoted(&shown(path))))
                .help("name a pack's folder, a bundle, or a folder or file of Rego")),
        }
    }

    fn module(&mut self, path: &Path) -> Result<(), Finding> {
        let file = self.text(path)?;
        let text = self.files.get(file.number()).map(SourceFile::text).unwrap_or_default().to_owned();
        let name = shown(path);
        let value = Span::new(file, 0..text.len());
        self.nodes.push((name.as_str().into(), Node { key: None, value, content: Content::Scalar(Style::Verbatim) }));
        self.modules.insert(name, text);
        Ok(())
    }

    /// Reads data, and puts it below these names.
    ///
    /// # Errors
    /// What is no map, or has another value where there is one already.
    pub fn add_data(&mut self, path: &Path, names: &[String]) -> Result<(), Finding> {
        let Parsed { mut value, node, .. } = self.parse(path)?;
        if !value.is_object() {
            return Err(Finding::unreadable(format!("{} is not a map", quoted(&shown(path)))).at(node.shown()));
        }
        for name in names.iter().rev() {
            value = Value::Object(Map::from_iter([(name.clone(), value)]));
        }
        let data = self.data.get_or_insert_with(|| Value::Object(Map::new()));
        merge(data, value).map_err(|name| {
            Finding::unreadable(format!("{} gives the data {} another value", quoted(&shown(path)), quoted(&name)))
                .help("keep one of them")
        })
    }

    /// Reads a file of inputs: a list of them, or one.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn inputs(&mut self, path: &Path) -> Result<Vec<(Value, Span)>, Finding> {
        self.parse(path).map(several)
    }

    /// The same, for bytes that were read from elsewhere, as JSON or YAML.
    ///
    /// # Errors
    /// What is neither.
    pub fn inputs_of(&mut self, name: &str, bytes: &[u8]) -> Result<Vec<(Value, Span)>, Finding> {
        let file = self.keep(name, bytes)?;
        // JSON is YAML with more rules.
        self.parsed(file, false).map(several)
    }

    fn parse(&mut self, path: &Path) -> Result<Parsed, Finding> {
        let file = self.text(path)?;
        self.parsed(file, path.extension().is_some_and(|extension| extension == "json"))
    }

    fn parsed(&mut self, id: FileId, is_json: bool) -> Result<Parsed, Finding> {
        let Some(file) = self.files.get(id.number()) else { return Err(Finding::unreadable("the file was not kept")) };
        match is_json {
            true => json::parse(file, id, &mut self.budget),
            false => yaml::parse(file.text(), id, &mut self.budget),
        }
    }

    fn text(&mut self, path: &Path) -> Result<FileId, Finding> {
        let bytes = bytes_of(path)?;
        self.keep(&shown(path), &bytes)
    }

    fn keep(&mut self, name: &str, bytes: &[u8]) -> Result<FileId, Finding> {
        if !self.budget.spend_file(bytes.len()) {
            return Err(Finding::error(
                fallgate::error::Code::LimitExceeded,
                "too many files, or too many bytes, in one folder",
            ));
        }
        let bytes = bytes.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|_| {
            Finding::unreadable(format!("{} is not UTF-8", quoted(name))).help("save the file as UTF-8")
        })?;
        let id = FileId::new(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(SourceFile::new(name, text));
        Ok(id)
    }

    /// Where everything stands.
    #[must_use]
    pub fn sources(&self) -> SourceMap {
        let top = Span::new(FileId::new(0), 0..0);
        let rego = Node { key: None, value: top, content: Content::Map(self.nodes.clone()) };
        let root = Node { key: None, value: top, content: Content::Map(vec![("rego".into(), rego)]) };
        SourceMap::new(self.files.clone(), root)
    }
}

/// The modules and the data of a folder and those below; a link to a folder could lead round in a circle, so none is
/// followed.
fn list(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Finding> {
    if depth > FOLDERS_MAX {
        return Err(Finding::unreadable(format!("{} is too deep", quoted(&shown(folder)))));
    }
    for entry in folder.read_dir().map_err(|error| unreadable(folder, &error))? {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() && !path.is_symlink() {
            list(&path, depth.saturating_add(1), found)?;
        } else if matches!(name, "data.json" | "data.yaml") || (name.ends_with(".rego") && !path.is_dir()) {
            found.push(path);
        }
    }
    Ok(())
}

fn several(parsed: Parsed) -> Vec<(Value, Span)> {
    match (parsed.value, parsed.node.content) {
        (Value::Array(values), Content::List(nodes)) => values.into_iter().zip(nodes.iter().map(Node::shown)).collect(),
        (value, content) => {
            let node = Node { key: parsed.node.key, value: parsed.node.value, content };
            vec![(value, node.shown())]
        }
    }
}

/// Puts `new` into `data`; the name of what both give differently, where there is such.
fn merge(data: &mut Value, new: Value) -> Result<(), String> {
    match (data, new) {
        (Value::Object(known), Value::Object(members)) => {
            for (name, value) in members {
                match known.get_mut(&name) {
                    Some(there) => merge(there, value).map_err(|_| name)?,
                    None => drop(known.insert(name, value)),
                }
            }
            Ok(())
        }
        (known, new) if *known == new => Ok(()),
        _ => Err(String::new()),
    }
}
