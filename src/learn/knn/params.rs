//! Parameters of the classifier and their check.

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};

use crate::learn::{LearnError, ParamError};

/// Distance between two rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Root of the summed squared differences.
    Euclidean,
    /// Sum of the absolute differences.
    Manhattan,
    /// `1 - <a, b> / (|a| |b|)`; 1 if a row is all zeros.
    Cosine,
}

/// What a neighbour's vote counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    /// 1 each.
    Uniform,
    /// 1 over its distance; neighbours at distance 0, if there are any, decide alone.
    Distance,
}

/// Who searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// This crate: all rows, exact.
    Native,
    /// linfa-nn's ball tree.
    LinfaBallTree,
    /// linfa-nn's k-d tree.
    LinfaKdTree,
    /// linfa-nn's linear search.
    LinfaLinear,
}

impl Engine {
    /// Most training rows it takes. At the sizes of linfa's, 10,000 queries of 784 features take a
    /// minute or two; a ball tree is built in quadratic time.
    pub fn max_samples(self) -> Option<usize> {
        match self {
            Engine::Native => None,
            Engine::LinfaBallTree => Some(5_000),
            Engine::LinfaKdTree | Engine::LinfaLinear => Some(20_000),
        }
    }
}

/// Checked parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnnValidParams {
    pub(super) n_neighbors: usize,
    pub(super) metric: Metric,
    pub(super) weights: Weights,
    pub(super) engine: Engine,
}

impl KnnValidParams {
    /// What is near.
    pub fn metric(&self) -> Metric {
        self.metric
    }
}

/// Parameters as given; `check` makes them usable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KnnParams(KnnValidParams);

impl Default for KnnParams {
    fn default() -> Self {
        Self::new()
    }
}

impl KnnParams {
    /// scikit-learn's defaults: five neighbours, Euclidean, a vote each.
    pub fn new() -> Self {
        KnnParams(KnnValidParams {
            n_neighbors: 5,
            metric: Metric::Euclidean,
            weights: Weights::Uniform,
            engine: Engine::Native,
        })
    }

    /// Neighbours that vote, from 1 to the number of training rows.
    pub fn n_neighbors(mut self, n_neighbors: usize) -> Self {
        self.0.n_neighbors = n_neighbors;
        self
    }

    /// Distance.
    pub fn metric(mut self, metric: Metric) -> Self {
        self.0.metric = metric;
        self
    }

    /// What a vote counts.
    pub fn weights(mut self, weights: Weights) -> Self {
        self.0.weights = weights;
        self
    }

    /// Who searches.
    pub fn engine(mut self, engine: Engine) -> Self {
        self.0.engine = engine;
        self
    }
}

impl ParamGuard for KnnParams {
    type Checked = KnnValidParams;
    type Error = LearnError;

    fn check_ref(&self) -> Result<&KnnValidParams, LearnError> {
        if self.0.n_neighbors == 0 {
            return Err(ParamError::new("n_neighbors", "at least 1", 0).into());
        }
        if self.0.engine != Engine::Native && self.0.metric == Metric::Cosine {
            let expected = "`euclidean` or `manhattan` with an engine of linfa";
            return Err(ParamError::new("metric", expected, "`cosine`").into());
        }
        Ok(&self.0)
    }

    fn check(self) -> Result<KnnValidParams, LearnError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

impl From<KnnValidParams> for KnnParams {
    fn from(params: KnnValidParams) -> Self {
        KnnParams(params)
    }
}
