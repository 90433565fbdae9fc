//! The lines of a chain: one file or database after the other, one line at a time, so that a chain larger than memory is
//! read.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use fallgate::audit::chain::Head;
use serde_json::Value;

use super::database::{self, Rows};
use crate::finding::Finding;
use crate::reading::unreadable;

/// Bytes of a line: far more than a record has. A longer one is no record, and is not read into memory as a whole.
pub const LINE_BYTES_MAX: u64 = 16 << 20;

/// How the files of a chain end.
pub const EXTENSION: &str = "jsonl";

/// The lines of several files and databases, in order.
#[derive(Debug)]
pub struct Lines {
    files: VecDeque<PathBuf>,
    open: Option<Open>,
    line: Vec<u8>,
    line_bytes_max: u64,
    bytes_read: u64,
}

#[derive(Debug)]
struct Open {
    path: PathBuf,
    source: Source,
    number: u64,
}

#[derive(Debug)]
enum Source {
    File(BufReader<File>),
    Database(Box<Rows>),
}

/// A line, and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Line<'l> {
    /// The line without its end.
    pub text: &'l [u8],
    /// Whether it has an end, which the last line of a file that was cut off has not; in a database, whether it stands
    /// under its own number.
    pub is_whole: bool,
    /// The file, or the place of the database.
    pub path: &'l Path,
    /// Which line of it it is, from 1.
    pub number: u64,
}

impl Lines {
    /// The lines of these files, and of databases that are named as in `sqlite:audit.db`. A folder stands for the files of
    /// the chain in it, in order of their names.
    ///
    /// # Errors
    /// A file or folder that cannot be read.
    pub fn of(paths: &[PathBuf]) -> Result<Self, Finding> {
        let mut files = VecDeque::new();
        for path in paths {
            if path.is_dir() {
                files.extend(files_of(path)?);
            } else {
                files.push_back(path.clone());
            }
        }
        Ok(Self { files, open: None, line: Vec::new(), line_bytes_max: LINE_BYTES_MAX, bytes_read: 0 })
    }

    /// The same, of lines that may have so many bytes.
    #[must_use]
    pub const fn within(mut self, line_bytes_max: u64) -> Self {
        self.line_bytes_max = line_bytes_max;
        self
    }

    /// How many bytes all files have, as far as they say.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let length = |path: &PathBuf| {
            let file = database::named(path).unwrap_or_else(|| path.clone());
            file.metadata().map_or(0, |metadata| metadata.len())
        };
        self.files.iter().map(length).fold(0, u64::saturating_add)
    }

    /// How many bytes were read.
    #[must_use]
    pub const fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// The next line; nothing after the last.
    ///
    /// # Errors
    /// A file that cannot be read.
    #[expect(clippy::should_implement_trait, reason = "the line is lent, which no iterator can")]
    pub fn next(&mut self) -> Result<Option<Line<'_>>, Finding> {
        let (number, is_whole) = loop {
            if self.open.is_none() {
                let Some(path) = self.files.pop_front() else { return Ok(None) };
                let source = match database::named(&path) {
                    Some(file) => Source::Database(Box::new(Rows::open(&file)?)),
                    None => {
                        let file = File::open(&path).map_err(|error| unreadable(&path, &error))?;
                        Source::File(BufReader::with_capacity(1 << 16, file))
                    }
                };
                self.open = Some(Open { path, source, number: 0 });
            }
            let Some(open) = &mut self.open else { return Ok(None) };
            self.line.clear();
            let read = open.read(&mut self.line, self.line_bytes_max)?;
            self.bytes_read = self.bytes_read.saturating_add(u64::try_from(self.line.len()).unwrap_or(u64::MAX));
            match read {
                Some(is_whole) => break (open.number, is_whole),
                None => self.open = None,
            }
        };
        let Some(open) = &self.open else { return Ok(None) };
        let text = match self.line.split_last() {
            Some((b'\n', text)) if matches!(open.source, Source::File(_)) => text,
            _ => self.line.as_slice(),
        };
        Ok(Some(Line { text, is_whole, path: &open.path, number }))
    }
}

impl Open {
    /// Reads the next line, and tells whether it is whole; nothing after the last.
    fn read(&mut self, line: &mut Vec<u8>, line_bytes_max: u64) -> Result<Option<bool>, Finding> {
        let is_whole = match &mut self.source {
            Source::File(file) => {
                let read = file.take(line_bytes_max).read_until(b'\n', line);
                let read = read.map_err(|error| unreadable(&self.path, &error))?;
                (read > 0).then(|| line.last() == Some(&b'\n'))
            }
            Source::Database(rows) => rows.next(line)?,
        };
        self.number = self.number.saturating_add(1);
        Ok(is_whole)
    }
}

/// The files of the chain in a folder, in order of their names, which is that of their records.
///
/// # Errors
/// A folder that cannot be read.
pub fn files_of(folder: &Path) -> Result<Vec<PathBuf>, Finding> {
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The head that a record says it goes on behind; nothing for what is no record. That it says so proves nothing yet.
#[must_use]
pub fn head_before(line: &[u8]) -> Option<Head> {
    let record: Value = serde_json::from_slice(line).ok()?;
    let count = record.get("seq")?.as_u64()?.checked_sub(1)?;
    Some(Head { count, hash: hash_of(record.get("prev")?.as_str()?)? })
}

/// A hash from its 64 lower-case hexadecimal digits.
#[must_use]
pub fn hash_of(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    if digits.len() != 64 || !digits.iter().all(is_digit) {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}
