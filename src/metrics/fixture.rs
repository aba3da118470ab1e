//! Numbers of scikit-learn and SciPy, made by `tests/reference/metrics.py` (versions and seed
//! inside the fixture).

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
