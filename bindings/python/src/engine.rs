//! The engine, as Python calls it.
//!
//! A call holds the interpreter's lock while it reads Python's values; `decide_many` decides without it. What a value's
//! own code does meanwhile, activating another bundle included, is met by reading again.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bumpalo::Bump;
use fallgate::audit::chain::Head;
use fallgate::drill::parse_status;
use fallgate::engine::Explanation;
use fallgate::error::{Code, Diagnostic, quoted};
use fallgate::limits::{Limits, NAME_BYTES_MAX};
use fallgate::name::name;
use fallgate::policy::trust::root::TrustRoot;
use fallgate::request::RequestView;
use fallgate::state::document::StateKey;
use fallgate::state::signals::Observation;
use fallgate::time::{Monotonic, Now, Ttl};
use fallgate::{Config, Decision, Engine};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyMapping, PyString, PyTuple};

use crate::authzen::{self, PyAnswer};
use crate::batch;
use crate::clock::{At, PyNow, when};
use crate::decision::PyDecision;
use crate::drill::PyDrillReport;
use crate::error::{Document, PyDiagnostic, mistaken, not_activated, not_done};
use crate::event::PyEvent;
use crate::fork::detached;
use crate::json::to_python;
use crate::limits;
use crate::operation;
use crate::request::{Parts, standing};
use crate::source::{self, Loaded, Said};
use crate::value::{Bounds, Fault, Reader};
use crate::wants::Wants;

/// A policy decision point inside this process.
#[pyclass(frozen, subclass, weakref, module = "fallgate._fallgate", name = "Engine")]
#[derive(Debug)]
pub(crate) struct PyEngine {
    /// Boxed: the engine keeps its counters on cache lines of their own, and Python's allocator knows of no such alignment.
    pub(crate) engine: Box<Engine>,
    pub(crate) limits: Limits,
    /// Whom the host said to trust.
    said: Said,
    /// What the active bundle wants. A decision that was read for another one is read again.
    pub(crate) wants: ArcSwap<Wants>,
}

#[pymethods]
impl PyEngine {
    #[new]
    #[pyo3(signature = (*, key=None, clock_skew_max=None, state_key=None, instance=None, audit_key=None, audit_head=None, trust=None, limits=None))]
    #[allow(clippy::too_many_arguments, reason = "each is a keyword in Python")]
    fn new(
        key: Option<&Bound<'_, PyBytes>>,
        clock_skew_max: Option<std::time::Duration>,
        state_key: Option<&Bound<'_, PyBytes>>,
        instance: Option<&str>,
        audit_key: Option<&Bound<'_, PyBytes>>,
        audit_head: Option<&Bound<'_, PyMapping>>,
        trust: Option<&Bound<'_, PyAny>>,
        limits: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let mut config = Config::default();
        if let Some(key) = key {
            config.key = key.as_bytes().try_into().map_err(|_| PyValueError::new_err("`key` must have 16 bytes"))?;
        }
        if let Some(skew) = clock_skew_max {
            config.clock_skew_max = Ttl::from_nanos(u64::try_from(skew.as_nanos()).unwrap_or(u64::MAX));
        }
        if let Some(key) = state_key {
            let key = key.as_bytes().try_into().ok().and_then(StateKey::new);
            let message = "`state_key` must have 32 bytes, and not all of them zero";
            config.state_key = Some(key.ok_or_else(|| PyValueError::new_err(message))?);
        }
        if let Some(text) = instance {
            let message = format!("`instance` must be a name of at most {NAME_BYTES_MAX} bytes");
            config.instance = name(text).ok_or_else(|| PyValueError::new_err(message))?;
        }
        if let Some(key) = audit_key {
            let key = key.as_bytes().try_into();
            config.audit_key = Some(key.map_err(|_| PyValueError::new_err("`audit_key` must have 32 bytes"))?);
        }
        if let Some(head) = audit_head {
            let json = operation::bytes_of(head.as_any(), &config.limits)?.unwrap_or_default();
            let head = serde_json::from_slice(&json).ok().as_ref().and_then(Head::from_json);
            let message =
                "`audit_head` must have a `count` and the `head` in hexadecimal, as a sink or `checkpoint` gives";
            config.audit_head = head.ok_or_else(|| PyValueError::new_err(message))?;
        }
        if let Some(given) = limits {
            limits::put(given, &mut config.limits)?;
        }
        let limits = config.limits.clone();
        let mut said = Said::Nothing;
        if let Some(named) = trust {
            (config.trust, said) = source::trust(named, &limits)?;
        }
        Ok(Self { engine: Box::new(Engine::new(config)), limits, said, wants: ArcSwap::default() })
    }

