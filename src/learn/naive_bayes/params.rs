//! Parameters and their check.

use linfa::ParamGuard;

use crate::learn::{LearnError, ParamError, Priors};

/// Which code estimates means and variances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GaussianNbEngine {
    /// Ours.
    Native,
    /// linfa-bayes, to compare with: priors as found, no weights.
    Linfa,
}

/// Checked parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct GaussianNbValidParams {
    pub(super) priors: Priors,
    pub(super) var_smoothing: f64,
    pub(super) engine: GaussianNbEngine,
}

/// Parameters as given; `check` makes them usable.
#[derive(Clone, Debug, PartialEq)]
pub struct GaussianNbParams(GaussianNbValidParams);

impl Default for GaussianNbParams {
    fn default() -> Self {
        Self::new()
    }
}

impl GaussianNbParams {
    /// scikit-learn's defaults: priors as found, `var_smoothing = 1e-9`.
    pub fn new() -> Self {
        GaussianNbParams(GaussianNbValidParams {
            priors: Priors::Empirical,
            var_smoothing: 1e-9,
            engine: GaussianNbEngine::Native,
        })
    }

    /// Prior probabilities.
    pub fn priors(mut self, priors: Priors) -> Self {
        self.0.priors = priors;
        self
    }

    /// Share of the largest variance of any feature that is added to all variances; finite, not
    /// below 0.
    pub fn var_smoothing(mut self, var_smoothing: f64) -> Self {
        self.0.var_smoothing = var_smoothing;
        self
    }

    /// Which code estimates.
    pub fn engine(mut self, engine: GaussianNbEngine) -> Self {
        self.0.engine = engine;
        self
    }
}

impl ParamGuard for GaussianNbParams {
    type Checked = GaussianNbValidParams;
    type Error = LearnError;

    fn check_ref(&self) -> Result<&GaussianNbValidParams, LearnError> {
        self.0.priors.check()?;
        let found = self.0.var_smoothing;
        if !(found.is_finite() && found >= 0.0) {
            let expected = "a finite number not below 0";
            return Err(ParamError::new("var_smoothing", expected, found).into());
        }
        if self.0.engine == GaussianNbEngine::Linfa && self.0.priors != Priors::Empirical {
            let expected = "`native` for other priors than those found";
            return Err(ParamError::new("engine", expected, "linfa").into());
        }
        Ok(&self.0)
    }

    fn check(self) -> Result<GaussianNbValidParams, LearnError> {
        self.check_ref()?;
        Ok(self.0)
    }
}
