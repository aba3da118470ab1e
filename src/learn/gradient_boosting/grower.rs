//! Grows one tree on gradients.
//!
//! A node is a range of `rows`, whose packed gradients lie beside them in `sums`. When it is cut, its
//! rows are parted in order, the histogram of the child with fewer rows is counted and that of the
//! other is the parent's minus it. Nodes of few rows keep no histogram: counting theirs anew costs
//! less than fetching the parent's 32 KiB a block from memory.

use std::cell::RefCell;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::sync::Mutex;

use rayon::prelude::*;

use super::packed::{Lines, Units};
use super::params::GradientBoostingValidParams;
use crate::kernels::Cpu;
use crate::kernels::histogram::{
    BLOCK_LEN, Block, LANES, Limits, MAX_ROWS, Packing, Quad, add_rows, best_cuts, count_quads,
    subtract,
};
use crate::learn::LearnError;
use crate::learn::tree::bins::Bins;
use crate::learn::tree::structure::Tree;
use crate::progress::Progress;

/// Fewest rows of a node that keeps its histogram.
const KEEP: usize = 1024;

/// Fewest blocks that a thread takes at a time.
const BLOCKS_A_TASK: usize = 8;

thread_local! {
    /// Histograms of nodes that keep none.
    static SCRATCH: RefCell<[Box<Block>; 2]> =
        RefCell::new(std::array::from_fn(|_| Box::new([0; BLOCK_LEN])));
}

/// What all trees of a fit have in common.
pub(super) struct Grower<'a> {
    params: &'a GradientBoostingValidParams,
    bins: &'a Bins,
    lines: Lines,
    cpu: Cpu,
    /// Histograms to use again: fresh ones cost a page fault every 4 KiB.
    spare: Mutex<Vec<Vec<u64>>>,
    progress: &'a dyn Progress,
}

/// The samples of one tree.
pub(super) struct Sums {
    /// Rows that count.
    pub rows: Vec<u32>,
    /// Their packed gradients.
    pub sums: Vec<u64>,
    pub packing: Packing,
    pub units: Units,
    /// The histogram of all of them, where it is known.
    pub root: Option<Vec<u64>>,
}

/// A tree and where its rows went.
pub(super) struct Grown {
    pub tree: Tree,
    /// All rows, leaf by leaf.
    pub rows: Vec<u32>,
    /// Range of the rows of each leaf, by its number.
    pub leaves: Vec<Range<usize>>,
    /// Feature and gain of each cut.
    pub gains: Vec<(usize, f64)>,
}

#[derive(Clone, Copy, Debug)]
struct Cut {
    feature: usize,
    bin: u8,
    /// Sum of the left child.
    left: u64,
    gain: f64,
}

/// A node that may be cut.
struct Node {
    /// In the tree.
    at: usize,
    rows: Range<usize>,
    depth: usize,
    total: u64,
    histogram: Option<Vec<u64>>,
    cut: Cut,
    /// The highest is cut next: the gain where leaves are limited. Else the order does not matter to
    /// the tree, and fewest rows first keeps the fewest histograms.
    priority: f64,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Node {}

impl PartialOrd for Node {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Node {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.priority.total_cmp(&other.priority).then(other.at.cmp(&self.at))
    }
}

/// A node whose best cut is looked for.
struct Side {
    rows: Range<usize>,
    total: u64,
}

/// Where the histogram of a node's larger child, or of the root, comes from.
#[derive(Clone, Copy)]
enum How {
    /// Its rows.
    Count,
    /// The parent's, which is in its place, minus the smaller child's.
    Subtract,
    /// It is in its place.
    Known,
}

/// What was found of a node.
#[derive(Default)]
struct Found {
    histogram: Option<Vec<u64>>,
    cut: Option<Cut>,
}

/// A block of either node's histogram, where it is kept.
type Room<'a> = (Option<&'a mut Block>, Option<&'a mut Block>);

/// One tree as it grows.
struct Growth<'g, 'a> {
    grower: &'g Grower<'a>,
    samples: Sums,
    /// Features that may be cut, a bit a lane, by block.
    allowed: Vec<u16>,
    min_n: u64,
    min_h: u64,
    lambda: f64,
    /// Room for the rows that go right.
    parting: (Vec<u32>, Vec<u64>),
}

impl<'a> Grower<'a> {
    pub fn new(
        params: &'a GradientBoostingValidParams,
        bins: &'a Bins,
        progress: &'a dyn Progress,
    ) -> Self {
        let (lines, cpu) = (Lines::of(bins), Cpu::detect());
        Grower { params, bins, lines, cpu, spare: Mutex::default(), progress }
    }