    #[pyo3(signature = (source, *, now=None))]
    fn activate(&self, source: &Bound<'_, PyAny>, now: Option<At>) -> PyResult<()> {
        let py = source.py();
        let now = when(now);
        let loaded = source::bundle(source, &self.limits, self.said, now)?;
        // Until it is known what is wanted, everything is.
        self.wants.store(Arc::default());
        let activated = match loaded {
            Loaded::Bundle(bundle) => self.engine.activate(bundle, now).map_err(|error| not_activated(py, error)),
            Loaded::ToVerify(bytes, path) => detached(py, || self.engine.activate_signed(&bytes, now))
                .map_err(|error| source::not_taken(py, error, path.as_deref())),
        };
        self.learn(py);
        activated
    }

    #[pyo3(signature = (source, *, now=None))]
    fn activate_signed(&self, source: &Bound<'_, PyAny>, now: Option<At>) -> PyResult<()> {
        let py = source.py();
        let envelope = source::envelope(source, &self.limits, Document::Bundle)?;
        if self.said != Said::Root {
            let diagnostic = Diagnostic::new(Code::Untrusted, "", "the engine holds no trust root")
                .with_help("make it with `trust`, or call `activate`");
            return Err(mistaken(py, Document::Bundle, vec![source::unplaced(&diagnostic)]));
        }
        self.activate(PyBytes::new(py, &envelope).as_any(), now)
    }

    #[pyo3(signature = (source, *, now=None))]
    fn rotate_trust(&self, source: &Bound<'_, PyAny>, now: Option<At>) -> PyResult<u64> {
        let envelope = source::envelope(source, &self.limits, Document::Trust)?;
        let rotated = self.engine.rotate_trust(&envelope, when(now));
        rotated.map_err(|error| {
            let found = error.diagnostics().iter().map(source::unplaced).collect();
            mistaken(source.py(), Document::Trust, found)
        })
    }

    #[getter]
    fn trust_version(&self) -> Option<u64> {
        self.engine.trust().root().map(TrustRoot::version)
    }

