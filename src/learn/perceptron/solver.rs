//! Passes over the samples.
//!
//! ```text
//! one against the rest, for each class:        z = <w, x> + b, s = 1 for the class, else -1
//!   if s z <= 0:  (w, b) += weight s (x, 1)     loss max(0, -s z)
//! all classes at once:                          z_k = <w_k, x> + b_k, j the best wrong class
//!   if z_y <= z_j:  w_y += weight x, w_j -= weight x, likewise b; loss max(0, z_j - z_y)
//! ```
//!
//! Averaged: the mean of `w` after each of `T` samples is `w - u / T`, where `u` sums each change
//! times the samples before it (Freund and Schapire, Machine Learning 37 (1999), 277-296).

use super::params::{PerceptronValidParams, Variant};
use crate::data::Rng;
use crate::learn::LearnError;
use crate::learn::rows::Rows;
use crate::progress::Progress;

/// Samples between two looks at [`Progress::interrupted`].
const LOOK: usize = 1024;

/// Samples of a fit.
pub(super) struct Samples<'a> {
    pub rows: Rows<'a>,
    /// Position of each sample's class.
    pub classes: &'a [usize],
    pub weights: Option<&'a [f64]>,
}

/// Vectors with their intercepts last, one after another, and how they were found.
pub(super) struct Solution {
    pub vectors: Vec<f64>,
    pub n_iter: usize,
    pub converged: bool,
    /// Corrections of the last epoch.
    pub n_mistakes: u64,
}

/// One running fit.
struct State<'a> {
    samples: &'a Samples<'a>,
    fit_intercept: bool,
    /// `[n_vectors, n_features + 1]`
    vectors: Vec<f64>,
    /// `u`, if averaged.
    before: Option<Vec<f64>>,
    n_seen: f64,
}

impl State<'_> {
    fn width(&self) -> usize {
        self.samples.rows.n_features() + 1
    }

    fn score(&self, vector: usize, row: usize) -> f64 {
        let n = self.width() - 1;
        let vector = &self.vectors[vector * (n + 1)..][..n + 1];
        let rows = &self.samples.rows;
        rows.scale().mul_add(rows.dot(row, &vector[..n]), vector[n])
    }

    fn correct(&mut self, vector: usize, row: usize, change: f64) {
        let n = self.width() - 1;
        let rows = &self.samples.rows;
        let add = |vectors: &mut [f64], change: f64| {
            let vector = &mut vectors[vector * (n + 1)..][..n + 1];
            rows.add(row, change * rows.scale(), &mut vector[..n]);
            if self.fit_intercept {
                vector[n] += change;
            }
        };
        add(&mut self.vectors, change);
        if let Some(before) = &mut self.before {
            add(before, change * self.n_seen);
        }
    }

    /// Looks at a sample; its loss, and whether it was a mistake.
    fn look(&mut self, row: usize, positive: Option<usize>) -> (f64, bool) {
        let class = self.samples.classes[row];
        let weight = self.samples.weights.map_or(1.0, |weights| weights[row]);
        match positive {
            Some(positive) => {
                let sign = if class == positive { 1.0 } else { -1.0 };
                let margin = sign * self.score(0, row);
                if margin <= 0.0 {
                    self.correct(0, row, weight * sign);
                }
                ((-margin).max(0.0), margin <= 0.0)
            }
            None => {
                let n_vectors = self.vectors.len() / self.width();
                let (mut wrong, mut highest) = (0, f64::NEG_INFINITY);
                for other in (0..n_vectors).filter(|&other| other != class) {
                    let score = self.score(other, row);
                    if score > highest {
                        (wrong, highest) = (other, score);
                    }
                }
                let margin = self.score(class, row) - highest;
                if margin <= 0.0 {
                    self.correct(class, row, weight);
                    self.correct(wrong, row, -weight);
                }
                ((-margin).max(0.0), margin <= 0.0)
            }
        }
    }
}

/// Fits one vector for the class `positive` against the rest, or `n_vectors` at once.
///
/// # Errors   if the user asks to stop
pub(super) fn fit(
    params: &PerceptronValidParams,
    samples: &Samples,
    positive: Option<usize>,
    n_vectors: usize,
    rng: &mut Rng,
    progress: &dyn Progress,
) -> Result<Solution, LearnError> {
    debug_assert_eq!(positive.is_none(), params.variant == Variant::Multiclass);
    let size = n_vectors * (samples.rows.n_features() + 1);
    let mut state = State {
        samples,
        fit_intercept: params.fit_intercept,
        vectors: vec![0.0; size],
        before: params.averaged.then(|| vec![0.0; size]),
        n_seen: 0.0,
    };
    let n_samples = samples.classes.len();
    // Samples of weight 0 would end a fit sooner than their absence.
    let counts = |&row: &usize| samples.weights.is_none_or(|weights| weights[row] > 0.0);
    let mut order: Vec<usize> = (0..n_samples).filter(counts).collect();
    let (mut best, mut n_idle) = (f64::INFINITY, 0);
    let (mut n_iter, mut n_mistakes) = (0, 0);
    while n_iter < params.max_iter && n_idle < params.n_iter_no_change {
        n_iter += 1;
        if params.shuffle {
            rng.shuffle(&mut order);
        }
        let mut loss = 0.0;
        n_mistakes = 0;
        for (nth, &row) in order.iter().enumerate() {
            if nth % LOOK == 0 && progress.interrupted() {
                return Err(LearnError::Interrupted);
            }
            let (of_row, is_mistake) = state.look(row, positive);
            loss += of_row;
            n_mistakes += u64::from(is_mistake);
            state.n_seen += 1.0;
        }
        let is_idle = loss > best - params.tol * order.len() as f64;
        n_idle = if is_idle { n_idle + 1 } else { 0 };
        best = best.min(loss);
        let note = format!("{n_mistakes} mistakes");
        progress.update(n_iter as u64, params.max_iter as u64, &note);
    }
    let State { mut vectors, before, n_seen, .. } = state;
    if let Some(before) = before {
        vectors.iter_mut().zip(before).for_each(|(w, u)| *w -= u / n_seen);
    }
    let converged = n_idle >= params.n_iter_no_change;
    Ok(Solution { vectors, n_iter, converged, n_mistakes })
}