    /// Features that cuts may be on.
    pub fn features(&self) -> &[usize] {
        self.lines.features()
    }

    /// Whether histograms of so many rows are kept, so that it pays to count those of roots together.
    pub fn keeps_roots(&self, n_rows: usize) -> bool {
        n_rows >= KEEP
    }

    /// Histograms of all rows for four trees.
    pub fn roots(&self, quads: &[Quad]) -> [Vec<u64>; 4] {
        let mut roots = std::array::from_fn(|_| self.take_histogram());
        let [a, b, c, d] = roots.each_mut().map(|root| root.as_chunks_mut::<BLOCK_LEN>().0);
        let blocks = a.par_iter_mut().zip(b).zip(c).zip(d).enumerate();
        let room = || Box::new([Quad::default(); BLOCK_LEN]);
        blocks.for_each_init(room, |cells, (block, (((a, b), c), d))| {
            count_quads(self.cpu, self.lines.block(block), quads, cells, [a, b, c, d]);
        });
        roots
    }

    /// Grows a tree on some of [`Grower::features`], given by their positions.
    ///
    /// # Errors
    /// [`LearnError::Interrupted`]
    pub fn grow(
        &self,
        samples: Sums,
        positions: impl IntoIterator<Item = usize>,
    ) -> Result<Grown, LearnError> {
        let mut allowed = vec![0; self.lines.n_blocks()];
        for position in positions {
            allowed[position / LANES] |= 1u16 << (position % LANES);
        }
        // Within bounds, so that twice as much does not overflow.
        let min_n = self.params.min_samples_leaf.min(MAX_ROWS) as u64;
        let min_h = (self.params.min_child_weight / samples.units.h).ceil().clamp(1.0, 1e15) as u64;
        let lambda = self.params.l2_regularization / samples.units.h;
        let n = samples.rows.len();
        let parting = (vec![0; n], vec![0; n]);
        Growth { grower: self, samples, allowed, min_n, min_h, lambda, parting }.grow()
    }

    fn take_histogram(&self) -> Vec<u64> {
        let spare = self.spare.lock().unwrap_or_else(|error| error.into_inner()).pop();
        spare.unwrap_or_else(|| vec![0; self.lines.n_blocks() * BLOCK_LEN])
    }

    fn give_back(&self, histogram: Option<Vec<u64>>) {
        self.spare.lock().unwrap_or_else(|error| error.into_inner()).extend(histogram);
    }
}

impl Growth<'_, '_> {
    fn grow(mut self) -> Result<Grown, LearnError> {
        let params = self.grower.params;
        let mut tree = Tree::new();
        let all = 0..self.samples.rows.len();
        let mut ranges = vec![all.clone()];
        let mut gains = Vec::new();
        let mut open = BinaryHeap::new();
        let total = self.samples.sums.iter().fold(0, |sum: u64, &word| sum.wrapping_add(word));
        let root = Side { rows: all, total };
        let given = self.samples.root.take();
        let found = self.examine_root(&root, given);
        self.push(&mut open, 0, 0, root, found);
        let max_leaves = params.max_leaf_nodes.unwrap_or(usize::MAX);
        while tree.n_leaves() < max_leaves {
            let Some(node) = open.pop() else { break };
            if self.grower.progress.interrupted() {
                return Err(LearnError::Interrupted);
            }
            let Cut { feature, left, gain, .. } = node.cut;
            let (n_left, below, above) = self.part(&node);
            let threshold = self.grower.bins.cut_between(feature, below, above).threshold;
            let at = tree.split(node.at, feature, threshold);
            gains.push((feature, gain));
            let middle = node.rows.start + n_left;
            let sides = [
                Side { rows: node.rows.start..middle, total: left },
                Side { rows: middle..node.rows.end, total: node.total.wrapping_sub(left) },
            ];
            ranges.extend(sides.iter().map(|side| side.rows.clone()));
            let depth = node.depth + 1;
            let is_last =
                tree.n_leaves() == max_leaves || params.max_depth.is_some_and(|max| depth >= max);
            let founds = match is_last {
                true => {
                    self.grower.give_back(node.histogram);
                    Default::default()
                }
                false => self.examine(&sides, node.histogram),
            };
            for ((nth, side), found) in sides.into_iter().enumerate().zip(founds) {
                self.push(&mut open, at + nth, depth, side, found);
            }
        }
        for node in open {
            self.grower.give_back(node.histogram);
        }
        let leaves = (0..tree.n_nodes()).filter(|&node| tree.is_leaf(node));
        let leaves = leaves.map(|node| ranges[node].clone()).collect();
        Ok(Grown { tree, rows: self.samples.rows, leaves, gains })
    }

