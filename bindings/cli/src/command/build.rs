//! `fallgate build`: a pack into the canonical bytes that an engine loads.

use std::path::{Path, PathBuf};

#[cfg(feature = "opa")]
use fallgate::error::quoted;
#[cfg(feature = "opa")]
use fallgate::limits::Limits;
use fallgate::policy::bundle::Bundle;
#[cfg(feature = "opa")]
use fallgate::policy::bundle::Trust;
use fallgate::policy::trust::envelope::{self, Envelope};

use super::compile;
#[cfg(feature = "opa")]
use crate::arguments::Opa;
use crate::console::{Colours, Console, Exit, Failure, show_findings};
use crate::finding::Finding;
#[cfg(feature = "opa")]
use crate::finding::Severity;
#[cfg(feature = "opa")]
use crate::opa::{self, Terms, jws::VerificationKey};
#[cfg(feature = "opa")]
use crate::reading::bytes_of;
use crate::reading::shown;
use crate::signing::PrivateKey;
#[cfg(feature = "opa")]
use crate::signing::refusal;

pub(super) fn run(
    pack: &Path,
    output: &Path,
    keys: &[PathBuf],
    console: &mut Console<'_>,
    colours: Colours,
) -> Result<Exit, Failure> {
    let compiled = compile(pack)?;
    show_findings(console.err, &compiled.warnings(), compiled.sources.files(), colours.err)?;
    finish(&compiled.bundle, output, keys, console)
}

fn finish(bundle: &Bundle, output: &Path, keys: &[PathBuf], console: &mut Console<'_>) -> Result<Exit, Failure> {
    write_whole(output, &signed(bundle, keys)?)?;
    writeln!(console.out, "{}", bundle.id())?;
    Ok(Exit::Fine)
}

/// Builds a bundle of OPA, after its signature was verified where a key was named.
#[cfg(feature = "opa")]
pub(super) fn run_opa(
    archive: &Path,
    said: &Opa,
    output: &Path,
    keys: &[PathBuf],
    console: &mut Console<'_>,
    colours: Colours,
) -> Result<Exit, Failure> {
    use fallgate::error::Diagnostic;
    let what = quoted(&shown(archive));
    let (Some(query), false) = (&said.query, said.actions.is_empty()) else {
        let message =
            format!("{what} is a bundle of OPA: name the rule that allows with --query, and with --action on what");
        return Err(Failure::Usage(message));
    };
    let key = match &said.verification_key {
        None => None,
        Some(path) => {
            let text = String::from_utf8_lossy(&bytes_of(path)?).into_owned();
            Some(VerificationKey::from_pem(&text).map_err(|finding| in_file(&shown(path), finding))?)
        }
    };
    let file = archive.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = said.name.as_deref().unwrap_or(file.trim_end_matches(".tar.gz"));
    let terms = Terms {
        name,
        revision: said.revision,
        query,
        actions: &said.actions,
        key: key.as_ref(),
        scope: said.scope.as_deref(),
    };
    let document = opa::document(&bytes_of(archive)?, &terms).map_err(|finding| in_file(&shown(archive), finding))?;
    let findings = |all: &[Diagnostic]| all.iter().map(|one| refusal(&what, one)).collect::<Vec<_>>();
    let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT)
        .map_err(|error| Failure::Findings(findings(error.diagnostics()), Vec::new()))?;
    let mut warnings = findings(bundle.warnings());
    warnings.iter_mut().for_each(|warning| warning.severity = Severity::Warning);
    show_findings(console.err, &warnings, &[], colours.err)?;
    finish(&bundle, output, keys, console)
}

/// A finding with the file that it is about before it.
#[cfg(feature = "opa")]
fn in_file(path: &str, finding: Finding) -> Finding {
    Finding { message: format!("{}: {}", quoted(path), finding.message), ..finding }
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
