//! The `fallgate` command, which the wheel brings along.

use std::ffi::OsString;
use std::io::{IsTerminal as _, stderr, stdin, stdout};

use fallgate_cli::command::run;
use fallgate_cli::console::Console;
use pyo3::prelude::*;

/// Runs the command line, its own name first, on the standard streams of the process; gives the exit code.
#[pyfunction]
pub(crate) fn _run_command(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    // Not as a section that a fork waits for: a command may run until it is told to stop.
    py.detach(|| {
        let (out, err, input) = (stdout(), stderr(), stdin());
        let (out_is_terminal, err_is_terminal) = (out.is_terminal(), err.is_terminal());
        let mut console = Console {
            out: &mut out.lock(),
            err: &mut err.lock(),
            input: &mut input.lock(),
            out_is_terminal,
            err_is_terminal,
            no_color: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
        };
        run(arguments, &mut console)
    })
}
