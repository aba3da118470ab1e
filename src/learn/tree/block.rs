//! A subtree grown on a copy of its rows, which fits in the cache of a core.

use std::ops::Range;

use super::bins::Cut;
use super::criterion::{Mass, Score};
use super::draft::Draft;
use super::drawn::{Best, Drawn};
use super::grow::{Job, Splitter};
use super::split::{Cells, N_BINS, Offer, Whole, scan_histogram};
use crate::data::Rng;
use crate::learn::LearnError;

/// Rows of a subtree.
pub(super) struct Block<'j, 'a, W, S> {
    job: &'j Job<'a, W, S>,
    /// `[n_rows, n_features]`
    bins: Vec<u8>,
    labels: Vec<u32>,
    masses: Vec<W>,
    /// The rows, those of a node next to each other.
    order: Vec<u32>,
    rng: Rng,
    /// Features in the order of the last draws.
    features: Vec<u32>,
    two: Cells<W, 2>,
    four: Cells<W, 4>,
    eight: Cells<W, 8>,
    sixteen: Cells<W, 16>,
    /// Bins of a node's rows, of the feature at hand.
    column: Vec<u8>,
    draft: Draft,
}

/// The rows of one node, one after another.
struct Gathered<W> {
    /// Where a row starts in the block.
    offsets: Vec<u32>,
    /// Positions among the classes that the node has.
    classes: Vec<u16>,
    masses: Vec<W>,
}

impl<'j, 'a, W: Mass, S: Score<W>> Block<'j, 'a, W, S> {
    pub fn new(job: &'j Job<'a, W, S>, rows: &[u32], seed: u64) -> Self {
        let n_features = job.table.bins.n_features();
        let row = |&row: &u32| &job.table.rows[row as usize * n_features..][..n_features];
        let mut bins = Vec::with_capacity(rows.len() * n_features);
        rows.iter().for_each(|of| bins.extend_from_slice(row(of)));
        Block {
            job,
            bins,
            labels: rows.iter().map(|&row| job.table.labels[row as usize]).collect(),
            masses: rows.iter().map(|&row| job.masses[row as usize]).collect(),
            order: (0..rows.len() as u32).collect(),
            rng: Rng::new(seed, &["subtree"]),
            features: (0..n_features as u32).collect(),
            two: Cells::new(),
            four: Cells::new(),
            eight: Cells::new(),
            sixteen: Cells::new(),
            column: Vec::new(),
            draft: Draft::new(job.table.n_classes),
        }
    }

    /// The subtree; its root is at `depth`, and features that are not in `active` are constant.
    pub fn grow(&mut self, depth: usize, active: &[u32]) -> Result<Draft, LearnError> {
        self.node(0, 0..self.order.len(), depth, active)?;
        Ok(std::mem::replace(&mut self.draft, Draft::new(0)))
    }

    fn node(
        &mut self,
        at: usize,
        rows: Range<usize>,
        depth: usize,
        active: &[u32],
    ) -> Result<(), LearnError> {
        let job = self.job;
        let n_classes = job.table.n_classes;
        let mut masses = vec![W::default(); n_classes];
        for &row in &self.order[rows.clone()] {
            masses[self.labels[row as usize] as usize] += self.masses[row as usize];
        }
        self.draft.set_masses(at, &masses);
        if job.is_leaf(rows.len(), depth, &masses) {
            return job.done(rows.len());
        }
        let present: Vec<usize> = (0..n_classes).filter(|&c| masses[c] != W::default()).collect();
        let of_present: Vec<W> = present.iter().map(|&class| masses[class]).collect();
        let gathered = self.gather(rows.clone(), &present);
        let whole = Whole {
            masses: &of_present,
            mass: of_present.iter().fold(W::default(), |sum, &mass| sum + mass),
            n_rows: rows.len(),
            min_samples_leaf: job.growth.min_samples_leaf,
        };
        let mut still_active = Vec::new();
        let best = if job.takes_all() && job.growth.splitter == Splitter::Best {
            still_active.reserve(active.len());
            self.best_of_all(&gathered, &whole, active, &mut still_active)
        } else {
            self.best_of_drawn(&gathered, &whole)
        };
        let cut = best.and_then(|best| Some((best, job.gain(best.score, &whole)?)));
        let Some((best, gain)) = cut else { return job.done(rows.len()) };
        let left_at = self.draft.split(at, best.feature as usize, best.cut, gain);
        let n_features = job.table.bins.n_features();
        let bin = |row: u32| self.bins[row as usize * n_features + best.feature as usize];
        let (left, right): (Vec<u32>, Vec<u32>) =
            self.order[rows.clone()].iter().partition(|&&row| bin(row) <= best.cut.bin);
        let middle = rows.start + left.len();
        self.order[rows.start..middle].copy_from_slice(&left);
        self.order[middle..rows.end].copy_from_slice(&right);
        drop(gathered);
        self.node(left_at, rows.start..middle, depth + 1, &still_active)?;
        self.node(left_at + 1, middle..rows.end, depth + 1, &still_active)
    }

