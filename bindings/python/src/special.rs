//! The types of the standard library that requests are full of, and that JSON has only as text.
//!
//! Each is told by `isinstance` against the class itself and read through that class, so that what a subclass overrides
//! does not count.

use std::borrow::Cow;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyString, PyType};

use crate::value::Fault;

static DATETIME: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static DATE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static TIMEDELTA: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static ENUM: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static SET: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static ADDRESSES: [(&str, PyOnceLock<Py<PyType>>); 4] = [
    ("IPv4Address", PyOnceLock::new()),
    ("IPv6Address", PyOnceLock::new()),
    ("IPv4Network", PyOnceLock::new()),
    ("IPv6Network", PyOnceLock::new()),
];

/// The text that stands for the object; nothing where it is of no type that has one.
///
/// # Errors
/// A [`Fault`] with the repair, for what looks as if it had one.
pub(crate) fn text_of<'py>(object: &Bound<'py, PyAny>) -> Result<Option<Bound<'py, PyString>>, Fault> {
    let py = object.py();
    let datetime = DATETIME.import(py, "datetime", "datetime")?;
    if object.is_instance(datetime)? {
        if datetime.call_method1(intern!(py, "utcoffset"), (object,))?.is_none() {
            return Err(Fault::new(
                "is a datetime without a time zone; give it one, as in `datetime.now(timezone.utc)`",
            ));
        }
        return text(&datetime.call_method1(intern!(py, "isoformat"), (object,))?).map(Some);
    }
    let timedelta = TIMEDELTA.import(py, "datetime", "timedelta")?;
    if object.is_instance(timedelta)? {
        return Ok(Some(PyString::new(py, &seconds(object, timedelta)?)));
    }
    for (name, class) in &ADDRESSES {
        let class = class.import(py, "ipaddress", name)?;
        if object.is_instance(class)? {
            return text(&class.call_method1(intern!(py, "__str__"), (object,))?).map(Some);
        }
    }
    refused(object)
}

/// What is refused with a repair that its type suggests.
fn refused<'py>(object: &Bound<'py, PyAny>) -> Result<Option<Bound<'py, PyString>>, Fault> {
    let py = object.py();
    let problem: Cow<'static, str> = if object.is_instance(DATE.import(py, "datetime", "date")?)? {
        "is a date, which no time zone belongs to; pass a datetime with one, or its text".into()
    } else if object.is_instance(ENUM.import(py, "enum", "Enum")?)? {
        "is an Enum that is neither str nor int; pass its `.value`".into()
    } else if object.is_instance(SET.import(py, "collections.abc", "Set")?)? {
        "is a set, which has no order; pass `sorted(…)` of it".into()
    } else if object.is_instance_of::<PyBytes>() {
        "is bytes, which JSON lacks; pass text".into()
    } else {
        return Ok(None);
    };
    Err(Fault::new(problem))
}

fn text<'py>(object: &Bound<'py, PyAny>) -> Result<Bound<'py, PyString>, Fault> {
    Ok(object.cast::<PyString>().map_err(PyErr::from)?.clone())
}

/// A span as the policy language writes it: seconds with the microseconds as their fraction, `-1.5s`.
fn seconds(object: &Bound<'_, PyAny>, timedelta: &Bound<'_, PyType>) -> Result<String, Fault> {
    let part = |name: &str| -> PyResult<i128> {
        // Through the class: a subclass may call something else `days`.
        timedelta.getattr(name)?.call_method1("__get__", (object,))?.extract()
    };
    const MICROS: i128 = 1_000_000;
    let whole = part("days")?.saturating_mul(86_400).saturating_add(part("seconds")?);
    let micros = whole.saturating_mul(MICROS).saturating_add(part("microseconds")?);
    let sign = if micros < 0 { "-" } else { "" };
    let (whole, fraction) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
    let fraction = format!("{fraction:06}");
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    Ok(format!("{sign}{whole}{point}{fraction}s"))
}

/// The names of a dataclass's fields, for an instance of one. A class variable that is annotated as one counts too, so
/// that a `type` which all instances share need not be stored in each.
pub(crate) fn dataclass_fields<'py>(object: &Bound<'py, PyAny>) -> Result<Option<Vec<Bound<'py, PyString>>>, Fault> {
    let Some(fields) = fields_of(object)? else { return Ok(None) };
    let names = fields.keys().iter().map(|name| Ok(name.cast_into::<PyString>().map_err(PyErr::from)?));
    names.collect::<Result<Vec<_>, Fault>>().map(Some)
}

/// Whether the object is an instance of a dataclass.
pub(crate) fn is_dataclass(object: &Bound<'_, PyAny>) -> Result<bool, Fault> {
    Ok(fields_of(object)?.is_some())
}

/// Whether the object is an instance of a dataclass that has this field.
pub(crate) fn has_field(object: &Bound<'_, PyAny>, name: &Bound<'_, PyString>) -> Result<bool, Fault> {
    Ok(fields_of(object)?.is_some_and(|fields| fields.contains(name).unwrap_or(false)))
}

fn fields_of<'py>(object: &Bound<'py, PyAny>) -> Result<Option<Bound<'py, PyDict>>, Fault> {
    let fields = object.get_type().getattr_opt(intern!(object.py(), "__dataclass_fields__"))?;
    Ok(fields.and_then(|fields| fields.cast_into::<PyDict>().ok()))
}
