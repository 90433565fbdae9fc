//! `fallgate init`: a small pack that is whole, with a case, a drill and a runbook.

use std::path::Path;

use fallgate::error::quoted;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use serde_json::json;

use crate::console::{Console, Exit, Failure};
use crate::finding::Finding;
use crate::reading::{shown, unreadable};

/// The files of a new pack.
const FILES: [(&str, &str); 7] = [
    ("README.md", include_str!("../../templates/init/README.md")),
    ("pack.yaml", include_str!("../../templates/init/pack.yaml")),
    ("rules.yaml", include_str!("../../templates/init/rules.yaml")),
    ("requests/read.json", include_str!("../../templates/init/requests/read.json")),
    ("requests/write.json", include_str!("../../templates/init/requests/write.json")),
    ("tests/documents.yaml", include_str!("../../templates/init/tests/documents.yaml")),
    ("drills/directory-down.yaml", include_str!("../../templates/init/drills/directory-down.yaml")),
];

pub(super) fn run(folder: &Path, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // The core says what a name is, so that no pack is begun that it refuses.
    let smallest = json!({ "fallgate": 1, "name": name, "revision": 1 });
    if let Err(error) = Bundle::from_document(&smallest, &Trust::unsigned_for_development(), &Limits::DEFAULT) {
        return Err(Failure::Usage(error.to_string()));
    }
    if folder.symlink_metadata().is_ok() {
        return Err(Finding::unreadable(format!("{} exists", quoted(&shown(folder))))
            .help("choose another name")
            .into());
    }
    for (path, text) in FILES {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, text.replace("{{name}}", &name)))
            .map_err(|error| unreadable(&path, &error))?;
    }
    let folder = shown(folder);
    writeln!(console.out, "{folder} is a pack. Next:\n\n  fallgate test {folder}\n  fallgate drill {folder}")?;
    Ok(Exit::Fine)
}
