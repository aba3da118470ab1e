//! The fitted classifier: prediction, storage.

use std::ops::Range;

use ndarray::{Array1, Array2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::loss::{n_columns, probabilities};
use crate::data::{Features, Labels, TensorFile, TensorFileError};
use crate::learn::LearnError;
use crate::learn::input::check_rows;
use crate::learn::tree::structure::{Router, Tree};
use crate::progress::Progress;

/// Rows predicted between two looks at [`Progress::interrupted`].
const CHUNK: usize = 256;

/// A tree with the value of each of its leaves.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LeafTree {
    pub tree: Tree,
    /// By leaf number.
    pub values: Vec<f64>,
}

impl LeafTree {
    /// The value of the leaf that each of the rows reaches.
    pub fn values_of(&self, features: &Features, rows: Range<usize>, values: &mut [f64]) {
        let router = Router::new([&self.tree], features);
        let mut leaves = [0; CHUNK];
        let starts = rows.clone().step_by(CHUNK);
        for (start, values) in starts.zip(values.chunks_mut(CHUNK)) {
            let leaves = &mut leaves[..values.len()];
            router.leaves(0, start..start + values.len(), leaves);
            for (value, &leaf) in values.iter_mut().zip(leaves.iter()) {
                *value = self.values[leaf as usize];
            }
        }
    }
}

/// How the fit went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoostingReport {
    /// Rounds that were fitted.
    pub n_rounds: usize,
    /// Rounds that the model keeps: those up to the lowest loss of the samples held out, or all.
    pub best_round: usize,
    /// Mean loss of the samples fitted, before the first round and after each.
    pub train_loss: Vec<f64>,
    /// The same of the samples held out; empty without early stopping.
    pub validation_loss: Vec<f64>,
    /// Whether no bin held two different values.
    pub exact_bins: bool,
}

/// Fitted gradient boosted trees.
#[derive(Debug, PartialEq)]
pub struct GradientBoosting {
    classes: Vec<usize>,
    baseline: Vec<f64>,
    /// Round by round, a tree a column.
    trees: Vec<LeafTree>,
    importances: Vec<f64>,
    report: BoostingReport,
}

impl GradientBoosting {
    pub(super) fn new(
        classes: Vec<usize>,
        baseline: Vec<f64>,
        trees: Vec<LeafTree>,
        importances: Vec<f64>,
        report: BoostingReport,
    ) -> Self {
        GradientBoosting { classes, baseline, trees, importances, report }
    }

    /// How the fit went.
    pub fn report(&self) -> &BoostingReport {
        &self.report
    }

    /// Classes that occurred, ascending.
    pub fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// The trees, round by round: one for each class, or one for both of two.
    pub fn trees(&self) -> impl ExactSizeIterator<Item = &Tree> {
        self.trees.iter().map(|tree| &tree.tree)
    }

    /// Share of each feature in what all cuts gained, `[n_features]`; all 0 if there is no cut.
    pub fn feature_importances(&self) -> &[f64] {
        &self.importances
    }

