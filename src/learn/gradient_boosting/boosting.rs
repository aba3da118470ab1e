//! The rounds: gradients of the loss at the scores so far, a tree a column, a step in its direction.
//!
//! Friedman, Annals of Statistics 29 (2001), 1189-1232, with Newton steps in the leaves: a leaf of
//! sums `G` and `H` gets `-learning_rate G / (H + l2_regularization)`. The trees of a round grow side
//! by side from the same gradients.

use rayon::prelude::*;

use super::grower::{Grower, Grown, Sums};
use super::loss::{Grad, TILE, TileSums, baseline, gradients, loss};
use super::model::{BoostingReport, GradientBoosting, LeafTree};
use super::packed::{Units, pack_tile};
use super::params::{EarlyStopping, GradientBoostingValidParams};
use crate::data::{Features, Rng};
use crate::kernels::histogram::{MAX_ROWS, Packing, Quad};
use crate::learn::input::check_samples;
use crate::learn::tree::bins::Bins;
use crate::learn::{InputError, LearnError, Samples};
use crate::progress::Progress;

/// Keeps a leaf of no curvature from an infinite step, as scikit-learn.
const TINY: f64 = 1e-15;

/// Samples that count, with their classes as positions among those present.
struct Rows {
    features: Features,
    classes: Vec<u32>,
    weights: Option<Vec<f64>>,
}

impl Rows {
    fn len(&self) -> usize {
        self.classes.len()
    }

    fn select(&self, idx: &[usize]) -> Rows {
        Rows {
            features: self.features.select(idx),
            classes: idx.iter().map(|&row| self.classes[row]).collect(),
            weights: self.weights.as_ref().map(|all| idx.iter().map(|&row| all[row]).collect()),
        }
    }

    fn weight(&self, row: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| weights[row])
    }

    fn total_weight(&self) -> f64 {
        (0..self.len()).map(|row| self.weight(row)).sum()
    }
}

