//! What holds for any data.

use proptest::prelude::*;

use super::{as_floats, fit, overlapping, unweighted};
use crate::data::{Features, Labels, Rng};
use crate::learn::Samples;
use crate::learn::tree::{Criterion, DecisionTree, TreeRules};

fn rules(seed: u64) -> TreeRules {
    let criterion = if seed.is_multiple_of(2) { Criterion::Gini } else { Criterion::Entropy };
    TreeRules { criterion, min_samples_leaf: 1 + seed as usize % 3, ..TreeRules::default() }
}

/// Trees of equal rows: the report tells how they were reached, not what they are.
fn assert_same(a: &DecisionTree, b: &DecisionTree) {
    assert_eq!(a.tree(), b.tree());
    assert_eq!(a.leaves, b.leaves);
}

fn repeated(features: &Features, labels: &Labels, times: &[f64]) -> (Features, Labels) {
    let rows: Vec<usize> =
        times.iter().enumerate().flat_map(|(row, &n)| vec![row; n as usize]).collect();
    (features.select(&rows), rows.iter().map(|&row| labels[row]).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn rows_of_weight_0_are_as_if_removed(seed in 0u64..10_000, n in 20usize..400, floats: bool) {
        let (mut features, labels) = overlapping(seed, n, 5);
        if floats {
            // More distinct values than bins.
            let mut rng = Rng::new(seed, &["noise"]);
            let Features::Floats(mut rows) = as_floats(&features) else { unreachable!() };
            rows.mapv_inplace(|v| v + rng.unit_f32());
            features = Features::Floats(rows);
        }
        let mut rng = Rng::new(seed, &["weights"]);
        let mut weights: Vec<f64> = (0..n).map(|_| rng.below(4) as f64 * 0.7).collect();
        weights[0] = 1.0;
        let kept: Vec<usize> = (0..n).filter(|&row| weights[row] > 0.0).collect();
        let (few, few_labels) =
            (features.select(&kept), kept.iter().map(|&row| labels[row]).collect::<Labels>());
        let few_weights: Vec<f64> = kept.iter().map(|&row| weights[row]).collect();
        let all = Samples { features: &features, labels: &labels, weights: Some(&weights) };
        let few = Samples { features: &few, labels: &few_labels, weights: Some(&few_weights) };
        let (all, few) = (fit(rules(seed), all), fit(rules(seed), few));
        prop_assert_eq!(all.tree(), few.tree());
    }

    #[test]
    fn a_weight_of_2_is_the_row_twice(seed in 0u64..10_000, n in 20usize..1200) {
        let (features, labels) = overlapping(seed, n, 5);
        let mut rng = Rng::new(seed, &["times"]);
        let times: Vec<f64> = (0..n).map(|_| 1.0 + rng.below(2) as f64).collect();
        // Rows are counted whatever their weights, so only limits by impurity are the same.
        let rules = TreeRules { min_samples_leaf: 1, max_depth: Some(6), ..rules(seed) };
        let weighted = Samples { features: &features, labels: &labels, weights: Some(&times) };
        let (twice, twice_labels) = repeated(&features, &labels, &times);
        assert_same(&fit(rules.clone(), weighted), &fit(rules, unweighted(&twice, &twice_labels)));
    }

    #[test]
    fn weights_are_relative(seed in 0u64..10_000, n in 20usize..1500) {
        let (features, labels) = overlapping(seed, n, 5);
        let mut rng = Rng::new(seed, &["weights"]);
        let weights: Vec<f64> = (0..n).map(|_| f64::from(rng.unit_f32()) + 0.01).collect();
        let scaled: Vec<f64> = weights.iter().map(|w| w * 1024.0).collect();
        let one = Samples { features: &features, labels: &labels, weights: Some(&weights) };
        let other = Samples { weights: Some(&scaled), ..one };
        assert_same(&fit(rules(seed), one), &fit(rules(seed), other));
    }

    #[test]
    fn bytes_and_their_real_values_give_trees_that_agree(seed in 0u64..10_000, n in 20usize..1500) {
        use crate::learn::Classifier;
        let (features, labels) = overlapping(seed, n, 5);
        let floats = as_floats(&features);
        let of_bytes = fit(rules(seed), unweighted(&features, &labels));
        let of_floats = fit(rules(seed), unweighted(&floats, &labels));
        prop_assert_eq!(of_bytes.tree().n_nodes(), of_floats.tree().n_nodes());
        let silent = &crate::progress::Silent;
        let expected = of_bytes.scores(&features, silent).unwrap();
        for (model, rows) in
            [(&of_bytes, &floats), (&of_floats, &features), (&of_floats, &floats)]
        {
            prop_assert_eq!(&model.scores(rows, silent).unwrap(), &expected);
        }
    }
}
