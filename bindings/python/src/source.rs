//! Where a policy or a drill comes from: a folder, a file, bytes, or a dict.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use bumpalo::Bump;
use fallgate::drill::Drill;
use fallgate::engine::LoadError;
use fallgate::error::{BundleError, Code, Diagnostic};
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::policy::trust::root::TrustRoot;
use fallgate::time::Now;
use fallgate_cli::finding::{Finding, Severity};
use fallgate_cli::pack::{self, load_drill, load_pack};
use fallgate_cli::source::{SourceFile, SourceMap};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMapping, PyString};
use serde_json::Value;

use crate::error::{Document, PyDiagnostic, mistaken, not_activated};
use crate::fork::detached;
use crate::value::{Bounds, Reader, owned};

/// What was passed.
enum Source {
    Path(PathBuf),
    Bytes(Vec<u8>),
    Document(Value),
}

/// Whom an engine's host said to trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Nobody was named: a bundle without a signature is taken, and one with a signature is refused.
    Nothing,
    /// `unsigned`: any bundle is taken.
    Unsigned,
    /// A trust root: only what its keys have signed is taken.
    Root,
}

/// Whom to trust: `unsigned`, or a trust root as a file, its bytes or a mapping.
///
/// # Errors
/// `fallgate.TrustError` with the first mistake, and `TypeError` for what is no source at all.
pub(crate) fn trust(source: &Bound<'_, PyAny>, limits: &Limits) -> PyResult<(Trust, Said)> {
    if source.cast::<PyString>().is_ok_and(|text| text.to_str().is_ok_and(|text| text == "unsigned")) {
        return Ok((Trust::unsigned_for_development(), Said::Unsigned));
    }
    let mistaken = |one| mistaken(source.py(), Document::Trust, vec![one]);
    let root = match read(source, limits, Document::Trust)? {
        Source::Bytes(bytes) => TrustRoot::from_json(&bytes, limits).map_err(|error| unplaced(&error)),
        Source::Document(document) => TrustRoot::from_document(&document, limits).map_err(|error| unplaced(&error)),
        Source::Path(path) => file(&path, limits.trust_bytes_max)
            .and_then(|bytes| TrustRoot::from_json(&bytes, limits).map_err(|error| named(&path, unplaced(&error)))),
    };
    root.map(|root| (Trust::keys(root), Said::Root)).map_err(mistaken)
}

/// The envelope of a trust root or of a bundle: a file, or its bytes.
///
/// # Errors
/// `fallgate.TrustError` or `fallgate.BundleError` for a file that cannot be read, and `TypeError` for what is neither.
pub(crate) fn envelope(source: &Bound<'_, PyAny>, limits: &Limits, document: Document) -> PyResult<Vec<u8>> {
    match read(source, limits, document)? {
        Source::Bytes(bytes) => Ok(bytes),
        Source::Path(path) => file(&path, limits.bundle_bytes_max.saturating_mul(2))
            .map_err(|one| mistaken(source.py(), document, vec![one])),
        Source::Document(_) => {
            Err(PyTypeError::new_err("an envelope is a file's path or its bytes: a mapping has no signed bytes"))
        }
    }
}

/// What an engine is to be given.
pub(crate) enum Loaded {
    /// A bundle.
    Bundle(Bundle),
    /// Bytes that the engine's trust root has to let in, and the file that they came from.
    ToVerify(Vec<u8>, Option<PathBuf>),
}

/// Loads a bundle; where a trust root is held, only its bytes, for the engine to verify.
///
/// # Errors
/// `fallgate.BundleError` with every mistake, and `TypeError` for what is no source at all.
pub(crate) fn bundle(source: &Bound<'_, PyAny>, limits: &Limits, said: Said, now: Now) -> PyResult<Loaded> {
    let py = source.py();
    let source = read(source, limits, Document::Bundle)?;
    // Files are read and conditions compiled without the interpreter's lock.
    let loaded = detached(py, || match said {
        Said::Root => to_verify(source, limits),
        Said::Nothing | Said::Unsigned => load(&source, limits, said, now).map(Loaded::Bundle),
    });
    loaded.map_err(|found| mistaken(py, Document::Bundle, found))
}

/// What the engine hears of that carries no signature.
const UNSIGNED: &[u8] = b"{}";

fn to_verify(source: Source, limits: &Limits) -> Result<Loaded, Vec<PyDiagnostic>> {
    match source {
        Source::Bytes(bytes) => Ok(Loaded::ToVerify(bytes, None)),
        // Nobody can have signed a mapping or a folder: they are as good as a bundle without a signature.
        Source::Document(_) => Ok(Loaded::ToVerify(UNSIGNED.to_vec(), None)),
        Source::Path(path) if path.is_dir() => Ok(Loaded::ToVerify(UNSIGNED.to_vec(), Some(path))),
        Source::Path(path) => {
            let bytes = file(&path, limits.bundle_bytes_max.saturating_mul(2)).map_err(|one| vec![one])?;
            Ok(Loaded::ToVerify(bytes, Some(path)))
        }
    }
}

/// The exception for a bundle that the engine did not take.
pub(crate) fn not_taken(py: Python<'_>, error: LoadError, path: Option<&Path>) -> PyErr {
    let name = |one: PyDiagnostic| match path {
        Some(path) => named(path, one),
        None => one,
    };
    match error {
        LoadError::NotActivated(error) => not_activated(py, error),
        LoadError::Refused(error) => {
            mistaken(py, Document::Bundle, error.diagnostics().iter().map(unplaced).map(name).collect())
        }
        other => PyValueError::new_err(other.to_string()),
    }
}

