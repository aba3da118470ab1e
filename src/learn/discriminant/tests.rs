//! Discriminant functions against scikit-learn, and what must hold of any data.

use linfa::ParamGuard;
use ndarray::{Array2, Axis, array};
use serde_json::Value;

use super::{Covariance, Discriminant, DiscriminantParams};
use crate::data::{Features, Labels, TensorFile};
use crate::learn::reduction::tests::{Fixture, assert_close, first_rows};
use crate::learn::{Classifier, LearnError, Meaning, Priors, Samples, Shrinkage, read_classifier};
use crate::progress::Silent;

const ALL: [Covariance; 3] = [Covariance::Spherical, Covariance::Shared, Covariance::PerClass];

fn params(covariance: Covariance) -> DiscriminantParams {
    DiscriminantParams::new().covariance(covariance)
}

fn fit(params: DiscriminantParams, samples: Samples) -> Result<Discriminant, LearnError> {
    params.check()?.fit_model(samples, 0, &Silent)
}

fn unweighted<'a>(features: &'a Features, labels: &'a Labels) -> Samples<'a> {
    Samples { features, labels, weights: None }
}

fn probabilities(model: &Discriminant, features: &Features) -> Array2<f64> {
    let scores = model.scores(features, &Silent).unwrap();
    assert_eq!(scores.meaning, Meaning::Probability);
    scores.values
}

#[test]
fn probabilities_match_scikit_learn() {
    let Fixture { labels, cases, .. } = Fixture::load();
    for (name, features, case) in cases {
        let check = |params: DiscriminantParams, key: &str| {
            let expected = &case["discriminant"][key];
            if *expected == Value::Null {
                return;
            }
            let model = fit(params, unweighted(&features, &labels)).unwrap();
            let found = probabilities(&model, &first_rows(&features, 20));
            assert_close(&found, expected, 1e-8, &format!("{name} {key}"));
        };
        check(params(Covariance::Shared), "shared");
        check(params(Covariance::Spherical), "spherical");
        let shrunk = params(Covariance::Shared).shrinkage(Shrinkage::Share(0.3));
        check(shrunk, "shared_shrunk");
        check(params(Covariance::Shared).shrinkage(Shrinkage::Auto), "shared_auto");
        check(params(Covariance::PerClass), "per_class");
        check(params(Covariance::PerClass).priors(Priors::Uniform), "per_class_uniform");
    }
}

#[test]
fn the_share_of_ledoit_and_wolf_matches_scikit_learn() {
    let Fixture { labels, cases, .. } = Fixture::load();
    for (name, features, case) in cases {
        let params = params(Covariance::Shared).shrinkage(Shrinkage::Auto);
        let model = fit(params, unweighted(&features, &labels)).unwrap();
        let found = model.details()["shrinkage"].as_f64().unwrap();
        assert_close(&[found], &case["ledoit_wolf"], 1e-9, &name);
    }
}

#[test]
fn only_ratios_of_weights_matter_and_rows_of_weight_0_do_not() {
    let Fixture { labels, weights, cases } = Fixture::load();
    let kept: Vec<usize> = (0..labels.len()).filter(|&row| weights[row] > 0.0).collect();
    let kept_labels = labels.select(Axis(0), &kept);
    let kept_weights: Vec<f64> = kept.iter().map(|&row| 1e-3 * weights[row]).collect();
    let (_, features, _) = &cases[0];
    let rest = features.select(&kept);
    for covariance in ALL {
        let params = params(covariance).shrinkage(Shrinkage::Auto);
        let all = Samples { features, labels: &labels, weights: Some(&weights) };
        let some = Samples { features: &rest, labels: &kept_labels, weights: Some(&kept_weights) };
        let a = probabilities(&fit(params.clone(), all).unwrap(), features);
        let b = probabilities(&fit(params.clone(), some).unwrap(), features);
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-9), "{covariance:?}");
        let plain = fit(params, unweighted(features, &labels)).unwrap();
        assert_ne!(probabilities(&plain, features), a, "{covariance:?} reads the weights");
    }
}

#[test]
fn equal_weights_are_none() {
    let Fixture { labels, cases, .. } = Fixture::load();
    let weights = vec![3.0; labels.len()];
    for (name, features, _) in &cases[..2] {
        for covariance in ALL {
            let with = Samples { features, labels: &labels, weights: Some(&weights) };
            let a = probabilities(&fit(params(covariance), with).unwrap(), features);
            let without = fit(params(covariance), unweighted(features, &labels)).unwrap();
            for (a, b) in a.iter().zip(&probabilities(&without, features)) {
                assert!((a - b).abs() < 1e-9, "{name}, {covariance:?}: {a} and {b}");
            }
        }
    }
}

#[test]
fn a_singular_covariance_of_a_class_is_told_and_predicts() {
    let Fixture { labels, cases, .. } = Fixture::load();
    let (_, features, _) = cases.iter().find(|(name, ..)| name == "singular").unwrap();
    let model = fit(params(Covariance::PerClass), unweighted(features, &labels)).unwrap();
    assert_eq!(model.details()["singular_classes"], serde_json::json!([0, 1, 2]));
    assert!(model.warning().unwrap().contains("3 of 3 classes"));
    let found = probabilities(&model, features);
    assert!(found.iter().all(|p| p.is_finite()));
    let predicted = model.predict(features, &Silent).unwrap();
    let n_right = predicted.iter().zip(&labels).filter(|(a, b)| a == b).count();
    // Without the doubled and the constant feature it is as sure; classes are 50 of 150.
    assert!(n_right > 120, "{n_right} of 150");
}

