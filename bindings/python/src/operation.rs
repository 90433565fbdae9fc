//! An operation, as Python hands it over: the JSON that the core reads, whether it came as such or as a dict.

use bumpalo::Bump;
use fallgate::limits::Limits;
use fallgate::operation::OperationError;
use fallgate::request::value_to_json;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMapping, PyString};

use crate::value::{Bounds, Fault, Reader, owned};

/// The bytes of an operation; inside, what no operation can hold. One snapshot: the caller's values are read once.
///
/// # Errors
/// `TypeError` for what is neither a mapping nor JSON, and what a value raises that is no `Exception`.
pub(crate) fn bytes_of(operation: &Bound<'_, PyAny>, limits: &Limits) -> PyResult<Result<Vec<u8>, OperationError>> {
    if let Ok(bytes) = operation.cast::<PyBytes>() {
        return Ok(Ok(bytes.as_bytes().to_vec()));
    }
    if let Ok(bytes) = operation.cast::<PyByteArray>() {
        return Ok(Ok(bytes.to_vec()));
    }
    if let Ok(text) = operation.cast::<PyString>() {
        return match text.to_str() {
            Ok(text) => Ok(Ok(text.as_bytes().to_vec())),
            Err(_) => malformed(Fault::new("holds a lone surrogate, which is no text").within("text")),
        };
    }
    if operation.cast::<PyMapping>().is_err() {
        let message = "`operation` must be a mapping with one member, named after what is done, or its JSON";
        return Err(PyTypeError::new_err(message));
    }
    let arena = Bump::new();
    let bounds = Bounds::of_operation(limits);
    match Reader::new(&arena, bounds).value(operation, bounds.depth) {
        Ok(view) => Ok(Ok(value_to_json(&owned(view)).to_string().into_bytes())),
        Err(fault) => malformed(fault),
    }
}

/// What the core hears of a state that could not be read here: it puts the strictest posture in force.
pub(crate) const UNREADABLE_STATE: &[u8] = br#"{"restore_state""#;

/// Whether a mapping would restore a state; one that cannot be asked may.
pub(crate) fn restores(operation: &Bound<'_, PyAny>) -> bool {
    operation.cast::<PyMapping>().is_ok_and(|mapping| mapping.contains("restore_state").unwrap_or(true))
}

fn malformed<T>(fault: Fault) -> PyResult<Result<T, OperationError>> {
    let message = fault.into_request_error()?.to_string().replacen("the request", "the operation", 1);
    Ok(Err(OperationError::Malformed { message }))
}
