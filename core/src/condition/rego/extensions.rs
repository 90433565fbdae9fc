//! Built-ins of our own in place of the evaluator's: those that need a cap on their result, and those that the evaluator
//! answers differently from OPA (spec 1.10).
//!
//! Where OPA's answer is not certain, the call fails: an error is indeterminate, another answer would decide.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::{Result, bail};
use regorus::unstable::{Expr, Ref, Source, Span};
use regorus::{Engine, Value};

use super::evaluate::to_json;
use super::{paths, patterns};
use crate::condition::text::parse_timestamp;

/// What one call may make: bytes of text.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// What one call may make: items of a list, or of its text taken apart.
const ITEMS_MAX: usize = 100_000;

/// One built-in: its name, how many arguments it takes, and what it gives.
type BuiltIn = (&'static str, u8, fn(&[Value]) -> Result<Value>);

/// The built-ins of this file. None takes the result as a last argument, as the evaluator's own do.
const BUILT_INS: &[BuiltIn] = &[
    ("array.concat", 2, array_concat),
    ("array.slice", 3, array_slice),
    ("base64.decode", 1, |arguments| decoded(text(arguments.first())?, true, b"+/")),
    ("base64.is_valid", 1, base64_is_valid),
    // Padded or not.
    ("base64url.decode", 1, |arguments| decoded(text(arguments.first())?, false, b"-_")),
    ("concat", 2, concat),
    ("count", 1, count),
    ("glob.match", 3, glob_match),
    ("hex.decode", 1, hex_decode),
    ("indexof", 2, |arguments| {
        let (text, sought) = two_texts(arguments)?;
        if sought.is_empty() {
            bail!("there is no empty text to find");
        }
        Ok(text.find(sought).map_or(Value::from(-1_i64), |at| characters(text.get(..at).unwrap_or(""))))
    }),
    ("json.filter", 2, paths::filter),
    // Any depth: what is ignored takes no stack.
    ("json.is_valid", 1, |arguments| {
        let read = serde_json::from_str::<serde::de::IgnoredAny>(text(arguments.first())?);
        Ok(Value::from(read.is_ok()))
    }),
    ("json.marshal", 1, json_marshal),
    ("json.remove", 2, paths::remove),
    ("json.unmarshal", 1, |arguments| match Value::from_json_str(text(arguments.first())?) {
        Ok(value) => Ok(value),
        Err(_) => bail!("the text is not JSON"),
    }),
    ("lower", 1, |arguments| mapped(text(arguments.first())?, char::to_lowercase)),
    ("net.cidr_contains", 2, cidr_contains),
    ("numbers.range", 2, numbers_range),
    ("regex.match", 2, |arguments| {
        let (pattern, text) = two_texts(arguments)?;
        Ok(Value::from(patterns::regex(pattern)?.is_match(text)))
    }),
    ("replace", 3, replace),
    ("sprintf", 2, sprintf),
    ("strings.count", 2, |arguments| {
        let (text, sought) = two_texts(arguments)?;
        Ok(Value::from(u64::try_from(text.matches(sought).count())?))
    }),
    ("substring", 3, substring),
    ("time.clock", 1, |arguments| {
        let time = utc(arguments.first())?.time();
        Ok(integers([time.hour(), time.minute(), time.second()]))
    }),
    ("time.date", 1, |arguments| {
        let date = utc(arguments.first())?.date();
        Ok(Value::from(vec![
            Value::from(i64::from(date.year())),
            Value::from(i64::from(date.month())),
            Value::from(i64::from(date.day())),
        ]))
    }),
    ("time.parse_rfc3339_ns", 1, parse_rfc3339_ns),
    ("time.weekday", 1, |arguments| {
        let names = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
        let day = utc(arguments.first())?.date().weekday().to_monday_zero_offset();
        match names.get(usize::try_from(day)?) {
            Some(name) => Ok(Value::from(*name)),
            None => bail!("there is no such day"),
        }
    }),
    ("to_number", 1, to_number),
    ("upper", 1, |arguments| mapped(text(arguments.first())?, char::to_uppercase)),
];

/// How many arguments a built-in of this file takes.
pub(super) fn arity(name: &str) -> Option<usize> {
    BUILT_INS.iter().find(|(known, ..)| *known == name).map(|(_, arity, _)| usize::from(*arity))
}

/// Gives those that are called to an engine, since each is copied for every evaluation; whether it took them all.
pub(super) fn add(engine: &mut Engine, is_called: impl Fn(&str) -> bool) -> bool {
    BUILT_INS.iter().filter(|(name, ..)| is_called(name)).all(|(name, arity, call)| {
        engine.add_extension((*name).into(), *arity, Box::new(move |arguments: Vec<Value>| call(&arguments))).is_ok()
    })
}

/// Built-ins that fail here where OPA's answer is not certain, and whose own of the evaluator is near enough to run by: a
/// message that is written a little otherwise is still a message.
const NEAR_ENOUGH: [&str; 5] = ["json.marshal", "lower", "regex.match", "sprintf", "upper"];

/// The same as OPA has them where errors of built-ins are not strict: undefined in place of an error.
pub(super) fn add_as_it_runs(engine: &mut Engine, is_called: impl Fn(&str) -> bool) -> bool {
    BUILT_INS.iter().filter(|(name, ..)| is_called(name)).all(|(name, arity, call)| {
        let lax = move |arguments: Vec<Value>| {
            let given = call(&arguments).or_else(|error| match NEAR_ENOUGH.contains(name) {
                true => evaluators_own(name, &arguments),
                false => Err(error),
            });
            Ok(given.unwrap_or(Value::Undefined))
        };
        engine.add_extension((*name).into(), *arity, Box::new(lax)).is_ok()
    })
}

/// What the evaluator's own built-in of that name gives.
fn evaluators_own(name: &str, arguments: &[Value]) -> Result<Value> {
    if name == "sprintf" && text(arguments.first())?.split(|ch: char| !ch.is_ascii_digit()).any(|width| width.len() > 3)
    {
        bail!("the width is too large");
    }
    let Some((built_in, _)) = regorus::unstable::BUILTINS.get(name) else { bail!("there is no such built-in") };
    // It wants places for its errors, which nobody reads.
    let source = Source::from_contents(name.to_owned(), String::new())?;
    let span = Span { source, line: 1, col: 1, start: 0, end: 0 };
    let nowhere = || Ref::new(Expr::Null { span: span.clone(), value: Value::Null, eidx: 0 });
    let parameters: Vec<Ref<Expr>> = arguments.iter().map(|_| nowhere()).collect();
    built_in(&span, &parameters, arguments, true)
}

fn text(value: Option<&Value>) -> Result<&str> {
    match value {
        Some(Value::String(text)) => Ok(text),
        _ => bail!("an argument is not a string"),
    }
}

fn two_texts(arguments: &[Value]) -> Result<(&str, &str)> {
    Ok((text(arguments.first())?, text(arguments.get(1))?))
}

fn integer(value: Option<&Value>) -> Result<i64> {
    match value {
        Some(Value::Number(number)) if number.is_integer() => match number.as_i64() {
            Some(number) => Ok(number),
            None => bail!("a number is beyond 64 bits"),
        },
        _ => bail!("an argument is not an integer"),
    }
}

fn integers(values: [i8; 3]) -> Value {
    Value::from(values.into_iter().map(|value| Value::from(i64::from(value))).collect::<Vec<_>>())
}

fn characters(text: &str) -> Value {
    Value::from(u64::try_from(text.chars().count()).unwrap_or(u64::MAX))
}

/// Fails where a text of so many bytes is too long.
fn fits(bytes: usize) -> Result<()> {
    if bytes > TEXT_BYTES_MAX {
        bail!("the text would have more than {TEXT_BYTES_MAX} bytes");
    }
    Ok(())
}

fn concat(arguments: &[Value]) -> Result<Value> {
    let delimiter = text(arguments.first())?;
    let parts: Vec<&str> = match arguments.get(1) {
        Some(Value::Array(items)) => items.iter().map(|item| text(Some(item))).collect::<Result<_>>()?,
        Some(Value::Set(items)) => items.iter().map(|item| text(Some(item))).collect::<Result<_>>()?,
        _ => bail!("the second argument is not a list or a set"),
    };
    let between = delimiter.len().saturating_mul(parts.len().saturating_sub(1));
    fits(parts.iter().fold(between, |bytes, part| bytes.saturating_add(part.len())))?;
    Ok(Value::from(parts.join(delimiter)))
}

fn array_concat(arguments: &[Value]) -> Result<Value> {
    match (arguments.first(), arguments.get(1)) {
        (Some(Value::Array(first)), Some(Value::Array(second))) => {
            if first.len().saturating_add(second.len()) > ITEMS_MAX {
                bail!("the list would have more than {ITEMS_MAX} items");
            }
            Ok(Value::from(first.iter().chain(second.iter()).cloned().collect::<Vec<_>>()))
        }
        _ => bail!("an argument is not a list"),
    }
}

fn array_slice(arguments: &[Value]) -> Result<Value> {
    let Some(Value::Array(items)) = arguments.first() else { bail!("the first argument is not a list") };
    let (start, stop) = (integer(arguments.get(1))?, integer(arguments.get(2))?);
    let start = usize::try_from(start).unwrap_or(0);
    let stop = usize::try_from(stop).unwrap_or(0);
    Ok(Value::from(items.iter().take(stop).skip(start).cloned().collect::<Vec<_>>()))
}

/// How many there are; of a text, characters.
fn count(arguments: &[Value]) -> Result<Value> {
    let count = match arguments.first() {
        Some(Value::Array(items)) => items.len(),
        Some(Value::Set(items)) => items.len(),
        Some(Value::Object(entries)) => entries.len(),
        Some(Value::String(text)) => text.chars().count(),
        _ => bail!("the argument is not a list, a set, an object or a string"),
    };
    Ok(Value::from(u64::try_from(count)?))
}

fn substring(arguments: &[Value]) -> Result<Value> {
    let text = text(arguments.first())?;
    let (offset, length) = (integer(arguments.get(1))?, integer(arguments.get(2))?);
    let Ok(offset) = usize::try_from(offset) else { bail!("the offset is negative") };
    let rest = text.chars().skip(offset);
    // A negative length is none.
    Ok(Value::from(match usize::try_from(length) {
        Ok(length) => rest.take(length).collect::<String>(),
        Err(_) => rest.collect(),
    }))
}

fn to_number(arguments: &[Value]) -> Result<Value> {
    match arguments.first() {
        Some(Value::Null | Value::Bool(false)) => Ok(Value::from(0_u64)),
        Some(Value::Bool(true)) => Ok(Value::from(1_u64)),
        Some(number @ Value::Number(_)) => Ok(number.clone()),
        Some(Value::String(text)) if !text.contains(char::is_whitespace) => match Value::from_json_str(text) {
            Ok(number @ Value::Number(_)) => Ok(number),
            _ => bail!("the text is not a number"),
        },
        _ => bail!("the argument is not a number or a text of one"),
    }
}

/// Text in base64. Bytes that are no UTF-8 fail, which a text of ours cannot hold.
fn decoded(text: &str, must_be_padded: bool, signs: &[u8; 2]) -> Result<Value> {
    let digits = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    let is_padded = text.len().is_multiple_of(4);
    if digits.len() % 4 == 1 || !is_padded && (must_be_padded || digits.len() != text.len()) {
        bail!("the text is not base64");
    }
    let mut bytes = Vec::with_capacity(digits.len());
    let (mut held, mut bits) = (0_u32, 0_u32);
    for byte in digits.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte.wrapping_sub(b'A'),
            b'a'..=b'z' => byte.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => byte.wrapping_sub(b'0').wrapping_add(52),
            _ if byte == signs[0] => 62,
            _ if byte == signs[1] => 63,
            _ => bail!("the text is not base64"),
        };
        held = (held << 6 | u32::from(digit)) & 0xffff;
        bits = bits.wrapping_add(6);
        if bits >= 8 {
            bits = bits.wrapping_sub(8);
            bytes.push(u8::try_from(held >> bits & 0xff)?);
        }
    }
    as_text(bytes)
}

