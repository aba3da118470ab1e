//! Classical learners under linfa's conventions: checked parameters, `Fit`, `Predict`.

mod classifier;
mod cost;
mod input;
pub mod forest;
pub mod kernel_map;
pub mod linalg;
pub mod linear_svm;
pub mod model_selection;
pub mod svm;
pub mod tree;

use linfa::dataset::Records;

pub use classifier::{Classifier, LearnError, Learner, Meaning, Samples, Scores, read_classifier};
pub use input::{InputError, ParamError};

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
