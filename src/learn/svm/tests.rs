//! Behaviour of the whole classifier on small generated data.

mod input;
mod optimality;

use linfa::ParamGuard;
use linfa::traits::Predict;
use ndarray::Array2;

use super::{Engine, Gamma, Kernel, Svc, SvcParams};
use crate::data::{Features, Labels, Rng};
use crate::progress::Silent;

fn blobs(n: usize, n_features: usize, n_classes: usize) -> (Features, Labels) {
    let mut rng = Rng::new(7, &["svm", "blobs"]);
    let labels: Labels = (0..n).map(|i| i % n_classes).collect();
    let rows = Array2::from_shape_fn((n, n_features), |(row, column)| {
        let center = if column % n_classes == labels[row] { 1.2 } else { 0.0 };
        center + rng.normal_f32()
    });
    (Features::Floats(rows), labels)
}

fn bytes_of(features: &Features) -> Features {
    let Features::Floats(rows) = features else { unreachable!() };
    Features::Bytes(rows.mapv(|v| (v * 30.0 + 100.0).clamp(0.0, 255.0) as u8))
}

fn fit(params: SvcParams, features: &Features, labels: &Labels) -> Svc {
    params.check().unwrap().fit_with(features, labels, &Silent).unwrap()
}

const KERNELS: [Kernel; 4] = [
    Kernel::Linear,
    Kernel::Rbf { gamma: Gamma::Scale },
    Kernel::Polynomial { gamma: Gamma::Scale, degree: 3, coef0: 1.0 },
    Kernel::Sigmoid { gamma: Gamma::Value(0.01), coef0: 0.0 },
];

#[test]
fn every_kernel_converges_and_its_multipliers_are_feasible() {
    let (floats, labels) = blobs(900, 20, 3);
    for features in [bytes_of(&floats), floats] {
        for kernel in KERNELS {
            let svc = fit(SvcParams::new().kernel(kernel).c(2.0), &features, &labels);
            assert!(svc.report().unwrap().converged, "{kernel:?}");
            assert!(svc.report().unwrap().max_kkt_gap <= 1e-3);
            assert!(svc.dual_coef().iter().all(|coefficient| coefficient.abs() <= 2.0));
            let predicted = svc.predict(&features);
            let n_right = predicted.iter().zip(&labels).filter(|(a, b)| a == b).count();
            assert!(n_right > 600, "{kernel:?}: {n_right} of 900");
        }
    }
}

#[test]
fn threads_and_cache_size_change_no_bit() {
    let (features, labels) = blobs(1500, 20, 4);
    let mut models = Vec::new();
    for (n_threads, cache_mib) in [(1, 64), (2, 64), (3, 64), (2, 0)] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        let svc = pool.install(|| fit(SvcParams::new().cache_mib(cache_mib), &features, &labels));
        let decisions = pool.install(|| svc.pairwise_decision(&features).unwrap());
        models.push((
            decisions,
            svc.to_tensors().document,
            svc.dual_coef().clone(),
            svc.bias().to_vec(),
        ));
    }
    assert!(models.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn linfa_finds_the_same_classifier() {
    let (features, labels) = blobs(200, 8, 2);
    let native = fit(SvcParams::new(), &features, &labels);
    let linfa = fit(SvcParams::new().engine(Engine::Linfa), &features, &labels);
    let (a, b) =
        (native.pairwise_decision(&features).unwrap(), linfa.pairwise_decision(&features).unwrap());
    for (a, b) in a.iter().zip(&b) {
        assert!((a - b).abs() < 0.02, "{a} and {b}");
    }
}

#[test]
fn stored_models_predict_the_same() {
    let (features, labels) = blobs(120, 8, 3);
    for engine in [Engine::Native, Engine::Linfa] {
        let svc = fit(SvcParams::new().engine(engine), &features, &labels);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("svc.safetensors");
        svc.to_tensors().write(&path).unwrap();
        let read = Svc::from_tensors(crate::data::TensorFile::read(&path).unwrap()).unwrap();
        assert_eq!(
            read.pairwise_decision(&features).unwrap(),
            svc.pairwise_decision(&features).unwrap()
        );
        assert_eq!(read.report().unwrap().objective, svc.report().unwrap().objective);
        assert_eq!(read.report().unwrap().n_iterations.is_none(), engine == Engine::Linfa);
    }
}

// The fixtures are made by tests/reference/svc_fixtures.py (library version and seed inside).
#[test]
fn every_kernel_agrees_with_scikit_learn() {
    let texts = [
        include_str!("../../../tests/reference/svc_bytes.json"),
        include_str!("../../../tests/reference/svc_floats.json"),
    ];
    for (is_floats, text) in [false, true].into_iter().zip(texts) {
        let case: serde_json::Value = serde_json::from_str(text).unwrap();
        let numbers = |value: &serde_json::Value| -> Vec<f64> {
            value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
        };
        let n_features = case["n_features"].as_u64().unwrap() as usize;
        let values = numbers(&case["features"]);
        let rows = Array2::from_shape_vec((values.len() / n_features, n_features), values).unwrap();
        let features = if is_floats {
            Features::Floats(rows.mapv(|v| v as f32))
        } else {
            Features::Bytes(rows.mapv(|v| v as u8))
        };
        let labels: Labels = numbers(&case["labels"]).iter().map(|&v| v as usize).collect();
        let c = case["c"].as_f64().unwrap();
        for (kernel, expected) in KERNELS.into_iter().zip(case["cases"].as_array().unwrap()) {
            let svc = fit(SvcParams::new().kernel(kernel).c(c).tol(1e-5), &features, &labels);
            for (pair, objective) in
                svc.report().unwrap().pairs.iter().zip(numbers(&expected["objectives"]))
            {
                let error = (pair.objective - objective).abs() / objective.abs();
                assert!(error < 1e-4, "{kernel:?}: {} and {objective}", pair.objective);
            }
            for (found, n) in svc.n_support().iter().zip(numbers(&expected["n_support"])) {
                assert!((*found as f64 - n).abs() <= 2.0, "{kernel:?}: {found} and {n}");
            }
            let scores = svc.decision_function(&features).unwrap();
            let pairwise = svc.pairwise_decision(&features).unwrap();
            for row in 0..20 {
                for (found, expected) in [
                    (scores.row(row), numbers(&expected["decisions"][row])),
                    (pairwise.row(row), numbers(&expected["pairwise"][row])),
                ] {
                    for (a, b) in found.iter().zip(expected) {
                        let error = (f64::from(*a) - b).abs();
                        assert!(error < 2e-3, "{kernel:?}, floats {is_floats}: {a} and {b}");
                    }
                }
            }
            let predicted = svc.predict(&features);
            let expected = numbers(&expected["predictions"]);
            let n_other =
                predicted.iter().zip(&expected).filter(|(a, b)| **a as f64 != **b).count();
            assert!(n_other <= 1, "{kernel:?}: {n_other} predictions differ");
        }
    }
}
