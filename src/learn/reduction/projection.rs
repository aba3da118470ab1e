//! `(x - mean) W`: what all linear reductions are once fitted.

use ndarray::{Array2, ArrayView1};
use serde_json::Value;

use crate::data::{Features, TensorFile, TensorFileError};
use crate::learn::LearnError;
use crate::learn::map_rows::affine_f32;
use crate::progress::Progress;

/// A fitted projection.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Projection {
    /// `[n_features]`
    pub mean: Vec<f64>,
    /// `W`, `[n_features, n_components]`.
    pub weights: Array2<f64>,
}

impl Projection {
    pub fn transform(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Features, LearnError> {
        let mapped = affine_f32(features, &self.mean, self.weights.view(), progress)?;
        Ok(Features::Floats(mapped))
    }

    pub fn n_components(&self) -> usize {
        self.weights.ncols()
    }

    pub fn to_tensors(&self, document: Value) -> TensorFile<'_> {
        let mut file = TensorFile::new(document);
        file.insert_f64("mean", ArrayView1::from(&self.mean));
        file.insert_f64("weights", self.weights.view());
        file
    }

    pub fn from_tensors(file: &mut TensorFile<'static>) -> Result<Self, TensorFileError> {
        let mean = file.take_f64::<ndarray::Ix1>("mean")?.to_vec();
        let weights: Array2<f64> = file.take_f64("weights")?;
        if weights.nrows() != mean.len() || weights.ncols() == 0 {
            return Err(TensorFileError::Malformed("mean and weights of the map".to_owned()));
        }
        Ok(Projection { mean, weights })
    }
}

/// Turns directions (columns) so that the entry of largest size of each is positive, as
/// scikit-learn's `svd_flip`.
pub(super) fn fix_signs(directions: &mut Array2<f64>) {
    for mut direction in directions.columns_mut() {
        let mut largest = 0.0f64;
        for &value in &direction {
            if value.abs() > largest.abs() {
                largest = value;
            }
        }
        if largest < 0.0 {
            direction.mapv_inplace(|value| -value);
        }
    }
}
