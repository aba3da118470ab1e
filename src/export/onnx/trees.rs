//! Trees, forests and boosted trees as one `TreeEnsembleClassifier` of double precision.
//!
//! Cuts of pixels compare whole bytes with half numbers, so that every row takes the way it takes here;
//! leaves hold doubles, so that labels are the largest of the same sums.

use ndarray::{Array1, Array2};
use serde::Deserialize;
use serde_json::Value as Json;

use super::graph::{Attribute, Constant, Element, Graph};
use super::rows::{Rows, Stored, Verdict};
use crate::data::TensorFileError;
use crate::export::ExportError;
use crate::learn::Meaning;
use crate::learn::adaboost::Algorithm;
use crate::learn::tree::structure::Tree;

/// Trees with what each leaf adds to every class.
struct Ensemble {
    trees: Vec<Tree>,
    /// `[n_leaves, n_columns]`, tree by tree.
    leaves: Array2<f64>,
    base: Vec<f64>,
}

/// How sums of leaves become scores.
enum After {
    /// Divided by this.
    Mean(f64),
    /// Softmax of the sums divided by this.
    Softmax(f64),
}

/// The verdict of a `decision_tree`, `forest`, `gradient_boosting` or `adaboost` of trees.
pub fn trees(graph: &mut Graph, rows: &Rows, mut stored: Stored) -> Result<Verdict, ExportError> {
    let kind = stored.kind();
    let (ensemble, classes, after) = match kind.as_str() {
        "gradient_boosting" => {
            let classes: Vec<usize> = stored.part("classes")?;
            let (ensemble, after) = boosted(&mut stored, classes.len())?;
            (ensemble, classes, after)
        }
        "adaboost" => adaboost(&mut stored)?,
        _ => {
            let (trees, shares) = shares(&mut stored)?;
            let (n_trees, classes) = (trees.len(), (0..shares.ncols()).collect());
            let base = vec![0.0; shares.ncols()];
            let ensemble = Ensemble { trees, leaves: shares, base };
            (ensemble, classes, After::Mean(n_trees as f64))
        }
    };
    let (x, is_bytes) = match rows {
        Rows::Bytes(bytes) => (bytes, true),
        Rows::Floats(values) => (values, false),
    };
    let x = graph.cast(x, Element::Double);
    let attributes = ensemble.attributes(is_bytes);
    let [winner, sums] = graph.node("TreeEnsembleClassifier", &[&x], attributes);
    let float = |number: f64| (Element::Float, number);
    let columns = match after {
        After::Mean(n) => graph.with_number("Div", &sums, float(n)),
        After::Softmax(n) => {
            let logits = graph.with_number("Div", &sums, float(n));
            graph.softmax(&logits)
        }
    };
    let (element, meaning) = (Element::Float, Meaning::Probability);
    Ok(Verdict { winner, columns, element, classes, meaning })
}

/// Trees, and shares of the classes in their leaves.
fn shares(stored: &mut Stored) -> Result<(Vec<Tree>, Array2<f64>), TensorFileError> {
    let n_features = stored.vector("feature_importances")?.len();
    let trees = Tree::take("tree_", n_features, &mut stored.0)?;
    let shares: Array2<f32> = stored.0.take_f32("leaf_shares")?;
    Ok((trees, shares.mapv(f64::from)))
}

/// A tree a class and round; one for both of two classes, in favour of the second.
fn boosted(stored: &mut Stored, n_classes: usize) -> Result<(Ensemble, After), TensorFileError> {
    let baseline = stored.vector("baseline")?;
    let values: Array1<f64> = stored.vector("leaf_values")?;
    let n_features = stored.vector("importances")?.len();
    let trees = Tree::take("tree_", n_features, &mut stored.0)?;
    let mut leaves = Array2::zeros((values.len(), n_classes));
    let first = n_classes - baseline.len();
    let mut leaf = 0;
    for (nth, tree) in trees.iter().enumerate() {
        for _ in 0..tree.n_leaves() {
            leaves[[leaf, first + nth % baseline.len()]] = values[leaf];
            leaf += 1;
        }
    }
    let base = std::iter::repeat_n(0.0, first).chain(baseline).collect();
    Ok((Ensemble { trees, leaves, base }, After::Softmax(1.0)))
}

#[derive(Deserialize)]
struct Member {
    weight: f64,
    document: Json,
}

#[derive(Deserialize)]
struct Report {
    algorithm: Algorithm,
    learner: String,
    classes: Vec<usize>,
}

