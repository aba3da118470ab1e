//! Parameters of the classifier and their check.

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};

use crate::learn::{LearnError, ParamError};

/// Which mistakes are corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// Each class against all others, as scikit-learn's `Perceptron`.
    OneVsRest,
    /// The wrong winner is pulled down and the right class up (Crammer and Singer, JMLR 3 (2003),
    /// 951-991).
    Multiclass,
}

/// Checked parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PerceptronValidParams {
    pub(super) variant: Variant,
    pub(super) averaged: bool,
    pub(super) fit_intercept: bool,
    pub(super) shuffle: bool,
    pub(super) max_iter: usize,
    pub(super) tol: f64,
    pub(super) n_iter_no_change: usize,
}

/// Parameters as given; `check` makes them usable.
#[derive(Clone, Debug, PartialEq)]
pub struct PerceptronParams(PerceptronValidParams);

impl Default for PerceptronParams {
    fn default() -> Self {
        Self::new()
    }
}

impl PerceptronParams {
    /// scikit-learn's defaults: one against the rest, not averaged, shuffled, up to 1000 epochs, until
    /// five bring less than 1e-3.
    pub fn new() -> Self {
        PerceptronParams(PerceptronValidParams {
            variant: Variant::OneVsRest,
            averaged: false,
            fit_intercept: true,
            shuffle: true,
            max_iter: 1000,
            tol: 1e-3,
            n_iter_no_change: 5,
        })
    }

    /// Which mistakes are corrected.
    pub fn variant(mut self, variant: Variant) -> Self {
        self.0.variant = variant;
        self
    }

    /// Whether the mean of the coefficients after every sample is kept instead of the last ones.
    pub fn averaged(mut self, averaged: bool) -> Self {
        self.0.averaged = averaged;
        self
    }

    /// Whether there is an intercept.
    pub fn fit_intercept(mut self, fit_intercept: bool) -> Self {
        self.0.fit_intercept = fit_intercept;
        self
    }

    /// Whether each epoch has an order of its own.
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.0.shuffle = shuffle;
        self
    }

    /// Most epochs, at least 1.
    pub fn max_iter(mut self, max_iter: usize) -> Self {
        self.0.max_iter = max_iter;
        self
    }

    /// Decrease of the mean loss below which an epoch brings nothing; not below 0.
    pub fn tol(mut self, tol: f64) -> Self {
        self.0.tol = tol;
        self
    }

    /// Epochs in a row that bring nothing, at which fitting ends; at least 1.
    pub fn n_iter_no_change(mut self, n_iter_no_change: usize) -> Self {
        self.0.n_iter_no_change = n_iter_no_change;
        self
    }
}

impl ParamGuard for PerceptronParams {
    type Checked = PerceptronValidParams;
    type Error = LearnError;

    fn check_ref(&self) -> Result<&PerceptronValidParams, LearnError> {
        let PerceptronValidParams { max_iter, n_iter_no_change, tol, .. } = self.0;
        for (name, found) in [("max_iter", max_iter), ("n_iter_no_change", n_iter_no_change)] {
            if found == 0 {
                return Err(ParamError::new(name, "at least 1", found).into());
            }
        }
        if !(tol.is_finite() && tol >= 0.0) {
            return Err(ParamError::new("tol", "a finite number not below 0", tol).into());
        }
        Ok(&self.0)
    }

    fn check(self) -> Result<PerceptronValidParams, LearnError> {
        self.check_ref()?;
        Ok(self.0)
    }
}
