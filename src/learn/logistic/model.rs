//! The fitted classifier: fit, prediction, report, storage.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::linfa_engine;
use super::params::{Engine, LogisticValidParams, Penalty};
use super::problem::{Problem, probability, softmax};
use super::solver::{Solution, evaluate_at, solve};
use crate::data::{Features, Labels, TensorFile, TensorFileError};
use crate::learn::classifier::linfa_traits;
use crate::learn::input::check_samples;
use crate::learn::linear_model::LinearModel;
use crate::learn::rows::Rows;
use crate::learn::svm::ClassWeight;
use crate::learn::{Classifier, LearnError, Meaning, Samples, Scores};
use crate::progress::Progress;

/// What was fitted and how good the solution is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogisticReport {
    /// Parameters.
    pub params: LogisticValidParams,
    /// `C * sum of losses + penalty`, minimised.
    pub objective: f64,
    /// Largest partial derivative with the losses averaged, what `tol` bounds; with L1, of the
    /// subgradient of least norm.
    pub max_gradient: f64,
    /// Iterations; linfa does not tell.
    pub n_iter: Option<usize>,
    /// Whether the largest derivative, measured on the solution, is within `tol`.
    pub converged: bool,
    /// Coefficients that are not 0.
    pub n_nonzero: usize,
}

/// A fitted classifier.
#[derive(Debug)]
pub struct LogisticRegression {
    linear: LinearModel,
    report: LogisticReport,
}

impl LogisticValidParams {
    /// Fits the classes that count.
    ///
    /// # Errors
    /// Samples that cannot be fitted, what linfa's engine cannot do, or an interruption.
    /// # Cost
    /// `2 n_samples * n_features * n_classes` multiplications an iteration.
    pub fn fit_model(
        &self,
        samples: Samples,
        _seed: u64,
        progress: &dyn Progress,
    ) -> Result<LogisticRegression, LearnError> {
        let checked = check_samples(&samples, 2)?;
        let features = checked.features.as_ref();
        let labels: Vec<usize> =
            (0..checked.n_classes).filter(|&label| checked.is_present[label]).collect();
        if self.engine == Engine::Linfa && samples.weights.is_some() {
            return Err(LearnError::Linfa("it has no weights of samples".to_owned()));
        }
        // Rows of a class of which none counts have no cost; any class will do.
        let classes: Vec<usize> = samples
            .labels
            .iter()
            .map(|label| labels.binary_search(label).unwrap_or_default())
            .collect();
        let problem = Problem {
            rows: Rows::new(features),
            costs: self.costs(samples, &labels),
            classes,
            n_classes: labels.len(),
            fit_intercept: self.fit_intercept,
            l2: f64::from(u8::from(self.penalty == Penalty::L2)),
            l1: f64::from(u8::from(self.penalty == Penalty::L1)),
        };
        let (solution, n_iter) = match self.engine {
            Engine::Native => {
                let solution = solve(&problem, self.tol, self.max_iter, progress)?;
                let n_iter = solution.n_iter;
                (solution, Some(n_iter))
            }
            Engine::Linfa => {
                let theta = linfa_engine::fit(
                    self,
                    features,
                    &problem.classes,
                    problem.n_classes,
                    progress,
                )?;
                (evaluate_at(&problem, theta, self.tol, progress)?, None)
            }
        };
        let Solution { theta, objective, max_gradient, converged, .. } = solution;
        let linear = LinearModel::from_vectors(labels, features.n_features(), &theta);
        let report = LogisticReport {
            params: self.clone(),
            objective,
            max_gradient,
            n_iter,
            converged,
            n_nonzero: linear.coef.iter().filter(|w| **w != 0.0).count(),
        };
        Ok(LogisticRegression { linear, report })
    }

