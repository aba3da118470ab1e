//! Fisher's linear discriminant as a reduction (Fisher, 1936; scikit-learn's
//! `LinearDiscriminantAnalysis.transform` with its solver `svd`).
//!
//! The directions `w` of largest `w^T S_B w / w^T S_W w`, at most one fewer than classes. `S_W` is
//! singular on raw pixels: its features are scaled to unit deviation, directions of a deviation below
//! 1e-4 dropped, and the class means decomposed where `S_W` is the identity.

use linfa::ParamGuard;
use ndarray::{Array1, Array2, ArrayView1, s};
use serde_json::{Map, Value, json};

use super::projection::{Projection, fix_signs};
use crate::data::{Features, TensorFile, TensorFileError};
use crate::learn::input::check_samples;
use crate::learn::linalg::{product, right_singular_vectors};
use crate::learn::moments::{Grouped, Moments, overall_mean};
use crate::learn::transformer::Axes;
use crate::learn::whitening::{RANK_TOL, Shrinkage, Singular, Whitening, deviations, shrink};
use crate::learn::{InputError, LearnError, ParamError, Samples, Transformer};
use crate::progress::Progress;

/// Checked parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct FisherValidParams {
    n_components: Option<usize>,
    shrinkage: Shrinkage,
}

/// Parameters as given; `check` makes them usable.
#[derive(Clone, Debug, PartialEq)]
pub struct FisherParams(FisherValidParams);

impl Default for FisherParams {
    fn default() -> Self {
        Self::new()
    }
}

impl FisherParams {
    /// As many components as there are, no shrinkage.
    pub fn new() -> Self {
        FisherParams(FisherValidParams { n_components: None, shrinkage: Shrinkage::None })
    }

    /// Components kept, at least 1; none for all that separate the class means.
    pub fn n_components(mut self, n_components: Option<usize>) -> Self {
        self.0.n_components = n_components;
        self
    }

    /// Shrinkage of the covariance within classes.
    pub fn shrinkage(mut self, shrinkage: Shrinkage) -> Self {
        self.0.shrinkage = shrinkage;
        self
    }
}

impl ParamGuard for FisherParams {
    type Checked = FisherValidParams;
    type Error = LearnError;

    fn check_ref(&self) -> Result<&FisherValidParams, LearnError> {
        if self.0.n_components == Some(0) {
            return Err(ParamError::new("n_components", "at least 1", 0).into());
        }
        self.0.shrinkage.check()?;
        Ok(&self.0)
    }

