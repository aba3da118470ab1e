//! Growth of one tree, from the root down.
//!
//! ```text
//! large nodes, one after another:
//!     histograms of all features, in parallel       the larger child's by subtraction
//!     best split -> rows of the two children
//! small nodes, a subtree (block.rs) at a time, in parallel
//! ```
//!
//! The same tree for any number of threads: sums are exact, nodes are cut in a fixed order, and
//! what is drawn for a subtree comes from a stream of its own.

use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::bins::{Bins, stop_if};
use super::block::Block;
use super::criterion::{Criterion, Entropy, FromF64, Gini, Mass, Score};
use super::draft::Draft;
use super::drawn::{Best, Drawn};
use super::split::{N_BINS, Offer, Whole, scan_histogram};
use super::structure::Tree;
use crate::data::Rng;
use crate::learn::LearnError;
use crate::progress::Progress;

/// Nodes of up to so many rows are grown as a subtree on a copy of their rows.
const SMALL: usize = 1024;

/// Most bytes of the histograms of a node that are kept for its children.
const MAX_HISTOGRAM_BYTES: usize = 64 << 20;

/// How thresholds are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::learn) enum Splitter {
    /// The best of all.
    Best,
    /// One of each feature, drawn between its lowest and highest value in the node.
    Random,
}

/// When and how a node is cut; checked.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::learn) struct Growth {
    pub criterion: Criterion,
    pub splitter: Splitter,
    pub max_depth: usize,
    pub min_samples_split: usize,
    pub min_samples_leaf: usize,
    pub min_impurity_decrease: f64,
    /// Features looked at in each node, `1..=n_features`.
    pub max_features: usize,
    pub max_leaf_nodes: Option<usize>,
}

/// Rows to grow on.
#[derive(Clone, Copy)]
pub(in crate::learn) struct Table<'a> {
    pub bins: &'a Bins,
    /// The same bins by row, `[n_samples, n_features]`.
    pub rows: &'a [u8],
    /// `[n_samples]`, below `n_classes`.
    pub labels: &'a [u32],
    pub n_classes: usize,
}

/// A tree that was grown.
pub(in crate::learn) struct Grown {
    pub tree: Tree,
    /// Shares of the classes, `[n_leaves][n_classes]`.
    pub shares: Vec<f32>,
    /// Mean decrease of impurity by feature, `[n_features]`; not normalised.
    pub gains: Vec<f64>,
}

/// A growth in progress.
pub(super) struct Job<'a, W, S> {
    pub table: Table<'a>,
    /// By row.
    pub masses: &'a [W],
    pub score: S,
    pub growth: &'a Growth,
    /// Sum of the masses.
    pub mass: f64,
    pub progress: &'a dyn Progress,
    n_done: AtomicU64,
    n_rows: u64,
}

impl<W: Mass, S: Score<W>> Job<'_, W, S> {
    /// Whether a node must stay a leaf, whatever its splits.
    pub fn is_leaf(&self, n_rows: usize, depth: usize, masses: &[W]) -> bool {
        let growth = self.growth;
        depth >= growth.max_depth
            || n_rows < growth.min_samples_split
            || n_rows < 2 * growth.min_samples_leaf
            || masses.iter().filter(|&&mass| mass != W::default()).count() < 2
    }

    /// Mass times impurity that the best split takes away, if it is enough.
    pub fn gain(&self, score: f64, whole: &Whole<W>) -> Option<f64> {
        let before = self.score.of_node(self.score.terms(whole.masses), whole.mass);
        let gain = ((score - before) / self.score.scale()).max(0.0);
        // scikit-learn allows for rounding in the same way.
        let is_enough = gain / self.mass + f64::EPSILON >= self.growth.min_impurity_decrease;
        is_enough.then_some(gain)
    }

    /// Adds rows that reached their leaves, and asks whether to stop.
    pub fn done(&self, n_rows: usize) -> Result<(), LearnError> {
        let before = self.n_done.fetch_add(n_rows as u64, Ordering::Relaxed);
        self.progress.update(before + n_rows as u64, self.n_rows, "");
        stop_if(self.progress)
    }

    /// Whether every feature is looked at in every node.
    pub fn takes_all(&self) -> bool {
        self.growth.max_features == self.table.bins.n_features()
    }
}

