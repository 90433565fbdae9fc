//! Where output goes and input comes from, and how a command ends.

use std::io::{self, Read, Write};

use crate::finding::Finding;
use crate::pack::LoadError;
use crate::report;
use crate::source::SourceFile;

/// The streams of one run. A test, the wheel and the npm package bring their own.
pub struct Console<'a> {
    /// Results.
    pub out: &'a mut dyn Write,
    /// What is wrong, and progress.
    pub err: &'a mut dyn Write,
    /// What `-` reads.
    pub input: &'a mut dyn Read,
    /// Whether results go to a terminal.
    pub out_is_terminal: bool,
    /// Whether what is wrong goes to a terminal.
    pub err_is_terminal: bool,
    /// Whether the environment asks for no colours (`NO_COLOR`).
    pub no_color: bool,
}

impl std::fmt::Debug for Console<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console").field("out_is_terminal", &self.out_is_terminal).finish_non_exhaustive()
    }
}

/// How a command ends. The numbers are the exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Fine, or an allow.
    Fine = 0,
    /// A deny, or findings.
    Denied = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// What the command was to read cannot be read, or is no policy.
    BadInput = 3,
}

/// Why a command could not do its work.
#[derive(Debug)]
pub enum Failure {
    /// What was read is not what it should be.
    Findings(Vec<Finding>, Vec<SourceFile>),
    /// The command line asks for what there is not.
    Usage(String),
    /// The output cannot be written.
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::Findings(vec![error.finding], error.files)
    }
}

impl From<Finding> for Failure {
    fn from(finding: Finding) -> Self {
        Self::Findings(vec![finding], Vec::new())
    }
}

/// Which colours to write.
#[derive(Clone, Copy, Debug)]
pub struct Colours {
    /// Whether results have colours.
    pub out: bool,
    /// Whether what is wrong has colours.
    pub err: bool,
}

impl Failure {
    /// Shows the failure, and says how the command ends for it.
    ///
    /// # Errors
    ///
    /// Where the output cannot be written.
    pub fn show(self, console: &mut Console<'_>, colours: Colours) -> io::Result<Exit> {
        match self {
            Self::Findings(findings, files) => {
                show_findings(console.err, &findings, &files, colours.err)?;
                Ok(Exit::BadInput)
            }
            Self::Usage(message) => {
                writeln!(console.err, "error: {message}")?;
                Ok(Exit::Usage)
            }
            Self::Output(error) => Err(error),
        }
    }
}

/// Shows findings, with an empty line between two.
///
/// # Errors
///
/// Where the output cannot be written.
pub fn show_findings(
    out: &mut dyn Write,
    findings: &[Finding],
    files: &[SourceFile],
    coloured: bool,
) -> io::Result<()> {
    for (number, finding) in findings.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        writeln!(out, "{}", report::render(finding, files, coloured))?;
    }
    Ok(())
}

/// The colours of results.
#[derive(Clone, Copy, Debug)]
pub enum Paint {
    /// An allow, a pass.
    Good,
    /// A deny, a failure.
    Bad,
    /// What could not be established.
    Doubtful,
    /// What matters less.
    Faint,
}

/// Text in a colour, or as it is.
#[must_use]
pub fn painted(text: &str, paint: Paint, coloured: bool) -> String {
    if !coloured {
        return text.to_owned();
    }
    let code = match paint {
        Paint::Good => "32",
        Paint::Bad => "31",
        Paint::Doubtful => "33",
        Paint::Faint => "2",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}
