//! What can go wrong while a decision is explained.

use crate::learn::LearnError;
use crate::model::ModelError;
use crate::nn::NnError;

/// Why a decision could not be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The model.
    #[error(transparent)]
    Model(ModelError),
    /// A network that was looked into.
    #[error(transparent)]
    Nn(NnError),
    /// A classifier or a search for neighbours.
    #[error(transparent)]
    Learn(LearnError),
}

macro_rules! from_room_error {
    ($error:ident, $variant:ident) => {
        impl From<$error> for ExplainError {
            fn from(error: $error) -> Self {
                match error {
                    $error::Interrupted => ExplainError::Interrupted,
                    error => ExplainError::$variant(error),
                }
            }
        }
    };
}

from_room_error!(ModelError, Model);
from_room_error!(NnError, Nn);
from_room_error!(LearnError, Learn);

impl ExplainError {
    /// Whether what was asked for is not there, rather than that something failed.
    pub fn is_usage(&self) -> bool {
        matches!(self, ExplainError::Nn(NnError::UnknownLayer { .. } | NnError::NoMaps { .. }))
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            ExplainError::Interrupted => None,
            ExplainError::Model(error) => error.hint(),
            ExplainError::Nn(error) => error.hint(),
            ExplainError::Learn(error) => error.hint(),
        }
    }
}
