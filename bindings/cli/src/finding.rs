//! What is wrong with a pack, and the places in files that show it.

use fallgate::error::{Code, Diagnostic};

use crate::source::{Part, SourceMap, Span};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The pack is refused.
    Error,
    /// The pack is taken, but somebody should look.
    Warning,
    /// It is as somebody has declared it to be.
    Note,
}

impl Severity {
    /// The severity as text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A place that a finding points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The bytes.
    pub span: Span,
    /// What is to be seen there.
    pub label: Option<String>,
}

/// One thing to report, with its places: the first is where to repair it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Its stable code: one of [`Code`], `unreadable` for a file that cannot be read, `bundle_unsigned`,
    /// `owner_missing`, or one of `ablate`'s.
    pub code: &'static str,
    /// What is wrong: one line, lower case.
    pub message: String,
    /// How to repair it.
    pub help: Option<String>,
    /// The JSON Pointer in the document, where the core found it.
    pub pointer: Option<String>,
    /// Where.
    pub places: Vec<Place>,
}

impl Finding {
    /// An error with one of the core's codes.
    #[must_use]
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self::with_code(code.as_str(), message)
    }

    /// A file or folder that cannot be read.
    #[must_use]
    pub fn unreadable(message: impl Into<String>) -> Self {
        Self::with_code("unreadable", message)
    }

    /// Something with a code of a command's own.
    #[must_use]
    pub fn with_code(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, code, message: message.into(), help: None, pointer: None, places: Vec::new() }
    }

    /// The same, with one more place.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.places.push(Place { span, label: None });
        self
    }

    /// The same, with one more place and what is to be seen there.
    #[must_use]
    pub fn labelled(mut self, span: Span, label: impl Into<String>) -> Self {
        self.places.push(Place { span, label: Some(label.into()) });
        self
    }

    /// The same, with a repair.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// A diagnostic of the core, with the place that its pointer leads to.
    #[must_use]
    pub fn from_diagnostic(diagnostic: &Diagnostic, severity: Severity, sources: &SourceMap) -> Self {
        // What is wrong with these is the key, not what follows it.
        let part = match diagnostic.code {
            Code::UnknownField => Part::Key,
            _ => Part::Value,
        };
        let span = sources.place(&diagnostic.pointer, part, diagnostic.span.as_ref());
        Self {
            severity,
            code: diagnostic.code.as_str(),
            message: diagnostic.message.clone(),
            help: diagnostic.help.clone(),
            pointer: Some(diagnostic.pointer.clone()),
            places: vec![Place { span, label: None }],
        }
    }
}
