//! From a byte of a scalar's text to the byte of the file that it was written as.
//!
//! YAML writes one text in five ways, and folds lines, strips indentation and resolves escapes on the way. A condition
//! that spans lines still gets its caret where the author sees the mistake.

use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;

use crate::source::SourceFile;

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As it stands: a file that is one text.
    Verbatim,
    /// Plain YAML.
    Plain,
    /// In single quotes.
    SingleQuoted,
    /// In double quotes: YAML's, or JSON's, whose escapes YAML shares.
    DoubleQuoted,
    /// A literal block: `|`.
    Literal,
    /// A folded block: `>`.
    Folded,
}

/// The bytes of `file` that `within`, bytes of the text of the scalar at `span`, were written as.
#[must_use]
pub fn file_range(file: &SourceFile, span: Range<usize>, style: Style, within: &Range<usize>) -> Range<usize> {
    let raw = file.text().get(span.clone()).unwrap_or_default();
    let indent = file.line_column(span.start).1.saturating_sub(1);
    let leading_breaks = leading_breaks(file, span.start, style);
    let offsets = Offsets { indent, style, raw, skipped: leading_breaks };
    let start = offsets.find(within.start);
    // The end is the end of the last character, so that a range never swallows the break and the indentation after it.
    let end = match within.end > within.start {
        true => {
            let last = offsets.find(within.end.saturating_sub(1));
            last.saturating_add(raw.get(last..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8))
        }
        false => start,
    };
    span.start.saturating_add(start)..span.start.saturating_add(end.max(start))
}

/// How many line breaks a block scalar's text begins with: its span begins after them.
fn leading_breaks(file: &SourceFile, start: usize, style: Style) -> usize {
    if !matches!(style, Style::Literal | Style::Folded) {
        return 0;
    }
    let before = file.text().get(..start).unwrap_or_default();
    let blank_lines = before.rsplit('\n').skip(1).take_while(|line| line.trim().is_empty());
    blank_lines.count()
}

/// Walks a scalar as written and counts the bytes of the text that it stands for.
struct Offsets<'a> {
    indent: usize,
    style: Style,
    raw: &'a str,
    skipped: usize,
}

impl Offsets<'_> {
    /// The offset into `raw` of the text's byte `wanted`; the end where the text is shorter.
    fn find(&self, wanted: usize) -> usize {
        match self.style {
            Style::Verbatim => wanted.min(self.raw.len()),
            Style::Literal | Style::Folded => self.find_in_block(wanted),
            Style::Plain | Style::SingleQuoted | Style::DoubleQuoted => self.find_in_flow(wanted),
        }
    }

    fn find_in_block(&self, wanted: usize) -> usize {
        let mut text = self.skipped;
        if wanted < text {
            return 0;
        }
        let mut raw = self.raw.char_indices().peekable();
        let mut line_is_indented = starts_blank(self.raw);
        while let Some((at, character)) = raw.next() {
            let written = match character {
                '\r' if next_is(&mut raw, '\n') => 0,
                '\n' => {
                    let empty_lines = skip_indentation(&mut raw, self.indent);
                    let next_is_indented = raw.peek().is_some_and(|(_, next)| matches!(next, ' ' | '\t'));
                    let folds = self.style == Style::Folded && !line_is_indented && !next_is_indented;
                    line_is_indented = next_is_indented;
                    match folds {
                        true => empty_lines.max(1),
                        false => empty_lines.saturating_add(1),
                    }
                }
                other => other.len_utf8(),
            };
            if wanted < text.saturating_add(written) {
                return at;
            }
            text = text.saturating_add(written);
        }
        self.raw.len()
    }

    fn find_in_flow(&self, wanted: usize) -> usize {
        let quote = match self.style {
            Style::SingleQuoted => Some('\''),
            Style::DoubleQuoted => Some('"'),
            _ => None,
        };
        let mut text = 0_usize;
        let mut raw = self.raw.char_indices().peekable();
        if quote.is_some() {
            raw.next();
        }
        while let Some((at, character)) = raw.next() {
            let written = match character {
                '\'' if quote == Some('\'') && next_is(&mut raw, '\'') => {
                    raw.next();
                    1
                }
                _ if Some(character) == quote => return at,
                '\\' if quote == Some('"') => escape(&mut raw),
                ' ' | '\t' | '\r' | '\n' => white_space(character, &mut raw),
                other => other.len_utf8(),
            };
            if wanted < text.saturating_add(written) {
                return at;
            }
            text = text.saturating_add(written);
        }
        self.raw.len()
    }
}