    /// `c_i` of every sample. `balanced` counts samples by their weights, as scikit-learn.
    fn costs(&self, samples: Samples, classes: &[usize]) -> Vec<f64> {
        let weight = |row: usize| samples.weights.map_or(1.0, |weights| weights[row]);
        let mut counts = vec![0.0; classes.len()];
        for (row, label) in samples.labels.iter().enumerate() {
            if let Ok(class) = classes.binary_search(label) {
                counts[class] += weight(row);
            }
        }
        let mean = counts.iter().sum::<f64>() / classes.len() as f64;
        let of_class: Vec<f64> = classes
            .iter()
            .zip(&counts)
            .map(|(class, count)| match &self.class_weight {
                ClassWeight::Uniform => 1.0,
                ClassWeight::Balanced => mean / count,
                ClassWeight::PerClass(weights) => {
                    weights.iter().rfind(|(of, _)| of == class).map_or(1.0, |&(_, weight)| weight)
                }
            })
            .collect();
        let of_row = |(row, label): (usize, &usize)| {
            classes.binary_search(label).map_or(0.0, |class| self.c * of_class[class] * weight(row))
        };
        samples.labels.iter().enumerate().map(of_row).collect()
    }
}

impl LogisticRegression {
    /// What was fitted and how good the solution is.
    pub fn report(&self) -> &LogisticReport {
        &self.report
    }

    /// Labels that were fitted, ascending.
    pub fn classes(&self) -> &[usize] {
        &self.linear.classes
    }

    /// Coefficients of real features (a byte counts as itself / 255), `[n_vectors, n_features]`: a
    /// vector a class; of two classes one, for the second.
    pub fn coef(&self) -> &Array2<f64> {
        &self.linear.coef
    }

    /// Constants, `[n_vectors]`.
    pub fn intercept(&self) -> &Array1<f64> {
        &self.linear.intercept
    }

    /// The model of stored tensors.
    ///
    /// # Errors   if a part is missing or parts do not fit together
    pub fn from_tensors(mut file: TensorFile<'static>) -> Result<Self, LearnError> {
        let report = serde_json::from_value(file.document["report"].take())
            .map_err(|_| TensorFileError::Malformed("report of the classifier".to_owned()))?;
        Ok(LogisticRegression { linear: LinearModel::from_tensors(&mut file)?, report })
    }
}

impl Classifier for LogisticRegression {
    fn predict(&self, features: &Features, progress: &dyn Progress) -> Result<Labels, LearnError> {
        let decisions = self.linear.decisions(features, progress)?;
        Ok(self.linear.winners(&LinearModel::of_classes(decisions)))
    }

    /// Probabilities.
    fn scores(&self, features: &Features, progress: &dyn Progress) -> Result<Scores, LearnError> {
        let mut decisions = self.linear.decisions(features, progress)?;
        let probabilities = if decisions.ncols() == 1 {
            let one = |row: usize, sign: f64| probability(sign * decisions[[row, 0]]);
            Array2::from_shape_fn((decisions.nrows(), 2), |(row, class)| {
                one(row, if class == 1 { 1.0 } else { -1.0 })
            })
        } else {
            for mut row in decisions.rows_mut() {
                if let Some(row) = row.as_slice_mut() {
                    softmax(row);
                }
            }
            decisions
        };
        Ok(Scores::of_classes(&self.linear.classes, &probabilities, Meaning::Probability))
    }

    fn to_tensors(&self) -> TensorFile<'_> {
        self.linear.to_tensors("logistic", json!(self.report))
    }

    fn details(&self) -> Map<String, Value> {
        let report = &self.report;
        let details = json!({
            "penalty": report.params.penalty,
            "c": report.params.c,
            "engine": report.params.engine,
            "objective": report.objective,
            "max_gradient": report.max_gradient,
            "n_iter": report.n_iter,
            "converged": report.converged,
            "n_nonzero": report.n_nonzero,
        });
        details.as_object().cloned().unwrap_or_default()
    }

    fn warning(&self) -> Option<String> {
        let LogisticReport { max_gradient, converged, params, .. } = &self.report;
        (!converged).then(|| {
            format!(
                "logistic regression did not converge: its largest derivative is \
                 {max_gradient:.1e}, `tol` is {:.1e}",
                params.tol
            )
        })
    }
}

linfa_traits!(LogisticValidParams, LogisticRegression);