fn hex_decode(arguments: &[Value]) -> Result<Value> {
    let mut bytes = Vec::new();
    let mut digits = text(arguments.first())?.chars();
    while let Some(high) = digits.next() {
        match (high.to_digit(16), digits.next().and_then(|low| low.to_digit(16))) {
            (Some(high), Some(low)) => bytes.push(u8::try_from(high << 4 | low)?),
            _ => bail!("the text is not hexadecimal"),
        }
    }
    as_text(bytes)
}

fn as_text(bytes: Vec<u8>) -> Result<Value> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Value::from(text)),
        Err(_) => bail!("the bytes are no text"),
    }
}

/// As Go has it: padded, and with any bits in what the last character leaves over. A line break fails, which Go skips.
fn base64_is_valid(arguments: &[Value]) -> Result<Value> {
    let text = text(arguments.first())?;
    if text.contains(['\r', '\n']) {
        bail!("the text has a line break");
    }
    let digits = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
    Ok(Value::from(are_digits && text.len().is_multiple_of(4) && digits.len() % 4 != 1))
}

/// Whether a glob matches; without delimiters (`[]`) the dot is one, and `null` is for none at all.
fn glob_match(arguments: &[Value]) -> Result<Value> {
    let (pattern, sought) = (text(arguments.first())?, text(arguments.get(2))?);
    let mut delimiters = Vec::new();
    match arguments.get(1) {
        Some(Value::Null) => {}
        Some(Value::Array(items)) => {
            for item in items.iter() {
                let mut chars = text(Some(item))?.chars();
                match (chars.next(), chars.next()) {
                    (Some(delimiter), None) => delimiters.push(delimiter),
                    _ => bail!("a delimiter is not one character"),
                }
            }
            if delimiters.is_empty() {
                delimiters.push('.');
            }
        }
        _ => bail!("the delimiters are not a list"),
    }
    Ok(Value::from(patterns::glob(pattern, &delimiters)?.is_match(sought)))
}