    #[pyo3(signature = (signal, status, observed_at=None, *, now=None))]
    fn observe(
        &self,
        signal: &str,
        status: &str,
        observed_at: Option<&Bound<'_, PyAny>>,
        now: Option<At>,
    ) -> PyResult<&'static str> {
        let status = parse_status(status).ok_or_else(|| {
            PyValueError::new_err(format!("{} is no status; write ok, degraded, failed or unknown", quoted(status)))
        })?;
        let mut observation = Observation::new(signal, status);
        if let Some(at) = observed_at {
            observation = observation.at(monotonic(at)?);
        }
        Ok(self.engine.observe(&observation, when(now)).code())
    }

    #[pyo3(signature = (*, subject, action, resource, context=None, now=None))]
    fn decide(
        &self,
        subject: &Bound<'_, PyAny>,
        action: &Bound<'_, PyAny>,
        resource: &Bound<'_, PyAny>,
        context: Option<&Bound<'_, PyAny>>,
        now: Option<At>,
    ) -> PyResult<PyDecision> {
        let parts = Parts { subject: Some(subject), action: Some(action), resource: Some(resource), context };
        self.decided(now, |reader, wants| parts.read(reader, wants)).map(PyDecision::from)
    }

    #[pyo3(signature = (request, *, now=None))]
    fn decide_json(&self, request: &Bound<'_, PyAny>, now: Option<At>) -> PyResult<PyDecision> {
        let now = when(now);
        if let Ok(bytes) = request.cast::<PyBytes>() {
            return Ok(self.engine.decide_json(bytes.as_bytes(), now).into());
        }
        if let Ok(bytes) = request.cast::<PyByteArray>() {
            return Ok(self.engine.decide_json(&bytes.to_vec(), now).into());
        }
        if let Ok(text) = request.cast::<PyString>() {
            return match text.to_str() {
                Ok(text) => Ok(self.engine.decide_json(text.as_bytes(), now).into()),
                Err(_) => self.refused(Fault::new("holds a lone surrogate, which is no text").within("text"), now),
            };
        }
        Err(PyTypeError::new_err(
            "`request` must be bytes, bytearray or str: the JSON of an AuthZEN evaluation request",
        ))
    }

    #[pyo3(signature = (requests, *, now=None))]
    fn decide_many(&self, requests: &Bound<'_, PyAny>, now: Option<At>) -> PyResult<Vec<PyDecision>> {
        batch::decide(self, requests, when(now))
    }

    #[pyo3(signature = (path, body, *, now=None))]
    fn authzen(&self, py: Python<'_>, path: &str, body: &[u8], now: Option<At>) -> PyResult<PyAnswer> {
        let endpoint = authzen::endpoint(path)?;
        let now = when(now);
        Ok(detached(py, || fallgate::authzen::answer(&self.engine, endpoint, body, now)).into())
    }

    #[pyo3(signature = (*, subject, action, resource, context=None, now=None))]
    fn explain<'py>(
        &self,
        py: Python<'py>,
        subject: &Bound<'py, PyAny>,
        action: &Bound<'py, PyAny>,
        resource: &Bound<'py, PyAny>,
        context: Option<&Bound<'py, PyAny>>,
        now: Option<At>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let parts = Parts { subject: Some(subject), action: Some(action), resource: Some(resource), context };
        let arena = Bump::new();
        let mut reader = Reader::new(&arena, Bounds::of_request(&self.limits));
        let explanation = match parts.read(&mut reader, &Wants::default()) {
            Ok(view) => self.engine.explain(&standing(&view), when(now)),
            Err(fault) => {
                let mut explanation = Explanation::default();
                explanation.stopped = Some(fault.into_request_error()?.to_string());
                explanation
            }
        };
        let value = serde_json::to_value(explanation).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(to_python(py, &value)?.cast_into()?)
    }

    #[pyo3(signature = (operation, *, now=None))]
    fn operate<'py>(&self, operation: &Bound<'py, PyAny>, now: Option<At>) -> PyResult<Bound<'py, PyDict>> {
        let py = operation.py();
        let now = when(now);
        let read = operation::bytes_of(operation, &self.limits);
        if !matches!(read, Ok(Ok(_))) && operation::restores(operation) {
            // A state that cannot be read is one that does not verify: the core has to hear of it.
            let _ = self.engine.operate_json(operation::UNREADABLE_STATE, now);
        }
        let done = match read? {
            Ok(bytes) => self.engine.operate_json(&bytes, now),
            Err(error) => Err(error),
        };
        match done {
            Ok(outcome) => Ok(to_python(py, &outcome.to_json())?.cast_into()?),
            Err(error) => Err(not_done(py, &error)),
        }
    }

    #[pyo3(signature = (scope=None))]
    fn posture(&self, scope: Option<&str>) -> Option<String> {
        self.engine.posture(scope).map(|posture| posture.as_str().to_owned())
    }

    #[pyo3(signature = (*, now=None))]
    fn overview<'py>(&self, py: Python<'py>, now: Option<At>) -> PyResult<Bound<'py, PyDict>> {
        Ok(to_python(py, &self.engine.overview(when(now)))?.cast_into()?)
    }

    #[pyo3(signature = (*, now=None))]
    fn advance(&self, now: Option<At>) {
        self.engine.advance(when(now));
    }

    #[pyo3(signature = (*, now=None))]
    fn anchor_clocks(&self, now: Option<At>) {
        self.engine.anchor_clocks(when(now));
    }

    fn next_deadline(&self) -> Option<u64> {
        self.engine.next_deadline().map(Monotonic::as_nanos)
    }

    fn poll_event(&self) -> Option<PyEvent> {
        self.engine.poll_event().map(PyEvent::from)
    }

    fn counters(&self) -> PyCounters {
        let counters = self.engine.counters();
        PyCounters {
            clock_went_back: counters.clock_went_back,
            events_dropped: counters.events_dropped,
            cached_decisions: counters.cached_decisions,
        }
    }

    fn signal(&self, name: &str) -> Option<&'static str> {
        self.engine.signal(name).map(|status| status.name())
    }

    #[getter]
    fn bundle(&self) -> Option<PyBundle> {
        self.engine.bundle().map(|bundle| PyBundle {
            name: bundle.name().to_owned(),
            revision: bundle.revision(),
            id: bundle.id().to_string(),
            warnings: bundle.warnings().iter().map(source::unplaced).collect(),
        })
    }

    fn drill(&self, source: &Bound<'_, PyAny>) -> PyResult<PyDrillReport> {
        let Some(bundle) = self.engine.bundle() else {
            return Err(PyValueError::new_err("no bundle is active; activate the one to rehearse"));
        };
        let drill = source::drill(source, &self.limits)?;
        Ok(detached(source.py(), || drill.run(&bundle)).into())
    }

    fn __reduce__(&self) -> PyResult<()> {
        let message = "an engine cannot be pickled or copied: it holds what this process was told; \
                       open one in each process, and pickle decisions";
        Err(PyTypeError::new_err(message))
    }

    fn __repr__(&self) -> String {
        match self.engine.bundle() {
            Some(bundle) => format!("<fallgate.Engine {} revision {}>", bundle.name(), bundle.revision()),
            None => "<fallgate.Engine without a bundle>".to_owned(),
        }
    }
}

