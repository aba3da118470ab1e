//! The fitted classifier: prediction, report, storage.

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::params::Covariance;
use crate::data::{Features, Labels, TensorFile, TensorFileError};
use crate::learn::linalg::product_into;
use crate::learn::log_scores::{labels_of, probabilities};
use crate::learn::map_rows::{affine, map_rows, shifted};
use crate::learn::moments::square;
use crate::learn::{Classifier, LearnError, Meaning, Scores};
use crate::progress::Progress;

/// What was fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Report {
    pub covariance: Covariance,
    /// Share by which covariances were drawn towards a multiple of the identity; the largest of the
    /// classes'.
    pub shrinkage: f64,
    /// Directions that are used.
    pub rank: usize,
    /// Classes whose own covariance lacks variance in some direction.
    pub singular: Vec<usize>,
}

/// Discriminant functions of all classes, equal up to one constant.
#[derive(Debug)]
pub(super) enum Functions {
    /// `coef^T (x - shift) + intercept`
    Linear {
        /// `[n_features]`
        shift: Vec<f64>,
        /// `[n_features, n_classes]`
        coef: Array2<f64>,
        /// `[n_classes]`
        intercept: Vec<f64>,
    },
    /// `offset - |W^T (x - m)|^2 / 2`
    Quadratic {
        /// `m`, `[n_classes, n_features]`
        means: Array2<f64>,
        /// `W` of each class, `[n_features, n_directions]`.
        maps: Vec<Array2<f64>>,
        /// `[n_classes]`
        offset: Vec<f64>,
    },
}

/// A fitted classifier.
#[derive(Debug)]
pub struct Discriminant {
    classes: Vec<usize>,
    functions: Functions,
    report: Report,
}

impl Discriminant {
    pub(super) fn new(classes: Vec<usize>, functions: Functions, report: Report) -> Self {
        Discriminant { classes, functions, report }
    }

    pub(super) fn with_report(self, report: Report) -> Self {
        Discriminant { report, ..self }
    }

    /// Classes that occurred, ascending.
    pub fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// Weights of real features (a byte counts as itself / 255) for each class, `[n_features, n_classes]`,
    /// where the functions are linear: with one covariance for all classes.
    pub fn coef(&self) -> Option<&Array2<f64>> {
        match &self.functions {
            Functions::Linear { coef, .. } => Some(coef),
            Functions::Quadratic { .. } => None,
        }
    }

