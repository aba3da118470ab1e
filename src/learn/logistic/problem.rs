//! The problem being solved.
//!
//! ```text
//! minimise  F(W, b) = sum_i c_i loss_i + penalty(W)
//! loss_i  = log sum_k exp(z_ik) - z_i,y(i)          z_ik = <w_k, x_i> + b_k
//! two classes: loss_i = log(1 + exp(-s_i z_i))      one w, s = -1 for the first class, else 1
//! c_i     = C * weight of the class * weight of the sample
//! ```
//!
//! `theta` holds `w_k` and `b_k` for one vector after another, `[n_vectors, n_features + 1]`; without
//! an intercept `b_k` stays 0. Rows are cut into [`N_PIECES`] pieces whatever the number of threads,
//! and their sums added in order. All sums are `f64`.

use ndarray::Array2;
use rayon::prelude::*;

use crate::kernels::weights::Weights;
use crate::learn::LearnError;
use crate::learn::linalg::{add_gram, cholesky, invert_lower, product};
use crate::learn::rows::Rows;
use crate::progress::Progress;

/// Pieces of the rows.
const N_PIECES: usize = 32;
/// Rows of one look at [`Progress::interrupted`].
const BATCH: usize = 128;
/// Most features whose second moments are inverted: 0.2 s and 60 MiB.
const MAX_MOMENTS: usize = 2_000;
/// Rows that stand for all in the second moments.
const N_MOMENT_ROWS: usize = 4_096;
/// Stands for `p (1 - p)` of a sample in second derivatives; a guess costs steps only.
const CURVATURE: f64 = 0.1;

/// Samples, weights and penalty.
pub(super) struct Problem<'a> {
    pub rows: Rows<'a>,
    /// Position of each row's class.
    pub classes: Vec<usize>,
    /// `c_i`
    pub costs: Vec<f64>,
    pub n_classes: usize,
    pub fit_intercept: bool,
    /// Factor of `sum w^2 / 2`.
    pub l2: f64,
    /// Factor of `sum |w|`.
    pub l1: f64,
}

