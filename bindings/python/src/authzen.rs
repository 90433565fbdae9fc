//! AuthZEN over bytes: for a host that has an HTTP server of its own and wants to be a decision point for others.

use fallgate::authzen::{Answer, Endpoint};
use fallgate::error::quoted;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// The answer to a request of the AuthZEN Authorization API.
#[pyclass(frozen, module = "fallgate", name = "Answer")]
#[derive(Debug)]
pub(crate) struct PyAnswer(Answer);

impl From<Answer> for PyAnswer {
    fn from(answer: Answer) -> Self {
        Self(answer)
    }
}

#[pymethods]
impl PyAnswer {
    /// The HTTP status.
    #[getter]
    const fn status(&self) -> u16 {
        self.0.status
    }

    /// The body: JSON.
    #[getter]
    fn body(&self) -> &str {
        &self.0.body
    }

    /// The reasons of the decisions in the answer, in their order; none for a search.
    #[getter]
    fn reasons<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.reasons.iter().map(|reason| reason.code()).collect::<Vec<_>>())
    }

    fn __repr__(&self) -> String {
        format!("<fallgate.Answer {} of {} bytes>", self.0.status, self.0.body.len())
    }
}

/// The endpoint of a path.
///
/// # Errors
/// `ValueError` for a path that is none, with those that are.
pub(crate) fn endpoint(path: &str) -> PyResult<Endpoint> {
    Endpoint::from_path(path).ok_or_else(|| {
        let known = Endpoint::ALL.map(Endpoint::path).join(", ");
        PyValueError::new_err(format!("{} is no endpoint; there are {known}", quoted(path)))
    })
}

/// The metadata of the decision point at this address, as JSON: what to serve at `/.well-known/authzen-configuration`.
#[pyfunction]
pub(crate) fn authzen_metadata(address: &str) -> PyResult<String> {
    let metadata = fallgate::authzen::metadata(address);
    metadata.map(|metadata| metadata.to_string()).map_err(|error| PyValueError::new_err(error.to_string()))
}
