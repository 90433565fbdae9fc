//! `fallgate sign`: adds signatures to a bundle, to a trust root that follows another, or to a control message; those that
//! it has stay.

use std::path::{Path, PathBuf};

use fallgate::error::{BundleError, Code, quoted};
use fallgate::limits::Limits;
use fallgate::operation::Message;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::policy::trust::envelope::{self, Envelope};
use fallgate::policy::trust::root::TrustRoot;

use super::build::write_whole;
use crate::console::{Console, Exit, Failure};
use crate::finding::Finding;
use crate::reading::{bytes_of, shown};
use crate::signing::{PrivateKey, refusal};

pub(super) fn run(file: &Path, keys: &[PathBuf], output: &Path, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let bytes = bytes_of(file)?;
    let mut envelope = enveloped(file, &bytes)?;
    for path in keys {
        PrivateKey::read(path)?.sign(&mut envelope)?;
    }
    write_whole(output, &envelope.to_json())?;
    for one in envelope.signatures() {
        writeln!(console.out, "{}", one.key_id)?;
    }
    Ok(Exit::Fine)
}

/// The envelope in a file, or a new one around a bundle. Nobody signs by mistake what is neither.
fn enveloped(file: &Path, bytes: &[u8]) -> Result<Envelope, Finding> {
    let what = quoted(&shown(file));
    let trust = Trust::unsigned_for_development();
    let refused = |error: BundleError| match error.diagnostics().first() {
        Some(first) => refusal(&what, first),
        None => Finding::unreadable(format!("{what} is no bundle")),
    };
    match Envelope::from_json(bytes, &Limits::DEFAULT) {
        Ok(envelope) if envelope.payload_type() == envelope::TRUST => {
            TrustRoot::from_json(envelope.payload(), &Limits::DEFAULT).map_err(|error| refusal(&what, &error))?;
            Ok(envelope)
        }
        Ok(envelope) if envelope.payload_type() == envelope::BUNDLE => {
            Bundle::from_json(envelope.payload(), &trust).map_err(refused)?;
            Ok(envelope)
        }
        Ok(envelope) if envelope.payload_type() == envelope::CONTROL => {
            Message::from_payload(envelope.payload(), &Limits::DEFAULT)
                .map_err(|error| Finding::unreadable(format!("{what}: {error}")))?;
            Ok(envelope)
        }
        Ok(envelope) => {
            let message = format!("{what}: a payload of type {}", quoted(envelope.payload_type()));
            Err(Finding::error(Code::WrongPayloadType, message))
        }
        Err(_) => {
            Bundle::from_json(bytes, &trust).map_err(refused)?;
            Ok(Envelope::new(envelope::BUNDLE, bytes.to_vec()))
        }
    }
}
