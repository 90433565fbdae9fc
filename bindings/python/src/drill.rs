//! What a drill came to, as Python reads it.

use fallgate::drill::{DrillReport, StepReport};
use fallgate::policy::bundle::hexadecimal;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::clock::PyNow;
use crate::decision::PyDecision;
use crate::event::PyEvent;

/// What a drill came to.
#[pyclass(frozen, module = "fallgate", name = "DrillReport")]
#[derive(Debug)]
pub(crate) struct PyDrillReport(DrillReport);

impl From<DrillReport> for PyDrillReport {
    fn from(report: DrillReport) -> Self {
        Self(report)
    }
}

#[pymethods]
impl PyDrillReport {
    /// What the drill shows.
    #[getter]
    fn drill(&self) -> &str {
        &self.0.drill
    }

    /// Whether every step is as expected.
    #[getter]
    fn passed(&self) -> bool {
        self.0.passed()
    }

    /// What each step came to, repetitions one by one.
    #[getter]
    fn steps<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.steps.iter().map(|step| PyStepReport(step.clone())).collect::<Vec<_>>())
    }

    /// The SHA-256 of all decisions as JSON lines, in hexadecimal: equal in every language.
    #[getter]
    fn decisions_hash(&self) -> String {
        hexadecimal(&self.0.decisions_hash)
    }

    fn __bool__(&self) -> bool {
        self.0.passed()
    }

    fn __repr__(&self) -> String {
        let state = if self.0.passed() { "passed" } else { "failed" };
        format!("<fallgate.DrillReport {state} steps={} {:?}>", self.0.steps.len(), self.0.drill)
    }
}

/// What one step of a drill came to.
#[pyclass(frozen, module = "fallgate", name = "StepReport")]
#[derive(Debug)]
pub(crate) struct PyStepReport(StepReport);

#[pymethods]
impl PyStepReport {
    /// Which step of the drill it is, from zero.
    #[getter]
    fn step(&self) -> usize {
        self.0.step
    }

    /// When it was.
    #[getter]
    fn now(&self) -> PyNow {
        self.0.now.into()
    }

    /// What the step is for.
    #[getter]
    fn note(&self) -> Option<&str> {
        self.0.note.as_deref()
    }

    /// What the engine was told, as text.
    #[getter]
    fn told<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.0.told)
    }

    /// Who asked to do what to what, as text.
    #[getter]
    fn asked(&self) -> Option<&str> {
        self.0.asked.as_deref()
    }

    /// What was decided.
    #[getter]
    fn decision(&self) -> Option<PyDecision> {
        self.0.decision.clone().map(PyDecision::from)
    }

    /// What happened since the step before.
    #[getter]
    fn events<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.events.iter().cloned().map(PyEvent::from).collect::<Vec<_>>())
    }

    /// In what the step is not as expected; empty if it passes.
    #[getter]
    fn failures<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.0.failures)
    }

    fn __repr__(&self) -> String {
        format!("<fallgate.StepReport {} failures={}>", self.0.step, self.0.failures.len())
    }
}
