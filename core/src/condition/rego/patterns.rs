//! `regex.match` and `glob.match` with OPA's meaning of their patterns, in linear time (spec 1.10).
//!
//! OPA's patterns are Go's. Where the two dialects differ, the pattern is rewritten; where that is not certain, it fails.

use anyhow::{Result, bail};
use regex::{Regex, RegexBuilder};

/// Bytes that a compiled pattern may take.
const COMPILED_BYTES_MAX: usize = 1 << 18;
/// Go's bound on `{n}`.
const REPEAT_MAX: u32 = 1_000;

/// A regular expression in Go's dialect.
pub(super) fn regex(pattern: &str) -> Result<Regex> {
    compile(&from_go(pattern)?)
}

/// A glob whose single `*` and `?` stop at these delimiters.
pub(super) fn glob(pattern: &str, delimiters: &[char]) -> Result<Regex> {
    compile(&from_glob(pattern, delimiters)?)
}

fn compile(pattern: &str) -> Result<Regex> {
    let compiled = RegexBuilder::new(pattern).size_limit(COMPILED_BYTES_MAX).dfa_size_limit(COMPILED_BYTES_MAX).build();
    match compiled {
        Ok(regex) => Ok(regex),
        Err(_) => bail!("the pattern is not one, or too large"),
    }
}

/// The members of a class by its letter; lower case, as they stand between brackets. Go has them in ASCII only.
fn members(letter: char) -> Option<&'static str> {
    match letter {
        'd' => Some("0-9"),
        'w' => Some("0-9A-Za-z_"),
        's' => Some("\\t\\n\\x0C\\r "),
        _ => None,
    }
}

fn from_go(pattern: &str) -> Result<String> {
    let mut result = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    let mut repeated = false;
    while let Some(ch) = chars.next() {
        let was_repeated = std::mem::take(&mut repeated);
        match ch {
            '\\' => {
                let Some(letter) = chars.next() else { bail!("the pattern ends in a backslash") };
                match (letter, members(letter.to_ascii_lowercase())) {
                    (_, Some(members)) if letter.is_ascii_lowercase() && in_class => result.push_str(members),
                    (_, Some(members)) if letter.is_ascii_lowercase() => result.extend(["[", members, "]"]),
                    (_, Some(members)) => result.extend(["[^", members, "]"]),
                    ('b', _) if !in_class => result.push_str("(?-u:\\b)"),
                    ('A' | 'z', _) if !in_class => result.extend(['\\', letter]),
                    ('a' | 'f' | 'n' | 'r' | 't' | 'v' | 'x', _) => result.extend(['\\', letter]),
                    _ if letter.is_ascii_punctuation() => result.extend(['\\', letter]),
                    _ => bail!("the pattern has an escape whose meaning is not certain"),
                }
            }
            '[' if in_class => {
                if chars.peek() == Some(&':') {
                    result.push('[');
                    for inner in chars.by_ref() {
                        result.push(inner);
                        if inner == ']' {
                            break;
                        }
                    }
                } else {
                    result.push_str("\\[");
                }
            }
            ']' if in_class => {
                in_class = false;
                result.push(']');
            }
            '&' | '~' if in_class => result.extend(['\\', ch]),
            '-' if in_class && chars.peek() == Some(&'-') => bail!("the pattern has two dashes in a class"),
            _ if in_class => result.push(ch),
            '[' => {
                in_class = true;
                result.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    result.push('^');
                }
                if chars.next_if_eq(&']').is_some() {
                    result.push_str("\\]");
                }
            }
            '(' => {
                result.push('(');
                if chars.next_if_eq(&'?').is_some() {
                    result.push('?');
                    group(&mut chars, &mut result)?;
                }
            }
            '*' | '+' | '?' | '{' => {
                if was_repeated {
                    bail!("the pattern repeats what is repeated");
                }
                result.push(ch);
                if ch == '{' {
                    bounds(&mut chars, &mut result)?;
                }
                if chars.next_if_eq(&'?').is_some() {
                    result.push('?');
                }
                repeated = true;
            }
            _ => result.push(ch),
        }
    }
    Ok(result)
}

/// What follows `(?`: a name, or flags that both dialects have.
fn group(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, result: &mut String) -> Result<()> {
    let is_name = matches!(chars.peek(), Some('P' | '<'));
    for ch in chars.by_ref() {
        result.push(ch);
        match ch {
            ':' | ')' if !is_name => return Ok(()),
            '>' if is_name => return Ok(()),
            'i' | 'm' | 's' | 'U' | '-' if !is_name => {}
            _ if is_name && (ch.is_ascii_alphanumeric() || matches!(ch, '_' | '<')) => {}
            _ => break,
        }
    }
    bail!("the pattern has a group whose meaning is not certain")
}

/// What follows `{`: one or two numbers.
fn bounds(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, result: &mut String) -> Result<()> {
    let mut inner = String::new();
    for ch in chars.by_ref() {
        result.push(ch);
        if ch == '}' {
            let (least, most) = inner.split_once(',').unwrap_or((&inner, ""));
            let is_number = |part: &str| part.parse::<u32>().is_ok_and(|number| number <= REPEAT_MAX);
            if is_number(least) && (most.is_empty() || is_number(most)) {
                return Ok(());
            }
            break;
        }
        inner.push(ch);
    }
    bail!("the pattern has a brace that is no repetition")
}

