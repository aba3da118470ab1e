//! A forest fitted, as one learner among others.

use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::Array2;
use rayon::prelude::*;

use super::model::{Forest, ForestReport};
use super::params::{ForestKind, ForestValidParams};
use crate::data::{Features, Labels, Rng, TableShape};
use crate::learn::classifier::linfa_traits;
use crate::learn::input::check_samples;
use crate::learn::tree::grow::{Grown, Splitter};
use crate::learn::tree::learner::report;
use crate::learn::tree::leaves::{Leaves, largest, normalised};
use crate::learn::tree::prepare::{Counting, Masses, Prepared, weights_of};
use crate::learn::{Classifier, LearnError, Learner, NominalCost, Samples};
use crate::progress::Progress;

linfa_traits!(ForestValidParams, Forest);

impl ForestValidParams {
    /// Fits a forest; each tree draws from streams of its own, named by the seed and its number.
    /// A label that no sample has is never predicted.
    ///
    /// # Errors
    /// Samples that cannot be fitted, or an interruption.
    ///
    /// # Cost
    /// Trees times rows times features looked at times depth, about 4 ns each and thread.
    pub fn fit_model(
        &self,
        samples: Samples,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Forest, LearnError> {
        let checked = check_samples(&samples, 1)?;
        if let Some(counting) = Counting::of(&checked.features, samples.labels, samples.weights) {
            return self.fit_model(counting.samples(), seed, progress);
        }
        let growth = self.rules.growth(checked.features.n_features(), self.splitter())?;
        let weights = weights_of(&samples, &checked.is_present, &self.rules.class_weight);
        let prepared =
            Prepared::new(&checked.features, samples.labels, checked.n_classes, progress)?;
        let all = Masses::of(&weights);
        let n_grown = AtomicU64::new(0);
        let quiet = Quiet(progress);
        let grow_one = |nth: usize| {
            let drawn = self.bootstrap.then(|| draws(&weights, self.n_draws(&weights), seed, nth));
            let masses = drawn.as_ref().map(|drawn| times(&all, drawn));
            let mut rng = Rng::new(seed, &["forest", "tree", &nth.to_string()]);
            let masses = masses.as_ref().unwrap_or(&all);
            let grown = prepared.grow(masses, &growth, &mut rng, false, &quiet)?;
            let n_grown = n_grown.fetch_add(1, Ordering::Relaxed) + 1;
            progress.update(n_grown, self.n_estimators as u64, "trees");
            Ok(grown)
        };
        let grown: Result<Vec<Grown>, LearnError> =
            (0..self.n_estimators).into_par_iter().with_max_len(1).map(grow_one).collect();
        let grown = grown?;
        let mut gains = vec![0.0; checked.features.n_features()];
        for tree in &grown {
            // As scikit-learn: each tree counts the same.
            for (sum, gain) in gains.iter_mut().zip(normalised(tree.gains.clone())) {
                *sum += gain;
            }
        }
        let leaves = Leaves::new(grown, checked.n_classes);
        let oob = if self.oob_score {
            Some(self.out_of_bag(
                &leaves,
                &checked.features,
                samples.labels,
                &weights,
                seed,
                progress,
            )?)
        } else {
            None
        };
        let report = ForestReport {
            kind: self.kind,
            trees: report(self.rules.criterion, prepared.bins.is_exact()),
            oob_accuracy: oob.as_ref().map(|oob| oob.accuracy),
            n_without_oob: oob.map(|oob| oob.n_never_out),
        };
        Ok(Forest { leaves, importances: normalised(gains).into(), report })
    }

    fn splitter(&self) -> Splitter {
        match self.kind {
            ForestKind::RandomForest => Splitter::Best,
            ForestKind::ExtraTrees => Splitter::Random,
        }
    }

    /// Rows drawn for a tree.
    fn n_draws(&self, weights: &[f64]) -> usize {
        let n_counting = weights.iter().filter(|&&weight| weight > 0.0).count();
        ((n_counting as f64 * self.max_samples).round() as usize).max(1)
    }

    /// Judges every row by the trees that did not draw it.
    fn out_of_bag(
        &self,
        leaves: &Leaves,
        features: &Features,
        labels: &Labels,
        weights: &[f64],
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<OutOfBag, LearnError> {
        let n_draws = self.n_draws(weights);
        let is_in: Vec<Vec<bool>> = (0..self.n_estimators)
            .into_par_iter()
            .map(|nth| draws(weights, n_draws, seed, nth).iter().map(|&n| n > 0).collect())
            .collect();
        let sums: Array2<f64> = leaves.sums(features, |tree, row| !is_in[tree][row], progress)?;
        let predicted = largest(&sums);
        let (mut n_right, mut n_judged, mut n_never_out) = (0u64, 0u64, 0u64);
        for row in (0..labels.len()).filter(|&row| weights[row] > 0.0) {
            if sums.row(row).iter().all(|&sum| sum == 0.0) {
                n_never_out += 1;
            } else {
                n_judged += 1;
                n_right += u64::from(predicted[row] == labels[row]);
            }
        }
        Ok(OutOfBag { accuracy: n_right as f64 / n_judged.max(1) as f64, n_never_out })
    }
}

/// How a forest does on the rows that its trees did not draw.
struct OutOfBag {
    accuracy: f64,
    /// Rows that every tree drew.
    n_never_out: u64,
}

/// How often a tree draws each row, of those with a weight above 0.
pub(super) fn draws(weights: &[f64], n_draws: usize, seed: u64, tree: usize) -> Vec<u32> {
    let rows: Vec<usize> = (0..weights.len()).filter(|&row| weights[row] > 0.0).collect();
    let mut rng = Rng::new(seed, &["forest", "bootstrap", &tree.to_string()]);
    let mut drawn = vec![0; weights.len()];
    for _ in 0..n_draws {
        drawn[rows[rng.below(rows.len())]] += 1;
    }
    drawn
}

/// Masses of rows that were drawn so often.
fn times(masses: &Masses, drawn: &[u32]) -> Masses {
    match masses {
        Masses::Counts(all) if all.iter().all(|&mass| mass <= 1) => Masses::Counts(drawn.to_vec()),
        Masses::Counts(all) => {
            let weights: Vec<f64> =
                all.iter().zip(drawn).map(|(&m, &n)| f64::from(m) * f64::from(n)).collect();
            Masses::of(&weights)
        }
        Masses::Units(all) => {
            let weights: Vec<f64> =
                all.iter().zip(drawn).map(|(&m, &n)| m * f64::from(n)).collect();
            Masses::of(&weights)
        }
    }
}

/// Passes on the request to stop alone: the trees grow side by side.
struct Quiet<'a>(&'a dyn Progress);

impl Progress for Quiet<'_> {
    fn update(&self, _done: u64, _total: u64, _note: &str) {}

