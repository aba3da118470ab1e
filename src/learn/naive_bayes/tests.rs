//! Naive Bayes against scikit-learn and linfa, and what must hold of any data.

use linfa::ParamGuard;
use ndarray::{Array2, array};
use serde_json::json;

use super::{GaussianNb, GaussianNbEngine, GaussianNbParams};
use crate::data::{Features, Labels, TensorFile};
use crate::learn::reduction::tests::{Fixture, assert_close, first_rows, numbers};
use crate::learn::{Classifier, LearnError, Priors, Samples, read_classifier};
use crate::progress::Silent;

fn fit(params: GaussianNbParams, samples: Samples) -> Result<GaussianNb, LearnError> {
    params.check()?.fit_model(samples, 0, &Silent)
}

fn unweighted<'a>(features: &'a Features, labels: &'a Labels) -> Samples<'a> {
    Samples { features, labels, weights: None }
}

#[test]
fn models_match_scikit_learn() {
    let Fixture { labels, weights, cases } = Fixture::load();
    for (name, features, case) in cases {
        let plain = fit(GaussianNbParams::new(), unweighted(&features, &labels)).unwrap();
        let priors = Priors::PerClass(vec![0.5, 0.2, 0.3]);
        let samples = Samples { features: &features, labels: &labels, weights: Some(&weights) };
        let weighted = fit(GaussianNbParams::new().priors(priors), samples).unwrap();
        let expected = case["gaussian_nb"].as_array().unwrap();
        for (found, expected) in [&plain, &weighted].into_iter().zip(expected) {
            assert_close(found.means(), &expected["means"], 1e-12, &name);
            // scikit-learn adds a share of the variance of all rows, also of those without weight.
            let epsilon = expected["epsilon"].as_f64().unwrap();
            let theirs = numbers(&expected["variances"]).into_iter().map(|v| v - epsilon);
            for (a, b) in found.variances().iter().zip(theirs) {
                assert!((a - found.epsilon() - b).abs() <= 1e-10 * b + 1e-17, "{name}: {a}, {b}");
            }
        }
        let first = first_rows(&features, 20);
        let joint = plain.joint_log_likelihood(&first, &Silent).unwrap();
        assert_close(&joint, &expected[0]["joint"], 1e-9, &name);
        assert_close(&[plain.epsilon()], &expected[0]["epsilon"], 1e-9, &name);
    }
}

#[test]
fn linfa_estimates_the_same() {
    let Fixture { labels, weights, cases } = Fixture::load();
    let params = GaussianNbParams::new().engine(GaussianNbEngine::Linfa);
    for (name, features, _) in &cases {
        let theirs = fit(params.clone(), unweighted(features, &labels)).unwrap();
        let ours = fit(GaussianNbParams::new(), unweighted(features, &labels)).unwrap();
        let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9 * a.abs().max(1e-6);
        assert!(theirs.means().iter().zip(ours.means()).all(close), "{name}");
        assert!(theirs.variances().iter().zip(ours.variances()).all(close), "{name}");
    }
    let samples = Samples { features: &cases[0].1, labels: &labels, weights: Some(&weights) };
    let found = fit(params.clone(), samples).err().unwrap();
    assert_eq!(found.to_string(), "`linfa's naive Bayes` takes no sample weights");
    assert!(params.priors(Priors::Uniform).check().is_err());
}

#[test]
fn probabilities_sum_to_1_where_likelihoods_vanish() {
    let features = Features::Floats(array![[0.0, 0.0], [0.1, 0.2], [9.0, 8.0], [9.1, 8.2]]);
    let model = fit(GaussianNbParams::new(), unweighted(&features, &array![0, 0, 2, 2])).unwrap();
    let far = Features::Floats(array![[1e6, -1e6], [4.0, 5.0]]);
    let scores = model.scores(&far, &Silent).unwrap().values;
    assert_eq!(scores.ncols(), 3);
    for row in scores.rows() {
        assert!((row.sum() - 1.0).abs() < 1e-12 && row[1] == 0.0, "{row}");
    }
}

#[test]
fn a_stored_classifier_is_read_again_and_a_damaged_one_refused() {
    let Fixture { labels, cases, .. } = Fixture::load();
    let (_, features, _) = &cases[0];
    let model = fit(GaussianNbParams::new(), unweighted(features, &labels)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model");
    model.to_tensors().write(&path).unwrap();
    let again = read_classifier(TensorFile::read(&path).unwrap()).unwrap();
    assert_eq!(again.scores(features, &Silent).unwrap(), model.scores(features, &Silent).unwrap());
    for (key, value) in [("classes", json!([0, 1])), ("epsilon", json!("much"))] {
        let mut damaged = TensorFile::read(&path).unwrap();
        damaged.document[key] = value;
        assert!(read_classifier(damaged).is_err(), "bad {key}");
    }
    let mut damaged = model.to_tensors();
    damaged.insert_f64("variances", Array2::zeros(model.means().dim()));
    damaged.write(&path).unwrap();
    assert!(read_classifier(TensorFile::read(&path).unwrap()).is_err());
}

#[test]
fn threads_do_not_change_a_bit() {
    let Fixture { labels, weights, cases } = Fixture::load();
    for (name, features, _) in &cases {
        for weights in [None, Some(weights.as_slice())] {
            let with = |n_threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
                let samples = Samples { features, labels: &labels, weights };
                let fitted = || fit(GaussianNbParams::new(), samples).unwrap();
                pool.install(|| fitted().to_tensors().digest())
            };
            assert_eq!(with(1), with(2), "{name}");
            assert_eq!(with(1), with(3), "{name}");
        }
    }
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let features = Features::Floats(array![[0.0, 1.0], [1.0, 1.0], [2.0, 3.0], [3.0, 3.5]]);
    let labels = array![0, 0, 1, 1];
    let found = |smoothing: f64| {
        let params = GaussianNbParams::new().var_smoothing(smoothing);
        fit(params, unweighted(&features, &labels)).map(|_| ())
    };
    assert!(found(1e-9).is_ok());
    let nothing = found(0.0).unwrap_err().to_string();
    assert!(nothing.starts_with("none of 2 features varies within a class"), "{nothing}");
    assert_eq!(
        found(-1.0).unwrap_err().to_string(),
        "`var_smoothing` must be a finite number not below 0, found -1"
    );
    let constant = Features::Bytes(Array2::from_elem((4, 2), 9));
    assert!(fit(GaussianNbParams::new(), unweighted(&constant, &labels)).is_err());
}
