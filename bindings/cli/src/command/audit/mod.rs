//! `fallgate audit`: chains of audit records, read back.
//!
//! Nothing is ever said to be whole because it could not be read: a chain that is not whole is a finding with the place,
//! and ends with the code of a deny; what cannot be opened ends with that of bad input.

mod checkpoint;
mod merge;
mod opa;
mod reveal;
mod show;
mod verify;

use fallgate::audit::verify::{Fault, Finding as ChainFinding};
use fallgate::error::quoted;

use crate::arguments::AuditCommand;
use crate::audit_log::lines::Line;
use crate::console::{Colours, Console, Exit, Failure, show_findings};
use crate::finding::Finding;
use crate::reading::shown;

pub(super) fn run(command: &AuditCommand, console: &mut Console<'_>, colours: Colours) -> Result<Exit, Failure> {
    match command {
        AuditCommand::Verify(verify) => verify::run(verify, console, colours),
        AuditCommand::Show(show) => show::run(show, console, colours),
        AuditCommand::Checkpoint(checkpoint) => checkpoint::run(checkpoint, console, colours),
        AuditCommand::Merge(merge) => merge::run(merge, console, colours),
        AuditCommand::Reveal(reveal) => reveal::run(reveal, console, colours),
    }
}

/// What is wrong with a chain, and where: in which line of which file, as far as there is one.
struct Broken {
    finding: ChainFinding,
    place: Option<String>,
    help: Option<&'static str>,
}

impl Broken {
    fn at(finding: ChainFinding, line: Line<'_>) -> Self {
        Self { finding, place: Some(format!("{}:{}", shown(line.path), line.number)), help: None }
    }

    /// The last line of a file without its end: a write was cut off, whatever the line says.
    fn cut_off(seq: u64, line: Line<'_>) -> Self {
        Self::at(ChainFinding { seq, fault: Fault::NotCanonical }, line)
    }

    const fn at_the_end(finding: ChainFinding) -> Self {
        Self { finding, place: None, help: None }
    }

    /// The same, with what may be the matter.
    const fn help(mut self, help: &'static str) -> Self {
        self.help = Some(help);
        self
    }

    fn message(&self) -> String {
        match &self.place {
            Some(place) => format!("{} ({})", self.finding, quoted(place)),
            None => self.finding.to_string(),
        }
    }

    fn show(&self, console: &mut Console<'_>, colours: Colours) -> std::io::Result<Exit> {
        let finding = Finding::with_code(self.finding.fault.code(), self.message());
        let finding = match self.help {
            Some(help) => finding.help(help),
            None => finding,
        };
        show_findings(console.err, &[finding], &[], colours.err)?;
        Ok(Exit::Denied)
    }
}
