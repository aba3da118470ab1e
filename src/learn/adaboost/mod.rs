//! Boosting of any learner that weighs samples: scikit-learn's `AdaBoostClassifier`.

mod boosting;
mod learner;
mod model;
mod params;
#[cfg(test)]
mod tests;

pub use model::AdaBoost;
pub use params::{AdaBoostParams, AdaBoostValidParams, Algorithm};
