//! Gradient boosting as one learner among others.

use serde_json::{Map, Value, json};

use super::model::GradientBoosting;
use super::params::GradientBoostingValidParams;
use crate::data::{Features, Labels, TensorFile};
use crate::learn::classifier::linfa_traits;
use crate::learn::{Classifier, LearnError, Learner, Meaning, Samples, Scores};
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