impl GradientBoostingValidParams {
    /// Fits a classifier; the same samples and seed give the same one for any number of threads.
    ///
    /// # Errors
    /// Samples that cannot be fitted: of other lengths, not finite, with bad weights, of fewer than
    /// two classes, more than [`MAX_ROWS`]; too few of a class to hold some out; or an interruption.
    ///
    /// # Cost
    /// A tree of `m` leaves over `n` rows of `d` features: about `n d` to `n d log2 m` additions of a
    /// quarter of a nanosecond, and `2 m d` scans of 256 bins.
    pub fn fit_model(
        &self,
        samples: Samples,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<GradientBoosting, LearnError> {
        let checked = check_samples(&samples, 2)?;
        let classes: Vec<usize> =
            (0..checked.n_classes).filter(|&class| checked.is_present[class]).collect();
        let found = checked.features.n_samples();
        if found > MAX_ROWS {
            return Err(InputError::TooManySamples { found, limit: MAX_ROWS }.into());
        }
        let all = rows_that_count(&samples, &checked.features, &classes);
        let n_features = all.features.n_features();
        match self.early_stopping {
            None => self.boost(&all, None, classes, n_features, seed, progress),
            Some(early_stopping) => {
                let (train, held_out) = hold_out(&all, &classes, early_stopping, seed)?;
                let validation = Validation::new(held_out, early_stopping);
                self.boost(&train, Some(validation), classes, n_features, seed, progress)
            }
        }
    }

    fn boost(
        &self,
        rows: &Rows,
        mut validation: Option<Validation>,
        classes: Vec<usize>,
        n_features: usize,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<GradientBoosting, LearnError> {
        let mut class_weights = vec![0.0; classes.len()];
        for (row, &class) in rows.classes.iter().enumerate() {
            class_weights[class as usize] += rows.weight(row);
        }
        let baseline = baseline(&class_weights);
        let bins = Bins::of(&rows.features, progress)?;
        let grower = Grower::new(self, &bins, progress);
        let mut scores = Scores::new(rows, &baseline);
        if let Some(validation) = &mut validation {
            validation.start(&baseline);
        }
        let mut trees: Vec<LeafTree> = Vec::new();
        let mut importances = vec![0.0; n_features];
        let mut gains_by_round = Vec::new();
        let mut train_loss = Vec::new();
        for round in 0..self.n_estimators {
            train_loss.push(scores.differentiate());
            progress.update(
                round as u64,
                self.n_estimators as u64,
                &format!("loss {:.4}", train_loss[round]),
            );
            let bag = self.bag(rows.len(), seed, round);
            let roots = match bag {
                None => scores.roots(&grower),
                Some(_) => (0..baseline.len()).map(|_| None).collect(),
            };
            let grow = |(column, root)| {
                let samples = scores.sums(column, bag.as_deref(), root);
                let grown = grower.grow(samples, self.positions(&grower, seed, round, column))?;
                Ok(scores.step_of(column, grown, self, bag.is_some()))
            };
            let steps: Result<Vec<Step>, LearnError> =
                roots.into_par_iter().enumerate().map(grow).collect();
            let steps = steps?;
            scores.advance(&steps);
            let mut gains = Vec::new();
            for step in steps {
                trees.push(step.tree);
                gains.extend(step.gains);
            }
            gains_by_round.push(gains);
            if let Some(validation) = &mut validation {
                let newest = &trees[trees.len() - baseline.len()..];
                if validation.advance(newest) {
                    break;
                }
            }
        }
        train_loss.push(scores.differentiate());
        let best_round = validation.as_ref().map_or(gains_by_round.len(), Validation::best_round);
        trees.truncate(best_round * baseline.len());
        for &(feature, gain) in gains_by_round[..best_round].iter().flatten() {
            importances[feature] += gain;
        }
        let total: f64 = importances.iter().sum();
        if total > 0.0 {
            importances.iter_mut().for_each(|gain| *gain /= total);
        }
        let report = BoostingReport {
            n_rounds: gains_by_round.len(),
            best_round,
            train_loss,
            validation_loss: validation.map_or(Vec::new(), |validation| validation.curve),
            exact_bins: bins.is_exact(),
        };
        Ok(GradientBoosting::new(classes, baseline, trees, importances, report))
    }

    /// Rows that a round's trees grow on, ascending; all if there is none.
    fn bag(&self, n_rows: usize, seed: u64, round: usize) -> Option<Vec<u32>> {
        (self.subsample < 1.0).then(|| {
            let mut rng = Rng::new(seed, &["gradient-boosting", "rows", &round.to_string()]);
            draw(n_rows, self.subsample, &mut rng).into_iter().map(|row| row as u32).collect()
        })
    }

    /// Positions among the grower's features that a tree may cut.
    fn positions(&self, grower: &Grower, seed: u64, round: usize, column: usize) -> Vec<usize> {
        let n = grower.features().len();
        if self.colsample == 1.0 {
            return (0..n).collect();
        }
        let purpose = ["gradient-boosting", "features", &round.to_string(), &column.to_string()];
        draw(n, self.colsample, &mut Rng::new(seed, &purpose))
    }
}

/// A share of `0..n` without replacement, at least one, ascending.
fn draw(n: usize, share: f64, rng: &mut Rng) -> Vec<usize> {
    let n_drawn = ((share * n as f64).round() as usize).clamp(1.min(n), n);
    let mut all: Vec<usize> = (0..n).collect();
    rng.shuffle(&mut all);
    all.truncate(n_drawn);
    all.sort_unstable();
    all
}

/// Rows of weight 0 are left out, so that they count for nothing, not even as samples of a leaf. The
/// others are put in the order of their classes: rows of a node are then near each other in memory
/// (a tenth of the time of a fit).
fn rows_that_count(samples: &Samples, features: &Features, classes: &[usize]) -> Rows {
    let position = |label: usize| classes.binary_search(&label).unwrap_or_default() as u32;
    let counts = |row: &usize| samples.weights.is_none_or(|weights| weights[*row] > 0.0);
    let mut kept: Vec<usize> = (0..features.n_samples()).filter(counts).collect();
    kept.sort_by_key(|&row| samples.labels[row]);
    Rows {
        features: features.select(&kept),
        classes: kept.iter().map(|&row| position(samples.labels[row])).collect(),
        weights: samples.weights.map(|all| kept.iter().map(|&row| all[row]).collect()),
    }
}

/// Rows to grow on and rows held out, a share of each class.
fn hold_out(
    all: &Rows,
    classes: &[usize],
    early_stopping: EarlyStopping,
    seed: u64,
) -> Result<(Rows, Rows), LearnError> {
    let share = early_stopping.validation_fraction;
    let mut is_held_out = vec![false; all.len()];
    for (position, &class) in classes.iter().enumerate() {
        let of_class: Vec<usize> =
            (0..all.len()).filter(|&row| all.classes[row] as usize == position).collect();
        let found = of_class.len();
        if found < 2 {
            let what = format!("holding samples of class {class} out");
            return Err(InputError::TooFewSamples { what, needed: 2, found }.into());
        }
        let purpose = ["gradient-boosting", "validation", &class.to_string()];
        for at in draw(found, share.min(1.0 - 1.0 / found as f64), &mut Rng::new(seed, &purpose)) {
            is_held_out[of_class[at]] = true;
        }
    }
    let part = |wanted: bool| -> Vec<usize> {
        (0..all.len()).filter(|&row| is_held_out[row] == wanted).collect()
    };
    Ok((all.select(&part(false)), all.select(&part(true))))
}

/// Raw scores of the rows that are fitted, and their gradients, in tiles.
struct Scores<'a> {
    rows: &'a Rows,
    n_columns: usize,
    total_weight: f64,
    raw: Vec<f64>,
    grads: Vec<Grad>,
    words: Vec<u64>,
    packing: Packing,
    units: Vec<Units>,
}

/// What a tree adds to the scores of its column.
struct Step {
    tree: LeafTree,
    gains: Vec<(usize, f64)>,
    /// By row.
    values: Vec<f64>,
}

impl<'a> Scores<'a> {
    fn new(rows: &'a Rows, baseline: &[f64]) -> Self {
        let n_columns = baseline.len();
        let n_tiles = rows.len().div_ceil(TILE);
        let of_tile = baseline.iter().flat_map(|&score| [score; TILE]);
        let n_values = n_tiles * n_columns * TILE;
        Scores {
            rows,
            n_columns,
            total_weight: rows.total_weight(),
            raw: of_tile.cycle().take(n_values).collect(),
            grads: vec![[0.0; 2]; n_values],
            words: vec![0; n_values],
            packing: Packing::of(rows.len()),
            units: vec![],
        }
    }