    /// Discriminant functions up to one constant a row, `[n_samples, n_classes]`: logarithms of
    /// posterior probabilities but for their normalisation.
    ///
    /// # Errors
    /// Rows unlike those of the fit, or an interruption.
    pub fn discriminants(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Array2<f64>, LearnError> {
        match &self.functions {
            Functions::Linear { shift, coef, intercept } => {
                let products = affine(features, shift, coef.view(), progress)?;
                Ok(products + ndarray::ArrayView1::from(intercept))
            }
            Functions::Quadratic { means, maps, offset } => {
                let (n_classes, n_features) = means.dim();
                map_rows(features, n_features, n_classes, progress, |rows, out: &mut [f64]| {
                    for (nth, (map, offset)) in maps.iter().zip(offset).enumerate() {
                        let mean = means.row(nth).to_vec();
                        let whitened = whiten(shifted(rows.clone(), &mean).view(), map);
                        for (row, out) in whitened
                            .rows()
                            .into_iter()
                            .zip(out.iter_mut().skip(nth).step_by(n_classes))
                        {
                            *out = offset - square(row) / 2.0;
                        }
                    }
                })
            }
        }
    }

    /// The classifier that `to_tensors` stored.
    ///
    /// # Errors
    /// If a part is missing or parts do not fit together.
    pub(in crate::learn) fn from_tensors(
        mut file: TensorFile<'static>,
    ) -> Result<Self, LearnError> {
        let malformed = |what: &str| TensorFileError::Malformed(what.to_owned());
        let classes: Vec<usize> = serde_json::from_value(file.document["classes"].take())
            .map_err(|_| malformed("classes of the classifier"))?;
        let report: Report = serde_json::from_value(file.document["report"].take())
            .map_err(|_| malformed("report of the classifier"))?;
        let n = classes.len();
        let constants = file.take_f64::<ndarray::Ix1>("constants")?.to_vec();
        let functions = if report.covariance == Covariance::PerClass {
            let means = file.take_f64::<ndarray::Ix2>("means")?;
            let maps = (0..n)
                .map(|nth| file.take_f64::<ndarray::Ix2>(&format!("map_{nth}")))
                .collect::<Result<Vec<_>, _>>()?;
            let fits = means.nrows() == n && maps.iter().all(|map| map.nrows() == means.ncols());
            if !fits {
                return Err(malformed("means and maps of the classifier").into());
            }
            Functions::Quadratic { means, maps, offset: constants }
        } else {
            let shift = file.take_f64::<ndarray::Ix1>("shift")?.to_vec();
            let coef = file.take_f64::<ndarray::Ix2>("coef")?;
            if coef.dim() != (shift.len(), n) {
                return Err(malformed("coefficients of the classifier").into());
            }
            Functions::Linear { shift, coef, intercept: constants }
        };
        let n_constants = match &functions {
            Functions::Linear { intercept, .. } => intercept.len(),
            Functions::Quadratic { offset, .. } => offset.len(),
        };
        if n == 0 || n_constants != n || !classes.is_sorted_by(|a, b| a < b) {
            return Err(malformed("parts of the classifier do not fit together").into());
        }
        Ok(Discriminant { classes, functions, report })
    }
}

fn whiten(rows: ArrayView2<f64>, map: &Array2<f64>) -> Array2<f64> {
    let mut out = Array2::zeros((rows.nrows(), map.ncols()));
    product_into(rows, map.view(), out.as_slice_mut().unwrap_or(&mut []));
    out
}

impl Classifier for Discriminant {
    fn predict(&self, features: &Features, progress: &dyn Progress) -> Result<Labels, LearnError> {
        Ok(labels_of(&self.discriminants(features, progress)?, &self.classes))
    }

    fn scores(&self, features: &Features, progress: &dyn Progress) -> Result<Scores, LearnError> {
        let logarithms = self.discriminants(features, progress)?;
        let columns = probabilities(logarithms);
        Ok(Scores::of_classes(&self.classes, &columns, Meaning::Probability))
    }

    fn to_tensors(&self) -> TensorFile<'_> {
        let mut file = TensorFile::new(json!({
            "type": "discriminant",
            "classes": self.classes,
            "report": self.report,
        }));
        let constants = match &self.functions {
            Functions::Linear { shift, coef, intercept } => {
                file.insert_f64("shift", ndarray::ArrayView1::from(shift));
                file.insert_f64("coef", coef.view());
                intercept
            }
            Functions::Quadratic { means, maps, offset } => {
                file.insert_f64("means", means.view());
                for (nth, map) in maps.iter().enumerate() {
                    file.insert_f64(&format!("map_{nth}"), map.view());
                }
                offset
            }
        };
        file.insert_f64("constants", ndarray::ArrayView1::from(constants));
        file
    }

    fn details(&self) -> Map<String, Value> {
        let Report { covariance, shrinkage, rank, singular } = &self.report;
        [
            ("covariance", json!(covariance)),
            ("shrinkage", json!(shrinkage)),
            ("rank", json!(rank)),
            ("singular_classes", json!(singular)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    fn warning(&self) -> Option<String> {
        let singular = &self.report.singular;
        (!singular.is_empty()).then(|| {
            format!(
                "the covariance of {} of {} classes ({singular:?}) lacks variance in some \
                 directions, which were given the least that is told from none: use `shrinkage`, \
                 or reduce the features first",
                singular.len(),
                self.classes.len()
            )
        })
    }
}