impl Problem<'_> {
    /// One for two classes, else one a class.
    pub fn n_vectors(&self) -> usize {
        if self.n_classes == 2 { 1 } else { self.n_classes }
    }

    /// Features and the intercept.
    pub fn width(&self) -> usize {
        self.rows.n_features() + 1
    }

    /// Sum of `c_i`.
    pub fn total_cost(&self) -> f64 {
        self.costs.iter().sum()
    }

    /// Coefficients of stored values, packed for products with rows.
    fn pack(&self, theta: &[f64]) -> Weights {
        let n = self.rows.n_features();
        let scale = self.rows.scale();
        let of_vector = |vector: &[f64]| vector[..n].iter().map(|w| w * scale).collect::<Vec<_>>();
        let vectors: Vec<f64> = theta.chunks_exact(n + 1).flat_map(of_vector).collect();
        Weights::pack(n, &vectors)
    }

    /// `F` without the L1 penalty, and its gradient in `grad`.
    ///
    /// # Errors   if the user asks to stop
    pub fn evaluate(
        &self,
        theta: &[f64],
        grad: &mut [f64],
        progress: &dyn Progress,
    ) -> Result<f64, LearnError> {
        let (n, n_vectors, width) = (self.rows.n_features(), self.n_vectors(), self.width());
        let packed = self.pack(theta);
        let intercepts: Vec<f64> = theta.chunks_exact(width).map(|vector| vector[n]).collect();
        let n_rows = self.classes.len();
        let size = n_rows.div_ceil(N_PIECES).max(1);
        /// Sums over a piece.
        struct Part {
            loss: f64,
            of_weights: Vec<f64>,
            of_intercepts: Vec<f64>,
        }
        let one_piece = |piece: usize| -> Result<Part, LearnError> {
            let mut part = Part {
                loss: 0.0,
                of_weights: vec![0.0; n_vectors * n],
                of_intercepts: vec![0.0; n_vectors],
            };
            let rows: Vec<usize> = (piece * size..((piece + 1) * size).min(n_rows)).collect();
            let mut scores = Vec::new();
            for rows in rows.chunks(BATCH) {
                if progress.interrupted() {
                    return Err(LearnError::Interrupted);
                }
                scores.clear();
                rows.iter().for_each(|_| scores.extend_from_slice(&intercepts));
                self.rows.add_scores(rows, &packed, &mut scores);
                for (&row, scores) in rows.iter().zip(scores.chunks_exact_mut(n_vectors)) {
                    part.loss += self.costs[row] * residuals(scores, self.classes[row]);
                    for (sum, residual) in part.of_intercepts.iter_mut().zip(scores) {
                        *residual *= self.costs[row];
                        *sum += *residual;
                    }
                }
                self.rows.add_products(rows, &scores, &mut part.of_weights);
            }
            Ok(part)
        };
        let parts: Result<Vec<Part>, LearnError> =
            (0..n_rows.div_ceil(size)).into_par_iter().map(one_piece).collect();
        let (mut value, scale) = (0.0, self.rows.scale());
        grad.fill(0.0);
        for part in parts? {
            value += part.loss;
            for (v, grad) in grad.chunks_exact_mut(width).enumerate() {
                for (sum, more) in grad.iter_mut().zip(&part.of_weights[v * n..][..n]) {
                    *sum += more * scale;
                }
                if self.fit_intercept {
                    grad[n] += part.of_intercepts[v];
                }
            }
        }
        for (grad, theta) in grad.chunks_exact_mut(width).zip(theta.chunks_exact(width)) {
            for (grad, w) in grad[..n].iter_mut().zip(theta) {
                value += 0.5 * self.l2 * w * w;
                *grad += self.l2 * w;
            }
        }
        Ok(value)
    }

    /// The L1 penalty of `theta`.
    pub fn l1_penalty(&self, theta: &[f64]) -> f64 {
        let n = self.rows.n_features();
        let of_vector = |vector: &[f64]| vector[..n].iter().map(|w| w.abs()).sum::<f64>();
        if self.l1 == 0.0 { 0.0 } else { self.l1 * theta.chunks(n + 1).map(of_vector).sum::<f64>() }
    }

    /// What stands for the inverse of one vector's second derivatives,
    /// `(CURVATURE sum_i c_i x_i x_i^T + l2)^-1` with the constant as last feature, from some of the
    /// rows: softmax regression's are bounded by a multiple of it (Boehning, Annals of the Institute
    /// of Statistical Mathematics 44 (1992), 197-200). None for too many features.
    pub fn preconditioner(
        &self,
        progress: &dyn Progress,
    ) -> Result<Option<Array2<f64>>, LearnError> {
        let (n, width) = (self.rows.n_features(), self.width());
        if width > MAX_MOMENTS {
            return Ok(None);
        }
        let stride = self.classes.len().div_ceil(N_MOMENT_ROWS).max(1);
        let rows: Vec<usize> = (0..self.classes.len()).step_by(stride).collect();
        let cost: f64 = rows.iter().map(|&row| self.costs[row]).sum();
        if cost <= 0.0 {
            return Ok(None);
        }
        let factor = CURVATURE * self.total_cost() / cost;
        let size = rows.len().div_ceil(N_PIECES).max(1);
        let one_piece = |rows: &[usize]| -> Result<Array2<f64>, LearnError> {
            if progress.interrupted() {
                return Err(LearnError::Interrupted);
            }
            let weighted = |&row: &usize| {
                let root = (factor * self.costs[row]).sqrt();
                self.real_row(row).into_iter().map(move |value| root * value)
            };
            let values: Vec<f64> = rows.iter().flat_map(weighted).collect();
            let mut moments = Array2::zeros((width, width));
            if let Ok(lines) = Array2::from_shape_vec((rows.len(), width), values) {
                add_gram(&mut moments, lines.view());
            }
            Ok(moments)
        };
        let parts: Result<Vec<_>, LearnError> = rows.par_chunks(size).map(one_piece).collect();
        let mut moments = Array2::<f64>::zeros((width, width));
        parts?.iter().for_each(|part| moments += part);
        let mean = moments.diag().sum() / width as f64;
        for at in 0..width {
            // Constant features, and those of no penalty, have no curvature of their own.
            let ridge = if at < n { self.l2 } else { 0.0 };
            moments[[at, at]] += ridge + 1e-6 * mean + f64::MIN_POSITIVE;
        }
        if self.l1 > 0.0 {
            // Directions are cut to an orthant, which a matrix that mixes features does not survive.
            return Ok(Some(Array2::from_diag(&moments.diag().mapv(|v| 1.0 / v))));
        }
        let Some(lower) = cholesky(&moments) else { return Ok(None) };
        let inverse = invert_lower(&lower);
        Ok(Some(product(&inverse.t().as_standard_layout().into_owned(), &inverse)))
    }

    /// Real values of a row, and the constant.
    fn real_row(&self, row: usize) -> Vec<f64> {
        let n = self.rows.n_features();
        let mut values = vec![0.0; n + 1];
        self.rows.add(row, self.rows.scale(), &mut values[..n]);
        values[n] = f64::from(u8::from(self.fit_intercept));
        values
    }
}

/// Turns the scores of a row into what its loss's derivatives are, and returns the loss.
fn residuals(scores: &mut [f64], class: usize) -> f64 {
    if let [score] = scores {
        let signed = if class == 1 { *score } else { -*score };
        // log(1 + exp(-s)) without overflow.
        let loss = (-signed.abs()).exp().ln_1p() + (-signed).max(0.0);
        let probability = probability(*score);
        *score = if class == 1 { probability - 1.0 } else { probability };
        return loss;
    }
    let own = scores[class];
    let log_sum = softmax(scores);
    scores[class] -= 1.0;
    log_sum - own
}

/// `1 / (1 + exp(-score))`
pub(super) fn probability(score: f64) -> f64 {
    if score >= 0.0 {
        1.0 / (1.0 + (-score).exp())
    } else {
        let power = score.exp();
        power / (1.0 + power)
    }
}

/// Replaces scores by probabilities; the logarithm of the sum of their powers.
pub(super) fn softmax(scores: &mut [f64]) -> f64 {
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - largest).exp();
        sum += *score;
    }
    scores.iter_mut().for_each(|score| *score /= sum);
    largest + sum.ln()
}