    fn check(self) -> Result<FisherValidParams, LearnError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

impl FisherValidParams {
    /// Finds the directions.
    ///
    /// # Errors
    /// Samples that cannot be fitted, no variation within the classes, equal class means, more
    /// components than `min(n_classes - 1, n_features)`, or an interruption.
    ///
    /// # Cost
    /// `n_features^2 / 2` multiplications a row (exact integers for bytes without weights) and
    /// `n_features^3`; nine times that if a direction is dropped.
    pub fn fit_map(
        &self,
        samples: Samples,
        _seed: u64,
        progress: &dyn Progress,
    ) -> Result<Fisher, LearnError> {
        let checked = check_samples(&samples, 2)?;
        let n_present = checked.is_present.iter().filter(|&&present| present).count();
        let n_features = checked.features.n_features();
        let most = (n_present - 1).min(n_features);
        let wanted = self.n_components.unwrap_or(most);
        if wanted > most {
            let expected =
                format!("at most {most} for {n_present} classes and {n_features} features");
            return Err(ParamError::new("n_components", expected, wanted).into());
        }
        let rows = Grouped {
            features: &checked.features,
            groups: Some(samples.labels),
            n_groups: checked.n_classes,
            weights: samples.weights,
        };
        let moments = Moments::of(rows, progress)?;
        let found = moments.counts.iter().map(|count| count.n).sum();
        if found <= n_present {
            let what = format!("a covariance within {n_present} classes");
            return Err(InputError::TooFewSamples { what, needed: n_present + 1, found }.into());
        }
        let share = self.shrinkage.share(rows, &moments, progress)?;
        let mut covariance = &moments.scatter / moments.weight();
        shrink(&mut covariance, share);
        let scales = deviations(&covariance, &moments);
        let whitening = Whitening::new(&covariance, &scales, Singular::Drop, progress)?;
        if whitening.rank == 0 {
            let among = "within the classes";
            return Err(InputError::NoVariation { n_features, among }.into());
        }
        let mean = overall_mean(&moments.counts, &moments.means);
        let total: f64 = moments.counts.iter().map(|count| count.weight).sum();
        // Rows whose outer products sum to the covariance between classes.
        let mut between = &moments.means - &Array1::from(mean.clone());
        for (mut row, count) in between.rows_mut().into_iter().zip(&moments.counts) {
            row *= (count.weight / total).sqrt();
        }
        let whitened = product(&between, &whitening.matrix);
        let (singular, vectors) = right_singular_vectors(&whitened)?;
        let least = RANK_TOL * singular.first().copied().unwrap_or(0.0);
        let n_found = singular.iter().take(most).filter(|&&value| value > least).count();
        if n_found == 0 {
            let among = "between the classes";
            return Err(InputError::NoVariation { n_features, among }.into());
        }
        let n_kept = wanted.min(n_found);
        let kept = vectors.slice(s![..n_kept, ..]).t().as_standard_layout().into_owned();
        let mut weights = product(&whitening.matrix, &kept);
        fix_signs(&mut weights);
        let patterns = product(&covariance, &weights);
        let squares: Vec<f64> = singular.iter().map(|value| value * value).collect();
        let between: f64 = squares.iter().sum();
        Ok(Fisher {
            projection: Projection { mean, weights },
            patterns,
            shares: squares[..n_kept].iter().map(|square| square / between).collect(),
            shrinkage: share,
            rank: whitening.rank,
        })
    }
}

/// Fitted directions.
#[derive(Clone, Debug, PartialEq)]
pub struct Fisher {
    projection: Projection,
    /// Covariance of each feature with each coordinate within the classes: what changes along a
    /// direction, where the weights of features that hardly vary say little
    /// (Haufe et al., NeuroImage 87 (2014), 96-110). `[n_features, n_components]`
    patterns: Array2<f64>,
    shares: Vec<f64>,
    shrinkage: f64,
    rank: usize,
}

impl Fisher {
    /// Directions with unit variance within classes, `[n_features, n_components]`.
    pub fn scalings(&self) -> &Array2<f64> {
        &self.projection.weights
    }

    /// Share of the variance between classes along each, `[n_components]`.
    pub fn explained_variance_ratio(&self) -> &[f64] {
        &self.shares
    }

    /// The map that `to_tensors` stored.
    ///
    /// # Errors
    /// If a part is missing or parts do not fit together.
    pub(in crate::learn) fn from_tensors(
        mut file: TensorFile<'static>,
    ) -> Result<Self, LearnError> {
        let malformed = || TensorFileError::Malformed("parts of the discriminant".to_owned());
        let projection = Projection::from_tensors(&mut file)?;
        let shares = file.take_f64::<ndarray::Ix1>("shares")?.to_vec();
        let shrinkage = file.document["shrinkage"].as_f64().ok_or_else(malformed)?;
        let rank = file.document["rank"].as_u64().ok_or_else(malformed)? as usize;
        let patterns: Array2<f64> = file.take_f64("patterns")?;
        if shares.len() != projection.n_components() || patterns.dim() != projection.weights.dim() {
            return Err(malformed().into());
        }
        Ok(Fisher { projection, patterns, shares, shrinkage, rank })
    }
}

impl Transformer for Fisher {
    fn transform(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Features, LearnError> {
        self.projection.transform(features, progress)
    }

    fn label(&self) -> String {
        format!("fisher {}", self.shares.len())
    }

    fn is_affine(&self) -> bool {
        true
    }

    fn to_tensors(&self) -> TensorFile<'_> {
        let mut file = self.projection.to_tensors(json!({
            "type": "fisher",
            "shrinkage": self.shrinkage,
            "rank": self.rank,
        }));
        file.insert_f64("shares", ArrayView1::from(&self.shares));
        file.insert_f64("patterns", self.patterns.view());
        file
    }

    fn details(&self) -> Map<String, Value> {
        [
            ("n_components", json!(self.shares.len())),
            ("shrinkage", json!(self.shrinkage)),
            ("rank", json!(self.rank)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    fn axes(&self) -> Option<Axes> {
        Some(Axes {
            mean: self.projection.mean.iter().map(|&v| v as f32).collect(),
            patterns: self.patterns.t().mapv(|v| v as f32).as_standard_layout().into_owned(),
            shares: self.shares.clone(),
        })
    }
}

crate::learn::transformer::linfa_transformer!(FisherValidParams, Fisher);
