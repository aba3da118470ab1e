//! One process at a time makes the artifact of a key.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use super::error::{CacheError, at};

/// How often a waiting process looks again; also bounds how long it takes to notice Ctrl-C.
const POLL: Duration = Duration::from_millis(50);

/// The right to make the artifact of one key; given back when dropped or when the process ends,
/// however it ends.
#[must_use]
pub struct KeyLock {
    key: String,
    /// Holds the lock of the operating system.
    _file: File,
}

impl KeyLock {
    /// The locked key.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// Locks the file at `path`, asking `keep_waiting` at every look while another process holds it.
///
/// Lock files are never deleted: a process that waits on a deleted file would share the key with
/// one that locks the new file.
pub(super) fn acquire(
    path: &Path,
    key: &str,
    keep_waiting: &mut dyn FnMut() -> bool,
) -> Result<KeyLock, CacheError> {
    let file = open(path).map_err(at("create", path))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(KeyLock { key: key.to_owned(), _file: file }),
            Err(TryLockError::WouldBlock) => {
                if !keep_waiting() {
                    return Err(CacheError::Interrupted);
                }
                std::thread::sleep(POLL);
            }
            // Some network file systems have no locks: work may then be done twice, never wrong,
            // because every file is renamed into place whole.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                return Ok(KeyLock { key: key.to_owned(), _file: file });
            }
            Err(TryLockError::Error(error)) => return Err(at("lock", path)(error)),
        }
    }
}

/// Locks the file at `path` if nobody holds it, without waiting.
pub(super) fn try_acquire(path: &Path, key: &str) -> Option<KeyLock> {
    let file = open(path).ok()?;
    file.try_lock().ok()?;
    Some(KeyLock { key: key.to_owned(), _file: file })
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}
