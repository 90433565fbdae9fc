//! Control messages from a folder: whatever brings files there is the transport.
//!
//! Files are taken in the order of their names, each that ends in `.json` and does not begin with a dot: who writes one
//! writes it beside, and renames it. A message that comes before another one waits until that is there. The engine says what
//! each is worth; nothing here does.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::SystemTime;

use fallgate::Engine;
use fallgate::error::quoted;
use fallgate::operation::Applied;
use fallgate::state::control::ControlError;

use crate::reading::bytes_of;

/// What a file was when it was read.
type Seen = (u64, Option<SystemTime>);

/// The messages of a folder, and which of them the engine has answered.
#[derive(Debug)]
pub(super) struct Messages {
    folder: PathBuf,
    /// Those that the engine has taken or refused; one that is written anew is another.
    answered: BTreeMap<OsString, Seen>,
    /// Those that wait for others.
    waiting: BTreeMap<OsString, Seen>,
    /// Why the folder could not be read last.
    unreadable: Option<String>,
}

impl Messages {
    pub(super) const fn new(folder: PathBuf) -> Self {
        Self { folder, answered: BTreeMap::new(), waiting: BTreeMap::new(), unreadable: None }
    }

    /// Brings the engine whatever has come; gives a line for each message that was answered.
    pub(super) fn bring(&mut self, engine: &Engine) -> Vec<String> {
        let files = match self.files() {
            Ok(files) => files,
            Err(error) if self.unreadable.as_ref() == Some(&error) => return Vec::new(),
            Err(error) => {
                self.unreadable = Some(error.clone());
                return vec![format!("control=unreadable {error}")];
            }
        };
        self.unreadable = None;
        self.answered.retain(|name, _| files.contains_key(name));
        self.waiting.retain(|name, _| files.contains_key(name));
        let mut lines = Vec::new();
        loop {
            let open: Vec<(OsString, Seen)> = files
                .iter()
                .filter(|(name, seen)| self.answered.get(*name) != Some(seen) && self.waiting.get(*name) != Some(seen))
                .map(|(name, seen)| (name.clone(), *seen))
                .collect();
            if open.is_empty() {
                return lines;
            }
            let mut taken = false;
            for (name, seen) in open {
                let (code, waits) = self.apply(engine, &name);
                taken |= !waits;
                let of = if waits { &mut self.waiting } else { &mut self.answered };
                of.insert(name.clone(), seen);
                lines.push(format!("control={code} {}", quoted(&name.to_string_lossy())));
            }
            if taken {
                // What waited may be the next one now.
                self.waiting.clear();
            }
        }
    }

    /// What the engine says to a file, and whether it waits for another one.
    fn apply(&self, engine: &Engine, name: &OsString) -> (String, bool) {
        let bytes = match bytes_of(&self.folder.join(name)) {
            Ok(bytes) => bytes,
            Err(finding) => return (format!("unreadable ({})", finding.message), false),
        };
        match engine.apply(&bytes, fallgate_clocks::now()) {
            Ok(Applied::NotDone(why)) => (format!("not_done ({})", why.code()), false),
            Ok(applied) => (applied.code().to_owned(), false),
            Err(error) => (error.code().to_owned(), matches!(error, ControlError::Gap { .. })),
        }
    }

    fn files(&self) -> Result<BTreeMap<OsString, Seen>, String> {
        let failed = |error: std::io::Error| format!("{}: {error}", self.folder.display());
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let text = name.to_string_lossy();
            if text.starts_with('.') || !text.ends_with(".json") {
                continue;
            }
            // One that is gone again is not there.
            if let Ok(found) = entry.metadata()
                && found.is_file()
            {
                files.insert(name, (found.len(), found.modified().ok()));
            }
        }
        Ok(files)
    }
}
