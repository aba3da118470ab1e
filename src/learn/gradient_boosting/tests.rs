//! Behaviour of the whole classifier on small data.

mod input;
mod trees;

use linfa::ParamGuard;
use linfa::traits::Predict;
use ndarray::{Array2, Axis};
use serde_json::Value;

use super::{EarlyStopping, GradientBoosting, GradientBoostingParams};
use crate::data::{Features, Labels, Rng, TensorFile};
use crate::learn::{Classifier, Meaning, Samples, read_classifier};
use crate::progress::Silent;

/// Classes that overlap, as bytes and as real values.
fn blobs(n: usize, n_features: usize, n_classes: usize) -> (Features, Features, Labels) {
    let mut rng = Rng::new(7, &["gradient-boosting", "blobs"]);
    let labels: Labels = (0..n).map(|_| rng.below(n_classes)).collect();
    let rows = Array2::from_shape_fn((n, n_features), |(row, column)| {
        f32::from(u8::from(column % n_classes == labels[row])) + rng.normal_f32()
    });
    let bytes = rows.mapv(|v| (v * 30.0 + 100.0).clamp(0.0, 255.0) as u8);
    (Features::Bytes(bytes), Features::Floats(rows), labels)
}

fn fit_weighted(
    params: &GradientBoostingParams,
    features: &Features,
    labels: &Labels,
    weights: Option<&[f64]>,
) -> GradientBoosting {
    let samples = Samples { features, labels, weights };
    params.clone().check().unwrap().fit_model(samples, 3, &Silent).unwrap()
}

fn fit(params: &GradientBoostingParams, features: &Features, labels: &Labels) -> GradientBoosting {
    fit_weighted(params, features, labels, None)
}

fn few_rounds() -> GradientBoostingParams {
    GradientBoostingParams::new().n_estimators(8)
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

// The fixture is made by tests/reference/gradient_boosting_fixtures.py (library version and seed
// inside).
#[test]
fn losses_of_every_round_and_probabilities_agree_with_scikit_learn() {
    let text = include_str!("../../../tests/reference/gradient_boosting.json");
    let fixture: Value = serde_json::from_str(text).unwrap();
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
        let size = |name: &str| case[name].as_u64().map(|v| v as usize);
        let labels = if is("two_classes") { labels.mapv(|v| v.min(1)) } else { labels.clone() };
        let default_leaves = case.get("max_leaf_nodes").is_none().then_some(31);
        let params = GradientBoostingParams::new()
            .n_estimators(12)
            .max_leaf_nodes(size("max_leaf_nodes").or(default_leaves))
            .max_depth(size("max_depth"))
            .min_samples_leaf(size("min_samples_leaf").unwrap_or(20))
            .l2_regularization(case["l2_regularization"].as_f64().unwrap_or(0.0))
            .learning_rate(case["learning_rate"].as_f64().unwrap_or(0.1));
        let model = fit_weighted(&params, features, &labels, Some(&weights));
        let name = format!("{params:?} on {}", case["features"]);
        let losses = numbers(&case["losses"]);
        assert_eq!(model.report().train_loss.len(), 13);
        for (found, expected) in model.report().train_loss[1..].iter().zip(&losses) {
            assert!((found - expected).abs() < 1e-6, "{name}: {found} and {expected}");
        }
        let first = features.select(&(0..15).collect::<Vec<_>>());
        for (found, expected) in [
            (model.predict_proba(&first, &Silent).unwrap(), numbers(&case["proba"])),
            (model.decision_function(&first, &Silent).unwrap(), numbers(&case["decisions"])),
        ] {
            assert_eq!(found.len(), expected.len(), "{name}");
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-5, "{name}: {found} and {expected}");
            }
        }
    }
}

#[test]
fn threads_change_no_bit() {
    // More rows than a tile and than nodes that keep no histogram; more features than a block.
    let (bytes, floats, labels) = blobs(3000, 40, 5);
    let with_all = few_rounds()
        .n_estimators(4)
        .subsample(0.7)
        .colsample(0.5)
        .early_stopping(Some(EarlyStopping::default()));
    for params in [few_rounds().n_estimators(4), with_all] {
        for features in [&bytes, &floats] {
            let mut found = Vec::new();
            for n_threads in [1, 2, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
                found.push(pool.install(|| {
                    let model = fit(&params, features, &labels);
                    let proba = model.predict_proba(features, &Silent).unwrap();
                    (model, proba)
                }));
            }
            assert!(found.windows(2).all(|pair| pair[0] == pair[1]), "{params:?}");
        }
    }
}

