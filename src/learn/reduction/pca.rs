//! Principal components (Pearson, 1901; scikit-learn's `PCA`).
//!
//! The directions `v_i` of largest variance `l_i` are eigenvectors of the covariance
//! `sum (x - m) (x - m)^T / (n - 1)`. With `k` of them kept, the mean squared error of a value of a
//! training row, rebuilt from its components, is `(n - 1) / (n p) * sum_{i > k} l_i`.

use linfa::ParamGuard;
use linfa::traits::Fit;
use ndarray::{Array2, ArrayView1};
use serde_json::{Map, Value, json};

use super::projection::{Projection, fix_signs};
use crate::data::{Features, TensorFile, TensorFileError};
use crate::learn::input::check_samples;
use crate::learn::linalg::{LargestEigen, largest_eigen, product};
use crate::learn::map_rows::{map_rows, real_rows};
use crate::learn::moments::{Grouped, Moments};
use crate::learn::transformer::Axes;
use crate::learn::{InputError, LearnError, ParamError, Samples, Transformer};
use crate::progress::Progress;

/// Share of the largest variance below which a component's own is nothing but rounding.
const NEGLIGIBLE: f64 = 1e-14;

/// Most values of linfa's engine, which holds them as `f64` three times over: 1.5 GiB each.
const LINFA_MAX_VALUES: usize = 200_000_000;

/// How many components are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Components {
    /// So many.
    Count(usize),
    /// The fewest that explain this share of the variance; above 0, at most 1.
    Variance(f64),
    /// The fewest with which the mean squared error of a value of a training row, rebuilt from them,
    /// is at most this (a byte counts as itself / 255); not below 0.
    MaxError(f64),
}

/// Which code finds the directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PcaEngine {
    /// Ours: the covariance and its eigenvectors.
    Native,
    /// linfa-reduction's truncated singular value decomposition, to compare with.
    Linfa,
}

/// Checked parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct PcaValidParams {
    components: Components,
    whiten: bool,
    engine: PcaEngine,
}

/// Parameters as given; `check` makes them usable.
#[derive(Clone, Debug, PartialEq)]
pub struct PcaParams(PcaValidParams);

impl Default for PcaParams {
    fn default() -> Self {
        Self::new()
    }
}

impl PcaParams {
    /// 50 components, not whitened.
    pub fn new() -> Self {
        let components = Components::Count(50);
        PcaParams(PcaValidParams { components, whiten: false, engine: PcaEngine::Native })
    }

    /// How many components are kept.
    pub fn components(mut self, components: Components) -> Self {
        self.0.components = components;
        self
    }

    /// Whether components are scaled to unit variance; one without variance becomes 0.
    pub fn whiten(mut self, whiten: bool) -> Self {
        self.0.whiten = whiten;
        self
    }

    /// Which code finds the directions; linfa takes a count only.
    pub fn engine(mut self, engine: PcaEngine) -> Self {
        self.0.engine = engine;
        self
    }
}

impl ParamGuard for PcaParams {
    type Checked = PcaValidParams;
    type Error = LearnError;

    fn check_ref(&self) -> Result<&PcaValidParams, LearnError> {
        let error = match self.0.components {
            Components::Count(0) => ParamError::new("n_components", "at least 1", 0),
            Components::Variance(share) if !(share > 0.0 && share <= 1.0) => {
                ParamError::new("variance", "above 0, at most 1", share)
            }
            Components::MaxError(error) if !(error.is_finite() && error >= 0.0) => {
                ParamError::new("max_error", "a finite number not below 0", error)
            }
            Components::Variance(_) | Components::MaxError(_)
                if self.0.engine == PcaEngine::Linfa =>
            {
                ParamError::new("engine", "`native` unless `n_components` is given", "linfa")
            }
            _ => return Ok(&self.0),
        };
        Err(error.into())
    }

