//! Random projections, which keep distances about as they are (Johnson, Lindenstrauss, 1984).
//!
//! `x R` with independent entries of mean 0 and variance `1 / n_components`: normal ones, or sparse
//! ones (Li, Hastie, Church, "Very sparse random projections", KDD 2006) that are
//! `+-sqrt(s / n_components)` with probability `1 / (2 s)` each and else 0, `s = sqrt(n_features)`:
//! scikit-learn's `GaussianRandomProjection` and `SparseRandomProjection`.

use linfa::ParamGuard;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::projection::Projection;
use crate::data::{Features, Rng, TensorFile, TensorFileError};
use crate::learn::input::check_samples;
use crate::learn::{LearnError, ParamError, Samples, Transformer};
use crate::progress::Progress;

/// What the entries are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// The normal distribution.
    Gaussian,
    /// Mostly 0.
    Sparse,
}

/// Checked parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct RandomProjectionValidParams {
    n_components: usize,
    distribution: Distribution,
}

/// Parameters as given; `check` makes them usable.
#[derive(Clone, Debug, PartialEq)]
pub struct RandomProjectionParams(RandomProjectionValidParams);

impl Default for RandomProjectionParams {
    fn default() -> Self {
        Self::new()
    }
}

impl RandomProjectionParams {
    /// 50 components from normal entries.
    pub fn new() -> Self {
        let distribution = Distribution::Gaussian;
        RandomProjectionParams(RandomProjectionValidParams { n_components: 50, distribution })
    }

    /// Components, at least 1.
    pub fn n_components(mut self, n_components: usize) -> Self {
        self.0.n_components = n_components;
        self
    }

    /// What the entries are drawn from.
    pub fn distribution(mut self, distribution: Distribution) -> Self {
        self.0.distribution = distribution;
        self
    }
}

impl ParamGuard for RandomProjectionParams {
    type Checked = RandomProjectionValidParams;
    type Error = LearnError;

    fn check_ref(&self) -> Result<&RandomProjectionValidParams, LearnError> {
        if self.0.n_components == 0 {
            return Err(ParamError::new("n_components", "at least 1", 0).into());
        }
        Ok(&self.0)
    }

    fn check(self) -> Result<RandomProjectionValidParams, LearnError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

impl RandomProjectionValidParams {
    /// Draws the map; of the samples only their number of features is read.
    ///
    /// # Errors
    /// Samples that cannot be fitted, or more components than features.
    pub fn fit_map(
        &self,
        samples: Samples,
        seed: u64,
        _progress: &dyn Progress,
    ) -> Result<RandomProjection, LearnError> {
        let n_features = check_samples(&samples, 1)?.features.n_features();
        let RandomProjectionValidParams { n_components, distribution } = *self;
        if n_components > n_features {
            let expected = format!("at most the {n_features} features");
            return Err(ParamError::new("n_components", expected, n_components).into());
        }
        let mut rng = Rng::new(seed, &["random_projection"]);
        let scale = (n_components as f64).sqrt().recip();
        let s = (n_features as f64).sqrt();
        let mut entry = || match distribution {
            Distribution::Gaussian => scale * f64::from(rng.normal_f32()),
            Distribution::Sparse => {
                let draw = f64::from(rng.unit_f32()) * 2.0 * s;
                let size = scale * s.sqrt();
                if draw < 1.0 {
                    size
                } else if draw < 2.0 {
                    -size
                } else {
                    0.0
                }
            }
        };
        let weights = Array2::from_shape_simple_fn((n_features, n_components), &mut entry);
        let projection = Projection { mean: vec![0.0; n_features], weights };
        Ok(RandomProjection { projection, distribution })
    }
}

/// A drawn map.
#[derive(Clone, Debug, PartialEq)]
pub struct RandomProjection {
    projection: Projection,
    distribution: Distribution,
}

impl RandomProjection {
    /// `R`, `[n_features, n_components]`.
    pub fn weights(&self) -> &Array2<f64> {
        &self.projection.weights
    }

    /// The map that `to_tensors` stored.
    ///
    /// # Errors
    /// If a part is missing or parts do not fit together.
    pub(in crate::learn) fn from_tensors(
        mut file: TensorFile<'static>,
    ) -> Result<Self, LearnError> {
        let projection = Projection::from_tensors(&mut file)?;
        let distribution = serde_json::from_value(file.document["distribution"].take())
            .map_err(|_| TensorFileError::Malformed("`distribution` of the map".to_owned()))?;
        Ok(RandomProjection { projection, distribution })
    }
}

impl Transformer for RandomProjection {
    fn transform(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Features, LearnError> {
        self.projection.transform(features, progress)
    }

    fn label(&self) -> String {
        format!("random projection {}", self.projection.n_components())
    }

    fn is_affine(&self) -> bool {
        true
    }

    fn to_tensors(&self) -> TensorFile<'_> {
        self.projection.to_tensors(json!({
            "type": "random_projection",
            "distribution": self.distribution,
        }))
    }

    fn details(&self) -> Map<String, Value> {
        Map::from_iter([
            ("n_components".to_owned(), json!(self.projection.n_components())),
            ("distribution".to_owned(), json!(self.distribution)),
        ])
    }
}

crate::learn::transformer::linfa_transformer!(RandomProjectionValidParams, RandomProjection);
