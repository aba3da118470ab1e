//! The shape of a fitted tree, its storage, and the way of rows to its leaves.

use std::ops::Range;

use ndarray::Array1;

use crate::data::{Features, TensorFile, TensorFileError};

/// A binary tree of cuts. A node is a leaf or has two children, which stand next to each other and
/// after their parent; the root is node 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// Feature that a node cuts; 0 in a leaf.
    features: Vec<u32>,
    /// Rows whose value is at most this go left; 0 in a leaf.
    thresholds: Vec<f32>,
    /// Left child, the right one follows it; 0 in a leaf.
    lefts: Vec<u32>,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// A tree of one leaf.
    pub fn new() -> Self {
        Tree { features: vec![0], thresholds: vec![0.0], lefts: vec![0] }
    }

    /// Turns a leaf into a cut and returns its left child; the right one is the next node. Rows
    /// with `value <= threshold` go left.
    ///
    /// # Panics
    /// If the node is no leaf.
    pub fn split(&mut self, node: usize, feature: usize, threshold: f32) -> usize {
        assert!(self.is_leaf(node), "node {node} is split already");
        let left = self.n_nodes();
        self.features[node] = feature as u32;
        self.thresholds[node] = threshold;
        self.lefts[node] = left as u32;
        self.features.extend([0; 2]);
        self.thresholds.extend([0.0; 2]);
        self.lefts.extend([0; 2]);
        left
    }

    /// Puts a tree in the place of a leaf; its nodes but the root follow at the end.
    ///
    /// # Panics
    /// If the node is no leaf.
    pub fn graft(&mut self, node: usize, other: &Tree) {
        assert!(self.is_leaf(node), "node {node} is split already");
        let before = self.n_nodes() as u32 - 1;
        let moved = |&left: &u32| if left == 0 { 0 } else { left + before };
        self.features[node] = other.features[0];
        self.thresholds[node] = other.thresholds[0];
        self.lefts[node] = moved(&other.lefts[0]);
        self.features.extend_from_slice(&other.features[1..]);
        self.thresholds.extend_from_slice(&other.thresholds[1..]);
        self.lefts.extend(other.lefts[1..].iter().map(moved));
    }

    /// Cuts and leaves.
    pub fn n_nodes(&self) -> usize {
        self.lefts.len()
    }

    /// Leaves.
    pub fn n_leaves(&self) -> usize {
        self.n_nodes().div_ceil(2)
    }

    /// Whether a node is a leaf.
    pub fn is_leaf(&self, node: usize) -> bool {
        self.lefts[node] == 0
    }

    /// Feature, threshold and left child of a node; none of a leaf.
    pub fn cut(&self, node: usize) -> Option<(usize, f32, usize)> {
        let cut = (self.features[node] as usize, self.thresholds[node], self.lefts[node] as usize);
        (!self.is_leaf(node)).then_some(cut)
    }

    /// Edges from the root to the deepest leaf.
    pub fn depth(&self) -> usize {
        let mut depths = vec![0; self.n_nodes()];
        for node in 0..self.n_nodes() {
            if let Some((_, _, left)) = self.cut(node) {
                let below = depths[node] + 1;
                depths[left..left + 2].fill(below);
            }
        }
        depths.into_iter().max().unwrap_or(0)
    }

    /// The number of each leaf, `0..n_leaves` in the order of nodes, by node; 0 of a cut.
    pub fn leaf_numbers(&self) -> Vec<u32> {
        let mut n_before = 0;
        let number = |&left: &u32| {
            let number = n_before;
            n_before += u32::from(left == 0);
            if left == 0 { number } else { 0 }
        };
        self.lefts.iter().map(number).collect()
    }

    /// Adds trees, one after another, to a file: `features`, `thresholds`, `lefts` by node, and
    /// `n_nodes` by tree, each name after `prefix`.
    pub fn store(trees: &[Tree], prefix: &str, file: &mut TensorFile<'_>) {
        let n_nodes: Array1<u32> = trees.iter().map(|tree| tree.n_nodes() as u32).collect();
        let features: Array1<u32> = trees.iter().flat_map(|tree| &tree.features).copied().collect();
        let thresholds: Array1<f32> =
            trees.iter().flat_map(|tree| &tree.thresholds).copied().collect();
        let lefts: Array1<u32> = trees.iter().flat_map(|tree| &tree.lefts).copied().collect();
        file.insert_u32(&format!("{prefix}n_nodes"), n_nodes);
        file.insert_u32(&format!("{prefix}features"), features);
        file.insert_f32(&format!("{prefix}thresholds"), thresholds);
        file.insert_u32(&format!("{prefix}lefts"), lefts);
    }

    /// The trees that [`Tree::store`] added.
    ///
    /// # Errors
    /// If a tensor is missing, a feature is not below `n_features`, a threshold is not finite, or
    /// the nodes are no tree.
    pub fn take(
        prefix: &str,
        n_features: usize,
        file: &mut TensorFile<'static>,
    ) -> Result<Vec<Tree>, TensorFileError> {
        let n_nodes: Array1<u32> = file.take_u32(&format!("{prefix}n_nodes"))?;
        let features: Array1<u32> = file.take_u32(&format!("{prefix}features"))?;
        let thresholds: Array1<f32> = file.take_f32(&format!("{prefix}thresholds"))?;
        let lefts: Array1<u32> = file.take_u32(&format!("{prefix}lefts"))?;
        let n_all: u64 = n_nodes.iter().map(|&n| u64::from(n)).sum();
        let n_found = [features.len(), thresholds.len(), lefts.len()];
        if n_found.iter().any(|&n| n as u64 != n_all) {
            return Err(malformed(format!("{n_found:?} parts of {n_all} nodes")));
        }
        let mut start = 0;
        let one = |(nth, &n): (usize, &u32)| {
            let at = start..start + n as usize;
            start = at.end;
            let tree = Tree {
                features: features.slice(ndarray::s![at.clone()]).to_vec(),
                thresholds: thresholds.slice(ndarray::s![at.clone()]).to_vec(),
                lefts: lefts.slice(ndarray::s![at]).to_vec(),
            };
            tree.check(n_features).map_err(|what| malformed(format!("tree {nth}: {what}")))?;
            Ok(tree)
        };
        n_nodes.iter().enumerate().map(one).collect()
    }

    fn check(&self, n_features: usize) -> Result<(), String> {
        let n_nodes = self.n_nodes();
        if n_nodes == 0 {
            return Err("no nodes".to_owned());
        }
        let mut has_parent = vec![false; n_nodes];
        has_parent[0] = true;
        for node in 0..n_nodes {
            let Some((feature, threshold, left)) = self.cut(node) else { continue };
            if feature >= n_features {
                return Err(format!("node {node} cuts feature {feature} of {n_features}"));
            }
            if !threshold.is_finite() {
                return Err(format!("node {node} cuts at {threshold}"));
            }
            if left <= node || left + 1 >= n_nodes || has_parent[left] || has_parent[left + 1] {
                return Err(format!("node {node} of {n_nodes} has its children at {left}"));
            }
            has_parent[left..left + 2].fill(true);
        }
        match has_parent.iter().position(|&has| !has) {
            Some(node) => Err(format!("node {node} has no parent")),
            None => Ok(()),
        }
    }
}