/// A vote is the same for all rows of a leaf, so the votes of a member are a tree too.
fn adaboost(stored: &mut Stored) -> Result<(Ensemble, Vec<usize>, After), ExportError> {
    let members: Vec<Member> = stored.part("members")?;
    let Report { algorithm, learner, classes } = stored.part("report")?;
    if learner != "decision_tree" {
        let what = format!("AdaBoost of `{learner}`, other than of decision trees");
        return Err(ExportError::Unsupported { what });
    }
    let n_others = classes.len() as f64 - 1.0;
    let total: f64 = members.iter().map(|member| member.weight).sum();
    let (mut all, mut votes) = (Vec::new(), Vec::new());
    for (nth, member) in members.into_iter().enumerate() {
        let mut part = Stored(stored.0.take_prefixed(&format!("member_{nth}")));
        part.0.document = member.document;
        let (trees, shares) = shares(&mut part)?;
        all.extend(trees);
        for leaf in shares.rows() {
            match algorithm {
                Algorithm::Samme => {
                    let better =
                        |best: usize, c: usize| if leaf[c] > leaf[best] { c } else { best };
                    let label = (0..leaf.len()).fold(0, better);
                    let against = -member.weight / n_others;
                    let vote =
                        |&class: &usize| if class == label { member.weight } else { against };
                    votes.extend(classes.iter().map(vote));
                }
                Algorithm::SammeR => {
                    let log = |&class: &usize| leaf[class].max(f64::EPSILON).ln();
                    let mean = classes.iter().map(log).sum::<f64>() / classes.len() as f64;
                    votes.extend(classes.iter().map(|class| n_others * (log(class) - mean)));
                }
            }
        }
    }
    let n_leaves = votes.len() / classes.len();
    let leaves = Array2::from_shape_vec((n_leaves, classes.len()), votes)
        .map_err(|error| TensorFileError::Malformed(error.to_string()))?;
    let base = vec![0.0; classes.len()];
    Ok((Ensemble { trees: all, leaves, base }, classes, After::Softmax(total * n_others)))
}

impl Ensemble {
    fn attributes(&self, is_bytes: bool) -> Vec<(&'static str, Attribute)> {
        let n_classes = self.leaves.ncols();
        let values: Vec<f32> = (0..=u8::MAX).map(|v| f32::from(v) / 255.0).collect();
        // Bytes go left that are below the half number.
        let n_left = |t: f32| values.partition_point(|&value| value <= t) as f64;
        let threshold = |t: f32| if is_bytes { n_left(t) - 0.5 } else { f64::from(t) };
        let [mut tree_ids, mut nodes, mut features, mut lefts, mut rights] =
            [const { Vec::<i64>::new() }; 5];
        let [mut leaf_trees, mut leaf_nodes, mut leaf_classes] = [const { Vec::<i64>::new() }; 3];
        let (mut thresholds, mut modes, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        let mut leaf = 0;
        for (nth, tree) in self.trees.iter().enumerate() {
            for node in 0..tree.n_nodes() {
                tree_ids.push(nth as i64);
                nodes.push(node as i64);
                let (feature, t, left) = tree.cut(node).unwrap_or_default();
                features.push(feature as i64);
                if !tree.is_leaf(node) {
                    modes.push("BRANCH_LEQ");
                    thresholds.push(threshold(t));
                    lefts.push(left as i64);
                    rights.push(left as i64 + 1);
                    continue;
                }
                modes.push("LEAF");
                thresholds.push(0.0);
                lefts.push(0);
                rights.push(0);
                // Zeros of many classes are left out, but no leaf may go without an entry, and two classes are
                // told from one by having both.
                let row = self.leaves.row(leaf);
                let keeps = |class: usize| n_classes <= 2 || row[class] != 0.0;
                let is_zero = !(0..n_classes).any(keeps);
                for class in (0..n_classes).filter(|&class| keeps(class) || is_zero && class == 0) {
                    leaf_trees.push(nth as i64);
                    leaf_nodes.push(node as i64);
                    leaf_classes.push(class as i64);
                    weights.push(row[class]);
                }
                leaf += 1;
            }
        }
        let doubles =
            |values: Vec<f64>| Attribute::Tensor(Constant::doubles(&[values.len()], values));
        vec![
            ("nodes_treeids", Attribute::Ints(tree_ids)),
            ("nodes_nodeids", Attribute::Ints(nodes)),
            ("nodes_featureids", Attribute::Ints(features)),
            ("nodes_modes", Attribute::Texts(modes)),
            ("nodes_values_as_tensor", doubles(thresholds)),
            ("nodes_truenodeids", Attribute::Ints(lefts)),
            ("nodes_falsenodeids", Attribute::Ints(rights)),
            ("class_treeids", Attribute::Ints(leaf_trees)),
            ("class_nodeids", Attribute::Ints(leaf_nodes)),
            ("class_ids", Attribute::Ints(leaf_classes)),
            ("class_weights_as_tensor", doubles(weights)),
            ("base_values_as_tensor", doubles(self.base.clone())),
            ("classlabels_int64s", Attribute::Ints((0..n_classes as i64).collect())),
            ("post_transform", Attribute::Text("NONE")),
        ]
    }
}
