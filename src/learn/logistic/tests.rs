//! Solutions against scikit-learn, optimality, and the classifier on small data.

use linfa::ParamGuard;
use ndarray::{Array2, array};
use proptest::prelude::*;
use serde_json::Value;

use super::{Engine, LogisticParams, LogisticRegression, Penalty};
use crate::data::{Features, Labels, Rng, TensorFile};
use crate::learn::svm::ClassWeight;
use crate::learn::{Classifier, LearnError, Samples, read_classifier};
use crate::progress::{Progress, Silent};

fn fit_weighted(
    params: LogisticParams,
    features: &Features,
    labels: &Labels,
    weights: Option<&[f64]>,
) -> LogisticRegression {
    let samples = Samples { features, labels, weights };
    params.check().unwrap().fit_model(samples, 0, &Silent).unwrap()
}

fn fit(params: LogisticParams, features: &Features, labels: &Labels) -> LogisticRegression {
    fit_weighted(params, features, labels, None)
}

fn exact() -> LogisticParams {
    LogisticParams::new().tol(1e-9).max_iter(10_000)
}

fn blobs(n_rows: usize, n_features: usize, n_classes: usize) -> (Features, Labels) {
    let mut rng = Rng::new(9, &["logistic", "blobs"]);
    let labels: Labels = (0..n_rows).map(|row| row % n_classes).collect();
    let rows = Array2::from_shape_fn((n_rows, n_features), |(row, column)| {
        let center = if column % n_classes == row % n_classes { 1.0 } else { 0.0 };
        center + rng.normal_f32()
    });
    (Features::Floats(rows), labels)
}