#[test]
fn a_weight_of_zero_is_the_absence_of_the_sample() {
    let (bytes, floats, labels) = blobs(600, 10, 3);
    let weights: Vec<f64> = (0..600).map(|row| [0.0, 1.0, 2.5][row % 3]).collect();
    let kept: Vec<usize> = (0..600).filter(|&row| weights[row] > 0.0).collect();
    let kept_weights: Vec<f64> = kept.iter().map(|&row| weights[row]).collect();
    let kept_labels = labels.select(Axis(0), &kept);
    let stopping = few_rounds().early_stopping(Some(EarlyStopping::default())).subsample(0.8);
    for params in [few_rounds(), stopping] {
        for features in [&bytes, &floats] {
            let weighted = fit_weighted(&params, features, &labels, Some(&weights));
            let kept = features.select(&kept);
            let removed = fit_weighted(&params, &kept, &kept_labels, Some(&kept_weights));
            assert_eq!(weighted, removed);
        }
    }
}

#[test]
fn bytes_and_their_real_values_give_the_same_model() {
    let (bytes, _, labels) = blobs(500, 12, 4);
    let Features::Bytes(rows) = &bytes else { unreachable!() };
    let real = Features::Floats(rows.mapv(|v| f32::from(v) / 255.0));
    let (a, b) = (fit(&few_rounds(), &bytes, &labels), fit(&few_rounds(), &real, &labels));
    assert_eq!(a.report().train_loss, b.report().train_loss);
    for model in [a, b] {
        let (on_bytes, on_real) =
            (model.predict_proba(&bytes, &Silent), model.predict_proba(&real, &Silent));
        assert_eq!(on_bytes.unwrap(), on_real.unwrap());
    }
}

#[test]
fn the_loss_of_the_samples_falls_every_round_and_is_that_of_the_predictions() {
    for n_classes in [2, 3] {
        let (bytes, _, labels) = blobs(400, 8, n_classes);
        let model = fit(&few_rounds().n_estimators(30), &bytes, &labels);
        let losses = &model.report().train_loss;
        assert!(losses.is_sorted_by(|before, after| after < before), "{losses:?}");
        let proba = model.predict_proba(&bytes, &Silent).unwrap();
        let sum: f64 =
            proba.rows().into_iter().zip(&labels).map(|(p, &class)| -p[class].ln()).sum();
        assert!((sum / 400.0 - losses[30]).abs() < 1e-9, "{sum} and {losses:?}");
    }
}

#[test]
fn fitting_ends_when_the_samples_held_out_no_longer_gain() {
    let (bytes, _, labels) = blobs(600, 6, 3);
    let early = EarlyStopping { n_iter_no_change: 5, ..EarlyStopping::default() };
    let params = few_rounds().n_estimators(500).learning_rate(0.3).early_stopping(Some(early));
    let model = fit(&params, &bytes, &labels);
    let report = model.report();
    let curve = &report.validation_loss;
    assert!(report.n_rounds < 500, "{report:?}");
    assert_eq!((curve.len(), report.train_loss.len()), (report.n_rounds + 1, report.n_rounds + 1));
    let lowest = curve.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(curve[report.best_round], lowest);
    assert_eq!(report.n_rounds, report.best_round + 5);
    assert_eq!(model.trees().len(), 3 * report.best_round);
    // The rounds that are kept are those of a fit that ends there.
    let shorter = fit(&params.n_estimators(report.best_round), &bytes, &labels);
    let labels_of = |model: &GradientBoosting| model.predict_labels(&bytes, &Silent).unwrap();
    assert_eq!(labels_of(&shorter), labels_of(&model));
}

