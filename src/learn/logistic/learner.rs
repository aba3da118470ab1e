//! The classifier as one learner among others.

use super::params::{Engine, LogisticValidParams};
use crate::data::TableShape;
use crate::learn::{Classifier, LearnError, Learner, NominalCost, Samples};
use crate::progress::Progress;

impl Learner for LogisticValidParams {
    fn fit(
        &self,
        samples: Samples,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Box<dyn Classifier>, LearnError> {
        Ok(Box::new(self.fit_model(samples, seed, progress)?))
    }

    fn takes_weights(&self) -> bool {
        self.engine == Engine::Native
    }

    /// As if every iteration allowed were done, with little more than one evaluation each.
    fn nominal_cost(&self, shape: &TableShape, n_threads: usize) -> Option<NominalCost> {
        if self.engine != Engine::Native {
            return None;
        }
        let n_vectors = if shape.n_classes == 2 { 1 } else { shape.n_classes } as f64;
        let values = shape.n_train as f64 * shape.n_features as f64;
        let evaluation = values * (4e-10 + 5e-11 * n_vectors);
        let seconds = 1.1 * self.max_iter as f64 * evaluation / n_threads.max(1) as f64;
        let width = shape.n_features as u64 + 1;
        let moments = if width > 2_000 { 0 } else { 32 * 8 * width * width };
        Some(NominalCost { seconds, peak_bytes: moments + 64 * width * n_vectors as u64 })
    }
}