    fn push(&self, open: &mut BinaryHeap<Node>, at: usize, depth: usize, side: Side, found: Found) {
        let Some(cut) = found.cut else { return self.grower.give_back(found.histogram) };
        let priority = match self.grower.params.max_leaf_nodes {
            Some(_) => cut.gain,
            None => -(side.rows.len() as f64),
        };
        let Side { rows, total } = side;
        open.push(Node { at, rows, depth, total, histogram: found.histogram, cut, priority });
    }

    /// Parts the rows of a node by its cut, in order; the number that go left, the highest bin among
    /// them and the lowest among the others.
    fn part(&mut self, node: &Node) -> (usize, u8, u8) {
        let column = self.grower.bins.column(node.cut.feature);
        let rows = &mut self.samples.rows[node.rows.clone()];
        let sums = &mut self.samples.sums[node.rows.clone()];
        let (right_rows, right_sums) = &mut self.parting;
        let (mut n_left, mut n_right) = (0, 0);
        let (mut below, mut above) = (0, u8::MAX);
        for at in 0..rows.len() {
            let (row, sum) = (rows[at], sums[at]);
            let bin = column[row as usize];
            let goes_left = bin <= node.cut.bin;
            // Both are written and one is kept: no branch to mispredict.
            (rows[n_left], sums[n_left]) = (row, sum);
            (right_rows[n_right], right_sums[n_right]) = (row, sum);
            n_left += usize::from(goes_left);
            n_right += usize::from(!goes_left);
            below = below.max(if goes_left { bin } else { 0 });
            above = above.min(if goes_left { u8::MAX } else { bin });
        }
        rows[n_left..].copy_from_slice(&right_rows[..n_right]);
        sums[n_left..].copy_from_slice(&right_sums[..n_right]);
        (n_left, below, above)
    }

    fn limits(&self, side: &Side) -> Limits {
        Limits {
            total: side.total,
            min_n: self.min_n,
            min_h: self.min_h,
            lambda: self.lambda,
            packing: self.samples.packing,
        }
    }

    /// Whether a node has enough rows and weight for two children.
    fn may_be_cut(&self, side: &Side) -> bool {
        let parts = self.samples.packing.parts(side.total);
        parts.n >= 2 * self.min_n && parts.h >= 2 * self.min_h
    }

    fn examine_root(&self, root: &Side, given: Option<Vec<u64>>) -> Found {
        if !self.may_be_cut(root) {
            return Found { histogram: given, cut: None };
        }
        let how = if given.is_some() { How::Known } else { How::Count };
        let take = || (root.rows.len() >= KEEP).then(|| self.grower.take_histogram());
        let mut kept = given.or_else(take);
        let cut = self.best_of_blocks([None, Some(root)], [None, kept.as_mut()], how)[1];
        Found { histogram: kept, cut }
    }

    /// The best cuts of the left and the right child of a node that kept `parent`.
    fn examine(&self, sides: &[Side; 2], parent: Option<Vec<u64>>) -> [Found; 2] {
        let small = usize::from(sides[1].rows.len() < sides[0].rows.len());
        let large = 1 - small;
        let [wants_small, wants_large] = [small, large].map(|side| self.may_be_cut(&sides[side]));
        if !wants_small && !wants_large {
            self.grower.give_back(parent);
            return Default::default();
        }
        let subtracts = wants_large && parent.is_some();
        let keeps = |side: usize| sides[side].rows.len() >= KEEP;
        let mut of_small = (wants_small && keeps(small)).then(|| self.grower.take_histogram());
        let mut of_large = parent;
        let asked = [
            (wants_small || subtracts).then_some(&sides[small]),
            wants_large.then_some(&sides[large]),
        ];
        let kept = [of_small.as_mut(), of_large.as_mut().filter(|_| subtracts)];
        let how = if subtracts { How::Subtract } else { How::Count };
        let cuts = self.best_of_blocks(asked, kept, how);
        if !(wants_large && keeps(large)) {
            self.grower.give_back(of_large.take());
        }
        let mut founds = [Found::default(), Found::default()];
        founds[small] = Found { histogram: of_small, cut: cuts[0].filter(|_| wants_small) };
        founds[large] = Found { histogram: of_large, cut: cuts[1] };
        founds
    }

