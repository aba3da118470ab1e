//! What can be wrong with labels and predictions.

/// Why a figure could not be computed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricsError {
    /// Labels and predictions are not of the same images.
    #[error("{n_labels} labels, but {n_predicted} predictions")]
    LengthMismatch {
        /// Number of labels.
        n_labels: usize,
        /// Number of predictions.
        n_predicted: usize,
    },
    /// There is nothing to count.
    #[error("no images to evaluate")]
    Empty,
    /// A label or prediction names no class.
    #[error("row {row} has class {found}, the data set has {n_classes} classes")]
    ClassOutOfRange {
        /// Row of the label or prediction.
        row: usize,
        /// The class found.
        found: usize,
        /// Number of classes.
        n_classes: usize,
    },
}

impl MetricsError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            MetricsError::LengthMismatch { .. } => {
                Some("predict and evaluate on the same split".to_owned())
            }
            MetricsError::Empty => Some("give the data set at least one test image".to_owned()),
            MetricsError::ClassOutOfRange { .. } => {
                Some("train and evaluate on data sets with the same classes".to_owned())
            }
        }
    }
}
