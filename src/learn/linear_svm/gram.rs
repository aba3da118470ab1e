//! Sums of outer products of rows, kept up to date as rows come and go.

use rayon::prelude::*;

use super::problem::stop_if;
use crate::kernels::gemm::{Mat, gemm};
use crate::learn::LearnError;
use crate::learn::rows::Rows;
use crate::progress::Progress;

/// Columns of a block of the matrix: a block is small enough to stay near the core, large enough for
/// fast products.
const WIDTH: usize = 256;

/// Rows multiplied in `f32` before they are added in `f64`. Products of bytes stay below
/// `256 * 255^2 < 2^24`, so sums of bytes are exact whatever comes and goes in whatever order.
const N_ROWS: usize = 256;

/// `sum_i c_i v_i v_i^T` over stored rows `v`, each ending in a constant 1.
#[derive(Clone)]
pub(super) struct Gram {
    /// `n_features + 1`
    n: usize,
    /// Blocks of the lower triangle in row order, each `[height, width]`.
    blocks: Vec<Vec<f64>>,
}

/// A block's position in the lower triangle.
fn blocks_of(n: usize) -> Vec<(usize, usize)> {
    let n_bands = n.div_ceil(WIDTH);
    (0..n_bands).flat_map(|band| (0..=band).map(move |column| (band, column))).collect()
}

fn columns(n: usize, block: usize) -> std::ops::Range<usize> {
    block * WIDTH..((block + 1) * WIDTH).min(n)
}

impl Gram {
    /// The empty sum.
    pub fn new(n_features: usize) -> Self {
        let n = n_features + 1;
        let blocks = blocks_of(n)
            .into_iter()
            .map(|(band, column)| vec![0.0; columns(n, band).len() * columns(n, column).len()])
            .collect();
        Gram { n, blocks }
    }

    /// Adds `sign` times the rows `idx`, the `i`-th with the factor `factors[i]`, or 1 without.
    ///
    /// # Errors
    /// [`LearnError::Interrupted`]
    pub fn add(
        &mut self,
        rows: &Rows,
        idx: &[usize],
        factors: Option<&[f32]>,
        sign: f64,
        progress: &dyn Progress,
    ) -> Result<(), LearnError> {
        let n = self.n;
        let at = blocks_of(n);
        self.blocks.par_iter_mut().zip(at).try_for_each(|(block, (band, column))| {
            let (down, across) = (columns(n, band), columns(n, column));
            let mut left = vec![0.0; N_ROWS * down.len()];
            let mut right = vec![0.0; N_ROWS * across.len()];
            let mut product = vec![0.0; block.len()];
            for (part, idx) in idx.chunks(N_ROWS).enumerate() {
                stop_if(progress)?;
                let (left, right) =
                    (&mut left[..idx.len() * down.len()], &mut right[..idx.len() * across.len()]);
                gather(rows, idx, down.clone(), left);
                gather(rows, idx, across.clone(), right);
                if let Some(factors) = factors {
                    let factors = &factors[part * N_ROWS..];
                    for (row, &factor) in left.chunks_exact_mut(down.len()).zip(factors) {
                        row.iter_mut().for_each(|value| *value *= factor);
                    }
                }
                let left = Mat::new(left, idx.len(), down.len());
                let right = Mat::new(right, idx.len(), across.len());
                gemm(left.t(), right, &mut product, false);
                for (sum, &value) in block.iter_mut().zip(&product) {
                    *sum += sign * f64::from(value);
                }
            }
            Ok(())
        })
    }

    /// Calls `take` with every element of the lower triangle: row, column, value.
    pub fn for_each(&self, mut take: impl FnMut(usize, usize, f64)) {
        for (block, (band, column)) in self.blocks.iter().zip(blocks_of(self.n)) {
            let across = columns(self.n, column);
            for (line, i) in block.chunks_exact(across.len()).zip(columns(self.n, band)) {
                for (&value, j) in line.iter().zip(across.clone()).filter(|(_, j)| *j <= i) {
                    take(i, j, value);
                }
            }
        }
    }
}

/// Columns of some rows as `[row][column]`; the column behind the features is 1.
fn gather(rows: &Rows, idx: &[usize], columns: std::ops::Range<usize>, out: &mut [f32]) {
    let stored = columns.start..columns.end.min(rows.n_features());
    for (&row, out) in idx.iter().zip(out.chunks_exact_mut(columns.len())) {
        rows.copy(row, stored.clone(), &mut out[..stored.len()]);
        out[stored.len()..].fill(1.0);
    }
}
