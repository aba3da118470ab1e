//! The size of what learners read, known before it is made.

use serde::{Deserialize, Serialize};

use super::{Dataset, ImageShape};

/// Sizes of a table of training and test rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableShape {
    /// Training rows, those held out included.
    pub n_train: usize,
    /// Test rows.
    pub n_test: usize,
    /// Columns.
    pub n_features: usize,
    /// Classes.
    pub n_classes: usize,
    /// Whether the rows are pixels, one byte each; else real numbers of four.
    pub is_bytes: bool,
    /// Shape of the images, if the rows are images.
    pub image: Option<ImageShape>,
}

impl TableShape {
    /// That of a data set.
    pub fn of(dataset: &Dataset) -> Self {
        TableShape::images(
            dataset.train.len(),
            dataset.test.len(),
            dataset.train.shape,
            dataset.n_classes(),
        )
    }

    /// That of images.
    pub fn images(n_train: usize, n_test: usize, image: ImageShape, n_classes: usize) -> Self {
        let (n_features, image) = (image.n_pixels(), Some(image));
        TableShape { n_train, n_test, n_features, n_classes, is_bytes: true, image }
    }

    /// Bytes of all rows.
    pub fn n_bytes(&self) -> u64 {
        let n_values = (self.n_train + self.n_test) as u64 * self.n_features as u64;
        if self.is_bytes { n_values } else { 4 * n_values }
    }
}
