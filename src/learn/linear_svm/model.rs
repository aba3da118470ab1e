//! The fitted classifier: prediction, report, storage.

use ndarray::{Array1, Array2, ArrayView1};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::params::{Loss, MultiClass, Solver};
use super::problem::stop_if;
use crate::data::{Features, Labels, TensorFile, TensorFileError};
use crate::learn::LearnError;
use crate::learn::input::check_rows;
use crate::learn::rows::Rows;
use crate::progress::{Progress, Silent};

/// Samples predicted between two looks at [`Progress::interrupted`].
const CHUNK: usize = 1024;

/// What was fitted and how good the solution is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinearReport {
    /// One entry per row of the coefficients.
    pub problems: Vec<ProblemReport>,
    /// Sum of the primal objectives (minimised).
    pub primal: f64,
    /// Sum of the dual objectives (maximised): no model has a primal sum below it.
    pub dual: f64,
    /// `(primal - dual) / primal`
    pub relative_gap: f64,
    /// True if every problem reached its tolerance, as measured on the solution.
    pub converged: bool,
    /// Penalty.
    pub c: f64,
    /// Loss.
    pub loss: Loss,
    /// Problems of two classes.
    pub multi_class: MultiClass,
    /// Algorithm that ran.
    pub solver: Solver,
}

/// Outcome of one problem of two classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProblemReport {
    /// Class on the positive side.
    pub positive: usize,
    /// Class on the negative side; none for all others.
    pub negative: Option<usize>,
    /// Primal objective.
    pub primal: f64,
    /// Dual objective.
    pub dual: f64,
    /// `(primal - dual) / primal`
    pub relative_gap: f64,
    /// Spread of the projected gradient of the dual, what `tol` bounds.
    pub violation: f64,
    /// Sweeps or steps.
    pub n_iterations: u64,
    /// Samples with a multiplier above 0.
    pub n_nonzero: usize,
    /// Whether the violation reached the tolerance.
    pub converged: bool,
}

/// A fitted linear support vector classifier.
#[derive(Debug)]
pub struct LinearSvc {
    classes: Vec<usize>,
    coef: Array2<f64>,
    intercept: Array1<f64>,
    report: LinearReport,
}

impl LinearSvc {
    pub(super) fn new(
        classes: Vec<usize>,
        coef: Array2<f64>,
        intercept: Array1<f64>,
        report: LinearReport,
    ) -> Self {
        LinearSvc { classes, coef, intercept, report }
    }

    /// What was fitted and how good the solution is.
    pub fn report(&self) -> &LinearReport {
        &self.report
    }

    /// Classes that occurred, ascending.
    pub fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// Weights of real features (a byte counts as itself / 255), `[n_problems, n_features]`: a row
    /// per class, or per pair 01, 02, …, 12, … whose second class is positive. Two classes have one
    /// row, as in scikit-learn.
    pub fn coef(&self) -> &Array2<f64> {
        &self.coef
    }

    /// Constants, `[n_problems]`.
    pub fn intercept(&self) -> &Array1<f64> {
        &self.intercept
    }

    /// `coef x + intercept` of each problem, `[n_samples, n_problems]`.
    ///
    /// # Errors
    /// Samples with another number of features than those of the fit, or not finite.
    pub fn raw_decision(&self, features: &Features) -> Result<Array2<f64>, LearnError> {
        self.raw_decision_with(features, &Silent)
    }

