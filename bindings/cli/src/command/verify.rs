//! `fallgate verify`: whether a bundle, or a trust root that follows another, is signed as a trust root asks.
//!
//! It ends with 0 where everything was verified, and with nothing else: what cannot be read, is cut short or is unknown is
//! refused like what was forged.

use std::path::{Path, PathBuf};

use fallgate::error::quoted;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Provenance, Trust};
use fallgate::policy::trust::envelope::{self, Envelope};

use super::eval::{instant, machine_time};
use crate::console::{Colours, Console, Exit, Failure, show_findings};
use crate::reading::{bytes_of, shown};
use crate::signing::{follow, refusal};

pub(super) fn run(
    file: &Path,
    roots: &[PathBuf],
    at: Option<&str>,
    console: &mut Console<'_>,
    colours: Colours,
) -> Result<Exit, Failure> {
    let now = at.map_or_else(|| Ok(machine_time()), instant)?;
    let Some(root) = follow(roots, now)? else { return Err(Failure::Usage("name a trust root".to_owned())) };
    let bytes = bytes_of(file)?;
    let verified = match Envelope::from_json(&bytes, &Limits::DEFAULT) {
        Ok(envelope) if envelope.payload_type() == envelope::TRUST => root
            .verify(&envelope, envelope::TRUST, now)
            .and_then(|signers| Ok((root.rotate(&bytes, &Limits::DEFAULT, now)?, signers)))
            .map(|(next, signers)| (format!("trust root version {}", next.version()), signers)),
        _ => Bundle::from_signed(&bytes, &Trust::keys(root), &Limits::DEFAULT, now)
            .map(|bundle| {
                let signers = match bundle.provenance() {
                    Provenance::Signed { signers, .. } => signers.to_vec(),
                    _ => Vec::new(),
                };
                (format!("{} revision {}, {}", bundle.name(), bundle.revision(), bundle.id()), signers)
            })
            .map_err(|error| error.diagnostics().first().cloned().unwrap_or_else(nothing)),
    };
    match verified {
        Ok((what, signers)) => {
            writeln!(console.out, "{what}")?;
            for signer in signers {
                writeln!(console.out, "  signed by {signer}")?;
            }
            Ok(Exit::Fine)
        }
        Err(error) => {
            show_findings(console.err, &[refusal(&quoted(&shown(file)), &error)], &[], colours.err)?;
            Ok(Exit::Denied)
        }
    }
}

/// A refusal that says nothing is a refusal too.
fn nothing() -> fallgate::error::Diagnostic {
    fallgate::error::Diagnostic::new(fallgate::error::Code::Untrusted, "", "the bundle is refused")
}
