//! Coefficients of linear decisions, one vector a class or one for two classes.

use ndarray::{Array1, Array2};
use rayon::prelude::*;
use serde_json::{Value, json};

use super::LearnError;
use super::input::check_rows;
use super::rows::Rows;
use crate::data::{Features, TensorFile, TensorFileError};
use crate::kernels::weights::Weights;
use crate::progress::Progress;

/// Rows scored between two looks at [`Progress::interrupted`].
const CHUNK: usize = 512;

/// Linear decisions for classes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LinearModel {
    /// Labels of the classes, ascending, two at least.
    pub classes: Vec<usize>,
    /// Of real features (a byte counts as itself / 255): `[n_vectors, n_features]`, a vector a class;
    /// of two classes one vector, for the second.
    pub coef: Array2<f64>,
    /// `[n_vectors]`
    pub intercept: Array1<f64>,
}

impl LinearModel {
    /// From vectors whose last entry is the intercept, one after another.
    pub fn from_vectors(classes: Vec<usize>, n_features: usize, vectors: &[f64]) -> Self {
        let n_vectors = vectors.len() / (n_features + 1);
        let at = |vector: usize, entry: usize| vectors[vector * (n_features + 1) + entry];
        LinearModel {
            classes,
            coef: Array2::from_shape_fn((n_vectors, n_features), |(v, f)| at(v, f)),
            intercept: Array1::from_shape_fn(n_vectors, |v| at(v, n_features)),
        }
    }

    /// `coef x + intercept`, `[n_samples, n_vectors]`.
    pub fn decisions(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Array2<f64>, LearnError> {
        let (n_vectors, n_features) = self.coef.dim();
        let features = check_rows(features, n_features)?;
        let rows = Rows::new(&features);
        let of_stored: Vec<f64> = self.coef.iter().map(|w| w * rows.scale()).collect();
        let weights = Weights::pack(n_features, &of_stored);
        let mut decisions = Array2::zeros((features.n_samples(), n_vectors));
        let lines = decisions.as_slice_mut().unwrap_or(&mut []);
        lines.par_chunks_mut(CHUNK * n_vectors).enumerate().try_for_each(|(chunk, lines)| {
            if progress.interrupted() {
                return Err(LearnError::Interrupted);
            }
            for line in lines.chunks_exact_mut(n_vectors) {
                line.iter_mut().zip(&self.intercept).for_each(|(line, b)| *line = *b);
            }
            let first = chunk * CHUNK;
            let which: Vec<usize> = (first..first + lines.len() / n_vectors).collect();
            rows.add_scores(&which, &weights, lines);
            Ok(())
        })?;
        Ok(decisions)
    }

    /// A decision for each class, `[n_samples, n_classes]`: of two classes minus and plus the one.
    pub fn of_classes(decisions: Array2<f64>) -> Array2<f64> {
        if decisions.ncols() != 1 {
            return decisions;
        }
        let sign = |column: usize| if column == 0 { -1.0 } else { 1.0 };
        Array2::from_shape_fn((decisions.nrows(), 2), |(row, c)| sign(c) * decisions[[row, 0]])
    }

    /// The class of the largest value of each row, the first of equals.
    pub fn winners(&self, values: &Array2<f64>) -> Array1<usize> {
        let winner = |values: ndarray::ArrayView1<f64>| {
            let best = values.iter().enumerate().reduce(|a, b| if b.1 > a.1 { b } else { a });
            self.classes[best.map_or(0, |(class, _)| class)]
        };
        values.rows().into_iter().map(winner).collect()
    }

    /// A file of a type with the coefficients and a report.
    pub fn to_tensors(&self, kind: &str, report: Value) -> TensorFile<'_> {
        let document = json!({ "type": kind, "classes": self.classes, "report": report });
        let mut file = TensorFile::new(document);
        file.insert_f64("coef", self.coef.view());
        file.insert_f64("intercept", self.intercept.view());
        file
    }

    /// What [`LinearModel::to_tensors`] stored.
    pub fn from_tensors(file: &mut TensorFile<'static>) -> Result<Self, LearnError> {
        let malformed = |what: &str| TensorFileError::Malformed(what.to_owned());
        let classes: Vec<usize> = serde_json::from_value(file.document["classes"].take())
            .map_err(|_| malformed("classes of the classifier"))?;
        let coef: Array2<f64> = file.take_f64("coef")?;
        let intercept: Array1<f64> = file.take_f64("intercept")?;
        let n_vectors = if classes.len() == 2 { 1 } else { classes.len() };
        let fits = classes.len() >= 2
            && classes.is_sorted_by(|a, b| a < b)
            && classes.last().is_some_and(|&last| last <= 1 << 24)
            && coef.nrows() == n_vectors
            && coef.ncols() > 0
            && intercept.len() == n_vectors
            && coef.iter().chain(&intercept).all(|v| v.is_finite());
        if !fits {
            return Err(malformed("parts of the classifier do not fit together").into());
        }
        Ok(LinearModel { classes, coef, intercept })
    }
}
