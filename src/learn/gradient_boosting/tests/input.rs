//! Input that cannot be fitted, predicted or read, and requests to stop.

use std::sync::atomic::{AtomicU64, Ordering};

use linfa::ParamGuard;
use ndarray::{Array1, Array2, s};
use serde_json::json;

use super::{blobs, few_rounds, fit, fit_weighted};
use crate::data::{Features, Labels, TensorFile};
use crate::learn::gradient_boosting::{EarlyStopping, GradientBoosting, GradientBoostingParams};
use crate::learn::{LearnError, Samples};
use crate::progress::{Progress, Silent};

fn refusal(params: &GradientBoostingParams, features: &Features, labels: &Labels) -> String {
    let samples = Samples { features, labels, weights: None };
    params.clone().check().unwrap().fit_model(samples, 0, &Silent).unwrap_err().to_string()
}

#[test]
fn parameters_out_of_range_are_refused() {
    let params = GradientBoostingParams::new();
    let stopping = |change: fn(&mut EarlyStopping)| {
        let mut early_stopping = EarlyStopping::default();
        change(&mut early_stopping);
        GradientBoostingParams::new().early_stopping(Some(early_stopping))
    };
    for (params, expected) in [
        (params.clone().max_depth(Some(0)), "`max_depth` must be at least 1, found 0"),
        (params.clone().max_leaf_nodes(Some(1)), "`max_leaf_nodes` must be at least 2, found 1"),
        (params.clone().n_estimators(0), "`n_estimators` must be at least 1, found 0"),
        (params.clone().min_samples_leaf(0), "`min_samples_leaf` must be at least 1, found 0"),
        (
            params.clone().learning_rate(0.0),
            "`learning_rate` must be a finite number above 0, found 0",
        ),
        (
            params.clone().l2_regularization(-1.0),
            "`l2_regularization` must be a finite number not below 0, found -1",
        ),
        (
            params.clone().min_child_weight(f64::NAN),
            "`min_child_weight` must be a finite number not below 0, found NaN",
        ),
        (params.clone().subsample(0.0), "`subsample` must be above 0 and at most 1, found 0"),
        (params.clone().colsample(1.5), "`colsample` must be above 0 and at most 1, found 1.5"),
        (
            stopping(|early| early.validation_fraction = 1.0),
            "`validation_fraction` must be between 0 and 1, found 1",
        ),
        (
            stopping(|early| early.n_iter_no_change = 0),
            "`n_iter_no_change` must be at least 1, found 0",
        ),
        (stopping(|early| early.tol = -1.0), "`tol` must be a finite number not below 0, found -1"),
    ] {
        assert_eq!(params.check().unwrap_err().to_string(), expected);
    }
}

#[test]
fn samples_that_cannot_be_fitted_are_refused() {
    let (bytes, floats, labels) = blobs(40, 4, 2);
    let params = few_rounds();
    let Features::Floats(mut rows) = floats else { unreachable!() };
    rows[[4, 2]] = f32::NAN;
    assert_eq!(
        refusal(&params, &Features::Floats(rows), &labels),
        "feature 2 of sample 4 is NaN, all must be finite"
    );
    assert!(refusal(&params, &bytes, &Labels::zeros(40)).contains("are of class 0"));
    assert_eq!(refusal(&params, &bytes, &Labels::zeros(3)), "40 samples but 3 labels");
    let mut rare = labels;
    rare[5] = 7;
    assert_eq!(
        refusal(&params.early_stopping(Some(EarlyStopping::default())), &bytes, &rare),
        "holding samples of class 7 out needs at least 2 samples that count, found 1"
    );
}

#[test]
fn rows_of_another_width_are_not_predicted_and_none_are() {
    let (bytes, _, labels) = blobs(60, 4, 3);
    let model = fit(&few_rounds(), &bytes, &labels);
    let error = model.predict_labels(&Features::Bytes(Array2::zeros((2, 5))), &Silent).unwrap_err();
    assert_eq!(error.to_string(), "rows have 5 features, the model was fitted on 4");
    let none = model.predict_proba(&Features::Bytes(Array2::zeros((0, 4))), &Silent).unwrap();
    assert_eq!(none.dim(), (0, 3));
}