#[test]
fn limits_of_trees_are_kept() {
    let (bytes, _, labels) = blobs(900, 10, 3);
    let free = few_rounds().min_samples_leaf(1).min_child_weight(0.0);
    let model = fit(&free.clone().max_leaf_nodes(Some(5)), &bytes, &labels);
    assert!(model.trees().all(|tree| tree.n_leaves() == 5));
    let model = fit(&free.clone().max_leaf_nodes(None).max_depth(Some(2)), &bytes, &labels);
    assert!(model.trees().all(|tree| tree.depth() == 2 && tree.n_leaves() <= 4));
    let model = fit(&free.max_leaf_nodes(None).min_samples_leaf(450), &bytes, &labels);
    assert!(model.trees().all(|tree| tree.n_leaves() <= 2));
    for params in [
        few_rounds().min_child_weight(1e9),
        few_rounds().min_child_weight(f64::MAX),
        few_rounds().min_samples_leaf(usize::MAX),
    ] {
        let model = fit(&params, &bytes, &labels);
        assert!(model.trees().all(|tree| tree.n_leaves() == 1), "{params:?}");
    }
}

#[test]
fn leaves_without_a_limit_are_those_of_a_limit_that_is_not_reached() {
    let (bytes, _, labels) = blobs(3000, 10, 3);
    let params = few_rounds().n_estimators(2);
    let limited = fit(&params.clone().max_leaf_nodes(Some(3000)), &bytes, &labels);
    let free = fit(&params.max_leaf_nodes(None), &bytes, &labels);
    assert_eq!(
        limited.predict_proba(&bytes, &Silent).unwrap(),
        free.predict_proba(&bytes, &Silent).unwrap()
    );
}

#[test]
fn importances_are_of_the_features_that_tell_classes_apart() {
    let (_, floats, labels) = blobs(800, 3, 3);
    let Features::Floats(rows) = floats else { unreachable!() };
    let mut rng = Rng::new(1, &["noise"]);
    let wide = Array2::from_shape_fn((800, 6), |(row, column)| match column {
        0..3 => rows[[row, column]],
        3 => 7.0,
        _ => rng.normal_f32(),
    });
    let model = fit(&few_rounds(), &Features::Floats(wide), &labels);
    let shares = model.feature_importances();
    assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    assert_eq!(shares[3], 0.0, "a constant feature is never cut");
    assert!(shares[..3].iter().all(|&v| v > 3.0 * shares[4].max(shares[5])), "{shares:?}");
}

#[test]
fn draws_of_samples_and_features_follow_the_seed() {
    let (bytes, _, labels) = blobs(500, 20, 3);
    for params in [few_rounds().subsample(0.5), few_rounds().colsample(0.3)] {
        let params = params.check().unwrap();
        let fit = |seed: u64| {
            let samples = Samples { features: &bytes, labels: &labels, weights: None };
            params.fit_model(samples, seed, &Silent).unwrap()
        };
        assert_eq!(fit(1), fit(1));
        assert_ne!(fit(1), fit(2));
        let model = fit(1);
        let losses = &model.report().train_loss;
        assert!(losses[8] < 0.8 * losses[0], "{losses:?}");
    }
}

#[test]
fn stored_models_predict_the_same() {
    for n_classes in [2, 4] {
        let (bytes, _, labels) = blobs(300, 8, n_classes);
        let labels = labels.mapv(|class| 3 * class + 1);
        let model = fit(&few_rounds(), &bytes, &labels);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.safetensors");
        model.to_tensors().write(&path).unwrap();
        let read = read_classifier(TensorFile::read(&path).unwrap()).unwrap();
        let scores = read.scores(&bytes, &Silent).unwrap();
        assert_eq!(scores, model.scores(&bytes, &Silent).unwrap());
        assert_eq!(scores.meaning, Meaning::Probability);
        assert_eq!(scores.values.ncols(), 3 * (n_classes - 1) + 2);
        assert!(scores.values.column(0).iter().all(|&p| p == 0.0), "no sample is of class 0");
        assert!(scores.values.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-12));
        let by_linfa: Labels = Predict::predict(&model, &bytes);
        assert_eq!(read.predict(&bytes, &Silent).unwrap(), by_linfa);
        assert_eq!(read.details(), model.details());
    }
}
