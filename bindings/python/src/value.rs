//! Python values as the engine's: the one place where a value of a request is made.
//!
//! A value is read once and copied, so that whatever another thread, or the value's own code, does to it afterwards
//! changes nothing. What has no exact counterpart is refused with its place and the repair; nothing is guessed. Depth,
//! count and size are bounded as for a request in JSON, and the bound on depth is also what ends a cycle.

use std::borrow::Cow;

use bumpalo::Bump;
use bumpalo::collections::Vec as ArenaVec;
use fallgate::error::quoted;
use fallgate::limits::Limits;
use fallgate::request::RequestError;
use fallgate::value::{Fields, Map, Value, View};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple};

use crate::special;

/// How much may be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Levels of lists and maps.
    pub(crate) depth: usize,
    /// Values, at every depth.
    pub(crate) values: usize,
    /// Bytes of text, names included.
    pub(crate) bytes: usize,
}

impl Bounds {
    /// What a request may hold.
    pub(crate) const fn of_request(limits: &Limits) -> Self {
        Self { depth: limits.request_depth_max, values: limits.request_values_max, bytes: limits.request_bytes_max }
    }

    /// What an operation may hold.
    pub(crate) const fn of_operation(limits: &Limits) -> Self {
        Self { bytes: limits.operation_bytes_max(), ..Self::of_request(limits) }
    }

    /// What the document of a pack or a drill may hold.
    pub(crate) const fn of_document(limits: &Limits) -> Self {
        const DEPTH: usize = 128;
        Self { depth: DEPTH, values: limits.bundle_bytes_max, bytes: limits.bundle_bytes_max }
    }
}

/// Why a value cannot be read.
#[derive(Debug)]
pub(crate) enum Fault {
    /// What is no mistake of the value and belongs to the caller: `KeyboardInterrupt`, `SystemExit` and their like.
    Interrupt(PyErr),
    /// A bound is exceeded.
    Limit { max: usize, unit: &'static str },
    /// A member of the request that is missing or of the wrong kind: worded as the core words it of JSON.
    Member { member: &'static str, expected: &'static str },
    /// A value that has no counterpart, the innermost step of its place first.
    Value { steps: Vec<Step>, problem: Cow<'static, str> },
}

/// One step of the way to a value.
#[derive(Debug)]
pub(crate) enum Step {
    Name(String),
    Item(usize),
}

impl Fault {
    pub(crate) fn new(problem: impl Into<Cow<'static, str>>) -> Self {
        Self::Value { steps: Vec::new(), problem: problem.into() }
    }

    /// The same, one step further out.
    pub(crate) fn within(mut self, name: &str) -> Self {
        if let Self::Value { steps, .. } = &mut self {
            steps.push(Step::Name(name.to_owned()));
        }
        self
    }

    fn item(mut self, number: usize) -> Self {
        if let Self::Value { steps, .. } = &mut self {
            steps.push(Step::Item(number));
        }
        self
    }

    /// The fault as the engine has it, for a request; or what has to go on to the caller.
    pub(crate) fn into_request_error(self) -> PyResult<RequestError> {
        match self {
            Self::Interrupt(error) => Err(error),
            Self::Limit { max, unit } => Ok(RequestError::Limit { max, unit }),
            Self::Member { member, expected } => Ok(RequestError::Member { member, expected }),
            Self::Value { steps, problem } => {
                Ok(RequestError::Value { place: quoted(&place(&steps)), problem: problem.into_owned() })
            }
        }
    }

    /// The fault in a document: where, as a JSON Pointer, and what.
    pub(crate) fn into_place(self) -> PyResult<(String, Cow<'static, str>)> {
        match self {
            Self::Interrupt(error) => Err(error),
            Self::Limit { max, unit } => Ok((String::new(), format!("more than the limit of {max} {unit}").into())),
            Self::Member { expected, .. } => Ok((String::new(), format!("must be {expected}").into())),
            Self::Value { steps, problem } => {
                let escape = |name: &str| name.replace('~', "~0").replace('/', "~1");
                let shown = steps.iter().rev().map(|step| match step {
                    Step::Name(name) => format!("/{}", escape(name)),
                    Step::Item(number) => format!("/{number}"),
                });
                Ok((shown.collect(), problem))
            }
        }
    }
}

/// An exception is a fault of the value that raised it. Its text is not repeated: it may hold a secret.
impl From<PyErr> for Fault {
    fn from(error: PyErr) -> Self {
        Python::attach(|py| {
            if !error.is_instance_of::<PyException>(py) {
                return Self::Interrupt(error);
            }
            let name = error.get_type(py).name().map_or_else(|_| "an exception".to_owned(), |name| name.to_string());
            Self::new(format!("raised {} when it was read", quoted(&name)))
        })
    }
}

fn place(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps.iter().rev() {
        match step {
            Step::Name(name) if text.is_empty() => text.push_str(name),
            Step::Name(name) => {
                text.push('.');
                text.push_str(name);
            }
            Step::Item(number) => text.push_str(&format!("[{number}]")),
        }
    }
    text
}

/// Names with their values, in an arena.
pub(crate) type Entries<'a> = ArenaVec<'a, (&'a str, View<'a>)>;

/// Reads values into an arena, and counts what it reads.
pub(crate) struct Reader<'a> {
    arena: &'a Bump,
    bounds: Bounds,
    values_left: usize,
    bytes_left: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(arena: &'a Bump, bounds: Bounds) -> Self {
        Self { arena, bounds, values_left: bounds.values, bytes_left: bounds.bytes }
    }

    pub(crate) const fn arena(&self) -> &'a Bump {
        self.arena
    }

