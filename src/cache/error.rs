//! Why the cache could not be used.

use std::io;
use std::path::{Path, PathBuf};

/// Why the cache could not be used. A damaged entry is not an error: it is a miss.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The system refused to create, write, rename or read something.
    #[error("cannot {action} `{}` in the cache: {source}", path.display())]
    Io {
        /// What was tried: `create`, `write`, …
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// An artifact that an earlier run made is not there any more, or damaged.
    #[error("`{what}` is not in the cache `{}`: {why}", root.display())]
    Gone {
        /// Stage that made it.
        what: String,
        /// The cache directory.
        root: PathBuf,
        /// What was found instead.
        why: String,
    },
    /// The user asked to stop while another process held a key.
    #[error("interrupted")]
    Interrupted,
}

impl CacheError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let elsewhere = "use another directory with `--cache DIR` or `PIPELINE_CACHE`";
        match self {
            CacheError::Interrupted => None,
            CacheError::Gone { .. } => {
                Some("run the pipeline again, or name its cache by `--cache DIR`".to_owned())
            }
            CacheError::Io { source, .. } => Some(match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    format!("free some space, or {elsewhere}")
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    format!("make the directory writable, or {elsewhere}")
                }
                io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                    format!("a file stands where a directory must be: remove it, or {elsewhere}")
                }
                _ => elsewhere.to_owned(),
            }),
        }
    }
}

/// Adds what was tried and where to an error of the system.
pub(super) fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CacheError {
    let path = path.to_owned();
    move |source| CacheError::Io { action, path, source }
}
