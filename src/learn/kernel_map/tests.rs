//! Maps on small data against numpy, and what they cannot take.

use std::sync::atomic::{AtomicU64, Ordering};

use linfa::ParamGuard;
use ndarray::{Array2, s};
use serde_json::Value;

use super::{Fourier, FourierParams, KernelMapError, Nystroem, NystroemParams};
use crate::data::{Features, Rng};
use crate::learn::svm::gram::Resolved;
use crate::learn::svm::{Gamma, Kernel};
use crate::progress::{Progress, Silent};

const POLYNOMIAL: Kernel = Kernel::Polynomial { gamma: Gamma::Value(0.25), degree: 3, coef0: 1.0 };
const RBF: Kernel = Kernel::Rbf { gamma: Gamma::Scale };

fn samples(n: usize, n_features: usize) -> Features {
    let mut rng = Rng::new(2, &["kernel-map", "samples"]);
    Features::Floats(Array2::from_shape_simple_fn((n, n_features), || rng.normal_f32()))
}

fn bytes(n: usize, n_features: usize) -> Features {
    let mut rng = Rng::new(3, &["kernel-map", "bytes"]);
    Features::Bytes(Array2::from_shape_simple_fn((n, n_features), || rng.next_u32() as u8))
}

fn nystroem(params: NystroemParams, features: &Features) -> Nystroem {
    params.check().unwrap().fit_with(features, 1, &Silent).unwrap()
}

fn fourier(params: FourierParams, features: &Features) -> Fourier {
    params.check().unwrap().fit_with(features, 1).unwrap()
}

fn distance(features: &Features, a: usize, b: usize) -> f64 {
    let (a, b) = (features.row_f32(a), features.row_f32(b));
    a.iter().zip(&b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
}

// The fixture is made by tests/reference/nystroem.py (library versions and seed inside).
#[test]
fn given_landmarks_make_the_features_of_numpy() {
    let text = include_str!("../../../tests/reference/nystroem.json");
    let fixture: Value = serde_json::from_str(text).unwrap();
    let numbers = |value: &Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
    };
    let n_features = fixture["n_features"].as_u64().unwrap() as usize;
    let matrix = |name: &str| {
        let values = numbers(&fixture[name]);
        Array2::from_shape_vec((values.len() / n_features, n_features), values).unwrap()
    };
    let landmarks: Vec<usize> =
        numbers(&fixture["landmarks"]).iter().map(|&v| v as usize).collect();
    for case in fixture["cases"].as_array().unwrap() {
        let features = match case["features"].as_str() {
            Some("bytes") => Features::Bytes(matrix("bytes").mapv(|v| v as u8)),
            _ => Features::Floats(matrix("floats").mapv(|v| v as f32)),
        };
        let kernel = match case["kernel"].as_str() {
            Some("rbf") => RBF,
            Some("poly") => POLYNOMIAL,
            _ => Kernel::Linear,
        };
        let resolved = Resolved::new(kernel, &features);
        let map = Nystroem::new(resolved, &features, landmarks.clone(), &Silent).unwrap();
        assert_eq!(map.rank() as u64, case["rank"].as_u64().unwrap(), "{kernel:?}");
        let mapped = map.transform_with(&features, &Silent).unwrap();
        let expected = numbers(&case["mapped"]);
        assert_eq!(mapped.len(), expected.len());
        for (found, expected) in mapped.iter().zip(expected) {
            let error = (f64::from(*found) - expected).abs();
            assert!(error < 2e-4 * (1.0 + expected.abs()), "{kernel:?}: {found} and {expected}");
        }
    }
}

#[test]
fn products_between_landmarks_are_the_kernel() {
    for features in [samples(90, 30), bytes(90, 30)] {
        let map = nystroem(NystroemParams::new().kernel(RBF).n_components(90), &features);
        let mapped = map.transform_with(&features, &Silent).unwrap();
        for (a, b) in [(0, 0), (1, 2), (40, 89), (88, 3)] {
            let expected = (-map.gamma() * distance(&features, a, b)).exp();
            let found = f64::from(mapped.row(a).dot(&mapped.row(b)));
            assert!((found - expected).abs() < 1e-4, "{a}, {b}: {found} and {expected}");
        }
    }
}

