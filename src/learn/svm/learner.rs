//! The support vector classifier as one learner among others.

use serde_json::{Map, Value, json};

use super::model::Svc;
use super::params::{Kernel, SvcValidParams};
use crate::data::{Features, Labels, TableShape, TensorFile};
use crate::learn::{Classifier, LearnError, Learner, NominalCost, Samples};
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

    fn nominal_cost(&self, shape: &TableShape, n_threads: usize) -> Option<NominalCost> {
        SvcValidParams::nominal_cost(self, shape, n_threads)
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
        Some(format!(
            "the support vector machine did not converge: its largest KKT gap is {:.1e}",
            report.max_kkt_gap
        ))
    }
}

fn named<const N: usize>(values: [(&str, Value); N]) -> Map<String, Value> {
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
