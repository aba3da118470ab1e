//! Solutions judged from the model and the data alone, in double precision.

use proptest::prelude::*;

use super::{blobs, bytes_of, fit, fit_weighted, solvers};
use crate::data::{Features, Labels};
use crate::learn::linear_svm::{LinearSvc, LinearSvcParams, Loss, MultiClass, Solver};

/// Primal objective of one row of the coefficients, nothing taken from the report.
fn primal(svc: &LinearSvc, row: usize, features: &Features, y: &[f64], c: &[f64]) -> f64 {
    let (coef, intercept) = (svc.coef().row(row), svc.intercept()[row]);
    let losses: f64 = (0..y.len())
        .map(|i| {
            let x = features.row_f32(i);
            let decision: f64 = coef.iter().zip(&x).map(|(w, &v)| w * f64::from(v)).sum();
            let violation = (1.0 - y[i] * (decision + intercept)).max(0.0);
            c[i] * if svc.report().loss == Loss::Hinge { violation } else { violation * violation }
        })
        .sum();
    // An intercept of scale 1 is penalised as itself.
    0.5 * (coef.dot(&coef) + intercept * intercept) + losses
}

fn sides(labels: &Labels, class: usize) -> Vec<f64> {
    labels.iter().map(|&label| if label == class { 1.0 } else { -1.0 }).collect()
}

#[test]
fn the_reported_objective_is_that_of_the_model_and_its_gap_bounds_the_error() {
    let (floats, labels) = blobs(260, 14, 3);
    for features in [bytes_of(&floats), floats] {
        for params in solvers() {
            let best = fit(&params.clone().tol(1e-10), &features, &labels);
            let rough = fit(&params.clone().tol(0.1), &features, &labels);
            for (row, class) in [0, 1, 2].into_iter().enumerate() {
                let (y, c) = (sides(&labels, class), vec![1.0; labels.len()]);
                for svc in [&best, &rough] {
                    let problem = &svc.report().problems[row];
                    let recomputed = primal(svc, row, &features, &y, &c);
                    let error = (problem.primal - recomputed).abs() / recomputed;
                    assert!(error < 1e-6, "{params:?}: {} and {recomputed}", problem.primal);
                    let gap = (problem.primal - problem.dual) / problem.primal;
                    assert!((problem.relative_gap - gap).abs() < 1e-12);
                }
                let (best, rough) = (&best.report().problems[row], &rough.report().problems[row]);
                assert!(best.relative_gap.abs() < 1e-8, "{params:?}: {best:?}");
                assert!(rough.dual <= best.primal * (1.0 + 1e-9), "{params:?}");
                assert!(rough.primal >= best.dual * (1.0 - 1e-9), "{params:?}");
            }
        }
    }
}

#[test]
fn a_limit_of_iterations_is_told_as_not_converged() {
    let (features, labels) = blobs(300, 10, 2);
    for params in solvers() {
        let svc = fit(&params.clone().c(10.0).max_iter(1).tol(1e-6), &features, &labels);
        assert!(!svc.report().converged, "{params:?}");
        assert!(svc.report().problems[0].violation > 1e-6);
        assert_eq!(svc.report().problems[0].n_iterations, 1);
        assert!(crate::learn::Classifier::warning(&svc).is_some());
    }
}

#[test]
fn large_penalties_on_wide_ranges_still_converge_by_newton() {
    let (features, labels) = blobs(500, 30, 3);
    let Features::Floats(rows) = &features else { unreachable!() };
    // Columns whose scales differ by a factor of a million, two of them equal.
    let mut scaled = rows.clone();
    for (column, mut values) in scaled.columns_mut().into_iter().enumerate() {
        values *= 10f32.powi((column % 7) as i32 - 3);
    }
    let first = scaled.column(0).to_owned();
    scaled.column_mut(29).assign(&first);
    let scaled = Features::Floats(scaled);
    for c in [1e-4, 1.0, 1e4] {
        let params = LinearSvcParams::new().solver(Solver::Newton).c(c).max_iter(100);
        let svc = fit(&params, &scaled, &labels);
        assert!(svc.report().relative_gap < 1e-6, "{c}: {:?}", svc.report());
    }
}

#[test]
fn the_solver_is_chosen_by_loss_and_shape() {
    let (features, labels) = blobs(60, 40, 2);
    let few = features.select(&(0..30).collect::<Vec<_>>());
    let few_labels = labels.select(ndarray::Axis(0), &(0..30).collect::<Vec<_>>());
    let params = LinearSvcParams::new();
    assert_eq!(fit(&params, &features, &labels).report().solver, Solver::Newton);
    assert_eq!(fit(&params, &few, &few_labels).report().solver, Solver::Dcd);
    assert_eq!(fit(&params.loss(Loss::Hinge), &features, &labels).report().solver, Solver::Dcd);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn both_solvers_find_the_one_solution_of_the_squared_hinge(
        values in prop::collection::vec(any::<u8>(), 40 * 5),
        classes in prop::collection::vec(0usize..3, 37),
        weights in prop::collection::vec(0.1f64..3.0, 40),
        c in 0.01f64..5.0,
        pairs in any::<bool>(),
    ) {
        let labels: Labels = [0, 1, 2].into_iter().chain(classes).collect();
        let rows = ndarray::Array2::from_shape_vec((40, 5), values).unwrap();
        let features = Features::Bytes(rows);
        let multi_class = if pairs { MultiClass::Ovo } else { MultiClass::Ovr };
        let params = LinearSvcParams::new().c(c).multi_class(multi_class).tol(1e-9).max_iter(1_000_000);
        let by = |solver| fit_weighted(&params.clone().solver(solver), &features, &labels, Some(&weights));
        let (newton, dcd) = (by(Solver::Newton), by(Solver::Dcd));
        prop_assert!(newton.report().converged && dcd.report().converged);
        let difference = super::largest_difference(&newton, &dcd);
        prop_assert!(difference < 1e-6, "{difference}");
    }
}
