//! The fitted classifier: prediction, report, storage.

use ndarray::{Array2, Axis, concatenate};
use serde_json::{Map, Value, json};

use crate::data::{Features, Labels, TensorFile, TensorFileError};
use crate::learn::linalg::product_into;
use crate::learn::log_scores::{labels_of, probabilities};
use crate::learn::map_rows::map_rows;
use crate::learn::{Classifier, LearnError, Meaning, Scores};
use crate::progress::Progress;

/// A fitted classifier.
#[derive(Debug)]
pub struct GaussianNb {
    classes: Vec<usize>,
    log_priors: Vec<f64>,
    means: Array2<f64>,
    variances: Array2<f64>,
    epsilon: f64,
    quadratic: Quadratic,
}

/// `ln p` as `[x'^2, x'] weights + constants` with `x' = x - shift`: two products a value instead of
/// a difference, a square and a division, and `f64` leaves nothing of what cancels.
#[derive(Debug)]
struct Quadratic {
    /// `[n_features]`
    shift: Vec<f64>,
    /// `[2 n_features, n_classes]`
    weights: Array2<f64>,
    /// `[n_classes]`
    constants: Vec<f64>,
}

impl Quadratic {
    fn new(log_priors: &[f64], means: &Array2<f64>, variances: &Array2<f64>) -> Self {
        let shift = means.mean_axis(Axis(0)).unwrap_or_default();
        let means = means - &shift;
        let squares = variances.mapv(|v| -0.5 / v);
        let linear = &means / variances;
        let constants = log_priors.iter().enumerate().map(|(class, prior)| {
            let terms = means.row(class).into_iter().zip(variances.row(class));
            let sum: f64 = terms.map(|(m, v)| (std::f64::consts::TAU * v).ln() + m * m / v).sum();
            prior - sum / 2.0
        });
        let constants = constants.collect();
        let weights = concatenate![Axis(0), squares.t(), linear.t()];
        let weights = weights.as_standard_layout().into_owned();
        Quadratic { shift: shift.to_vec(), weights, constants }
    }
}

impl GaussianNb {
    pub(super) fn new(
        classes: Vec<usize>,
        log_priors: Vec<f64>,
        means: Array2<f64>,
        variances: Array2<f64>,
        epsilon: f64,
    ) -> Self {
        let quadratic = Quadratic::new(&log_priors, &means, &variances);
        GaussianNb { classes, log_priors, means, variances, epsilon, quadratic }
    }

    /// Classes that occurred, ascending.
    pub fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// Means of real features (a byte counts as itself / 255), `[n_classes, n_features]`.
    pub fn means(&self) -> &Array2<f64> {
        &self.means
    }

    /// Variances, `epsilon` added, `[n_classes, n_features]`.
    pub fn variances(&self) -> &Array2<f64> {
        &self.variances
    }

    /// What was added to all variances.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// `ln p(x, c)`, `[n_samples, n_classes]`.
    ///
    /// # Errors
    /// Rows unlike those of the fit, or an interruption.
    pub fn joint_log_likelihood(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Array2<f64>, LearnError> {
        let Quadratic { shift, weights, constants } = &self.quadratic;
        let (n, n_classes) = (shift.len(), self.classes.len());
        map_rows(features, n, n_classes, progress, |rows, out: &mut [f64]| {
            let mut terms = Array2::zeros((rows.nrows(), 2 * n));
            let lines = terms.as_slice_mut().unwrap_or(&mut []).chunks_exact_mut(2 * n);
            for (row, line) in rows.as_slice().unwrap_or(&[]).chunks_exact(n).zip(lines) {
                let (squares, values) = line.split_at_mut(n);
                let outs = squares.iter_mut().zip(values);
                for ((square, value), (x, shift)) in outs.zip(row.iter().zip(shift)) {
                    *value = x - shift;
                    *square = *value * *value;
                }
            }
            product_into(terms.view(), weights.view(), out);
            for out in out.chunks_exact_mut(n_classes) {
                out.iter_mut().zip(constants).for_each(|(value, constant)| *value += constant);
            }
        })
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
        let epsilon = file.document["epsilon"].as_f64().ok_or_else(|| malformed("`epsilon`"))?;
        let log_priors = file.take_f64::<ndarray::Ix1>("log_priors")?.to_vec();
        let means: Array2<f64> = file.take_f64("means")?;
        let variances: Array2<f64> = file.take_f64("variances")?;
        let n = classes.len();
        let fits = n > 0
            && log_priors.len() == n
            && means.nrows() == n
            && means.dim() == variances.dim()
            && variances.iter().all(|&v| v > 0.0)
            && classes.is_sorted_by(|a, b| a < b);
        if !fits {
            return Err(malformed("parts of the classifier do not fit together").into());
        }
        Ok(GaussianNb::new(classes, log_priors, means, variances, epsilon))
    }
}

impl Classifier for GaussianNb {
    fn predict(&self, features: &Features, progress: &dyn Progress) -> Result<Labels, LearnError> {
        Ok(labels_of(&self.joint_log_likelihood(features, progress)?, &self.classes))
    }

    fn scores(&self, features: &Features, progress: &dyn Progress) -> Result<Scores, LearnError> {
        let columns = probabilities(self.joint_log_likelihood(features, progress)?);
        Ok(Scores::of_classes(&self.classes, &columns, Meaning::Probability))
    }

    fn to_tensors(&self) -> TensorFile<'_> {
        let mut file = TensorFile::new(json!({
            "type": "gaussian_nb",
            "classes": self.classes,
            "epsilon": self.epsilon,
        }));
        file.insert_f64("log_priors", ndarray::ArrayView1::from(&self.log_priors));
        file.insert_f64("means", self.means.view());
        file.insert_f64("variances", self.variances.view());
        file
    }

    fn details(&self) -> Map<String, Value> {
        Map::from_iter([("epsilon".to_owned(), json!(self.epsilon))])
    }
}
