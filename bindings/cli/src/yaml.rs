//! YAML 1.2, core schema, as strictly as a policy deserves: a text has one meaning, or is refused.
//!
//! Refused are duplicate keys, tags, merge keys, keys that are not text, numbers that do not fit, several documents, and
//! aliases that contain themselves or unfold without bound.

use std::collections::HashMap;

use fallgate::error::{Code, quoted};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput};
use serde_json::{Map, Number, Value};

use crate::budget::{Budget, DEPTH_MAX, Weight};
use crate::finding::Finding;
use crate::scalar::Style;
use crate::source::{Content, FileId, Node, Span};

/// A value, where it was written, and what copying it would cost.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The value.
    pub value: Value,
    /// Where it and everything inside it was written.
    pub node: Node,
    /// What it costs to copy.
    pub weight: Weight,
}

/// Reads the one document of a YAML file. An empty file is null.
///
/// # Errors
///
/// The first mistake, with its place.
pub fn parse(text: &str, file: FileId, budget: &mut Budget) -> Result<Parsed, Finding> {
    refuse_control_characters(text, file)?;
    let mut composer = Composer {
        file,
        budget,
        offsets: ByteOffsets::new(text),
        open: Vec::new(),
        anchors: HashMap::new(),
        document: None,
        documents: 0,
    };
    let mut parser: Parser<'_, StrInput<'_>> = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => {
                let span = composer.span(span);
                composer.take(event, span)?;
            }
            Err(error) => return Err(composer.syntax(text, &error)),
        }
    }
    Ok(composer.document.unwrap_or_else(|| null_at(Span::new(file, 0..0))))
}

fn null_at(span: Span) -> Parsed {
    let node = Node { key: None, value: span, content: Content::Scalar(Style::Plain) };
    Parsed { value: Value::Null, node, weight: Weight::scalar(0) }
}

/// YAML admits only printable characters; some parsers end the text at a NUL, and with it the policy.
fn refuse_control_characters(text: &str, file: FileId) -> Result<(), Finding> {
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let refused = match character {
            '\t' | '\n' | '\u{85}' => false,
            '\r' => characters.peek().is_none_or(|(_, next)| *next != '\n'),
            '\u{FFFE}' | '\u{FFFF}' => true,
            other => other.is_control(),
        };
        if refused {
            let place = Span::new(file, at..at.saturating_add(character.len_utf8()));
            let message = format!("character U+{:04X} is not allowed in YAML", u32::from(character));
            let help = match character {
                '\r' => "end lines with a line feed, with or without a carriage return before it",
                _ => "write it as an escape in double quotes, such as \"\\u0007\"",
            };
            return Err(Finding::error(Code::Syntax, message).at(place).help(help));
        }
    }
    Ok(())
}

/// From the parser's positions, counted in characters, to bytes.
struct ByteOffsets<'a> {
    /// The byte offset of every character whose number is a multiple of [`Self::STEP`]; none where all are ASCII.
    every_step: Vec<usize>,
    text: &'a str,
}

impl<'a> ByteOffsets<'a> {
    const STEP: usize = 64;

    fn new(text: &'a str) -> Self {
        let every_step = match text.is_ascii() {
            true => Vec::new(),
            false => text.char_indices().step_by(Self::STEP).map(|(at, _)| at).collect(),
        };
        Self { every_step, text }
    }

    fn byte(&self, characters: usize) -> usize {
        if self.every_step.is_empty() {
            return characters;
        }
        let (step, rest) = (characters / Self::STEP, characters % Self::STEP);
        let Some(base) = self.every_step.get(step).copied() else { return self.text.len() };
        let after = self.text.get(base..).unwrap_or_default();
        base.saturating_add(after.char_indices().nth(rest).map_or(after.len(), |(at, _)| at))
    }
}

/// A map or a list whose end has not come yet.
struct Open {
    start: Span,
    anchor: usize,
    weight: Weight,
    members: Members,
}

enum Members {
    List(Vec<Value>, Vec<Node>),
    Map { values: Map<String, Value>, nodes: Vec<(Box<str>, Node)>, key: Option<(String, Span)> },
}

/// Makes the document out of the parser's events, without recursion.
struct Composer<'a> {
    file: FileId,
    budget: &'a mut Budget,
    offsets: ByteOffsets<'a>,
    open: Vec<Open>,
    anchors: HashMap<usize, Parsed>,
    document: Option<Parsed>,
    documents: usize,
}

