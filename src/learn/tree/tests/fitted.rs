//! Fitted trees: threads, seeds, storage, limits.

use ndarray::Array2;
use serde_json::json;

use super::{fit, overlapping, unweighted};
use crate::data::{Features, Labels, TensorFile};
use crate::learn::svm::ClassWeight;
use crate::learn::tree::{
    Criterion, DecisionTree, DecisionTreeParams, Engine, MaxFeatures, TreeRules,
};
use crate::learn::{Classifier, Meaning, Samples, read_classifier};
use crate::progress::{Progress, Silent};
use linfa::ParamGuard;

fn on_threads<T: Send>(n_threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap().install(work)
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let (features, labels) = overlapping(1, 5000, 12);
    let weights: Vec<f64> = (0..5000).map(|row| 0.1 + (row % 7) as f64).collect();
    let all = TreeRules::default();
    let drawn = TreeRules { max_features: MaxFeatures::Sqrt, ..all.clone() };
    let entropy = TreeRules { criterion: Criterion::Entropy, ..all.clone() };
    for (rules, weights) in
        [(&all, None), (&all, Some(&weights[..])), (&drawn, None), (&entropy, None)]
    {
        let samples = Samples { features: &features, labels: &labels, weights };
        let one = on_threads(1, || fit(rules.clone(), samples));
        for n_threads in [2, 3] {
            assert_eq!(on_threads(n_threads, || fit(rules.clone(), samples)), one);
        }
    }
}

#[test]
fn the_seed_decides_which_features_are_drawn_and_nothing_else() {
    let (features, labels) = overlapping(2, 300, 12);
    let with_seed = |max_features, seed| {
        let rules = TreeRules { max_features, ..TreeRules::default() };
        let params = DecisionTreeParams::new().rules(rules).check().unwrap();
        params.fit_model(unweighted(&features, &labels), seed, &Silent).unwrap()
    };
    assert_ne!(with_seed(MaxFeatures::Log2, 1), with_seed(MaxFeatures::Log2, 2));
    assert_eq!(with_seed(MaxFeatures::All, 1), with_seed(MaxFeatures::All, 2));
}

#[test]
fn an_unlimited_tree_knows_every_row_by_heart() {
    let (features, labels) = overlapping(3, 3000, 24);
    for criterion in [Criterion::Gini, Criterion::Entropy] {
        let rules = TreeRules { criterion, ..TreeRules::default() };
        let tree = fit(rules, unweighted(&features, &labels));
        assert_eq!(tree.predict(&features, &Silent).unwrap(), labels);
    }
}

#[test]
fn limits_are_kept() {
    let (features, labels) = overlapping(4, 4000, 8);
    let defaults = TreeRules::default();
    let deep = fit(defaults.clone(), unweighted(&features, &labels)).tree().depth();
    assert!(deep > 5);
    let limited = |rules| fit(rules, unweighted(&features, &labels));
    let tree = limited(TreeRules { max_depth: Some(5), ..defaults.clone() });
    assert_eq!(tree.tree().depth(), 5);
    let tree = limited(TreeRules { max_leaf_nodes: Some(13), ..defaults.clone() });
    assert_eq!(tree.tree().n_leaves(), 13);
    let tree = limited(TreeRules { min_samples_leaf: 50, ..defaults });
    let leaves = tree.scores(&features, &Silent).unwrap().values;
    let mut counts = std::collections::HashMap::new();
    for row in leaves.rows() {
        let key: Vec<u64> = row.iter().map(|share| share.to_bits()).collect();
        *counts.entry(key).or_insert(0) += 1;
    }
    assert!(counts.values().all(|&n| n >= 50), "{counts:?}");
}

#[test]
fn many_classes_grow_the_tree_of_few_spread_among_them() {
    let (features, few) = overlapping(5, 2500, 24);
    let many: Labels =
        few.iter().enumerate().map(|(row, &label)| label * 300 + row % 211).collect();
    let tree = fit(TreeRules::default(), unweighted(&features, &many));
    assert_eq!(tree.predict(&features, &Silent).unwrap(), many);
}

