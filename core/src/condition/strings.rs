//! The functions of CEL's strings extension, `format` excepted. Positions count characters, not bytes.

use crate::value::View;

use super::Cause;
use super::compare::{self, bytes_cost, charge};
use super::compute::Memory;
use super::eval::Outcome;
use super::functions::Function;

/// Calls one of them.
pub(super) fn call<'a>(function: Function, arguments: &[View<'a>], memory: Memory<'a>) -> Outcome<'a> {
    use Function as F;
    use View as V;
    if let (F::Join, [list, rest @ ..]) = (function, arguments) {
        let separator = match rest {
            [] => "",
            [V::Str(separator)] => separator,
            _ => return Err(Cause::WrongType),
        };
        return join(*list, separator, memory);
    }
    let [V::Str(text), rest @ ..] = arguments else { return Err(Cause::WrongType) };
    charge(memory.steps_left, bytes_cost(text.len()))?;
    match (function, rest) {
        (F::CharAt, [V::Int(at)]) => char_at(text, *at),
        (F::IndexOf | F::LastIndexOf, [V::Str(part), from @ ..]) => {
            let from = match from {
                [] => None,
                [V::Int(from)] => Some(*from),
                _ => return Err(Cause::WrongType),
            };
            index_of(function == F::LastIndexOf, text, part, from)
        }
        (F::Replace, [V::Str(from), V::Str(to), limit @ ..]) => replace(text, from, to, limit_of(limit)?, memory),
        (F::Split, [V::Str(separator), limit @ ..]) => split(text, separator, limit_of(limit)?, memory),
        (F::Substring, [V::Int(from)]) => position(text, *from).and_then(|at| part(text, at..text.len())),
        (F::Substring, [V::Int(from), V::Int(to)]) => {
            let (from, to) = (position(text, *from)?, position(text, *to)?);
            part(text, from..to)
        }
        (F::Trim, []) => Ok(V::Str(text.trim_matches(char::is_whitespace))),
        (F::Reverse, []) => {
            let mut reversed = memory.text(text.len())?;
            reversed.extend(text.chars().rev());
            Ok(V::Str(reversed.into_bump_str()))
        }
        (F::Quote, []) => quote(text, memory),
        _ => Err(Cause::WrongType),
    }
}

/// A limit: how many parts or replacements at most; nothing for all.
fn limit_of(limit: &[View<'_>]) -> Result<Option<usize>, Cause> {
    match limit {
        [] => Ok(None),
        // Less than none is all.
        [View::Int(limit)] => Ok(usize::try_from(*limit).ok()),
        _ => Err(Cause::WrongType),
    }
}

/// The byte at which a character stands; the length of the text is one such position.
fn position(text: &str, at: i64) -> Result<usize, Cause> {
    let at = usize::try_from(at).map_err(|_| Cause::InvalidArgument)?;
    text.char_indices().map(|(byte, _)| byte).chain([text.len()]).nth(at).ok_or(Cause::InvalidArgument)
}

fn part(text: &str, range: std::ops::Range<usize>) -> Outcome<'_> {
    text.get(range).map(View::Str).ok_or(Cause::InvalidArgument)
}

/// The character at a position, which may be the end of the text.
fn char_at(text: &str, at: i64) -> Outcome<'_> {
    let start = position(text, at)?;
    let rest = text.get(start..).ok_or(Cause::Internal)?;
    part(rest, 0..rest.chars().next().map_or(0, char::len_utf8))
}

/// Where `part` stands in `text` first, at or behind a position; or last, at or before it. -1 where it does not.
fn index_of<'a>(last: bool, text: &str, part: &str, from: Option<i64>) -> Outcome<'a> {
    let found = match (last, from) {
        (false, from) => {
            let start = from.map_or(Ok(0), |from| position(text, from))?;
            text.get(start..).and_then(|rest| rest.find(part)).map(|at| at.saturating_add(start))
        }
        (true, None) => text.rfind(part),
        (true, Some(from)) => {
            let start = position(text, from)?;
            let end = start.saturating_add(part.len()).min(text.len());
            // An end within a character lies behind every place where `part` may end before it.
            let end = (0..=end).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            text.get(..end).and_then(|head| head.rfind(part))
        }
    };
    let Some(found) = found else { return Ok(View::Int(-1)) };
    let characters = text.get(..found).map_or(0, |head| head.chars().count());
    i64::try_from(characters).map(View::Int).map_err(|_| Cause::Arithmetic)
}

fn replace<'a>(text: &str, from: &str, to: &str, limit: Option<usize>, memory: Memory<'a>) -> Outcome<'a> {
    let times = text.matches(from).take(limit.unwrap_or(usize::MAX)).count();
    let grown = times.saturating_mul(to.len());
    let mut made = memory.text(text.len().saturating_add(grown))?;
    let mut rest = 0;
    for (at, found) in text.match_indices(from).take(times) {
        made.push_str(text.get(rest..at).unwrap_or_default());
        made.push_str(to);
        rest = at.saturating_add(found.len());
    }
    made.push_str(text.get(rest..).unwrap_or_default());
    Ok(View::Str(made.into_bump_str()))
}

/// The parts between separators; between characters where the separator is empty.
fn split<'a>(text: &'a str, separator: &str, limit: Option<usize>, memory: Memory<'a>) -> Outcome<'a> {
    let limit = limit.unwrap_or(usize::MAX);
    let separated =
        |at: usize, found: &str| !separator.is_empty() || (at != 0 && at.saturating_add(found.len()) != text.len());
    let cuts =
        || text.match_indices(separator).filter(|(at, found)| separated(*at, found)).take(limit.saturating_sub(1));
    if limit == 0 || (separator.is_empty() && text.is_empty()) {
        return Ok(View::Items(&[]));
    }
    let mut parts = memory.vec(cuts().count().saturating_add(1))?;
    let mut rest = 0;
    for (at, found) in cuts() {
        charge(memory.steps_left, 1)?;
        parts.push(View::Str(text.get(rest..at).unwrap_or_default()));
        rest = at.saturating_add(found.len());
    }
    parts.push(View::Str(text.get(rest..).unwrap_or_default()));
    Ok(View::Items(parts.into_bump_slice()))
}

fn join<'a>(list: View<'a>, separator: &str, memory: Memory<'a>) -> Outcome<'a> {
    if !matches!(list, View::List(_) | View::Items(_)) {
        return Err(Cause::WrongType);
    }
    let mut bytes = separator.len().saturating_mul(compare::length(list).saturating_sub(1));
    for element in compare::elements(list) {
        charge(memory.steps_left, 1)?;
        let View::Str(element) = element else { return Err(Cause::WrongType) };
        bytes = bytes.saturating_add(element.len());
    }
    let mut joined = memory.text(bytes)?;
    for (index, element) in compare::elements(list).enumerate() {
        if index > 0 {
            joined.push_str(separator);
        }
        if let View::Str(element) = element {
            joined.push_str(element);
        }
    }
    Ok(View::Str(joined.into_bump_str()))
}

/// The text as a literal of CEL, in double quotes.
fn quote<'a>(text: &str, memory: Memory<'a>) -> Outcome<'a> {
    let mut quoted = memory.text(text.len().saturating_mul(2).saturating_add(2))?;
    quoted.push('"');
    for character in text.chars() {
        let escape = match character {
            '\u{7}' => "\\a",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{b}' => "\\v",
            '\\' => "\\\\",
            '"' => "\\\"",
            other => {
                quoted.push(other);
                continue;
            }
        };
        quoted.push_str(escape);
    }
    quoted.push('"');
    Ok(View::Str(quoted.into_bump_str()))
}