    fn check(self) -> Result<PcaValidParams, LearnError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

impl PcaValidParams {
    /// Finds the components.
    ///
    /// # Errors
    /// Samples that cannot be fitted, fewer than two, no variation, more components than samples or
    /// features, or an interruption.
    ///
    /// # Cost
    /// `n_features^2 / 2` multiplications a row (exact integers for bytes without weights) and
    /// `4/3 n_features^3` for the eigenvalues.
    pub fn fit_map(
        &self,
        samples: Samples,
        _seed: u64,
        progress: &dyn Progress,
    ) -> Result<Pca, LearnError> {
        let checked = check_samples(&samples, 1)?;
        let rows = Grouped::whole(&checked.features, samples.weights);
        let moments = Moments::of(rows, progress)?;
        let count = moments.counts[0];
        let n_features = moments.means.ncols();
        if count.n < 2 || count.freedom() <= 0.0 {
            let what = "a covariance".to_owned();
            return Err(InputError::TooFewSamples { what, needed: 2, found: count.n }.into());
        }
        let most = count.n.min(n_features);
        if let Components::Count(found) = self.components
            && found > most
        {
            let expected =
                format!("at most {most} for {} samples of {n_features} features", count.n);
            return Err(ParamError::new("n_components", expected, found).into());
        }
        let covariance = moments.scatter / count.freedom();
        let total = covariance.diag().sum();
        if total <= 0.0 {
            let among = "among the samples";
            return Err(InputError::NoVariation { n_features, among }.into());
        }
        let mean = moments.means.row(0).to_vec();
        // What a variance adds to the mean squared error of a value if it is left out.
        let error_of = count.freedom() / count.weight / n_features as f64;
        let (variances, mut directions) = match (self.engine, self.components) {
            (PcaEngine::Linfa, Components::Count(n)) => linfa_directions(rows, n, &covariance)?,
            (_, components) => {
                let enough = |values: &[f64]| {
                    let left = total - values.iter().sum::<f64>();
                    values.len() >= most
                        || match components {
                            Components::Count(n) => values.len() >= n,
                            Components::Variance(share) => left <= (1.0 - share) * total,
                            Components::MaxError(error) => left * error_of <= error,
                        }
                };
                let LargestEigen { values, vectors } =
                    largest_eigen(covariance, &enough, progress)?;
                (values, vectors)
            }
        };
        fix_signs(&mut directions);
        let variances: Vec<f64> = variances.iter().map(|&value| value.max(0.0)).collect();
        let left = (total - variances.iter().sum::<f64>()).max(0.0);
        Ok(Pca::new(mean, directions, variances, total, left * error_of, self.whiten))
    }
}

/// linfa's axes, with their variances by the covariance: its own are divided by the number of
/// components.
fn linfa_directions(
    rows: Grouped,
    n_components: usize,
    covariance: &Array2<f64>,
) -> Result<(Vec<f64>, Array2<f64>), LearnError> {
    if rows.weights.is_some() {
        return Err(InputError::NoWeights { learner: "linfa's pca" }.into());
    }
    let (n_samples, n_features) = (rows.features.n_samples(), rows.features.n_features());
    if n_samples * n_features > LINFA_MAX_VALUES {
        return Err(LearnError::Linfa(format!(
            "its pca takes up to {LINFA_MAX_VALUES} values, found {n_samples} samples of \
             {n_features} features"
        )));
    }
    let dataset = linfa::DatasetBase::from(real_rows(rows.features, 0, n_samples));
    let fitted = linfa_reduction::Pca::params(n_components)
        .fit(&dataset)
        .map_err(|error| LearnError::Linfa(error.to_string()))?;
    let directions = fitted.components().t().as_standard_layout().into_owned();
    let spread = product(covariance, &directions);
    let variances = spread.columns().into_iter().zip(directions.columns());
    Ok((variances.map(|(spread, v)| spread.dot(&v)).collect(), directions))
}

/// Fitted components.
#[derive(Clone, Debug, PartialEq)]
pub struct Pca {
    projection: Projection,
    /// Unit vectors, `[n_features, n_components]`.
    directions: Array2<f64>,
    variances: Vec<f64>,
    total_variance: f64,
    reconstruction_error: f64,
    whiten: bool,
}

impl Pca {
    fn new(
        mean: Vec<f64>,
        directions: Array2<f64>,
        variances: Vec<f64>,
        total_variance: f64,
        reconstruction_error: f64,
        whiten: bool,
    ) -> Self {
        let mut weights = directions.clone();
        if whiten {
            for (mut direction, scale) in weights.columns_mut().into_iter().zip(scales(&variances))
            {
                direction.mapv_inplace(|v| if scale > 0.0 { v / scale } else { 0.0 });
            }
        }
        let projection = Projection { mean, weights };
        Pca { projection, directions, variances, total_variance, reconstruction_error, whiten }
    }

    /// The first components of rows that all count alike, not whitened.
    ///
    /// # Errors
    /// As [`PcaValidParams::fit_map`].
    pub fn of_rows(
        features: &Features,
        n_components: usize,
        progress: &dyn Progress,
    ) -> Result<Self, LearnError> {
        let labels = crate::data::Labels::zeros(features.n_samples());
        let samples = Samples { features, labels: &labels, weights: None };
        let params = PcaParams::new().components(Components::Count(n_components)).check()?;
        params.fit_map(samples, 0, progress)
    }

