//! Decisions and labels of the fitted classifier.

use std::sync::atomic::{AtomicU64, Ordering};

use linfa::traits::{Predict, PredictInplace};
use ndarray::{Array2, ArrayView1};
use rayon::prelude::*;

use super::block::{Block, stop_if};
use super::gram::{Panel, first_not_finite, normalised};
use super::linear::LinearWeights;
use super::model::{Svc, pair_idx, pairs};
use super::params::SvcError;
use crate::data::{Features, Labels};
use crate::kernels::{Cpu, smo};
use crate::progress::{Progress, Silent};

/// Samples predicted together, for which the support vectors are read once; fixed, so that results
/// never depend on the threads.
const CHUNK: usize = 480;

/// The same for a linear kernel: the samples of a block of features fit the second cache.
const LINEAR_CHUNK: usize = 96;

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
        let panels = if weights.is_some() { &[] } else { self.panels(progress)? };
        let chunk = if weights.is_some() { LINEAR_CHUNK } else { CHUNK };
        let n_samples = features.n_samples();
        let n_done = AtomicU64::new(0);
        let chunks: Vec<Vec<f64>> = (0..n_samples.div_ceil(chunk))
            .into_par_iter()
            .with_max_len(1)
            .map_init(Block::default, |block, nth| {
                let queries: Vec<usize> =
                    (nth * chunk..((nth + 1) * chunk).min(n_samples)).collect();
                let decided = match weights {
                    Some(weights) => self.decide_linear(weights, &features, &queries, progress)?,
                    None => self.decide(&features, &queries, panels, block, progress)?,
                };
                let done = n_done.fetch_add(queries.len() as u64, Ordering::Relaxed);
                progress.update(done + queries.len() as u64, n_samples as u64, "predicting");
                Ok(decided)
            })
            .collect::<Result<_, SvcError>>()?;
        let n_pairs = self.bias.len();
        let mut decisions = Array2::zeros((n_samples, n_pairs));
        let lines = chunks.iter().flat_map(|chunk| chunk.chunks_exact(n_pairs));
        for (mut row, line) in decisions.rows_mut().into_iter().zip(lines) {
            row.iter_mut().zip(line).for_each(|(decision, &sum)| *decision = sum as f32);
        }
        Ok(decisions)
    }

    fn check(&self, features: &Features) -> Result<(), SvcError> {
        let type_of = |features: &Features| match features {
            Features::Bytes(_) => "bytes",
            Features::Floats(_) => "real numbers",
        };
        let (found, expected) = (features.n_features(), self.support.n_features());
        if found != expected {
            return Err(SvcError::FeatureMismatch { found, expected });
        }
        let (found, expected) = (type_of(features), type_of(&self.support));
        if found != expected {
            return Err(SvcError::TypeMismatch { found, expected });
        }
        match first_not_finite(features) {
            Some((row, column, found)) => Err(SvcError::NotFinite { row, column, found }),
            None => Ok(()),
        }
    }

    fn panels(&self, progress: &dyn Progress) -> Result<&[Panel], SvcError> {
        if let Some(panels) = self.panels.get() {
            return Ok(panels);
        }
        let rows_of: Vec<Vec<usize>> = self.support_ranges().map(Iterator::collect).collect();
        let packed = rows_of
            .par_iter()
            .map(|rows| Panel::pack(&self.support, rows, progress))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self.panels.get_or_init(|| packed))
    }

    /// Decisions `[query, pair]` by the support vectors.
    fn decide(
        &self,
        features: &Features,
        queries: &[usize],
        panels: &[Panel],
        block: &mut Block,
        progress: &dyn Progress,
    ) -> Result<Vec<f64>, SvcError> {
        let cpu = Cpu::detect();
        let n_classes = self.classes.len();
        let mut sums: Vec<f64> = self.bias.repeat(queries.len());
        for (class, panel) in panels.iter().enumerate() {
            block.compute(&self.resolved, features, queries, panel, progress)?;
            for (query, sums) in sums.chunks_exact_mut(self.bias.len()).enumerate() {
                for other in (0..n_classes).filter(|&other| other != class) {
                    let pair = pair_idx(n_classes, class, other);
                    let mut coefficients = self.coefficients(class, other);
                    for piece in block.pieces(query) {
                        sums[pair] += smo::expansion(cpu, &coefficients[..piece.len()], piece);
                        coefficients = &coefficients[piece.len()..];
                    }
                }
            }
        }
        Ok(sums)
    }

    /// The same by the weight vectors of a linear kernel.
    fn decide_linear(
        &self,
        weights: &LinearWeights,
        features: &Features,
        queries: &[usize],
        progress: &dyn Progress,
    ) -> Result<Vec<f64>, SvcError> {
        stop_if(progress)?;
        let mut sums = self.bias.repeat(queries.len());
        weights.add_decisions(features, queries, &mut sums);
        Ok(sums)
    }

    /// One-vs-rest shaped scores `[n_samples, n_classes]`, as scikit-learn's with
    /// `decision_function_shape = "ovr"`: votes plus the summed decisions squashed into
    /// (-1/3, 1/3). The shape `"ovo"` is [`Svc::pairwise_decision`].
    ///
    /// # Errors
    /// As [`Svc::pairwise_decision`].
    pub fn decision_function(&self, features: &Features) -> Result<Array2<f32>, SvcError> {
        let decisions = self.pairwise_decision(features)?;
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

/// Votes and summed decisions of one sample, `[n_classes]` each.
fn vote(n_classes: usize, decisions: impl IntoIterator<Item = f32>) -> (Vec<u32>, Vec<f64>) {
    let (mut votes, mut confidence) = (vec![0; n_classes], vec![0.0; n_classes]);
    for ((first, second), decision) in pairs(n_classes).zip(decisions) {
        votes[if decision > 0.0 { first } else { second }] += 1;
        confidence[first] += f64::from(decision);
        confidence[second] -= f64::from(decision);
    }
    (votes, confidence)
}

/// Votes plus the summed decisions squashed into (-1/3, 1/3), `[n_classes]`.
fn scores(n_classes: usize, decisions: impl IntoIterator<Item = f32>) -> Vec<f64> {
    let (votes, confidence) = vote(n_classes, decisions);
    let squashed = confidence.iter().map(|sum| sum / (3.0 * (sum.abs() + 1.0)));
    votes.into_iter().zip(squashed).map(|(votes, part)| f64::from(votes) + part).collect()
}

/// Position of the class that the decisions of all pairs speak for.
pub(super) fn winner(
    n_classes: usize,
    decisions: impl IntoIterator<Item = f32>,
    break_ties: bool,
) -> usize {
    if break_ties && n_classes > 2 {
        first_largest(&scores(n_classes, decisions))
    } else {
        first_largest(&vote(n_classes, decisions).0)
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
