//! `fallgate corpus`: every drill and case of some packs, as the calls that another language replays.

use std::path::{Path, PathBuf};

use fallgate::drill::timeline::Timeline;
use serde_json::{Value, json};

use super::{Compiled, compile, read_drill};
use crate::console::{Console, Exit, Failure};
use crate::finding::Finding;
use crate::pack::drill_files;

pub(super) fn run(folder: &Path, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let corpus = packs(folder)?.iter().map(|pack| entry(pack)).collect::<Result<Vec<_>, _>>()?;
    writeln!(console.out, "{}", json!({ "packs": corpus }))?;
    Ok(Exit::Fine)
}

/// The folder itself where it is a pack, else the packs in it, in order of their names.
fn packs(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    if folder.join("pack.yaml").is_file() {
        return Ok(vec![folder.to_owned()]);
    }
    let unreadable = |what: String| {
        let finding = Finding::unreadable(what).help("name a folder of packs, or one pack's folder");
        Failure::Findings(vec![finding], Vec::new())
    };
    let shown = fallgate::error::quoted(&folder.to_string_lossy());
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(format!("cannot read {shown}: {error}")))?;
    let mut packs: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    packs.retain(|path| path.join("pack.yaml").is_file());
    packs.sort();
    if packs.is_empty() {
        return Err(unreadable(format!("there is no pack in {shown}")));
    }
    Ok(packs)
}

fn entry(pack: &Path) -> Result<Value, Failure> {
    let Compiled { bundle, .. } = compile(pack)?;
    let mut timelines: Vec<Value> =
        bundle.policy().tests.iter().map(|case| Timeline::of_case(&bundle, case).into_json()).collect();
    let files = drill_files(pack).map_err(|error| Failure::Findings(vec![error.finding], error.files))?;
    for file in files {
        timelines.push(Timeline::of_drill(&read_drill(&file)?.drill, &bundle).into_json());
    }
    let text = String::from_utf8_lossy(bundle.bytes());
    Ok(json!({ "name": bundle.name(), "bundle": text, "timelines": timelines }))
}