/// Grows a tree on the rows with a mass above 0. `threads` is whether work is spread over threads.
///
/// # Errors
/// [`LearnError::Interrupted`]
pub(in crate::learn) fn grow<W: Mass + FromF64>(
    table: Table,
    masses: &[W],
    growth: &Growth,
    rng: &mut Rng,
    threads: bool,
    progress: &dyn Progress,
) -> Result<Grown, LearnError> {
    let rows: Vec<u32> =
        (0..masses.len() as u32).filter(|&row| masses[row as usize] != W::default()).collect();
    let mass: f64 = rows.iter().map(|&row| masses[row as usize].into()).sum();
    let (n_done, n_rows) = (AtomicU64::new(0), rows.len() as u64);
    let draft = match growth.criterion {
        Criterion::Gini => {
            let job = Job { table, masses, score: Gini, growth, mass, progress, n_done, n_rows };
            job.grow(rows, rng, threads)
        }
        Criterion::Entropy => {
            let score = Entropy::<W>::new(mass);
            let job = Job { table, masses, score, growth, mass, progress, n_done, n_rows };
            job.grow(rows, rng, threads)
        }
    }?;
    let draft = match growth.max_leaf_nodes {
        Some(max) if draft.tree.n_leaves() > max => draft.best_first(max),
        _ => draft,
    };
    let (shares, gains) = (draft.shares(), draft.gains_by_feature(table.bins.n_features()));
    Ok(Grown { tree: draft.tree, shares, gains })
}

/// A node to cut.
struct Node<W> {
    /// Its place in the draft.
    at: usize,
    depth: usize,
    rows: Vec<u32>,
    /// Features that differ among the rows, as far as is known.
    active: Vec<u32>,
    /// `[n_features][n_slots][N_BINS]`, if it was made already.
    histogram: Option<Vec<W>>,
}

/// A subtree to grow.
struct Seedling {
    at: usize,
    depth: usize,
    rows: Vec<u32>,
    active: Vec<u32>,
    seed: u64,
}

/// The rows of a node, one after another.
struct Gathered<'a, W> {
    rows: &'a [u32],
    /// Class times [`N_BINS`].
    keys: Vec<u32>,
    masses: Vec<W>,
}