    fn interrupted(&self) -> bool {
        self.0.interrupted()
    }

    fn warn(&self, message: &str) {
        self.0.warn(message);
    }
}

impl Learner for ForestValidParams {
    fn fit(
        &self,
        samples: Samples,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Box<dyn Classifier>, LearnError> {
        Ok(Box::new(self.fit_model(samples, seed, progress)?))
    }

    /// 4 ns of a thread for each tree, row, feature looked at and level, as on Fashion-MNIST.
    fn nominal_cost(&self, shape: &TableShape, n_threads: usize) -> Option<NominalCost> {
        let (n, d) = (shape.n_train as f64, shape.n_features as f64);
        let depth = 1.2 * n.max(2.0).log2();
        let depth = self.rules.max_depth.map_or(depth, |max| depth.min(max as f64));
        let growth = self.rules.growth(shape.n_features, self.splitter()).ok()?;
        let share = if self.bootstrap { 1.0 - (-self.max_samples).exp() } else { 1.0 };
        let threads = n_threads.clamp(1, self.n_estimators.max(1)) as f64;
        let trees = self.n_estimators as f64;
        let bins = if shape.is_bytes { 1e-9 } else { 3e-8 } * n * d;
        let grow = trees * n * share * growth.max_features as f64 * depth * 4e-9;
        let predict = trees * shape.n_test as f64 * depth * 1.5e-9;
        let leaf_bytes = 16.0 + 4.0 * shape.n_classes as f64;
        let peak_bytes = n * d + trees * 0.15 * n * share * leaf_bytes;
        Some(NominalCost {
            seconds: (bins + grow + predict) / threads,
            peak_bytes: peak_bytes as u64,
        })
    }
}
