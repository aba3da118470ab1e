//! The linear support vector classifier as one learner among others.

use serde_json::{Map, Value, json};

use super::model::LinearSvc;
use super::params::LinearSvcValidParams;
use crate::data::{Features, Labels, TensorFile};
use crate::learn::{Classifier, LearnError, Learner, Meaning, Samples, Scores};
use crate::progress::Progress;

impl Learner for LinearSvcValidParams {
    fn fit(
        &self,
        samples: Samples,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Box<dyn Classifier>, LearnError> {
        Ok(Box::new(self.fit_model(samples, seed, progress)?))
    }
}

impl Classifier for LinearSvc {
    fn predict(&self, features: &Features, progress: &dyn Progress) -> Result<Labels, LearnError> {
        self.predict_labels_with(features, progress)
    }

    fn scores(&self, features: &Features, progress: &dyn Progress) -> Result<Scores, LearnError> {
        let decisions = self.decision_function_with(features, progress)?;
        Ok(Scores::of_classes(self.classes(), &decisions, Meaning::Decision))
    }

    fn to_tensors(&self) -> TensorFile<'_> {
        LinearSvc::to_tensors(self)
    }

    fn details(&self) -> Map<String, Value> {
        let report = self.report();
        let n_iterations: u64 = report.problems.iter().map(|problem| problem.n_iterations).sum();
        [
            ("loss", json!(report.loss)),
            ("c", json!(report.c)),
            ("multi_class", json!(report.multi_class)),
            ("solver", json!(report.solver)),
            ("n_iterations", json!(n_iterations)),
            ("primal_objective", json!(report.primal)),
            ("dual_objective", json!(report.dual)),
            ("relative_gap", json!(report.relative_gap)),
            ("converged", json!(report.converged)),
            ("problems", json!(report.problems)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    fn warning(&self) -> Option<String> {
        let report = self.report();
        let n_missed = report.problems.iter().filter(|problem| !problem.converged).count();
        (!report.converged).then(|| {
            format!(
                "the linear support vector machine did not converge in {n_missed} of {} problems: \
                 its objective is within {:.1e} of the best, relatively",
                report.problems.len(),
                report.relative_gap
            )
        })
    }
}