#[test]
fn landmarks_are_different_rows_decided_by_the_seed() {
    let features = samples(200, 5);
    let params = NystroemParams::new().n_components(50).check().unwrap();
    let idx = |seed| params.fit_with(&features, seed, &Silent).unwrap().landmark_idx().to_vec();
    let mut sorted = idx(1);
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), 50);
    assert_eq!(idx(1), idx(1));
    assert_ne!(idx(1), idx(2));
}

#[test]
fn equal_landmarks_cost_rank_and_no_accuracy() {
    let Features::Floats(rows) = samples(40, 6) else { unreachable!() };
    let twice = ndarray::concatenate![ndarray::Axis(0), rows, rows];
    let twice = Features::Floats(twice);
    let map = nystroem(NystroemParams::new().n_components(80), &twice);
    assert!(map.rank() <= 40, "rank {}", map.rank());
    let mapped = map.transform_with(&twice, &Silent).unwrap();
    assert!(mapped.iter().all(|v| v.is_finite()));
    for (a, b) in [(0, 0), (0, 40), (7, 13)] {
        let expected = (-map.gamma() * distance(&twice, a, b)).exp();
        let found = f64::from(mapped.row(a).dot(&mapped.row(b)));
        assert!((found - expected).abs() < 1e-3, "{a}, {b}: {found} and {expected}");
    }
}

#[test]
fn fourier_features_are_shifted_cosines_of_the_products() {
    for features in [samples(30, 9), bytes(30, 9)] {
        let map = fourier(FourierParams::new().n_components(45), &features);
        let mapped = map.transform_with(&features, &Silent).unwrap();
        for row in [0, 29] {
            let x = features.row_f32(row);
            for j in 0..45 {
                let weights = map.weights().column(j);
                let product: f64 =
                    x.iter().zip(weights).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
                let angle = product + f64::from(map.offsets()[j]);
                let expected = (2.0 / 45.0f64).sqrt() * angle.cos();
                assert!((f64::from(mapped[[row, j]]) - expected).abs() < 1e-5, "{row}, {j}");
            }
        }
    }
}

