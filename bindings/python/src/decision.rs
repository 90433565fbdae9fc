//! A decision, as Python has it: frozen, false unless it allows, and able to travel.

use std::borrow::Cow;
use std::time::Duration;

use fallgate::obligation::Obligation;
use fallgate::reason::Effect;
use fallgate::{Decision, Reason};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use serde_json::{Map, Value};

use crate::json::to_python;

/// The answer to a request.
#[pyclass(frozen, module = "fallgate", name = "Decision")]
#[derive(Debug)]
pub(crate) struct PyDecision(Origin);

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all are made here, and a box would cost each an allocation")]
enum Origin {
    /// Made by an engine of this process.
    Made(Decision),
    /// Brought back from a pickle.
    Restored(Restored),
}

/// What a pickle holds.
#[derive(Debug)]
struct Restored {
    /// Invariant: the effect follows from it, here as in the engine.
    reason: Reason,
    context: Map<String, Value>,
}

impl Restored {
    fn text(&self, name: &str) -> Option<&str> {
        self.context.get(name)?.as_str()
    }

    fn flag(&self, name: &str) -> bool {
        self.context.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    fn number(&self, name: &str) -> u64 {
        self.context.get(name).and_then(Value::as_u64).unwrap_or(0)
    }

    fn items(&self, name: &str) -> &[Value] {
        self.context.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

impl From<Decision> for PyDecision {
    fn from(decision: Decision) -> Self {
        Self(Origin::Made(decision))
    }
}

impl PyDecision {
    const fn cause(&self) -> Reason {
        match &self.0 {
            Origin::Made(decision) => decision.reason(),
            Origin::Restored(restored) => restored.reason,
        }
    }

    const fn is_allow(&self) -> bool {
        matches!(self.cause().effect(), Effect::Allow)
    }

    fn value(&self) -> Value {
        match &self.0 {
            Origin::Made(decision) => decision.to_json(),
            Origin::Restored(restored) => serde_json::json!({"decision": self.is_allow(), "context": restored.context}),
        }
    }
}

#[pymethods]
impl PyDecision {
    /// Whether the request is granted.
    #[getter]
    const fn allowed(&self) -> bool {
        self.is_allow()
    }

    /// Why: a stable code.
    #[getter]
    fn reason<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::intern(py, self.cause().code())
    }

    /// The rule that decided.
    #[getter]
    fn rule(&self) -> Option<&str> {
        match &self.0 {
            Origin::Made(decision) => decision.rule(),
            Origin::Restored(restored) => restored.text("rule"),
        }
    }

    /// The name of the bundle that decided; empty if there was none.
    #[getter]
    fn bundle(&self) -> &str {
        match &self.0 {
            Origin::Made(decision) => decision.bundle(),
            Origin::Restored(restored) => restored.text("bundle").unwrap_or_default(),
        }
    }

    /// The revision of that bundle; zero if there was none.
    #[getter]
    fn revision(&self) -> u64 {
        match &self.0 {
            Origin::Made(decision) => decision.revision(),
            Origin::Restored(restored) => restored.number("revision"),
        }
    }

    /// The posture that the request was under; empty if there was no bundle.
    #[getter]
    fn posture(&self) -> &str {
        match &self.0 {
            Origin::Made(decision) => decision.posture(),
            Origin::Restored(restored) => restored.text("posture").unwrap_or_default(),
        }
    }

    /// The override that allowed it, by the id of its proposal.
    #[getter]
    fn r#override(&self) -> Option<&str> {
        match &self.0 {
            Origin::Made(decision) => decision.override_id(),
            Origin::Restored(restored) => restored.text("override"),
        }
    }

    /// What the host has to do along with it.
    #[getter]
    fn obligations<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let obligations: Vec<PyObligation> = match &self.0 {
            Origin::Made(decision) => decision.obligations().iter().map(PyObligation::from).collect(),
            Origin::Restored(restored) => restored.items("obligations").iter().map(PyObligation::restored).collect(),
        };
        PyTuple::new(py, obligations)
    }