fn replace(arguments: &[Value]) -> Result<Value> {
    let (whole, old) = two_texts(arguments)?;
    let new = text(arguments.get(2))?;
    fits(whole.matches(old).count().saturating_mul(new.len()).saturating_add(whole.len()))?;
    Ok(Value::from(whole.replace(old, new)))
}

/// Letter by letter, as Go does it; where a letter becomes several, Go keeps to one, which only its tables say.
fn mapped<I: Iterator<Item = char>>(text: &str, map: fn(char) -> I) -> Result<Value> {
    let mut result = String::with_capacity(text.len());
    for ch in text.chars() {
        let mut to = map(ch);
        match (to.next(), to.next()) {
            (Some(one), None) => result.push(one),
            _ => bail!("a letter has no single counterpart in the other case"),
        }
    }
    Ok(Value::from(result))
}

fn numbers_range(arguments: &[Value]) -> Result<Value> {
    let (from, to) = (integer(arguments.first())?, integer(arguments.get(1))?);
    if usize::try_from(from.abs_diff(to)).map_or(true, |steps| steps >= ITEMS_MAX) {
        bail!("the range would have more than {ITEMS_MAX} items");
    }
    let items: Vec<Value> =
        if from <= to { (from..=to).map(Value::from).collect() } else { (to..=from).rev().map(Value::from).collect() };
    Ok(Value::from(items))
}

