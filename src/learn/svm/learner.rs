//! The support vector classifier as one learner among others.

use std::any::Any;

use serde_json::{Map, Value, json};

use super::model::Svc;
use super::params::{Engine, Kernel, SvcValidParams};
use super::path::PathFit;
use crate::data::{Features, Labels, TensorFile};
use crate::learn::model_selection::{FoldScore, Folds, accuracy, one_by_one};
use crate::learn::{Classifier, LearnError, Learner, Samples};
use crate::progress::Progress;

impl Learner for SvcValidParams {
    fn fit(
        &self,
        samples: Samples,
        _seed: u64,
        progress: &dyn Progress,
    ) -> Result<Box<dyn Classifier>, LearnError> {
        Ok(Box::new(self.fit_samples(samples, progress)?))
    }

    fn shares_work_with(&self, other: &dyn Learner) -> bool {
        let other = (other as &dyn Any).downcast_ref::<SvcValidParams>();
        other.is_some_and(|other| SvcValidParams { c: self.c, ..other.clone() } == *self)
    }

    /// All penalties and folds of one kernel on shared kernel values
    /// ([`SvcValidParams::fit_path`]), one penalty alone too; `gamma = scale` is resolved on all
    /// rows.
    fn cross_validate(
        &self,
        learners: &[&dyn Learner],
        samples: Samples,
        folds: &Folds,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<FoldScore>>, LearnError> {
        let penalties: Option<Vec<f64>> = learners
            .iter()
            .map(|&learner| Some((learner as &dyn Any).downcast_ref::<SvcValidParams>()?.c))
            .collect();
        let Some(penalties) = penalties.filter(|_| self.engine == Engine::Native) else {
            return one_by_one(learners, samples, folds, seed, progress);
        };
        let held_out: Vec<Labels> = (0..folds.n_folds())
            .map(|fold| folds.held_out(fold).iter().map(|&row| samples.labels[row]).collect())
            .collect();
        let path = self.fit_path(samples, folds, &penalties, progress)?;
        let score = |(fit, labels): (PathFit, &Labels)| FoldScore {
            accuracy: accuracy(&fit.predicted, labels),
            fit_seconds: fit.fit_seconds,
            score_seconds: fit.predict_seconds,
            warning: (!fit.converged).then(|| not_converged(fit.max_kkt_gap)),
        };
        let scores = |fits: Vec<PathFit>| fits.into_iter().zip(&held_out).map(score).collect();
        Ok(path.into_iter().map(scores).collect())
    }
}

impl Classifier for Svc {
    fn predict(&self, features: &Features, progress: &dyn Progress) -> Result<Labels, LearnError> {
        Ok(self.predict_labels_with(features, progress)?)
    }

    fn to_tensors(&self) -> TensorFile<'_> {
        Svc::to_tensors(self)
    }

    fn details(&self) -> Map<String, Value> {
        let kernel = match self.kernel() {
            Kernel::Linear => "linear",
            Kernel::Rbf { .. } => "rbf",
            Kernel::Polynomial { .. } => "poly",
            Kernel::Sigmoid { .. } => "sigmoid",
        };
        let mut details = named([
            ("kernel", json!(kernel)),
            ("gamma", json!(self.gamma())),
            ("n_support", json!(self.support().n_samples())),
            ("break_ties", json!(self.break_ties())),
            ("probability", json!(self.sigmoids().is_some())),
        ]);
        if let Some(report) = self.report() {
            details.extend(named([
                ("c", json!(report.c)),
                ("n_iterations", json!(report.n_iterations)),
                ("max_kkt_gap", json!(report.max_kkt_gap)),
                ("objective", json!(report.objective)),
                ("converged", json!(report.converged)),
                ("engine", json!(report.engine)),
            ]));
        }
        details
    }

    fn notes(&self) -> Map<String, Value> {
        self.report().map_or_else(Map::new, |report| {
            named([
                ("kernel_evaluations", json!(report.kernel_evaluations)),
                ("cache_hit_rate", json!(report.cache_hit_rate)),
            ])
        })
    }

    fn warning(&self) -> Option<String> {
        let report = self.report().filter(|report| !report.converged)?;
        Some(not_converged(report.max_kkt_gap))
    }
}

fn not_converged(max_kkt_gap: f64) -> String {
    format!(
        "the support vector machine did not converge: its largest KKT gap is {max_kkt_gap:.1e}"
    )
}

fn named<const N: usize>(values: [(&str, Value); N]) -> Map<String, Value> {
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
