//! A folder that a server writes its chain to: files that only grow, each of a bounded size, on disk before the engine is
//! told that they are.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use fallgate::audit::chain::Head;
use fallgate::audit::verify::Verifier;
use fallgate::error::quoted;

use super::lines::{EXTENSION, Lines, files_of, head_before};
use super::sink::{AppendError, follow};
use crate::finding::Finding;
use crate::reading::{shown, unreadable};

/// A chain in a folder, open to be gone on with.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    file: Option<File>,
    /// Bytes of the open file that are on disk, record by record.
    file_bytes: u64,
    file_bytes_max: u64,
    head: Head,
    /// Held as long as the folder is open: two writers would write two chains.
    _lock: File,
}

impl Folder {
    /// Opens a folder, and makes it where there is none.
    ///
    /// What it holds is read back from the end: its last file, and the one before, must be whole and linked. A folder that
    /// was tampered with, or whose last write was cut off, is for somebody to look at, and not to be written behind.
    ///
    /// # Errors
    /// A folder that another process writes, that does not verify, or that cannot be read.
    pub fn open(path: &Path, file_bytes_max: u64) -> Result<Self, Finding> {
        std::fs::create_dir_all(path).map_err(|error| unreadable(path, &error))?;
        let lock = locked(&path.join(LOCK))?;
        let files = files_of(path)?;
        let head = tail(&files)?;
        let mut folder = Self { path: path.to_owned(), file: None, file_bytes: 0, file_bytes_max, head, _lock: lock };
        if let Some(last) = files.last() {
            folder.go_on_with(last).map_err(|error| unreadable(last, &error))?;
        }
        Ok(folder)
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
        let bytes: Vec<u8> = lines.iter().flat_map(|line| line.bytes().chain([b'\n'])).collect();
        if self.file.is_none() || self.file_bytes >= self.file_bytes_max {
            self.begin_file()?;
        }
        let length = self.file_bytes;
        if let Some(file) = &mut self.file {
            if let Err(error) = file.write_all(&bytes).and_then(|()| file.sync_data()) {
                // Half a record at the end would make a broken chain of a full disk.
                file.set_len(length).and_then(|()| file.sync_all())?;
                return Err(error.into());
            }
            self.file_bytes = length.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            self.head = head;
        }
        Ok(self.head)
    }

    /// Begins a file, named after its first record.
    fn begin_file(&mut self) -> io::Result<()> {
        let path = self.path.join(file_name(self.head.count.saturating_add(1)));
        // A file of that name has records that this chain knows nothing of.
        let file = owned(OpenOptions::new().append(true).create_new(true)).open(path)?;
        (self.file, self.file_bytes) = (Some(file), 0);
        // The name is on disk before the first record is.
        File::open(&self.path)?.sync_all()
    }

    fn go_on_with(&mut self, path: &Path) -> io::Result<()> {
        let file = OpenOptions::new().append(true).open(path)?;
        (self.file_bytes, self.file) = (file.metadata()?.len(), Some(file));
        Ok(())
    }
}

/// What keeps a second writer out.
const LOCK: &str = "lock";

/// A file's name: the number of its first record, with so many digits that names are in the order of records.
fn file_name(first: u64) -> String {
    format!("audit-{first:020}.{EXTENSION}")
}

/// Takes a lock, which keeps a second writer out as long as it is held.
pub(super) fn locked(path: &Path) -> Result<File, Finding> {
    let lock = owned(OpenOptions::new().write(true).create(true).truncate(false)).open(path);
    let lock = lock.map_err(|error| unreadable(path, &error))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            let message =
                format!("another process writes the audit records that {} is the lock of", quoted(&shown(path)));
            Err(Finding::unreadable(message).help("give each process a folder or a database of its own"))
        }
        Err(TryLockError::Error(error)) => Err(unreadable(path, &error)),
    }
}

/// Records are for their owner's eyes.
pub(super) fn owned(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Where the chain of these files has come to. The last two are read: the link between them, and all that they hold.
fn tail(files: &[PathBuf]) -> Result<Head, Finding> {
    let last = files.get(files.len().saturating_sub(2)..).unwrap_or_default();
    let mut lines = Lines::of(last)?;
    let mut verifier: Option<Verifier> = None;
    while let Some(line) = lines.next()? {
        let place = format!("{}:{}", quoted(&shown(line.path)), line.number);
        let broken = |why: String| {
            let message = format!("the audit chain is broken at {place}: {why}");
            let help = "look at it with `fallgate audit verify`, keep it, and begin in another folder";
            Finding::with_code("chain_broken", message).help(help)
        };
        if verifier.is_none() {
            let before = head_before(line.text).ok_or_else(|| broken("this is no record".to_owned()))?;
            let is_named =
                line.path.file_name().is_some_and(|name| *name == *file_name(before.count.saturating_add(1)));
            if !is_named {
                return Err(broken("the file is not named after its first record".to_owned()));
            }
            verifier = Some(Verifier::behind(before));
        }
        let Some(reading) = &mut verifier else { continue };
        reading.push(line.text).map_err(|finding| broken(finding.to_string()))?;
        if !line.is_whole {
            return Err(broken("the last line has no end: a write was cut off".to_owned()));
        }
    }
    match (verifier, last.is_empty()) {
        (None, true) => Ok(Head::default()),
        (None, false) => Err(Finding::with_code("chain_broken", "the last files of the audit chain are empty")
            .help("keep them, and begin in another folder")),
        (Some(verifier), _) => {
            verifier.finish().map_err(|finding| Finding::with_code("chain_broken", finding.to_string()))
        }
    }
}
