//! Whom a host trusts to write its policy.
//!
//! `key` (a public key and its id), `envelope` (a signed document), `root` (the keys, how many of them must sign, what is
//! revoked, and how that changes), `control` (who may sign control messages). Verification comes before parsing and is over bytes; a setting that is left out has its
//! strictest meaning; every refusal has a code of its own.

pub mod control;
pub mod envelope;
pub mod key;
pub mod root;

use std::sync::Arc;

use serde::de::DeserializeOwned;

use self::key::KeyId;
use self::root::TrustRoot;
use super::bundle::{misfit, refuse_lists};
use crate::error::{Code, Diagnostic};

/// Whose bundles an engine takes. There is no default: a host says what it trusts.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Trust {
    /// Any bundle, signed or not.
    UnsignedForDevelopment,
    /// Bundles that enough keys of a trust root have signed.
    Keys(Arc<TrustRoot>),
}

impl Trust {
    /// Trusts whoever can hand the engine bytes. For development: anybody who can write the file writes the policy.
    #[must_use]
    pub const fn unsigned_for_development() -> Self {
        Self::UnsignedForDevelopment
    }

    /// Trusts bundles that enough keys of this root have signed, and no others: the absence of a signature is an error.
    #[must_use]
    pub fn keys(root: TrustRoot) -> Self {
        Self::Keys(Arc::new(root))
    }

    /// The trust root, where there is one.
    #[must_use]
    pub fn root(&self) -> Option<&TrustRoot> {
        match self {
            Self::UnsignedForDevelopment => None,
            Self::Keys(root) => Some(root),
        }
    }
}

/// How it is known who wrote a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Provenance {
    /// It is not: the host trusted whoever handed it the bytes.
    Unsigned,
    /// These keys have signed its bytes, each a different one; as many as a trust root asked for, or more.
    Signed {
        /// The keys, in the order of their ids.
        signers: Arc<[KeyId]>,
        /// How many the trust root asked for.
        threshold: usize,
    },
}

/// Reads a security-relevant document: one JSON value within a size, with no key twice, no unknown field, no list where a
/// map belongs (`maps` says where those are), and nothing behind it.
fn read<T: DeserializeOwned>(bytes: &[u8], bytes_max: usize, maps: &[&str]) -> Result<T, Diagnostic> {
    if bytes.len() > bytes_max {
        let message = format!("{} bytes, more than the limit of {bytes_max}", bytes.len());
        return Err(Diagnostic::new(Code::LimitExceeded, "", message));
    }
    let document: serde_json::Value = whole(bytes)?;
    refuse_lists(&document, maps)?;
    // From the bytes, and not from the value: there a key that stands twice would stand once.
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| misfit(&error, &document))
}

/// One JSON value, and nothing behind it.
pub(super) fn whole(bytes: &[u8]) -> Result<serde_json::Value, Diagnostic> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let document = serde::Deserialize::deserialize(&mut reader).map_err(|error: serde_json::Error| {
        let message = format!("not JSON at line {}, column {}", error.line(), error.column());
        Diagnostic::new(Code::Syntax, "", message)
    })?;
    reader.end().map_err(|error| {
        let message =
            format!("something stands behind the document, at line {}, column {}", error.line(), error.column());
        Diagnostic::new(Code::TrailingData, "", message).with_help("cut it off, or get the file again")
    })?;
    Ok(document)
}
