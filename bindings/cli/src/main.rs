//! The `fallgate` command.

use std::io::{IsTerminal as _, stderr, stdin, stdout};
use std::process::ExitCode;

use fallgate_cli::command::run;
use fallgate_cli::console::Console;

fn main() -> ExitCode {
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
    ExitCode::from(run(std::env::args_os(), &mut console))
}
