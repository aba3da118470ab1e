//! The decision tree as one learner among others.

use super::criterion::Criterion;
use super::grow::Splitter;
use super::leaves::{Leaves, normalised};
use super::linfa_engine;
use super::model::{DecisionTree, TreeReport};
use super::params::{DecisionTreeValidParams, Engine};
use super::prepare::{Counting, Masses, Prepared, weights_of};
use crate::data::{Features, Labels, Rng, TableShape};
use crate::learn::classifier::linfa_traits;
use crate::learn::input::{check_samples, check_weights};
use crate::learn::{Classifier, LearnError, Learner, NominalCost, Samples, Session};
use crate::progress::Progress;

linfa_traits!(DecisionTreeValidParams, DecisionTree);

impl DecisionTreeValidParams {
    /// Fits a tree; the seed decides which features are drawn, where not all are looked at. A
    /// label that no sample has is never predicted.
    ///
    /// # Errors
    /// Samples that cannot be fitted, or an interruption.
    ///
    /// # Cost
    /// Rows times features times depth, about 2 ns each and thread; the bins are a byte a value,
    /// the histograms of the nodes on the way down up to 64 MiB each.
    pub fn fit_model(
        &self,
        samples: Samples,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<DecisionTree, LearnError> {
        let checked = check_samples(&samples, 1)?;
        if self.engine == Engine::Linfa {
            return linfa_engine::fit(&self.rules, &samples, &checked);
        }
        if let Some(counting) = Counting::of(&checked.features, samples.labels, samples.weights) {
            return self.fit_model(counting.samples(), seed, progress);
        }
        let weights = weights_of(&samples, &checked.is_present, &self.rules.class_weight);
        let prepared =
            Prepared::new(&checked.features, samples.labels, checked.n_classes, progress)?;
        self.grow(&prepared, &weights, seed, progress)
    }

    fn grow(
        &self,
        prepared: &Prepared,
        weights: &[f64],
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<DecisionTree, LearnError> {
        let growth = self.rules.growth(prepared.bins.n_features(), Splitter::Best)?;
        let mut rng = Rng::new(seed, &["tree"]);
        let grown = prepared.grow(&Masses::of(weights), &growth, &mut rng, true, progress)?;
        let importances = normalised(grown.gains.clone()).into();
        let report = report(self.rules.criterion, prepared.bins.is_exact());
        let leaves = Leaves::new(vec![grown], prepared.n_classes());
        Ok(DecisionTree { leaves, importances, report })
    }
}

/// Rows binned once for trees with other weights each.
struct TreeSession<'a> {
    params: &'a DecisionTreeValidParams,
    prepared: Prepared<'a>,
    features: &'a Features,
    labels: &'a Labels,
}

impl Session for TreeSession<'_> {
    fn fit(
        &mut self,
        weights: &[f64],
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Box<dyn Classifier>, LearnError> {
        let TreeSession { features, labels, .. } = *self;
        let samples = Samples { features, labels, weights: Some(weights) };
        let is_present = check_weights(&samples)?;
        let weights = weights_of(&samples, &is_present, &self.params.rules.class_weight);
        Ok(Box::new(self.params.grow(&self.prepared, &weights, seed, progress)?))
    }
}

pub(in crate::learn) fn report(criterion: Criterion, exact_splits: bool) -> TreeReport {
    let criterion = match criterion {
        Criterion::Gini => "gini",
        Criterion::Entropy => "entropy",
    };
    TreeReport { criterion: criterion.to_owned(), exact_splits, engine: "native".to_owned() }
}

impl Learner for DecisionTreeValidParams {
    fn fit(
        &self,
        samples: Samples,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Box<dyn Classifier>, LearnError> {
        Ok(Box::new(self.fit_model(samples, seed, progress)?))
    }

    fn session<'a>(
        &'a self,
        features: &'a Features,
        labels: &'a Labels,
        progress: &dyn Progress,
    ) -> Result<Option<Box<dyn Session + 'a>>, LearnError> {
        if self.engine != Engine::Native {
            return Ok(None);
        }
        let n_classes = labels.iter().max().map_or(0, |&label| label + 1);
        let prepared = Prepared::new(features, labels, n_classes, progress)?;
        Ok(Some(Box::new(TreeSession { params: self, prepared, features, labels })))
    }

    fn takes_weights(&self) -> bool {
        self.engine == Engine::Native
    }

    /// 2.2 ns of a thread for each row, feature and level on Fashion-MNIST; an unlimited tree has
    /// about `1.1 log2 n` levels by its mean row.
    fn nominal_cost(&self, shape: &TableShape, n_threads: usize) -> Option<NominalCost> {
        if self.engine != Engine::Native {
            return None;
        }
        let (n, d) = (shape.n_train as f64, shape.n_features as f64);
        let depth = 1.1 * n.max(2.0).log2();
        let depth = self.rules.max_depth.map_or(depth, |max| depth.min(max as f64));
        let share =
            self.rules.growth(shape.n_features, Splitter::Best).ok()?.max_features as f64 / d;
        let threads = n_threads.clamp(1, 16) as f64;
        let sort = if shape.is_bytes { 1e-9 } else { 3e-8 };
        let seconds = n * d * (sort + 2.2e-9 * depth * share) / threads;
        let histograms = (256 * shape.n_classes * 4 * shape.n_features).min(64 << 20) as u64;
        let n_bins = (shape.n_train * shape.n_features) as u64;
        let rows = if shape.is_bytes { n_bins } else { 2 * n_bins };
        Some(NominalCost { seconds, peak_bytes: rows + depth as u64 * histograms })
    }
}
