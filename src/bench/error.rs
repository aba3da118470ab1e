//! Why a bench could not be made.

use std::io;
use std::path::PathBuf;

/// Why a bench could not be made; an engine that fails is a line of its table instead.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A size is beyond the training images, or cannot hold every class.
    #[error("size {found} is out of range, `{dataset}` allows {least} to {most} training images")]
    Size {
        /// Size asked for.
        found: usize,
        /// Data set.
        dataset: String,
        /// Two images of each class.
        least: usize,
        /// All training images.
        most: usize,
    },
    /// The Python that was named cannot be started.
    #[error("cannot start the Python `{}`: {source}", path.display())]
    NoPython {
        /// As named.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What was named as Python starts, and does not behave like one.
    #[error("`{}` is no usable Python: {reason}", path.display())]
    NotPython {
        /// As named.
        path: PathBuf,
        /// What was met.
        reason: String,
    },
    /// The data for Python could not be written.
    #[error("cannot hand the data to Python: {0}")]
    Scratch(io::Error),
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl BenchError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            BenchError::Size { found, most, .. } if found > most => {
                format!("leave `--sizes` out, or ask for {most} at most")
            }
            BenchError::Size { least, .. } => format!("ask for at least {least}"),
            BenchError::NoPython { .. } | BenchError::NotPython { .. } => {
                "name one that has scikit-learn, such as `--peer-python ./venv/bin/python`"
                    .to_owned()
            }
            BenchError::Scratch(_) => {
                "free some space, or set TMPDIR to a directory with more".to_owned()
            }
            BenchError::Interrupted => "a bench starts anew each time".to_owned(),
        };
        Some(hint)
    }

    /// True if the command line asked for what cannot be had.
    pub fn is_usage(&self) -> bool {
        use BenchError::*;
        matches!(self, Size { .. } | NoPython { .. } | NotPython { .. })
    }
}