    /// Gradients at the scores, packed; the mean loss there.
    fn differentiate(&mut self) -> f64 {
        let tile_len = self.n_columns * TILE;
        let weights = self.rows.weights.as_deref();
        let of_tile = |(tile, (raw, grads)): (usize, (&[f64], &mut [Grad]))| {
            let at = tile * TILE..((tile + 1) * TILE).min(self.rows.len());
            let weights = weights.map(|weights| &weights[at.clone()]);
            gradients(raw, &self.rows.classes[at], weights, grads)
        };
        let raw = self.raw.par_chunks_exact(tile_len);
        let sums: Vec<TileSums> =
            raw.zip(self.grads.par_chunks_exact_mut(tile_len)).enumerate().map(of_tile).collect();
        let units = |column: usize| {
            let sum = |of_tile: fn(&TileSums) -> &[f64]| -> f64 {
                sums.iter().map(|sums| of_tile(sums)[column]).sum()
            };
            let (g, h) =
                self.packing.units(sum(|sums| &sums.abs_g), sum(|sums| &sums.h), sums.len());
            Units { g, h }
        };
        self.units = (0..self.n_columns).map(units).collect();
        let columns = self.grads.par_chunks_exact(TILE).enumerate();
        columns.zip(self.words.par_chunks_exact_mut(TILE)).for_each(|((nth, grads), words)| {
            pack_tile(self.packing, self.units[nth % self.n_columns], grads, words);
        });
        sums.iter().map(|sums| sums.loss).sum::<f64>() / self.total_weight
    }

    /// Position of a row's value of a column.
    fn at(&self, column: usize, row: usize) -> usize {
        (row / TILE * self.n_columns + column) * TILE + row % TILE
    }

    /// The samples of a column's tree: those of the bag, or all.
    fn sums(&self, column: usize, bag: Option<&[u32]>, root: Option<Vec<u64>>) -> Sums {
        let rows = bag.map_or_else(|| (0..self.rows.len() as u32).collect(), <[u32]>::to_vec);
        let sums = rows.iter().map(|&row| self.words[self.at(column, row as usize)]).collect();
        Sums { rows, sums, packing: self.packing, units: self.units[column], root }
    }

