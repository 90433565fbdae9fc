//! `text.format(list)`: the clauses `%s`, `%d`, `%f`, `%e`, `%b`, `%o`, `%x`, `%X` and `%%`.

use std::fmt::Write as _;

use bumpalo::collections::String as ArenaString;

use crate::value::View;

use super::Cause;
use super::compare::{self, charge};
use super::compute::Memory;
use super::eval::Outcome;
use super::text::duration_text;

/// How deep the containers of an argument may nest.
const DEPTH_MAX: usize = 64;
/// The most digits behind the point that a clause may ask for.
const PRECISION_MAX: usize = 1_000;
/// Digits behind the point where the clause tells none.
const PRECISION: usize = 6;

/// The text that is being made. Its growth is asked for before it takes place.
struct Sink<'a> {
    text: ArenaString<'a>,
    memory: Memory<'a>,
    /// Why writing failed.
    cause: Cause,
}

impl std::fmt::Write for Sink<'_> {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        let room = self.text.capacity().saturating_sub(self.text.len());
        // A text that grows takes up to twice its length anew.
        let grown = if part.len() > room { self.text.len().saturating_add(part.len()).saturating_mul(2) } else { 0 };
        if let Err(cause) = self.memory.reserve(grown) {
            self.cause = cause;
            return Err(std::fmt::Error);
        }
        self.text.push_str(part);
        Ok(())
    }
}

impl Sink<'_> {
    fn write(&mut self, parts: std::fmt::Arguments<'_>) -> Result<(), Cause> {
        self.write_fmt(parts).map_err(|_| self.cause)
    }
}

/// The text with its clauses replaced by the elements of the list.
pub(super) fn formatted<'a>(format: &str, list: View<'a>, memory: Memory<'a>) -> Outcome<'a> {
    if !matches!(list, View::List(_) | View::Items(_)) {
        return Err(Cause::WrongType);
    }
    charge(memory.steps_left, compare::bytes_cost(format.len()))?;
    let mut sink = Sink { text: memory.text(format.len())?, memory, cause: Cause::Internal };
    let mut arguments = compare::elements(list);
    let mut rest = format;
    while let Some((before, clause)) = rest.split_once('%') {
        sink.write(format_args!("{before}"))?;
        charge(memory.steps_left, 1)?;
        if let Some(after) = clause.strip_prefix('%') {
            sink.write(format_args!("%"))?;
            rest = after;
            continue;
        }
        let (precision, clause) = precision(clause)?;
        let mut letters = clause.chars();
        let letter = letters.next().ok_or(Cause::InvalidArgument)?;
        rest = letters.as_str();
        if precision.is_some() && !matches!(letter, 'f' | 'e') {
            return Err(Cause::InvalidArgument);
        }
        let argument = arguments.next().ok_or(Cause::InvalidArgument)?;
        clause_text(letter, precision.unwrap_or(PRECISION), argument, &mut sink)?;
    }
    sink.write(format_args!("{rest}"))?;
    Ok(View::Str(sink.text.into_bump_str()))
}

/// The digits behind the point that `.N` at the start of a clause asks for, and the clause behind it.
fn precision(clause: &str) -> Result<(Option<usize>, &str), Cause> {
    let Some(digits) = clause.strip_prefix('.') else { return Ok((None, clause)) };
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, clause) = digits.split_at(count);
    let precision = digits.parse().ok().filter(|precision| *precision <= PRECISION_MAX);
    precision.map(|precision| (Some(precision), clause)).ok_or(Cause::InvalidArgument)
}

#[allow(clippy::cast_precision_loss, reason = "a whole number that no double has is written as the nearest one")]
fn clause_text(letter: char, precision: usize, argument: View<'_>, sink: &mut Sink<'_>) -> Result<(), Cause> {
    use View as V;
    let wrong = Err(Cause::WrongType);
    match (letter, argument) {
        ('s', value) => plain(value, DEPTH_MAX, sink),
        ('d', V::Int(value)) => sink.write(format_args!("{value}")),
        ('d', V::UInt(value)) => sink.write(format_args!("{value}")),
        ('d' | 'f' | 'e', V::Double(value)) if !value.is_finite() => not_finite(value, sink),
        ('f', V::Double(value)) => sink.write(format_args!("{value:.precision$}")),
        ('f', V::Int(value)) => sink.write(format_args!("{:.precision$}", value as f64)),
        ('f', V::UInt(value)) => sink.write(format_args!("{:.precision$}", value as f64)),
        ('e', V::Double(value)) => scientific(value, precision, sink),
        ('e', V::Int(value)) => scientific(value as f64, precision, sink),
        ('e', V::UInt(value)) => scientific(value as f64, precision, sink),
        ('b', V::Bool(value)) => sink.write(format_args!("{}", u8::from(value))),
        ('b' | 'o' | 'x' | 'X', V::Int(value)) => {
            // A sign, and not two's complement.
            let sign = if value < 0 { "-" } else { "" };
            sink.write(format_args!("{sign}"))?;
            digits(letter, value.unsigned_abs(), sink)
        }
        ('b' | 'o' | 'x' | 'X', V::UInt(value)) => digits(letter, value, sink),
        ('x' | 'X', V::Str(text)) => hex(letter, text.as_bytes(), sink),
        ('x' | 'X', V::Bytes(bytes)) => hex(letter, bytes, sink),
        ('d' | 'f' | 'e' | 'b' | 'o' | 'x' | 'X', _) => wrong,
        _ => Err(Cause::InvalidArgument),
    }
}

