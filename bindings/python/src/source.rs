//! Where a policy or a drill comes from: a folder, a file, bytes, or a dict.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use bumpalo::Bump;
use fallgate::Engine;
use fallgate::drill::Drill;
use fallgate::error::{BundleError, Code, Diagnostic};
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::policy::trust::root::TrustRoot;
use fallgate::time::Now;
use fallgate_cli::finding::{Finding, Severity};
use fallgate_cli::pack::{LoadError, Loaded, load_drill, load_pack};
use fallgate_cli::source::{SourceFile, SourceMap};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMapping, PyString};
use serde_json::Value;

use crate::error::{Document, PyDiagnostic, mistaken};
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

/// Loads a bundle as the engine's trust asks; what is refused is an event of the engine's.
///
/// # Errors
/// `fallgate.BundleError` with every mistake, and `TypeError` for what is no source at all.
pub(crate) fn bundle(source: &Bound<'_, PyAny>, engine: &Engine, said: Said, now: Now) -> PyResult<Bundle> {
    let py = source.py();
    let limits = &engine.config().limits;
    let source = read(source, limits, Document::Bundle)?;
    let trust = engine.trust();
    // Files are read and conditions compiled without the interpreter's lock.
    detached(py, || load(&source, engine, &trust, said, now)).map_err(|found| mistaken(py, Document::Bundle, found))
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

fn load(source: &Source, engine: &Engine, trust: &Trust, said: Said, now: Now) -> Result<Bundle, Vec<PyDiagnostic>> {
    let limits = &engine.config().limits;
    let told = |error: BundleError| {
        engine.refuse_bundle(&error, now);
        error
    };
    let unplaced = |error: BundleError| error.diagnostics().iter().map(unplaced).collect::<Vec<_>>();
    let from_bytes = |bytes: &[u8]| {
        let loaded = match said {
            Said::Nothing => Bundle::from_json_within(bytes, trust, limits),
            Said::Unsigned | Said::Root => Bundle::from_signed(bytes, trust, limits, now.wall),
        };
        loaded.map_err(told).map_err(unplaced)
    };
    let is_json = |path: &Path| path.extension().is_some_and(|extension| extension == "json");
    match source {
        Source::Bytes(bytes) => from_bytes(bytes),
        Source::Document(document) => Bundle::from_document(document, trust, limits).map_err(told).map_err(unplaced),
        Source::Path(path) if path.is_file() && (is_json(path) || said == Said::Root) => {
            let bytes = file(path, limits.bundle_bytes_max.saturating_mul(2)).map_err(|one| vec![one])?;
            from_bytes(&bytes).map_err(|found| found.into_iter().map(|one| named(path, one)).collect())
        }
        Source::Path(path) if said == Said::Root && path.is_dir() => {
            let diagnostic = Diagnostic::new(Code::Unsigned, "", "a folder, which nobody can have signed")
                .with_help("build and sign it with `fallgate build --key`, and name the bundle");
            let error = told(diagnostic.into());
            Err(unplaced(error).into_iter().map(|one| named(path, one)).collect())
        }
        Source::Path(path) => {
            let Loaded { document, sources } = load_pack(path).map_err(|error| vec![of_load(&error)])?;
            let loaded = Bundle::from_document(&document, trust, limits).map_err(told);
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
            let Loaded { document, sources } = load_drill(path).map_err(|error| vec![of_load(&error)])?;
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

fn of_load(error: &LoadError) -> PyDiagnostic {
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
