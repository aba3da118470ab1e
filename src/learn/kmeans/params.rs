//! Parameters of the clustering and their check.

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};

use crate::learn::{LearnError, ParamError};

/// Where clusters start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Init {
    /// Rows far from those already chosen (Arthur and Vassilvitskii, SODA 2007), the best of
    /// `2 + ln k` draws each time, as scikit-learn.
    #[serde(rename = "k-means++")]
    KMeansPlusPlus,
    /// Different rows, all equally likely.
    #[serde(rename = "random")]
    Random,
}

/// Who moves the centres; where they start is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// This crate.
    Native,
    /// linfa-clustering.
    Linfa,
}

/// Checked parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KMeansValidParams {
    pub(super) n_clusters: usize,
    pub(super) init: Init,
    pub(super) n_init: usize,
    pub(super) max_iter: usize,
    pub(super) tol: f64,
    pub(super) engine: Engine,
}

/// Parameters as given; `check` makes them usable.
#[derive(Clone, Debug, PartialEq)]
pub struct KMeansParams(KMeansValidParams);

impl Default for KMeansParams {
    fn default() -> Self {
        Self::new()
    }
}

impl KMeansParams {
    /// Ten clusters from one start of k-means++, up to 300 iterations, `tol = 1e-4`.
    pub fn new() -> Self {
        KMeansParams(KMeansValidParams {
            n_clusters: 10,
            init: Init::KMeansPlusPlus,
            n_init: 1,
            max_iter: 300,
            tol: 1e-4,
            engine: Engine::Native,
        })
    }

    /// Clusters, from 1 to the number of samples.
    pub fn n_clusters(mut self, n_clusters: usize) -> Self {
        self.0.n_clusters = n_clusters;
        self
    }

    /// Where clusters start.
    pub fn init(mut self, init: Init) -> Self {
        self.0.init = init;
        self
    }

    /// Starts, of which the one with the least inertia is kept; at least 1.
    pub fn n_init(mut self, n_init: usize) -> Self {
        self.0.n_init = n_init;
        self
    }

    /// Most iterations of a start, at least 1.
    pub fn max_iter(mut self, max_iter: usize) -> Self {
        self.0.max_iter = max_iter;
        self
    }

    /// Squared movement of all centres at which a start ends, in units of the mean variance of the
    /// features; not below 0.
    pub fn tol(mut self, tol: f64) -> Self {
        self.0.tol = tol;
        self
    }

    /// Who moves the centres.
    pub fn engine(mut self, engine: Engine) -> Self {
        self.0.engine = engine;
        self
    }
}

impl From<KMeansValidParams> for KMeansParams {
    fn from(params: KMeansValidParams) -> Self {
        KMeansParams(params)
    }
}

impl ParamGuard for KMeansParams {
    type Checked = KMeansValidParams;
    type Error = LearnError;

    fn check_ref(&self) -> Result<&KMeansValidParams, LearnError> {
        let KMeansValidParams { n_clusters, n_init, max_iter, tol, .. } = self.0;
        for (name, found) in
            [("n_clusters", n_clusters), ("n_init", n_init), ("max_iter", max_iter)]
        {
            if found == 0 {
                return Err(ParamError::new(name, "at least 1", found).into());
            }
        }
        if !(tol.is_finite() && tol >= 0.0) {
            return Err(ParamError::new("tol", "a finite number not below 0", tol).into());
        }
        Ok(&self.0)
    }

    fn check(self) -> Result<KMeansValidParams, LearnError> {
        self.check_ref()?;
        Ok(self.0)
    }
}
