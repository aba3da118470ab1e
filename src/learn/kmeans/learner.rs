//! The clusters as one learner among others.

use super::params::{Engine, KMeansValidParams};
use crate::data::TableShape;
use crate::learn::{Classifier, LearnError, Learner, NominalCost, Samples};
use crate::progress::Progress;

impl Learner for KMeansValidParams {
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

    /// Draws of the starts, and as many whole iterations as bounds usually leave to do.
    fn nominal_cost(&self, shape: &TableShape, n_threads: usize) -> Option<NominalCost> {
        if self.engine != Engine::Native {
            return None;
        }
        let k = self.n_clusters as f64;
        let vectors = (self.n_clusters.next_multiple_of(16)) as f64;
        let iterations = 12.0_f64.min(self.max_iter as f64);
        let per_start = (k - 1.0) * (16.0 + 2.0 * k.ln()) + iterations * (vectors + 16.0);
        let values = shape.n_train as f64 * shape.n_features as f64;
        let seconds = self.n_init as f64 * values * per_start * 2.5e-11;
        let peak_bytes = (32 * self.n_clusters * shape.n_features * 8 + shape.n_train * 64) as u64;
        Some(NominalCost { seconds: seconds / n_threads.max(1) as f64, peak_bytes })
    }
}