#[test]
fn constant_features_alone_give_the_shares_of_the_classes() {
    let features = Features::Bytes(Array2::from_elem((60, 3), 9));
    let labels: Labels = (0..60).map(|row| [0, 2, 2][row % 3]).collect();
    let weights: Vec<f64> = (0..60).map(|row| [1.0, 1.0, 2.0][row % 3]).collect();
    let model = fit_weighted(&few_rounds(), &features, &labels, Some(&weights));
    let proba = model.predict_proba(&features, &Silent).unwrap();
    for row in proba.rows() {
        assert!((row[0] - 0.25).abs() < 1e-6 && (row[1] - 0.75).abs() < 1e-6, "{row}");
    }
    assert_eq!(model.feature_importances(), [0.0; 3]);
}

#[test]
fn rows_that_are_not_one_after_another_are_taken() {
    let (bytes, _, labels) = blobs(80, 6, 3);
    let Features::Bytes(rows) = &bytes else { unreachable!() };
    let turned = Features::Bytes(rows.t().as_standard_layout().into_owned().reversed_axes());
    assert_eq!(fit(&few_rounds(), &turned, &labels), fit(&few_rounds(), &bytes, &labels));
}

fn stored() -> TensorFile<'static> {
    let (bytes, _, labels) = blobs(120, 5, 3);
    let model = fit(&few_rounds().n_estimators(2).min_samples_leaf(5), &bytes, &labels);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    model.to_tensors().write(&path).unwrap();
    TensorFile::read(&path).unwrap()
}

#[test]
fn damaged_models_are_refused() {
    assert!(GradientBoosting::from_tensors(stored()).is_ok());
    type Damage = fn(&mut TensorFile<'static>);
    let cases: [(&str, Damage); 9] = [
        ("no classes", |file| file.document["classes"] = json!(null)),
        ("classes twice", |file| file.document["classes"] = json!([0, 1, 1])),
        ("a class less", |file| file.document["classes"] = json!([0, 1])),
        ("no report", |file| file.document["report"] = json!({})),
        ("a round more", |file| file.document["report"]["best_round"] = json!(3)),
        ("too many rounds", |file| file.document["report"]["best_round"] = json!(u64::MAX)),
        ("a leaf less", |file| {
            let values: Array1<f64> = file.take_f64("leaf_values").unwrap();
            file.insert_f64("leaf_values", values.slice(s![1..]).to_owned());
        }),
        ("a leaf of NaN", |file| {
            let mut values: Array1<f64> = file.take_f64("leaf_values").unwrap();
            values[3] = f64::NAN;
            file.insert_f64("leaf_values", values);
        }),
        ("fewer features than cuts use", |file| {
            let shares: Array1<f64> = file.take_f64("importances").unwrap();
            file.insert_f64("importances", shares.slice(s![..1]).to_owned());
        }),
    ];
    for (what, damage) in cases {
        let mut file = stored();
        damage(&mut file);
        assert!(GradientBoosting::from_tensors(file).is_err(), "{what}");
    }
    for name in ["baseline", "importances", "leaf_values"] {
        let mut file = stored();
        let _: Array1<f64> = file.take_f64(name).unwrap();
        assert!(GradientBoosting::from_tensors(file).is_err(), "no {name}");
    }
}

/// Lets a number of questions pass, then asks to stop.
struct StopAfter(AtomicU64);

impl Progress for StopAfter {
    fn update(&self, _done: u64, _total: u64, _note: &str) {}

    fn interrupted(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_err()
    }

    fn warn(&self, _message: &str) {}
}

#[test]
fn a_request_to_stop_ends_fit_and_prediction() {
    let (bytes, _, labels) = blobs(300, 6, 3);
    let params = few_rounds().check().unwrap();
    for n_asked in [0, 3, 20, 60] {
        let samples = Samples { features: &bytes, labels: &labels, weights: None };
        let stop = StopAfter(AtomicU64::new(n_asked));
        let found = params.fit_model(samples, 0, &stop);
        assert!(matches!(found, Err(LearnError::Interrupted)), "after {n_asked}");
    }
    let model = fit(&few_rounds(), &bytes, &labels);
    let stop = StopAfter(AtomicU64::new(0));
    assert!(matches!(model.predict_proba(&bytes, &stop), Err(LearnError::Interrupted)));
}
