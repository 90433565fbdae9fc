//! The `fallgate` command.

use std::fs::OpenOptions;
use std::io::{IsTerminal as _, Write as _, stderr, stdin, stdout};
use std::panic::Location;
use std::process::ExitCode;

use fallgate_cli::command::run;
use fallgate_cli::console::Console;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| tell_place(panic.location())));
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

/// Says where a panic was, and not what it says: its message may quote a request. Past the lock of the standard error, which
/// this command holds while it runs and which a thread that panics would wait for.
fn tell_place(place: Option<&Location<'_>>) {
    let place = place.map_or_else(String::new, |place| format!(" at {place}"));
    if let Ok(mut err) = OpenOptions::new().append(true).open("/dev/stderr") {
        // Whom nobody hears has told nobody.
        let _ = writeln!(err, "fallgate: internal error{place}; what was being decided is a deny");
    }
}
