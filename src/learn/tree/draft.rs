//! A tree while it grows: its shape, what reached each node and what each cut gained.

use std::collections::BinaryHeap;

use super::bins::Cut;
use super::structure::Tree;

/// A tree with the class masses of every node.
pub(super) struct Draft {
    pub tree: Tree,
    /// `[n_nodes][n_classes]`
    masses: Vec<f64>,
    /// Mass times impurity that a cut takes away, `[n_nodes]`; 0 of a leaf.
    gains: Vec<f64>,
    n_classes: usize,
}

impl Draft {
    pub fn new(n_classes: usize) -> Self {
        Draft { tree: Tree::new(), masses: vec![0.0; n_classes], gains: vec![0.0], n_classes }
    }

    /// Sets the class masses of a node.
    pub fn set_masses<W: Copy + Into<f64>>(&mut self, node: usize, masses: &[W]) {
        let at = node * self.n_classes..(node + 1) * self.n_classes;
        for (to, &mass) in self.masses[at].iter_mut().zip(masses) {
            *to = mass.into();
        }
    }

    /// Cuts a leaf and returns its left child.
    pub fn split(&mut self, node: usize, feature: usize, cut: Cut, gain: f64) -> usize {
        self.gains[node] = gain;
        self.gains.extend([0.0; 2]);
        self.masses.resize(self.masses.len() + 2 * self.n_classes, 0.0);
        self.tree.split(node, feature, cut.threshold)
    }

    /// Puts a tree in the place of a leaf.
    pub fn graft(&mut self, node: usize, other: &Draft) {
        self.set_masses(node, &other.masses[..self.n_classes]);
        self.tree.graft(node, &other.tree);
        self.masses.extend_from_slice(&other.masses[self.n_classes..]);
        self.gains.extend_from_slice(&other.gains[1..]);
        self.gains[node] = other.gains[0];
    }

    /// The tree that the best cuts give when each next cut is the one that gains most, up to
    /// `max_leaf_nodes` leaves; a cut does not hang on the others, so growing all of them first
    /// gives the same.
    pub fn best_first(&self, max_leaf_nodes: usize) -> Draft {
        let mut kept = Draft::new(self.n_classes);
        kept.set_masses(0, &self.masses[..self.n_classes]);
        let mut open = BinaryHeap::from([Open { gain: self.gains[0], from: 0, to: 0 }]);
        while let Some(Open { gain, from, to }) = open.pop() {
            if kept.tree.n_leaves() == max_leaf_nodes {
                break;
            }
            let Some((feature, threshold, left)) = self.tree.cut(from) else { continue };
            let cut = Cut { bin: 0, threshold };
            let to = kept.split(to, feature, cut, gain);
            for side in 0..2 {
                let (from, to) = (left + side, to + side);
                kept.set_masses(to, &self.masses[from * self.n_classes..][..self.n_classes]);
                open.push(Open { gain: self.gains[from], from, to });
            }
        }
        kept
    }

    /// Shares of the classes in each leaf, `[n_leaves][n_classes]`, in the order of
    /// [`Tree::leaf_numbers`].
    pub fn shares(&self) -> Vec<f32> {
        let leaves = (0..self.tree.n_nodes()).filter(|&node| self.tree.is_leaf(node));
        leaves
            .flat_map(|node| {
                let masses = &self.masses[node * self.n_classes..][..self.n_classes];
                let all: f64 = masses.iter().sum();
                masses.iter().map(move |mass| (mass / all) as f32)
            })
            .collect()
    }

    /// What the cuts of each feature gained together, `[n_features]`, as a share of the mass.
    pub fn gains_by_feature(&self, n_features: usize) -> Vec<f64> {
        let all: f64 = self.masses[..self.n_classes].iter().sum();
        let mut gains = vec![0.0; n_features];
        for node in 0..self.tree.n_nodes() {
            if let Some((feature, _, _)) = self.tree.cut(node) {
                gains[feature] += self.gains[node] / all;
            }
        }
        gains
    }
}

/// A leaf that could be cut.
struct Open {
    gain: f64,
    from: usize,
    to: usize,
}

impl Ord for Open {
    /// The largest gain first, then the node that was made first.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.gain.total_cmp(&other.gain).then(other.to.cmp(&self.to))
    }
}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Open {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Open {}
