//! Solutions judged from the model and the data alone, in double precision.

use ndarray::Axis;

use super::{blobs, fit};
use crate::data::{Features, Labels};
use crate::learn::svm::{Engine, Gamma, Kernel, Svc, SvcParams};

fn kernel_value(kernel: Kernel, gamma: f64, a: &[f32], b: &[f32]) -> f64 {
    let product: f64 = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    let distance: f64 = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    match kernel {
        Kernel::Linear => product,
        Kernel::Rbf { .. } => (-gamma * distance).exp(),
        Kernel::Polynomial { degree, coef0, .. } => (gamma * product + coef0).powi(degree as i32),
        Kernel::Sigmoid { coef0, .. } => (gamma * product + coef0).tanh(),
    }
}

/// (gap, objective) of each pair of classes, given the bound of every sample.
pub(super) fn judged(
    svc: &Svc,
    bounds: &[f64],
    features: &Features,
    labels: &Labels,
) -> Vec<(f64, f64)> {
    let rows: Vec<Vec<f32>> = (0..labels.len()).map(|row| features.row_f32(row).to_vec()).collect();
    let k = |s: usize, t: usize| kernel_value(svc.kernel(), svc.gamma(), &rows[s], &rows[t]);
    let place_of = |row: usize| svc.classes().iter().position(|&class| class == labels[row]);
    let judge = |(first, second): (usize, usize)| {
        let of_pair: Vec<usize> = (0..labels.len())
            .filter(|&row| place_of(row).is_some_and(|at| at == first || at == second))
            .collect();
        let mut beta = vec![0.0; labels.len()];
        for (sv, &row) in svc.support_idx().iter().enumerate() {
            match place_of(row) {
                Some(at) if at == first => beta[row] = svc.dual_coef()[[second - 1, sv]],
                Some(at) if at == second => beta[row] = svc.dual_coef()[[first, sv]],
                _ => {}
            }
        }
        let size: f64 = beta.iter().map(|beta: &f64| beta.abs()).sum();
        assert!(beta.iter().sum::<f64>().abs() <= 1e-9 * size, "multipliers do not balance");
        let (mut top, mut bottom, mut objective) = (f64::NEG_INFINITY, f64::INFINITY, 0.0);
        for &t in &of_pair {
            let (c, y) = (bounds[t], if place_of(t) == Some(first) { 1.0 } else { -1.0 });
            let support = of_pair.iter().filter(|&&s| beta[s] != 0.0);
            let sum: f64 = support.map(|&s| beta[s] * k(s, t)).sum();
            assert!((0.0..=c).contains(&(y * beta[t])), "multiplier {t} is out of its bounds");
            if y * beta[t] < c && y > 0.0 || y * beta[t] > 0.0 && y < 0.0 {
                top = f64::max(top, y - sum);
            }
            if y * beta[t] > 0.0 && y > 0.0 || y * beta[t] < c && y < 0.0 {
                bottom = f64::min(bottom, y - sum);
            }
            objective += beta[t] * (0.5 * sum - y);
        }
        (top - bottom, objective)
    };
    svc.pairs().map(judge).collect()
}

#[test]
fn optimality_conditions_hold_when_recomputed_from_the_model_and_the_data() {
    let (features, labels) = blobs(240, 10, 2);
    let kernels = [
        Kernel::Linear,
        Kernel::Rbf { gamma: Gamma::Scale },
        Kernel::Polynomial { gamma: Gamma::Scale, degree: 2, coef0: 1.0 },
    ];
    for engine in [Engine::Native, Engine::Linfa] {
        for kernel in kernels {
            let params = SvcParams::new().kernel(kernel).c(1.5).engine(engine);
            let svc = fit(params, &features, &labels);
            let (gap, objective) = judged(&svc, &[1.5; 240], &features, &labels)[0];
            let report = svc.report().unwrap();
            let case = format!("{engine:?}, {kernel:?}");
            assert!((gap - report.max_kkt_gap).abs() < 1e-4, "{case}: gap {gap}, {report:?}");
            let error = (objective - report.objective).abs() / objective.abs();
            assert!(error < 1e-5, "{case}: {objective} and {}", report.objective);
            assert_eq!(report.converged, report.max_kkt_gap <= 1.01e-3, "{case}");
        }
    }
}

#[test]
fn the_order_of_the_samples_changes_nothing_within_the_tolerance() {
    let (features, labels) = blobs(400, 12, 3);
    let order: Vec<usize> = (0..400).map(|i| (i * 147 + 31) % 400).collect();
    let params = || SvcParams::new().c(3.0).tol(1e-5);
    let straight = fit(params(), &features, &labels);
    let permuted = fit(params(), &features.select(&order), &labels.select(Axis(0), &order));
    let error = (straight.report().unwrap().objective - permuted.report().unwrap().objective).abs();
    assert!(error < 1e-4 * straight.report().unwrap().objective.abs());
    let a = straight.pairwise_decision(&features).unwrap();
    let b = permuted.pairwise_decision(&features).unwrap();
    for (a, b) in a.iter().zip(&b) {
        assert!((a - b).abs() < 1e-3, "{a} and {b}");
    }
}

#[test]
fn a_limit_of_iterations_is_told_as_not_converged() {
    let (features, labels) = blobs(300, 10, 2);
    let svc = fit(SvcParams::new().c(10.0).max_iter(Some(3)), &features, &labels);
    assert!(!svc.report().unwrap().converged);
    assert!(svc.report().unwrap().max_kkt_gap > 1e-3);
    assert_eq!(svc.report().unwrap().n_iterations, Some(3));
}

#[test]
fn gamma_of_constant_features_is_one_as_in_scikit_learn() {
    let labels: Labels = (0..20).map(|i| i % 2).collect();
    for features in [
        Features::Floats(ndarray::Array2::from_elem((20, 7), 0.1)),
        Features::Bytes(ndarray::Array2::from_elem((20, 7), 77)),
    ] {
        let svc = fit(SvcParams::new(), &features, &labels);
        assert_eq!(svc.gamma(), 1.0);
        assert!(svc.report().unwrap().objective.is_finite());
        assert_eq!(svc.predict_labels(&features).unwrap().len(), 20);
    }
}

#[test]
fn classes_may_have_gaps() {
    let (features, labels) = blobs(150, 9, 3);
    let gaps = labels.mapv(|class| [2, 5, 40][class]);
    let (straight, sparse) =
        (fit(SvcParams::new(), &features, &labels), fit(SvcParams::new(), &features, &gaps));
    assert_eq!(sparse.classes(), [2, 5, 40]);
    let renamed = straight.predict_labels(&features).unwrap().mapv(|class| [2, 5, 40][class]);
    assert_eq!(sparse.predict_labels(&features).unwrap(), renamed);
}