    pub(crate) const fn depth(&self) -> usize {
        self.bounds.depth
    }

    /// Counts a value that is read.
    pub(crate) fn count(&mut self) -> Result<(), Fault> {
        match self.values_left.checked_sub(1) {
            Some(left) => self.values_left = left,
            None => return Err(Fault::Limit { max: self.bounds.values, unit: "values" }),
        }
        Ok(())
    }

    /// Refuses a container that holds more than may still be read, before anything of it is.
    pub(crate) fn admit(&self, len: usize) -> Result<(), Fault> {
        if len > self.values_left {
            return Err(Fault::Limit { max: self.bounds.values, unit: "values" });
        }
        Ok(())
    }

    /// A text, by the characters that it holds, whatever a subclass says of itself.
    pub(crate) fn text(&mut self, text: &Bound<'_, PyString>) -> Result<&'a str, Fault> {
        let text = text.to_str().map_err(|_| Fault::new("holds a lone surrogate, which is no text"))?;
        match self.bytes_left.checked_sub(text.len()) {
            Some(left) => self.bytes_left = left,
            None => return Err(Fault::Limit { max: self.bounds.bytes, unit: "bytes" }),
        }
        Ok(self.arena.alloc_str(text))
    }

    /// A value, `depth` levels of lists and maps at the most.
    pub(crate) fn value(&mut self, object: &Bound<'_, PyAny>, depth: usize) -> Result<View<'a>, Fault> {
        self.count()?;
        // By exact type first, which asks no foreign code anything.
        if let Ok(text) = object.cast_exact::<PyString>() {
            return self.text(text).map(View::Str);
        }
        if let Ok(value) = object.cast_exact::<PyBool>() {
            return Ok(View::Bool(value.is_true()));
        }
        if let Ok(number) = object.cast_exact::<PyInt>() {
            return whole(number);
        }
        if object.is_none() {
            return Ok(View::Null);
        }
        if let Ok(list) = object.cast_exact::<PyList>() {
            return self.list(list, depth);
        }
        if let Ok(dict) = object.cast_exact::<PyDict>() {
            let inner = self.inner(depth)?;
            return map(self.of_dict(dict, inner)?);
        }
        if let Ok(number) = object.cast_exact::<PyFloat>() {
            return double(number.value());
        }
        if let Ok(items) = object.cast::<PyTuple>() {
            return self.tuple(items, depth);
        }
        self.rarer(object, depth)
    }

    fn rarer(&mut self, object: &Bound<'_, PyAny>, depth: usize) -> Result<View<'a>, Fault> {
        if let Ok(text) = object.cast::<PyString>() {
            return self.text(text).map(View::Str);
        }
        if let Ok(number) = object.cast::<PyInt>() {
            return whole(number);
        }
        if let Ok(number) = object.cast::<PyFloat>() {
            return double(number.value());
        }
        if let Ok(list) = object.cast::<PyList>() {
            return self.list(list, depth);
        }
        if let Some(text) = special::text_of(object)? {
            return self.text(&text).map(View::Str);
        }
        let inner = self.inner(depth)?;
        if let Some(entries) = self.entries(object, inner)? {
            return map(entries);
        }
        let name = object.get_type().name()?;
        Err(Fault::new(format!("is of the type {}, which has no counterpart in JSON", quoted(&name.to_string_lossy()))))
    }

    fn inner(&self, depth: usize) -> Result<usize, Fault> {
        depth.checked_sub(1).ok_or(Fault::Limit { max: self.bounds.depth, unit: "levels" })
    }

    fn list(&mut self, list: &Bound<'_, PyList>, depth: usize) -> Result<View<'a>, Fault> {
        let depth = self.inner(depth)?;
        self.admit(list.len())?;
        let mut items = ArenaVec::with_capacity_in(list.len(), self.arena);
        // By number, for what an item's own code may do to the list meanwhile.
        while items.len() < list.len() {
            let number = items.len();
            let Ok(item) = list.get_item(number) else { break };
            items.push(self.value(&item, depth).map_err(|fault| fault.item(number))?);
        }
        Ok(View::Items(items.into_bump_slice()))
    }

    fn tuple(&mut self, tuple: &Bound<'_, PyTuple>, depth: usize) -> Result<View<'a>, Fault> {
        let depth = self.inner(depth)?;
        self.admit(tuple.len())?;
        let mut items = ArenaVec::with_capacity_in(tuple.len(), self.arena);
        for (number, item) in tuple.iter().enumerate() {
            items.push(self.value(&item, depth).map_err(|fault| fault.item(number))?);
        }
        Ok(View::Items(items.into_bump_slice()))
    }

    /// All that a dict, another mapping or a dataclass holds, in its order; nothing for what is none of these. The values
    /// may have `depth` levels.
    pub(crate) fn entries(&mut self, object: &Bound<'_, PyAny>, depth: usize) -> Result<Option<Entries<'a>>, Fault> {
        if let Ok(dict) = object.cast_exact::<PyDict>() {
            return self.of_dict(dict, depth).map(Some);
        }
        if let Ok(mapping) = object.cast::<PyMapping>() {
            return self.of_mapping(mapping, depth).map(Some);
        }
        match special::dataclass_fields(object)? {
            Some(fields) => self.of_dataclass(object, &fields, depth).map(Some),
            None => Ok(None),
        }
    }

    fn of_dict(&mut self, dict: &Bound<'_, PyDict>, depth: usize) -> Result<Entries<'a>, Fault> {
        self.admit(dict.len())?;
        // A list of the entries as they stand now: a dict must not change while it is iterated.
        let items = dict.items();
        let mut entries = ArenaVec::with_capacity_in(items.len(), self.arena);
        for item in items.iter() {
            let pair = item.cast::<PyTuple>().map_err(PyErr::from)?;
            let (key, value) = (pair.get_item(0)?, pair.get_item(1)?);
            entries.push(self.entry(&key, &value, depth)?);
        }
        Ok(entries)
    }

    fn of_mapping(&mut self, mapping: &Bound<'_, PyMapping>, depth: usize) -> Result<Entries<'a>, Fault> {
        self.admit(mapping.len()?)?;
        let mut entries = ArenaVec::new_in(self.arena);
        // One by one: each entry counts before the next is asked for, so that a mapping without an end ends too.
        for item in mapping.call_method0("items")?.try_iter()? {
            let item = item?;
            let pair = item.cast::<PyTuple>().ok().filter(|pair| pair.len() == 2);
            let pair = pair.ok_or_else(|| Fault::new("has `items()` that are no pairs"))?;
            let (key, value) = (pair.get_item(0)?, pair.get_item(1)?);
            entries.push(self.entry(&key, &value, depth)?);
        }
        Ok(entries)
    }

    fn of_dataclass(
        &mut self,
        object: &Bound<'_, PyAny>,
        fields: &[Bound<'_, PyString>],
        depth: usize,
    ) -> Result<Entries<'a>, Fault> {
        let mut entries = ArenaVec::with_capacity_in(fields.len(), self.arena);
        for field in fields {
            if let Some(value) = object.getattr_opt(field)? {
                entries.push(self.entry(field, &value, depth)?);
            }
        }
        Ok(entries)
    }

    fn entry(
        &mut self,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        depth: usize,
    ) -> Result<(&'a str, View<'a>), Fault> {
        let key = key.cast::<PyString>().map_err(|_| Fault::new("has a key that is no text"))?;
        let name = self.text(key)?;
        let value = self.value(value, depth).map_err(|fault| fault.within(name))?;
        Ok((name, value))
    }
}

fn whole<'a>(number: &Bound<'_, PyInt>) -> Result<View<'a>, Fault> {
    if let Ok(number) = number.extract::<i64>() {
        return Ok(View::Int(number));
    }
    let wide = number.extract::<u64>().map(View::UInt);
    wide.map_err(|_| Fault::new("is a whole number beyond 64 bits"))
}

fn double<'a>(number: f64) -> Result<View<'a>, Fault> {
    if number.is_finite() { Ok(View::Double(number)) } else { Err(Fault::new("is no finite number")) }
}

/// The entries as a map: each name stands there once, or it is none.
fn map(entries: Entries<'_>) -> Result<View<'_>, Fault> {
    let fields = Fields::new(entries.into_bump_slice_mut());
    fields.map(View::Fields).map_err(|_| Fault::new("has two keys of one text"))
}

/// A value that a [`Reader`] made, as one that stands by itself.
pub(crate) fn owned(view: View<'_>) -> Value {
    match view {
        View::Bool(value) => Value::Bool(value),
        View::Int(value) => Value::Int(value),
        View::UInt(value) => Value::UInt(value),
        View::Double(value) => Value::Double(value),
        View::Str(text) => Value::String(text.into()),
        View::Items(items) => Value::List(items.iter().map(|item| owned(*item)).collect()),
        View::Fields(fields) => {
            let entries = fields.entries().iter().map(|(name, value)| ((*name).into(), owned(*value)));
            // The names differ: that is what fields are.
            Value::Map(Map::from_entries(entries.collect()).unwrap_or_default())
        }
        // A reader makes no others.
        _ => Value::Null,
    }
}
