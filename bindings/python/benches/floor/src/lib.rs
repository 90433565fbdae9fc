//! What no Python face can be quicker than: an empty call, and a call that reads the fields of a request from dicts and
//! gives back a frozen object, without deciding anything.

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
    module.add_function(wrap_pyfunction!(empty, module)?)?;
    module.add_function(wrap_pyfunction!(read_roles, module)?)?;
    module.add_function(wrap_pyfunction!(read_attributes, module)?)
}