/// A product is a mean of terms within [-2, 2]: by Hoeffding's inequality it is off by 0.1 or more
/// with probability below `2 exp(-20000 * 0.1^2 / 8) < 1e-10`.
#[test]
fn products_of_fourier_features_approach_the_radial_kernel() {
    let features = samples(12, 7);
    let params = FourierParams::new().n_components(20_000).gamma(Gamma::Value(0.1));
    let map = fourier(params, &features);
    let mapped = map.transform_with(&features, &Silent).unwrap();
    for a in 0..12 {
        for b in 0..=a {
            let expected = (-0.1 * distance(&features, a, b)).exp();
            let found = f64::from(mapped.row(a).dot(&mapped.row(b)));
            assert!((found - expected).abs() < 0.1, "{a}, {b}: {found} and {expected}");
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let features = bytes(1_500, 40);
    let mut results = Vec::new();
    for n_threads in [1, 2, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        results.push(pool.install(|| {
            let landmarks = nystroem(NystroemParams::new().n_components(600), &features);
            let waves = fourier(FourierParams::new().n_components(70), &features);
            (
                landmarks.transform_with(&features, &Silent).unwrap(),
                waves.transform_with(&features, &Silent).unwrap(),
            )
        }));
    }
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn bad_parameters_are_refused_with_their_values() {
    let params = NystroemParams::new;
    assert!(matches!(
        params().n_components(0).check(),
        Err(KernelMapError::NotPositive { name: "n_components", .. })
    ));
    assert!(matches!(
        params().kernel(Kernel::Rbf { gamma: Gamma::Value(0.0) }).check(),
        Err(KernelMapError::NotPositive { name: "gamma", found: 0.0 })
    ));
    let sigmoid = Kernel::Sigmoid { gamma: Gamma::Scale, coef0: 0.0 };
    let error = params().kernel(sigmoid).check().unwrap_err();
    assert!(matches!(error, KernelMapError::NoFeatures));
    assert!(error.hint().is_some());
    let negative = Kernel::Polynomial { gamma: Gamma::Scale, degree: 3, coef0: -1.0 };
    assert!(matches!(
        params().kernel(negative).check(),
        Err(KernelMapError::NegativeOffset { found: -1.0 })
    ));
    assert!(matches!(
        FourierParams::new().gamma(Gamma::Value(f64::NAN)).check(),
        Err(KernelMapError::NotPositive { name: "gamma", .. })
    ));
}

#[test]
fn bad_samples_are_refused_with_their_values() {
    let features = samples(20, 4);
    let fit = |n, features: &Features| {
        NystroemParams::new().n_components(n).check().unwrap().fit_with(features, 0, &Silent)
    };
    assert!(matches!(
        fit(21, &features),
        Err(KernelMapError::TooManyComponents { n_components: 21, n_samples: 20 })
    ));
    let empty = Features::Floats(Array2::zeros((0, 4)));
    assert!(matches!(fit(1, &empty), Err(KernelMapError::Empty { .. })));
    let Features::Floats(mut rows) = features.clone() else { unreachable!() };
    rows[[3, 1]] = f32::INFINITY;
    let broken = Features::Floats(rows);
    assert!(matches!(fit(5, &broken), Err(KernelMapError::NotFinite { row: 3, column: 1, .. })));
    let zeros = Features::Bytes(Array2::zeros((20, 4)));
    let params = NystroemParams::new().kernel(Kernel::Linear).n_components(5).check().unwrap();
    assert!(matches!(
        params.fit_with(&zeros, 0, &Silent),
        Err(KernelMapError::NoVariation { n_components: 5 })
    ));
    let Features::Floats(rows) = &features else { unreachable!() };
    let narrow = Features::Floats(rows.slice(s![.., ..3]).to_owned());
    let map = fit(5, &features).unwrap();
    assert!(matches!(
        map.transform_with(&narrow, &Silent),
        Err(KernelMapError::FeatureMismatch { found: 3, expected: 4 })
    ));
    assert!(matches!(
        fourier(FourierParams::new(), &features).transform_with(&broken, &Silent),
        Err(KernelMapError::NotFinite { row: 3, .. })
    ));
}

/// Asks to stop at the `after`-th question.
struct Stop {
    after: u64,
    n_asked: AtomicU64,
}

impl Progress for Stop {
    fn update(&self, _done: u64, _total: u64, _note: &str) {}

    fn interrupted(&self) -> bool {
        self.n_asked.fetch_add(1, Ordering::Relaxed) >= self.after
    }

    fn warn(&self, _message: &str) {}
}

#[test]
fn a_request_to_stop_ends_fitting_and_mapping() {
    let features = bytes(900, 20);
    let params = NystroemParams::new().n_components(700).check().unwrap();
    for after in [0, 1] {
        let stop = Stop { after, n_asked: AtomicU64::new(0) };
        let found = params.fit_with(&features, 0, &stop);
        assert!(matches!(found, Err(KernelMapError::Interrupted)), "question {after}");
    }
    let map = params.fit_with(&features, 0, &Silent).unwrap();
    let waves = fourier(FourierParams::new(), &features);
    for after in [0, 1] {
        let stop = || Stop { after, n_asked: AtomicU64::new(0) };
        let found = map.transform_with(&features, &stop());
        assert!(matches!(found, Err(KernelMapError::Interrupted)), "question {after}");
        let found = waves.transform_with(&features, &stop());
        assert!(matches!(found, Err(KernelMapError::Interrupted)), "question {after}");
    }
}