    /// The best cut of each node over all blocks, the first of equals. Histograms are left in `kept`
    /// where there is room; `how` the second comes about.
    fn best_of_blocks(
        &self,
        sides: [Option<&Side>; 2],
        kept: [Option<&mut Vec<u64>>; 2],
        how: How,
    ) -> [Option<Cut>; 2] {
        let n_blocks = self.grower.lines.n_blocks();
        let [first, second] = kept.map(|kept| blocks_of(kept, n_blocks));
        let jobs: Vec<_> = first.into_iter().zip(second).enumerate().collect();
        let of_block = |(block, (first, second)): (usize, Room)| {
            if self.allowed[block] == 0 {
                return [None; 2];
            }
            SCRATCH.with_borrow_mut(|[scratch, other]| {
                let first: &mut Block = first.unwrap_or(scratch);
                if let Some(side) = sides[0] {
                    self.count(block, side, first);
                }
                let second: &mut Block = second.unwrap_or(other);
                match (how, sides[1]) {
                    (How::Count, Some(side)) => self.count(block, side, second),
                    (How::Subtract, _) => subtract(self.grower.cpu, second, first),
                    (How::Count, None) | (How::Known, _) => {}
                }
                [(sides[0], &*first), (sides[1], &*second)]
                    .map(|(side, counts)| side.and_then(|side| self.best(block, side, counts)))
            })
        };
        let found: Vec<[Option<Cut>; 2]> =
            jobs.into_par_iter().with_min_len(BLOCKS_A_TASK).map(of_block).collect();
        let better = |best: Option<Cut>, cut: Option<Cut>| match (best, cut) {
            (Some(best), Some(cut)) if cut.gain > best.gain => Some(cut),
            (best, cut) => best.or(cut),
        };
        found
            .into_iter()
            .fold([None; 2], |[first, second], [a, b]| [better(first, a), better(second, b)])
    }

    fn count(&self, block: usize, side: &Side, counts: &mut Block) {
        counts.fill(0);
        let Sums { rows, sums, .. } = &self.samples;
        let bins = self.grower.lines.block(block);
        add_rows(bins, &rows[side.rows.clone()], &sums[side.rows.clone()], counts);
    }

    /// The best cut of a node among the features of a block.
    fn best(&self, block: usize, side: &Side, counts: &Block) -> Option<Cut> {
        let Sums { packing, units, .. } = &self.samples;
        let found = best_cuts(self.grower.cpu, counts, &self.limits(side));
        let node = packing.parts(side.total);
        let (g, h) = (node.g as f64, node.h as f64);
        let h_both = h + 2.0 * self.lambda;
        // Not above 0: what a cut costs where leaves are penalised.
        let constant = g * g / h_both - g * g / (h + self.lambda);
        let to_gain = units.g * units.g / units.h;
        // Variance of `D` that the rounding of rows alone gives: such a cut may gain nothing.
        let mean = g / h_both;
        let noise = node.n as f64 * (1.0 + mean * mean);
        let mut best: Option<Cut> = None;
        for lane in (0..LANES).filter(|lane| self.allowed[block] >> lane & 1 == 1) {
            if found.num[lane] <= noise {
                continue;
            }
            let gain = (h_both * found.num[lane] / found.den[lane] + constant) * to_gain;
            if gain > best.map_or(0.0, |best| best.gain) {
                let feature = self.grower.features()[block * LANES + lane];
                let bin = found.bin[lane] as u8;
                best = Some(Cut { feature, bin, left: found.left[lane], gain });
            }
        }
        best
    }
}

/// The blocks of a histogram, if there is one.
fn blocks_of(histogram: Option<&mut Vec<u64>>, n_blocks: usize) -> Vec<Option<&mut Block>> {
    match histogram {
        Some(all) => all.as_chunks_mut::<BLOCK_LEN>().0.iter_mut().map(Some).collect(),
        None => (0..n_blocks).map(|_| None).collect(),
    }
}
