//! What can go wrong while a model leaves or comes back.

use std::path::PathBuf;

use crate::data::TensorFileError;
use crate::nn::NnError;

/// Why a model could not be exported, or an exported one not be read.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// ONNX has no way to say it that would give the same labels.
    #[error("{what} cannot be written as ONNX")]
    Unsupported {
        /// The link or head.
        what: String,
    },
    /// An ONNX file has its tensors inside, and a limit.
    #[error("the ONNX file would have {found} bytes, the format holds {limit}")]
    TooLarge {
        /// Bytes needed.
        found: usize,
        /// Most bytes.
        limit: usize,
    },
    /// A stored model lacks a part.
    #[error(transparent)]
    Stored(#[from] TensorFileError),
    /// A network's layer.
    #[error(transparent)]
    Nn(#[from] NnError),
    /// A file of an exported model could not be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A manifest that this program does not understand.
    #[error("`{}` is no manifest of an exported model: {problem}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        problem: String,
    },
    /// A file is not the one that was exported.
    #[error("`{}` has BLAKE3 sum {found}, its manifest says {expected}", path.display())]
    Digest {
        /// The file.
        path: PathBuf,
        /// Its sum.
        found: String,
        /// That of the manifest.
        expected: String,
    },
    /// The ending of a table's name is none that is known.
    #[error("`{}` must end in {expected}", path.display())]
    TableFormat {
        /// The file.
        path: PathBuf,
        /// What is known.
        expected: &'static str,
    },
}

impl ExportError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            ExportError::Unsupported { .. } => {
                "ONNX holds networks and ensembles of them; PCA, Fisher, random projection, scaling, \
                 Nyström and Fourier maps; and of classifiers `svm`, `linear_svm`, `logistic`, \
                 `perceptron`, `mlp`, `decision_tree`, `random_forest`, `extra_trees`, \
                 `gradient_boosting`, `adaboost` of trees, `knn` (Euclidean, cosine), `kmeans`, \
                 `gaussian_nb` and `discriminant`; `--format native` leaves the ONNX file out"
            }
            ExportError::TooLarge { .. } => "`--format native` leaves the ONNX file out",
            ExportError::Digest { .. } | ExportError::Manifest { .. } => {
                "export the model again with `pipeline export`"
            }
            ExportError::Nn(error) => return error.hint(),
            ExportError::Read { .. } => "name a directory that `pipeline export` wrote",
            ExportError::Stored(_) | ExportError::TableFormat { .. } => return None,
        };
        Some(hint.to_owned())
    }
}
