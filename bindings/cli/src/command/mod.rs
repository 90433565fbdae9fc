//! The commands, one file each. A command reads, asks the core, and prints; it decides nothing.

mod ablate;
mod approve;
mod audit;
mod bench;
mod build;
mod chaos;
mod check;
mod control;
mod corpus;
mod diff;
mod drill;
mod eval;
mod explanation;
mod graph;
mod init;
mod keys;
mod print;
mod replay;
#[cfg(feature = "serve")]
mod serve;
mod sign;
mod sli;
mod test;
mod verify;

pub(crate) use eval::call_well;
pub(crate) use explanation::closed;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Parser as _;
use fallgate::drill::Drill;
use fallgate::error::{Code, quoted};
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::time::Wall;

use crate::arguments::{Arguments, Color, Command, Trusting};
use crate::console::{Colours, Console, Exit, Failure};
use crate::finding::{Finding, Severity};
use crate::pack::{Loaded, load_drill, load_pack, load_text};
use crate::reading::{bytes_of, shown};
use crate::signing::{follow, refusal};
use crate::source::SourceMap;

/// Runs the command line, and gives its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>, console: &mut Console<'_>) -> u8 {
    let ended = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => dispatch(&arguments, console),
        // Help and version are asked for, and go to the standard output; a mistake goes to the other.
        Err(error) if !error.use_stderr() => write!(console.out, "{}", error.render()).map(|()| Exit::Fine),
        Err(error) => write!(console.err, "{}", error.render()).map(|()| Exit::Usage),
    };
    let ended = ended.and_then(|exit| console.out.flush().map(|()| exit));
    match ended {
        Ok(exit) => exit as u8,
        // Whoever read the output has seen enough: no failure of ours.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Fine as u8,
        Err(error) => {
            // Nothing is left to say it with where this fails too.
            let _ = writeln!(console.err, "error: cannot write the output: {error}");
            Exit::BadInput as u8
        }
    }
}

fn dispatch(arguments: &Arguments, console: &mut Console<'_>) -> std::io::Result<Exit> {
    let colours = match arguments.color {
        Color::Always => Colours { out: true, err: true },
        Color::Never => Colours { out: false, err: false },
        Color::Auto => Colours {
            out: console.out_is_terminal && !console.no_color,
            err: console.err_is_terminal && !console.no_color,
        },
    };
    let result = match &arguments.command {
        Command::Init { name } => init::run(name, console),
        Command::Check { pack, format, strict, trusting } => {
            check::run(pack, trusting, *format, *strict, console, colours)
        }
        Command::Test { pack, junit, trusting } => test::run(pack, trusting, junit.as_deref(), console, colours),
        #[cfg(feature = "opa")]
        Command::Build { pack, output, keys, opa } if crate::opa::is_archive(pack) => {
            build::run_opa(pack, opa, output, keys, console, colours)
        }
        #[cfg(feature = "opa")]
        Command::Build { pack, opa, .. } if opa.says_something() => {
            let message = format!("{} is no bundle of OPA, which alone has such options", quoted(&shown(pack)));
            Err(Failure::Usage(message))
        }
        Command::Build { pack, output, keys, .. } => build::run(pack, output, keys, console, colours),
        Command::Keys(keys) => keys::run(keys, console),
        Command::Sign { file, keys, output } => sign::run(file, keys, output, console),
        Command::Verify { file, roots, at } => verify::run(file, roots, at.as_deref(), console, colours),
        Command::Approve(approve) => approve::run(approve, console, colours),
        Command::Control(control) => control::run(control, console),
        Command::Eval(eval) => eval::run(eval, console, colours),
        Command::Drill(drill) => drill::run(drill, console, colours),
        Command::Chaos(chaos) => chaos::run(chaos, console, colours),
        Command::Graph(graph) => graph::run(graph, console),
        Command::Bench(bench) => bench::run(bench, console, colours),
        Command::Replay(replay) => replay::run(replay, console),
        Command::Sli { audit, pack, format } => sli::run(audit, pack.as_deref(), *format, console),
        Command::Audit { command } => audit::run(command, console, colours),
        Command::Ablate(ablate) => ablate::run(ablate, console, colours),
        Command::Diff(diff) => diff::run(diff, console, colours),
        Command::Corpus { folder } => corpus::run(folder, console),
        #[cfg(feature = "serve")]
        Command::Serve(serve) => serve::run(serve, console),
        Command::Completions { shell } => print::completions(*shell, console),
        Command::Man { command } => print::man(command.as_deref(), console),
        Command::Schema { name } => print::schema(name, console),
        Command::BookPage { name } => print::book_page(name, console),
    };
    result.or_else(|failure| failure.show(console, colours))
}

