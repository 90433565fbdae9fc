//! What keeps a second writer out of a folder of audit records: a lock of the system's, which ends with its process.
//!
//! JavaScript has none, and a file that merely exists would outlive a process that is killed.

use std::cell::RefCell;
use std::fs::{File, OpenOptions, TryLockError};

use napi::bindgen_prelude::External;
use napi_derive::napi;

use crate::failure::{Result, failure};

/// A lock, held until it is released or forgotten.
pub struct Lock(RefCell<Option<File>>);

/// Locks a file, and makes it where there is none, for its owner's eyes.
#[napi(catch_unwind)]
pub fn lock_file(path: String) -> Result<External<Lock>> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|error| failure("unreadable", &error.to_string(), &[]))?;
    match file.try_lock() {
        Ok(()) => Ok(External::new(Lock(RefCell::new(Some(file))))),
        Err(TryLockError::WouldBlock) => {
            let message =
                "somebody else writes the audit records of this folder; give each process a folder of its own";
            Err(failure("locked", message, &[]))
        }
        Err(TryLockError::Error(error)) => Err(failure("unreadable", &error.to_string(), &[])),
    }
}

/// Releases a lock. Twice is fine.
#[napi(catch_unwind)]
pub fn unlock_file(lock: &External<Lock>) {
    lock.0.replace(None);
}
