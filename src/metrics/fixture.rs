//! Numbers of scikit-learn and SciPy, made by `tests/reference/metrics.py` (versions and seed
//! inside the fixture).

use ndarray::Array2;
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Fixture {
    pub evaluations: Vec<EvaluationCase>,
    pub wilson: Vec<WilsonCase>,
    pub mcnemar: Vec<McnemarCase>,
    pub erfc: Vec<[f64; 2]>,
    pub paired_t: Vec<PairedTCase>,
}

#[derive(Deserialize)]
pub(super) struct EvaluationCase {
    pub name: String,
    pub n_classes: usize,
    pub labels: Vec<usize>,
    pub predicted: Vec<usize>,
    pub confusion: Vec<Vec<u64>>,
    pub accuracy: f64,
    pub macro_average: [f64; 3],
    pub weighted_average: [f64; 3],
    pub per_class: Vec<[f64; 3]>,
}

#[derive(Deserialize)]
pub(super) struct WilsonCase {
    pub n_right: u64,
    pub n_samples: u64,
    pub interval: [f64; 2],
}

#[derive(Deserialize)]
pub(super) struct McnemarCase {
    pub n_only_a: u64,
    pub n_only_b: u64,
    pub p_value: f64,
}

#[derive(Deserialize)]
pub(super) struct PairedTCase {
    pub differences: Vec<f64>,
    pub p_value: f64,
    pub interval: [f64; 2],
}

pub(super) fn load() -> Fixture {
    serde_json::from_str(include_str!("../../tests/reference/metrics.json")).unwrap()
}

/// Numbers made by `tests/reference/score_metrics.py`.
#[derive(Deserialize)]
pub(super) struct ScoreFixture {
    pub n_bins: usize,
    pub cases: Vec<ScoreCase>,
}

#[derive(Deserialize)]
pub(super) struct ScoreCase {
    pub name: String,
    pub labels: Vec<usize>,
    scores: Vec<Vec<f64>>,
    pub classes: Vec<ClassCase>,
    pub auc_macro: f64,
    pub calibration: Option<CalibrationCase>,
}

impl ScoreCase {
    /// `[n_images, n_classes]`.
    pub fn matrix(&self) -> Array2<f64> {
        let shape = (self.scores.len(), self.scores[0].len());
        Array2::from_shape_vec(shape, self.scores.concat()).unwrap()
    }
}

#[derive(Deserialize)]
pub(super) struct ClassCase {
    pub auc: f64,
    pub average_precision: f64,
    pub roc: Vec<[f64; 2]>,
    pub precision_recall: Vec<[f64; 2]>,
}

#[derive(Deserialize)]
pub(super) struct CalibrationCase {
    pub counts: Vec<u64>,
    pub confidence: Vec<f64>,
    pub accuracy: Vec<f64>,
    pub ece: f64,
    pub brier: f64,
    pub log_loss: f64,
}

pub(super) fn load_scores() -> ScoreFixture {
    serde_json::from_str(include_str!("../../tests/reference/score_metrics.json")).unwrap()
}
