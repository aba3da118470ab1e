//! One problem of two classes, and the judgement of any solution of it.
//!
//! Primal: minimise over `w` `1/2 |w|^2 + sum_i C_i loss(max(0, 1 - y_i <w, x_i>))`, where `x_i` ends
//! in a constant feature `b` if there is an intercept.
//!
//! Dual: maximise over `alpha` `sum_i alpha_i - 1/2 |w|^2 - sum_i D_i alpha_i^2 / 2` with
//! `w = sum_i alpha_i y_i x_i` and `0 <= alpha_i <= U_i`. Hinge: `D_i = 0`, `U_i = C_i`. Squared
//! hinge: `D_i = 1 / (2 C_i)`, `U_i` infinite. (Hsieh, Chang, Lin, Keerthi, Sundararajan, "A dual
//! coordinate descent method for large-scale linear SVM", ICML 2008, eq. 1 to 4.)
//!
//! | symbol | meaning |
//! |---|---|
//! | `y` | +1 or -1 |
//! | `w` | weights, `[n_features + 1]`, the constant feature's last |
//! | `m` | margin `y <w, x>` |
//! | `G` | gradient of the negated dual, `m - 1 + D alpha` |
//! | `PG` | `G` where `alpha` may move, its feasible part at a bound |

use super::params::Loss;
use crate::learn::LearnError;
use crate::learn::rows::Rows;
use crate::progress::Progress;

/// Rows between two looks at [`Progress::interrupted`]: a few milliseconds.
const STRIDE: usize = 4096;

/// Samples of two classes.
pub(super) struct Problem<'a> {
    pub rows: Rows<'a>,
    /// Rows of the samples; those of weight 0 are left out.
    pub idx: Vec<usize>,
    /// `[idx.len()]`
    pub y: Vec<f64>,
    /// `C_i`, `[idx.len()]`, above 0.
    pub c: Vec<f64>,
    pub loss: Loss,
    /// Value of the constant feature; 0 without intercept.
    pub constant: f64,
    pub progress: &'a dyn Progress,
}

/// Weights with the evidence for them.
pub(super) struct Solution {
    /// `sum_i alpha_i y_i x_i`, `[n_features + 1]`
    pub w: Vec<f64>,
    pub n_iterations: u64,
    pub primal: f64,
    pub dual: f64,
    /// `max PG - min PG`
    pub violation: f64,
    /// `alpha_i > 0`
    pub n_nonzero: usize,
}

impl Problem<'_> {
    pub fn len(&self) -> usize {
        self.idx.len()
    }

    /// `<w, x_i>`
    pub fn decision(&self, i: usize, w: &[f64]) -> f64 {
        let n = self.rows.n_features();
        self.rows.scale().mul_add(self.rows.dot(self.idx[i], &w[..n]), self.constant * w[n])
    }

    /// `w += step * x_i`
    pub fn add(&self, i: usize, step: f64, w: &mut [f64]) {
        let n = self.rows.n_features();
        self.rows.add(self.idx[i], step * self.rows.scale(), &mut w[..n]);
        w[n] += step * self.constant;
    }

    /// `y_i <w, x_i>` of all samples.
    ///
    /// # Errors
    /// [`LearnError::Interrupted`]
    pub fn margins(&self, w: &[f64]) -> Result<Vec<f64>, LearnError> {
        let mut margins = Vec::with_capacity(self.len());
        for i in 0..self.len() {
            self.stop_at(i)?;
            margins.push(self.y[i] * self.decision(i, w));
        }
        Ok(margins)
    }

    /// `sum_i alpha_i y_i x_i`
    ///
    /// # Errors
    /// [`LearnError::Interrupted`]
    pub fn weights(&self, alpha: &[f64]) -> Result<Vec<f64>, LearnError> {
        let mut w = vec![0.0; self.rows.n_features() + 1];
        for (i, &alpha) in alpha.iter().enumerate() {
            self.stop_at(i)?;
            if alpha != 0.0 {
                self.add(i, alpha * self.y[i], &mut w);
            }
        }
        Ok(w)
    }

    /// `D_i` and `U_i`.
    pub fn diagonal_and_bound(&self, i: usize) -> (f64, f64) {
        match self.loss {
            Loss::Hinge => (0.0, self.c[i]),
            Loss::SquaredHinge => (0.5 / self.c[i], f64::INFINITY),
        }
    }

    /// Both objectives and the violation of `alpha`, from nothing but `alpha` and the data.
    ///
    /// # Errors
    /// [`LearnError::Interrupted`]
    pub fn judge(&self, alpha: &[f64], n_iterations: u64) -> Result<Solution, LearnError> {
        let w = self.weights(alpha)?;
        let margins = self.margins(&w)?;
        let half_square = 0.5 * w.iter().map(|w| w * w).sum::<f64>();
        let (mut losses, mut gain) = (0.0, 0.0);
        let (mut top, mut bottom) = (f64::NEG_INFINITY, f64::INFINITY);
        for (i, (&alpha, &margin)) in alpha.iter().zip(&margins).enumerate() {
            let violation = (1.0 - margin).max(0.0);
            losses += self.c[i]
                * match self.loss {
                    Loss::Hinge => violation,
                    Loss::SquaredHinge => violation * violation,
                };
            let (diagonal, bound) = self.diagonal_and_bound(i);
            gain += alpha - 0.5 * diagonal * alpha * alpha;
            let gradient = margin - 1.0 + diagonal * alpha;
            let projected = if alpha <= 0.0 {
                gradient.min(0.0)
            } else if alpha >= bound {
                gradient.max(0.0)
            } else {
                gradient
            };
            top = f64::max(top, projected);
            bottom = f64::min(bottom, projected);
        }
        Ok(Solution {
            w,
            n_iterations,
            primal: half_square + losses,
            dual: gain - half_square,
            violation: top - bottom,
            n_nonzero: alpha.iter().filter(|&&alpha| alpha > 0.0).count(),
        })
    }

    /// Asks at every [`STRIDE`]-th step whether to go on.
    ///
    /// # Errors
    /// [`LearnError::Interrupted`]
    pub fn stop_at(&self, step: usize) -> Result<(), LearnError> {
        if step.is_multiple_of(STRIDE) { stop_if(self.progress) } else { Ok(()) }
    }
}

pub(super) fn stop_if(progress: &dyn Progress) -> Result<(), LearnError> {
    if progress.interrupted() { Err(LearnError::Interrupted) } else { Ok(()) }
}
