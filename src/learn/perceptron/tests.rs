//! Corrections against scikit-learn, and the classifier on small data.

use linfa::ParamGuard;
use ndarray::Array2;
use serde_json::Value;

use super::{Perceptron, PerceptronParams, Variant};
use crate::data::{Features, Labels, Rng, TensorFile};
use crate::learn::{Classifier, LearnError, Samples, read_classifier};
use crate::progress::{Progress, Silent};

const VARIANTS: [Variant; 2] = [Variant::OneVsRest, Variant::Multiclass];

fn fit_weighted(
    params: PerceptronParams,
    features: &Features,
    labels: &Labels,
    weights: Option<&[f64]>,
) -> Perceptron {
    let samples = Samples { features, labels, weights };
    params.check().unwrap().fit_model(samples, 5, &Silent).unwrap()
}

fn fit(params: PerceptronParams, features: &Features, labels: &Labels) -> Perceptron {
    fit_weighted(params, features, labels, None)
}

/// Rows that a linear decision separates.
fn separable(n_classes: usize) -> (Features, Labels) {
    let mut rng = Rng::new(6, &["perceptron", "separable"]);
    let labels: Labels = (0..60).map(|row| row % n_classes).collect();
    let rows = Array2::from_shape_fn((60, 6), |(row, column)| {
        let center = if column == row % n_classes { 5.0 } else { 0.0 };
        center + rng.unit_f32()
    });
    (Features::Floats(rows), labels)
}

// The fixture is made by tests/reference/perceptron_fixtures.py (library version and seed inside).
#[test]
fn corrections_in_order_are_those_of_scikit_learn() {
    let text = include_str!("../../../tests/reference/perceptron.json");
    let fixture: Value = serde_json::from_str(text).unwrap();
    let matrix = |value: &Value| -> Array2<f64> {
        let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
        Array2::from_shape_fn((rows.len(), rows[0].len()), |(row, column)| rows[row][column])
    };
    let labels: Vec<usize> = serde_json::from_value(fixture["labels"].clone()).unwrap();
    for case in fixture["cases"].as_array().unwrap() {
        let kind = case["features"].as_str().unwrap();
        let features = match kind {
            "bytes" => Features::Bytes(matrix(&fixture[kind]).mapv(|v| v as u8)),
            _ => Features::Floats(matrix(&fixture[kind]).mapv(|v| v as f32)),
        };
        let two_classes = case["two_classes"].as_bool().unwrap();
        let labels: Labels =
            labels.iter().map(|&label| if two_classes { label.min(1) } else { label }).collect();
        let averaged = case["averaged"].as_bool().unwrap();
        let max_iter = case["max_iter"].as_u64().unwrap() as usize;
        // No end before `max_iter` where scikit-learn had none.
        let patience = if averaged { 1000 } else { 5 };
        let params = PerceptronParams::new()
            .variant(serde_json::from_value(case["variant"].clone()).unwrap())
            .averaged(averaged)
            .shuffle(false)
            .n_iter_no_change(patience)
            .max_iter(max_iter);
        let name = format!("{kind}, two classes {two_classes}, averaged {averaged}, {max_iter}");
        let model = fit(params, &features, &labels);
        assert_eq!(model.report().n_iter as u64, case["n_iter"].as_u64().unwrap(), "{name}");
        for (found, expected) in model.coef().iter().zip(&matrix(&case["coef"])) {
            assert!((found - expected).abs() < 1e-9, "{name}: {found} {expected}");
        }
        let expected: Vec<f64> = serde_json::from_value(case["intercept"].clone()).unwrap();
        for (found, expected) in model.intercept().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{name}: {found} {expected}");
        }
    }
}

