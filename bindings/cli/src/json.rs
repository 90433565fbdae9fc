//! JSON with the place of every value, and without the two things that JSON readers let pass in silence: a key that
//! stands twice, and a whole number that does not fit.

use fallgate::error::{Code, quoted};
use serde::de::IgnoredAny;
use serde_json::{Map, Number, Value};

use crate::budget::{Budget, DEPTH_MAX, Weight};
use crate::finding::Finding;
use crate::scalar::Style;
use crate::source::{Content, FileId, Node, SourceFile, Span};
use crate::yaml::{Parsed, duplicate_key};

/// Reads a JSON file.
///
/// # Errors
///
/// The first mistake, with its place.
pub fn parse(source: &SourceFile, file: FileId, budget: &mut Budget) -> Result<Parsed, Finding> {
    let text = source.text();
    // The grammar is checked by the library; the walk below only has to find where everything is.
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        let at = source.line_start(error.line()).saturating_add(error.column().saturating_sub(1));
        // The library counts bytes, and may stop inside of a character.
        let at = text.floor_char_boundary(at);
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        return Err(Finding::error(Code::Syntax, format!("this is not JSON: {message}")).at(Span::new(file, at..at)));
    }
    let mut walk = Walk { text, at: 0, file, budget };
    walk.value(0)
}

/// A walk over text that is known to be JSON.
struct Walk<'a> {
    text: &'a str,
    at: usize,
    file: FileId,
    budget: &'a mut Budget,
}

impl Walk<'_> {
    fn peek(&mut self) -> u8 {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let blank = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
        self.at = self.at.saturating_add(blank);
        self.text.as_bytes().get(self.at).copied().unwrap_or_default()
    }

    fn skip(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn span(&self, start: usize) -> Span {
        Span::new(self.file, start..self.at)
    }

    /// The depth is bounded by [`DEPTH_MAX`], and so is the recursion.
    fn value(&mut self, depth: usize) -> Result<Parsed, Finding> {
        let first = self.peek();
        let start = self.at;
        let here = Span::new(self.file, start..start.saturating_add(1));
        if !self.budget.spend_node() {
            return Err(Finding::error(Code::LimitExceeded, "too many values in one pack").at(here));
        }
        if matches!(first, b'{' | b'[') && depth >= DEPTH_MAX {
            let message = format!("maps and lists are nested more than {DEPTH_MAX} levels deep");
            return Err(Finding::error(Code::LimitExceeded, message).at(here));
        }
        match first {
            b'{' => self.map(start, depth),
            b'[' => self.list(start, depth),
            b'"' => {
                let (text, span) = self.string()?;
                let weight = Weight::scalar(text.len());
                Ok(scalar(Value::String(text), Style::DoubleQuoted, span, weight))
            }
            _ => {
                let rest = self.text.get(start..).unwrap_or_default();
                let end = rest.find([',', ']', '}', ' ', '\t', '\r', '\n']).unwrap_or(rest.len());
                self.at = start.saturating_add(end);
                let span = self.span(start);
                let value = word(rest.get(..end).unwrap_or_default(), span)?;
                Ok(scalar(value, Style::Plain, span, Weight::scalar(end)))
            }
        }
    }

    fn map(&mut self, start: usize, depth: usize) -> Result<Parsed, Finding> {
        let (mut values, mut nodes, mut weight) = (Map::new(), Vec::<(Box<str>, Node)>::new(), Weight::collection());
        self.skip();
        while self.peek() == b'"' {
            let (name, key) = self.string()?;
            if values.contains_key(&name) {
                let first = nodes.iter().find(|(known, _)| **known == *name).and_then(|(_, node)| node.key);
                return Err(duplicate_key(&name, key, first));
            }
            self.peek();
            self.skip();
            let mut member = self.value(depth.saturating_add(1))?;
            weight.add(name.len(), member.weight);
            member.node.key = Some(key);
            nodes.push((name.as_str().into(), member.node));
            values.insert(name, member.value);
            if self.peek() == b',' {
                self.skip();
            }
        }
        self.skip();
        let node = Node { key: None, value: self.span(start), content: Content::Map(nodes) };
        Ok(Parsed { value: Value::Object(values), node, weight })
    }

    fn list(&mut self, start: usize, depth: usize) -> Result<Parsed, Finding> {
        let (mut values, mut nodes, mut weight) = (Vec::new(), Vec::new(), Weight::collection());
        self.skip();
        while !matches!(self.peek(), b']' | 0) {
            let member = self.value(depth.saturating_add(1))?;
            weight.add(0, member.weight);
            nodes.push(member.node);
            values.push(member.value);
            if self.peek() == b',' {
                self.skip();
            }
        }
        self.skip();
        let node = Node { key: None, value: self.span(start), content: Content::List(nodes) };
        Ok(Parsed { value: Value::Array(values), node, weight })
    }

    fn string(&mut self) -> Result<(String, Span), Finding> {
        let start = self.at;
        self.skip();
        let mut escaped = false;
        for byte in self.text.as_bytes().get(self.at..).unwrap_or_default() {
            self.at = self.at.saturating_add(1);
            match byte {
                b'"' if !escaped => break,
                b'\\' => escaped = !escaped,
                _ => escaped = false,
            }
        }
        let span = self.span(start);
        let text = serde_json::from_str(self.text.get(span.range()).unwrap_or_default());
        text.map(|text| (text, span)).map_err(|_| Finding::error(Code::Syntax, "this is not a JSON string").at(span))
    }
}

fn scalar(value: Value, style: Style, span: Span, weight: Weight) -> Parsed {
    Parsed { value, node: Node { key: None, value: span, content: Content::Scalar(style) }, weight }
}

fn word(text: &str, span: Span) -> Result<Value, Finding> {
    match text {
        "null" => return Ok(Value::Null),
        "true" => return Ok(Value::Bool(true)),
        "false" => return Ok(Value::Bool(false)),
        _ => {}
    }
    let number = if text.contains(['.', 'e', 'E']) {
        text.parse::<f64>().ok().and_then(Number::from_f64)
    } else {
        let signed = text.parse::<i64>().ok().map(Number::from);
        signed.or_else(|| text.parse::<u64>().ok().map(Number::from))
    };
    number.map(Value::Number).ok_or_else(|| {
        Finding::error(Code::InvalidValue, format!("the number {} is out of range", quoted(text)))
            .at(span)
            .help("whole numbers reach from -9223372036854775808 to 18446744073709551615; others are finite")
    })
}
