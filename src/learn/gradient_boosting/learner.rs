//! Gradient boosting as one learner among others.

use serde_json::{Map, Value, json};

use super::loss::n_columns;
use super::model::GradientBoosting;
use super::params::GradientBoostingValidParams;
use crate::data::{Features, Labels, TableShape, TensorFile};
use crate::learn::classifier::linfa_traits;
use crate::learn::{Classifier, LearnError, Learner, Meaning, NominalCost, Samples, Scores};
use crate::progress::Progress;

/// Features named in the details.
const N_TOP: usize = 10;

impl Learner for GradientBoostingValidParams {
    fn fit(
        &self,
        samples: Samples,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Box<dyn Classifier>, LearnError> {
        Ok(Box::new(self.fit_model(samples, seed, progress)?))
    }

    /// On Fashion-MNIST a tree costs, for each feature, 0.2 ns a row for its root, 0.1 ns a row for
    /// every doubling of its leaves, and 50 ns a node; trees limited by depth alone have about a
    /// quarter of the leaves they may have. All rounds are counted, whether fitting ends early or
    /// not.
    fn nominal_cost(&self, shape: &TableShape, n_threads: usize) -> Option<NominalCost> {
        let (n, d) = (shape.n_train as f64, shape.n_features as f64);
        let n_columns = n_columns(shape.n_classes) as f64;
        let n_trees = self.n_estimators as f64 * n_columns;
        let by_rows = n / (4 * self.min_samples_leaf) as f64;
        let by_depth = self.max_depth.map_or(f64::INFINITY, |max| 0.25 * 2f64.powf(max as f64));
        let by_leaves = self.max_leaf_nodes.map_or(f64::INFINITY, |max| max as f64);
        let leaves = by_rows.min(by_depth).min(by_leaves).max(2.0);
        let row = (0.2 + 0.1 * leaves.log2()) * 1e-9 * self.subsample;
        let threads = n_threads.clamp(1, 16) as f64;
        let bins = n * d * if shape.is_bytes { 3e-9 } else { 3e-8 };
        let trees = n_trees * d * (n * row + 2.0 * leaves * 50e-9);
        let predict = shape.n_test as f64 * n_trees * leaves.log2() * 1e-9;
        // A copy of the rows, two of the bins; 2 KiB a feature and histogram that is kept.
        let rows = n * d * if shape.is_bytes { 3.0 } else { 6.0 };
        let histograms = (n_columns + threads * leaves.min(31.0)) * d * 2048.0;
        let peak_bytes = (rows + histograms) as u64;
        Some(NominalCost { seconds: (bins + trees + predict) / threads, peak_bytes })
    }
}

linfa_traits!(GradientBoostingValidParams, GradientBoosting);

impl Classifier for GradientBoosting {
    fn predict(&self, features: &Features, progress: &dyn Progress) -> Result<Labels, LearnError> {
        self.predict_labels(features, progress)
    }

    fn scores(&self, features: &Features, progress: &dyn Progress) -> Result<Scores, LearnError> {
        let proba = self.predict_proba(features, progress)?;
        Ok(Scores::of_classes(self.classes(), &proba, Meaning::Probability))
    }

    fn to_tensors(&self) -> TensorFile<'_> {
        GradientBoosting::to_tensors(self)
    }

    fn details(&self) -> Map<String, Value> {
        let report = self.report();
        let mut top: Vec<(usize, f64)> =
            self.feature_importances().iter().copied().enumerate().collect();
        top.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let top: Vec<Value> = top[..N_TOP.min(top.len())]
            .iter()
            .filter(|(_, share)| *share > 0.0)
            .map(|(feature, share)| json!({ "feature": feature, "importance": share }))
            .collect();
        let n_leaves: usize = self.trees().map(|tree| tree.n_leaves()).sum();
        let depth = self.trees().map(|tree| tree.depth()).max().unwrap_or(0);
        [
            ("n_estimators", json!(report.best_round)),
            ("n_rounds", json!(report.n_rounds)),
            ("n_trees", json!(self.trees().len())),
            ("n_leaves", json!(n_leaves)),
            ("depth", json!(depth)),
            ("exact_bins", json!(report.exact_bins)),
            ("train_loss", json!(report.train_loss)),
            ("validation_loss", json!(report.validation_loss)),
            ("most_important", json!(top)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }
}
