//! `fallgate build`: a pack into the canonical bytes that an engine loads.

use std::path::{Path, PathBuf};

use fallgate::policy::bundle::Bundle;
use fallgate::policy::trust::envelope::{self, Envelope};

use super::compile;
use crate::console::{Colours, Console, Exit, Failure, show_findings};
use crate::finding::Finding;
use crate::reading::shown;
use crate::signing::PrivateKey;

pub(super) fn run(
    pack: &Path,
    output: &Path,
    keys: &[PathBuf],
    console: &mut Console<'_>,
    colours: Colours,
) -> Result<Exit, Failure> {
    let compiled = compile(pack)?;
    show_findings(console.err, &compiled.warnings(), compiled.sources.files(), colours.err)?;
    write_whole(output, &signed(&compiled.bundle, keys)?)?;
    writeln!(console.out, "{}", compiled.bundle.id())?;
    Ok(Exit::Fine)
}

/// The bundle in an envelope that these keys have signed; as it is, where there are none.
fn signed(bundle: &Bundle, keys: &[PathBuf]) -> Result<Vec<u8>, Failure> {
    if keys.is_empty() {
        return Ok(bundle.bytes().to_vec());
    }
    let mut envelope = Envelope::new(envelope::BUNDLE, bundle.bytes().to_vec());
    for path in keys {
        PrivateKey::read(path)?.sign(&mut envelope)?;
    }
    Ok(envelope.to_json())
}

/// Writes beside the file and then moves, so that a reader never sees half a bundle.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".partial");
    let beside = Path::new(&beside);
    let written = std::fs::write(beside, bytes).and_then(|()| std::fs::rename(beside, path));
    written.map_err(|error| {
        // The rest of a write that failed is of no use; that it cannot be removed changes nothing.
        let _ = std::fs::remove_file(beside);
        Finding::unreadable(format!("cannot write `{}`: {error}", shown(path))).into()
    })
}
