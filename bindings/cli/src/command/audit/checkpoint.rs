//! `fallgate audit checkpoint`: where a whole chain has come to, signed, to be kept elsewhere.

use fallgate::audit::checkpoint::Checkpoint;
use fallgate::time::{Monotonic, Now};

use super::verify;
use crate::arguments::AuditCheckpoint;
use crate::audit_log::key::secret_key;
use crate::command::eval::machine_time;
use crate::console::{Colours, Console, Exit, Failure};

pub(super) fn run(checkpoint: &AuditCheckpoint, console: &mut Console<'_>, colours: Colours) -> Result<Exit, Failure> {
    let secret = secret_key(&checkpoint.secret_key_file)?;
    // Nobody signs for a chain that is not whole.
    let whole = match verify::read(&checkpoint.verify, console.err_is_terminal)? {
        Ok(whole) => whole,
        Err(broken) => return Ok(broken.show(console, colours)?),
    };
    let now = Now::new(Monotonic::ZERO, machine_time());
    writeln!(console.out, "{}", Checkpoint::new(whole.head, now).signed_with(&secret))?;
    Ok(Exit::Fine)
}
