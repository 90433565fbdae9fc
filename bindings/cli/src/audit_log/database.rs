//! A table of records in SQLite: what a server writes its chain to instead of a folder, and what `fallgate audit` reads.
//!
//! The table is that of `SqliteSink` of the Python package, `record(seq, hash, line)`, so that one goes on where the other
//! ended. A batch is one transaction: after a crash all of it is there or nothing.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf, absolute};
use std::time::Duration;

use fallgate::audit::chain::Head;
use fallgate::audit::verify::Verifier;
use fallgate::error::quoted;
use fallgate::policy::bundle::hexadecimal;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior};

use super::folder::{locked, owned};
use super::lines::{LINE_BYTES_MAX, head_before};
use super::sink::{AppendError, follow};
use crate::finding::Finding;
use crate::reading::{shown, unreadable};

/// What a place begins with that is a database.
const PREFIX: &str = "sqlite:";

/// How many records are read back when a database is opened to be gone on with.
const READ_BACK: i64 = 1_000;

/// For how long a database that somebody else has locked for a moment is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The file of the database that a place names, as in `sqlite:audit.db`; nothing for a file or a folder.
#[must_use]
pub fn named(place: &Path) -> Option<PathBuf> {
    place.to_str()?.strip_prefix(PREFIX).map(PathBuf::from)
}

/// A chain in a database, open to be gone on with.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    head: Head,
    /// Held as long as the database is open: two writers would write two chains.
    _lock: File,
}

impl Database {
    /// Opens a database, and makes it where there is none.
    ///
    /// Its last records are read back and must be whole and linked. A database that was tampered with is for somebody to
    /// look at, and not to be written behind.
    ///
    /// # Errors
    /// A database that another process writes, that does not verify, or that cannot be read.
    pub fn open(path: &Path) -> Result<Self, Finding> {
        let lock = locked(&beside(path))?;
        made(path).map_err(|error| unreadable(path, &error))?;
        let cannot = |error: rusqlite::Error| unreadable(path, &io::Error::other(error));
        let connection = connected(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(cannot)?;
        prepared(&connection).map_err(cannot)?;
        is_table(&connection, path)?;
        let head = tail(&connection, path)?;
        Ok(Self { connection, head, _lock: lock })
    }

    /// Where the chain has come to: what an engine goes on behind.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.head
    }

    /// Writes records, and returns when they are on disk.
    ///
    /// # Errors
    /// [`AppendError`]; then none of them is there, and the same can be written again.
    pub fn append(&mut self, lines: &[String]) -> Result<Head, AppendError> {
        let heads = follow(self.head, lines)?;
        let Some(head) = heads.last().copied() else { return Ok(self.head) };
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // The lock keeps out whoever asks for it. Whoever does not is found here, before there are two chains.
        let last: i64 = transaction.query_row("SELECT coalesce(max(seq), 0) FROM record", [], |row| row.get(0))?;
        if last != number(self.head.count) {
            return Err(AppendError::OtherWriter { last });
        }
        {
            let mut insert = transaction.prepare_cached("INSERT INTO record VALUES (?1, ?2, ?3)")?;
            for (Head { count, hash }, line) in heads.iter().zip(lines) {
                insert.execute((number(*count), hexadecimal(hash), line))?;
            }
        }
        transaction.commit()?;
        self.head = head;
        Ok(head)
    }
}

/// The records of a database, in order, for as long as somebody reads.
#[derive(Debug)]
pub(super) struct Rows {
    connection: Connection,
    path: PathBuf,
    /// The least number of the next record; nothing behind the greatest that there can be.
    from: Option<i64>,
}

impl Rows {
    /// The records of a database that is there already.
    pub(super) fn open(path: &Path) -> Result<Self, Finding> {
        // What is no file is told as for any other file, and what is none yet is not made.
        File::open(path).map_err(|error| unreadable(path, &error))?;
        let cannot = |error: rusqlite::Error| unreadable(path, &io::Error::other(error));
        let connection = connected(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(cannot)?;
        is_table(&connection, path)?;
        Ok(Self { connection, path: path.to_owned(), from: Some(i64::MIN) })
    }

    /// Writes the next record over `line`, and tells whether it is that of the number that it stands under.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> Result<Option<bool>, Finding> {
        let Some(from) = self.from else { return Ok(None) };
        let read = row(&self.connection, from, line);
        let read = read.map_err(|error| unreadable(&self.path, &io::Error::other(error)))?;
        self.from = read.and_then(|(seq, _)| seq.checked_add(1));
        Ok(read.map(|(_, is_its_own)| is_its_own))
    }
}