#[test]
fn classes_weigh_what_they_are_given() {
    let features = Features::Bytes(Array2::zeros((5, 1)));
    let labels: Labels = vec![0, 0, 0, 1, 1].into();
    let share = |class_weight| {
        let rules = TreeRules { class_weight, ..TreeRules::default() };
        let tree = fit(rules, unweighted(&features, &labels));
        let scores = tree.scores(&features, &Silent).unwrap();
        assert_eq!(scores.meaning, Meaning::Probability);
        scores.values[[0, 1]] as f32
    };
    assert_eq!(share(ClassWeight::Uniform), 0.4);
    assert_eq!(share(ClassWeight::Balanced), 0.5);
    assert_eq!(share(ClassWeight::PerClass(vec![(1, 3.0)])), 6.0 / 9.0);
}

#[test]
fn a_constant_feature_and_a_single_class_leave_one_leaf() {
    let labels: Labels = vec![1, 0, 1].into();
    let constant = Features::Floats(Array2::from_elem((3, 2), 0.3));
    let tree = fit(TreeRules::default(), unweighted(&constant, &labels));
    assert_eq!(tree.tree().n_leaves(), 1);
    assert_eq!(tree.feature_importances().to_vec(), [0.0, 0.0]);
    assert_eq!(tree.predict(&constant, &Silent).unwrap(), Labels::from(vec![1, 1, 1]));
    let (features, _) = overlapping(6, 30, 3);
    let same = Labels::from_elem(30, 2);
    let tree = fit(TreeRules::default(), unweighted(&features, &same));
    assert_eq!(tree.predict(&features, &Silent).unwrap(), same);
}

#[test]
fn stored_trees_come_back_and_damaged_ones_are_refused() {
    let (features, labels) = overlapping(7, 200, 4);
    let tree = fit(TreeRules::default(), unweighted(&features, &labels));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tree");
    tree.to_tensors().write(&path).unwrap();
    let read = || TensorFile::read(&path).unwrap();
    let back = read_classifier(read()).unwrap();
    assert_eq!(back.scores(&features, &Silent).unwrap(), tree.scores(&features, &Silent).unwrap());
    let damage: [fn(&mut TensorFile<'static>); 5] = [
        |file| file.document["report"] = json!(null),
        |file| drop(file.take_f32::<ndarray::Ix2>("leaf_shares")),
        |file| file.insert_f32("leaf_shares", Array2::from_elem((3, 4), 0.25)),
        |file| file.insert_f64("feature_importances", ndarray::Array1::<f64>::zeros(1)),
        |file| drop(file.take_u32::<ndarray::Ix1>("tree_lefts")),
    ];
    for damage in damage {
        let mut file = read();
        damage(&mut file);
        assert!(read_classifier(file).is_err());
    }
}

#[test]
fn the_engine_of_linfa_grows_a_tree_that_judges_alike() {
    let (features, labels) = overlapping(8, 600, 6);
    let rules = TreeRules { max_depth: Some(4), min_samples_leaf: 10, ..TreeRules::default() };
    let params = DecisionTreeParams::new().rules(rules.clone()).engine(Engine::Linfa);
    let linfa = params.check().unwrap().fit_model(unweighted(&features, &labels), 0, &Silent);
    let linfa = linfa.unwrap();
    let accuracy = |tree: &DecisionTree| {
        let predicted = tree.predict(&features, &Silent).unwrap();
        predicted.iter().zip(&labels).filter(|(a, b)| a == b).count() as f64 / 600.0
    };
    let ours = fit(rules, unweighted(&features, &labels));
    // linfa cuts midway to the next value of all rows, not of the node: the cuts differ a little.
    assert!((accuracy(&linfa) - accuracy(&ours)).abs() < 0.05);
    assert_eq!(linfa.tree().cut(0).unwrap().0, ours.tree().cut(0).unwrap().0);
}

/// Asks to stop at once.
struct Stop;

impl Progress for Stop {
    fn update(&self, _done: u64, _total: u64, _note: &str) {}

    fn interrupted(&self) -> bool {
        true
    }

    fn warn(&self, _message: &str) {}
}

#[test]
fn a_fit_and_a_prediction_can_be_interrupted() {
    let (features, labels) = overlapping(9, 100, 4);
    let params = DecisionTreeParams::new().check().unwrap();
    let found = params.fit_model(unweighted(&features, &labels), 0, &Stop).unwrap_err();
    assert_eq!(found.to_string(), "interrupted");
    let tree = fit(TreeRules::default(), unweighted(&features, &labels));
    assert_eq!(tree.predict(&features, &Stop).unwrap_err().to_string(), "interrupted");
}
