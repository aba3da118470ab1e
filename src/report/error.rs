//! Why a report could not be written.

use std::io;
use std::path::PathBuf;

use crate::nearest::nearest;

/// A run directory, table or comparison that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file or directory of the run could not be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// What was being written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The run directory is there already; a finished run is never overwritten.
    #[error("`{}` exists already", path.display())]
    Exists {
        /// The run directory.
        path: PathBuf,
    },
    /// A run directory's path has no parent or no name.
    #[error("`{}` cannot be a run directory", path.display())]
    NotARunDirectory {
        /// The path as given.
        path: PathBuf,
    },
    /// No run has that name.
    #[error("there is no run `{name}` in `{}`", reports.display())]
    RunNotFound {
        /// The run as asked for.
        name: String,
        /// Where runs are kept.
        reports: PathBuf,
        /// Pipelines and runs that are there.
        known: Vec<String>,
    },
    /// Results of an earlier run could not be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A run without what its page is made of.
    #[error("`{}` is not there: the page of this run cannot be written again", path.display())]
    NoPage {
        /// The file.
        path: PathBuf,
    },
    /// A file is there, but it does not hold results.
    #[error("`{}` is not a results file: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the reader said, with line and column.
        source: serde_json::Error,
    },
    /// Results of another layout than this program writes.
    #[error("`{}` has schema {found}, this program reads {expected}", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// The schema found.
        found: u64,
        /// The schema this program writes.
        expected: u32,
    },
    /// A table could not be built.
    #[error("cannot build the results table: {0}")]
    Table(#[from] polars::error::PolarsError),
    /// A value has no JSON form.
    #[error("cannot write the results as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl ReportError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            ReportError::Write { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    "choose a writable place with `--out DIR`; the computed stages are in the cache"
                }
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "free some space or choose another disk with `--out DIR`; nothing half-written \
                     was left, and the computed stages are in the cache"
                }
                io::ErrorKind::NotADirectory => "a file is in the way; choose another `--out DIR`",
                _ => "check the directory given with `--out`",
            },
            ReportError::Exists { .. } => "remove it or give the run another directory",
            ReportError::NotARunDirectory { .. } => "give a path such as `reports/NAME/RUN`",
            ReportError::RunNotFound { name, known, .. } => {
                let near = nearest(name, known.iter().map(String::as_str));
                return Some(match (near, known.is_empty()) {
                    (Some(near), _) => format!("the nearest name is `{near}`"),
                    (None, false) => format!("there are `{}`", known.join("`, `")),
                    (None, true) => {
                        "there are no runs yet; `pipeline run cnn_svm` makes one".to_owned()
                    }
                });
            }
            ReportError::Read { .. } => {
                "`pipeline run cnn_svm` makes a run; a run directory holds `results.json`"
            }
            ReportError::NoPage { .. }
            | ReportError::Malformed { .. }
            | ReportError::Schema { .. } => {
                "run the pipeline again; unchanged stages come from the cache"
            }
            ReportError::Table(_) | ReportError::Json(_) => return None,
        };
        Some(hint.to_owned())
    }
}
