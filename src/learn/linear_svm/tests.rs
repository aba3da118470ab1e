//! Behaviour of the whole classifier on small data.

mod input;
mod optimality;

use linfa::ParamGuard;
use linfa::traits::Predict;
use ndarray::Array2;
use serde_json::Value;

use super::{LinearSvc, LinearSvcParams, Loss, MultiClass, Solver};
use crate::data::{Features, Labels, Rng};
use crate::learn::Samples;
use crate::learn::svm::ClassWeight;
use crate::progress::Silent;

fn blobs(n: usize, n_features: usize, n_classes: usize) -> (Features, Labels) {
    let mut rng = Rng::new(7, &["linear-svm", "blobs"]);
    let labels: Labels = (0..n).map(|i| i % n_classes).collect();
    let rows = Array2::from_shape_fn((n, n_features), |(row, column)| {
        let center = if column % n_classes == labels[row] { 0.8 } else { 0.0 };
        center + rng.normal_f32()
    });
    (Features::Floats(rows), labels)
}

fn bytes_of(features: &Features) -> Features {
    let Features::Floats(rows) = features else { unreachable!() };
    Features::Bytes(rows.mapv(|v| (v * 30.0 + 100.0).clamp(0.0, 255.0) as u8))
}

fn fit_weighted(
    params: &LinearSvcParams,
    features: &Features,
    labels: &Labels,
    weights: Option<&[f64]>,
) -> LinearSvc {
    let samples = Samples { features, labels, weights };
    params.clone().check().unwrap().fit_model(samples, 3, &Silent).unwrap()
}

fn fit(params: &LinearSvcParams, features: &Features, labels: &Labels) -> LinearSvc {
    fit_weighted(params, features, labels, None)
}

/// Both losses with every solver that takes them.
fn solvers() -> [LinearSvcParams; 3] {
    let params = LinearSvcParams::new().max_iter(1_000_000);
    [
        params.clone().solver(Solver::Newton),
        params.clone().solver(Solver::Dcd),
        params.loss(Loss::Hinge),
    ]
}

fn largest_difference(a: &LinearSvc, b: &LinearSvc) -> f64 {
    let differences = a.coef().iter().zip(b.coef()).map(|(a, b)| (a - b).abs());
    let of_intercepts = a.intercept().iter().zip(b.intercept()).map(|(a, b)| (a - b).abs());
    differences.chain(of_intercepts).fold(0.0, f64::max)
}

// The fixture is made by tests/reference/linear_svc_fixtures.py (library version and seed inside).
#[test]
fn every_variant_agrees_with_scikit_learn() {
    let text = include_str!("../../../tests/reference/linear_svc.json");
    let fixture: Value = serde_json::from_str(text).unwrap();
    let numbers = |value: &Value| -> Vec<f64> {
        let values = value.as_array().unwrap().iter();
        values.flat_map(|v| v.as_f64().map_or_else(|| row_of(v), |v| vec![v])).collect()
    };
    let n_features = fixture["n_features"].as_u64().unwrap() as usize;
    let matrix = |name: &str| {
        let values = numbers(&fixture[name]);
        Array2::from_shape_vec((values.len() / n_features, n_features), values).unwrap()
    };
    let bytes = Features::Bytes(matrix("bytes").mapv(|v| v as u8));
    let floats = Features::Floats(matrix("floats").mapv(|v| v as f32));
    let labels: Labels = numbers(&fixture["labels"]).iter().map(|&v| v as usize).collect();
    let weights = numbers(&fixture["weights"]);
    for case in fixture["cases"].as_array().unwrap() {
        let features = if case["features"] == "bytes" { &bytes } else { &floats };
        let is = |name: &str| case[name].as_bool().unwrap_or(false);
        let labels = if is("two_classes") { labels.mapv(|v| v.min(1)) } else { labels.clone() };
        let hinge = case["loss"] == "hinge";
        let params = LinearSvcParams::new()
            .loss(if hinge { Loss::Hinge } else { Loss::SquaredHinge })
            .c(case["C"].as_f64().unwrap_or(1.0))
            .fit_intercept(case["fit_intercept"].as_bool().unwrap_or(true))
            .intercept_scaling(case["intercept_scaling"].as_f64().unwrap_or(1.0))
            .multi_class(if is("ovo") { MultiClass::Ovo } else { MultiClass::Ovr })
            .class_weight(match case["class_weight"].as_str() {
                Some("balanced") => ClassWeight::Balanced,
                _ => ClassWeight::Uniform,
            })
            .tol(1e-9)
            .max_iter(5_000_000);
        let solvers: &[Solver] =
            if hinge { &[Solver::Dcd] } else { &[Solver::Dcd, Solver::Newton] };
        for &solver in solvers {
            let of_sample = is("weighted").then_some(weights.as_slice());
            let svc = fit_weighted(&params.clone().solver(solver), features, &labels, of_sample);
            let name = format!("{solver:?}: {}", case["features"]);
            assert!(svc.report().converged, "{name}: {:?}", svc.report());
            // The hinge's dual is flat along some directions, its primal solution is not.
            for (found, expected) in [
                (svc.coef().iter().copied().collect::<Vec<_>>(), numbers(&case["coef"])),
                (svc.intercept().to_vec(), numbers(&case["intercept"])),
            ] {
                assert_eq!(found.len(), expected.len(), "{name}");
                for (a, b) in found.iter().zip(&expected) {
                    assert!((a - b).abs() < 1e-5 * (1.0 + b.abs()), "{name}: {a} and {b}");
                }
            }
            let scores = svc.decision_function(features).unwrap();
            let expected = numbers(&case["decisions"]);
            let n_scores = expected.len() / 20;
            for (i, expected) in expected.iter().enumerate() {
                let class = if n_scores == 1 { 1 } else { i % n_scores };
                let found = scores[[i / n_scores, class]];
                assert!((found - expected).abs() < 1e-4, "{name}: {found} and {expected}");
            }
            let predicted = svc.predict(features);
            let expected = numbers(&case["predictions"]);
            assert!(predicted.iter().zip(&expected).all(|(a, b)| *a as f64 == *b), "{name}");
        }
    }
}