#[test]
fn a_label_without_samples_is_never_predicted() {
    let features = Features::Floats(array![[0.0], [1.0], [5.0], [6.5]]);
    for covariance in ALL {
        let model = fit(params(covariance), unweighted(&features, &array![0, 0, 2, 2])).unwrap();
        assert_eq!(model.predict(&features, &Silent).unwrap(), array![0, 0, 2, 2]);
        let found = probabilities(&model, &features);
        assert_eq!(found.ncols(), 3);
        assert!(found.column(1).iter().all(|&p| p == 0.0));
    }
}

#[test]
fn priors_by_class_move_the_boundary() {
    let features = Features::Floats(array![[0.0], [2.0], [4.0], [6.0]]);
    let labels = array![0, 0, 1, 1];
    let between = Features::Floats(array![[3.0]]);
    let with = |priors: Vec<f64>| {
        let params = params(Covariance::Shared).priors(Priors::PerClass(priors));
        let model = fit(params, unweighted(&features, &labels)).unwrap();
        probabilities(&model, &between)[[0, 0]]
    };
    assert!((with(vec![3.0, 1.0]) - 0.75).abs() < 1e-12);
    assert!((with(vec![0.5, 0.5]) - 0.5).abs() < 1e-12);
    assert_eq!(with(vec![0.0, 1.0]), 0.0);
}

#[test]
fn a_stored_classifier_is_read_again_and_a_damaged_one_refused() {
    let Fixture { labels, cases, .. } = Fixture::load();
    let (_, features, _) = &cases[0];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model");
    for covariance in ALL {
        let model = fit(params(covariance), unweighted(features, &labels)).unwrap();
        model.to_tensors().write(&path).unwrap();
        let again = read_classifier(TensorFile::read(&path).unwrap()).unwrap();
        assert_eq!(
            again.scores(features, &Silent).unwrap(),
            model.scores(features, &Silent).unwrap()
        );
        assert_eq!(again.details(), model.details());
        for key in ["classes", "report"] {
            let mut damaged = TensorFile::read(&path).unwrap();
            damaged.document[key] = Value::Null;
            assert!(read_classifier(damaged).is_err(), "{covariance:?} without {key}");
        }
        let mut damaged = TensorFile::read(&path).unwrap();
        damaged.document["classes"] = serde_json::json!([0, 1]);
        assert!(read_classifier(damaged).is_err(), "{covariance:?} of two classes");
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let Fixture { labels, weights, cases } = Fixture::load();
    for covariance in ALL {
        for weights in [None, Some(weights.as_slice())] {
            let with = |n_threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
                let samples = Samples { features: &cases[0].1, labels: &labels, weights };
                pool.install(|| fit(params(covariance), samples).unwrap().to_tensors().digest())
            };
            assert_eq!(with(1), with(2), "{covariance:?}");
            assert_eq!(with(1), with(3), "{covariance:?}");
        }
    }
}

#[test]
fn samples_that_cannot_be_fitted_are_refused() {
    let rows = Features::Floats(array![[0.0, 1.0], [1.0, 1.5], [2.0, 4.0]]);
    let same = Features::Floats(Array2::ones((4, 2)));
    let refused = |params: DiscriminantParams, features: &Features, labels: Labels| {
        fit(params, unweighted(features, &labels)).unwrap_err().to_string()
    };
    for (found, expected) in [
        (
            refused(params(Covariance::PerClass), &rows, array![0, 0, 1]),
            "a covariance of class 1 alone needs at least 2 samples that count, found 1",
        ),
        (
            refused(params(Covariance::Shared), &first_rows(&rows, 2), array![0, 1]),
            "a covariance within 2 classes needs at least 3 samples that count, found 2",
        ),
        (
            refused(params(Covariance::Shared), &same, array![0, 0, 1, 1]),
            "none of 2 features varies within the classes",
        ),
        (
            refused(params(Covariance::Spherical), &same, array![0, 0, 1, 1]),
            "none of 2 features varies within the classes",
        ),
        (
            refused(params(Covariance::PerClass), &same, array![0, 0, 1, 1]),
            "none of 2 features varies within the classes",
        ),
        (
            refused(params(Covariance::Shared), &rows, array![0, 0, 0]),
            "all 3 samples are of class 0, at least two classes are needed",
        ),
        (
            refused(
                params(Covariance::Shared).priors(Priors::PerClass(vec![1.0])),
                &rows,
                array![0, 0, 1],
            ),
            "`priors` must be a prior for each of 2 labels, found 1",
        ),
        (
            refused(
                params(Covariance::Shared).priors(Priors::PerClass(vec![1.0, -1.0])),
                &rows,
                array![0, 0, 1],
            ),
            "`priors` must be finite numbers not below 0, found -1",
        ),
        (
            refused(
                params(Covariance::Shared).shrinkage(Shrinkage::Share(1.5)),
                &rows,
                array![0, 0, 1],
            ),
            "`shrinkage` must be between 0 and 1, found 1.5",
        ),
    ] {
        assert_eq!(found, expected);
    }
    let broken = Features::Floats(array![[0.0], [f32::NAN], [1.0]]);
    let found = refused(params(Covariance::Shared), &broken, array![0, 0, 1]);
    assert_eq!(found, "feature 0 of sample 1 is NaN, all must be finite");
}
