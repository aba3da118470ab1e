//! What a model says of new images, image by image.

use ndarray::Array2;

use super::{Model, ModelError};
use crate::data::{Decoded, ImageInput, ImageStep};
use crate::learn::Meaning;
use crate::progress::Progress;

/// What a model says of one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The class.
    pub label: usize,
    /// The class with the largest score besides; none where there is one class.
    pub runner_up: Option<usize>,
    /// Of every class.
    pub scores: Vec<f64>,
    /// What the scores mean.
    pub meaning: Meaning,
}

/// What is done to a photograph before the model's own preparation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adjust {
    /// Dark on light to light on dark, or back.
    pub invert: bool,
    /// What is not background is scaled and put in the middle, as MNIST's digits were.
    pub centre: bool,
}

impl Adjust {
    /// The row of a decoded image: adjusted, then prepared as the training images were.
    pub fn row(self, image: &Decoded, input: &ImageInput) -> Vec<u8> {
        let mut image = image.clone();
        if input.shape.channels == 1 {
            image = ImageStep::Gray.apply(image);
        }
        if self.invert {
            image = ImageStep::Invert.apply(image);
        }
        if self.centre {
            let (height, width) = (input.shape.height, input.shape.width);
            image = ImageStep::Centre { height, width }.apply(image);
        }
        input.row(&image)
    }
}

impl Model {
    /// What it says of each row of pixels.
    ///
    /// # Errors
    /// As [`Model::predict`]; [`ModelError::PixelCount`] for a row of another width.
    pub fn answers(
        &self,
        rows: &[Vec<u8>],
        progress: &dyn Progress,
    ) -> Result<Vec<Answer>, ModelError> {
        let expected = self.chain.input.shape.n_pixels();
        if let Some(other) = rows.iter().find(|row| row.len() != expected) {
            return Err(ModelError::PixelCount { found: other.len(), expected });
        }
        let pixels = Array2::from_shape_vec((rows.len(), expected), rows.concat())
            .map_err(|_| ModelError::PixelCount { found: 0, expected })?;
        let (labels, scores) = self.labels_and_scores(pixels.view(), progress)?;
        let of_row = |(row, &label): (ndarray::ArrayView1<f64>, &usize)| {
            let others = (0..row.len()).filter(|&class| class != label);
            let better =
                |best: usize, class: usize| if row[class] > row[best] { class } else { best };
            Answer {
                label,
                runner_up: others.reduce(better),
                scores: row.to_vec(),
                meaning: scores.meaning,
            }
        };
        Ok(scores.values.rows().into_iter().zip(&labels).map(of_row).collect())
    }
}
