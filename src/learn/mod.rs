//! Classical learners under linfa's conventions: checked parameters, `Fit`, `Predict`.

pub mod adaboost;
mod classifier;
mod cost;
pub mod discriminant;
pub mod forest;
pub mod gradient_boosting;
mod importance;
mod input;
pub mod kernel_map;
pub mod kmeans;
pub mod knn;
pub mod linalg;
mod linear_model;
pub mod linear_svm;
mod log_scores;
pub mod logistic;
mod map_rows;
pub mod mlp;
pub mod model_selection;
mod moments;
pub mod naive_bayes;
pub mod perceptron;
mod priors;
pub mod reduction;
mod rows;
pub mod scaling;
pub mod svm;
mod transformer;
pub mod tree;
mod whitening;

use linfa::dataset::Records;

pub use classifier::{
    Classifier, LearnError, Learner, Meaning, Samples, Scores, Session, read_classifier,
};
pub use importance::permutation_importance;
pub use input::{InputError, ParamError};

pub use priors::Priors;
pub use transformer::{Axes, Transformer, read_transformer};
pub use whitening::Shrinkage;

pub use cost::{NominalCost, REFERENCE_MACHINE};

use crate::data::Features;

impl Records for Features {
    type Elem = f32;

    fn nsamples(&self) -> usize {
        self.n_samples()
    }

    fn nfeatures(&self) -> usize {
        self.n_features()
    }
}
