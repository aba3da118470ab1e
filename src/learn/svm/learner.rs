//! The support vector classifier as one learner among others.

use std::any::Any;

use serde_json::{Map, Value, json};

use super::model::Svc;
use super::params::{Engine, Kernel, SvcValidParams};
use super::path::PathFit;
use crate::data::{Features, Labels, TableShape, TensorFile};
use crate::learn::model_selection::{FoldScore, Folds, accuracy, cross_validate};
use crate::learn::{Classifier, LearnError, Learner, Meaning, NominalCost, Samples, Scores};
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

    /// Where the penalty is all that differs.
    fn shares_work_with(&self, other: &dyn Learner) -> bool {
        let other: &dyn Any = other;
        other.downcast_ref::<SvcValidParams>().is_some_and(|other| {
            self.engine == Engine::Native && *self == SvcValidParams { c: self.c, ..other.clone() }
        })
    }

    fn cross_validate(
        &self,
        learners: &[&dyn Learner],
        samples: Samples,
        folds: &Folds,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<FoldScore>>, LearnError> {
        if self.engine == Engine::Linfa {
            return Ok(vec![cross_validate(self, samples, folds, seed, progress)?]);
        }
        let cs: Vec<f64> = learners
            .iter()
            .filter_map(|learner| (*learner as &dyn Any).downcast_ref::<SvcValidParams>())
            .map(|params| params.c)
            .collect();
        let held_out: Vec<Labels> = (0..folds.n_folds())
            .map(|fold| folds.held_out(fold).iter().map(|&row| samples.labels[row]).collect())
            .collect();
        let path = self.fit_path(samples, folds, &cs, progress)?;
        let score = |fit: &PathFit, labels: &Labels| FoldScore {
            accuracy: accuracy(&fit.predicted, labels),
            fit_seconds: fit.fit_seconds,
            score_seconds: fit.predict_seconds,
            warning: (!fit.converged).then(|| not_converged(fit.max_kkt_gap)),
        };
        let scores = |fits: &Vec<PathFit>| {
            fits.iter().zip(&held_out).map(|(fit, labels)| score(fit, labels)).collect()
        };
        Ok(path.iter().map(scores).collect())
    }

    fn nominal_cost(&self, shape: &TableShape, n_threads: usize) -> Option<NominalCost> {
        SvcValidParams::nominal_cost(self, shape, n_threads)
    }
}

fn not_converged(gap: f64) -> String {
    format!("the support vector machine did not converge: its largest KKT gap is {gap:.1e}")
}

impl Classifier for Svc {
    fn predict(&self, features: &Features, progress: &dyn Progress) -> Result<Labels, LearnError> {
        Ok(self.predict_labels_with(features, progress)?)
    }

    /// Probabilities if it was fitted with `probability`, else one-vs-rest shaped decisions.
    fn scores(&self, features: &Features, progress: &dyn Progress) -> Result<Scores, LearnError> {
        let (columns, meaning) = match self.sigmoids() {
            Some(_) => (self.predict_proba_with(features, progress)?, Meaning::Probability),
            None => {
                let decisions = self.decision_function_with(features, progress)?;
                (decisions.mapv(f64::from), Meaning::Decision)
            }
        };
        Ok(Scores::of_classes(self.classes(), &columns, meaning))
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

fn named<const N: usize>(values: [(&str, Value); N]) -> Map<String, Value> {
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
