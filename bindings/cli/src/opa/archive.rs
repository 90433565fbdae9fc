//! From the bytes of a `.tar.gz` to named files, in memory: nothing of it is ever written, and no name becomes a path.
//!
//! An archive can be read in more than one way by more than one reader. So whatever two of them could take differently is
//! refused: links, names that differ in case alone, a file twice, bytes behind the end.

use std::collections::BTreeSet;
use std::io::Read as _;

use fallgate::error::{Code, quoted};
use flate2::bufread::GzDecoder;
use tar::EntryType;

use crate::budget::{FILE_BYTES_MAX, FILES_MAX};
use crate::finding::Finding;

/// How long a name may be.
const NAME_BYTES_MAX: usize = 1024;
/// What a tar archive is counted in.
const BLOCK: u64 = 512;

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name, without the `/` or `./` that some tools put before it.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Reads an archive.
///
/// # Errors
///
/// Bytes that are no such archive, that unfold beyond the limits, or that hold what is refused.
pub fn read(bytes: &[u8]) -> Result<Vec<File>, Finding> {
    let unfolded = unfold(bytes)?;
    let broken = |error: std::io::Error| {
        let text = error.to_string();
        Finding::error(Code::Syntax, format!("this is no tar archive: {}", quoted(&text)))
    };
    let (mut files, mut known, mut end) = (Vec::new(), BTreeSet::new(), 0_u64);
    let mut archive = tar::Archive::new(unfolded.as_slice());
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        if files.len() >= FILES_MAX {
            return Err(Finding::error(Code::LimitExceeded, format!("more than {FILES_MAX} files in one archive")));
        }
        let raw = entry.path_bytes().into_owned();
        let kind = entry.header().entry_type();
        let is_folder = kind == EntryType::Directory;
        if !is_folder && kind != EntryType::Regular {
            let message = format!("{} is neither a file nor a folder", quoted(&String::from_utf8_lossy(&raw)));
            return Err(Finding::error(Code::Unsupported, message).help("leave out links and devices"));
        }
        let name = name(&raw, is_folder)?;
        end = entry.raw_file_position().saturating_add(entry.size().next_multiple_of(BLOCK));
        if is_folder {
            continue;
        }
        if !known.insert(name.to_lowercase()) {
            let message = format!("{} stands twice, perhaps in another case", quoted(&name));
            return Err(Finding::error(Code::DuplicateName, message).help("keep one of them"));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(broken)?;
        files.push(File { name, bytes });
    }
    let rest = usize::try_from(end).ok().and_then(|end| unfolded.get(end..));
    match rest {
        // A tar archive ends with blocks of zeros: one that was cut there is cut all the same.
        Some(rest) if rest.len() >= 1024 && rest.iter().all(|byte| *byte == 0) => Ok(files),
        Some(rest) if rest.iter().any(|byte| *byte != 0) => {
            Err(Finding::error(Code::TrailingData, "something stands behind the end of the archive"))
        }
        _ => Err(Finding::error(Code::Syntax, "the archive ends too early")),
    }
}

/// What the bytes unfold to: one gzip member, and nothing behind it.
fn unfold(bytes: &[u8]) -> Result<Vec<u8>, Finding> {
    let mut decoder = GzDecoder::new(bytes);
    let mut unfolded = Vec::new();
    let read = decoder.by_ref().take(FILE_BYTES_MAX.saturating_add(1)).read_to_end(&mut unfolded);
    read.map_err(|_| Finding::error(Code::Syntax, "this is not gzip, or it was cut or changed"))?;
    if u64::try_from(unfolded.len()).is_ok_and(|length| length > FILE_BYTES_MAX) {
        let message = format!("the archive unfolds to more than {} MiB", FILE_BYTES_MAX / (1024 * 1024));
        return Err(Finding::error(Code::LimitExceeded, message));
    }
    if !decoder.into_inner().is_empty() {
        return Err(Finding::error(Code::TrailingData, "something stands behind the compressed archive"));
    }
    Ok(unfolded)
}

/// The name of an entry, where it can be read in one way only. OPA's own tools write `/data.json`, and `tar` writes
/// `./data.json`, for the `data.json` at the root of the bundle.
fn name(raw: &[u8], is_folder: bool) -> Result<String, Finding> {
    let refused = |why: &str| {
        let message = format!("the name {} {why}", quoted(&String::from_utf8_lossy(raw)));
        Finding::error(Code::InvalidName, message).help("names are relative to the root of the bundle, with `/`")
    };
    let text = std::str::from_utf8(raw).map_err(|_| refused("is not UTF-8"))?;
    let inner = text.strip_prefix("./").or_else(|| text.strip_prefix('/')).unwrap_or(text);
    let inner = if is_folder { inner.strip_suffix('/').unwrap_or(inner) } else { inner };
    if is_folder && (inner.is_empty() || inner == ".") {
        return Ok(String::new());
    }
    if inner.len() > NAME_BYTES_MAX {
        return Err(refused("is too long"));
    }
    if inner.chars().any(|letter| letter.is_control() || matches!(letter, '\\' | ':')) {
        return Err(refused("has a letter that some systems take for something else"));
    }
    if inner.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(refused("leads out of the bundle, or nowhere"));
    }
    Ok(inner.to_owned())
}