    /// The required signals that were not ok.
    #[getter]
    fn degraded<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        match &self.0 {
            Origin::Made(decision) => PyTuple::new(py, decision.degraded().iter().map(|name| name.as_str())),
            Origin::Restored(restored) => {
                PyTuple::new(py, restored.items("degraded").iter().filter_map(Value::as_str).collect::<Vec<_>>())
            }
        }
    }

    /// What the rule that denied says against the request: the members of a Rego deny set.
    #[getter]
    fn messages<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        match &self.0 {
            Origin::Made(decision) => PyTuple::new(py, decision.messages().iter().map(|message| &**message)),
            Origin::Restored(restored) => {
                PyTuple::new(py, restored.items("messages").iter().filter_map(Value::as_str).collect::<Vec<_>>())
            }
        }
    }

    /// For how long the host may keep it; zero where it may not.
    #[getter]
    fn expires_in(&self) -> Duration {
        Duration::from_millis(match &self.0 {
            Origin::Made(decision) => decision.expires_in_ms(),
            Origin::Restored(restored) => restored.number("expires_in_ms"),
        })
    }

    /// Whether an earlier evaluation was used again.
    #[getter]
    fn cached(&self) -> bool {
        match &self.0 {
            Origin::Made(decision) => decision.cached(),
            Origin::Restored(restored) => restored.flag("cached"),
        }
    }

    /// Whether the rule that decided declares that it may grant more when it knows less.
    #[getter]
    fn information_loss(&self) -> bool {
        match &self.0 {
            Origin::Made(decision) => decision.information_loss(),
            Origin::Restored(restored) => restored.flag("information_loss"),
        }
    }

    /// The identifier.
    #[getter]
    fn id(&self) -> Cow<'_, str> {
        match &self.0 {
            Origin::Made(decision) => decision.id().to_string().into(),
            Origin::Restored(restored) => restored.text("id").unwrap_or_default().into(),
        }
    }

    /// What exactly was wrong with the request, for a reason that concerns it.
    #[getter]
    fn detail(&self) -> Option<&str> {
        match &self.0 {
            Origin::Made(decision) => decision.detail(),
            Origin::Restored(restored) => restored.text("detail"),
        }
    }

    /// The decision as an AuthZEN evaluation response.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        Ok(to_python(py, &self.value())?.cast_into()?)
    }

    /// The same as JSON: compact, its members in byte order.
    fn to_json<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::new(py, &self.value().to_string())
    }

    const fn __bool__(&self) -> bool {
        self.is_allow()
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| self.value() == other.get().value())
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        PyString::new(py, &self.id()).hash()
    }

    fn __repr__(&self) -> String {
        let effect = if self.is_allow() { "allow" } else { "deny" };
        let rule = self.rule().map(|rule| format!(" rule={rule}")).unwrap_or_default();
        format!("<fallgate.Decision {effect} reason={}{rule} id={}>", self.cause().code(), self.id())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        let restore = slf.get_type().getattr("_restore")?;
        Ok((restore, (slf.get().value().to_string(),)))
    }

    /// What a pickle of a decision calls. The effect follows from the reason; one that is not known denies.
    #[staticmethod]
    fn _restore(text: &str) -> PyResult<Self> {
        let wrong = || PyValueError::new_err("this is no pickled decision");
        let value: Value = serde_json::from_str(text).map_err(|_| wrong())?;
        let Value::Object(mut members) = value else { return Err(wrong()) };
        let Some(Value::Object(context)) = members.remove("context") else { return Err(wrong()) };
        let code = context.get("reason").and_then(Value::as_str).unwrap_or_default();
        let reason = Reason::ALL.iter().copied().find(|reason| reason.code() == code).ok_or_else(wrong)?;
        Ok(Self(Origin::Restored(Restored { reason, context })))
    }
}

/// What a host must do along with a decision.
#[pyclass(frozen, module = "fallgate", name = "Obligation")]
#[derive(Debug)]
pub(crate) struct PyObligation {
    id: String,
    kind: String,
    properties: Value,
}

impl From<&Obligation> for PyObligation {
    fn from(obligation: &Obligation) -> Self {
        Self {
            id: obligation.id.to_string(),
            kind: obligation.obligation_type.to_string(),
            properties: obligation.properties.clone(),
        }
    }
}

impl PyObligation {
    fn restored(value: &Value) -> Self {
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let properties = value.get("properties").cloned().unwrap_or_default();
        Self { id: text("id"), kind: text("type"), properties }
    }
}

#[pymethods]
impl PyObligation {
    /// Which obligation of the pack it is.
    #[getter]
    fn id(&self) -> &str {
        &self.id
    }

    /// What kind of thing is to be done: what handlers are found by.
    #[getter]
    fn r#type(&self) -> &str {
        &self.kind
    }

    /// The particulars, a new dict at each reading.
    #[getter]
    fn properties<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.properties)
    }

    fn __repr__(&self) -> String {
        format!("<fallgate.Obligation {} type={}>", self.id, self.kind)
    }
}