    fn gather(&self, rows: Range<usize>, present: &[usize]) -> Gathered<W> {
        let n_features = self.job.table.bins.n_features() as u32;
        let mut code = vec![0u16; self.job.table.n_classes];
        for (nth, &class) in present.iter().enumerate() {
            // There are no more classes than rows.
            code[class] = nth as u16;
        }
        let rows = &self.order[rows];
        Gathered {
            offsets: rows.iter().map(|&row| row * n_features).collect(),
            classes: rows.iter().map(|&row| code[self.labels[row as usize] as usize]).collect(),
            masses: rows.iter().map(|&row| self.masses[row as usize]).collect(),
        }
    }

    /// What a feature offers, by its masses in every bin.
    #[inline(always)]
    fn offer(&mut self, gathered: &Gathered<W>, whole: &Whole<W>, feature: u32) -> Offer {
        let Gathered { offsets, classes, masses } = gathered;
        let (bins, score) = (&self.bins, &self.job.score);
        let bin_of = |offset: u32| bins[(offset + feature) as usize];
        match whole.masses.len() {
            0..=2 => self.two.scan(score, whole, offsets, classes, masses, bin_of),
            3..=4 => self.four.scan(score, whole, offsets, classes, masses, bin_of),
            5..=8 => self.eight.scan(score, whole, offsets, classes, masses, bin_of),
            9..=16 => self.sixteen.scan(score, whole, offsets, classes, masses, bin_of),
            n_classes => {
                let mut histogram = vec![W::default(); (n_classes + 1) * N_BINS];
                for ((&offset, &class), &mass) in offsets.iter().zip(classes).zip(masses) {
                    let bin = usize::from(bin_of(offset));
                    histogram[usize::from(class) * N_BINS + bin] += mass;
                    histogram[n_classes * N_BINS + bin] += W::ONE;
                }
                scan_histogram(score, &histogram, whole, (0, u8::MAX))
            }
        }
    }

    fn best_of_all(
        &mut self,
        gathered: &Gathered<W>,
        whole: &Whole<W>,
        active: &[u32],
        still_active: &mut Vec<u32>,
    ) -> Option<Best> {
        let perfect = self.job.score.perfect(whole.mass);
        let mut best: Option<Best> = None;
        for &feature in active {
            let offer = self.offer(gathered, whole, feature);
            if offer != Offer::Constant {
                still_active.push(feature);
            }
            let Offer::Split(split) = offer else { continue };
            if best.is_none_or(|best| split.score > best.score) {
                let bins = self.job.table.bins;
                let cut = bins.cut_between(feature as usize, split.below, split.above);
                best = Some(Best { score: split.score, feature, cut });
                // Both sides are pure: nothing is better, and the children stay leaves.
                if split.score >= perfect {
                    break;
                }
            }
        }
        best
    }

    fn best_of_drawn(&mut self, gathered: &Gathered<W>, whole: &Whole<W>) -> Option<Best> {
        let job = self.job;
        let bins = job.table.bins;
        let mut features = std::mem::take(&mut self.features);
        let mut drawn = Drawn::new(job, whole);
        while let Some(f) = drawn.next(&mut features, &mut self.rng) {
            if bins.is_constant(f as usize) {
                continue;
            }
            match job.growth.splitter {
                Splitter::Best => {
                    let offer = self.offer(gathered, whole, f);
                    drawn.take(f, offer, || match offer {
                        Offer::Split(s) => bins.cut_between(f as usize, s.below, s.above),
                        _ => unreachable!("only a split is taken"),
                    });
                }
                Splitter::Random => {
                    let Gathered { offsets, classes, masses } = gathered;
                    let bin = |&offset: &u32| self.bins[(offset + f) as usize];
                    self.column.clear();
                    self.column.extend(offsets.iter().map(bin));
                    let rows = (&self.column[..], &classes[..], &masses[..]);
                    let (offer, cut) = job.random_split(f as usize, rows, whole, &mut self.rng);
                    drawn.take(f, offer, || cut.unwrap_or(Cut { bin: 0, threshold: 0.0 }));
                }
            }
        }
        self.features = features;
        drawn.best
    }
}
