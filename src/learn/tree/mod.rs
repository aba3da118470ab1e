//! Decision trees: scikit-learn's `DecisionTreeClassifier` on histograms of bytes.

pub mod bins;
mod block;
mod criterion;
mod draft;
mod drawn;
pub(in crate::learn) mod grow;
pub(in crate::learn) mod learner;
pub(in crate::learn) mod leaves;
mod linfa_engine;
pub(in crate::learn) mod model;
pub(in crate::learn) mod params;
pub(in crate::learn) mod prepare;
mod split;
pub mod structure;
#[cfg(test)]
pub(in crate::learn) mod tests;

pub use criterion::Criterion;
pub use model::DecisionTree;
pub use params::{
    DecisionTreeParams, DecisionTreeValidParams, Engine, LINFA_MAX_SAMPLES, MaxFeatures, TreeRules,
};