// The fixture is made by tests/reference/logistic_fixtures.py (library version and seed inside).
#[test]
fn every_penalty_ends_where_scikit_learn_does() {
    let text = include_str!("../../../tests/reference/logistic.json");
    let fixture: Value = serde_json::from_str(text).unwrap();
    let matrix = |value: &Value| -> Array2<f64> {
        let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
        Array2::from_shape_fn((rows.len(), rows[0].len()), |(row, column)| rows[row][column])
    };
    let labels: Vec<usize> = serde_json::from_value(fixture["labels"].clone()).unwrap();
    let weights: Vec<f64> = serde_json::from_value(fixture["weights"].clone()).unwrap();
    for case in fixture["cases"].as_array().unwrap() {
        let kind = case["features"].as_str().unwrap();
        let features = match kind {
            "bytes" => Features::Bytes(matrix(&fixture[kind]).mapv(|v| v as u8)),
            _ => Features::Floats(matrix(&fixture[kind]).mapv(|v| v as f32)),
        };
        let two_classes = case["two_classes"].as_bool().unwrap_or(false);
        let label = |&label: &usize| if two_classes && label == 4 { 1 } else { label };
        let labels: Labels = labels.iter().map(label).collect();
        let weights = case["weighted"].as_bool().unwrap_or(false).then_some(weights.as_slice());
        let penalty: Penalty = serde_json::from_value(case["penalty"].clone()).unwrap();
        let balanced = case["class_weight"].as_str() == Some("balanced");
        let params = exact()
            .penalty(penalty)
            .c(case["c"].as_f64().unwrap())
            .fit_intercept(case["fit_intercept"].as_bool().unwrap_or(true))
            .class_weight(if balanced { ClassWeight::Balanced } else { ClassWeight::Uniform });
        let name = format!("{kind}, {penalty:?}, two classes {two_classes}");
        let model = fit_weighted(params, &features, &labels, weights);
        let report = model.report();
        assert!(report.converged, "{name}: {report:?}");
        let objective = case["objective"].as_f64().unwrap();
        assert!(report.objective <= objective * (1.0 + 1e-9), "{name}: {report:?} {objective}");
        let expected = matrix(&case["coef"]);
        for (found, expected) in model.coef().iter().zip(&expected) {
            assert!(
                (found - expected).abs() < 2e-4 * (1.0 + expected.abs()),
                "{name}: {found} {expected}"
            );
        }
        let scores = model.scores(&features, &Silent).unwrap().values;
        let classes = model.classes();
        for (row, expected) in matrix(&case["probabilities"]).rows().into_iter().enumerate() {
            for (&class, expected) in classes.iter().zip(expected) {
                assert!((scores[[row, class]] - expected).abs() < 1e-4, "{name}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_row_counted_twice_is_a_row_of_weight_two(seed in any::<u64>(), l1 in any::<bool>()) {
        let mut rng = Rng::new(seed, &["logistic", "twice"]);
        let rows = Array2::from_shape_fn((30, 3), |_| rng.normal_f32());
        let labels: Labels = (0..30).map(|row| row % 3).collect();
        let twice: Vec<usize> = (0..30).chain(0..10).collect();
        let weights: Vec<f64> = (0..30).map(|row| if row < 10 { 2.0 } else { 1.0 }).collect();
        let params = exact().penalty(if l1 { Penalty::L1 } else { Penalty::L2 });
        let features = Features::Floats(rows);
        let weighted = fit_weighted(params.clone(), &features, &labels, Some(&weights));
        let doubled: Labels = twice.iter().map(|&row| labels[row]).collect();
        let doubled = fit(params, &features.select(&twice), &doubled);
        prop_assert!(weighted.report().converged && doubled.report().converged);
        for (a, b) in weighted.coef().iter().zip(doubled.coef()) {
            prop_assert!((a - b).abs() < 1e-5, "{} {}", a, b);
        }
    }
}

#[test]
fn a_class_of_weight_zero_is_as_if_it_were_absent() {
    let (features, labels) = blobs(90, 4, 3);
    let weights: Vec<f64> = labels.iter().map(|&c| if c == 1 { 0.0 } else { 1.0 }).collect();
    let kept: Vec<usize> = (0..90).filter(|&row| labels[row] != 1).collect();
    let few: Labels = kept.iter().map(|&row| labels[row]).collect();
    let all = fit_weighted(exact(), &features, &labels, Some(&weights));
    let some = fit(exact(), &features.select(&kept), &few);
    assert_eq!(all.classes(), [0, 2]);
    for (a, b) in all.coef().iter().zip(some.coef()) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
    let scores = all.scores(&features, &Silent).unwrap().values;
    assert!(scores.column(1).iter().all(|&p| p == 0.0));
    assert!(scores.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-12));
}

#[test]
fn a_strong_l1_penalty_leaves_nothing_and_a_weaker_one_little() {
    let (features, labels) = blobs(120, 12, 3);
    let nonzero = |c| fit(exact().penalty(Penalty::L1).c(c), &features, &labels).report().n_nonzero;
    assert_eq!(nonzero(1e-4), 0);
    let (few, many) = (nonzero(0.05), nonzero(10.0));
    assert!(0 < few && few < many && many <= 36, "{few} {many}");
}

#[test]
fn too_few_iterations_are_reported_and_tell_how_far_it_is() {
    let (features, labels) = blobs(120, 12, 3);
    let model = fit(LogisticParams::new().max_iter(1).tol(1e-8), &features, &labels);
    assert!(!model.report().converged);
    assert!(model.report().max_gradient > 1e-8);
    assert!(model.warning().unwrap().contains("did not converge"));
}

#[test]
fn constant_and_doubled_features_are_fitted() {
    let (Features::Floats(rows), labels) = blobs(60, 4, 2) else { unreachable!() };
    let rows = Array2::from_shape_fn((60, 6), |(row, column)| match column {
        4 => 3.0,
        5 => rows[[row, 0]],
        column => rows[[row, column]],
    });
    for penalty in [Penalty::L2, Penalty::L1, Penalty::None] {
        let model = fit(exact().penalty(penalty), &Features::Floats(rows.clone()), &labels);
        assert!(model.report().converged, "{penalty:?} {:?}", model.report());
    }
}

#[test]
fn more_features_than_second_moments_hold_are_fitted() {
    let (features, labels) = blobs(20, 2_100, 2);
    let model = fit(LogisticParams::new().tol(1e-6).max_iter(1000), &features, &labels);
    assert!(model.report().converged, "{:?}", model.report());
    assert_eq!(model.predict(&features, &Silent).unwrap(), labels);
}

#[test]
fn bytes_and_their_real_values_give_one_model() {
    let mut rng = Rng::new(2, &["logistic", "bytes"]);
    let rows = Array2::from_shape_fn((80, 5), |(row, _)| (rng.below(200) + row % 2 * 50) as u8);
    let labels: Labels = (0..80).map(|row| row % 2).collect();
    let reals = Features::Floats(rows.mapv(|v| f32::from(v) / 255.0));
    let bytes = Features::Bytes(rows);
    let (of_bytes, of_reals) = (fit(exact(), &bytes, &labels), fit(exact(), &reals, &labels));
    for (a, b) in of_bytes.coef().iter().zip(of_reals.coef()) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
    let (a, b) = (of_bytes.scores(&reals, &Silent), of_bytes.scores(&bytes, &Silent));
    let (a, b) = (a.unwrap().values, b.unwrap().values);
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-6));
}

