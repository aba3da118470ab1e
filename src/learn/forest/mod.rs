//! Forests of decision trees: scikit-learn's `RandomForestClassifier` and `ExtraTreesClassifier`.

mod learner;
mod model;
mod params;
#[cfg(test)]
mod tests;

pub use model::Forest;
pub use params::{ForestKind, ForestParams, ForestValidParams};
