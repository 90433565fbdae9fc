//! Secret keys in files: never shown, whatever is wrong with them.

use std::path::Path;

use fallgate::error::quoted;

use super::lines::hash_of;
use crate::finding::Finding;
use crate::reading::{shown, unreadable};

/// The secret key in a file: 32 bytes, or their 64 hexadecimal digits and the end of the line.
///
/// # Errors
/// A file that cannot be read, or holds no key.
pub fn secret_key(path: &Path) -> Result<[u8; 32], Finding> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    let digits = || hash_of(std::str::from_utf8(&bytes).ok()?.trim());
    <[u8; 32]>::try_from(bytes.as_slice()).ok().or_else(digits).ok_or_else(|| {
        let message = format!("{} holds no key", quoted(&shown(path)));
        Finding::unreadable(message).help("a key is 32 bytes, or their 64 hexadecimal digits in lower case")
    })
}
