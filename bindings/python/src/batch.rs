//! Many requests in one call: read with the interpreter's lock, decided without it.

use bumpalo::Bump;
use fallgate::request::{RequestError, RequestView};
use fallgate::time::Now;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyString};

use crate::decision::PyDecision;
use crate::engine::PyEngine;
use crate::fork::detached;
use crate::request::read_whole;
use crate::value::{Bounds, Fault, Reader};
use crate::wants::Wants;

/// How many requests are read before the lock is given up: enough to be worth it, and few enough to hold in memory.
const CHUNK: usize = 1_000;

/// One request of a chunk.
enum Item<'a> {
    Read(RequestView<'a>),
    Json(&'a [u8]),
    Refused(RequestError),
}

/// Decides each request, all at the same time `now`.
pub(crate) fn decide(engine: &PyEngine, requests: &Bound<'_, PyAny>, now: Now) -> PyResult<Vec<PyDecision>> {
    let mut decisions = Vec::new();
    let mut requests = requests.try_iter()?;
    loop {
        let chunk = requests.by_ref().take(CHUNK).collect::<PyResult<Vec<_>>>()?;
        if chunk.is_empty() {
            return Ok(decisions);
        }
        let wants = engine.wants.load_full();
        let mut decided = if wants.is_enough(|| engine.engine.readers_at(now)) {
            decide_chunk(engine, &chunk, &wants, now)?
        } else {
            // Another bundle has become active, or was staged: everything is enough for any.
            engine.learn(requests.py());
            decide_chunk(engine, &chunk, &Wants::default(), now)?
        };
        if decisions.is_empty() {
            // Mostly there is one chunk: what it gave is not copied.
            decisions = decided;
        } else {
            decisions.append(&mut decided);
        }
    }
}

fn decide_chunk(engine: &PyEngine, chunk: &[Bound<'_, PyAny>], wants: &Wants, now: Now) -> PyResult<Vec<PyDecision>> {
    let Some(first) = chunk.first() else { return Ok(Vec::new()) };
    let arena = Bump::new();
    let bounds = Bounds::of_request(&engine.limits);
    let items = chunk.iter().map(|request| item(request, &arena, bounds, wants)).collect::<PyResult<Vec<_>>>()?;
    let (items, engine) = (items.as_slice(), &engine.engine);
    let decide = || {
        let each = items.iter().map(|item| match item {
            Item::Read(view) => engine.decide_view(view, now),
            Item::Json(bytes) => engine.decide_json(bytes, now),
            Item::Refused(error) => engine.refuse(error, now),
        });
        each.map(PyDecision::from).collect()
    };
    Ok(detached(first.py(), decide))
}

/// A text and bytes that cannot change are decided on where they stand: the chunk holds them.
fn item<'a>(request: &'a Bound<'_, PyAny>, arena: &'a Bump, bounds: Bounds, wants: &'a Wants) -> PyResult<Item<'a>> {
    let held = |bytes: &'a [u8]| if bytes.len() > bounds.bytes { too_long(bounds) } else { Item::Json(bytes) };
    if let Ok(bytes) = request.cast::<PyBytes>() {
        return Ok(held(bytes.as_bytes()));
    }
    if let Ok(bytes) = request.cast::<PyByteArray>() {
        let bytes = bytes.to_vec();
        let copied = bytes.len() <= bounds.bytes;
        return Ok(if copied { Item::Json(arena.alloc_slice_copy(&bytes)) } else { too_long(bounds) });
    }
    let read = match request.cast::<PyString>() {
        Ok(text) => match text.to_str() {
            Ok(text) => return Ok(held(text.as_bytes())),
            Err(_) => Err(Fault::new("holds a lone surrogate, which is no text").within("text")),
        },
        Err(_) => read_whole(&mut Reader::new(arena, bounds), request, wants),
    };
    match read {
        Ok(view) => Ok(Item::Read(view)),
        Err(fault) => Ok(Item::Refused(fault.into_request_error()?)),
    }
}

fn too_long<'a>(bounds: Bounds) -> Item<'a> {
    Item::Refused(RequestError::Limit { max: bounds.bytes, unit: "bytes" })
}
