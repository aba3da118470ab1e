//! Means and variances by class.

use ndarray::Axis;

use super::linfa_engine;
use super::model::GaussianNb;
use super::params::{GaussianNbEngine, GaussianNbValidParams};
use crate::data::TableShape;
use crate::learn::input::check_samples;
use crate::learn::moments::{Count, Grouped, Variances};
use crate::learn::{Classifier, InputError, LearnError, Learner, NominalCost, Samples};
use crate::progress::Progress;

/// Values summed a second, on one core: of bytes, of floats.
const VALUES_PER_SECOND: (f64, f64) = (2e9, 2.5e8);

impl Learner for GaussianNbValidParams {
    fn fit(
        &self,
        samples: Samples,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Box<dyn Classifier>, LearnError> {
        Ok(Box::new(self.fit_model(samples, seed, progress)?))
    }

    fn takes_weights(&self) -> bool {
        self.engine == GaussianNbEngine::Native
    }

    fn nominal_cost(&self, shape: &TableShape, n_threads: usize) -> Option<NominalCost> {
        let values = shape.n_train as f64 * shape.n_features as f64;
        let speed = if shape.is_bytes { VALUES_PER_SECOND.0 } else { VALUES_PER_SECOND.1 };
        let predict = (shape.n_test * shape.n_features * shape.n_classes) as f64 / 1e10;
        let seconds = (values / speed + predict) / n_threads as f64;
        let sums = 2 * 8 * shape.n_classes * shape.n_features * n_threads.max(8);
        Some(NominalCost { seconds, peak_bytes: sums as u64 })
    }
}

impl GaussianNbValidParams {
    /// Fits the classifier.
    ///
    /// # Errors
    /// Samples that cannot be fitted, a variance of 0 even when smoothed, priors that do not cover the
    /// labels, or an interruption.
    ///
    /// # Cost
    /// One pass over bytes without weights, two over others.
    pub(super) fn fit_model(
        &self,
        samples: Samples,
        _seed: u64,
        progress: &dyn Progress,
    ) -> Result<GaussianNb, LearnError> {
        if samples.weights.is_some() && !self.takes_weights() {
            return Err(InputError::NoWeights { learner: "linfa's naive Bayes" }.into());
        }
        let checked = check_samples(&samples, 2)?;
        let classes: Vec<usize> =
            (0..checked.n_classes).filter(|&class| checked.is_present[class]).collect();
        let rows = Grouped {
            features: &checked.features,
            groups: Some(samples.labels),
            n_groups: checked.n_classes,
            weights: samples.weights,
        };
        let found = Variances::of(rows, progress)?;
        let counts: Vec<Count> = classes.iter().map(|&class| found.counts[class]).collect();
        let log_priors = self.priors.logarithms(&classes, &counts)?;
        let epsilon = self.var_smoothing * largest_variance(&found);
        let (means, variances) = match self.engine {
            GaussianNbEngine::Native => (
                found.means.select(Axis(0), &classes),
                found.variances.select(Axis(0), &classes) + epsilon,
            ),
            GaussianNbEngine::Linfa => linfa_engine::estimate(
                &checked.features,
                samples.labels,
                &classes,
                self.var_smoothing,
            )?,
        };
        let n_features = means.ncols();
        if variances.iter().any(|&variance| variance <= 0.0) {
            let among = "within a class, and `var_smoothing` adds nothing";
            return Err(InputError::NoVariation { n_features, among }.into());
        }
        Ok(GaussianNb::new(classes, log_priors, means, variances, epsilon))
    }
}

/// Largest variance of a feature over all rows, from those within and between the groups.
fn largest_variance(found: &Variances) -> f64 {
    let total: f64 = found.counts.iter().map(|count| count.weight).sum();
    let mean = crate::learn::moments::overall_mean(&found.counts, &found.means);
    let of = |j: usize| {
        let groups = found.counts.iter().enumerate();
        let sum: f64 = groups
            .map(|(group, count)| {
                let between = found.means[[group, j]] - mean[j];
                count.weight * (found.variances[[group, j]] + between * between)
            })
            .sum();
        sum / total
    };
    (0..mean.len()).map(of).fold(0.0, f64::max)
}

crate::learn::classifier::linfa_traits!(GaussianNbValidParams, GaussianNb);