impl Composer<'_> {
    fn span(&self, span: saphyr_parser::Span) -> Span {
        Span::new(self.file, self.byte(span.start)..self.byte(span.end))
    }

    fn byte(&self, marker: Marker) -> usize {
        self.offsets.byte(marker.index())
    }

    fn syntax(&self, text: &str, error: &ScanError) -> Finding {
        let at = self.byte(*error.marker()).min(text.len());
        let line_start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |at| at.saturating_add(1));
        let line = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let tab = line.len().checked_sub(line.trim_start().len()).and_then(|end| line.get(..end)?.find('\t'));
        let place = Span::new(self.file, at..at);
        let finding = Finding::error(Code::Syntax, format!("this is not YAML: {}", error.info()));
        match tab {
            Some(tab) => {
                let tab = line_start.saturating_add(tab);
                finding
                    .at(Span::new(self.file, tab..tab.saturating_add(1)))
                    .help("indent with spaces: YAML takes no tabs there")
            }
            None => finding.at(place),
        }
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Finding> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents = self.documents.saturating_add(1);
                match self.documents {
                    1 => Ok(()),
                    _ => Err(Finding::error(Code::Unsupported, "a second document in one file")
                        .at(span)
                        .help("put it into a file of its own")),
                }
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.as_deref(), span)?;
                let span = if anchor == 0 { span } else { self.after_anchor(span, style) };
                self.scalar(&text, style, anchor, span)
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_tag(tag.as_deref(), span)?;
                self.open(anchor, span, Members::List(Vec::new(), Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(tag.as_deref(), span)?;
                let members = Members::Map { values: Map::new(), nodes: Vec::new(), key: None };
                self.open(anchor, span, members)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
        }
    }

    /// The span of a scalar's text: the parser counts the anchor before it in.
    fn after_anchor(&self, span: Span, style: ScalarStyle) -> Span {
        let range = span.range();
        let raw = self.offsets.text.get(range.clone()).unwrap_or_default();
        let name = raw.find(char::is_whitespace).unwrap_or(raw.len());
        let mut at = raw.get(name..).map_or(raw.len(), |rest| raw.len().saturating_sub(rest.trim_start().len()));
        if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            // A block's text begins on the line after its header, behind the indentation and after empty lines.
            let header = raw.get(at..).and_then(|rest| rest.find('\n')).unwrap_or_default();
            let body = raw.get(at.saturating_add(header)..).unwrap_or_default();
            at = raw.len().saturating_sub(body.trim_start().len());
        }
        Span::new(self.file, range.start.saturating_add(at)..range.end)
    }

    /// Whether the next value is a map's key.
    fn at_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { members: Members::Map { key: None, .. }, .. }))
    }

    fn spend_node(&mut self, span: Span) -> Result<(), Finding> {
        match self.budget.spend_node() {
            true => Ok(()),
            false => Err(Finding::error(Code::LimitExceeded, "too many values in one pack").at(span)),
        }
    }

    fn refuse_depth(&self, levels: usize, span: Span) -> Result<(), Finding> {
        match self.open.len().saturating_add(levels) <= DEPTH_MAX {
            true => Ok(()),
            false => {
                let message = format!("maps and lists are nested more than {DEPTH_MAX} levels deep");
                Err(Finding::error(Code::LimitExceeded, message).at(span))
            }
        }
    }

    fn open(&mut self, anchor: usize, start: Span, members: Members) -> Result<(), Finding> {
        if self.at_key() {
            return Err(not_text(start));
        }
        self.spend_node(start)?;
        self.refuse_depth(1, start)?;
        self.open.push(Open { start, anchor, weight: Weight::collection(), members });
        Ok(())
    }

    fn close(&mut self, end: Span) -> Result<(), Finding> {
        let Some(Open { start, anchor, weight, members }) = self.open.pop() else { return Ok(()) };
        let (value, content) = match members {
            Members::List(values, nodes) => (Value::Array(values), Content::List(nodes)),
            Members::Map { values, nodes, .. } => (Value::Object(values), Content::Map(nodes)),
        };
        // A flow collection ends with its bracket; a block collection has no end of its own to show.
        let shown = match end.end > end.start {
            true => Span { end: end.end, ..start },
            false => start,
        };
        let node = Node { key: None, value: shown, content };
        self.place(anchor, Parsed { value, node, weight })
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Finding> {
        if self.at_key() {
            return Err(not_text(span));
        }
        let Some(weight) = self.anchors.get(&anchor).map(|parsed| parsed.weight) else {
            return Err(Finding::error(Code::Syntax, "an alias inside of what it stands for").at(span));
        };
        self.refuse_depth(weight.height, span)?;
        if !self.budget.spend_copy(weight) {
            return Err(Finding::error(Code::LimitExceeded, "aliases unfold to too many values")
                .at(span)
                .help("write the values out, or move them into `data.json`"));
        }
        match self.anchors.get(&anchor).cloned() {
            Some(parsed) => self.place(0, parsed),
            None => Ok(()),
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, span: Span) -> Result<(), Finding> {
        self.spend_node(span)?;
        if self.at_key() {
            return self.key(text, style, anchor, span);
        }
        let value = resolve(text, style, span)?;
        let parsed = scalar_of(value, style, span, text.len());
        self.place(anchor, parsed)
    }

    fn key(&mut self, text: &str, style: ScalarStyle, anchor: usize, span: Span) -> Result<(), Finding> {
        if style == ScalarStyle::Plain {
            if text == "<<" {
                return Err(Finding::error(Code::Unsupported, "merge keys are not supported")
                    .at(span)
                    .help("write the fields out, or use an alias for a whole value"));
            }
            if !resolve(text, style, span)?.is_string() {
                return Err(not_text(span).help(format!("put it in quotes: \"{text}\"")));
            }
        }
        if anchor != 0 {
            let parsed = scalar_of(Value::String(text.to_owned()), style, span, text.len());
            self.anchors.insert(anchor, parsed);
        }
        let Some(Open { members: Members::Map { values, nodes, key, .. }, .. }) = self.open.last_mut() else {
            return Ok(());
        };
        if values.contains_key(text) {
            let first = nodes.iter().find(|(name, _)| **name == *text).and_then(|(_, node)| node.key);
            return Err(duplicate_key(text, span, first));
        }
        *key = Some((text.to_owned(), span));
        Ok(())
    }

    /// Puts a finished value where it belongs: into the innermost open collection, or at the top.
    fn place(&mut self, anchor: usize, mut parsed: Parsed) -> Result<(), Finding> {
        if anchor != 0 {
            self.anchors.insert(anchor, parsed.clone());
        }
        match self.open.last_mut() {
            None => self.document = Some(parsed),
            Some(Open { members: Members::List(values, nodes), weight, .. }) => {
                weight.add(0, parsed.weight);
                parsed.node.key = None;
                values.push(parsed.value);
                nodes.push(parsed.node);
            }
            Some(Open { members: Members::Map { values, nodes, key }, weight, .. }) => {
                let Some((name, span)) = key.take() else { return Ok(()) };
                weight.add(name.len(), parsed.weight);
                parsed.node.key = Some(span);
                nodes.push((name.as_str().into(), parsed.node));
                values.insert(name, parsed.value);
            }
        }
        Ok(())
    }
}

fn scalar_of(value: Value, style: ScalarStyle, span: Span, bytes: usize) -> Parsed {
    let style = match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
    };
    let node = Node { key: None, value: span, content: Content::Scalar(style) };
    Parsed { value, node, weight: Weight::scalar(bytes) }
}

