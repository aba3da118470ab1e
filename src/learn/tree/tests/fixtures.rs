//! Agreement with scikit-learn. The fixtures are made by tests/reference/trees.py (library version
//! inside).

use approx::assert_relative_eq;
use ndarray::Array2;
use serde_json::Value;

use super::fit;
use crate::data::{Features, Labels};
use crate::learn::svm::ClassWeight;
use crate::learn::tree::structure::Tree;
use crate::learn::tree::{Criterion, TreeRules};
use crate::learn::{Classifier, Samples};
use crate::progress::Silent;

pub(in crate::learn) fn document() -> Value {
    serde_json::from_str(include_str!("../../../../tests/reference/trees.json")).unwrap()
}

pub(in crate::learn) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

pub(in crate::learn) fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(numbers).collect();
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

pub(in crate::learn) fn features(case: &Value, name: &str) -> Features {
    let rows = matrix(&case[name]);
    match case["bytes"].as_bool() {
        Some(true) => Features::Bytes(rows.mapv(|v| v as u8)),
        _ => Features::Floats(rows.mapv(|v| v as f32)),
    }
}

pub(in crate::learn) fn labels(case: &Value) -> Labels {
    numbers(&case["y"]).iter().map(|&label| label as usize).collect()
}

pub(in crate::learn) fn rules(params: &Value) -> TreeRules {
    let count = |name: &str| params[name].as_u64().map(|n| n as usize);
    let defaults = TreeRules::default();
    TreeRules {
        criterion: match params["criterion"].as_str() {
            Some("entropy") => Criterion::Entropy,
            _ => Criterion::Gini,
        },
        max_depth: count("max_depth"),
        min_samples_split: count("min_samples_split").unwrap_or(defaults.min_samples_split),
        min_samples_leaf: count("min_samples_leaf").unwrap_or(defaults.min_samples_leaf),
        min_impurity_decrease: params["min_impurity_decrease"].as_f64().unwrap_or(0.0),
        max_leaf_nodes: count("max_leaf_nodes"),
        class_weight: match params["class_weight"].as_str() {
            Some(_) => ClassWeight::Balanced,
            None => ClassWeight::Uniform,
        },
        ..defaults
    }
}

/// Compares the subtree below a node with that below a node of scikit-learn's arrays.
fn compare(tree: &Tree, node: usize, case: &Value, other: usize) {
    let name = &case["name"];
    let feature = case["feature"][other].as_i64().unwrap();
    let Some((found, threshold, left)) = tree.cut(node) else {
        assert!(feature < 0, "{name}: scikit-learn cuts node {other}");
        return;
    };
    assert_eq!(found as i64, feature, "{name}: node {other}");
    let expected = case["threshold"][other].as_f64().unwrap();
    if case["bytes"].as_bool().unwrap() {
        // The same bytes go left.
        let (found, expected) = (f64::from(threshold) * 255.0, expected * 255.0 + 1e-4);
        assert_eq!(found.floor(), expected.floor(), "{name}: node {other}");
    } else {
        assert_relative_eq!(f64::from(threshold), expected, max_relative = 1e-6, epsilon = 1e-7);
    }
    for (side, child) in ["left", "right"].into_iter().enumerate() {
        compare(tree, left + side, case, case[child][other].as_u64().unwrap() as usize);
    }
}

#[test]
fn trees_are_those_of_scikit_learn() {
    for case in document()["trees"].as_array().unwrap() {
        let (features, labels) = (features(case, "x"), labels(case));
        let weights = case["weights"].as_array().map(|_| numbers(&case["weights"]));
        let samples = Samples { features: &features, labels: &labels, weights: weights.as_deref() };
        let fitted = fit(rules(&case["params"]), samples);
        compare(fitted.tree(), 0, case, 0);
        let importances = numbers(&case["importances"]);
        for (found, expected) in fitted.feature_importances().iter().zip(importances) {
            assert_relative_eq!(*found, expected, epsilon = 1e-9);
        }
    }
}

#[test]
fn probabilities_are_those_of_scikit_learn_and_those_of_a_missing_class_are_0() {
    for case in document()["trees"].as_array().unwrap() {
        let (x, y) = (features(case, "x"), labels(case));
        let weights = case["weights"].as_array().map(|_| numbers(&case["weights"]));
        let samples = Samples { features: &x, labels: &y, weights: weights.as_deref() };
        let fitted = fit(rules(&case["params"]), samples);
        let found = fitted.scores(&features(case, "rows"), &Silent).unwrap().values;
        let expected = matrix(&case["proba"]);
        for (found, expected) in found.rows().into_iter().zip(expected.rows()) {
            assert_eq!(found[1], 0.0);
            for (class, expected) in [0, 2, 3].into_iter().zip(expected) {
                assert_relative_eq!(found[class], *expected, epsilon = 1e-6);
            }
        }
    }
}
