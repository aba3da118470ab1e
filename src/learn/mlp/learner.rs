//! The network as one learner among others.

use super::params::MlpValidParams;
use crate::data::TableShape;
use crate::learn::{Classifier, LearnError, Learner, NominalCost, Samples};
use crate::progress::Progress;

impl Learner for MlpValidParams {
    fn fit(
        &self,
        samples: Samples,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Box<dyn Classifier>, LearnError> {
        Ok(Box::new(self.fit_model(samples, seed, progress)?))
    }

    /// As if every epoch allowed were done.
    fn nominal_cost(&self, shape: &TableShape, n_threads: usize) -> Option<NominalCost> {
        let (mut n_weights, mut before) = (0, shape.n_features);
        for &width in self.hidden.iter().chain([&shape.n_classes]) {
            n_weights += before * width;
            before = width;
        }
        let n = shape.n_train as f64;
        let products = 3.0 * n * n_weights as f64;
        let steps = n / self.batch_size as f64;
        // Products share the threads; Adam's steps and the gathering of rows do not.
        let seconds = products * 1.5e-11 / n_threads.max(1) as f64
            + steps * n_weights as f64 * 6e-10
            + n * shape.n_features as f64 * 2e-10;
        let widest = self.hidden.iter().copied().fold(shape.n_features, usize::max);
        let peak_bytes = (4 * (4 * n_weights + 4 * self.batch_size * widest)) as u64;
        Some(NominalCost { seconds: self.max_iter as f64 * seconds, peak_bytes })
    }
}
