//! The two clocks, as Python passes them.

use fallgate::time::{Monotonic, Wall};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// One reading of both clocks.
#[pyclass(frozen, eq, hash, module = "fallgate", name = "Now")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PyNow {
    /// Nanoseconds on the clock that every time to live is measured with, from an origin that the processes of a machine
    /// share until it restarts.
    #[pyo3(get)]
    pub(crate) monotonic_ns: u64,
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    #[pyo3(get)]
    wall_ns: i64,
}

#[pymethods]
impl PyNow {
    #[new]
    const fn new(monotonic_ns: u64, wall_ns: i64) -> Self {
        Self { monotonic_ns, wall_ns }
    }

    /// Reads both clocks.
    #[staticmethod]
    fn read() -> Self {
        Self::from(fallgate_clocks::now())
    }

    fn __getnewargs__(&self) -> (u64, i64) {
        (self.monotonic_ns, self.wall_ns)
    }

    fn __repr__(&self) -> String {
        format!("Now(monotonic_ns={}, wall_ns={})", self.monotonic_ns, self.wall_ns)
    }
}

impl From<fallgate::time::Now> for PyNow {
    fn from(now: fallgate::time::Now) -> Self {
        Self::new(now.monotonic.as_nanos(), now.wall.as_nanos())
    }
}

/// The argument `now`: a [`PyNow`] or a pair of whole numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At(fallgate::time::Now);

/// The time that was passed, or what the clocks of this machine say.
pub(crate) fn when(now: Option<At>) -> fallgate::time::Now {
    now.map_or_else(fallgate_clocks::now, |at| at.0)
}

impl<'a, 'py> FromPyObject<'a, 'py> for At {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let (monotonic, wall) = match object.cast::<PyNow>() {
            Ok(now) => (now.get().monotonic_ns, now.get().wall_ns),
            Err(_) => object.extract::<(u64, i64)>().map_err(|_| {
                PyTypeError::new_err("`now` must be a fallgate.Now, or a pair (monotonic_ns, wall_ns) of whole numbers")
            })?,
        };
        Ok(Self(fallgate::time::Now::new(Monotonic::from_nanos(monotonic), Wall::from_nanos(wall))))
    }
}
