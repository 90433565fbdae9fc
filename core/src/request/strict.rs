//! One JSON value with one meaning: how bytes become values.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

use super::RequestError;
use crate::error::quoted;
use crate::limits::Limits;
use crate::value::{Map, Value};

/// Reads one JSON value with one meaning: duplicate keys are refused, and depth, count and size are bounded.
///
/// # Errors
/// [`RequestError`], for bytes that are no such value or exceed a limit.
pub fn parse_strict(bytes: &[u8], limits: &Limits) -> Result<Value, RequestError> {
    if bytes.len() > limits.request_bytes_max {
        return Err(RequestError::Limit { max: limits.request_bytes_max, unit: "bytes" });
    }
    let fault = Cell::new(None);
    let values_left = Cell::new(limits.request_values_max);
    let seed = Strict { limits, depth_left: limits.request_depth_max, values_left: &values_left, fault: &fault };
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let parsed = seed.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    parsed.map_err(|error| fault.take().unwrap_or_else(|| RequestError::Syntax(syntax(&error))))
}

/// A syntax error without the input: where, and of which kind.
fn syntax(error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        _ => "it is malformed",
    };
    format!("{kind} at line {}, column {}", error.line(), error.column())
}

/// Builds a [`Value`] while it counts what it builds.
#[derive(Clone, Copy)]
struct Strict<'l> {
    limits: &'l Limits,
    depth_left: usize,
    values_left: &'l Cell<usize>,
    /// The fault behind a custom error, kept whole beside serde's text.
    fault: &'l Cell<Option<RequestError>>,
}

impl Strict<'_> {
    fn fail<T, E: serde::de::Error>(&self, fault: RequestError) -> Result<T, E> {
        let error = E::custom(&fault);
        self.fault.set(Some(fault));
        Err(error)
    }

    fn inner<E: serde::de::Error>(&self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left, ..*self }),
            None => self.fail(RequestError::Limit { max: self.limits.request_depth_max, unit: "levels" }),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.values_left.get().checked_sub(1) {
            Some(left) => self.values_left.set(left),
            None => return self.fail(RequestError::Limit { max: self.limits.request_values_max, unit: "values" }),
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::UInt(value), Value::Int))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        if value.is_finite() { Ok(Value::Double(value)) } else { Err(E::custom("a number beyond a double")) }
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut entries: Vec<(Box<str>, Value)> = Vec::new();
        while let Some(name) = members.next_key::<Box<str>>()? {
            entries.push((name, members.next_value_seed(inner)?));
        }
        match Map::from_entries(entries) {
            Ok(map) => Ok(Value::Map(map)),
            Err(twice) => self.fail(RequestError::DuplicateKey(quoted(&twice.0))).map_err(A::Error::custom::<A::Error>),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_cross_exactly() {
        let value =
            parse_strict(b"[9007199254740993, 18446744073709551615, -9223372036854775808, 0.5]", &Limits::DEFAULT);
        let expected =
            [Value::Int(9_007_199_254_740_993), Value::UInt(u64::MAX), Value::Int(i64::MIN), Value::Double(0.5)];
        assert_eq!(value, Ok(Value::List(expected.to_vec())));
    }
}
