//! How an image from anywhere becomes a row of a data set.

use serde::{Deserialize, Serialize};

use super::ImageShape;

/// What a model that was fitted on a data set expects of an image, and what its labels mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageInput {
    /// Shape of every row.
    pub shape: ImageShape,
    /// Class names by label.
    pub class_names: Vec<String>,
}
