//! Texts, values and requests as the lines that `tests/script.h` reads.

use fallgate::Request;
use fallgate::request::Party;
use fallgate::value::{Map, Value};

/// Lines for a C program.
#[derive(Debug, Default)]
pub(crate) struct Lines(pub(crate) Vec<u8>);

impl Lines {
    /// A request, to be held in arrays.
    pub(crate) fn request(&mut self, request: &Request) {
        self.party(&request.subject);
        self.text(&request.action.name);
        self.map(&request.action.properties);
        self.party(&request.resource);
        self.map(&request.context);
    }

    fn party(&mut self, party: &Party) {
        self.text(&party.party_type);
        self.text(&party.id);
        self.map(&party.properties);
    }

    /// The members in the reverse of their order, so that the sorting is put to work.
    fn map(&mut self, map: &Map) {
        self.line(&format!("m {}", map.len()));
        for (name, value) in map.entries().iter().rev() {
            self.text(name);
            self.value(value);
        }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.line("n"),
            Value::Bool(value) => self.line(&format!("b {}", u8::from(*value))),
            Value::Int(value) => self.line(&format!("i {value}")),
            Value::UInt(value) => self.line(&format!("u {value}")),
            Value::Double(value) => self.line(&format!("d {value:e}")),
            Value::String(text) => self.text(text),
            Value::List(items) => {
                self.line(&format!("l {}", items.len()));
                items.iter().for_each(|item| self.value(item));
            }
            Value::Map(map) => self.map(map),
        }
    }

    pub(crate) fn line(&mut self, line: &str) {
        self.0.extend_from_slice(line.as_bytes());
        self.0.push(b'\n');
    }

    /// A text with its length before it, so that it may hold anything.
    pub(crate) fn text(&mut self, text: &str) {
        self.line(&format!("s {}", text.len()));
        self.line(text);
    }
}
