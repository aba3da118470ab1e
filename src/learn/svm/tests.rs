//! Behaviour of the whole classifier on small generated data.

mod contributions;
mod fitted;
mod fixtures;
mod input;
mod libsvm;
mod optimality;
mod path;
mod properties;
mod selection;
mod weights;

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
