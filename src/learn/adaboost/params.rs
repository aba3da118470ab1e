//! Parameters of boosting and their check.

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};

use crate::learn::tree::params::at_least;
use crate::learn::{InputError, LearnError, Learner, ParamError};

/// How members vote and samples gain weight (Zhu et al., Statistics and Its Interface 2 (2009),
/// 349-360).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// By the class that a member predicts.
    #[serde(rename = "SAMME")]
    Samme,
    /// By its probabilities; scikit-learn had it up to version 1.5.
    #[serde(rename = "SAMME.R")]
    SammeR,
}

/// Checked parameters of boosting.
pub struct AdaBoostValidParams {
    pub(super) base: Box<dyn Learner>,
    pub(super) base_name: &'static str,
    pub(super) algorithm: Algorithm,
    pub(super) n_estimators: usize,
    pub(super) learning_rate: f64,
}

/// Parameters of boosting as given; `check` makes them usable.
pub struct AdaBoostParams(AdaBoostValidParams);

impl AdaBoostParams {
    /// scikit-learn's defaults, 50 members, rate 1, SAMME, over a learner with the name that errors
    /// give it.
    pub fn new(base: Box<dyn Learner>, base_name: &'static str) -> Self {
        AdaBoostParams(AdaBoostValidParams {
            base,
            base_name,
            algorithm: Algorithm::Samme,
            n_estimators: 50,
            learning_rate: 1.0,
        })
    }

    /// How members vote.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.0.algorithm = algorithm;
        self
    }

    /// Most members, at least 1.
    pub fn n_estimators(mut self, n_estimators: usize) -> Self {
        self.0.n_estimators = n_estimators;
        self
    }

    /// Factor of the votes and of the logarithms that weights grow by, above 0.
    pub fn learning_rate(mut self, learning_rate: f64) -> Self {
        self.0.learning_rate = learning_rate;
        self
    }
}

impl ParamGuard for AdaBoostParams {
    type Checked = AdaBoostValidParams;
    type Error = LearnError;

    fn check_ref(&self) -> Result<&AdaBoostValidParams, LearnError> {
        let params = &self.0;
        at_least("n_estimators", Some(params.n_estimators), 1)?;
        let rate = params.learning_rate;
        if !(rate > 0.0 && rate.is_finite()) {
            let expected = "a finite number above 0";
            return Err(ParamError::new("learning_rate", expected, rate).into());
        }
        if !params.base.takes_weights() {
            return Err(InputError::NoWeights { learner: params.base_name }.into());
        }
        Ok(params)
    }

    fn check(self) -> Result<AdaBoostValidParams, LearnError> {
        self.check_ref()?;
        Ok(self.0)
    }
}