    fn raw_decision_with(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Array2<f64>, LearnError> {
        let features = check_rows(features, self.coef.ncols())?;
        let rows = Rows::new(&features);
        let n_problems = self.coef.nrows();
        let mut decisions = Array2::zeros((features.n_samples(), n_problems));
        let coefficients = self.coef.as_slice().unwrap_or(&[]);
        let lines = decisions.as_slice_mut().unwrap_or(&mut []);
        lines.par_chunks_mut(CHUNK * n_problems).enumerate().try_for_each(|(chunk, lines)| {
            stop_if(progress)?;
            for (within, line) in lines.chunks_exact_mut(n_problems).enumerate() {
                let row = chunk * CHUNK + within;
                let weights = coefficients.chunks_exact(self.coef.ncols());
                for ((decision, weights), intercept) in
                    line.iter_mut().zip(weights).zip(&self.intercept)
                {
                    *decision = rows.scale().mul_add(rows.dot(row, weights), *intercept);
                }
            }
            Ok::<(), LearnError>(())
        })?;
        Ok(decisions)
    }

    /// A score for each class, `[n_samples, n_classes]`; the largest decides. One-vs-rest: the
    /// decisions themselves (of two classes: minus and plus the one decision). One-vs-one: votes
    /// plus the summed decisions squashed into (-1/3, 1/3), as scikit-learn's `OneVsOneClassifier`.
    ///
    /// # Errors
    /// As [`LinearSvc::raw_decision`].
    pub fn decision_function(&self, features: &Features) -> Result<Array2<f64>, LearnError> {
        self.decision_function_with(features, &Silent)
    }

    pub(super) fn decision_function_with(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Array2<f64>, LearnError> {
        let raw = self.raw_decision_with(features, progress)?;
        let n_classes = self.classes.len();
        if n_classes > 2 && self.report.multi_class == MultiClass::Ovr {
            return Ok(raw);
        }
        let mut scores = Array2::zeros((raw.nrows(), n_classes));
        for (raw, mut scores) in raw.rows().into_iter().zip(scores.rows_mut()) {
            if n_classes == 2 {
                (scores[0], scores[1]) = (-raw[0], raw[0]);
                continue;
            }
            let mut sums = vec![0.0; n_classes];
            for ((first, second), &decision) in pairs(n_classes).zip(&raw) {
                scores[if decision > 0.0 { second } else { first }] += 1.0;
                sums[first] -= decision;
                sums[second] += decision;
            }
            for (score, sum) in scores.iter_mut().zip(sums) {
                *score += sum / (3.0 * (sum.abs() + 1.0));
            }
        }
        Ok(scores)
    }

    /// The class with the largest score of each sample, the first of equals.
    ///
    /// # Errors
    /// As [`LinearSvc::raw_decision`].
    pub fn predict_labels(&self, features: &Features) -> Result<Labels, LearnError> {
        self.predict_labels_with(features, &Silent)
    }

    /// As [`LinearSvc::predict_labels`], until the user asks to stop.
    ///
    /// # Errors
    /// As there, or [`LearnError::Interrupted`].
    pub fn predict_labels_with(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Labels, LearnError> {
        let scores = self.decision_function_with(features, progress)?;
        let winner = |scores: ArrayView1<f64>| {
            let mut best = 0;
            for (class, &score) in scores.iter().enumerate() {
                if score > scores[best] {
                    best = class;
                }
            }
            self.classes[best]
        };
        Ok(scores.rows().into_iter().map(winner).collect())
    }

    /// The model as tensors and a document.
    pub fn to_tensors(&self) -> TensorFile<'_> {
        let mut file = TensorFile::new(json!({
            "type": "linear_svc",
            "classes": self.classes,
            "report": self.report,
        }));
        file.insert_f64("coef", self.coef.view());
        file.insert_f64("intercept", self.intercept.view());
        file
    }

    /// The model that [`LinearSvc::to_tensors`] stored.
    ///
    /// # Errors
    /// If a part is missing or parts do not fit together.
    pub fn from_tensors(mut file: TensorFile<'static>) -> Result<Self, LearnError> {
        let malformed = |what: &str| TensorFileError::Malformed(what.to_owned());
        let read = |name: &str| file.document.get(name).cloned().unwrap_or_default();
        let classes: Vec<usize> = serde_json::from_value(read("classes"))
            .map_err(|_| malformed("classes of the classifier"))?;
        let report: LinearReport = serde_json::from_value(read("report"))
            .map_err(|_| malformed("report of the classifier"))?;
        let coef: Array2<f64> = file.take_f64("coef")?;
        let intercept: Array1<f64> = file.take_f64("intercept")?;
        let n_problems = match (classes.len(), report.multi_class) {
            (0 | 1, _) => 0,
            (2, _) => 1,
            (n, MultiClass::Ovr) => n,
            (n, MultiClass::Ovo) => n * (n - 1) / 2,
        };
        let fits = n_problems > 0
            && coef.nrows() == n_problems
            && intercept.len() == n_problems
            && report.problems.len() == n_problems
            && classes.is_sorted_by(|a, b| a < b)
            && coef.iter().chain(&intercept).all(|v| v.is_finite());
        if !fits {
            return Err(malformed("parts of the classifier do not fit together").into());
        }
        Ok(LinearSvc::new(classes, coef, intercept, report))
    }
}

/// Pairs of classes in the order of the rows of one-vs-one.
pub(super) fn pairs(n_classes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n_classes).flat_map(move |first| (first + 1..n_classes).map(move |second| (first, second)))
}
