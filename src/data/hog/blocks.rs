//! Normalisation of blocks of cells.

use super::cells::Grid;
use super::{BlockNorm, Hog};

/// Keeps a block without gradients at 0 (scikit-image's value).
const EPSILON: f32 = 1e-5;

/// Greatest value of [`BlockNorm::L2Hys`] before the second normalisation.
const LIMIT: f32 = 0.2;

/// Writes the normalised blocks.
pub fn normalise(grid: &Grid, hog: &Hog, histograms: &[f32], features: &mut [f32]) {
    let size = hog.block * hog.block * grid.n_bins;
    let n_across = grid.n_columns + 1 - hog.block;
    for (nth, block) in features.chunks_exact_mut(size).enumerate() {
        let (top, left) = (nth / n_across, nth % n_across);
        for (cell, part) in block.chunks_exact_mut(grid.n_bins).enumerate() {
            let (row, column) = (top + cell / hog.block, left + cell % hog.block);
            part.copy_from_slice(grid.histogram(histograms, row, column));
        }
        match hog.norm {
            BlockNorm::L1 => scale(block, 1.0 / (block.iter().sum::<f32>() + EPSILON)),
            BlockNorm::L2 => l2(block),
            BlockNorm::L2Hys => {
                l2(block);
                block.iter_mut().for_each(|value| *value = value.min(LIMIT));
                l2(block);
            }
        }
    }
}

fn l2(block: &mut [f32]) {
    let square: f32 = block.iter().map(|value| value * value).sum();
    scale(block, 1.0 / (square + EPSILON * EPSILON).sqrt());
}

fn scale(block: &mut [f32], factor: f32) {
    block.iter_mut().for_each(|value| *value *= factor);
}
