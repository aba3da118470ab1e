//! What can go wrong with a fitted model.

use crate::data::{DataError, TensorFileError};
use crate::learn::LearnError;
use crate::nn::NnError;

/// Why a model could not be applied, stored or read.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// Rows of another width than those of the fit.
    #[error("images of {found} pixel values, the model expects {expected}")]
    PixelCount {
        /// Values of a row.
        found: usize,
        /// Values of the images that it was fitted on.
        expected: usize,
    },
    /// A layer or HOG behind real-valued features.
    #[error("a stored chain reads images where it has features")]
    NotPixels,
    /// Images.
    #[error(transparent)]
    Data(DataError),
    /// A network.
    #[error(transparent)]
    Nn(NnError),
    /// A map or a classifier.
    #[error(transparent)]
    Learn(LearnError),
    /// A stored model could not be read.
    #[error(transparent)]
    TensorFile(#[from] TensorFileError),
}

macro_rules! from_room_error {
    ($error:ident, $variant:ident) => {
        impl From<$error> for ModelError {
            fn from(error: $error) -> Self {
                match error {
                    $error::Interrupted => ModelError::Interrupted,
                    error => ModelError::$variant(error),
                }
            }
        }
    };
}

from_room_error!(DataError, Data);
from_room_error!(NnError, Nn);
from_room_error!(LearnError, Learn);

impl ModelError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            ModelError::Data(error) => error.hint(),
            ModelError::Nn(error) => error.hint(),
            ModelError::Learn(error) => error.hint(),
            ModelError::Interrupted
            | ModelError::PixelCount { .. }
            | ModelError::NotPixels
            | ModelError::TensorFile(_) => None,
        }
    }
}