impl PyEngine {
    /// Reads a request and decides on it.
    pub(crate) fn decided<R>(&self, now: Option<At>, read: R) -> PyResult<Decision>
    where
        R: for<'a> Fn(&mut Reader<'a>, &'a Wants) -> Result<RequestView<'a>, Fault>,
    {
        let decide = |wants: &Wants| -> PyResult<Option<Decision>> {
            let arena = Bump::new();
            match read(&mut Reader::new(&arena, Bounds::of_request(&self.limits)), wants) {
                Ok(view) => {
                    // The clocks are read last: the values' own code may have taken its time.
                    let now = when(now);
                    let enough = wants.is_enough(|| self.engine.readers_at(now));
                    Ok(enough.then(|| self.engine.decide_view(&view, now)))
                }
                Err(fault) => Ok(Some(self.engine.refuse(&fault.into_request_error()?, when(now)))),
            }
        };
        let wants = self.wants.load();
        if let Some(decision) = decide(&wants)? {
            return Ok(decision);
        }
        // Another bundle has become active, or was staged. Whoever reads everything has read enough for any.
        Python::attach(|py| self.learn(py));
        Ok(decide(&Wants::default())?.unwrap_or_default())
    }

    /// Learns what is wanted from now on.
    pub(crate) fn learn(&self, py: Python<'_>) {
        self.wants.store(Arc::new(Wants::now(py, &self.engine)));
    }

    fn refused(&self, fault: Fault, now: Now) -> PyResult<PyDecision> {
        Ok(self.engine.refuse(&fault.into_request_error()?, now).into())
    }
}

fn monotonic(at: &Bound<'_, PyAny>) -> PyResult<Monotonic> {
    let nanos = match at.cast::<PyNow>() {
        Ok(now) => now.get().monotonic_ns,
        Err(_) => at.extract::<u64>().map_err(|_| {
            PyTypeError::new_err("`observed_at` must be a fallgate.Now, or nanoseconds on its monotonic clock")
        })?,
    };
    Ok(Monotonic::from_nanos(nanos))
}

/// What an engine has counted since it was made.
#[pyclass(frozen, get_all, eq, module = "fallgate", name = "Counters")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PyCounters {
    /// Readings of the monotonic clock that were earlier than one before, by a millisecond or more.
    clock_went_back: u64,
    /// Events dropped because nobody polled.
    events_dropped: u64,
    /// Cached decisions now held.
    cached_decisions: u64,
}

#[pymethods]
impl PyCounters {
    fn __repr__(&self) -> String {
        let Self { clock_went_back, events_dropped, cached_decisions } = self;
        format!(
            "<fallgate.Counters clock_went_back={clock_went_back} events_dropped={events_dropped} \
             cached_decisions={cached_decisions}>"
        )
    }
}

/// The active bundle.
#[pyclass(frozen, module = "fallgate", name = "Bundle")]
#[derive(Clone, Debug)]
pub(crate) struct PyBundle {
    /// The pack's name.
    #[pyo3(get)]
    name: String,
    /// The pack's revision.
    #[pyo3(get)]
    revision: u64,
    /// The SHA-256 of its canonical bytes, in hexadecimal.
    #[pyo3(get)]
    id: String,
    warnings: Vec<PyDiagnostic>,
}

#[pymethods]
impl PyBundle {
    /// What is allowed, but should be looked at.
    #[getter]
    fn warnings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.warnings.clone())
    }

    fn __repr__(&self) -> String {
        format!("<fallgate.Bundle {} revision {} {}>", self.name, self.revision, self.id)
    }
}
