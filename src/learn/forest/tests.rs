use approx::assert_relative_eq;
use ndarray::{Array2, Axis};

use super::learner::draws;
use super::{Forest, ForestKind, ForestParams};
use crate::data::{Features, Labels, TensorFile};
use crate::learn::tree::tests::{overlapping, unweighted};
use crate::learn::tree::{Criterion, DecisionTreeParams, MaxFeatures, TreeRules};
use crate::learn::{Classifier, Samples, read_classifier};
use crate::progress::Silent;
use linfa::ParamGuard;

fn fit(params: ForestParams, samples: Samples, seed: u64) -> Forest {
    params.check().unwrap().fit_model(samples, seed, &Silent).unwrap()
}

fn forest(kind: ForestKind, n_estimators: usize) -> ForestParams {
    ForestParams::new(kind).n_estimators(n_estimators)
}

const KINDS: [ForestKind; 2] = [ForestKind::RandomForest, ForestKind::ExtraTrees];

#[test]
fn one_tree_on_all_rows_and_features_is_the_decision_tree() {
    for (seed, criterion) in [(1, Criterion::Gini), (2, Criterion::Entropy)] {
        let (features, labels) = overlapping(seed, 2500, 7);
        let rules = TreeRules { criterion, ..TreeRules::default() };
        let params = forest(ForestKind::RandomForest, 1).bootstrap(false).rules(rules.clone());
        let forest = fit(params, unweighted(&features, &labels), 5);
        let tree = DecisionTreeParams::new().rules(rules).check().unwrap();
        let tree = tree.fit_model(unweighted(&features, &labels), 0, &Silent).unwrap();
        assert_eq!(&forest.trees()[0], tree.tree());
        for (found, expected) in forest.feature_importances().iter().zip(tree.feature_importances())
        {
            assert_relative_eq!(*found, *expected, max_relative = 1e-12);
        }
        assert_eq!(
            forest.scores(&features, &Silent).unwrap(),
            tree.scores(&features, &Silent).unwrap()
        );
    }
}

#[test]
fn a_tree_grows_on_the_rows_it_drew_and_is_judged_on_the_others() {
    let (features, labels) = overlapping(3, 300, 6);
    let n_trees = 7;
    let rules = TreeRules { min_samples_leaf: 4, ..TreeRules::default() };
    let params = forest(ForestKind::RandomForest, n_trees).rules(rules.clone()).oob_score(true);
    let forest = fit(params, unweighted(&features, &labels), 11);
    let tree = DecisionTreeParams::new().rules(rules).check().unwrap();
    let mut votes = Array2::<f64>::zeros((300, 4));
    let mut is_judged = vec![false; 300];
    for nth in 0..n_trees {
        let drawn: Vec<f64> = draws(&[1.0; 300], 300, 11, nth).into_iter().map(f64::from).collect();
        assert_eq!(drawn.iter().sum::<f64>(), 300.0);
        let samples = Samples { weights: Some(&drawn), ..unweighted(&features, &labels) };
        let alone = tree.fit_model(samples, 0, &Silent).unwrap();
        assert_eq!(&forest.trees()[nth], alone.tree());
        let shares = alone.scores(&features, &Silent).unwrap().values;
        for row in (0..300).filter(|&row| drawn[row] == 0.0) {
            is_judged[row] = true;
            votes.row_mut(row).scaled_add(1.0, &shares.row(row));
        }
    }
    let judged: Vec<usize> = (0..300).filter(|&row| is_judged[row]).collect();
    let is_right = |row: &&usize| {
        let votes = votes.row(**row);
        votes.iter().all(|&other| other <= votes[labels[**row]])
            && (0..labels[**row]).all(|class| votes[class] < votes[labels[**row]])
    };
    let expected = judged.iter().filter(is_right).count() as f64 / judged.len() as f64;
    assert_eq!(forest.oob_accuracy(), Some(expected));
    assert_eq!(forest.warning().is_some(), judged.len() < 300);
}

