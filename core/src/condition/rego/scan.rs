//! The linear pre-scan: what a Rego text must keep to before the parser may see it (spec 1.10).
//!
//! The parser takes twice as long for each level of nested literals and knows no budget, so everything here is counted in
//! one pass, by bytes and tokens. The same pass finds what of the input the text may read.

use std::ops::Range;

use super::RegoReads;
use crate::limits::Limits;

/// Lines of one module. As many as the parser takes.
const LINES_MAX: usize = 20_000;
/// Characters of one line, tabs counted as four. As many as the parser takes.
const COLUMNS_MAX: usize = 1_024;
/// Operators, dots and brackets in one expression: each makes the syntax tree one level deeper.
const CHAIN_MAX: usize = 64;
/// What all openers of a module may cost the parser together, where an opener inside `n` others costs `2^n`.
const OPENER_COST_MAX: u64 = 500_000;

/// A mistake that the scan finds: the bytes it is at, what is wrong, and whether it is a limit that is exceeded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ScanError {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) is_limit: bool,
}

impl ScanError {
    fn limit(span: Range<usize>, message: String) -> Self {
        Self { span, message, is_limit: true }
    }

    fn syntax(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), is_limit: false }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    /// The text between the quotes, escapes as they stand.
    Text(&'a str),
    Number,
    Symbol(char),
}

/// Checks a module's text, and says what of the input it may read.
pub(super) fn scan(text: &str, limits: &Limits) -> Result<RegoReads, ScanError> {
    if text.len() > limits.rego_bytes_max {
        return Err(ScanError::limit(
            0..0,
            format!("the module has {} bytes; at most {} are taken", text.len(), limits.rego_bytes_max),
        ));
    }
    check_characters(text)?;
    let mut lexer = Lexer { text, at: 0 };
    let mut nesting = Nesting::new(limits);
    let mut input = InputUse::default();
    while let Some((token, span)) = lexer.next()? {
        nesting.take(token, span)?;
        input.take(token);
    }
    Ok(input.finish())
}

/// Refuses characters that hide text from a reader, and lines that the parser would refuse later and slower.
fn check_characters(text: &str) -> Result<(), ScanError> {
    let mut lines = 1_usize;
    let mut columns = 0_usize;
    let mut chars = text.char_indices().peekable();
    while let Some((at, ch)) = chars.next() {
        let span = at..at.saturating_add(ch.len_utf8());
        match ch {
            '\n' => {
                lines = lines.saturating_add(1);
                columns = 0;
                if lines > LINES_MAX {
                    return Err(ScanError::limit(
                        span,
                        format!("the module has more than {LINES_MAX} lines; split it"),
                    ));
                }
                continue;
            }
            '\r' if chars.peek().is_some_and(|(_, next)| *next == '\n') => continue,
            '\t' => columns = columns.saturating_add(4),
            _ if is_hidden(ch) => {
                let code = u32::from(ch);
                return Err(ScanError::syntax(
                    span,
                    format!("the character U+{code:04X} hides text from a reader; write it as an escape"),
                ));
            }
            _ => columns = columns.saturating_add(1),
        }
        if columns > COLUMNS_MAX {
            return Err(ScanError::limit(span, format!("the line is longer than {COLUMNS_MAX} columns; break it")));
        }
    }
    Ok(())
}

