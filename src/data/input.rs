//! How an image from anywhere becomes a row of a data set.

use serde::{Deserialize, Serialize};

use super::{Decoded, ImageShape, ImageStep};

/// What a model that was fitted on a data set expects of an image, and what its labels mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageInput {
    /// Shape of every row.
    pub shape: ImageShape,
    /// Class names by label.
    pub class_names: Vec<String>,
    /// What the images of the data set went through, from decoding on; none where an image that is
    /// brought to `shape` is a row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<ImageStep>,
}

impl ImageInput {
    /// The row of an image: every step in turn, at last its channels and size.
    ///
    /// # Shapes   result: `[shape.n_pixels()]`
    pub fn row(&self, image: &Decoded) -> Vec<u8> {
        let stepped = self.steps.iter().fold(image.clone(), |image, step| step.apply(image));
        ImageStep::Fit(self.shape).apply(stepped).pixels
    }
}