    /// Mean of the training rows, `[n_features]`.
    pub fn mean(&self) -> &[f64] {
        &self.projection.mean
    }

    /// Directions of unit length, `[n_components, n_features]`.
    pub fn components(&self) -> Array2<f64> {
        self.directions.t().as_standard_layout().into_owned()
    }

    /// Variance along each, `[n_components]`.
    pub fn explained_variance(&self) -> &[f64] {
        &self.variances
    }

    /// Share of the total variance along each, `[n_components]`.
    pub fn explained_variance_ratio(&self) -> Vec<f64> {
        self.variances.iter().map(|variance| variance / self.total_variance).collect()
    }

    /// Mean squared error of a value of a training row rebuilt from its components.
    pub fn reconstruction_error(&self) -> f64 {
        self.reconstruction_error
    }

    /// Rows rebuilt from their components, `[n_samples, n_features]`.
    ///
    /// # Errors
    /// Another number of components, or an interruption.
    pub fn inverse_transform(
        &self,
        components: &Features,
        progress: &dyn Progress,
    ) -> Result<Array2<f64>, LearnError> {
        let back = self.components();
        let (n_components, n_features) = back.dim();
        let scales: Vec<f64> =
            if self.whiten { scales(&self.variances).collect() } else { vec![1.0; n_components] };
        map_rows(components, n_components, n_features, progress, |mut rows, out: &mut [f64]| {
            rows *= &ArrayView1::from(&scales);
            crate::learn::linalg::product_into(rows.view(), back.view(), out);
            for out in out.chunks_exact_mut(n_features) {
                out.iter_mut().zip(self.mean()).for_each(|(value, mean)| *value += mean);
            }
        })
    }

    /// The map that `to_tensors` stored.
    ///
    /// # Errors
    /// If a part is missing or parts do not fit together.
    pub(in crate::learn) fn from_tensors(
        mut file: TensorFile<'static>,
    ) -> Result<Self, LearnError> {
        let malformed = || TensorFileError::Malformed("parts of the components".to_owned());
        let Projection { mean, weights: directions } = Projection::from_tensors(&mut file)?;
        let variances = file.take_f64::<ndarray::Ix1>("variances")?.to_vec();
        let number = |key: &str| file.document[key].as_f64().ok_or_else(malformed);
        let (total, error) = (number("total_variance")?, number("reconstruction_error")?);
        let whiten = file.document["whiten"].as_bool().ok_or_else(malformed)?;
        if variances.len() != directions.ncols() {
            return Err(malformed().into());
        }
        Ok(Pca::new(mean, directions, variances, total, error, whiten))
    }
}

/// What whitened components are divided by; 0 for those without variance.
fn scales(variances: &[f64]) -> impl Iterator<Item = f64> {
    let least = NEGLIGIBLE * variances.iter().copied().fold(0.0, f64::max);
    variances.iter().map(move |&value| if value > least { value.sqrt() } else { 0.0 })
}

impl Transformer for Pca {
    fn transform(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Features, LearnError> {
        self.projection.transform(features, progress)
    }

    fn label(&self) -> String {
        let whitened = if self.whiten { " whitened" } else { "" };
        format!("pca {}{whitened}", self.variances.len())
    }

    fn is_affine(&self) -> bool {
        true
    }

    fn to_tensors(&self) -> TensorFile<'_> {
        let mut file = TensorFile::new(json!({
            "type": "pca",
            "total_variance": self.total_variance,
            "reconstruction_error": self.reconstruction_error,
            "whiten": self.whiten,
        }));
        file.insert_f64("mean", ArrayView1::from(&self.projection.mean));
        file.insert_f64("weights", self.directions.view());
        file.insert_f64("variances", ArrayView1::from(&self.variances));
        file
    }

    fn details(&self) -> Map<String, Value> {
        let explained = self.variances.iter().sum::<f64>() / self.total_variance;
        [
            ("n_components", json!(self.variances.len())),
            ("whiten", json!(self.whiten)),
            ("explained_variance_ratio", json!(explained)),
            ("reconstruction_error", json!(self.reconstruction_error)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    fn axes(&self) -> Option<Axes> {
        Some(Axes {
            mean: self.mean().iter().map(|&v| v as f32).collect(),
            patterns: self.components().mapv(|v| v as f32),
            shares: self.explained_variance_ratio(),
        })
    }
}

crate::learn::transformer::linfa_transformer!(PcaValidParams, Pca);
