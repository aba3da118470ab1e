//! What holds for any data.

use linfa::ParamGuard;
use ndarray::{Array2, Axis};
use proptest::prelude::*;

use super::optimality::judged;
use crate::data::{Features, Labels, Rng};
use crate::learn::Samples;
use crate::learn::svm::{Gamma, Kernel, Svc, SvcParams};
use crate::progress::Silent;

/// Tight enough that an objective is within 1e-4 of the least one: it is at least half the sum of
/// the multipliers in size and off by at most the gap times that sum.
const TOL: f64 = 2e-5;

#[derive(Clone, Debug)]
struct Case {
    kernel: Kernel,
    c: f64,
    features: Features,
    labels: Labels,
    weights: Vec<f64>,
}

impl Case {
    fn fit(&self) -> Svc {
        let params = SvcParams::new().kernel(self.kernel).c(self.c).tol(TOL).check().unwrap();
        let Case { features, labels, weights, .. } = self;
        params.fit_samples(Samples { features, labels, weights: Some(weights) }, &Silent).unwrap()
    }

    fn objective(&self) -> f64 {
        self.fit().report().unwrap().objective
    }

    fn select(&self, rows: &[usize]) -> Case {
        Case {
            features: self.features.select(rows),
            labels: self.labels.select(Axis(0), rows),
            weights: rows.iter().map(|&row| self.weights[row]).collect(),
            ..self.clone()
        }
    }
}

fn kernels() -> impl Strategy<Value = Kernel> {
    let gamma = Gamma::Value(0.3);
    prop_oneof![
        Just(Kernel::Linear),
        Just(Kernel::Rbf { gamma }),
        Just(Kernel::Polynomial { gamma, degree: 2, coef0: 1.0 }),
    ]
}

fn cases() -> impl Strategy<Value = Case> {
    (kernels(), 8..60usize, 1..6usize, 2..5usize, -2..3i32, any::<bool>(), any::<u64>()).prop_map(
        |(kernel, n, n_features, n_classes, power, is_bytes, seed)| {
            let mut rng = Rng::new(seed, &["svm", "property"]);
            let labels: Labels = (0..n).map(|row| row % n_classes).collect();
            let rows = Array2::from_shape_fn((n, n_features), |(row, column)| {
                let center = if column % n_classes == labels[row] { 1.0 } else { 0.0 };
                center + rng.normal_f32()
            });
            let features = if is_bytes {
                Features::Bytes(rows.mapv(|v| (v * 60.0 + 100.0).clamp(0.0, 255.0) as u8))
            } else {
                Features::Floats(rows)
            };
            let weights = (0..n).map(|_| 0.25 * (1 + rng.below(8)) as f64).collect();
            Case { kernel, c: 10f64.powi(power), features, labels, weights }
        },
    )
}

/// Equal up to the tolerance.
fn is_near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-4 * a.abs().max(b.abs())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn optimality_conditions_hold_under_any_bounds(case in cases()) {
        let svc = case.fit();
        prop_assert!(svc.report().unwrap().converged);
        let bounds: Vec<f64> = case.weights.iter().map(|weight| case.c * weight).collect();
        let largest = bounds.iter().copied().fold(1.0, f64::max);
        for (gap, _) in judged(&svc, &bounds, &case.features, &case.labels) {
            // Kernel values are rounded to single precision, and bounds multiply that.
            prop_assert!(gap <= TOL + 1e-4 * largest, "gap {gap}");
        }
    }

    #[test]
    fn the_order_of_rows_and_classes_changes_the_objective_within_the_tolerance_only(
        case in cases(),
        seed in any::<u64>(),
    ) {
        let mut order: Vec<usize> = (0..case.labels.len()).collect();
        Rng::new(seed, &["order"]).shuffle(&mut order);
        let mut permuted = case.select(&order);
        let mut names = [0, 1, 2, 3];
        Rng::new(seed, &["names"]).shuffle(&mut names);
        permuted.labels.mapv_inplace(|class| names[class]);
        let (a, b) = (case.objective(), permuted.objective());
        prop_assert!(is_near(a, b), "{a} and {b}");
    }

    #[test]
    fn doubling_a_row_equals_doubling_its_weight(case in cases(), row in any::<prop::sample::Index>()) {
        let row = row.index(case.labels.len());
        let mut heavier = case.clone();
        heavier.weights[row] *= 2.0;
        let rows: Vec<usize> = (0..case.labels.len()).chain([row]).collect();
        let (a, b) = (heavier.objective(), case.select(&rows).objective());
        prop_assert!(is_near(a, b), "{a} and {b}");
    }

    #[test]
    fn weight_0_equals_removing_the_row_whatever_the_row(
        case in cases(),
        row in any::<prop::sample::Index>(),
    ) {
        let row = row.index(case.labels.len());
        let n_of_class = case.labels.iter().filter(|&&class| class == case.labels[row]).count();
        prop_assume!(n_of_class > 1);
        let mut without = case.clone();
        without.weights[row] = 0.0;
        let rows: Vec<usize> = (0..case.labels.len()).filter(|&other| other != row).collect();
        prop_assert_eq!(without.objective(), case.select(&rows).objective());
    }
}
