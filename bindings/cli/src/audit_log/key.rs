//! Secret keys in files: never shown, whatever is wrong with them.

use std::path::Path;

use data_encoding::HEXLOWER;
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

/// The key of an engine in a file: 16 bytes, or their 32 hexadecimal digits and the end of the line.
///
/// # Errors
/// A file that cannot be read, or holds no such key.
pub fn engine_key(path: &Path) -> Result<[u8; 16], Finding> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    let digits = || {
        let digits = HEXLOWER.decode(std::str::from_utf8(&bytes).ok()?.trim().as_bytes()).ok()?;
        <[u8; 16]>::try_from(digits).ok()
    };
    <[u8; 16]>::try_from(bytes.as_slice()).ok().or_else(digits).ok_or_else(|| {
        let message = format!("{} holds no key of an engine", quoted(&shown(path)));
        Finding::unreadable(message).help("such a key is 16 bytes, or their 32 hexadecimal digits in lower case")
    })
}