    /// Histograms of all rows by column, those of four counted at once; none of what is left over.
    fn roots(&self, grower: &Grower) -> Vec<Option<Vec<u64>>> {
        let mut roots = Vec::new();
        if grower.keeps_roots(self.rows.len()) {
            for first in (0..self.n_columns / 4 * 4).step_by(4) {
                let quad = |row: usize| {
                    Quad(std::array::from_fn(|nth| self.words[self.at(first + nth, row)]))
                };
                let quads: Vec<Quad> = (0..self.rows.len()).into_par_iter().map(quad).collect();
                roots.extend(grower.roots(&quads).map(Some));
            }
        }
        roots.resize(self.n_columns, None);
        roots
    }

    /// Values of the leaves, and what they add to each row.
    fn step_of(
        &self,
        column: usize,
        grown: Grown,
        params: &GradientBoostingValidParams,
        is_bag: bool,
    ) -> Step {
        let mut values = vec![0.0; self.rows.len()];
        let mut value_of = |leaf: &std::ops::Range<usize>| {
            let rows = &grown.rows[leaf.clone()];
            let (mut g, mut h) = (0.0, 0.0);
            for &row in rows {
                let grad = self.grads[self.at(column, row as usize)];
                g += f64::from(grad[0]);
                h += f64::from(grad[1]);
            }
            let value = -params.learning_rate * g / (h + params.l2_regularization + TINY);
            for &row in rows {
                values[row as usize] = value;
            }
            value
        };
        let leaves = grown.leaves.iter().map(&mut value_of).collect();
        let tree = LeafTree { tree: grown.tree, values: leaves };
        if is_bag {
            tree.values_of(&self.rows.features, 0..self.rows.len(), &mut values);
        }
        Step { tree, gains: grown.gains, values }
    }

    fn advance(&mut self, steps: &[Step]) {
        let n_columns = self.n_columns;
        let columns = self.raw.par_chunks_exact_mut(TILE).enumerate();
        columns.for_each(|(nth, scores)| {
            let values = &steps[nth % n_columns].values[nth / n_columns * TILE..];
            for (score, value) in scores.iter_mut().zip(values) {
                *score += value;
            }
        });
    }
}

/// Rows held out, and how the loss of them went.
struct Validation {
    rows: Rows,
    params: EarlyStopping,
    /// `[n_rows, n_columns]`
    raw: Vec<f64>,
    n_columns: usize,
    curve: Vec<f64>,
}

impl Validation {
    fn new(rows: Rows, params: EarlyStopping) -> Self {
        Validation { rows, params, raw: vec![], n_columns: 0, curve: vec![] }
    }

    fn start(&mut self, baseline: &[f64]) {
        self.n_columns = baseline.len();
        self.raw = baseline.repeat(self.rows.len());
        self.measure();
    }

    fn measure(&mut self) {
        let of_row = |(row, raw): (usize, &[f64])| {
            self.rows.weight(row) * loss(raw, self.rows.classes[row] as usize)
        };
        let losses: Vec<f64> =
            self.raw.par_chunks_exact(self.n_columns).enumerate().map(of_row).collect();
        self.curve.push(losses.iter().sum::<f64>() / self.rows.total_weight());
    }

    /// Adds the trees of a round; whether fitting ends.
    fn advance(&mut self, trees: &[LeafTree]) -> bool {
        let n_rows = self.rows.len();
        let steps: Vec<Vec<f64>> = trees
            .par_iter()
            .map(|tree| {
                let mut values = vec![0.0; n_rows];
                tree.values_of(&self.rows.features, 0..n_rows, &mut values);
                values
            })
            .collect();
        for (row, raw) in self.raw.chunks_exact_mut(self.n_columns).enumerate() {
            for (score, step) in raw.iter_mut().zip(&steps) {
                *score += step[row];
            }
        }
        self.measure();
        // The lowest loss before the last rounds still stands.
        let Some(start) = self.curve.len().checked_sub(self.params.n_iter_no_change) else {
            return false;
        };
        let lowest = |curve: &[f64]| curve.iter().copied().fold(f64::INFINITY, f64::min);
        start > 0 && lowest(&self.curve[start..]) >= lowest(&self.curve[..start]) - self.params.tol
    }

    /// Rounds of the lowest loss, at least one.
    fn best_round(&self) -> usize {
        let lower = |best: usize, round: usize| {
            if self.curve[round] < self.curve[best] { round } else { best }
        };
        (1..self.curve.len()).fold(1, lower)
    }
}