/// A pack that compiles, and where its fields were written.
struct Compiled {
    document: serde_json::Value,
    bundle: Bundle,
    sources: SourceMap,
}

impl Compiled {
    fn warnings(&self) -> Vec<Finding> {
        let found = self.bundle.warnings().iter();
        found.map(|warning| Finding::from_diagnostic(warning, Severity::Warning, &self.sources)).collect()
    }
}

/// Reads and compiles a pack, or verifies a signed bundle where somebody said whom to trust.
fn compile_trusting(pack: &Path, trusting: &Trusting) -> Result<Compiled, Failure> {
    let now = eval::machine_time();
    match follow(&trusting.roots, now)? {
        None => compile(pack),
        Some(root) => compile_signed(pack, &Trust::keys(root), now),
    }
}

/// Verifies and compiles a signed bundle.
fn compile_signed(pack: &Path, trust: &Trust, now: Wall) -> Result<Compiled, Failure> {
    let what = quoted(&shown(pack));
    if pack.is_dir() {
        let finding = Finding::error(Code::Unsigned, format!("{what} is a folder, which nobody can have signed"));
        return Err(finding.help("build and sign it with `fallgate build --key`, and name the bundle").into());
    }
    let bytes = bytes_of(pack)?;
    let bundle = Bundle::from_signed(&bytes, trust, &Limits::DEFAULT, now).map_err(|error| {
        let findings = error.diagnostics().iter().map(|one| refusal(&what, one)).collect();
        Failure::Findings(findings, Vec::new())
    })?;
    let text = String::from_utf8_lossy(bundle.bytes());
    let Loaded { document, sources } = load_text(&shown(pack), &text)?;
    Ok(Compiled { document, bundle, sources })
}

/// Reads and compiles a pack.
fn compile(pack: &Path) -> Result<Compiled, Failure> {
    let Loaded { document, sources } = load_pack(pack)?;
    match Bundle::from_document(&document, &Trust::unsigned_for_development(), &Limits::DEFAULT) {
        Ok(bundle) if pack.is_file() && !is_text_of(&sources, &bundle) => {
            let finding = Finding::error(Code::NotCanonical, "the file is not the canonical form of its bundle");
            let finding = finding.help("build it with `fallgate build`, and leave it as it is");
            Err(Failure::Findings(vec![finding], sources.files().to_vec()))
        }
        Ok(bundle) => Ok(Compiled { document, bundle, sources }),
        Err(error) => {
            let found = error.diagnostics().iter();
            let findings = found.map(|one| Finding::from_diagnostic(one, Severity::Error, &sources)).collect();
            Err(Failure::Findings(findings, sources.files().to_vec()))
        }
    }
}

/// Whether the file that was read holds the bytes of the bundle, and no others: an engine would take no others.
fn is_text_of(sources: &SourceMap, bundle: &Bundle) -> bool {
    sources.files().first().is_some_and(|file| file.text().as_bytes() == bundle.bytes())
}

/// A drill, its file, and where its fields were written.
struct LoadedDrill {
    path: PathBuf,
    drill: Drill,
    sources: SourceMap,
}

impl LoadedDrill {
    /// The file's name, without its extension.
    fn name(&self) -> String {
        self.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Where a step was written: `path:line`.
    fn step_at(&self, step: usize) -> String {
        let place = self.sources.line_column(&format!("/steps/{step}"), None);
        place.map(|(path, line, _)| format!("{path}:{line}")).unwrap_or_default()
    }
}

/// Reads a drill.
fn read_drill(path: &Path) -> Result<LoadedDrill, Failure> {
    let Loaded { document, sources } = load_drill(path)?;
    match Drill::from_document(&document, &Limits::DEFAULT) {
        Ok(drill) => Ok(LoadedDrill { path: path.to_owned(), drill, sources }),
        Err(diagnostic) => {
            let finding = Finding::from_diagnostic(&diagnostic, Severity::Error, &sources);
            Err(Failure::Findings(vec![finding], sources.files().to_vec()))
        }
    }
}

/// `1 case`, `2 cases`.
fn counted(number: usize, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {one}s"),
    }
}
