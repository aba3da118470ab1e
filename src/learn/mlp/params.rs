//! Parameters of the network and their check.

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};

use crate::learn::{LearnError, ParamError};

/// What a hidden unit does with its sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `max(0, z)`
    Relu,
    /// `tanh(z)`
    Tanh,
    /// `1 / (1 + exp(-z))`
    Logistic,
}

/// Checked parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MlpValidParams {
    pub(super) hidden: Vec<usize>,
    pub(super) activation: Activation,
    pub(super) learning_rate: f64,
    pub(super) batch_size: usize,
    pub(super) alpha: f64,
    pub(super) max_iter: usize,
    pub(super) tol: f64,
    pub(super) n_iter_no_change: usize,
    pub(super) early_stopping: bool,
    pub(super) validation_fraction: f64,
}

/// Parameters as given; `check` makes them usable.
#[derive(Clone, Debug, PartialEq)]
pub struct MlpParams(MlpValidParams);

impl Default for MlpParams {
    fn default() -> Self {
        Self::new()
    }
}

impl MlpParams {
    /// scikit-learn's defaults (one hidden layer of 100 rectifiers, Adam at 1e-3, batches of 200,
    /// `alpha = 1e-4`), but for 20 epochs at most instead of 200.
    pub fn new() -> Self {
        MlpParams(MlpValidParams {
            hidden: vec![100],
            activation: Activation::Relu,
            learning_rate: 1e-3,
            batch_size: 200,
            alpha: 1e-4,
            max_iter: 20,
            tol: 1e-4,
            n_iter_no_change: 10,
            early_stopping: false,
            validation_fraction: 0.1,
        })
    }

    /// Units of each hidden layer, at least one layer of at least one.
    pub fn hidden(mut self, hidden: Vec<usize>) -> Self {
        self.0.hidden = hidden;
        self
    }

    /// What a hidden unit does.
    pub fn activation(mut self, activation: Activation) -> Self {
        self.0.activation = activation;
        self
    }

    /// Adam's step size, above 0.
    pub fn learning_rate(mut self, learning_rate: f64) -> Self {
        self.0.learning_rate = learning_rate;
        self
    }

    /// Samples of a step, at least 1.
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.0.batch_size = batch_size;
        self
    }

    /// L2 penalty of the weights over the samples of a batch, not below 0.
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.0.alpha = alpha;
        self
    }

    /// Most epochs, at least 1.
    pub fn max_iter(mut self, max_iter: usize) -> Self {
        self.0.max_iter = max_iter;
        self
    }

    /// Improvement of the loss, or of the accuracy on held-out samples, below which an epoch brings
    /// nothing; not below 0.
    pub fn tol(mut self, tol: f64) -> Self {
        self.0.tol = tol;
        self
    }

    /// Training ends after more epochs in a row than this that bring nothing; at least 1.
    pub fn n_iter_no_change(mut self, n_iter_no_change: usize) -> Self {
        self.0.n_iter_no_change = n_iter_no_change;
        self
    }

    /// Whether some samples are held out, whose accuracy decides when training ends and which epoch
    /// is kept.
    pub fn early_stopping(mut self, early_stopping: bool) -> Self {
        self.0.early_stopping = early_stopping;
        self
    }

    /// Share of each class that is held out, between 0 and 1.
    pub fn validation_fraction(mut self, validation_fraction: f64) -> Self {
        self.0.validation_fraction = validation_fraction;
        self
    }
}

impl From<MlpValidParams> for MlpParams {
    fn from(params: MlpValidParams) -> Self {
        MlpParams(params)
    }
}

impl ParamGuard for MlpParams {
    type Checked = MlpValidParams;
    type Error = LearnError;

    fn check_ref(&self) -> Result<&MlpValidParams, LearnError> {
        let params = &self.0;
        if params.hidden.is_empty() || params.hidden.contains(&0) {
            let expected = "one or more layers of at least 1 unit";
            return Err(ParamError::new("hidden", expected, format!("{:?}", params.hidden)).into());
        }
        for (name, found) in [
            ("batch_size", params.batch_size),
            ("max_iter", params.max_iter),
            ("n_iter_no_change", params.n_iter_no_change),
        ] {
            if found == 0 {
                return Err(ParamError::new(name, "at least 1", found).into());
            }
        }
        let rate = params.learning_rate;
        if !(rate > 0.0 && rate.is_finite()) {
            return Err(ParamError::new("learning_rate", "a finite number above 0", rate).into());
        }
        for (name, found) in [("alpha", params.alpha), ("tol", params.tol)] {
            if !(found.is_finite() && found >= 0.0) {
                return Err(ParamError::new(name, "a finite number not below 0", found).into());
            }
        }
        let fraction = params.validation_fraction;
        if !(fraction > 0.0 && fraction < 1.0) {
            return Err(ParamError::new("validation_fraction", "between 0 and 1", fraction).into());
        }
        Ok(params)
    }

    fn check(self) -> Result<MlpValidParams, LearnError> {
        self.check_ref()?;
        Ok(self.0)
    }
}
