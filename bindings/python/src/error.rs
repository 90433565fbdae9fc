//! The exceptions of the package, raised from here. The classes themselves are Python's, in `fallgate.errors`, so that
//! they can be documented, derived from and pickled as any other.

use fallgate::engine::ActivateError;
use fallgate::operation::OperationError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyTuple, PyType};

/// One mistake in a pack, a bundle or a drill.
#[pyclass(frozen, get_all, eq, module = "fallgate", name = "Diagnostic")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PyDiagnostic {
    /// Which rule of the format it breaks: a stable code.
    pub(crate) code: String,
    /// What is wrong.
    pub(crate) message: String,
    /// How to repair it.
    pub(crate) help: Option<String>,
    /// Where in the document: a JSON Pointer.
    pub(crate) pointer: Option<String>,
    /// The file, where there is one.
    pub(crate) file: Option<String>,
    /// The line, from 1.
    pub(crate) line: Option<usize>,
    /// The column in characters, from 1.
    pub(crate) column: Option<usize>,
}

#[pymethods]
impl PyDiagnostic {
    #[new]
    #[pyo3(signature = (code, message, help=None, pointer=None, file=None, line=None, column=None))]
    const fn new(
        code: String,
        message: String,
        help: Option<String>,
        pointer: Option<String>,
        file: Option<String>,
        line: Option<usize>,
        column: Option<usize>,
    ) -> Self {
        Self { code, message, help, pointer, file, line, column }
    }

    fn __getnewargs__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let Self { code, message, help, pointer, file, line, column } = self;
        (code, message, help, pointer, file, line, column).into_pyobject(py)
    }

    /// On one line: `file:line:column: error[code]: message; help`.
    pub(crate) fn __str__(&self) -> String {
        let place = match (&self.file, self.line, self.column, &self.pointer) {
            (Some(file), Some(line), Some(column), _) => format!("{file}:{line}:{column}: "),
            (Some(file), ..) => format!("{file}: "),
            (None, .., Some(pointer)) if !pointer.is_empty() => format!("{pointer}: "),
            _ => String::new(),
        };
        let help = self.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        format!("{place}error[{}]: {}{help}", self.code, self.message)
    }

    fn __repr__(&self) -> String {
        format!("<fallgate.Diagnostic {}>", self.__str__())
    }
}

/// Which exception mistakes of a document are raised with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Document {
    Bundle,
    Drill,
    Trust,
}

/// The exception for what is wrong with a document.
pub(crate) fn mistaken(py: Python<'_>, document: Document, diagnostics: Vec<PyDiagnostic>) -> PyErr {
    static BUNDLE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static DRILL: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static TRUST: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = match document {
        Document::Bundle => BUNDLE.import(py, "fallgate.errors", "BundleError"),
        Document::Drill => DRILL.import(py, "fallgate.errors", "DrillError"),
        Document::Trust => TRUST.import(py, "fallgate.errors", "TrustError"),
    };
    let made = class.and_then(|class| class.call1((PyTuple::new(py, diagnostics)?,)));
    made.map_or_else(|error| error, PyErr::from_value)
}

/// The exception for a bundle that was not activated.
pub(crate) fn not_activated(py: Python<'_>, error: ActivateError) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = CLASS.import(py, "fallgate.errors", "ActivateError");
    class.and_then(|class| class.call1((error.code(), error.to_string()))).map_or_else(|error| error, PyErr::from_value)
}

/// The exception for an operation that was not done.
pub(crate) fn not_done(py: Python<'_>, error: &OperationError) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = CLASS.import(py, "fallgate.errors", "OperationError");
    class.and_then(|class| class.call1((error.code(), error.to_string()))).map_or_else(|error| error, PyErr::from_value)
}
