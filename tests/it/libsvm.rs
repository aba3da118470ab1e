//! The classifier against LIBSVM itself on real images, where `PIPELINE_DATA` names their directory.

use hybrid_pipeline::data::{self, Features, Sources};
use hybrid_pipeline::learn::svm::{Gamma, Kernel, SvcParams};
use hybrid_pipeline::progress::Silent;
use linfa::ParamGuard;
use ndarray::s;

// Made by tests/reference/svc_fashion_mnist.py, which says how.
const REFERENCE: &str = include_str!("../reference/svc_fashion_mnist.json");

#[test]
fn dual_objectives_support_vectors_and_accuracy_are_libsvms_on_ten_thousand_images() {
    let Some(dir) = std::env::var_os("PIPELINE_DATA") else {
        println!("skipped: PIPELINE_DATA names no directory with the Fashion-MNIST files");
        return;
    };
    let reference: serde_json::Value = serde_json::from_str(REFERENCE).unwrap();
    let n = reference["n"].as_u64().unwrap() as usize;
    let sources = Sources { explicit: Some(dir.into()), ..Sources::default() };
    let data = data::load("fashion-mnist", None, &sources, &Silent).unwrap().dataset;
    let features = Features::Bytes(data.train.pixels.slice(s![..n, ..]).to_owned());
    let labels = data.train.labels.slice(s![..n]).to_owned();
    let params = SvcParams::new()
        .c(reference["c"].as_f64().unwrap())
        .kernel(Kernel::Rbf { gamma: Gamma::Scale })
        .check()
        .unwrap();
    let svc = params.fit_with(&features, &labels, &Silent).unwrap();
    let report = svc.report().expect("a fit has a report");
    assert!(report.converged);
    let gamma = reference["gamma"].as_f64().unwrap();
    assert!((svc.gamma() - gamma).abs() < 1e-12 * gamma, "{} and {gamma}", svc.gamma());
    let objectives = reference["objectives"].as_array().unwrap();
    for (pair, expected) in report.pairs.iter().zip(objectives) {
        let expected = expected.as_f64().unwrap();
        let error = (pair.objective - expected).abs() / expected.abs();
        assert!(error < 1e-4, "{:?}: {} and {expected}", pair.classes, pair.objective);
    }
    let n_support = reference["n_support"].as_u64().unwrap() as f64;
    let error = (svc.support_idx().len() as f64 - n_support).abs() / n_support;
    assert!(error < 0.005, "{} support vectors, LIBSVM has {n_support}", svc.support_idx().len());
    let test = Features::Bytes(data.test.pixels.clone());
    let predicted = svc.predict_labels(&test).unwrap();
    let n_right = predicted.iter().zip(&data.test.labels).filter(|(a, b)| a == b).count() as f64;
    let expected = reference["n_right"].as_u64().unwrap() as f64;
    assert!((n_right - expected).abs() <= 5.0, "{n_right} right, LIBSVM has {expected}");
}
