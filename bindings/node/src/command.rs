//! The `fallgate` command: the same one as the standalone program, for `npx fallgate`.

use std::ffi::OsString;
use std::io::{IsTerminal as _, stderr, stdin, stdout};

use fallgate_cli::command::run;
use fallgate_cli::console::Console;
use napi_derive::napi;

/// Runs the command line, and gives its exit code. The first argument is the program's name.
#[napi(catch_unwind)]
pub fn run_command(arguments: Vec<String>) -> u8 {
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
    run(arguments.into_iter().map(OsString::from), &mut console)
}