type Raw<'a> = Peekable<CharIndices<'a>>;

fn next_is(raw: &mut Raw<'_>, wanted: char) -> bool {
    raw.peek().is_some_and(|(_, next)| *next == wanted)
}

fn starts_blank(text: &str) -> bool {
    text.starts_with([' ', '\t'])
}

/// Skips the indentation after a line break, and whole empty lines; returns how many of those there were.
fn skip_indentation(raw: &mut Raw<'_>, indent: usize) -> usize {
    let mut empty_lines = 0_usize;
    loop {
        let mut column = 0_usize;
        while column < indent && raw.next_if(|(_, next)| *next == ' ').is_some() {
            column = column.saturating_add(1);
        }
        let mut ahead = raw.clone();
        ahead.next_if(|(_, next)| *next == '\r');
        if ahead.next_if(|(_, next)| *next == '\n').is_none() {
            return empty_lines;
        }
        *raw = ahead;
        empty_lines = empty_lines.saturating_add(1);
    }
}

/// White space in a flow scalar: as it stands inside a line, folded around line breaks. Returns the bytes of text.
fn white_space(first: char, raw: &mut Raw<'_>) -> usize {
    let mut ahead = raw.clone();
    let mut breaks = usize::from(first == '\n');
    while let Some((_, next)) = ahead.next_if(|(_, next)| matches!(next, ' ' | '\t' | '\r' | '\n')) {
        breaks = breaks.saturating_add(usize::from(next == '\n'));
    }
    match breaks {
        0 => first.len_utf8(),
        1 => {
            *raw = ahead;
            1
        }
        several => {
            *raw = ahead;
            several.saturating_sub(1)
        }
    }
}

/// The rest of an escape in double quotes. Returns the bytes of text that it stands for.
fn escape(raw: &mut Raw<'_>) -> usize {
    let Some((_, kind)) = raw.next() else { return 0 };
    let digits = match kind {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        // An escaped line break is not text, nor is the indentation of the next line; but empty lines after it are.
        '\r' | '\n' => {
            if kind == '\r' {
                raw.next_if(|(_, next)| *next == '\n');
            }
            let mut empty_lines = 0_usize;
            while let Some((_, next)) = raw.next_if(|(_, next)| matches!(next, ' ' | '\t' | '\r' | '\n')) {
                empty_lines = empty_lines.saturating_add(usize::from(next == '\n'));
            }
            return empty_lines;
        }
        // Next line, no-break space, line and paragraph separator.
        'N' | '_' => return 2,
        'L' | 'P' => return 3,
        _ => return 1,
    };
    let code = hex(raw, digits);
    // JSON writes a character beyond the basic plane as two escapes.
    if (0xD800..0xDC00).contains(&code) {
        let mut ahead = raw.clone();
        if ahead.next_if(|(_, next)| *next == '\\').is_some() && ahead.next_if(|(_, next)| *next == 'u').is_some() {
            hex(&mut ahead, 4);
            *raw = ahead;
            return 4;
        }
    }
    char::from_u32(code).map_or(0, char::len_utf8)
}

fn hex(raw: &mut Raw<'_>, digits: usize) -> u32 {
    let mut code = 0_u32;
    for _ in 0..digits {
        let Some(digit) = raw.peek().and_then(|(_, next)| next.to_digit(16)) else { break };
        raw.next();
        code = code.wrapping_shl(4) | digit;
    }
    code
}
