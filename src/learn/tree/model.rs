//! The fitted tree: prediction, storage.

use ndarray::Array1;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::leaves::{Leaves, largest};
use super::structure::Tree;
use crate::data::{Features, Labels, TensorFile, TensorFileError};
use crate::learn::input::check_rows;
use crate::learn::{Classifier, LearnError, Meaning, Scores};
use crate::progress::Progress;

/// A fitted decision tree.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionTree {
    pub(super) leaves: Leaves,
    /// `[n_features]`
    pub(super) importances: Array1<f64>,
    pub(super) report: TreeReport,
}

/// What is known of a fit of trees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::learn) struct TreeReport {
    /// `gini` or `entropy`
    pub criterion: String,
    /// Whether splits are those of an exhaustive search; else of quantile bins.
    pub exact_splits: bool,
    /// `native` or `linfa`
    pub engine: String,
}

impl DecisionTree {
    /// The shape of the tree.
    pub fn tree(&self) -> &Tree {
        &self.leaves.trees()[0]
    }

    /// Decrease of impurity by the cuts of each feature, times the share of the weights that reach
    /// them; normalised to sum 1, or all 0 of a single leaf. `[n_features]`. Favours features of
    /// many values.
    pub fn feature_importances(&self) -> &Array1<f64> {
        &self.importances
    }

    /// The tree that [`Classifier::to_tensors`] stored.
    ///
    /// # Errors
    /// If a part is missing or parts do not fit together.
    pub fn from_tensors(mut file: TensorFile<'static>) -> Result<Self, LearnError> {
        let (importances, report) = take_report(&mut file)?;
        let leaves = Leaves::take(importances.len(), &mut file)?;
        if leaves.trees().len() != 1 {
            let what = format!("a decision tree of {} trees", leaves.trees().len());
            return Err(TensorFileError::Malformed(what).into());
        }
        Ok(DecisionTree { leaves, importances, report })
    }
}

/// Importances and report of a stored model.
pub(in crate::learn) fn take_report<R: serde::de::DeserializeOwned>(
    file: &mut TensorFile<'static>,
) -> Result<(Array1<f64>, R), TensorFileError> {
    let malformed = |what: &str| TensorFileError::Malformed(what.to_owned());
    let report = file.document.get("report").cloned().unwrap_or_default();
    let report =
        serde_json::from_value(report).map_err(|_| malformed("report of the classifier"))?;
    let importances: Array1<f64> = file.take_f64("feature_importances")?;
    if importances.is_empty() || importances.iter().any(|v| !v.is_finite()) {
        return Err(malformed("importances of the features"));
    }
    Ok((importances, report))
}

impl Classifier for DecisionTree {
    fn predict(&self, features: &Features, progress: &dyn Progress) -> Result<Labels, LearnError> {
        Ok(largest(&self.scores(features, progress)?.values))
    }

    /// Shares of the classes in the leaf.
    fn scores(&self, features: &Features, progress: &dyn Progress) -> Result<Scores, LearnError> {
        let features = check_rows(features, self.importances.len())?;
        let values = self.leaves.probabilities(&features, progress)?;
        Ok(Scores { values, meaning: Meaning::Probability })
    }

    fn to_tensors(&self) -> TensorFile<'_> {
        let mut file = TensorFile::new(json!({ "type": "decision_tree", "report": self.report }));
        self.leaves.store(&mut file);
        file.insert_f64("feature_importances", self.importances.view());
        file
    }

    fn details(&self) -> Map<String, Value> {
        [
            ("criterion", json!(self.report.criterion)),
            ("n_leaves", json!(self.leaves.n_leaves())),
            ("depth", json!(self.tree().depth())),
            ("exact_splits", json!(self.report.exact_splits)),
            ("engine", json!(self.report.engine)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }
}
