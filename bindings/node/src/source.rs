//! Where a pack comes from: a folder, a bundle's file, a bundle's bytes, or a document; and whom to trust with it.

use std::io::Read as _;
use std::path::Path;

use fallgate::error::quoted;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::policy::trust::root::TrustRoot;
use fallgate::time::Now;
use fallgate_cli::pack::load_pack;
use serde::Deserialize;
use serde_json::Value;

use crate::failure::{Result, failure, misuse, refused, refused_at, unread};

/// Whom to trust, as the JavaScript side hands it over. The bytes of a root come apart.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) enum TrustOption {
    /// Any bundle, signed or not.
    Unsigned,
    /// The root in a file.
    Path(String),
    /// The root as an object.
    Document(Value),
}

/// Whom an engine's host said to trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Nobody was named: a bundle without a signature is taken, and one with a signature is refused.
    Nothing,
    /// Any bundle is taken.
    Unsigned,
    /// A trust root: only what its keys have signed is taken.
    Root,
}

/// Whom to trust.
pub(crate) fn trust(option: Option<&TrustOption>, root: Option<&[u8]>, limits: &Limits) -> Result<(Trust, Said)> {
    let root = match (option, root) {
        (None, None) => return Ok((Trust::unsigned_for_development(), Said::Nothing)),
        (Some(TrustOption::Unsigned), _) => return Ok((Trust::unsigned_for_development(), Said::Unsigned)),
        (None, Some(bytes)) => TrustRoot::from_json(bytes, limits),
        (Some(TrustOption::Path(path)), _) => {
            TrustRoot::from_json(&file(Path::new(path), limits.trust_bytes_max)?, limits)
        }
        (Some(TrustOption::Document(document)), _) => TrustRoot::from_document(document, limits),
    };
    root.map(|root| (Trust::keys(root), Said::Root)).map_err(|error| refused(&error.into()))
}

/// What an engine is to be given.
pub(crate) enum Loaded {
    /// A bundle.
    Bundle(Box<Bundle>),
    /// Bytes that the engine's trust root has to let in.
    ToVerify(Vec<u8>),
}

impl Loaded {
    fn of(bundle: Bundle) -> Self {
        Self::Bundle(Box::new(bundle))
    }

    /// What the engine hears of that carries no signature: nobody can have signed an object or a folder.
    fn unsigned() -> Self {
        Self::ToVerify(b"{}".to_vec())
    }
}

/// A pack's folder, or a bundle's file.
pub(crate) fn from_path(path: &str, limits: &Limits, said: Said, now: Now) -> Result<Loaded> {
    let path = Path::new(path);
    if path.is_file() {
        return from_bytes(&file(path, limits.bundle_bytes_max.saturating_mul(2))?, limits, said, now);
    }
    if said == Said::Root && path.is_dir() {
        return Ok(Loaded::unsigned());
    }
    let loaded = load_pack(path).map_err(|error| unread(&error))?;
    Bundle::from_document(&loaded.document, &Trust::unsigned_for_development(), limits)
        .map(Loaded::of)
        .map_err(|error| refused_at(&error, &loaded.sources))
}

/// A bundle's canonical bytes, or the envelope around them.
pub(crate) fn from_bytes(bytes: &[u8], limits: &Limits, said: Said, now: Now) -> Result<Loaded> {
    let trust = Trust::unsigned_for_development();
    let loaded = match said {
        Said::Root => return Ok(Loaded::ToVerify(bytes.to_vec())),
        Said::Nothing => Bundle::from_json_within(bytes, &trust, limits),
        Said::Unsigned => Bundle::from_signed(bytes, &trust, limits, now.wall),
    };
    loaded.map(Loaded::of).map_err(|error| refused(&error))
}

/// A pack's document, as JSON.
pub(crate) fn from_document(text: &str, limits: &Limits, said: Said) -> Result<Loaded> {
    if said == Said::Root {
        return Ok(Loaded::unsigned());
    }
    let document = serde_json::from_str(text).map_err(|error| misuse(&format!("the pack's document: {error}")))?;
    Bundle::from_document(&document, &Trust::unsigned_for_development(), limits)
        .map(Loaded::of)
        .map_err(|error| refused(&error))
}

/// The bytes of a file. One more than the most is enough to see that there are too many.
pub(crate) fn file(path: &Path, most: usize) -> Result<Vec<u8>> {
    let most = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => {
            let message = format!("cannot read {}: {error}", quoted(&path.display().to_string()));
            Err(failure("unreadable", &message, &[]))
        }
    }
}
