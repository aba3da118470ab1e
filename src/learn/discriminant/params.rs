//! Parameters and their check.

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};

use crate::learn::whitening::Shrinkage;
use crate::learn::{LearnError, Priors};

/// What is assumed of the covariances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Covariance {
    /// Case I: all classes vary by the same amount in every direction.
    Spherical,
    /// Case II: all classes have the same covariance.
    Shared,
    /// Case III: each class has its own.
    PerClass,
}

/// Checked parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct DiscriminantValidParams {
    pub(super) covariance: Covariance,
    pub(super) priors: Priors,
    pub(super) shrinkage: Shrinkage,
}

/// Parameters as given; `check` makes them usable.
#[derive(Clone, Debug, PartialEq)]
pub struct DiscriminantParams(DiscriminantValidParams);

impl Default for DiscriminantParams {
    fn default() -> Self {
        Self::new()
    }
}

impl DiscriminantParams {
    /// One covariance for all classes, priors as found, no shrinkage.
    pub fn new() -> Self {
        DiscriminantParams(DiscriminantValidParams {
            covariance: Covariance::Shared,
            priors: Priors::Empirical,
            shrinkage: Shrinkage::None,
        })
    }

    /// Assumption about the covariances.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.0.covariance = covariance;
        self
    }

    /// Prior probabilities.
    pub fn priors(mut self, priors: Priors) -> Self {
        self.0.priors = priors;
        self
    }

    /// Shrinkage of the covariance, or of each class's own; a spherical one has nothing to shrink.
    pub fn shrinkage(mut self, shrinkage: Shrinkage) -> Self {
        self.0.shrinkage = shrinkage;
        self
    }
}

impl ParamGuard for DiscriminantParams {
    type Checked = DiscriminantValidParams;
    type Error = LearnError;

    fn check_ref(&self) -> Result<&DiscriminantValidParams, LearnError> {
        self.0.priors.check()?;
        self.0.shrinkage.check()?;
        Ok(&self.0)
    }

    fn check(self) -> Result<DiscriminantValidParams, LearnError> {
        self.check_ref()?;
        Ok(self.0)
    }
}
