//! The same tree grown by linfa-trees, to compare with.

use linfa::dataset::DatasetBase;
use linfa::traits::Fit;
use linfa_trees::{DecisionTree as LinfaTree, SplitQuality, TreeNode};
use ndarray::{Array1, Array2};

use super::criterion::Criterion;
use super::grow::Grown;
use super::leaves::{Leaves, normalised};
use super::model::{DecisionTree, TreeReport};
use super::params::{LINFA_MAX_SAMPLES, TreeRules};
use super::structure::Tree;
use crate::learn::input::Checked;
use crate::learn::{InputError, LearnError, Samples};

/// Least decrease of impurity that linfa can be set to.
const LINFA_MIN_DECREASE: f32 = 2.0 * f32::EPSILON;

/// Fits by linfa-trees. It cannot be interrupted; its leaves have a class, no shares; and where
/// splits or classes are equal its choice hangs on the order of a hash map.
///
/// # Errors
/// Weights, more rows than linfa can hold, or what linfa says.
pub(super) fn fit(
    rules: &TreeRules,
    samples: &Samples,
    checked: &Checked,
) -> Result<DecisionTree, LearnError> {
    if samples.weights.is_some() {
        return Err(InputError::NoWeights { learner: "linfa-trees" }.into());
    }
    let (n_samples, n_features) = (checked.features.n_samples(), checked.features.n_features());
    if n_samples > LINFA_MAX_SAMPLES {
        let what = format!(
            "its trees take up to {LINFA_MAX_SAMPLES} samples, found {n_samples} (use the engine \
             `native`)"
        );
        return Err(LearnError::Linfa(what));
    }
    let mut records = Array2::<f32>::zeros((n_samples, n_features));
    for (row, mut record) in records.rows_mut().into_iter().enumerate() {
        record.assign(&checked.features.row_f32(row));
    }
    let quality = match rules.criterion {
        Criterion::Gini => SplitQuality::Gini,
        Criterion::Entropy => SplitQuality::Entropy,
    };
    let fitted = LinfaTree::<f32, usize>::params()
        .split_quality(quality)
        .max_depth(rules.max_depth)
        .min_weight_split(rules.min_samples_split as f32)
        .min_weight_leaf(rules.min_samples_leaf as f32)
        .min_impurity_decrease((rules.min_impurity_decrease as f32).max(LINFA_MIN_DECREASE))
        .fit(&DatasetBase::new(records, samples.labels.clone()))?;
    let mut tree = Tree::new();
    let mut classes = vec![0];
    convert(fitted.root_node(), 0, &mut tree, &mut classes);
    let mut shares = Vec::new();
    for (node, &class) in classes.iter().enumerate() {
        if tree.is_leaf(node) {
            shares.extend((0..checked.n_classes).map(|c| if c == class { 1.0 } else { 0.0 }));
        }
    }
    let gains: Vec<f64> = fitted.mean_impurity_decrease().into_iter().map(f64::from).collect();
    let importances: Array1<f64> = normalised(gains.clone()).into();
    let mut report: TreeReport = super::learner::report(rules.criterion, true);
    report.engine = "linfa".to_owned();
    let leaves = Leaves::new(vec![Grown { tree, shares, gains }], checked.n_classes);
    Ok(DecisionTree { leaves, importances, report })
}

/// Copies a node and those below it; `classes` holds the class of each leaf, by node.
fn convert(node: &TreeNode<f32, usize>, at: usize, tree: &mut Tree, classes: &mut Vec<usize>) {
    if let Some(class) = node.prediction() {
        classes[at] = class;
        return;
    }
    let (feature, value, _) = node.split();
    // linfa predicts by `<`, ours by `<=`.
    let left = tree.split(at, feature, value.next_down());
    classes.extend([0; 2]);
    for (side, child) in node.children().into_iter().enumerate() {
        if let Some(child) = child {
            convert(child, left + side, tree, classes);
        }
    }
}