fn row_of(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

#[test]
fn threads_change_no_bit_and_the_seed_only_the_order() {
    let (floats, labels) = blobs(700, 300, 4);
    for features in [bytes_of(&floats), floats] {
        for params in solvers() {
            for multi_class in [MultiClass::Ovr, MultiClass::Ovo] {
                let params = params.clone().multi_class(multi_class).max_iter(40);
                let mut models = Vec::new();
                for n_threads in [1, 2, 3] {
                    let pool =
                        rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
                    models.push(pool.install(|| {
                        let svc = fit(&params, &features, &labels);
                        let scores = svc.decision_function(&features).unwrap();
                        (svc.to_tensors().document, svc.coef().clone(), scores)
                    }));
                }
                assert!(models.windows(2).all(|pair| pair[0] == pair[1]), "{params:?}");
            }
        }
    }
}

#[test]
fn the_order_of_the_samples_changes_nothing_within_the_tolerance() {
    let (features, labels) = blobs(400, 12, 3);
    let order: Vec<usize> = (0..400).map(|i| (i * 147 + 31) % 400).collect();
    let shuffled = labels.select(ndarray::Axis(0), &order);
    for params in solvers() {
        let params = params.tol(1e-8);
        let straight = fit(&params, &features, &labels);
        let permuted = fit(&params, &features.select(&order), &shuffled);
        let difference = largest_difference(&straight, &permuted);
        assert!(difference < 1e-5, "{params:?}: {difference}");
    }
}

#[test]
fn a_weight_of_two_is_the_sample_twice_and_of_zero_its_absence() {
    let (features, _) = blobs(300, 10, 3);
    let labels: Labels = (0..300).map(|i| (i / 3) % 3).collect();
    let weights: Vec<f64> = (0..300).map(|i| (i % 3) as f64).collect();
    let copies: Vec<usize> = (0..300).flat_map(|i| vec![i; i % 3]).collect();
    let copied_labels = labels.select(ndarray::Axis(0), &copies);
    for params in solvers() {
        let given = ClassWeight::PerClass(vec![(0, 0.5), (2, 3.0)]);
        for class_weight in [ClassWeight::Uniform, ClassWeight::Balanced, given] {
            let params = params.clone().tol(1e-8).class_weight(class_weight);
            let weighted = fit_weighted(&params, &features, &labels, Some(&weights));
            let repeated = fit(&params, &features.select(&copies), &copied_labels);
            let difference = largest_difference(&weighted, &repeated);
            assert!(difference < 1e-5, "{params:?}: {difference}");
            let objective = repeated.report().primal;
            assert!((weighted.report().primal - objective).abs() < 1e-6 * objective);
        }
    }
}

#[test]
fn stored_models_predict_the_same() {
    let (features, labels) = blobs(120, 8, 3);
    for multi_class in [MultiClass::Ovr, MultiClass::Ovo] {
        let svc = fit(&LinearSvcParams::new().multi_class(multi_class), &features, &labels);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("linear_svc.safetensors");
        svc.to_tensors().write(&path).unwrap();
        let read = LinearSvc::from_tensors(crate::data::TensorFile::read(&path).unwrap()).unwrap();
        assert_eq!(read.raw_decision(&features).unwrap(), svc.raw_decision(&features).unwrap());
        assert_eq!(read.report(), svc.report());
    }
}

#[test]
fn classes_may_have_gaps() {
    let (features, labels) = blobs(150, 9, 3);
    let gaps = labels.mapv(|class| [2, 5, 40][class]);
    for multi_class in [MultiClass::Ovr, MultiClass::Ovo] {
        let params = LinearSvcParams::new().multi_class(multi_class);
        let (straight, sparse) = (fit(&params, &features, &labels), fit(&params, &features, &gaps));
        assert_eq!(sparse.classes(), [2, 5, 40]);
        let renamed = straight.predict(&features).mapv(|class| [2, 5, 40][class]);
        assert_eq!(sparse.predict(&features), renamed);
        assert_eq!(sparse.report().problems[2].positive, 40);
    }
}

#[test]
fn a_model_of_pixels_scores_their_real_values_alike() {
    let (floats, labels) = blobs(200, 20, 3);
    let bytes = bytes_of(&floats);
    let Features::Bytes(rows) = &bytes else { unreachable!() };
    let real = Features::Floats(rows.mapv(|v| f32::from(v) / 255.0));
    for params in solvers() {
        let params = params.tol(1e-7);
        let (a, b) = (fit(&params, &bytes, &labels), fit(&params, &real, &labels));
        assert!(largest_difference(&a, &b) < 1e-4, "{params:?}");
        let (on_bytes, on_real) = (a.raw_decision(&bytes).unwrap(), a.raw_decision(&real).unwrap());
        for (a, b) in on_bytes.iter().zip(&on_real) {
            assert!((a - b).abs() < 1e-5, "{a} and {b}");
        }
    }
}
