//! The command as a shell runs it, inside this process.

use std::ffi::OsString;

use fallgate_cli::command::run;
use fallgate_cli::console::Console;

/// What one run came to.
pub(crate) struct Ran {
    pub(crate) exit: u8,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the command with this standard input.
pub(crate) fn fallgate_with(arguments: &[&str], mut input: &[u8], is_terminal: bool) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut console = Console {
        out: &mut out,
        err: &mut err,
        input: &mut input,
        out_is_terminal: is_terminal,
        err_is_terminal: false,
        no_color: false,
    };
    let arguments = std::iter::once("fallgate").chain(arguments.iter().copied()).map(OsString::from);
    let exit = run(arguments, &mut console);
    Ran { exit, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

/// Runs the command with nothing to read.
pub(crate) fn fallgate(arguments: &[&str]) -> Ran {
    fallgate_with(arguments, b"", false)
}
