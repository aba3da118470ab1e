//! Histograms of the cells of one size.

use super::gradients::Vote;
use super::{DataError, Hog, ImageShape, Interpolation};

/// The cells of one size on images of one shape.
///
/// Histograms lie in a frame of one cell on every side, which takes the shares of votes that fall
/// outside: no test per vote.
pub struct Grid {
    pub n_rows: usize,
    pub n_columns: usize,
    pub n_bins: usize,
    /// For each row of pixels, the first of two rows of cells, framed, and the shares of both.
    rows: Vec<(usize, [f32; 2])>,
    columns: Vec<(usize, [f32; 2])>,
}

impl Grid {
    pub fn new(hog: &Hog, cell: usize, shape: ImageShape) -> Result<Self, DataError> {
        let (n_rows, n_columns) = (shape.height / cell, shape.width / cell);
        if n_rows.min(n_columns) < hog.block {
            return Err(DataError::ImageTooSmallForHog {
                cell,
                block: hog.block,
                needed: cell * hog.block,
                found: [shape.height, shape.width],
            });
        }
        let area = (cell * cell) as f32;
        let scale = |shares: [f32; 2]| shares.map(|share| share / area);
        let places = |n_pixels: usize, n_cells: usize| {
            (0..n_pixels).map(move |pixel| place(pixel, cell, n_cells, hog.interpolation))
        };
        Ok(Grid {
            n_rows,
            n_columns,
            n_bins: hog.orientations,
            rows: places(shape.height, n_rows).map(|(at, shares)| (at, scale(shares))).collect(),
            columns: places(shape.width, n_columns).collect(),
        })
    }

    /// Features of all blocks.
    pub fn n_features(&self, hog: &Hog) -> usize {
        let n_blocks = (self.n_rows + 1 - hog.block) * (self.n_columns + 1 - hog.block);
        n_blocks * hog.block * hog.block * self.n_bins
    }

    /// The histogram of a cell.
    pub fn histogram<'a>(&self, histograms: &'a [f32], row: usize, column: usize) -> &'a [f32] {
        let start = ((row + 1) * (self.n_columns + 2) + column + 1) * self.n_bins;
        &histograms[start..start + self.n_bins]
    }

    /// Adds up the votes in their order: `[row, column, orientation]`, framed.
    pub fn histograms(&self, votes: &[Vote], histograms: &mut Vec<f32>) {
        histograms.clear();
        histograms.resize((self.n_rows + 2) * (self.n_columns + 2) * self.n_bins, 0.0);
        let (along, down) = (self.n_bins, (self.n_columns + 2) * self.n_bins);
        for vote in votes {
            let (row, row_shares) = self.rows[vote.row as usize];
            let (column, column_shares) = self.columns[vote.column as usize];
            let start = row * down + column * along;
            for (dy, row_share) in row_shares.into_iter().enumerate() {
                for (dx, column_share) in column_shares.into_iter().enumerate() {
                    let histogram = &mut histograms[start + dy * down + dx * along..][..along];
                    for (bin, weight) in vote.bins.into_iter().zip(vote.weights) {
                        histogram[usize::from(bin)] += weight * (row_share * column_share);
                    }
                }
            }
        }
    }
}

/// The first of two framed cells, along one side, that a pixel votes for, and the shares of both.
fn place(
    pixel: usize,
    cell: usize,
    n_cells: usize,
    interpolation: Interpolation,
) -> (usize, [f32; 2]) {
    match interpolation {
        // Framed, a pixel's own cell is one further on.
        Interpolation::None => ((pixel / cell).min(n_cells), [0.0, 1.0]),
        Interpolation::Trilinear => {
            // In cells, from the middle of the frame's first cell.
            let position = (pixel as f32 + 0.5) / cell as f32 + 0.5;
            let first = position.floor();
            match first as usize > n_cells {
                true => (n_cells, [0.0, 0.0]),
                false => (first as usize, [1.0 - (position - first), position - first]),
            }
        }
    }
}
