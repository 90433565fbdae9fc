//! Where a policy or a drill comes from: a folder, a file, bytes, or a dict.

use std::path::{Path, PathBuf};

use bumpalo::Bump;
use fallgate::drill::Drill;
use fallgate::error::{BundleError, Code, Diagnostic};
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate_cli::finding::{Finding, Severity};
use fallgate_cli::pack::{LoadError, Loaded, load_drill, load_pack};
use fallgate_cli::source::{SourceFile, SourceMap};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMapping};
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

/// Loads a bundle.
///
/// # Errors
/// `fallgate.BundleError` with every mistake, and `TypeError` for what is no source at all.
pub(crate) fn bundle(source: &Bound<'_, PyAny>, limits: &Limits) -> PyResult<Bundle> {
    let py = source.py();
    let source = read(source, limits, Document::Bundle)?;
    // Files are read and conditions compiled without the interpreter's lock.
    detached(py, || load(&source, limits)).map_err(|found| mistaken(py, Document::Bundle, found))
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

fn load(source: &Source, limits: &Limits) -> Result<Bundle, Vec<PyDiagnostic>> {
    let trust = Trust::unsigned_for_development();
    let unplaced = |error: BundleError| error.diagnostics().iter().map(unplaced).collect::<Vec<_>>();
    match source {
        Source::Bytes(bytes) => Bundle::from_json_within(bytes, &trust, limits).map_err(unplaced),
        Source::Document(document) => Bundle::from_document(document, &trust, limits).map_err(unplaced),
        Source::Path(path) if path.is_file() && path.extension().is_some_and(|extension| extension == "json") => {
            let bytes = std::fs::read(path).map_err(|error| vec![unreadable(path, &error)])?;
            let named = |mut one: PyDiagnostic| {
                one.file = Some(path.display().to_string());
                one
            };
            let loaded = Bundle::from_json_within(&bytes, &trust, limits);
            loaded.map_err(|error| unplaced(error).into_iter().map(named).collect())
        }
        Source::Path(path) => {
            let Loaded { document, sources } = load_pack(path).map_err(|error| vec![of_load(&error)])?;
            let loaded = Bundle::from_document(&document, &trust, limits);
            loaded.map_err(|error| error.diagnostics().iter().map(|one| placed(one, &sources)).collect())
        }
    }
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