fn from_glob(pattern: &str, delimiters: &[char]) -> Result<String> {
    let one = if delimiters.is_empty() {
        ".".to_owned()
    } else {
        let escaped: String = delimiters.iter().map(|ch| format!("\\x{{{:X}}}", u32::from(*ch))).collect();
        format!("[^{escaped}]")
    };
    let mut result = String::from("(?s)\\A");
    let mut chars = pattern.chars().peekable();
    while let Some(ch) = chars.next() {
        match ch {
            '*' if chars.next_if_eq(&'*').is_some() => {
                if chars.peek() == Some(&'*') {
                    bail!("the glob has three stars");
                }
                result.push_str(".*");
            }
            '*' => result.extend([&one, "*"]),
            '?' => result.push_str(&one),
            '\\' => match chars.next() {
                Some(next) => push_literal(next, &mut result),
                None => bail!("the glob ends in a backslash"),
            },
            '[' => {
                let inner: Vec<char> = chars.by_ref().take_while(|ch| *ch != ']').collect();
                let (not, inner) = match inner.as_slice() {
                    ['!', rest @ ..] => ("^", rest),
                    all => ("", all),
                };
                result.extend(["[", not]);
                match inner {
                    [low, '-', high] if low <= high => {
                        push_literal(*low, &mut result);
                        result.push('-');
                        push_literal(*high, &mut result);
                    }
                    list if !list.is_empty() && !list.iter().any(|ch| matches!(ch, '-' | '\\' | '[')) => {
                        list.iter().for_each(|ch| push_literal(*ch, &mut result));
                    }
                    _ => bail!("the glob has a class whose meaning is not certain"),
                }
                result.push(']');
            }
            '{' => {
                let inner: String = chars.by_ref().take_while(|ch| *ch != '}').collect();
                if inner.contains(['*', '?', '[', ']', '{', '\\']) || inner.split(',').any(str::is_empty) {
                    bail!("the glob has an alternative that is no plain text");
                }
                result.push_str("(?:");
                for ch in inner.chars() {
                    match ch {
                        ',' => result.push('|'),
                        _ => push_literal(ch, &mut result),
                    }
                }
                result.push(')');
            }
            ']' | '}' => bail!("the glob closes what is not open"),
            _ => push_literal(ch, &mut result),
        }
    }
    // A class or an alternative that is never closed.
    let closes = |open: char, close: char| pattern.matches(open).count() <= pattern.matches(close).count();
    if !closes('[', ']') || !closes('{', '}') {
        bail!("the glob leaves a bracket open");
    }
    result.push_str("\\z");
    Ok(result)
}

fn push_literal(ch: char, to: &mut String) {
    to.push_str(&format!("\\x{{{:X}}}", u32::from(ch)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        regex(pattern).unwrap().is_match(text)
    }

    #[test]
    fn classes_are_ascii_as_in_go() {
        assert!(matches(r"^\d+$", "12") && !matches(r"^\d+$", "\u{663}"));
        assert!(matches(r"^\w+$", "a_1") && !matches(r"^\w+$", "é"));
        assert!(matches(r"^[\w.-]+$", "a.b-c") && !matches(r"^[\w.-]+$", "é"));
        assert!(matches(r"^\S+$", "\u{a0}") && !matches(r"^\s$", "\u{b}"));
        assert!(matches(r"^[^\d]$", "\u{663}") && matches(r"^[\D]$", "\u{663}"));
        assert!(matches(r"a\b", "aé"));
    }

    #[test]
    fn a_class_has_no_operators() {
        assert!(matches("^[a-z&&[^b]]$", "a]") && matches("^[a&&b]$", "&"));
        assert!(matches("^[]a]$", "]") && matches("^[[:alpha:]]$", "b"));
        assert!(regex("[a--b]").is_err());
    }

    #[test]
    fn what_go_refuses_or_reads_otherwise_fails() {
        for pattern in
            ["a**", "a{2}{3}", "a{,3}", "a{1001}", "(?x)a b", "(?u)a", r"\u0041", r"\Qa", "(?R)a", r"\1", "("]
        {
            assert!(regex(pattern).is_err(), "{pattern}");
        }
        for pattern in ["(?i)abc", "(?:a|b)+?", "(?P<n>a)", r"\.", "a{2,}", "a{1,3}?", r"\x41"] {
            assert!(regex(pattern).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn stars_stop_at_delimiters() {
        let is_match =
            |pattern: &str, delimiters: &[char], text: &str| glob(pattern, delimiters).unwrap().is_match(text);
        assert!(is_match("*.github.com", &['.'], "api.github.com"));
        assert!(!is_match("*.github.com", &['.'], "api.cdn.github.com"));
        assert!(is_match("*hub.com", &[], "api.cdn.github.com"));
        assert!(is_match("a**", &['/'], "a/b/c") && !is_match("a*", &['/'], "a/b"));
        assert!(is_match("{cat,bat}s", &['.'], "bats") && !is_match("{cat,bat}s", &['.'], "rats"));
        assert!(is_match("[!a-c]at", &['.'], "dat") && !is_match("[!a-c]at", &['.'], "bat"));
        assert!(is_match(r"\*", &['.'], "*") && !is_match(r"\*", &['.'], "a"));
        for pattern in ["***", "[a", "{a", "a}", "{a,}", "{a,{b}}", "\\", "[z-a]"] {
            assert!(glob(pattern, &[]).is_err(), "{pattern}");
        }
    }
}