/// Loads a drill.
///
/// # Errors
/// `fallgate.DrillError` with the first mistake, and `TypeError` for what is no source at all.
pub(crate) fn drill(source: &Bound<'_, PyAny>, limits: &Limits) -> PyResult<Drill> {
    let py = source.py();
    let source = read(source, limits, Document::Drill)?;
    detached(py, || rehearsed(&source, limits)).map_err(|found| mistaken(py, Document::Drill, found))
}

fn read(source: &Bound<'_, PyAny>, limits: &Limits, document: Document) -> PyResult<Source> {
    if let Ok(bytes) = source.cast::<PyBytes>() {
        return Ok(Source::Bytes(bytes.as_bytes().to_vec()));
    }
    if let Ok(bytes) = source.cast::<PyByteArray>() {
        return Ok(Source::Bytes(bytes.to_vec()));
    }
    if source.cast::<PyMapping>().is_err() {
        // Text and `os.PathLike`; for all else this is the TypeError that says what is expected.
        return source.extract::<PathBuf>().map(Source::Path);
    }
    let arena = Bump::new();
    let bounds = Bounds::of_document(limits);
    match Reader::new(&arena, bounds).value(source, bounds.depth) {
        Ok(view) => Ok(Source::Document(fallgate::request::value_to_json(&owned(view)))),
        Err(fault) => {
            let (pointer, problem) = fault.into_place()?;
            let diagnostic = Diagnostic::new(Code::InvalidValue, pointer, format!("this {problem}"));
            Err(mistaken(source.py(), document, vec![unplaced(&diagnostic)]))
        }
    }
}

fn load(source: &Source, limits: &Limits, said: Said, now: Now) -> Result<Bundle, Vec<PyDiagnostic>> {
    let trust = Trust::unsigned_for_development();
    let unplaced = |error: BundleError| error.diagnostics().iter().map(unplaced).collect::<Vec<_>>();
    let from_bytes = |bytes: &[u8]| match said {
        Said::Unsigned => Bundle::from_signed(bytes, &trust, limits, now.wall).map_err(unplaced),
        Said::Nothing | Said::Root => Bundle::from_json_within(bytes, &trust, limits).map_err(unplaced),
    };
    match source {
        Source::Bytes(bytes) => from_bytes(bytes),
        Source::Document(document) => Bundle::from_document(document, &trust, limits).map_err(unplaced),
        Source::Path(path) if path.is_file() && path.extension().is_some_and(|extension| extension == "json") => {
            let bytes = file(path, limits.bundle_bytes_max.saturating_mul(2)).map_err(|one| vec![one])?;
            from_bytes(&bytes).map_err(|found| found.into_iter().map(|one| named(path, one)).collect())
        }
        Source::Path(path) => {
            let pack::Loaded { document, sources } = load_pack(path).map_err(|error| vec![of_load(&error)])?;
            let loaded = Bundle::from_document(&document, &trust, limits);
            loaded.map_err(|error| error.diagnostics().iter().map(|one| placed(one, &sources)).collect())
        }
    }
}

/// The bytes of a file. One more than the most is enough to see that there are too many.
fn file(path: &Path, most: usize) -> Result<Vec<u8>, PyDiagnostic> {
    let most = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    read.map(|_| bytes).map_err(|error| unreadable(path, &error))
}

fn named(path: &Path, mut one: PyDiagnostic) -> PyDiagnostic {
    one.file = Some(path.display().to_string());
    one
}

fn rehearsed(source: &Source, limits: &Limits) -> Result<Drill, Vec<PyDiagnostic>> {
    let from = |document: &Value| Drill::from_document(document, limits);
    match source {
        Source::Document(document) => from(document).map_err(|one| vec![unplaced(&one)]),
        Source::Bytes(bytes) => {
            let document = serde_json::from_slice(bytes).map_err(|error| {
                let message = format!("not JSON at line {}, column {}", error.line(), error.column());
                vec![unplaced(&Diagnostic::new(Code::Syntax, "", message))]
            })?;
            from(&document).map_err(|one| vec![unplaced(&one)])
        }
        Source::Path(path) => {
            let pack::Loaded { document, sources } = load_drill(path).map_err(|error| vec![of_load(&error)])?;
            from(&document).map_err(|one| vec![placed(&one, &sources)])
        }
    }
}

pub(crate) fn unplaced(diagnostic: &Diagnostic) -> PyDiagnostic {
    PyDiagnostic {
        code: diagnostic.code.as_str().to_owned(),
        message: diagnostic.message.clone(),
        help: diagnostic.help.clone(),
        pointer: Some(diagnostic.pointer.clone()),
        file: None,
        line: None,
        column: None,
    }
}

fn placed(diagnostic: &Diagnostic, sources: &SourceMap) -> PyDiagnostic {
    of_finding(&Finding::from_diagnostic(diagnostic, Severity::Error, sources), sources.files())
}

fn of_load(error: &pack::LoadError) -> PyDiagnostic {
    of_finding(&error.finding, &error.files)
}

fn of_finding(finding: &Finding, files: &[SourceFile]) -> PyDiagnostic {
    let place = finding.places.first().and_then(|place| Some((files.get(place.span.file.number())?, place)));
    let at = place.map(|(file, place)| file.line_column(place.span.range().start));
    PyDiagnostic {
        code: finding.code.to_owned(),
        message: finding.message.clone(),
        help: finding.help.clone(),
        pointer: finding.pointer.clone(),
        file: place.map(|(file, _)| file.path().to_owned()),
        line: at.map(|(line, _)| line),
        column: at.map(|(_, column)| column),
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> PyDiagnostic {
    PyDiagnostic {
        code: "unreadable".to_owned(),
        message: format!("cannot read the file: {error}"),
        help: None,
        pointer: None,
        file: Some(path.display().to_string()),
        line: None,
        column: None,
    }
}
