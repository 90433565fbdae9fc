//! What no Python face can be quicker than: an empty call, and a call that reads the fields of a request from dicts and
//! gives back a frozen object, without deciding anything. And the library asked from Rust, with Python out of the way.

use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::time::{Monotonic, Now, Wall};
use fallgate::{Config, Engine};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

/// What comes back.
#[pyclass(frozen)]
struct Answer {
    #[pyo3(get)]
    length: usize,
}

#[pyfunction]
const fn empty() {}

/// Reads W1: who, what, to what, and the roles.
#[pyfunction]
#[pyo3(signature = (*, subject, action, resource))]
fn read_roles(
    subject: &Bound<'_, PyDict>,
    action: &Bound<'_, PyString>,
    resource: &Bound<'_, PyDict>,
) -> PyResult<Answer> {
    let py = subject.py();
    let mut length = entity(subject)? + action.to_str()?.len() + entity(resource)?;
    length += roles(&dict(subject, intern!(py, "properties"))?)?;
    Ok(Answer { length })
}

/// Reads W2: W1, and four attributes.
#[pyfunction]
#[pyo3(signature = (*, subject, action, resource, context))]
fn read_attributes(
    subject: &Bound<'_, PyDict>,
    action: &Bound<'_, PyString>,
    resource: &Bound<'_, PyDict>,
    context: &Bound<'_, PyDict>,
) -> PyResult<Answer> {
    let py = subject.py();
    let mut length = entity(subject)? + action.to_str()?.len() + entity(resource)?;
    let (of_subject, of_resource) =
        (dict(subject, intern!(py, "properties"))?, dict(resource, intern!(py, "properties"))?);
    length += roles(&of_subject)?;
    length += number(&of_subject, intern!(py, "clearance"))? + number(&of_resource, intern!(py, "sensitivity"))?;
    length += text(&of_resource, intern!(py, "owner"))? + text(context, intern!(py, "ip"))?;
    length += number(context, intern!(py, "hour"))?;
    Ok(Answer { length })
}

/// When [`Rust`] decides: it stands still, so that what is measured is the decision.
const NOW: Now = Now::new(Monotonic::from_millis(3_600_000), Wall::from_millis(1_767_355_200_000));

/// An engine, and the JSON of each request.
#[pyclass(frozen)]
struct Rust {
    engine: Engine,
    requests: Vec<Vec<u8>>,
}

#[pymethods]
impl Rust {
    #[new]
    fn new(pack: &[u8], requests: Vec<Vec<u8>>) -> PyResult<Self> {
        let engine = Engine::new(Config::default());
        let refused = |error: &dyn std::fmt::Display| PyValueError::new_err(error.to_string());
        let document = serde_json::from_slice(pack).map_err(|error| refused(&error))?;
        let bundle = Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT);
        engine.activate(bundle.map_err(|error| refused(&error))?, NOW).map_err(|error| refused(&error))?;
        Ok(Self { engine, requests })
    }

    /// Decides on each request, and says which are allowed.
    fn answers(&self) -> Vec<bool> {
        self.requests.iter().map(|request| self.engine.decide_json(request, NOW).is_allow()).collect()
    }

    /// Decides on each request, and says how many are allowed.
    fn decide(&self) -> usize {
        self.allowed()
    }

    /// Decides on each request `rounds` times in each of two threads, without the interpreter's lock: what the machine gives.
    fn decide_in_two_threads(&self, py: Python<'_>, rounds: usize) -> usize {
        let all = || (0..rounds).map(|_| self.allowed()).sum::<usize>();
        py.detach(|| {
            std::thread::scope(|threads| {
                let other = threads.spawn(all);
                all() + other.join().unwrap_or_default()
            })
        })
    }
}

impl Rust {
    fn allowed(&self) -> usize {
        self.requests.iter().filter(|request| self.engine.decide_json(request, NOW).is_allow()).count()
    }
}

fn entity(of: &Bound<'_, PyDict>) -> PyResult<usize> {
    Ok(text(of, intern!(of.py(), "type"))? + text(of, intern!(of.py(), "id"))?)
}

fn roles(of: &Bound<'_, PyDict>) -> PyResult<usize> {
    let roles = found(of, intern!(of.py(), "roles"))?.cast_into::<PyList>()?;
    roles.iter().map(|role| Ok(role.cast::<PyString>()?.to_str()?.len())).sum()
}

fn dict<'py>(of: &Bound<'py, PyDict>, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyDict>> {
    Ok(found(of, name)?.cast_into()?)
}

fn text(of: &Bound<'_, PyDict>, name: &Bound<'_, PyString>) -> PyResult<usize> {
    Ok(found(of, name)?.cast::<PyString>()?.to_str()?.len())
}

fn number(of: &Bound<'_, PyDict>, name: &Bound<'_, PyString>) -> PyResult<usize> {
    Ok(usize::from(found(of, name)?.extract::<i64>()? > 2))
}

fn found<'py>(of: &Bound<'py, PyDict>, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
    of.get_item(name)?.ok_or_else(|| pyo3::exceptions::PyKeyError::new_err(name.clone().unbind()))
}

#[pymodule(gil_used = false)]
fn floor(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Answer>()?;
    module.add_class::<Rust>()?;
    module.add_function(wrap_pyfunction!(empty, module)?)?;
    module.add_function(wrap_pyfunction!(read_roles, module)?)?;
    module.add_function(wrap_pyfunction!(read_attributes, module)?)
}