/// `sprintf` with the verbs `%s`, `%d` and `%v`. Where Go would write of a wrong type into the text, it fails.
fn sprintf(arguments: &[Value]) -> Result<Value> {
    let format = text(arguments.first())?;
    let Some(Value::Array(values)) = arguments.get(1) else { bail!("the second argument is not a list") };
    let mut values = values.iter();
    let mut result = String::new();
    let mut chars = format.chars();
    while let Some(ch) = chars.next() {
        if ch != '%' {
            result.push(ch);
            continue;
        }
        let verb = chars.next();
        if verb == Some('%') {
            result.push('%');
            continue;
        }
        match (verb, values.next()) {
            (Some('s' | 'v'), Some(Value::String(text))) => result.push_str(text),
            (Some('d' | 'v'), Some(number @ Value::Number(_))) if integer(Some(number)).is_ok() => {
                result.push_str(&integer(Some(number))?.to_string());
            }
            (Some('v'), Some(Value::Number(number))) => match number.as_f64() {
                // Beyond these, Go writes an exponent.
                Some(number) if (1e-4..1e21).contains(&number.abs()) && !number_is_whole(number) => {
                    result.push_str(&number.to_string());
                }
                _ => bail!("a number's text is not certain"),
            },
            (Some('s' | 'v'), Some(value)) if !matches!(value, Value::Number(_)) => write_term(value, &mut result)?,
            _ => bail!("a verb has no value of its kind"),
        }
        fits(result.len())?;
    }
    if values.next().is_some() {
        bail!("there are more values than verbs");
    }
    fits(result.len())?;
    Ok(Value::from(result))
}

fn number_is_whole(number: f64) -> bool {
    number.fract() == 0.0
}

/// A value as Rego text.
fn write_term(value: &Value, to: &mut String) -> Result<()> {
    let list = |items: &mut dyn Iterator<Item = &Value>, to: &mut String| -> Result<()> {
        for (index, item) in items.enumerate() {
            if index > 0 {
                to.push_str(", ");
            }
            write_term(item, to)?;
            fits(to.len())?;
        }
        Ok(())
    };
    match value {
        Value::Null => to.push_str("null"),
        Value::Bool(value) => to.push_str(if *value { "true" } else { "false" }),
        Value::Number(_) => to.push_str(&integer(Some(value))?.to_string()),
        Value::String(text) => {
            to.push('"');
            for ch in text.chars() {
                match ch {
                    '"' | '\\' => to.extend(['\\', ch]),
                    ' '..='~' => to.push(ch),
                    _ if ch.is_alphanumeric() => to.push(ch),
                    _ => bail!("a text's quoted form is not certain"),
                }
            }
            to.push('"');
        }
        Value::Array(items) => {
            to.push('[');
            list(&mut items.iter(), to)?;
            to.push(']');
        }
        Value::Set(items) if items.is_empty() => to.push_str("set()"),
        Value::Set(items) => {
            to.push('{');
            list(&mut items.iter(), to)?;
            to.push('}');
        }
        Value::Object(entries) => {
            to.push('{');
            let sorted: BTreeMap<&Value, &Value> = entries.iter().collect();
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    to.push_str(", ");
                }
                write_term(key, to)?;
                to.push_str(": ");
                write_term(value, to)?;
                fits(to.len())?;
            }
            to.push('}');
        }
        Value::Undefined => bail!("a value is undefined"),
    }
    Ok(())
}

