//! The classifier as one learner among others.

use super::params::{PerceptronValidParams, Variant};
use crate::data::TableShape;
use crate::learn::{Classifier, LearnError, Learner, NominalCost, Samples};
use crate::progress::Progress;

/// Epochs that a fit usually takes.
const EPOCHS: usize = 30;

impl Learner for PerceptronValidParams {
    fn fit(
        &self,
        samples: Samples,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Box<dyn Classifier>, LearnError> {
        Ok(Box::new(self.fit_model(samples, seed, progress)?))
    }

    fn nominal_cost(&self, shape: &TableShape, n_threads: usize) -> Option<NominalCost> {
        let n_threads = match self.variant {
            Variant::OneVsRest => n_threads.clamp(1, shape.n_classes.max(1)),
            Variant::Multiclass => 1,
        };
        let n_epochs = EPOCHS.min(self.max_iter) as f64;
        let products = shape.n_train as f64 * shape.n_classes as f64;
        let seconds = n_epochs * products * (2e-8 + 8e-11 * shape.n_features as f64);
        let peak_bytes = (shape.n_train * 8 * n_threads) as u64;
        Some(NominalCost { seconds: seconds / n_threads as f64, peak_bytes })
    }
}
