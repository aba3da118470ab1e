//! Boosting as one learner among others.

use super::params::AdaBoostValidParams;
use crate::data::TableShape;
use crate::learn::{Classifier, LearnError, Learner, NominalCost, Samples};
use crate::progress::Progress;

impl Learner for AdaBoostValidParams {
    fn fit(
        &self,
        samples: Samples,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Box<dyn Classifier>, LearnError> {
        Ok(Box::new(self.fit_model(samples, seed, progress)?))
    }

    /// As many fits of the learner as there are members.
    fn nominal_cost(&self, shape: &TableShape, n_threads: usize) -> Option<NominalCost> {
        let one = self.base.nominal_cost(shape, n_threads)?;
        Some(NominalCost { seconds: one.seconds * self.n_estimators as f64, ..one })
    }
}
