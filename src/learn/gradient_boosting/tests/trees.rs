//! Properties of the trees of a fit.

use ndarray::Array2;
use proptest::prelude::*;

use super::fit_weighted;
use crate::data::{Features, Labels, Rng};
use crate::learn::gradient_boosting::GradientBoostingParams;
use crate::learn::gradient_boosting::loss::{baseline, n_columns, probabilities};
use crate::progress::Silent;

/// The best gain of a cut of `rows`, by definition.
fn best_gain(rows: &Array2<u8>, g: &[f64], h: &[f64], min_samples: usize, l2: f64) -> f64 {
    let score = |g: f64, h: f64| g * g / (h + l2);
    let all: Vec<usize> = (0..rows.nrows()).collect();
    let sum = |of: &[f64], rows: &[usize]| rows.iter().map(|&row| of[row]).sum::<f64>();
    let mut best: f64 = 0.0;
    for column in rows.columns() {
        for bin in 0..u8::MAX {
            let (left, right): (Vec<usize>, Vec<usize>) =
                all.iter().partition(|&&row| column[row] <= bin);
            if left.len().min(right.len()) < min_samples {
                continue;
            }
            let of = |rows: &[usize]| score(sum(g, rows), sum(h, rows));
            best = best.max(of(&left) + of(&right) - of(&all));
        }
    }
    best
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The first cut gains the most that any does, and the leaves take the Newton step of the
    /// gradients at the baseline.
    #[test]
    fn the_first_trees_are_the_best_stumps(
        seed in 0u64..1000,
        n in 30usize..90,
        n_classes in 2usize..5,
        l2 in prop::sample::select(vec![0.0, 2.5]),
        min_samples in 1usize..12,
    ) {
        let mut rng = Rng::new(seed, &["stumps"]);
        let labels: Labels = (0..n).map(|row| if row < n_classes { row } else { rng.below(n_classes) }).collect();
        let rows = Array2::from_shape_fn((n, 3), |(row, column)| {
            (rng.below(40) + if column == labels[row] { 25 } else { 0 }) as u8
        });
        let weights: Vec<f64> = (0..n).map(|_| 0.5 + f64::from(rng.unit_f32())).collect();
        let params = GradientBoostingParams::new()
            .n_estimators(1)
            .learning_rate(1.0)
            .max_leaf_nodes(Some(2))
            .min_samples_leaf(min_samples)
            .min_child_weight(0.0)
            .l2_regularization(l2);
        let features = Features::Bytes(rows.clone());
        let model = fit_weighted(&params, &features, &labels, Some(&weights));
        let mut class_weights = vec![0.0; n_classes];
        for (&label, &weight) in labels.iter().zip(&weights) {
            class_weights[label] += weight;
        }
        let start = baseline(&class_weights);
        let mut shares = vec![0.0; n_classes];
        probabilities(&start, &mut shares);
        let raw = model.decision_function(&features, &Silent).unwrap();
        for (column, tree) in model.trees().enumerate() {
            let class = if n_columns(n_classes) == 1 { 1 } else { column };
            let p = shares[class];
            let g: Vec<f64> = (0..n)
                .map(|row| weights[row] * (p - f64::from(u8::from(labels[row] == class))))
                .collect();
            let h: Vec<f64> = weights.iter().map(|weight| weight * p * (1.0 - p)).collect();
            let expected = best_gain(&rows, &g, &h, min_samples, l2);
            let Some((feature, threshold, _)) = tree.cut(0) else {
                prop_assert!(expected < 1e-6, "{expected}");
                continue;
            };
            let score = |rows: &[usize]| {
                let sum = |of: &[f64]| rows.iter().map(|&row| of[row]).sum::<f64>();
                (sum(&g), sum(&h))
            };
            let (left, right): (Vec<usize>, Vec<usize>) =
                (0..n).partition(|&row| f32::from(rows[[row, feature]]) / 255.0 <= threshold);
            let all: Vec<usize> = (0..n).collect();
            let gain_of = |rows: &[usize]| { let (g, h) = score(rows); g * g / (h + l2) };
            let found = gain_of(&left) + gain_of(&right) - gain_of(&all);
            prop_assert!((found - expected).abs() < 1e-5 * (1.0 + expected), "{found} {expected}");
            for rows in [&left, &right] {
                let (g, h) = score(rows);
                let step = -g / (h + l2);
                let moved = raw[[rows[0], column]] - start[column];
                prop_assert!((moved - step).abs() < 1e-5 * (1.0 + step.abs()), "{moved} {step}");
            }
        }
    }
}