fn malformed(what: String) -> TensorFileError {
    TensorFileError::Malformed(what)
}

/// Rows walked side by side: the memory latency of one hides behind the others.
const LANES: usize = 16;

/// Several trees laid out for the walk of many rows.
pub struct Router<'a> {
    walks: Walks<'a>,
    n_features: usize,
    /// By tree and node.
    leaf_numbers: Vec<Vec<u32>>,
}

enum Walks<'a> {
    Bytes(&'a [u8], Vec<Vec<Step<u16>>>),
    Floats(&'a [f32], Vec<Vec<Step<f32>>>),
}

/// A node of a walk. A leaf sends everything left, to itself.
#[derive(Clone, Copy)]
struct Step<C> {
    /// Bytes: how many byte values go left. Floats: the threshold.
    cut: C,
    feature: u32,
    left: u32,
}

impl<'a> Router<'a> {
    /// # Panics
    /// If the features are not row-major. Later: if a tree cuts a feature that they lack.
    pub fn new<'t>(trees: impl IntoIterator<Item = &'t Tree>, features: &'a Features) -> Self {
        let row_major = "features are row-major";
        let trees: Vec<&Tree> = trees.into_iter().collect();
        let walks = match features {
            Features::Bytes(rows) => {
                let values: Vec<f32> = (0..=u8::MAX).map(|v| f32::from(v) / 255.0).collect();
                // The same rows as by [`Features::row_f32`].
                let n_left = |t: f32| values.partition_point(|&value| value <= t) as u16;
                let steps = |tree: &&Tree| steps(tree, u16::MAX, n_left);
                Walks::Bytes(rows.as_slice().expect(row_major), trees.iter().map(steps).collect())
            }
            Features::Floats(rows) => {
                let steps = |tree: &&Tree| steps(tree, f32::INFINITY, |t| t);
                Walks::Floats(rows.as_slice().expect(row_major), trees.iter().map(steps).collect())
            }
        };
        let leaf_numbers = trees.iter().map(|tree| tree.leaf_numbers()).collect();
        Router { walks, n_features: features.n_features(), leaf_numbers }
    }

    /// Number of trees.
    pub fn n_trees(&self) -> usize {
        self.leaf_numbers.len()
    }

    /// The number of the leaf that each of the rows reaches.
    ///
    /// Cost: rows in blocks of a few hundred, trees in the inner loop, keep rows and steps cached.
    ///
    /// # Panics
    /// If there is no such tree or row, or `leaves` has another length.
    pub fn leaves(&self, tree: usize, rows: Range<usize>, leaves: &mut [u32]) {
        assert_eq!(rows.len(), leaves.len(), "one leaf a row");
        let at = rows.start * self.n_features..rows.end * self.n_features;
        let n = self.n_features;
        match &self.walks {
            Walks::Bytes(all, steps) => {
                walk(&steps[tree], &all[at], n, |v, n_left| u16::from(v) >= n_left, leaves);
            }
            Walks::Floats(all, steps) => {
                walk(&steps[tree], &all[at], n, |v, threshold| v > threshold, leaves);
            }
        }
        for leaf in leaves {
            *leaf = self.leaf_numbers[tree][*leaf as usize];
        }
    }
}

