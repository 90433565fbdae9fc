//! What happened, as Python polls it.

use fallgate::state::events::Event;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::clock::PyNow;
use crate::json::to_python;

/// Something that happened to an engine.
#[pyclass(frozen, module = "fallgate", name = "Event")]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PyEvent(Event);

impl From<Event> for PyEvent {
    fn from(event: Event) -> Self {
        Self(event)
    }
}

#[pymethods]
impl PyEvent {
    /// Its stable name, such as `signal_changed`.
    #[getter]
    fn kind(&self) -> &'static str {
        self.0.kind.code()
    }

    /// When it happened.
    #[getter]
    fn at(&self) -> PyNow {
        self.0.at.into()
    }

    /// Which event of this engine it is, from 1.
    #[getter]
    fn id(&self) -> u64 {
        self.0.id
    }

    /// Who has to know, and how soon.
    #[getter]
    fn severity(&self) -> &'static str {
        self.0.severity.code()
    }

    /// How many events its cause has had so far, this one among them.
    #[getter]
    fn count(&self) -> u64 {
        self.0.count
    }

    /// Where it is written what to do.
    #[getter]
    fn runbook(&self) -> Option<&str> {
        self.0.runbook.as_deref()
    }

    /// All of it: `event`, `id`, `at`, `monotonic_ms`, `severity`, `count`, `runbook` where there is one, and the particulars of its kind.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        Ok(to_python(py, &self.0.to_json())?.cast_into()?)
    }

    /// The same as JSON.
    fn to_json<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::new(py, &self.0.to_json().to_string())
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| self.0 == other.get().0)
    }

    fn __repr__(&self) -> String {
        format!("<fallgate.Event {}>", self.0.to_json())
    }
}
