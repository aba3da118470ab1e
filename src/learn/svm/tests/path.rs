//! Folds and penalties on shared kernel values.

use linfa::ParamGuard;
use ndarray::Axis;

use super::{KERNELS, blobs, bytes_of};
use crate::data::{Features, Labels};
use crate::learn::InputError;
use crate::learn::model_selection::Folds;
use crate::learn::svm::{ClassWeight, Gamma, Kernel, PathFit, SvcError, SvcParams};
use crate::learn::{LearnError, Learner, Samples};
use crate::progress::Silent;

const CS: [f64; 3] = [1.0, 0.1, 10.0];

/// The kernels with a gamma that does not depend on the rows.
fn fixed(kernel: Kernel) -> Kernel {
    let gamma = Gamma::Value(0.08);
    match kernel {
        Kernel::Linear => Kernel::Linear,
        Kernel::Rbf { .. } => Kernel::Rbf { gamma },
        Kernel::Polynomial { degree, coef0, .. } => Kernel::Polynomial { gamma, degree, coef0 },
        Kernel::Sigmoid { coef0, .. } => Kernel::Sigmoid { gamma: Gamma::Value(0.01), coef0 },
    }
}

fn path(params: &SvcParams, samples: Samples, folds: &Folds) -> Vec<Vec<PathFit>> {
    params.check_ref().unwrap().fit_path(samples, folds, &CS, &Silent).unwrap()
}

#[test]
fn a_path_ends_where_cold_fits_of_every_fold_end() {
    let (floats, labels) = blobs(400, 12, 3);
    let weights: Vec<f64> = (0..400).map(|row| [1.0, 0.5, 2.0, 0.0][row % 7 % 4]).collect();
    let folds = Folds::stratified(&labels, 4, 1).unwrap();
    for features in [bytes_of(&floats), floats] {
        for kernel in KERNELS.map(fixed) {
            let params = SvcParams::new()
                .kernel(kernel)
                .class_weight(ClassWeight::Balanced)
                .break_ties(true)
                .tol(1e-4);
            let samples = Samples { features: &features, labels: &labels, weights: Some(&weights) };
            let path = path(&params, samples, &folds);
            for (c, fits) in CS.into_iter().zip(&path) {
                for (fold, fit) in fits.iter().enumerate() {
                    let rows = folds.training(fold);
                    let weights: Vec<f64> = rows.iter().map(|&row| weights[row]).collect();
                    let cold = params.clone().c(c).check().unwrap().fit_samples(
                        Samples {
                            features: &features.select(&rows),
                            labels: &labels.select(Axis(0), &rows),
                            weights: Some(&weights),
                        },
                        &Silent,
                    );
                    let cold = cold.unwrap();
                    let case = format!("{kernel:?}, c {c}, fold {fold}");
                    assert!(fit.converged && fit.max_kkt_gap <= 1e-4, "{case}");
                    let objective = cold.report().unwrap().objective;
                    let error = (fit.objective - objective).abs() / objective.abs();
                    assert!(error < 1e-4, "{case}: {} and {objective}", fit.objective);
                    let held_out = features.select(&folds.held_out(fold));
                    let expected = cold.predict_labels(&held_out).unwrap();
                    let decisions = cold.pairwise_decision(&held_out).unwrap();
                    let both = fit.predicted.iter().zip(&expected);
                    for ((found, expected), decisions) in both.zip(decisions.rows()) {
                        // What the tolerance leaves open may turn a vote that is near 0.
                        let is_clear = decisions.iter().all(|decision| decision.abs() > 0.05);
                        assert!(!is_clear || found == expected, "{case}: {decisions}");
                    }
                }
            }
        }
    }
}

#[test]
fn threads_and_cache_size_change_no_bit_of_a_path() {
    let (floats, labels) = blobs(900, 20, 4);
    let folds = Folds::stratified(&labels, 3, 1).unwrap();
    for (kernel, features) in [
        (KERNELS[1], floats.clone()),
        (Kernel::Linear, bytes_of(&floats)),
        (Kernel::Linear, floats),
    ] {
        let mut paths = Vec::new();
        for (n_threads, cache_mib) in [(1, 64), (2, 64), (3, 64), (2, 0)] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            let params = SvcParams::new().kernel(kernel).cache_mib(cache_mib);
            let samples = Samples { features: &features, labels: &labels, weights: None };
            let path = pool.install(|| path(&params, samples, &folds));
            let parts: Vec<(Labels, u64, u64)> = path
                .into_iter()
                .flatten()
                .map(|fit| (fit.predicted, fit.objective.to_bits(), fit.n_iterations))
                .collect();
            paths.push(parts);
        }
        assert!(paths.windows(2).all(|pair| pair[0] == pair[1]), "{kernel:?}");
    }
}

#[test]
fn a_class_that_a_fold_holds_out_whole_is_not_predicted_there() {
    let (features, mut labels) = blobs(60, 6, 2);
    // One sample is all of class 5.
    labels[7] = 5;
    let folds = Folds::plain(60, 3, 1).unwrap();
    for kernel in [KERNELS[0], KERNELS[1]] {
        let samples = Samples { features: &features, labels: &labels, weights: None };
        let path = path(&SvcParams::new().kernel(kernel), samples, &folds);
        for (fold, fit) in path[0].iter().enumerate() {
            let n_held_out = folds.held_out(fold).len();
            assert_eq!(fit.predicted.len(), n_held_out);
            let may_be_5 = folds.fold_of(7) != fold;
            assert!(may_be_5 || fit.predicted.iter().all(|&label| label < 2), "{kernel:?}");
        }
    }
}

#[test]
fn a_fold_that_leaves_one_class_is_refused_with_its_number() {
    let (features, mut labels) = blobs(30, 4, 1);
    labels[7] = 1;
    let folds = Folds::plain(30, 3, 1).unwrap();
    let samples = Samples { features: &features, labels: &labels, weights: None };
    let params = SvcParams::new().check().unwrap();
    let error = params.fit_path(samples, &folds, &CS, &Silent).unwrap_err();
    let expected = folds.fold_of(7) + 1;
    assert!(matches!(
        &error,
        SvcError::Fold { fold, n_folds: 3, source }
            if *fold == expected && matches!(
                **source,
                SvcError::Input(InputError::OneClass { n_samples: 20, class: 0 })
            )
    ));
    assert!(error.hint().is_some());
}

#[test]
fn a_fit_cut_short_is_told_with_its_score() {
    let (features, labels) = blobs(300, 8, 3);
    let folds = Folds::stratified(&labels, 3, 2).unwrap();
    let samples = Samples { features: &features, labels: &labels, weights: None };
    let limited = SvcParams::new().c(100.0).max_iter(Some(2)).check().unwrap();
    let scores = limited.cross_validate(&[&limited], samples, &folds, 0, &Silent).unwrap();
    assert!(scores[0].iter().all(|score| score.warning.is_some()));
}

#[test]
fn features_that_are_not_finite_are_refused() {
    let (features, labels) = blobs(30, 4, 2);
    let Features::Floats(mut rows) = features else { unreachable!() };
    rows[[3, 1]] = f32::INFINITY;
    let features = Features::Floats(rows);
    let folds = Folds::stratified(&labels, 3, 2).unwrap();
    let samples = Samples { features: &features, labels: &labels, weights: None };
    let learner = SvcParams::new().check().unwrap();
    let error = learner.cross_validate(&[&learner], samples, &folds, 0, &Silent).unwrap_err();
    assert!(matches!(
        error,
        LearnError::Svc(SvcError::Input(InputError::NotFinite { row: 3, column: 1, .. }))
    ));
}
