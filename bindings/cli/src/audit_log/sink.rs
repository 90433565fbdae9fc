//! Where a server keeps its chain: a folder of files, or a database.
//!
//! Both promise the same. What is confirmed is on disk; what cannot be written is not there in part; and nothing is ever
//! written behind a chain that it does not follow.

use std::io;
use std::path::Path;

use fallgate::audit::chain::Head;
use fallgate::audit::verify::{Finding as ChainFinding, Verifier};

use super::database::{self, Database};
use super::folder::Folder;
use crate::finding::Finding;

/// A chain on disk, open to be gone on with.
#[derive(Debug)]
pub enum Sink {
    /// Files that only grow.
    Folder(Folder),
    /// A table of records.
    Database(Database),
}

/// Why records are not on disk. None of them is; the same can be written again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The system does not write.
    #[error("the records cannot be written: {0}")]
    Write(#[from] io::Error),
    /// The database does not write.
    #[error("the records cannot be written: {0}")]
    Database(#[from] rusqlite::Error),
    /// The records do not follow those that are there.
    #[error("the records do not follow those that are there: {0}")]
    Chain(#[from] ChainFinding),
    /// Somebody else has written to the database since it was opened.
    #[error("another writer has added records up to {last}; give each process a database of its own")]
    OtherWriter {
        /// The number of the last record that is there.
        last: i64,
    },
}

impl Sink {
    /// Opens the place, and makes it where there is none: `sqlite:FILE` for a database, anything else for a folder.
    ///
    /// # Errors
    /// A place that another process writes, that does not verify, or that cannot be read.
    pub fn open(place: &Path, file_bytes_max: u64) -> Result<Self, Finding> {
        match database::named(place) {
            Some(file) => Database::open(&file).map(Self::Database),
            None => Folder::open(place, file_bytes_max).map(Self::Folder),
        }
    }

    /// Where the chain has come to: what an engine goes on behind.
    #[must_use]
    pub const fn head(&self) -> Head {
        match self {
            Self::Folder(folder) => folder.head(),
            Self::Database(database) => database.head(),
        }
    }

    /// Writes records, and returns when they are on disk.
    ///
    /// # Errors
    /// [`AppendError`]; then none of them is there, and the same can be written again.
    pub fn append(&mut self, lines: &[String]) -> Result<Head, AppendError> {
        match self {
            Self::Folder(folder) => folder.append(lines),
            Self::Database(database) => database.append(lines),
        }
    }
}

/// The head behind each of these records, where all of them follow this one.
pub(super) fn follow(head: Head, lines: &[String]) -> Result<Vec<Head>, ChainFinding> {
    let mut verifier = Verifier::behind(head);
    let read =
        |line: &String| verifier.push(line.as_bytes()).map(|record| Head { count: record.seq, hash: record.hash });
    lines.iter().map(read).collect()
}
