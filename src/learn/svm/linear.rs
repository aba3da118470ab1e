//! A linear kernel's pairs as weight vectors.
//!
//! `w = sum_s beta_s x_s` over the support vectors, so a decision is `<w, x> + bias`: its cost does
//! not depend on the number of support vectors. Sums and products are in double precision, those
//! of bytes from whole numbers; the decision differs from the sum over support vectors by rounding
//! alone, about 1e-12 of `sum |w_f x_f|`.

use ndarray::Array2;
use rayon::prelude::*;

use super::gram::{byte_row, float_row};
use super::model::{Svc, pair_idx};
use super::params::Kernel;
use crate::data::Features;
use crate::kernels::Cpu;
use crate::kernels::weights::{Weights, add_multiple};

/// Features of which the weights of all pairs are summed together; fixed, and each sum has one
/// order, so that the threads change no bit.
const STRIP: usize = 64;

/// Weight vectors of all pairs.
pub(super) struct LinearWeights {
    coef: Array2<f64>,
    /// The same for features as they are stored: bytes are whole numbers there.
    packed: Weights,
}

impl LinearWeights {
    fn new(svc: &Svc) -> Self {
        let n_features = svc.support.n_features();
        let unit = match svc.support {
            Features::Bytes(_) => 1.0 / 255.0,
            Features::Floats(_) => 1.0,
        };
        let strips: Vec<Vec<f64>> = (0..n_features.div_ceil(STRIP))
            .into_par_iter()
            .map(|strip| sum_strip(svc, strip * STRIP, ((strip + 1) * STRIP).min(n_features)))
            .collect();
        let mut coef = Array2::zeros((svc.bias.len(), n_features));
        for (strip, sums) in strips.iter().enumerate() {
            let width = STRIP.min(n_features - strip * STRIP);
            for (mut weights, sums) in coef.rows_mut().into_iter().zip(sums.chunks_exact(width)) {
                for (within, sum) in sums.iter().enumerate() {
                    weights[strip * STRIP + within] = sum * unit;
                }
            }
        }
        let of_stored: Vec<f64> = coef.iter().map(|weight| weight * unit).collect();
        LinearWeights { packed: Weights::pack(n_features, &of_stored), coef }
    }

    /// Adds `<w, x>` of the rows `queries` to `sums`, `[query][pair]`.
    pub fn add_decisions(&self, features: &Features, queries: &[usize], sums: &mut [f64]) {
        let cpu = Cpu::detect();
        match features {
            Features::Bytes(all) => {
                let rows: Vec<&[u8]> = queries.iter().map(|&q| byte_row(all, q)).collect();
                self.packed.add_scores(cpu, &rows, sums);
            }
            Features::Floats(all) => {
                let rows: Vec<&[f32]> = queries.iter().map(|&q| float_row(all, q)).collect();
                self.packed.add_scores(cpu, &rows, sums);
            }
        }
    }
}

/// Sums of the features `from..to`, `[pair][to - from]`.
fn sum_strip(svc: &Svc, from: usize, to: usize) -> Vec<f64> {
    let cpu = Cpu::detect();
    let (n_classes, width) = (svc.classes.len(), to - from);
    let mut sums = vec![0.0; svc.bias.len() * width];
    let mut row = vec![0.0; width];
    for (class, rows) in svc.support_ranges().enumerate() {
        for (within, sv) in rows.enumerate() {
            match &svc.support {
                Features::Bytes(all) => copy(&mut row, &byte_row(all, sv)[from..to]),
                Features::Floats(all) => copy(&mut row, &float_row(all, sv)[from..to]),
            }
            for other in (0..n_classes).filter(|&other| other != class) {
                let coefficient = svc.coefficients(class, other)[within];
                if coefficient != 0.0 {
                    let at = pair_idx(n_classes, class, other) * width;
                    add_multiple(cpu, &mut sums[at..at + width], coefficient, &row);
                }
            }
        }
    }
    sums
}

fn copy<T: Copy + Into<f64>>(to: &mut [f64], from: &[T]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from.into();
    }
}

impl Svc {
    /// Weights of each pair `[n_pairs, n_features]`, if the kernel is linear; pixels count as
    /// `v / 255`. As scikit-learn's `coef_`, which turns the sign where there are two classes only:
    /// here a positive decision always means the first class of the pair.
    ///
    /// # Cost
    /// The first call, or the first prediction, reads all support vectors.
    pub fn coef(&self) -> Option<&Array2<f64>> {
        self.linear_weights().map(|weights| &weights.coef)
    }

    pub(super) fn linear_weights(&self) -> Option<&LinearWeights> {
        let is_linear = self.resolved.kernel == Kernel::Linear;
        is_linear.then(|| self.weights.get_or_init(|| LinearWeights::new(self)))
    }
}