fn refuse_tag(tag: Option<&saphyr_parser::Tag>, span: Span) -> Result<(), Finding> {
    match tag {
        None => Ok(()),
        Some(tag) => Err(Finding::error(
            Code::Unsupported,
            format!("tags such as {} are not supported", quoted(&tag.to_string())),
        )
        .at(span)
        .help("drop the tag; put text in quotes")),
    }
}

fn not_text(span: Span) -> Finding {
    Finding::error(Code::InvalidValue, "a key that is not text").at(span)
}

/// A key that stands twice in one map, with both places.
#[must_use]
pub fn duplicate_key(name: &str, second: Span, first: Option<Span>) -> Finding {
    let finding = Finding::error(Code::DuplicateKey, format!("the key {} stands twice in one map", quoted(name)))
        .labelled(second, "again here")
        .help("keep one of them");
    match first {
        Some(first) => finding.labelled(first, "first here"),
        None => finding,
    }
}

/// What a scalar means in YAML's core schema. Only plain ones can mean anything but text.
fn resolve(text: &str, style: ScalarStyle, span: Span) -> Result<Value, Finding> {
    if style != ScalarStyle::Plain {
        return Ok(Value::String(text.to_owned()));
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err(Finding::error(Code::InvalidValue, format!("{} is not a finite number", quoted(text)))
            .at(span)
            .help("write a finite number, or put text in quotes"));
    }
    if let Some((digits, radix)) = integer(text, unsigned) {
        return whole(digits, radix).map(Value::Number).ok_or_else(|| {
            Finding::error(Code::InvalidValue, format!("the whole number {} is out of range", quoted(text)))
                .at(span)
                .help("write a number between -9223372036854775808 and 18446744073709551615, or put text in quotes")
        });
    }
    if !is_float(unsigned) {
        return Ok(Value::String(text.to_owned()));
    }
    let number = text.parse::<f64>().ok().and_then(Number::from_f64);
    number.map(Value::Number).ok_or_else(|| {
        Finding::error(Code::InvalidValue, format!("the number {} is out of range", quoted(text)))
            .at(span)
            .help("write a finite number, or put text in quotes")
    })
}

/// The digits and the radix of a whole number; the digits keep their sign.
fn integer<'a>(text: &'a str, unsigned: &str) -> Option<(&'a str, u32)> {
    let all = |digits: &str, radix: u32| !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    if let Some(digits) = text.strip_prefix("0o").filter(|digits| all(digits, 8)) {
        return Some((digits, 8));
    }
    if let Some(digits) = text.strip_prefix("0x").filter(|digits| all(digits, 16)) {
        return Some((digits, 16));
    }
    all(unsigned, 10).then_some((text, 10))
}

fn whole(digits: &str, radix: u32) -> Option<Number> {
    let signed = i64::from_str_radix(digits, radix).ok().map(Number::from);
    signed.or_else(|| u64::from_str_radix(digits, radix).ok().map(Number::from))
}

/// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_float(unsigned: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let has_digits = !before.is_empty() || !after.is_empty();
    has_digits && digits(before) && digits(after) && exponent.is_none_or(|text| !text.is_empty() && digits(text))
}