    /// Sums of the trees' values, `[n_samples, n_classes]`; two classes share one column, in favour
    /// of the second.
    ///
    /// # Errors
    /// Rows unlike those of the fit, or an interruption.
    pub fn decision_function(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Array2<f64>, LearnError> {
        let features = check_rows(features, self.importances.len())?;
        let n_columns = self.baseline.len();
        let router = Router::new(self.trees(), &features);
        let mut raw = Array2::zeros((features.n_samples(), n_columns));
        raw.axis_chunks_iter_mut(Axis(0), CHUNK).into_par_iter().enumerate().try_for_each(
            |(chunk, mut raw)| {
                if progress.interrupted() {
                    return Err(LearnError::Interrupted);
                }
                let start = chunk * CHUNK;
                let mut leaves = [0; CHUNK];
                let leaves = &mut leaves[..raw.nrows()];
                for (mut column, &baseline) in raw.columns_mut().into_iter().zip(&self.baseline) {
                    column.fill(baseline);
                }
                for (nth, tree) in self.trees.iter().enumerate() {
                    router.leaves(nth, start..start + leaves.len(), leaves);
                    let mut scores = raw.column_mut(nth % n_columns);
                    for (score, &leaf) in scores.iter_mut().zip(leaves.iter()) {
                        *score += tree.values[leaf as usize];
                    }
                }
                Ok(())
            },
        )?;
        Ok(raw)
    }

    /// Probability of each class, `[n_samples, n_classes]`.
    ///
    /// # Errors
    /// As [`GradientBoosting::decision_function`].
    pub fn predict_proba(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Array2<f64>, LearnError> {
        let raw = self.decision_function(features, progress)?;
        let mut proba = Array2::zeros((raw.nrows(), self.classes.len()));
        for (raw, mut proba) in raw.rows().into_iter().zip(proba.rows_mut()) {
            if let (Some(raw), Some(proba)) = (raw.as_slice(), proba.as_slice_mut()) {
                probabilities(raw, proba);
            }
        }
        Ok(proba)
    }

    /// The most probable class of each sample, the first of equals.
    ///
    /// # Errors
    /// As [`GradientBoosting::decision_function`].
    pub fn predict_labels(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Labels, LearnError> {
        let raw = self.decision_function(features, progress)?;
        let winner = |raw: ndarray::ArrayView1<f64>| {
            if raw.len() == 1 {
                return self.classes[usize::from(raw[0] > 0.0)];
            }
            let better =
                |best: usize, column: usize| if raw[column] > raw[best] { column } else { best };
            self.classes[(1..raw.len()).fold(0, better)]
        };
        Ok(raw.rows().into_iter().map(winner).collect())
    }

    /// The model as tensors and a document.
    pub fn to_tensors(&self) -> TensorFile<'_> {
        let mut file = TensorFile::new(json!({
            "type": "gradient_boosting",
            "classes": self.classes,
            "report": self.report,
        }));
        let trees: Vec<Tree> = self.trees().cloned().collect();
        Tree::store(&trees, "tree_", &mut file);
        let values = self.trees.iter().flat_map(|tree| &tree.values).copied();
        file.insert_f64("leaf_values", values.collect::<Array1<f64>>());
        file.insert_f64("baseline", Array1::from(self.baseline.clone()));
        file.insert_f64("importances", Array1::from(self.importances.clone()));
        file
    }

    /// The model that [`GradientBoosting::to_tensors`] stored.
    ///
    /// # Errors
    /// If a part is missing or parts do not fit together.
    pub fn from_tensors(mut file: TensorFile<'static>) -> Result<Self, LearnError> {
        let malformed = |what: &str| TensorFileError::Malformed(what.to_owned());
        let read = |name: &str| file.document.get(name).cloned().unwrap_or_default();
        let classes: Vec<usize> = serde_json::from_value(read("classes"))
            .map_err(|_| malformed("classes of the classifier"))?;
        let report: BoostingReport = serde_json::from_value(read("report"))
            .map_err(|_| malformed("report of the classifier"))?;
        let baseline: Array1<f64> = file.take_f64("baseline")?;
        let importances: Array1<f64> = file.take_f64("importances")?;
        let values: Array1<f64> = file.take_f64("leaf_values")?;
        let trees = Tree::take("tree_", importances.len(), &mut file)?;
        let n_leaves: usize = trees.iter().map(Tree::n_leaves).sum();
        let fits = classes.len() >= 2
            && classes.is_sorted_by(|a, b| a < b)
            && baseline.len() == n_columns(classes.len())
            && trees.len() == report.best_round.saturating_mul(baseline.len())
            && values.len() == n_leaves
            && values.iter().chain(&baseline).chain(&importances).all(|v| v.is_finite());
        if !fits {
            return Err(malformed("parts of the classifier do not fit together").into());
        }
        let mut values = values.into_iter();
        let with_values = |tree: Tree| {
            let values = values.by_ref().take(tree.n_leaves()).collect();
            LeafTree { tree, values }
        };
        let trees = trees.into_iter().map(with_values).collect();
        let (baseline, importances) = (baseline.to_vec(), importances.to_vec());
        Ok(GradientBoosting { classes, baseline, trees, importances, report })
    }
}
