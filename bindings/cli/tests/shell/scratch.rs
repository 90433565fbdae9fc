//! A page as its reader runs it, in a folder of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read, pipe};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::pages::ROOT;

/// What may be left out of what a command prints: a line of it alone is any number of lines, within a line it is any text.
const LEFT_OUT: &str = "…";
/// How long a command that stays may take for each line that the page says it prints.
const LINE_WITHIN: Duration = Duration::from_secs(60);

/// Whether this was printed, but for what is left out.
pub(crate) fn is_printed(expected: &[&str], printed: &[&str]) -> bool {
    match (expected, printed) {
        ([], printed) => printed.is_empty(),
        ([LEFT_OUT, expected @ ..], printed) => {
            (0..=printed.len()).any(|left_out| is_printed(expected, &printed[left_out..]))
        }
        (_, []) => false,
        ([line, expected @ ..], [found, printed @ ..]) => is_line(line, found) && is_printed(expected, printed),
    }
}

fn is_line(expected: &str, found: &str) -> bool {
    match expected.split_once(LEFT_OUT) {
        None => expected.trim_end() == found.trim_end(),
        Some((before, after)) => found.strip_prefix(before).is_some_and(|rest| {
            let starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            starts.into_iter().any(|at| is_line(after, &rest[at..]))
        }),
    }
}

/// A folder in which a page is read: what it writes is there, and of the repository `policies` and `docs`.
pub(crate) struct Scratch {
    folder: tempfile::TempDir,
    exit: i32,
    /// What was started to stay.
    stays: Vec<Child>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["policies", "docs"] {
            let real = fs::canonicalize(Path::new(ROOT).join(name)).unwrap();
            std::os::unix::fs::symlink(real, folder.path().join(name)).unwrap();
        }
        Self { folder, exit: 0, stays: Vec::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        assert!(!name.starts_with('/') && !name.contains(".."), "`{name}` lies elsewhere");
        self.folder.path().join(name)
    }

    /// Writes a file of the page, never one of the repository.
    pub(crate) fn write(&self, name: &str, text: &str) {
        assert!(!name.starts_with("policies/") && !name.starts_with("docs/"), "`{name}` is of the repository");
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Runs a command as a shell does: what it prints must be what the page says.
    pub(crate) fn run(&mut self, command: &str, expected: &str) -> Result<(), String> {
        let (reader, writer) = pipe().unwrap();
        let built = Path::new(env!("CARGO_BIN_EXE_fallgate")).parent().unwrap();
        let path = format!("{}:{}", built.display(), std::env::var("PATH").unwrap());
        let stays = command.strip_suffix(" &");
        // `$?` is that of the command before.
        let script = match stays {
            Some(command) => format!("exec {command}"),
            None => format!("(exit {})\n{command}", self.exit),
        };
        let mut child = Command::new("bash")
            .args(["-c", &script])
            .current_dir(self.folder.path())
            .env("PATH", path)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stderr(writer.try_clone().unwrap())
            .stdout(writer)
            .spawn()
            .unwrap();
        let expected: Vec<&str> = expected.trim_end().lines().collect();
        let printed = match stays {
            Some(_) => {
                self.stays.push(child);
                first_lines(reader, expected.len())
            }
            None => {
                let mut printed = String::new();
                BufReader::new(reader).read_to_string(&mut printed).unwrap();
                self.exit = child.wait().unwrap().code().unwrap_or(-1);
                printed
            }
        };
        // An empty line after what is printed only makes room on the page.
        let found: Vec<&str> = printed.trim_end().lines().collect();
        match is_printed(&expected, &found) {
            true => Ok(()),
            false => Err(format!("`{command}` printed\n{printed}and not\n{}", expected.join("\n"))),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for child in &mut self.stays {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// So many lines of what stays, as soon as they are there; the rest is read and forgotten.
fn first_lines(reader: impl Read + Send + 'static, count: usize) -> String {
    let (said, hear) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(reader).lines().map_while(Result::ok) {
            let _ = said.send(line);
        }
    });
    let mut lines = String::new();
    for _ in 0..count {
        match hear.recv_timeout(LINE_WITHIN) {
            Ok(line) => lines = format!("{lines}{line}\n"),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    lines
}
