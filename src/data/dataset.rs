//! A data set as the rest of the house sees it.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::{ImageInput, ImageStep, Labels};

/// Size of one image; pixels are stored height, width, channel (channel fastest).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageShape {
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
    /// 1 (gray) or 3 (red, green, blue).
    pub channels: usize,
}

impl ImageShape {
    /// Bytes of one image.
    pub fn n_pixels(&self) -> usize {
        self.height * self.width * self.channels
    }
}

/// Images of one shape with their labels.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageSet {
    /// Shape of every image.
    pub shape: ImageShape,
    /// `[n_images, shape.n_pixels()]`, row-major.
    pub pixels: Array2<u8>,
    /// `[n_images]`, each below the number of classes.
    pub labels: Labels,
}

impl ImageSet {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.pixels.nrows()
    }

    /// Images of each class up to the largest label.
    pub fn class_counts(&self) -> Vec<usize> {
        let n_classes = self.labels.iter().max().map_or(0, |label| label + 1);
        let mut counts = vec![0; n_classes];
        self.labels.iter().for_each(|&label| counts[label] += 1);
        counts
    }

    /// True if there is no image.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Training and test images, with the rows of `train` that are held out for validation.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Registry name, such as `fashion-mnist`.
    pub name: String,
    /// Class names by label.
    pub class_names: Vec<String>,
    /// All training images, in the order of the source, validation rows included.
    pub train: ImageSet,
    /// Rows of `train` held out for validation, ascending; may be empty.
    pub validation_idx: Vec<usize>,
    /// Official test images; never used to choose anything.
    pub test: ImageSet,
    /// True for generated images: every table and page made from them says so.
    pub synthetic: bool,
    /// What the images went through since they were decoded; see [`super::ImageInput`].
    pub steps: Vec<ImageStep>,
}

impl Dataset {
    /// Number of classes.
    pub fn n_classes(&self) -> usize {
        self.class_names.len()
    }

    /// How an image from anywhere becomes one of its rows.
    pub fn input(&self) -> ImageInput {
        ImageInput {
            shape: self.train.shape,
            class_names: self.class_names.clone(),
            steps: self.steps.clone(),
        }
    }

    /// Rows of `train` that are not held out, ascending.
    pub fn fit_idx(&self) -> Vec<usize> {
        let mut held_out = vec![false; self.train.len()];
        for &row in &self.validation_idx {
            held_out[row] = true;
        }
        (0..self.train.len()).filter(|&row| !held_out[row]).collect()
    }
}
