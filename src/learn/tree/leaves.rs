//! What the leaves of one or more trees say of the classes.

use std::ops::Range;

use ndarray::Array2;
use rayon::prelude::*;

use super::bins::stop_if;
use super::grow::Grown;
use super::structure::{Router, Tree};
use crate::data::{Features, Labels, TensorFile, TensorFileError};
use crate::learn::LearnError;
use crate::progress::Progress;

/// Rows routed between two looks at [`Progress::interrupted`].
const BLOCK: usize = 256;

/// Trees and the shares of the classes in their leaves.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::learn) struct Leaves {
    trees: Vec<Tree>,
    /// `[n_leaves, n_classes]`, tree by tree.
    shares: Array2<f32>,
    /// First leaf of each tree.
    firsts: Vec<usize>,
}

impl Leaves {
    /// Of trees over `n_classes`.
    pub fn new(grown: Vec<Grown>, n_classes: usize) -> Self {
        let mut shares = Vec::new();
        let mut trees = Vec::with_capacity(grown.len());
        for one in grown {
            shares.extend_from_slice(&one.shares);
            trees.push(one.tree);
        }
        let n_leaves = shares.len() / n_classes.max(1);
        let shares = Array2::from_shape_vec((n_leaves, n_classes), shares);
        let shares = shares.expect("a share for each leaf and class");
        let firsts = firsts(&trees);
        Leaves { trees, shares, firsts }
    }

    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    pub fn n_classes(&self) -> usize {
        self.shares.ncols()
    }

    pub fn n_leaves(&self) -> usize {
        self.shares.nrows()
    }

    /// Mean shares of the leaves that each row reaches, `[n_samples, n_classes]`. Features are
    /// row-major, as many as the trees were grown on.
    ///
    /// # Errors
    /// [`LearnError::Interrupted`]
    pub fn probabilities(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Array2<f64>, LearnError> {
        let n_trees = self.trees.len() as f64;
        let mut sums = self.sums(features, |_, _| true, progress)?;
        sums.par_mapv_inplace(|sum| sum / n_trees);
        Ok(sums)
    }

    /// Sums of the shares over the trees for which `counts(tree, row)` holds.
    ///
    /// # Errors
    /// [`LearnError::Interrupted`]
    pub fn sums(
        &self,
        features: &Features,
        counts: impl Fn(usize, usize) -> bool + Sync,
        progress: &dyn Progress,
    ) -> Result<Array2<f64>, LearnError> {
        let router = Router::new(&self.trees, features);
        let n_classes = self.n_classes();
        let mut sums = Array2::zeros((features.n_samples(), n_classes));
        let blocks = sums.as_slice_mut().unwrap_or_default().par_chunks_mut(BLOCK * n_classes);
        blocks.enumerate().try_for_each(|(block, sums)| {
            stop_if(progress)?;
            let start = block * BLOCK;
            let rows: Range<usize> = start..start + sums.len() / n_classes;
            let mut leaves = vec![0; rows.len()];
            for tree in 0..self.trees.len() {
                router.leaves(tree, rows.clone(), &mut leaves);
                let lines = sums.chunks_exact_mut(n_classes).zip(&leaves).zip(rows.clone());
                for ((line, &leaf), row) in lines {
                    if counts(tree, row) {
                        let shares = self.shares.row(self.firsts[tree] + leaf as usize);
                        for (sum, &share) in line.iter_mut().zip(shares.as_slice().unwrap_or(&[])) {
                            *sum += f64::from(share);
                        }
                    }
                }
            }
            Ok::<(), LearnError>(())
        })?;
        Ok(sums)
    }

    /// Adds trees and shares to a file.
    pub fn store<'a>(&'a self, file: &mut TensorFile<'a>) {
        Tree::store(&self.trees, "tree_", file);
        file.insert_f32("leaf_shares", self.shares.view());
    }

    /// What [`Leaves::store`] added.
    ///
    /// # Errors
    /// If a part is missing, there is no tree, or parts do not fit together.
    pub fn take(
        n_features: usize,
        file: &mut TensorFile<'static>,
    ) -> Result<Self, TensorFileError> {
        let malformed = |what: &str| TensorFileError::Malformed(what.to_owned());
        let trees = Tree::take("tree_", n_features, file)?;
        let shares: Array2<f32> = file.take_f32("leaf_shares")?;
        let n_leaves: usize = trees.iter().map(Tree::n_leaves).sum();
        if trees.is_empty() || shares.nrows() != n_leaves || shares.ncols() == 0 {
            return Err(malformed("trees and leaves do not fit together"));
        }
        if shares.iter().any(|share| !(0.0..=1.0).contains(share)) {
            return Err(malformed("shares of classes in leaves are not between 0 and 1"));
        }
        let firsts = firsts(&trees);
        Ok(Leaves { trees, shares, firsts })
    }
}

fn firsts(trees: &[Tree]) -> Vec<usize> {
    let first = |sum: &mut usize, tree: &Tree| {
        let first = *sum;
        *sum += tree.n_leaves();
        Some(first)
    };
    trees.iter().scan(0, first).collect()
}

/// The class with the largest value of each row, the lowest of equals.
pub(in crate::learn) fn largest(values: &Array2<f64>) -> Labels {
    let winner = |row: ndarray::ArrayView1<f64>| {
        let better = |best: usize, class: usize| if row[class] > row[best] { class } else { best };
        (0..row.len()).fold(0, better)
    };
    values.rows().into_iter().map(winner).collect()
}

/// Gains by feature as shares of their sum; all 0 if nothing was gained.
pub(in crate::learn) fn normalised(mut gains: Vec<f64>) -> Vec<f64> {
    let sum: f64 = gains.iter().sum();
    if sum > 0.0 {
        gains.iter_mut().for_each(|gain| *gain /= sum);
    }
    gains
}