impl<W: Mass, S: Score<W>> Job<'_, W, S> {
    fn grow(&self, rows: Vec<u32>, rng: &mut Rng, threads: bool) -> Result<Draft, LearnError> {
        let Table { bins, n_classes, .. } = self.table;
        let active = (0..bins.n_features() as u32).filter(|&f| !bins.is_constant(f as usize));
        // Places in a block are 32 bits.
        let small = SMALL.min(u32::MAX as usize / bins.n_features().max(1));
        let mut draft = Draft::new(n_classes);
        let root = Node { at: 0, depth: 0, rows, active: active.collect(), histogram: None };
        let mut open = vec![root];
        let mut seedlings = Vec::new();
        let mut features: Vec<u32> = (0..bins.n_features() as u32).collect();
        while let Some(mut node) = open.pop() {
            if node.rows.len() <= small {
                let Node { at, depth, rows, active, .. } = node;
                seedlings.push(Seedling { at, depth, rows, active, seed: rng.next_u64() });
                continue;
            }
            stop_if(self.progress)?;
            let gathered = self.gather(&node.rows);
            let masses = gathered.class_masses(n_classes);
            draft.set_masses(node.at, &masses);
            let whole = Whole {
                masses: &masses,
                mass: masses.iter().fold(W::default(), |sum, &mass| sum + mass),
                n_rows: node.rows.len(),
                min_samples_leaf: self.growth.min_samples_leaf,
            };
            let best = if self.is_leaf(node.rows.len(), node.depth, &masses) {
                None
            } else if self.takes_all() && self.growth.splitter == Splitter::Best {
                let (active, histogram) = (&mut node.active, &mut node.histogram);
                self.best_of_all(active, histogram, &gathered, &whole, threads)?
            } else {
                self.best_of_drawn(&gathered, &whole, &mut features, rng)?
            };
            let cut = best.and_then(|best| Some((best, self.gain(best.score, &whole)?)));
            let Some((best, gain)) = cut else {
                self.done(node.rows.len())?;
                continue;
            };
            let left_at = draft.split(node.at, best.feature as usize, best.cut, gain);
            let column = bins.column(best.feature as usize);
            let (left, right): (Vec<u32>, Vec<u32>) =
                node.rows.iter().partition(|&&row| column[row as usize] <= best.cut.bin);
            let (left_histogram, right_histogram) = self.divide(&mut node, &left, &right, threads);
            let depth = node.depth + 1;
            let child = |at, rows, histogram, active| Node { at, depth, rows, active, histogram };
            // The left one comes off the stack first.
            open.push(child(left_at + 1, right, right_histogram, node.active.clone()));
            open.push(child(left_at, left, left_histogram, node.active));
        }
        let grown: Result<Vec<Draft>, LearnError> = seedlings
            .par_iter()
            .with_min_len(if threads { 1 } else { usize::MAX })
            .map(|seedling| {
                let mut block = Block::new(self, &seedling.rows, seedling.seed);
                block.grow(seedling.depth, &seedling.active)
            })
            .collect();
        for (seedling, grown) in seedlings.iter().zip(grown?) {
            draft.graft(seedling.at, &grown);
        }
        Ok(draft)
    }

    fn gather<'r>(&self, rows: &'r [u32]) -> Gathered<'r, W> {
        let key = |&row: &u32| self.table.labels[row as usize] * N_BINS as u32;
        let mass = |&row: &u32| self.masses[row as usize];
        Gathered {
            rows,
            keys: rows.iter().map(key).collect(),
            masses: rows.iter().map(mass).collect(),
        }
    }

    /// Classes, and the numbers of rows where they are asked for.
    fn n_slots(&self) -> usize {
        self.table.n_classes + usize::from(self.growth.min_samples_leaf > 1)
    }

    /// Adds the rows to the histogram of one feature.
    fn count(&self, gathered: &Gathered<W>, feature: usize, histogram: &mut [W]) {
        let column = self.table.bins.column(feature);
        let n_slots = self.n_slots();
        let histogram = &mut histogram[..n_slots * N_BINS];
        if gathered.rows.len() == column.len() {
            for ((&bin, &key), &mass) in column.iter().zip(&gathered.keys).zip(&gathered.masses) {
                histogram[key as usize + usize::from(bin)] += mass;
            }
        } else {
            let rows = gathered.rows.iter().zip(&gathered.keys).zip(&gathered.masses);
            for ((&row, &key), &mass) in rows {
                histogram[key as usize + usize::from(column[row as usize])] += mass;
            }
        }
        if n_slots > self.table.n_classes {
            let n_rows = &mut histogram[self.table.n_classes * N_BINS..];
            for &row in gathered.rows {
                n_rows[usize::from(column[row as usize])] += W::ONE;
            }
        }
    }

    fn keeps_histograms(&self) -> bool {
        let n = self.table.bins.n_features() * self.n_slots() * N_BINS;
        n * size_of::<W>() <= MAX_HISTOGRAM_BYTES
    }

    /// The best split of all features that differ; those that do not leave the list.
    fn best_of_all(
        &self,
        active: &mut Vec<u32>,
        histogram: &mut Option<Vec<W>>,
        gathered: &Gathered<W>,
        whole: &Whole<W>,
        threads: bool,
    ) -> Result<Option<Best>, LearnError> {
        let bins = self.table.bins;
        let size = self.n_slots() * N_BINS;
        let min_len = if threads { 1 } else { usize::MAX };
        let is_made = histogram.is_some();
        let offers: Result<Vec<Offer>, LearnError> = if self.keeps_histograms() {
            let histogram =
                histogram.get_or_insert_with(|| vec![W::default(); bins.n_features() * size]);
            let mut is_active = vec![false; bins.n_features()];
            active.iter().for_each(|&f| is_active[f as usize] = true);
            let parts: Vec<(usize, &mut [W])> = histogram
                .chunks_exact_mut(size)
                .enumerate()
                .filter(|(f, _)| is_active[*f])
                .collect();
            let offer = |(f, histogram): (usize, &mut [W])| {
                stop_if(self.progress)?;
                if !is_made {
                    self.count(gathered, f, histogram);
                }
                Ok(scan_histogram(&self.score, histogram, whole, bins.range(f)))
            };
            parts.into_par_iter().with_min_len(min_len).map(offer).collect()
        } else {
            let offer = |histogram: &mut Vec<W>, &f: &u32| {
                stop_if(self.progress)?;
                histogram.fill(W::default());
                self.count(gathered, f as usize, histogram);
                Ok(scan_histogram(&self.score, histogram, whole, bins.range(f as usize)))
            };
            let room = || vec![W::default(); size];
            active.par_iter().with_min_len(min_len).map_init(room, offer).collect()
        };
        let offers = offers?;
        let mut best: Option<Best> = None;
        for (&feature, offer) in active.iter().zip(&offers) {
            let Offer::Split(split) = offer else { continue };
            if best.is_none_or(|best| split.score > best.score) {
                let cut = bins.cut_between(feature as usize, split.below, split.above);
                best = Some(Best { score: split.score, feature, cut });
            }
        }
        let mut offers = offers.iter();
        active.retain(|_| offers.next() != Some(&Offer::Constant));
        Ok(best)
    }

    /// The histograms of the children, where they will be asked for: the smaller one counted, the
    /// other what is left.
    fn divide(
        &self,
        node: &mut Node<W>,
        left: &[u32],
        right: &[u32],
        threads: bool,
    ) -> (Option<Vec<W>>, Option<Vec<W>>) {
        let is_needed = |rows: &[u32]| rows.len() > SMALL && node.depth + 1 < self.growth.max_depth;
        let Some(mut larger) = node.histogram.take() else { return (None, None) };
        if !is_needed(left) && !is_needed(right) {
            return (None, None);
        }
        let (smaller_rows, larger_is_left) =
            if left.len() < right.len() { (left, false) } else { (right, true) };
        let bins = self.table.bins;
        let size = self.n_slots() * N_BINS;
        let gathered = self.gather(smaller_rows);
        let mut smaller = vec![W::default(); larger.len()];
        let mut is_active = vec![false; bins.n_features()];
        node.active.iter().for_each(|&f| is_active[f as usize] = true);
        larger
            .par_chunks_exact_mut(size)
            .zip(smaller.par_chunks_exact_mut(size))
            .enumerate()
            .with_min_len(if threads { 1 } else { usize::MAX })
            .filter(|(f, _)| is_active[*f])
            .for_each(|(f, (larger, smaller))| {
                self.count(&gathered, f, smaller);
                for (larger, &smaller) in larger.iter_mut().zip(smaller.iter()) {
                    *larger -= smaller;
                }
            });
        let smaller = is_needed(smaller_rows).then_some(smaller);
        if larger_is_left { (Some(larger), smaller) } else { (smaller, Some(larger)) }
    }

    /// The best split of features in the order in which they are drawn: `max_features` of them,
    /// and more until one differs, as scikit-learn.
    fn best_of_drawn(
        &self,
        gathered: &Gathered<W>,
        whole: &Whole<W>,
        features: &mut [u32],
        rng: &mut Rng,
    ) -> Result<Option<Best>, LearnError> {
        let bins = self.table.bins;
        let mut histogram = vec![W::default(); self.n_slots() * N_BINS];
        let class = |&key: &u32| key / N_BINS as u32;
        let classes: Vec<u32> = gathered.keys.iter().map(class).collect();
        let mut drawn = Drawn::new(self, whole);
        while let Some(f) = drawn.next(features, rng) {
            stop_if(self.progress)?;
            if bins.is_constant(f as usize) {
                continue;
            }
            let column = bins.column(f as usize);
            let (offer, cut) = match self.growth.splitter {
                Splitter::Best => {
                    histogram.fill(W::default());
                    self.count(gathered, f as usize, &mut histogram);
                    let offer =
                        scan_histogram(&self.score, &histogram, whole, bins.range(f as usize));
                    (offer, None)
                }
                Splitter::Random => {
                    let here: Vec<u8> =
                        gathered.rows.iter().map(|&row| column[row as usize]).collect();
                    let rows = (&here[..], &classes[..], &gathered.masses[..]);
                    self.random_split(f as usize, rows, whole, rng)
                }
            };
            drawn.take(f, offer, || match (offer, cut) {
                (_, Some(cut)) => cut,
                (Offer::Split(split), None) => {
                    bins.cut_between(f as usize, split.below, split.above)
                }
                _ => unreachable!("only a split is taken"),
            });
        }
        Ok(drawn.best)
    }
}

impl<W: Mass> Gathered<'_, W> {
    fn class_masses(&self, n_classes: usize) -> Vec<W> {
        let mut masses = vec![W::default(); n_classes];
        for (&key, &mass) in self.keys.iter().zip(&self.masses) {
            masses[key as usize / N_BINS] += mass;
        }
        masses
    }
}
