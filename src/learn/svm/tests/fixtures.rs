//! Agreement with scikit-learn. The fixtures are made by tests/reference/svc_fixtures.py (library
//! version and seed inside).

use ndarray::{Array1, Array2};
use serde_json::Value;

use super::KERNELS;
use crate::data::{Features, Labels};
use crate::learn::Samples;
use crate::learn::svm::{ClassWeight, SvcParams};
use crate::progress::Silent;
use linfa::ParamGuard;

pub(super) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

struct Fixture {
    document: Value,
    features: Features,
    labels: Labels,
}

fn fixtures() -> [Fixture; 2] {
    let texts = [
        include_str!("../../../../tests/reference/svc_bytes.json"),
        include_str!("../../../../tests/reference/svc_floats.json"),
    ];
    let is_floats = [false, true];
    std::array::from_fn(|kind| {
        let document: Value = serde_json::from_str(texts[kind]).unwrap();
        let n_features = document["n_features"].as_u64().unwrap() as usize;
        let values = numbers(&document["features"]);
        let rows = Array2::from_shape_vec((values.len() / n_features, n_features), values).unwrap();
        let features = if is_floats[kind] {
            Features::Floats(rows.mapv(|v| v as f32))
        } else {
            Features::Bytes(rows.mapv(|v| v as u8))
        };
        let labels = numbers(&document["labels"]).iter().map(|&v| v as usize).collect();
        Fixture { document, features, labels }
    })
}

impl Fixture {
    /// Fits every kernel and compares objectives, support vectors, decisions and labels.
    fn compare(&self, cases: &str, params: SvcParams, samples: Samples) {
        let params = params.c(self.document["c"].as_f64().unwrap()).tol(1e-5);
        for (kernel, expected) in KERNELS.into_iter().zip(self.document[cases].as_array().unwrap())
        {
            let params = params.clone().kernel(kernel).check().unwrap();
            let svc = params.fit_samples(samples, &Silent).unwrap();
            let case = format!("{cases}, {kernel:?}");
            for (pair, objective) in
                svc.report().unwrap().pairs.iter().zip(numbers(&expected["objectives"]))
            {
                let error = (pair.objective - objective).abs() / objective.abs();
                assert!(error < 1e-4, "{case}: {} and {objective}", pair.objective);
            }
            for (found, n) in svc.n_support().iter().zip(numbers(&expected["n_support"])) {
                assert!((*found as f64 - n).abs() <= 2.0, "{case}: {found} and {n}");
            }
            let scores = svc.decision_function(samples.features).unwrap();
            let pairwise = svc.pairwise_decision(samples.features).unwrap();
            for row in 0..20 {
                for (found, expected) in [
                    (scores.row(row), numbers(&expected["decisions"][row])),
                    (pairwise.row(row), numbers(&expected["pairwise"][row])),
                ] {
                    for (a, b) in found.iter().zip(expected) {
                        assert!((f64::from(*a) - b).abs() < 2e-3, "{case}: {a} and {b}");
                    }
                }
            }
            let predicted = svc.predict_labels(samples.features).unwrap();
            let expected = numbers(&expected["predictions"]);
            let n_other =
                predicted.iter().zip(&expected).filter(|(a, b)| **a as f64 != **b).count();
            assert!(n_other <= 1, "{case}: {n_other} predictions differ");
        }
    }
}

#[test]
fn every_kernel_agrees_with_scikit_learn() {
    for fixture in fixtures() {
        let samples =
            Samples { features: &fixture.features, labels: &fixture.labels, weights: None };
        fixture.compare("cases", SvcParams::new(), samples);
    }
}

#[test]
fn weights_of_samples_and_classes_act_as_in_scikit_learn() {
    for fixture in fixtures() {
        let of_class = serde_json::from_value(fixture.document["class_weight"].clone()).unwrap();
        let weights = numbers(&fixture.document["sample_weight"]);
        let samples = Samples {
            features: &fixture.features,
            labels: &fixture.labels,
            weights: Some(&weights),
        };
        let params = SvcParams::new().class_weight(ClassWeight::PerClass(of_class));
        fixture.compare("weighted", params, samples);
    }
}

#[test]
fn balanced_classes_weigh_as_in_scikit_learn() {
    for fixture in fixtures() {
        let rows: Vec<usize> =
            numbers(&fixture.document["unbalanced"]).iter().map(|&row| row as usize).collect();
        let features = fixture.features.select(&rows);
        let labels: Array1<usize> = rows.iter().map(|&row| fixture.labels[row]).collect();
        let samples = Samples { features: &features, labels: &labels, weights: None };
        let params = SvcParams::new().class_weight(ClassWeight::Balanced);
        fixture.compare("balanced", params, samples);
    }
}
