//! Reading files: only inside one folder, only as large as the limits say, and only as text.

use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use fallgate::error::{Code, quoted};

use crate::budget::{Budget, FILE_BYTES_MAX};
use crate::finding::Finding;
use crate::json;
use crate::source::{FileId, SourceFile, Span};
use crate::yaml::{self, Parsed};

/// Reads the files of one folder, and keeps their text for the places that findings point at.
#[derive(Debug)]
pub struct Reader {
    /// The folder as the user named it.
    folder: PathBuf,
    /// The same, with every symbolic link resolved: what is outside of it is refused.
    root: PathBuf,
    files: Vec<SourceFile>,
    budget: Budget,
}

impl Reader {
    /// A reader of this folder.
    ///
    /// # Errors
    ///
    /// A folder that is not there.
    pub fn open(folder: &Path) -> Result<Self, Finding> {
        let folder = match folder.as_os_str().is_empty() {
            true => PathBuf::from("."),
            false => folder.to_owned(),
        };
        let root = folder.canonicalize().map_err(|error| unreadable(&folder, &error))?;
        Ok(Self { folder, root, files: Vec::new(), budget: Budget::default() })
    }

    /// The folder as the user named it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files that were read.
    #[must_use]
    pub fn into_files(self) -> Vec<SourceFile> {
        self.files
    }

    /// What is left of the limits.
    pub const fn budget(&mut self) -> &mut Budget {
        &mut self.budget
    }

    /// The text of a file.
    #[must_use]
    pub fn text(&self, file: FileId) -> &str {
        self.files.get(file.number()).map(SourceFile::text).unwrap_or_default()
    }

    /// Reads a file as text.
    ///
    /// # Errors
    ///
    /// A file outside of the folder, too large, not UTF-8, or that cannot be read.
    pub fn read(&mut self, path: &Path) -> Result<FileId, Finding> {
        let resolved = path.canonicalize().map_err(|error| unreadable(path, &error))?;
        if !resolved.starts_with(&self.root) {
            return Err(Finding::unreadable(format!("{} leads outside of the folder", quoted(&shown(path))))
                .help("copy the file into the folder, instead of a link to it"));
        }
        let bytes = bytes_of(path)?;
        if !self.budget.spend_file(bytes.len()) {
            return Err(Finding::error(Code::LimitExceeded, "too many files, or too many bytes, in one folder"));
        }
        self.keep(path, &bytes)
    }

    fn keep(&mut self, path: &Path, bytes: &[u8]) -> Result<FileId, Finding> {
        let bytes = bytes.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(bytes);
        let id = FileId::new(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                self.files.push(SourceFile::new(shown(path), text));
                Ok(id)
            }
            Err(error) => {
                self.files.push(SourceFile::new(shown(path), String::from_utf8_lossy(bytes)));
                // Up to the first bad byte the text as it is shown has the bytes of the file.
                let at = error.valid_up_to();
                let place = Span::new(id, at..at.saturating_add('\u{FFFD}'.len_utf8()));
                Err(Finding::error(Code::Syntax, "this is not UTF-8").at(place).help("save the file as UTF-8"))
            }
        }
    }

    /// Reads a file as YAML or, by its name, as JSON.
    ///
    /// # Errors
    ///
    /// As [`Self::read`], and the first mistake in the file.
    pub fn parse(&mut self, path: &Path) -> Result<Parsed, Finding> {
        let is_json = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => true,
            Some("yaml") => false,
            _ => {
                return Err(Finding::unreadable(format!(
                    "{} is neither YAML nor JSON by its name",
                    quoted(&shown(path))
                ))
                .help("name it `.yaml` or `.json`"));
            }
        };
        let id = self.read(path)?;
        let Some(file) = self.files.get(id.number()) else { return Err(Finding::unreadable("the file was not kept")) };
        match is_json {
            true => json::parse(file, id, &mut self.budget),
            false => yaml::parse(file.text(), id, &mut self.budget),
        }
    }

    /// The path that `reference` names, as seen from the folder of the file that holds it; none where it leads outside.
    #[must_use]
    pub fn follow(&self, from: &Path, reference: &str) -> Option<PathBuf> {
        let below = from.strip_prefix(&self.folder).ok()?;
        let mut inside: Vec<Component<'_>> =
            below.components().filter(|part| matches!(part, Component::Normal(_))).collect();
        for part in Path::new(reference).components() {
            match part {
                Component::CurDir => {}
                Component::Normal(_) => inside.push(part),
                Component::ParentDir => {
                    inside.pop()?;
                }
                Component::RootDir | Component::Prefix(_) => return None,
            }
        }
        Some(inside.iter().fold(self.folder.clone(), |path, part| path.join(part)))
    }

    /// The files of a folder with that extension, in the order of their names; none where the folder is not there.
    ///
    /// A file that would be passed over in silence is an error: a deny rule in `rules/fraud.yml` must not be lost.
    ///
    /// # Errors
    ///
    /// A folder that cannot be read, and files that do not belong there.
    pub fn listing(&self, folder: &Path, extension: &str, nested: bool) -> Result<Vec<PathBuf>, Finding> {
        let mut found = Vec::new();
        let mut waiting = vec![folder.to_owned()];
        while let Some(folder) = waiting.pop() {
            let entries = match folder.read_dir() {
                Ok(entries) => entries,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(unreadable(&folder, &error)),
            };
            for entry in entries {
                let path = entry.map_err(|error| unreadable(&folder, &error))?.path();
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
                let has = path.extension().and_then(|extension| extension.to_str());
                // A link to a folder could lead round in a circle, so only folders proper are entered.
                let is_folder = path.is_dir() && !path.is_symlink();
                match has {
                    _ if name.starts_with('.') || has == Some("md") => {}
                    _ if is_folder && nested => waiting.push(path),
                    Some(has) if has == extension && !path.is_dir() => found.push(path),
                    _ => {
                        return Err(Finding::unreadable(format!("{} would not be read", quoted(&shown(&path))))
                            .help(format!("only `*.{extension}` files belong there: rename it, or move it away")));
                    }
                }
            }
        }
        found.sort();
        Ok(found)
    }
}

/// The path as the user is shown it, with `/` between its parts on every system.
#[must_use]
pub fn shown(path: &Path) -> String {
    let path = path.strip_prefix(".").unwrap_or(path);
    path.display().to_string().replace(std::path::MAIN_SEPARATOR, "/")
}

/// The bytes of a file that is not too large.
///
/// # Errors
///
/// A file that is too large, is no file, or cannot be read.
pub fn bytes_of(path: &Path) -> Result<Vec<u8>, Finding> {
    let metadata = path.metadata().map_err(|error| unreadable(path, &error))?;
    if !metadata.is_file() {
        return Err(Finding::unreadable(format!("{} is not a file", quoted(&shown(path)))));
    }
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut bytes = Vec::new();
    let limit = FILE_BYTES_MAX.saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    match u64::try_from(bytes.len()).is_ok_and(|length| length <= FILE_BYTES_MAX) {
        true => Ok(bytes),
        false => {
            let message = format!("{} has more than {} MiB", quoted(&shown(path)), FILE_BYTES_MAX / (1024 * 1024));
            Err(Finding::error(Code::LimitExceeded, message))
        }
    }
}

/// A file that the system does not let us read.
#[must_use]
pub fn unreadable(path: &Path, error: &std::io::Error) -> Finding {
    let reason = error.to_string();
    let reason = reason.split(" (os error").next().unwrap_or_default().to_lowercase();
    Finding::unreadable(format!("cannot read {}: {reason}", quoted(&shown(path))))
}