fn steps<C: Copy>(tree: &Tree, all_left: C, cut: impl Fn(f32) -> C) -> Vec<Step<C>> {
    let step = |node: usize| match tree.cut(node) {
        Some((feature, threshold, left)) => {
            Step { cut: cut(threshold), feature: feature as u32, left: left as u32 }
        }
        None => Step { cut: all_left, feature: 0, left: node as u32 },
    };
    (0..tree.n_nodes()).map(step).collect()
}

/// Node of the leaf of each row.
#[inline(always)]
fn walk<V: Copy, C: Copy>(
    steps: &[Step<C>],
    rows: &[V],
    n_features: usize,
    goes_right: impl Fn(V, C) -> bool,
    nodes: &mut [u32],
) {
    let groups = rows.chunks(LANES * n_features.max(1)).zip(nodes.chunks_mut(LANES));
    for (rows, out) in groups {
        let mut at = [0u32; LANES];
        let mut moved = true;
        while moved {
            moved = false;
            for (at, row) in at.iter_mut().zip(rows.chunks_exact(n_features.max(1))) {
                let step = steps[*at as usize];
                let right = goes_right(row[step.feature as usize], step.cut);
                let next = step.left + u32::from(right);
                moved |= next != *at;
                *at = next;
            }
        }
        out.copy_from_slice(&at[..out.len()]);
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};
    use serde_json::Value;

    use super::*;
    use crate::data::Rng;

    /// A tree over bytes, cut at random.
    fn any_tree(rng: &mut Rng, n_cuts: usize, n_features: usize) -> Tree {
        let mut tree = Tree::new();
        for _ in 0..n_cuts {
            let leaves: Vec<usize> = (0..tree.n_nodes()).filter(|&n| tree.is_leaf(n)).collect();
            let bin = rng.below(255) as f32;
            tree.split(leaves[rng.below(leaves.len())], rng.below(n_features), (bin + 0.5) / 255.0);
        }
        tree
    }

    fn naive_leaf(tree: &Tree, row: &Array1<f32>) -> u32 {
        let mut node = 0;
        while let Some((feature, threshold, left)) = tree.cut(node) {
            node = left + usize::from(row[feature] > threshold);
        }
        tree.leaf_numbers()[node]
    }

    #[test]
    fn bytes_and_their_real_values_reach_the_leaf_of_a_walk_by_hand() {
        let mut rng = Rng::new(1, &["tree"]);
        let trees: Vec<Tree> = [0, 1, 40].map(|n| any_tree(&mut rng, n, 5)).into();
        let rows = Array2::from_shape_fn((100, 5), |_| rng.next_u32() as u8);
        let bytes = Features::Bytes(rows.clone());
        let floats = Features::Floats(rows.mapv(|v| f32::from(v) / 255.0));
        for features in [&bytes, &floats] {
            let router = Router::new(&trees, features);
            for (nth, tree) in trees.iter().enumerate() {
                let mut leaves = vec![0; 87];
                router.leaves(nth, 13..100, &mut leaves);
                let expected: Vec<u32> =
                    (13..100).map(|row| naive_leaf(tree, &features.row_f32(row))).collect();
                assert_eq!(leaves, expected);
            }
        }
    }

    #[test]
    fn thresholds_outside_the_bytes_send_all_one_way() {
        let bytes = Features::Bytes(array![[0], [255]]);
        for (threshold, expected) in [(-0.1, [1, 1]), (1.0, [0, 0]), (7.0, [0, 0])] {
            let mut tree = Tree::new();
            tree.split(0, 0, threshold);
            let mut leaves = [9; 2];
            Router::new([&tree], &bytes).leaves(0, 0..2, &mut leaves);
            assert_eq!(leaves, expected, "{threshold}");
        }
    }

    fn stored(trees: &[Tree]) -> TensorFile<'static> {
        let mut file = TensorFile::new(Value::Null);
        Tree::store(trees, "tree_", &mut file);
        file
    }

    #[test]
    fn stored_trees_come_back() {
        let mut rng = Rng::new(2, &["tree"]);
        let trees: Vec<Tree> = [3, 0, 17].map(|n| any_tree(&mut rng, n, 4)).into();
        assert_eq!(Tree::take("tree_", 4, &mut stored(&trees)).unwrap(), trees);
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        let tree = |features: &[u32], thresholds: &[f32], lefts: &[u32]| Tree {
            features: features.into(),
            thresholds: thresholds.into(),
            lefts: lefts.into(),
        };
        let cases = [
            (tree(&[], &[], &[]), "no nodes"),
            (tree(&[4, 0, 0], &[0.0; 3], &[1, 0, 0]), "node 0 cuts feature 4 of 4"),
            (tree(&[0; 3], &[f32::NAN, 0.0, 0.0], &[1, 0, 0]), "node 0 cuts at NaN"),
            (tree(&[0; 3], &[0.0; 3], &[2, 0, 0]), "node 0 of 3 has its children at 2"),
            (tree(&[0; 3], &[0.0; 3], &[1, 1, 0]), "node 1 of 3 has its children at 1"),
            (tree(&[0; 5], &[0.0; 5], &[1, 0, 1, 0, 0]), "node 2 of 5 has its children at 1"),
            (tree(&[0; 5], &[0.0; 5], &[1, 0, 0, 0, 0]), "node 3 has no parent"),
            (tree(&[0; 3], &[0.0; 3], &[u32::MAX, 0, 0]), "has its children at 4294967295"),
        ];
        for (tree, expected) in cases {
            let found = Tree::take("tree_", 4, &mut stored(&[tree])).unwrap_err().to_string();
            assert!(found.contains(expected), "{found}");
        }
    }
}
