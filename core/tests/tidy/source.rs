//! Rust text as tidy reads it: code without comments and literals, and the paths that it names.

/// The same text with every comment, string and character literal blanked; lines stay where they are.
pub(crate) fn code_only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let mut out = String::with_capacity(text.len());
    let mut next = 0;
    while next < chars.len() {
        let end = match at(next) {
            '/' if at(next + 1) == '/' => line_end(&chars, next),
            '/' if at(next + 1) == '*' => block_end(&chars, next),
            '"' => string_end(&chars, next),
            'r' | 'b' | 'c' if !is_word(out.chars().last()) => prefixed_end(&chars, next),
            // A character literal, as against a lifetime.
            '\'' if at(next + 1) == '\\' || at(next + 2) == '\'' => char_end(&chars, next),
            _ => next,
        };
        if end == next {
            out.push(at(next));
            next += 1;
        } else {
            out.extend(chars[next..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            next = end;
        }
    }
    out
}

fn is_word(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

fn line_end(chars: &[char], start: usize) -> usize {
    (start..chars.len()).find(|&i| chars[i] == '\n').unwrap_or(chars.len())
}

fn block_end(chars: &[char], start: usize) -> usize {
    let (mut depth, mut i) = (0, start);
    while i + 1 < chars.len() {
        match (chars[i], chars[i + 1]) {
            ('/', '*') => (depth, i) = (depth + 1, i + 2),
            ('*', '/') => {
                (depth, i) = (depth - 1, i + 2);
                if depth == 0 {
                    return i;
                }
            }
            _ => i += 1,
        }
    }
    chars.len()
}

/// The end of a literal with escapes that starts with its quote.
fn string_end(chars: &[char], start: usize) -> usize {
    let mut i = start + 1;
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 2,
            c if c == chars[start] => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

fn char_end(chars: &[char], start: usize) -> usize {
    string_end(chars, start)
}

/// The end of a literal with a prefix (`b""`, `r#""#`, `b''` …), or `start` where none begins here.
fn prefixed_end(chars: &[char], start: usize) -> usize {
    let mut i = start;
    while i < chars.len() && matches!(chars[i], 'r' | 'b' | 'c') && i < start + 2 {
        i += 1;
    }
    let raw = chars[start..i].contains(&'r');
    let quote = (i..chars.len()).find(|&j| chars[j] != '#').unwrap_or(chars.len());
    let hashes = quote - i;
    match chars.get(quote) {
        Some('"') if raw => {
            let closes =
                |j: usize| chars[j] == '"' && chars[j + 1..].iter().take_while(|&&c| c == '#').count() >= hashes;
            (quote + 1..chars.len()).find(|&j| closes(j)).map_or(chars.len(), |j| j + 1 + hashes)
        }
        Some('"' | '\'') if hashes == 0 && !raw => string_end(chars, quote),
        _ => start,
    }
}

/// Code without its unit tests: every item under `#[cfg(test)]` blanked, as [`code_only`] leaves it.
pub(crate) fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    while let Some(start) = out.find("#[cfg(test)]") {
        let body = out[start..].find(['{', ';']).map_or(out.len(), |i| start + i);
        let mut depth = 0;
        let end = out[body..]
            .char_indices()
            .find(|&(_, c)| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                depth == 0
            })
            .map_or(out.len(), |(i, c)| body + i + c.len_utf8());
        let blank: String = out[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        out.replace_range(start..end, &blank);
    }
    out
}

/// One word or sign of the code, and its line, counted from 1.
pub(crate) struct Token {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// The tokens of [`code_only`] text: identifiers whole, lifetimes with their tick, `::` as one sign.
pub(crate) fn tokens(code: &str) -> Vec<Token> {
    let mut found: Vec<Token> = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let word = |skip: usize| rest[skip..].find(|c| !is_word(Some(c))).map_or(rest.len(), |i| i + skip);
            let length = match first {
                ':' if rest.starts_with("::") => 2,
                '\'' => word(1),
                c if is_word(Some(c)) => word(0),
                c => c.len_utf8(),
            };
            found.push(Token { line: number + 1, text: rest[..length].to_owned() });
            rest = rest[length..].trim_start();
        }
    }
    found
}

/// A path that the code names, such as `std::fs::read`, and its line. A group is spread out: `a::{b, c}` is two.
pub(crate) struct NamedPath {
    pub(crate) line: usize,
    pub(crate) parts: Vec<String>,
}

impl NamedPath {
    pub(crate) fn starts_with(&self, prefix: &str) -> bool {
        let mut parts = self.parts.iter();
        prefix.split("::").all(|part| parts.next().is_some_and(|own| own == part))
    }
}

/// Every path of the code.
pub(crate) fn paths(code: &str) -> Vec<NamedPath> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut next = 0;
    while next < tokens.len() {
        if is_word(tokens[next].text.chars().next()) {
            next = path_at(&tokens, next, &[], &mut found);
        } else {
            next += 1;
        }
    }
    found
}

