//! The fitted classifier: fit, prediction, report, storage.

use ndarray::{Array1, Array2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::params::{PerceptronValidParams, Variant};
use super::solver::{self, Solution};
use crate::data::{Features, Labels, Rng, TensorFile, TensorFileError};
use crate::learn::classifier::linfa_traits;
use crate::learn::input::check_samples;
use crate::learn::linear_model::LinearModel;
use crate::learn::rows::Rows;
use crate::learn::{Classifier, LearnError, Meaning, Samples, Scores};
use crate::progress::Progress;

/// What was fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PerceptronReport {
    /// Parameters.
    pub params: PerceptronValidParams,
    /// Epochs, of the class that took most.
    pub n_iter: usize,
    /// Whether epochs brought nothing any more, for every class.
    pub converged: bool,
    /// Corrections of the last epochs of all classes.
    pub n_mistakes: u64,
}

/// A fitted classifier.
#[derive(Debug)]
pub struct Perceptron {
    linear: LinearModel,
    report: PerceptronReport,
}

impl PerceptronValidParams {
    /// Fits the classes that count.
    ///
    /// # Errors
    /// Samples that cannot be fitted, or an interruption.
    /// # Cost
    /// `n_samples * n_features * n_classes` multiplications an epoch; classes side by side if one
    /// against the rest, else on one thread.
    pub fn fit_model(
        &self,
        samples: Samples,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Perceptron, LearnError> {
        let checked = check_samples(&samples, 2)?;
        let features = checked.features.as_ref();
        let labels: Vec<usize> =
            (0..checked.n_classes).filter(|&label| checked.is_present[label]).collect();
        let classes: Vec<usize> = samples
            .labels
            .iter()
            .map(|label| labels.binary_search(label).unwrap_or_default())
            .collect();
        let rows = Rows::new(features);
        let inner = solver::Samples { rows, classes: &classes, weights: samples.weights };
        let n_classes = labels.len();
        let width = features.n_features() + 1;
        let mut found: Vec<Solution> = match self.variant {
            Variant::OneVsRest => {
                // Of two classes the second against the first.
                let positives = if n_classes == 2 { 1..2 } else { 0..n_classes };
                let one = |class: usize| {
                    let mut rng = Rng::new(seed, &["perceptron", &class.to_string()]);
                    solver::fit(self, &inner, Some(class), 1, &mut rng, progress)
                };
                positives.into_par_iter().map(one).collect::<Result<_, _>>()?
            }
            Variant::Multiclass => {
                let mut rng = Rng::new(seed, &["perceptron"]);
                vec![solver::fit(self, &inner, None, n_classes, &mut rng, progress)?]
            }
        };
        if self.variant == Variant::Multiclass && n_classes == 2 {
            let vectors = &mut found[0].vectors;
            let (first, second) = vectors.split_at(width);
            *vectors = second.iter().zip(first).map(|(b, a)| b - a).collect();
        }
        let report = PerceptronReport {
            params: self.clone(),
            n_iter: found.iter().map(|one| one.n_iter).max().unwrap_or(0),
            converged: found.iter().all(|one| one.converged),
            n_mistakes: found.iter().map(|one| one.n_mistakes).sum(),
        };
        let vectors: Vec<f64> = found.into_iter().flat_map(|one| one.vectors).collect();
        let linear = LinearModel::from_vectors(labels, width - 1, &vectors);
        Ok(Perceptron { linear, report })
    }
}

impl Perceptron {
    /// What was fitted.
    pub fn report(&self) -> &PerceptronReport {
        &self.report
    }

    /// Classes that occurred, ascending.
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
        Ok(Perceptron { linear: LinearModel::from_tensors(&mut file)?, report })
    }
}

impl Classifier for Perceptron {
    fn predict(&self, features: &Features, progress: &dyn Progress) -> Result<Labels, LearnError> {
        let decisions = self.linear.decisions(features, progress)?;
        Ok(self.linear.winners(&LinearModel::of_classes(decisions)))
    }

    /// Decisions.
    fn scores(&self, features: &Features, progress: &dyn Progress) -> Result<Scores, LearnError> {
        let decisions = LinearModel::of_classes(self.linear.decisions(features, progress)?);
        Ok(Scores::of_classes(&self.linear.classes, &decisions, Meaning::Decision))
    }

    fn to_tensors(&self) -> TensorFile<'_> {
        self.linear.to_tensors("perceptron", json!(self.report))
    }

    fn details(&self) -> Map<String, Value> {
        let details = json!({
            "variant": self.report.params.variant,
            "averaged": self.report.params.averaged,
            "n_iter": self.report.n_iter,
            "converged": self.report.converged,
            "n_mistakes": self.report.n_mistakes,
        });
        details.as_object().cloned().unwrap_or_default()
    }

    fn warning(&self) -> Option<String> {
        let PerceptronReport { converged, n_iter, .. } = self.report;
        (!converged).then(|| format!("the perceptron still improved after {n_iter} epochs"))
    }
}

linfa_traits!(PerceptronValidParams, Perceptron);