#[test]
fn the_number_of_threads_changes_no_bit_and_the_seed_does() {
    let (features, labels) = overlapping(4, 2500, 9);
    for kind in KINDS {
        let fit_on = |n_threads: usize, seed| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            let params = forest(kind, 6);
            pool.install(|| fit(params, unweighted(&features, &labels), seed))
        };
        let one = fit_on(1, 1);
        assert_eq!(one, fit_on(2, 1));
        assert_eq!(one, fit_on(3, 1));
        assert_ne!(one, fit_on(1, 2));
        assert_ne!(one.trees()[0], one.trees()[1], "each tree draws for itself");
    }
}

#[test]
fn rows_of_weight_0_are_as_if_removed() {
    let (features, labels) = overlapping(5, 400, 5);
    let weights: Vec<f64> = (0..400).map(|row| [0.0, 1.0, 0.5][row % 3]).collect();
    let kept: Vec<usize> = (0..400).filter(|row| row % 3 > 0).collect();
    let few = features.select(&kept);
    let few_labels: Labels = labels.select(Axis(0), &kept);
    let few_weights: Vec<f64> = kept.iter().map(|&row| weights[row]).collect();
    for kind in KINDS {
        let all = Samples { weights: Some(&weights), ..unweighted(&features, &labels) };
        let few = Samples { weights: Some(&few_weights), ..unweighted(&few, &few_labels) };
        let (all, few) = (fit(forest(kind, 3), all, 1), fit(forest(kind, 3), few, 1));
        assert_eq!(all.trees(), few.trees());
    }
}

#[test]
fn a_class_that_is_missing_has_probability_0_and_all_sum_to_1() {
    let (features, labels) = overlapping(6, 300, 5);
    let labels = labels.mapv(|label| if label == 1 { 5 } else { label });
    for kind in KINDS {
        let forest = fit(forest(kind, 5), unweighted(&features, &labels), 1);
        let scores = forest.scores(&features, &Silent).unwrap().values;
        assert_eq!(scores.ncols(), 6);
        for row in scores.rows() {
            assert_eq!((row[1], row[4]), (0.0, 0.0));
            assert!((row.sum() - 1.0).abs() < 1e-6);
        }
        assert!((forest.feature_importances().sum() - 1.0).abs() < 1e-12);
    }
}

#[test]
fn extra_trees_know_every_row_and_cut_between_values_of_the_node() {
    let (features, labels) = overlapping(7, 1500, 24);
    let forest = fit(forest(ForestKind::ExtraTrees, 4), unweighted(&features, &labels), 1);
    assert_eq!(forest.predict(&features, &Silent).unwrap(), labels);
    let constant = Features::Bytes(Array2::from_elem((10, 3), 9));
    let labels: Labels = (0..10).map(|row| row % 2).collect();
    let forest = fit(ForestParams::new(ForestKind::ExtraTrees), unweighted(&constant, &labels), 1);
    assert!(forest.trees().iter().all(|tree| tree.n_leaves() == 1));
}

#[test]
fn stored_forests_come_back() {
    let (features, labels) = overlapping(8, 200, 4);
    let params = forest(ForestKind::RandomForest, 3).oob_score(true);
    let forest = fit(params, unweighted(&features, &labels), 1);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("forest");
    forest.to_tensors().write(&path).unwrap();
    let back = read_classifier(TensorFile::read(&path).unwrap()).unwrap();
    assert_eq!(back.details(), forest.details());
    assert_eq!(
        back.scores(&features, &Silent).unwrap(),
        forest.scores(&features, &Silent).unwrap()
    );
}

#[test]
fn parameters_out_of_their_range_are_refused() {
    let new = || ForestParams::new(ForestKind::RandomForest);
    let none = TreeRules { max_features: MaxFeatures::Count(0), ..TreeRules::default() };
    for (params, expected) in [
        (new().n_estimators(0), "`n_estimators` must be at least 1, found 0"),
        (new().max_samples(0.0), "`max_samples` must be a share above 0 and at most 1, found 0"),
        (new().max_samples(1.5), "`max_samples` must be a share above 0 and at most 1, found 1.5"),
        (
            new().bootstrap(false).oob_score(true),
            "`oob_score` must be false without `bootstrap`, for every tree sees every row, found true",
        ),
        (new().rules(none), "`max_features` must be at least 1, found 0"),
    ] {
        assert_eq!(params.check().unwrap_err().to_string(), expected);
    }
}