fn digits(letter: char, value: u64, sink: &mut Sink<'_>) -> Result<(), Cause> {
    match letter {
        'b' => sink.write(format_args!("{value:b}")),
        'o' => sink.write(format_args!("{value:o}")),
        'x' => sink.write(format_args!("{value:x}")),
        _ => sink.write(format_args!("{value:X}")),
    }
}

fn hex(letter: char, bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), Cause> {
    for byte in bytes {
        if letter == 'x' {
            sink.write(format_args!("{byte:02x}"))?;
        } else {
            sink.write(format_args!("{byte:02X}"))?;
        }
    }
    Ok(())
}

fn not_finite(value: f64, sink: &mut Sink<'_>) -> Result<(), Cause> {
    let word = if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    };
    sink.write(format_args!("{word}"))
}

/// One digit, a point, the others, and an exponent with a sign and two digits at least.
fn scientific(value: f64, precision: usize, sink: &mut Sink<'_>) -> Result<(), Cause> {
    let mut written = sink.memory.text(precision.saturating_add(16))?;
    write!(written, "{value:.precision$e}").map_err(|_| Cause::Internal)?;
    let (digits, exponent) = written.split_once('e').ok_or(Cause::Internal)?;
    let exponent: i32 = exponent.parse().map_err(|_| Cause::Internal)?;
    let sign = if exponent < 0 { '-' } else { '+' };
    sink.write(format_args!("{digits}e{sign}{:02}", exponent.unsigned_abs()))
}

/// `%s`: any value as text.
fn plain(value: View<'_>, depth: usize, sink: &mut Sink<'_>) -> Result<(), Cause> {
    use View as V;
    charge(sink.memory.steps_left, 1)?;
    let Some(depth) = depth.checked_sub(1) else { return Err(Cause::Limit) };
    match value {
        V::Null => sink.write(format_args!("null")),
        V::Bool(value) => sink.write(format_args!("{value}")),
        V::Int(value) => sink.write(format_args!("{value}")),
        V::UInt(value) => sink.write(format_args!("{value}")),
        V::Double(value) if value.is_finite() => sink.write(format_args!("{value}")),
        V::Double(value) => not_finite(value, sink),
        V::Str(text) => sink.write(format_args!("{text}")),
        V::Bytes(bytes) => bytes.utf8_chunks().try_for_each(|chunk| {
            let replaced = if chunk.invalid().is_empty() { "" } else { "\u{fffd}" };
            sink.write(format_args!("{}{replaced}", chunk.valid()))
        }),
        V::Timestamp(value) => sink.write(format_args!("{value}")),
        V::Duration(value) => duration_text(value, sink).map_err(|_| sink.cause),
        V::Ip(value) => sink.write(format_args!("{value}")),
        V::Cidr(value) => sink.write(format_args!("{}/{}", value.address(), value.prefix())),
        V::Type(name) => sink.write(format_args!("{name}")),
        V::List(_) | V::Items(_) => {
            sink.write(format_args!("["))?;
            for (index, element) in compare::elements(value).enumerate() {
                sink.write(format_args!("{}", if index == 0 { "" } else { ", " }))?;
                plain(element, depth, sink)?;
            }
            sink.write(format_args!("]"))
        }
        V::Map(_) | V::Fields(_) | V::Entries(_) => map(value, depth, sink),
    }
}

/// A map with its entries in the order of their keys' texts.
fn map(value: View<'_>, depth: usize, sink: &mut Sink<'_>) -> Result<(), Cause> {
    let memory = sink.memory;
    let mut entries = memory.vec(compare::length(value))?;
    for (key, value) in compare::entries(value) {
        let mut text = Sink { text: memory.text(16)?, memory, cause: Cause::Internal };
        plain(key, depth, &mut text)?;
        entries.push((text.text.into_bump_str(), value));
    }
    entries.sort_unstable_by_key(|(key, _): &(&str, View<'_>)| *key);
    sink.write(format_args!("{{"))?;
    for (index, (key, value)) in entries.iter().enumerate() {
        sink.write(format_args!("{}{key}: ", if index == 0 { "" } else { ", " }))?;
        plain(*value, depth, sink)?;
    }
    sink.write(format_args!("}}"))
}
