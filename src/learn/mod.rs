//! Classical learners under linfa's conventions: checked parameters, `Fit`, `Predict`.

pub mod svm;

use linfa::dataset::Records;

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
