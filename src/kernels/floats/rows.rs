//! Rows, packed for products with many queries.

use std::ops::Range;

use super::{BLOCK, Line, N_ROWS, N_STRIPS};
use crate::kernels::Cpu;
use crate::kernels::cpu::per_level;

/// Packed rows, with their squared lengths.
pub struct Rows {
    /// `[panel][feature][2 strips]`
    lines: Vec<Line>,
    pub(super) n_features: usize,
    n_rows: usize,
    squares: Vec<f32>,
}

/// Vectors that packing transposes at a time, and features.
pub(super) const LANES: usize = N_ROWS * N_STRIPS;
const STEP: usize = 16;

per_level! {
    /// Adds the squares of features, one chain a lane in the order of the products, so that a
    /// vector is at distance 0 of itself.
    pub fn add_squares(step: &[[f32; LANES]], squares: &mut [f32; LANES]) {
        for feature in step {
            for (square, &value) in squares.iter_mut().zip(feature) {
                *square = value.mul_add(value, *square);
            }
        }
    }
}

/// Calls `take` with every few features of at most 128 vectors, transposed to `[feature][vector]`;
/// returns the squared lengths, zero beyond the last vector.
pub(super) fn transpose(
    n_features: usize,
    vectors: &[&[f32]],
    mut take: impl FnMut(&[[f32; LANES]]),
) -> [f32; LANES] {
    assert!(vectors.iter().all(|vector| vector.len() == n_features), "vectors differ in length");
    let cpu = Cpu::detect();
    let mut squares = [0.0; LANES];
    let mut step = [[0.0f32; LANES]; STEP];
    for start in (0..n_features).step_by(STEP) {
        let end = (start + STEP).min(n_features);
        for (lane, vector) in vectors.iter().enumerate() {
            for (feature, &value) in step.iter_mut().zip(&vector[start..end]) {
                feature[lane] = value;
            }
        }
        let step = &step[..end - start];
        add_squares(cpu, step, &mut squares);
        take(step);
    }
    squares
}

impl Rows {
    /// Packs rows of `n_features` values.
    ///
    /// # Panics
    /// If a row has another length.
    pub fn pack(n_features: usize, rows: &[&[f32]]) -> Self {
        Self::pack_while(n_features, rows, || true).unwrap_or_else(|| unreachable!("never stopped"))
    }

    /// As [`Rows::pack`], asking before every panel of 128 rows whether to go on; none if not.
    ///
    /// # Panics
    /// If a row has another length.
    pub fn pack_while(
        n_features: usize,
        rows: &[&[f32]],
        go_on: impl Fn() -> bool,
    ) -> Option<Self> {
        let n_strips = rows.len().div_ceil(N_ROWS);
        let mut lines = Vec::with_capacity(n_strips * n_features * 2);
        let mut squares = Vec::with_capacity(n_strips * N_ROWS);
        for panel in rows.chunks(LANES) {
            if !go_on() {
                return None;
            }
            let width = panel.len().next_multiple_of(N_ROWS);
            let of_panel = transpose(n_features, panel, |step| {
                for feature in step {
                    let sixteens = feature[..width].as_chunks::<16>().0;
                    lines.extend(sixteens.iter().map(|&sixteen| Line(sixteen)));
                }
            });
            squares.extend_from_slice(&of_panel[..width]);
        }
        Some(Rows { lines, n_features, n_rows: rows.len(), squares })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.n_rows
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.n_rows == 0
    }

    pub(super) fn n_strips(&self) -> usize {
        self.n_rows.div_ceil(N_ROWS)
    }

    /// Squared lengths of the rows of strips, 32 each (zero beyond the last row).
    ///
    /// # Panics
    /// If a strip does not exist.
    pub fn squares(&self, strips: Range<usize>) -> &[f32] {
        &self.squares[strips.start * N_ROWS..strips.end * N_ROWS]
    }

    /// A block of features of the panel that starts at a strip and has `n_strips`.
    pub(super) fn lines(&self, first_strip: usize, n_strips: usize, block: usize) -> &[Line] {
        let panel = &self.lines[first_strip * self.n_features * 2..];
        let end = ((block + 1) * BLOCK).min(self.n_features);
        &panel[block * BLOCK * n_strips * 2..end * n_strips * 2]
    }
}