#[test]
fn threads_change_nothing() {
    let (features, labels) = blobs(300, 7, 4);
    let fitted = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| {
            let model = fit(LogisticParams::new(), &features, &labels);
            (model.coef().clone(), model.intercept().clone(), model.report().clone())
        })
    };
    assert_eq!(fitted(1), fitted(2));
    assert_eq!(fitted(1), fitted(3));
}

#[test]
fn linfa_ends_where_we_do() {
    for n_classes in [2, 3] {
        let (features, labels) = blobs(150, 5, n_classes);
        let params = LogisticParams::new().tol(1e-6).max_iter(500).c(0.5);
        let native = fit(params.clone(), &features, &labels);
        let linfa = fit(params.engine(Engine::Linfa), &features, &labels);
        approx::assert_relative_eq!(
            native.report().objective,
            linfa.report().objective,
            max_relative = 1e-6
        );
        for (a, b) in native.coef().iter().zip(linfa.coef()) {
            assert!((a - b).abs() < 1e-3, "{n_classes} classes: {a} {b}");
        }
    }
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let (features, labels) = blobs(10, 2, 2);
    let message = |params: LogisticParams, weights: Option<&[f64]>| {
        let samples = Samples { features: &features, labels: &labels, weights };
        let fitted = params.check().and_then(|params| params.fit_model(samples, 0, &Silent));
        fitted.unwrap_err().to_string()
    };
    let params = LogisticParams::new;
    assert_eq!(message(params().c(0.0), None), "`c` must be a finite number above 0, found 0");
    assert_eq!(
        message(params().tol(-1.0), None),
        "`tol` must be a finite number above 0, found -1"
    );
    assert_eq!(message(params().max_iter(0), None), "`max_iter` must be at least 1, found 0");
    assert_eq!(
        message(params().penalty(Penalty::L1).engine(Engine::Linfa), None),
        "`penalty` must be `l2` or `none` with the engine `linfa`, found `l1`"
    );
    let first_class: Vec<f64> = labels.iter().map(|&c| f64::from(u8::from(c == 0))).collect();
    assert_eq!(
        message(params(), Some(&first_class)),
        "all 5 samples are of class 0, at least two classes are needed"
    );
    assert_eq!(
        message(params().engine(Engine::Linfa), Some(&[1.0; 10])),
        "linfa: it has no weights of samples"
    );
}

#[test]
fn a_stored_model_predicts_the_same_and_a_damaged_one_is_an_error() {
    for n_classes in [2, 3] {
        let (features, labels) = blobs(60, 5, n_classes);
        let model = fit(LogisticParams::new(), &features, &labels);
        let stored = || {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("model");
            model.to_tensors().write(&path).unwrap();
            TensorFile::read(&path).unwrap()
        };
        let read = read_classifier(stored()).unwrap();
        let scores = |model: &dyn Classifier| model.scores(&features, &Silent).unwrap();
        assert_eq!(scores(read.as_ref()), scores(&model));
        let with = |path: &str, value: Value| {
            let mut file = stored();
            *file.document.pointer_mut(path).unwrap() = value;
            file
        };
        let mut narrow = stored();
        narrow.insert_f64("coef", Array2::<f64>::zeros((7, 5)));
        let mut not_finite = stored();
        let n_vectors = if n_classes == 2 { 1 } else { 3 };
        not_finite.insert_f64("coef", Array2::from_elem((n_vectors, 5), f64::NAN));
        for damaged in [
            narrow,
            not_finite,
            with("/classes", serde_json::json!([1, 0, 2])),
            with("/classes", serde_json::json!([0])),
            with("/report", Value::Null),
        ] {
            assert!(read_classifier(damaged).is_err());
        }
    }
}

#[test]
fn an_interrupted_fit_says_so() {
    struct Stop;
    impl Progress for Stop {
        fn update(&self, _: u64, _: u64, _: &str) {}
        fn interrupted(&self) -> bool {
            true
        }
        fn warn(&self, _: &str) {}
    }
    let (features, labels) = blobs(60, 5, 3);
    let samples = Samples { features: &features, labels: &labels, weights: None };
    let params = LogisticParams::new().check().unwrap();
    assert!(matches!(params.fit_model(samples, 0, &Stop), Err(LearnError::Interrupted)));
    let model = fit(
        LogisticParams::new(),
        &features,
        &array![0, 1, 2].iter().cycle().take(60).copied().collect(),
    );
    assert!(matches!(model.predict(&features, &Stop), Err(LearnError::Interrupted)));
}