/// A connection that waits a moment for others, reads no row longer than a record can be, and runs nothing that a schema
/// from elsewhere holds.
fn connected(path: &Path, mode: OpenFlags) -> rusqlite::Result<Connection> {
    // SQLite takes `file:` and `:memory:` for more than names; what begins with a slash is one.
    let path = absolute(path).unwrap_or_else(|_| path.to_owned());
    let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::try_from(LINE_BYTES_MAX).unwrap_or(i32::MAX))?;
    Ok(connection)
}

/// Makes the table where there is none.
fn prepared(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A record that is confirmed is on disk, also where the machine loses its power.
    connection.pragma_update(None, "synchronous", "FULL")?;
    let table = "CREATE TABLE IF NOT EXISTS record (seq INTEGER PRIMARY KEY, hash TEXT NOT NULL, line TEXT NOT NULL)";
    connection.execute_batch(table)
}

/// Refuses what is no table of records: a view would compute whatever whoever made it likes, for as long as they like.
fn is_table(connection: &Connection, path: &Path) -> Result<(), Finding> {
    let query =
        "SELECT count(*) FROM sqlite_schema WHERE name = 'record' AND type = 'table' AND sql LIKE 'CREATE TABLE%'";
    let tables: i64 = connection
        .query_row(query, [], |row| row.get(0))
        .map_err(|error| unreadable(path, &io::Error::other(error)))?;
    if tables == 1 {
        return Ok(());
    }
    let message = format!("{} has no table of audit records", quoted(&shown(path)));
    Err(Finding::unreadable(message).help("name the database that `fallgate serve --audit sqlite:FILE` writes"))
}

/// The first record from that number on, written over `line`.
fn row(connection: &Connection, from: i64, line: &mut Vec<u8>) -> rusqlite::Result<Option<(i64, bool)>> {
    let mut query = connection.prepare_cached("SELECT seq, line FROM record WHERE seq >= ?1 ORDER BY seq LIMIT 1")?;
    let read = |row: &rusqlite::Row<'_>| {
        let seq: i64 = row.get(0)?;
        line.clear();
        // What is neither text nor bytes is no record, and is read as one without text.
        line.extend_from_slice(row.get_ref(1)?.as_bytes_or_null().ok().flatten().unwrap_or_default());
        Ok((seq, line.ends_with(format!("\"seq\":{seq}}}").as_bytes())))
    };
    query.query_row([from], read).optional()
}

/// Where the chain has come to. The last records are read: the links between them, and all that they hold.
fn tail(connection: &Connection, path: &Path) -> Result<Head, Finding> {
    let cannot = |error: rusqlite::Error| unreadable(path, &io::Error::other(error));
    let last: Option<i64> =
        connection.query_row("SELECT max(seq) FROM record", [], |row| row.get(0)).map_err(cannot)?;
    let Some(last) = last else { return Ok(Head::default()) };
    let mut from = Some(last.saturating_sub(READ_BACK));
    let mut line = Vec::new();
    let (mut verifier, mut head) = (None, Head::default());
    while let Some(least) = from {
        let Some((seq, is_whole)) = row(connection, least, &mut line).map_err(cannot)? else { break };
        let broken = |why: &str| {
            let message = format!("the audit chain is broken at row {seq} of {}: {why}", quoted(&shown(path)));
            let help = "look at it with `fallgate audit verify`, keep it, and begin in another database";
            Finding::with_code("chain_broken", message).help(help)
        };
        if !is_whole {
            return Err(broken("this is not the record of that number"));
        }
        let before = head_before(&line).ok_or_else(|| broken("this is no record"))?;
        let reading = verifier.get_or_insert_with(|| Verifier::behind(before));
        let record = reading.push(&line).map_err(|finding| broken(&finding.to_string()))?;
        head = Head { count: record.seq, hash: record.hash };
        from = seq.checked_add(1);
    }
    Ok(head)
}

/// Makes the file for its owner's eyes; SQLite gives what it keeps beside the same rights.
fn made(path: &Path) -> io::Result<()> {
    if path.try_exists()? {
        return Ok(());
    }
    owned(OpenOptions::new().write(true).create_new(true)).open(path)?;
    // The name is on disk before the first record is.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// The lock of a database: a file beside it, which SQLite itself knows nothing of.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-lock");
    name.into()
}

/// A record's number as SQLite has numbers. None is ever so large that it has none.
fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
