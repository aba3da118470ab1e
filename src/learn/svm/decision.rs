//! Decisions and labels of the fitted classifier.

use std::sync::atomic::{AtomicU64, Ordering};

use linfa::traits::{Predict, PredictInplace};
use ndarray::{Array2, ArrayView1};
use rayon::prelude::*;

use super::block::{Block, stop_if};
use super::gram::normalised;
use super::model::{Svc, pair_idx, pairs};
use super::params::SvcError;
use super::support::{CHUNK, ClassSupport, PackedSupport};
use crate::data::{Features, Labels};
use crate::learn::input::check_rows;
use crate::progress::{Progress, Silent};

/// Samples decided together by a linear kernel: those of a block of features fit the second cache.
pub(super) const LINEAR_CHUNK: usize = 96;

impl Svc {
    /// Decision of each pair `[n_samples, n_pairs]`, pairs as 01, 02, …, 12, …; positive means the
    /// first class.
    ///
    /// # Errors
    /// Samples of another type or number of features than those of the fit, or not finite.
    pub fn pairwise_decision(&self, features: &Features) -> Result<Array2<f32>, SvcError> {
        self.pairwise_decision_with(features, &Silent)
    }

    /// As [`Svc::pairwise_decision`], with progress in samples.
    ///
    /// # Errors
    /// As there, or [`SvcError::Interrupted`].
    pub fn pairwise_decision_with(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Array2<f32>, SvcError> {
        let features = normalised(features);
        self.check(&features)?;
        let weights = self.linear_weights();
        let support = if weights.is_some() { None } else { Some(self.packed(progress)?) };
        let chunk = if weights.is_some() { LINEAR_CHUNK } else { CHUNK };
        let n_samples = features.n_samples();
        let n_done = AtomicU64::new(0);
        let n_pairs = self.bias.len();
        let mut decisions = Array2::zeros((n_samples, n_pairs));
        let lines = decisions.as_slice_mut().expect("a new array is row-major");
        lines.par_chunks_mut(chunk * n_pairs).enumerate().with_max_len(1).try_for_each_init(
            Block::default,
            |block, (nth, lines)| {
                stop_if(progress)?;
                let n_queries = lines.len() / n_pairs;
                let queries: Vec<usize> = (nth * chunk..nth * chunk + n_queries).collect();
                let mut sums = self.bias.repeat(n_queries);
                if let Some(weights) = weights {
                    weights.add_decisions(&features, &queries, &mut sums);
                }
                if let Some(support) = support {
                    let resolved = &self.resolved;
                    support
                        .add_decisions(resolved, &features, &queries, block, &mut sums, progress)?;
                }
                lines.iter_mut().zip(sums).for_each(|(decision, sum)| *decision = sum as f32);
                let done = n_done.fetch_add(n_queries as u64, Ordering::Relaxed);
                progress.update(done + n_queries as u64, n_samples as u64, "predicting");
                Ok::<(), SvcError>(())
            },
        )?;
        Ok(decisions)
    }

    pub(super) fn check(&self, features: &Features) -> Result<(), SvcError> {
        let type_of = |features: &Features| match features {
            Features::Bytes(_) => "bytes",
            Features::Floats(_) => "real numbers",
        };
        check_rows(features, self.support.n_features())?;
        let (found, expected) = (type_of(features), type_of(&self.support));
        if found != expected {
            return Err(SvcError::TypeMismatch { found, expected });
        }
        Ok(())
    }

    fn packed(&self, progress: &dyn Progress) -> Result<&PackedSupport, SvcError> {
        if let Some(packed) = self.packed.get() {
            return Ok(packed);
        }
        let n_classes = self.classes.len();
        let of_class = |(class, rows): (usize, std::ops::Range<usize>)| {
            let decisions = (0..n_classes)
                .filter(|&other| other != class)
                .map(|other| {
                    let entries = self.coefficients(class, other).iter().copied().enumerate();
                    let entries = entries.filter(|&(_, coefficient)| coefficient != 0.0);
                    (pair_idx(n_classes, class, other), entries.collect())
                })
                .collect();
            ClassSupport { rows: rows.collect(), decisions }
        };
        let classes: Vec<_> = self.support_ranges().enumerate().map(of_class).collect();
        let packed = PackedSupport::new(&self.support, &classes, self.bias.len(), progress)?;
        Ok(self.packed.get_or_init(|| packed))
    }

    /// One-vs-rest shaped scores `[n_samples, n_classes]`, as scikit-learn's with
    /// `decision_function_shape = "ovr"`: votes plus the summed decisions squashed into
    /// (-1/3, 1/3). The shape `"ovo"` is [`Svc::pairwise_decision`].
    ///
    /// # Errors
    /// As [`Svc::pairwise_decision`].
    pub fn decision_function(&self, features: &Features) -> Result<Array2<f32>, SvcError> {
        self.decision_function_with(features, &Silent)
    }

    /// As [`Svc::decision_function`], with progress in samples.
    ///
    /// # Errors
    /// As [`Svc::pairwise_decision_with`].
    pub fn decision_function_with(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Array2<f32>, SvcError> {
        let decisions = self.pairwise_decision_with(features, progress)?;
        let n_classes = self.classes.len();
        let mut all = Array2::zeros((decisions.nrows(), n_classes));
        for (decisions, mut line) in decisions.rows().into_iter().zip(all.rows_mut()) {
            let scores = scores(n_classes, decisions.iter().copied());
            line.iter_mut().zip(scores).for_each(|(to, score)| *to = score as f32);
        }
        Ok(all)
    }

    /// The class with most votes of each sample; of equals the first, or with `break_ties` and more
    /// than two classes the one with the largest summed decision.
    ///
    /// # Errors
    /// As [`Svc::pairwise_decision`].
    pub fn predict_labels(&self, features: &Features) -> Result<Labels, SvcError> {
        self.predict_labels_with(features, &Silent)
    }

    /// As [`Svc::predict_labels`], with progress in samples.
    ///
    /// # Errors
    /// As [`Svc::pairwise_decision_with`].
    pub fn predict_labels_with(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Labels, SvcError> {
        let decisions = self.pairwise_decision_with(features, progress)?;
        let n_classes = self.classes.len();
        let label = |decisions: ArrayView1<f32>| {
            self.classes[winner(n_classes, decisions.iter().copied(), self.break_ties)]
        };
        Ok(decisions.rows().into_iter().map(label).collect())
    }
}

/// Votes of one sample, `[n_classes]`.
fn votes(n_classes: usize, decisions: impl IntoIterator<Item = f32>) -> Vec<u32> {
    let mut votes = vec![0; n_classes];
    for ((first, second), decision) in pairs(n_classes).zip(decisions) {
        votes[if decision > 0.0 { first } else { second }] += 1;
    }
    votes
}

/// Votes plus the summed decisions squashed into (-1/3, 1/3), `[n_classes]`.
fn scores(n_classes: usize, decisions: impl IntoIterator<Item = f32> + Clone) -> Vec<f64> {
    let votes = votes(n_classes, decisions.clone());
    let mut sums = vec![0.0; n_classes];
    for ((first, second), decision) in pairs(n_classes).zip(decisions) {
        sums[first] += f64::from(decision);
        sums[second] -= f64::from(decision);
    }
    let squashed = sums.iter().map(|sum| sum / (3.0 * (sum.abs() + 1.0)));
    votes.into_iter().zip(squashed).map(|(votes, part)| f64::from(votes) + part).collect()
}

/// Position of the class that the decisions of all pairs speak for.
pub(super) fn winner(
    n_classes: usize,
    decisions: impl IntoIterator<Item = f32> + Clone,
    break_ties: bool,
) -> usize {
    if break_ties && n_classes > 2 {
        first_largest(&scores(n_classes, decisions))
    } else {
        first_largest(&votes(n_classes, decisions))
    }
}

/// First position of the largest value; 0 if there is none.
fn first_largest<T: PartialOrd>(values: &[T]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

impl PredictInplace<Features, Labels> for Svc {
    /// # Panics
    /// Where [`Svc::predict_labels`] gives an error: linfa's trait has no way to tell it.
    fn predict_inplace<'a>(&'a self, x: &'a Features, y: &mut Labels) {
        match self.predict_labels(x) {
            Ok(labels) => *y = labels,
            Err(error) => panic!("{error}"),
        }
    }

    fn default_target(&self, x: &Features) -> Labels {
        Labels::zeros(x.n_samples())
    }
}

impl Predict<&Features, Labels> for Svc {
    fn predict(&self, x: &Features) -> Labels {
        let mut labels = self.default_target(x);
        self.predict_inplace(x, &mut labels);
        labels
    }
}