/// JSON as Go writes it, with `<`, `>` and `&` as escapes. A number with a fraction fails: its text is not certain.
fn json_marshal(arguments: &[Value]) -> Result<Value> {
    let Some(value) = arguments.first() else { bail!("there is no argument") };
    if has_fraction(value) {
        bail!("a number's text is not certain");
    }
    let Some(json) = to_json(value) else { bail!("a number is beyond 64 bits") };
    let plain = json.to_string();
    fits(plain.len())?;
    let mut result = String::with_capacity(plain.len());
    for ch in plain.chars() {
        match ch {
            '<' => result.push_str("\\u003c"),
            '>' => result.push_str("\\u003e"),
            '&' => result.push_str("\\u0026"),
            '\u{2028}' => result.push_str("\\u2028"),
            '\u{2029}' => result.push_str("\\u2029"),
            _ => result.push(ch),
        }
    }
    Ok(Value::from(result))
}

fn has_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => !number.is_integer(),
        Value::Array(items) => items.iter().any(has_fraction),
        Value::Set(items) => items.iter().any(has_fraction),
        Value::Object(entries) => entries.iter().any(|(key, value)| has_fraction(key) || has_fraction(value)),
        _ => false,
    }
}

/// As Go reads it: capital letters, at most nanoseconds, no leap second.
fn parse_rfc3339_ns(arguments: &[Value]) -> Result<Value> {
    let text = text(arguments.first())?;
    let fraction = text.split_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
    if text.contains(['t', 'z']) || text.get(17..19) == Some("60") || fraction > 9 {
        bail!("the text is not a time as Go reads it");
    }
    match parse_timestamp(text).map(|at| i64::try_from(at.as_nanosecond())) {
        Some(Ok(nanos)) => Ok(Value::from(nanos)),
        _ => bail!("the text is not a time, or one that 64 bits of nanoseconds cannot hold"),
    }
}

/// The date and time at UTC of nanoseconds since 1970. With a zone, which would need a table, it fails.
fn utc(value: Option<&Value>) -> Result<jiff::civil::DateTime> {
    match jiff::Timestamp::from_nanosecond(i128::from(integer(value)?)) {
        Ok(at) => Ok(jiff::tz::Offset::UTC.to_datetime(at)),
        Err(_) => bail!("the time is out of range"),
    }
}

/// Whether a network holds an address or another network.
fn cidr_contains(arguments: &[Value]) -> Result<Value> {
    let (network, other) = two_texts(arguments)?;
    let (network, length) = cidr(network)?;
    let (other, other_length) = if other.contains('/') {
        cidr(other)?
    } else {
        let address = address(other)?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        (address, bits)
    };
    let is_inside = match (network, other) {
        (IpAddr::V4(network), IpAddr::V4(other)) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(length)).unwrap_or(0);
            network.to_bits() & mask == other.to_bits() & mask
        }
        (IpAddr::V6(network), IpAddr::V6(other)) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(length)).unwrap_or(0);
            network.to_bits() & mask == other.to_bits() & mask
        }
        _ => return Ok(Value::from(false)),
    };
    Ok(Value::from(is_inside && other_length >= length))
}

fn cidr(text: &str) -> Result<(IpAddr, u32)> {
    let Some((base, length)) = text.split_once('/') else { bail!("the text is not a network") };
    let base = address(base)?;
    let bits = if base.is_ipv4() { 32 } else { 128 };
    let is_plain = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    match length.parse::<u32>() {
        Ok(length) if is_plain && length <= bits => Ok((base, length)),
        _ => bail!("the text is not a network"),
    }
}

/// An address. One of version 4 in the clothes of version 6 fails: what it is inside of is a matter of opinion.
fn address(text: &str) -> Result<IpAddr> {
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => bail!("the address is a mapped one"),
        Ok(address) => Ok(address),
        Err(_) => bail!("the text is not an address"),
    }
}
