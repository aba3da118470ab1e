//! What every fitted map from rows to rows can do, whatever its kind.

use std::any::Any;

use ndarray::Array2;
use serde_json::{Map, Value};

use super::LearnError;
use super::kernel_map::{Fourier, Nystroem};
use super::reduction::{Fisher, Pca, RandomProjection};
use super::scaling::Scaler;
use crate::data::{Features, TensorFile, TensorFileError};
use crate::progress::Progress;

/// A fitted map of rows.
pub trait Transformer: Any + Send + Sync {
    /// The rows mapped, `[n_samples, n_outputs]`.
    ///
    /// # Errors
    /// Rows unlike those of the fit, or an interruption.
    fn transform(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Features, LearnError>;

    /// Kind and size in a few words, such as `pca 50`.
    fn label(&self) -> String;

    /// The map as tensors and a document, whose `type` says which reader takes it.
    fn to_tensors(&self) -> TensorFile<'_>;

    /// What only this kind of map has; nothing that differs from run to run.
    fn details(&self) -> Map<String, Value>;

    /// Whether outputs are weighted sums of the inputs and a constant.
    fn is_affine(&self) -> bool {
        false
    }

    /// What its outputs stand for in the space of its input, where that can be said.
    fn axes(&self) -> Option<Axes> {
        None
    }
}

/// What the coordinates of a projection stand for.
#[derive(Clone, Debug, PartialEq)]
pub struct Axes {
    /// Mean of the rows of the fit, `[n_features]`.
    pub mean: Vec<f32>,
    /// What changes along each axis: covariance of the features with the coordinate, of any scale,
    /// `[n_axes, n_features]`.
    pub patterns: Array2<f32>,
    /// Share of the variance that each explains: of the total, or of that between classes; `[n_axes]`.
    pub shares: Vec<f64>,
}

/// Reads a stored map.
type Reader = fn(TensorFile<'static>) -> Result<Box<dyn Transformer>, LearnError>;

/// Readers of stored maps by the `type` in their document.
const READERS: &[(&str, Reader)] = &[
    ("pca", |file| Ok(Box::new(Pca::from_tensors(file)?))),
    ("fisher", |file| Ok(Box::new(Fisher::from_tensors(file)?))),
    ("random_projection", |file| Ok(Box::new(RandomProjection::from_tensors(file)?))),
    ("scale", |file| Ok(Box::new(Scaler::from_tensors(file)?))),
    ("nystroem", |file| Ok(Box::new(Nystroem::from_tensors(file)?))),
    ("fourier", |file| Ok(Box::new(Fourier::from_tensors(file)?))),
];

/// The map that [`Transformer::to_tensors`] stored.
///
/// # Errors
/// If its type is unknown, a part is missing, or parts do not fit together.
pub fn read_transformer(file: TensorFile<'static>) -> Result<Box<dyn Transformer>, LearnError> {
    let found = file.document["type"].as_str().unwrap_or_default();
    match READERS.iter().find(|(name, _)| *name == found) {
        Some((_, read)) => read(file),
        None => Err(TensorFileError::Malformed(format!("no map of type `{found}`")).into()),
    }
}

/// linfa's `Fit` (seed 0, no progress) for checked parameters, and `Transformer` for the map that
/// they fit. `$params` has `fit_map(&self, Samples, u64, &dyn Progress) -> Result<$map, LearnError>`.
macro_rules! linfa_transformer {
    ($params:ty, $map:ty) => {
        impl linfa::traits::Fit<$crate::data::Features, $crate::data::Labels, LearnError>
            for $params
        {
            type Object = $map;

            /// With seed 0 and the weights of the data set, if it has any.
            fn fit(
                &self,
                dataset: &linfa::DatasetBase<$crate::data::Features, $crate::data::Labels>,
            ) -> Result<$map, LearnError> {
                let weights: Option<Vec<f64>> =
                    dataset.weights().map(|all| all.iter().map(|&w| f64::from(w)).collect());
                let samples = $crate::learn::Samples {
                    features: &dataset.records,
                    labels: &dataset.targets,
                    weights: weights.as_deref(),
                };
                self.fit_map(samples, 0, &$crate::progress::Silent)
            }
        }

        impl linfa::traits::Transformer<&$crate::data::Features, $crate::data::Features> for $map {
            /// # Panics
            /// Where `transform` of our own trait gives an error: linfa's has no way to tell it.
            fn transform(&self, x: &$crate::data::Features) -> $crate::data::Features {
                let silent = &$crate::progress::Silent;
                $crate::learn::Transformer::transform(self, x, silent)
                    .unwrap_or_else(|error| panic!("{error}"))
            }
        }
    };
}

pub(super) use linfa_transformer;
