//! The fitted forest: prediction, storage.

use ndarray::Array1;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::params::ForestKind;
use crate::data::{Features, Labels, TensorFile};
use crate::learn::input::check_rows;
use crate::learn::tree::leaves::{Leaves, largest};
use crate::learn::tree::model::{TreeReport, take_report};
use crate::learn::tree::structure::Tree;
use crate::learn::{Classifier, LearnError, Meaning, Scores};
use crate::progress::Progress;

/// A fitted forest.
#[derive(Clone, Debug, PartialEq)]
pub struct Forest {
    pub(super) leaves: Leaves,
    /// `[n_features]`
    pub(super) importances: Array1<f64>,
    pub(super) report: ForestReport,
}

/// What is known of the fit of a forest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ForestReport {
    pub kind: ForestKind,
    pub trees: TreeReport,
    /// Accuracy on each row by the trees that did not draw it.
    pub oob_accuracy: Option<f64>,
    /// Rows that every tree drew, which are not judged.
    pub n_without_oob: Option<u64>,
}

impl Forest {
    /// The shapes of the trees.
    pub fn trees(&self) -> &[Tree] {
        self.leaves.trees()
    }

    /// Mean over the trees of the decrease of impurity by the cuts of each feature, as
    /// [`DecisionTree::feature_importances`]. `[n_features]`, summing to 1.
    ///
    /// [`DecisionTree::feature_importances`]: crate::learn::tree::DecisionTree::feature_importances
    pub fn feature_importances(&self) -> &Array1<f64> {
        &self.importances
    }

    /// Accuracy on each row by the trees that did not draw it, where it was asked for.
    pub fn oob_accuracy(&self) -> Option<f64> {
        self.report.oob_accuracy
    }

    /// The forest that [`Classifier::to_tensors`] stored.
    ///
    /// # Errors
    /// If a part is missing or parts do not fit together.
    pub fn from_tensors(mut file: TensorFile<'static>) -> Result<Self, LearnError> {
        let (importances, report) = take_report(&mut file)?;
        let leaves = Leaves::take(importances.len(), &mut file)?;
        Ok(Forest { leaves, importances, report })
    }
}

impl Classifier for Forest {
    fn predict(&self, features: &Features, progress: &dyn Progress) -> Result<Labels, LearnError> {
        Ok(largest(&self.scores(features, progress)?.values))
    }

    /// Mean over the trees of the shares of the classes in the leaf.
    fn scores(&self, features: &Features, progress: &dyn Progress) -> Result<Scores, LearnError> {
        let features = check_rows(features, self.importances.len())?;
        let values = self.leaves.probabilities(&features, progress)?;
        Ok(Scores { values, meaning: Meaning::Probability })
    }

    fn to_tensors(&self) -> TensorFile<'_> {
        let mut file = TensorFile::new(json!({ "type": "forest", "report": self.report }));
        self.leaves.store(&mut file);
        file.insert_f64("feature_importances", self.importances.view());
        file
    }

    fn details(&self) -> Map<String, Value> {
        let trees = self.trees();
        let depths = || trees.iter().map(Tree::depth);
        let mut details = vec![
            ("forest", json!(self.report.kind)),
            ("criterion", json!(self.report.trees.criterion)),
            ("n_estimators", json!(trees.len())),
            ("n_leaves", json!(self.leaves.n_leaves())),
            ("mean_depth", json!(depths().sum::<usize>() as f64 / trees.len().max(1) as f64)),
            ("max_depth", json!(depths().max())),
            ("exact_splits", json!(self.report.trees.exact_splits)),
        ];
        if let Some(accuracy) = self.report.oob_accuracy {
            details.push(("oob_accuracy", json!(accuracy)));
        }
        details.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Rows that every tree drew say nothing of the accuracy.
    fn warning(&self) -> Option<String> {
        let n = self.report.n_without_oob.filter(|&n| n > 0)?;
        Some(format!(
            "{n} samples were drawn by every tree and are no part of the out-of-bag accuracy: more \
             trees would judge them"
        ))
    }
}