#[test]
fn separable_classes_are_separated_and_scores_agree() {
    for variant in VARIANTS {
        for averaged in [false, true] {
            for n_classes in [2, 4] {
                let (features, labels) = separable(n_classes);
                let params = PerceptronParams::new().variant(variant).averaged(averaged).tol(0.0);
                let model = fit(params, &features, &labels);
                assert_eq!(model.predict(&features, &Silent).unwrap(), labels, "{variant:?}");
                assert_eq!(model.report().n_mistakes, 0, "{variant:?}");
                let scores = model.scores(&features, &Silent).unwrap().values;
                for (row, &label) in labels.iter().enumerate() {
                    let own = scores[[row, label]];
                    assert!(scores.row(row).iter().all(|&score| score <= own), "{variant:?}");
                }
            }
        }
    }
}

#[test]
fn rows_of_weight_zero_are_as_if_they_were_absent() {
    let (features, labels) = separable(3);
    let weights: Vec<f64> = (0..60).map(|row| f64::from(u8::from(row % 5 != 0))).collect();
    let kept: Vec<usize> = (0..60).filter(|row| row % 5 != 0).collect();
    let few: Labels = kept.iter().map(|&row| labels[row]).collect();
    for variant in VARIANTS {
        let params = PerceptronParams::new().variant(variant).shuffle(false);
        let all = fit_weighted(params.clone(), &features, &labels, Some(&weights));
        let some = fit(params, &features.select(&kept), &few);
        assert_eq!(all.coef(), some.coef());
        assert_eq!(all.report(), some.report());
    }
}

#[test]
fn threads_change_nothing() {
    let (features, labels) = separable(4);
    let fitted = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| fit(PerceptronParams::new(), &features, &labels).coef().clone())
    };
    assert_eq!(fitted(1), fitted(2));
    assert_eq!(fitted(1), fitted(3));
}

#[test]
fn a_fit_cut_short_says_so() {
    let mut rng = Rng::new(1, &["perceptron", "noise"]);
    let features = Features::Floats(Array2::from_shape_fn((50, 3), |_| rng.normal_f32()));
    let labels: Labels = (0..50).map(|row| row % 2).collect();
    let model = fit(PerceptronParams::new().max_iter(2), &features, &labels);
    assert!(!model.report().converged);
    assert_eq!(model.warning().unwrap(), "the perceptron still improved after 2 epochs");
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let (features, labels) = separable(2);
    let message = |params: PerceptronParams, labels: &Labels| {
        let samples = Samples { features: &features, labels, weights: None };
        let fitted = params.check().and_then(|params| params.fit_model(samples, 0, &Silent));
        fitted.unwrap_err().to_string()
    };
    let params = PerceptronParams::new;
    assert_eq!(message(params().max_iter(0), &labels), "`max_iter` must be at least 1, found 0");
    assert_eq!(
        message(params().tol(-1.0), &labels),
        "`tol` must be a finite number not below 0, found -1"
    );
    assert!(message(params(), &Labels::zeros(60)).contains("at least two classes"));
}

#[test]
fn a_stored_model_predicts_the_same_and_a_damaged_one_is_an_error() {
    let (features, labels) = separable(3);
    let model = fit(PerceptronParams::new(), &features, &labels);
    let stored = || {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model");
        model.to_tensors().write(&path).unwrap();
        TensorFile::read(&path).unwrap()
    };
    let read = read_classifier(stored()).unwrap();
    assert_eq!(read.scores(&features, &Silent).unwrap(), model.scores(&features, &Silent).unwrap());
    let mut narrow = stored();
    narrow.insert_f64("intercept", ndarray::Array1::<f64>::zeros(2));
    let mut no_report = stored();
    no_report.document["report"] = Value::Null;
    for damaged in [narrow, no_report] {
        assert!(read_classifier(damaged).is_err());
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
    let (features, labels) = separable(3);
    let samples = Samples { features: &features, labels: &labels, weights: None };
    for variant in VARIANTS {
        let params = PerceptronParams::new().variant(variant).check().unwrap();
        assert!(matches!(params.fit_model(samples, 0, &Stop), Err(LearnError::Interrupted)));
    }
}
