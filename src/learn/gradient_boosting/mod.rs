//! Gradient boosted trees for classification: scikit-learn's `HistGradientBoostingClassifier` on
//! bytes or real features.

mod boosting;
mod grower;
mod learner;
mod loss;
mod model;
mod packed;
mod params;
#[cfg(test)]
mod tests;

pub use model::{BoostingReport, GradientBoosting};
pub use params::{EarlyStopping, GradientBoostingParams, GradientBoostingValidParams};