/// Reads the path (or its group) that starts at a word; returns where the text goes on.
fn path_at(tokens: &[Token], start: usize, prefix: &[String], found: &mut Vec<NamedPath>) -> usize {
    let mut parts = prefix.to_vec();
    let mut next = start;
    let text = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
    loop {
        parts.push(text(next).to_owned());
        next += 1;
        if text(next) != "::" {
            break;
        }
        next += 1;
        if text(next) == "{" {
            next += 1;
            while next < tokens.len() && text(next) != "}" {
                if text(next) == "*" || is_word(text(next).chars().next()) {
                    next = path_at(tokens, next, &parts, found);
                } else {
                    next += 1;
                }
            }
            return next + 1;
        }
        if text(next) != "*" && !is_word(text(next).chars().next()) {
            break;
        }
    }
    if parts.last().is_some_and(|last| last == "self") && parts.len() > 1 {
        parts.pop();
    }
    found.push(NamedPath { line: tokens[start].line, parts });
    next
}

/// Code that is not finished, or a test that is not run.
pub(crate) fn unfinished(path: &str, text: &str) -> Vec<String> {
    // Put together here, so that this file does not find itself.
    let marks = [concat!("FIX", "ME"), concat!("TO", "DO")];
    let mut findings: Vec<String> = text
        .lines()
        .zip(1..)
        .flat_map(|(line, number)| {
            marks.iter().filter(|mark| line.contains(**mark)).map(move |mark| {
                format!("{path}:{number}: `{mark}`; finish it, or open an issue and take the note out")
            })
        })
        .collect();
    let tokens = tokens(&code_only(text));
    for three in tokens.windows(3) {
        let [a, b, c] = [0, 1, 2].map(|i| three[i].text.as_str());
        if matches!(a, "todo" | "unimplemented") && b == "!" {
            findings.push(format!("{path}:{}: `{a}!`; write the code", three[0].line));
        }
        if a == "#" && b == "[" && c == "ignore" {
            findings.push(format!("{path}:{}: `#[ignore]`; a test that is not run is not a test", three[0].line));
        }
    }
    findings
}

/// A module without the documentation that says what it is.
pub(crate) fn undocumented(path: &str, text: &str) -> Vec<String> {
    match text.lines().next() {
        Some(line) if line.starts_with("//! ") => Vec::new(),
        _ => vec![format!("{path}:1: no `//!` on the first line; say what the module is, then why")],
    }
}

#[test]
fn comments_and_literals_are_not_code() {
    let text = "a /* b /* c */ d */ e // f\n\"g \\\" h\" r#\"i \" j\"# b'k' 'l' '\\'' 'm n: &'static str";
    let code = code_only(text);
    assert_eq!(code.lines().count(), 2);
    assert_eq!(code.split_whitespace().collect::<Vec<_>>(), ["a", "e", "'m", "n:", "&'static", "str"]);
}

#[test]
fn unit_tests_are_taken_out() {
    let code = "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { c } }\nfn d() {}\n#[cfg(test)]\nmod more;\nfn e() {}";
    let words: Vec<String> = tokens(&without_tests(code)).into_iter().map(|token| token.text).collect();
    assert_eq!(words.concat(), "fna(){}fnd(){}fne(){}");
}

#[test]
fn groups_are_spread_out() {
    let code = "use std::{fs::{self, File}, io as i};\nlet x = a::b::<C>(crate::d);\nuse q::*;";
    let found: Vec<_> = paths(code).iter().map(|path| (path.line, path.parts.join("::"))).collect();
    for expected in ["std::fs", "std::fs::File", "std::io", "a::b", "crate::d", "q::*"] {
        assert!(found.iter().any(|(_, path)| path == expected), "`{expected}` is not in {found:?}");
    }
    assert!(found.contains(&(2, "crate::d".to_owned())));
}

#[test]
fn unfinished_code_is_found() {
    let text =
        "fn a() { todo!() }\n// FIX\u{4d}E later\n#[ignore = \"slow\"]\nfn b() { \"todo!()\"; unimplemented!() }";
    let found = unfinished("x.rs", text);
    assert_eq!(found.len(), 4, "{found:?}");
    for start in ["x.rs:1: `todo!`", "x.rs:2: ", "x.rs:3: `#[ignore]`", "x.rs:4: `unimplemented!`"] {
        assert!(found.iter().any(|finding| finding.starts_with(start)), "`{start}` is not in {found:?}");
    }
}

#[test]
fn a_module_without_its_story_is_found() {
    assert_eq!(undocumented("x.rs", "use a;\n//! late").len(), 1);
    assert_eq!(undocumented("x.rs", "").len(), 1);
    assert!(undocumented("x.rs", "//! What it is.").is_empty());
}