/// Control characters, byte order marks, and the characters that turn or hide the text around them.
fn is_hidden(ch: char) -> bool {
    ch.is_control()
        || matches!(ch, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Cuts a text into tokens as Rego does: comments and white space between them, nothing read twice.
struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or("")
    }

    fn advance(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    /// Moves past the characters that satisfy `keep`.
    fn skip_while(&mut self, keep: impl Fn(char) -> bool) {
        let rest = self.rest();
        let bytes = rest.find(|ch| !keep(ch)).unwrap_or(rest.len());
        self.advance(bytes);
    }

    fn next(&mut self) -> Result<Option<(Token<'a>, Range<usize>)>, ScanError> {
        loop {
            self.skip_while(char::is_whitespace);
            if !self.rest().starts_with('#') {
                break;
            }
            self.skip_while(|ch| ch != '\n');
        }
        let start = self.at;
        let Some(first) = self.rest().chars().next() else {
            return Ok(None);
        };
        let token = match first {
            '"' => self.quoted()?,
            '`' => {
                self.advance(1);
                let from = self.at;
                self.skip_while(|ch| ch != '`');
                if self.rest().is_empty() {
                    return Err(ScanError::syntax(start..from, "the raw string is never closed; add a backtick"));
                }
                let to = self.at;
                self.advance(1);
                Token::Text(self.slice(from, to))
            }
            '0'..='9' => {
                self.skip_while(|ch| ch.is_ascii_digit());
                Token::Number
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                self.skip_while(|ch| ch.is_ascii_alphanumeric() || ch == '_');
                Token::Word(self.slice(start, self.at))
            }
            symbol => {
                self.advance(symbol.len_utf8());
                Token::Symbol(symbol)
            }
        };
        Ok(Some((token, start..self.at)))
    }

    fn quoted(&mut self) -> Result<Token<'a>, ScanError> {
        let start = self.at;
        self.advance(1);
        let from = self.at;
        loop {
            self.skip_while(|ch| !matches!(ch, '"' | '\\' | '\n'));
            match self.rest().chars().next() {
                Some('"') => {
                    let to = self.at;
                    self.advance(1);
                    return Ok(Token::Text(self.slice(from, to)));
                }
                Some('\\') => {
                    self.advance(1);
                    let escaped = self.rest().chars().next().map_or(0, char::len_utf8);
                    self.advance(escaped);
                }
                _ => return Err(ScanError::syntax(start..from, "the string is never closed on its line; add a `\"`")),
            }
        }
    }
}

/// How deep the text nests, and how long its expressions chain.
struct Nesting {
    depth_max: usize,
    /// For each open bracket, the one that closes it and the chain outside it.
    open: Vec<(char, usize)>,
    chain: usize,
    cost: u64,
    after_operand: bool,
}

impl Nesting {
    fn new(limits: &Limits) -> Self {
        Self { depth_max: limits.rego_nesting_max.min(32), open: Vec::new(), chain: 0, cost: 0, after_operand: false }
    }

    fn take(&mut self, token: Token<'_>, span: Range<usize>) -> Result<(), ScanError> {
        let operand = match token {
            Token::Symbol(opener @ ('(' | '[' | '{')) => {
                let closer = match opener {
                    '(' => ')',
                    '[' => ']',
                    _ => '}',
                };
                if !self.after_operand || opener == '{' {
                    self.chain = 0;
                }
                self.lengthen(&span)?;
                self.open.push((closer, self.chain));
                if self.open.len() > self.depth_max {
                    return Err(ScanError::limit(
                        span,
                        format!(
                            "brackets nest deeper than {}; name the inner part as a rule of its own",
                            self.depth_max
                        ),
                    ));
                }
                let exponent = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
                self.cost = self.cost.saturating_add(1_u64.checked_shl(exponent).unwrap_or(u64::MAX));
                if self.cost > OPENER_COST_MAX {
                    return Err(ScanError::limit(
                        span,
                        "the module nests too much in all; split it, or move tables to data".into(),
                    ));
                }
                self.chain = 0;
                false
            }
            Token::Symbol(closer @ (')' | ']' | '}')) => {
                match self.open.pop() {
                    Some((expected, chain)) if expected == closer => self.chain = chain,
                    _ => return Err(ScanError::syntax(span, format!("`{closer}` closes nothing that is open here"))),
                }
                true
            }
            Token::Symbol(',' | ';' | ':') => {
                self.chain = 0;
                false
            }
            Token::Symbol(_) => {
                self.lengthen(&span)?;
                false
            }
            Token::Word(
                "in" | "not" | "if" | "with" | "as" | "some" | "every" | "else" | "contains" | "import" | "package",
            ) => {
                self.chain = 0;
                false
            }
            Token::Word(_) | Token::Text(_) | Token::Number => {
                if self.after_operand {
                    self.chain = 0;
                }
                true
            }
        };
        self.after_operand = operand;
        Ok(())
    }

    fn lengthen(&mut self, span: &Range<usize>) -> Result<(), ScanError> {
        self.chain = self.chain.saturating_add(1);
        if self.chain > CHAIN_MAX {
            return Err(ScanError::limit(
                span.clone(),
                format!(
                    "the expression chains more than {CHAIN_MAX} operators; name a part of it as a rule of its own"
                ),
            ));
        }
        Ok(())
    }
}

