//! Fallgate's Python face: the native module `fallgate._fallgate` behind the package in `python/`.
//!
//! In reading order: [`value`] makes a Python value into the engine's and bounds it, [`request`] reads the parts of a
//! request, [`wants`] says which attributes are worth reading, [`engine`] is the class that all calls go through,
//! [`decision`] what comes out. Nothing here decides: what cannot be read is handed to the core to be refused.

mod authzen;
mod batch;
mod clock;
mod command;
mod decision;
mod drill;
mod engine;
mod error;
mod event;
mod fork;
mod json;
mod operation;
mod request;
mod source;
mod special;
mod value;
mod wants;

use pyo3::prelude::*;

/// The native half of the package `fallgate`.
#[pymodule(gil_used = false)]
fn _fallgate(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<engine::PyEngine>()?;
    module.add_class::<engine::PyCounters>()?;
    module.add_class::<engine::PyBundle>()?;
    module.add_class::<decision::PyDecision>()?;
    module.add_class::<decision::PyObligation>()?;
    module.add_class::<error::PyDiagnostic>()?;
    module.add_class::<event::PyEvent>()?;
    module.add_class::<drill::PyDrillReport>()?;
    module.add_class::<drill::PyStepReport>()?;
    module.add_class::<clock::PyNow>()?;
    module.add_class::<authzen::PyAnswer>()?;
    module.add_function(wrap_pyfunction!(authzen::authzen_metadata, module)?)?;
    module.add_function(wrap_pyfunction!(command::_run_command, module)?)?;
    module.add_function(wrap_pyfunction!(fork::_before_fork, module)?)?;
    module.add_function(wrap_pyfunction!(fork::_after_fork, module)?)?;
    Ok(())
}
