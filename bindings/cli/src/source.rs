//! Where each value of a document was written: the files, and a tree of places that has the shape of the document.
//!
//! A diagnostic of the core names a place by JSON Pointer. An author thinks in files, lines and columns: this map leads
//! from the one to the other, down to the byte inside a condition's text.

use std::ops::Range;

use crate::scalar::{self, Style};

/// A file that was read, or as much of it as is text.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The path as the user is shown it.
    path: String,
    /// The text, without a byte order mark. Bytes that are not UTF-8 are U+FFFD.
    text: String,
    /// The byte offset at which each line begins; the first is 0.
    line_starts: Vec<usize>,
}

impl SourceFile {
    /// A file's path and text.
    #[must_use]
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let after_breaks = text.match_indices('\n').map(|(at, _)| at.saturating_add(1));
        let line_starts = std::iter::once(0).chain(after_breaks).collect();
        Self { path: path.into(), text, line_starts }
    }

    /// The path as the user is shown it.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The text, without a byte order mark.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line and the column of a byte offset: both from 1, the column in characters.
    #[must_use]
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|start| *start <= offset).max(1);
        let start = self.line_start(line);
        let before = self.text.get(start..offset.min(self.text.len())).unwrap_or_default();
        (line, before.chars().count().saturating_add(1))
    }

    /// The byte offset at which a line begins, counted from 1.
    #[must_use]
    pub fn line_start(&self, line: usize) -> usize {
        self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len())
    }

    /// The byte offset at which a line ends, counted from 1, without its break.
    #[must_use]
    pub fn line_end(&self, line: usize) -> usize {
        let start = self.line_start(line);
        let next = self.line_start(line.saturating_add(1));
        let text = self.text.get(start..next).unwrap_or_default();
        start.saturating_add(text.trim_end_matches(['\n', '\r']).len())
    }
}

/// Which of the files of a [`SourceMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileId(u32);

impl FileId {
    /// The file of this number, in the order in which they were read.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Bytes of a file, from `start` up to `end`. A file has at most 64 MiB, so 32 bits are enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Span {
    /// A range of bytes of a file.
    #[must_use]
    pub fn new(file: FileId, range: Range<usize>) -> Self {
        let narrow = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { file, start: narrow(range.start), end: narrow(range.end.max(range.start)) }
    }

    /// The range of bytes.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        let widen = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX);
        widen(self.start)..widen(self.end)
    }
}

/// Where one value of the document was written, and those inside it.
#[derive(Clone, Debug)]
pub struct Node {
    /// The key that leads to it, where it is a map's value.
    pub key: Option<Span>,
    /// The value itself.
    pub value: Span,
    /// What is inside.
    pub content: Content,
}

/// What is inside a [`Node`].
#[derive(Clone, Debug)]
pub enum Content {
    /// A scalar, and how it was written.
    Scalar(Style),
    /// The members of a list.
    List(Vec<Node>),
    /// The members of a map, in the order of the file.
    Map(Vec<(Box<str>, Node)>),
}

impl Node {
    /// The member of that name, where this is a map.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Self> {
        match &self.content {
            Content::Map(members) => members.iter().find(|(key, _)| **key == *name).map(|(_, node)| node),
            Content::Scalar(_) | Content::List(_) => None,
        }
    }

    fn step(&self, token: &str) -> Option<&Self> {
        match &self.content {
            Content::Map(_) => self.member(token),
            Content::List(members) => members.get(token.parse::<usize>().ok()?),
            Content::Scalar(_) => None,
        }
    }

    /// The bytes to show for the value as a whole: a scalar itself; for a map or a list its key, or the first key inside.
    #[must_use]
    pub fn shown(&self) -> Span {
        match (&self.content, self.key) {
            (Content::Scalar(_), _) => self.value,
            (_, Some(key)) => key,
            (Content::Map(members), None) => members.first().and_then(|(_, node)| node.key).unwrap_or(self.value),
            (Content::List(_), None) => self.value,
        }
    }

    /// The bytes to show for the field as a whole: its key, where it has one.
    #[must_use]
    pub fn named(&self) -> Span {
        self.key.unwrap_or_else(|| self.shown())
    }
}

/// The files that a document was made of, and where each of its values stands in them.
#[derive(Clone, Debug)]
pub struct SourceMap {
    files: Vec<SourceFile>,
    root: Node,
}

/// Which part of a value a diagnostic is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The value.
    Value,
    /// The key that leads to it.
    Key,
}

impl SourceMap {
    /// The files, and the tree of places that refers to them.
    #[must_use]
    pub const fn new(files: Vec<SourceFile>, root: Node) -> Self {
        Self { files, root }
    }

    /// Every file, in the order in which they were read.
    #[must_use]
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The places, in the shape of the document.
    #[must_use]
    pub const fn root(&self) -> &Node {
        &self.root
    }

    /// A file.
    #[must_use]
    pub fn file(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(id.number())
    }

    /// Where a JSON Pointer leads, and whether all the way: else to the innermost value that there is.
    #[must_use]
    pub fn find(&self, pointer: &str) -> (&Node, bool) {
        let mut node = &self.root;
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            match node.step(&token) {
                Some(inner) => node = inner,
                None => return (node, false),
            }
        }
        (node, true)
    }

    /// The bytes to point at: for a part of the value at `pointer`, or for `within`, bytes of the text that stands there.
    #[must_use]
    pub fn place(&self, pointer: &str, part: Part, within: Option<&Range<usize>>) -> Span {
        let (node, whole) = self.find(pointer);
        if let (true, Some(within), Content::Scalar(style)) = (whole, within, &node.content)
            && let Some(file) = self.file(node.value.file)
        {
            let range = scalar::file_range(file, node.value.range(), *style, within);
            return Span::new(node.value.file, range);
        }
        match (part, whole, node.key) {
            (Part::Key, true, Some(key)) => key,
            _ => node.shown(),
        }
    }

    /// The file's path, the line and the column of the value at `pointer`, or of a byte of the text that stands there.
    #[must_use]
    pub fn line_column(&self, pointer: &str, byte: Option<usize>) -> Option<(&str, usize, usize)> {
        let within = byte.map(|at| at..at);
        let span = self.place(pointer, Part::Value, within.as_ref());
        let file = self.file(span.file)?;
        let (line, column) = file.line_column(span.range().start);
        Some((file.path(), line, column))
    }
}
