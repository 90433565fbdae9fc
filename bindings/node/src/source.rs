//! Where a pack comes from: a folder, a bundle's file, a bundle's bytes, or a document.

use std::io::Read as _;
use std::path::Path;

use fallgate::error::quoted;
use fallgate::limits::Limits;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate_cli::pack::load_pack;

use crate::failure::{Result, failure, misuse, refused, refused_at, unread};

/// The bundle of a pack's folder, or of a bundle's file.
pub(crate) fn from_path(path: &str, limits: &Limits) -> Result<Bundle> {
    let path = Path::new(path);
    if path.is_file() {
        return from_bytes(&file(path, limits)?, limits);
    }
    let loaded = load_pack(path).map_err(|error| unread(&error))?;
    Bundle::from_document(&loaded.document, &Trust::unsigned_for_development(), limits)
        .map_err(|error| refused_at(&error, &loaded.sources))
}

/// The bundle of its canonical bytes.
pub(crate) fn from_bytes(bytes: &[u8], limits: &Limits) -> Result<Bundle> {
    Bundle::from_json_within(bytes, &Trust::unsigned_for_development(), limits).map_err(|error| refused(&error))
}

/// The bundle of a pack's document, as JSON.
pub(crate) fn from_document(text: &str, limits: &Limits) -> Result<Bundle> {
    let document = serde_json::from_str(text).map_err(|error| misuse(&format!("the pack's document: {error}")))?;
    Bundle::from_document(&document, &Trust::unsigned_for_development(), limits).map_err(|error| refused(&error))
}

/// The bytes of a file. One byte more than the limit is enough to see that there are too many.
fn file(path: &Path, limits: &Limits) -> Result<Vec<u8>> {
    let most = u64::try_from(limits.bundle_bytes_max).unwrap_or(u64::MAX).saturating_add(1);
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
