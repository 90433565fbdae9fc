//! The file that a journal of inputs is written to: it only grows, and an entry counts as written once it is on disk.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use fallgate::error::quoted;

use crate::finding::Finding;
use crate::reading::{shown, unreadable};

/// A journal's file, open for one process.
#[derive(Debug)]
pub struct JournalFile {
    file: File,
    bytes: u64,
}

impl JournalFile {
    /// Opens the file, or begins it, for its owner alone: requests stand in it in the clear. Behind what stands there a
    /// journal of its own begins. The beginning of a line that a process left when it was killed is cut off: nobody was told
    /// that it is written.
    ///
    /// # Errors
    /// A file that cannot be opened, or that another process writes.
    pub fn open(path: &Path) -> Result<Self, Finding> {
        let cannot = |error: io::Error| unreadable(path, &error);
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let message = format!("another process writes the journal {}", quoted(&shown(path)));
                return Err(Finding::unreadable(message).help("give each process a file of its own"));
            }
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        let bytes = whole_lines(&mut file).map_err(cannot)?;
        file.set_len(bytes).map_err(cannot)?;
        Ok(Self { file, bytes })
    }

    /// Writes lines, and comes back once they are on disk. What fails leaves no part of them.
    ///
    /// # Errors
    /// What the disk refuses.
    pub fn append(&mut self, lines: &[String]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for line in lines {
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
        }
        if let Err(error) = self.file.write_all(&bytes).and_then(|()| self.file.sync_data()) {
            self.file.set_len(self.bytes).and_then(|()| self.file.sync_all())?;
            return Err(error);
        }
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(())
    }
}

/// How many bytes the file has up to the end of its last whole line.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    const BLOCK: u64 = 1 << 16;
    let mut end = file.metadata()?.len();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(start))?;
        let mut block = Vec::new();
        file.take(end.saturating_sub(start)).read_to_end(&mut block)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start.saturating_add(u64::try_from(at).unwrap_or(u64::MAX)).saturating_add(1));
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_line_is_cut_off_and_whole_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let long = "x".repeat(200_000);
        for (before, after) in [
            ("", ""),
            ("a\n", "a\n"),
            ("a\nb", "a\n"),
            ("b", ""),
            (&*format!("a\n{long}"), "a\n"),
            (&*format!("{long}\n"), &*format!("{long}\n")),
        ] {
            std::fs::write(&path, before).unwrap();
            let mut file = JournalFile::open(&path).unwrap();
            file.append(&["c".to_owned(), "d".to_owned()]).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{after}c\nd\n"));
        }
    }

    #[test]
    fn two_processes_write_no_journal_together() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let _held = JournalFile::open(&path).unwrap();
        assert!(JournalFile::open(&path).unwrap_err().message.contains("another process"));
    }
}