/// What of the input a text may read, from its tokens: what is not plainly one entry of `input` counts as all of it.
#[derive(Debug, Default)]
struct InputUse {
    reads: RegoReads,
    state: InputState,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum InputState {
    #[default]
    Elsewhere,
    AfterDot,
    AfterInput,
    AfterInputDot,
    AfterInputBracket,
}

impl InputUse {
    fn take(&mut self, token: Token<'_>) {
        if token == Token::Word("now_ns") {
            self.reads.reads_now = true;
        }
        use InputState::{AfterDot, AfterInput, AfterInputBracket, AfterInputDot, Elsewhere};
        self.state = match (self.state, token) {
            (AfterInput, Token::Symbol('.')) => AfterInputDot,
            (AfterInput, Token::Symbol('[')) => AfterInputBracket,
            (AfterInputDot, Token::Word(name)) | (AfterInputBracket, Token::Text(name)) => {
                self.entry(name);
                Elsewhere
            }
            (state, token) => {
                if matches!(state, AfterInput | AfterInputDot | AfterInputBracket) {
                    self.reads = RegoReads::ALL;
                }
                match token {
                    Token::Word("input") if state != AfterDot => AfterInput,
                    Token::Symbol('.') => AfterDot,
                    _ => Elsewhere,
                }
            }
        };
    }

    fn entry(&mut self, name: &str) {
        match name {
            "subject" | "action" | "resource" | "context" => {}
            "now" => self.reads.reads_now = true,
            "signals" => self.reads.reads_signals = true,
            _ => self.reads = RegoReads::ALL,
        }
    }

    fn finish(mut self) -> RegoReads {
        if !matches!(self.state, InputState::Elsewhere | InputState::AfterDot) {
            self.reads = RegoReads::ALL;
        }
        self.reads
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(text: &str) -> Result<RegoReads, ScanError> {
        scan(text, &Limits::DEFAULT)
    }

    #[test]
    fn nesting_is_bounded_outside_strings_and_comments() {
        assert!(scanned("x := [[[[[[[[1]]]]]]]]").is_ok());
        assert_eq!(scanned("x := [[[[[[[[[1]]]]]]]]]").unwrap_err().span, 13..14);
        assert!(scanned("x := \"[[[[[[[[[[\" # [[[[[[[[[[\ny := `[[[[[[[[[[`").is_ok());
        assert!(scanned("x := [)").is_err());
    }

    #[test]
    fn chains_are_bounded_whatever_lines_they_take() {
        let rules: String = (0..1_000).map(|n| format!("r{n} := input.resource.a.b + {n}\n")).collect();
        assert!(scanned(&rules).is_ok());
        assert!(scanned(&format!("x := 1{}", " +\n1".repeat(65))).unwrap_err().is_limit);
        assert!(scanned(&format!("x := a{}", "[0]".repeat(65))).unwrap_err().is_limit);
        assert!(scanned(&format!("x := a{}", ".b".repeat(65))).unwrap_err().is_limit);
    }

    #[test]
    fn characters_that_hide_text_are_refused() {
        for ch in ['\0', '\u{feff}', '\u{202e}', '\u{200b}', '\u{2066}', '\r', '\u{7f}', '\u{85}'] {
            assert!(scanned(&format!("package a # {ch} b")).is_err(), "{ch:?}");
        }
        assert!(scanned("package a\r\nx := 1\t# é").is_ok());
    }

    #[test]
    fn what_is_not_one_entry_of_the_input_is_all_of_it() {
        let none = RegoReads::default();
        let now = RegoReads { reads_now: true, reads_signals: false };
        let signals = RegoReads { reads_now: false, reads_signals: true };
        assert_eq!(scanned("x := input.subject.id"), Ok(none));
        assert_eq!(scanned("x := data.input\ny := input[\"context\"]"), Ok(none));
        assert_eq!(scanned("x := input.now"), Ok(now));
        assert_eq!(scanned("import input.signals as s"), Ok(signals));
        assert_eq!(scanned("x := input.subject\ny := input[\"now\"]"), Ok(now));
        for whole in ["x := input[k]", "x := input", "x := input[\"n\\u006fw\"]", "f(input)", "x := input[`other`]"] {
            assert_eq!(scanned(whole), Ok(RegoReads::ALL), "{whole}");
        }
    }
}
