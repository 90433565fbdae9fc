//! Programs that a test runs and that not every machine has.

use std::process::{Command, Stdio};

/// Whether the program runs here. Where it does not, the test is left out and says so, unless `FALLGATE_TOOLS_REQUIRED` is
/// set, as it is in continuous integration.
pub(crate) fn has(program: &str, what: &str) -> bool {
    match Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(_) => true,
        Err(error) => {
            assert!(std::env::var_os("FALLGATE_TOOLS_REQUIRED").is_none(), "`{program}` does not run: {error}");
            eprintln!("left out: {what}, since `{program}` does not run here ({error})");
            false
        }
    }
}
