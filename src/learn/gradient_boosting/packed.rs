//! What trees grow from: bins of 16 features a line, and gradients as packed words.

use rayon::prelude::*;

use super::loss::{Grad, TILE};
use crate::kernels::histogram::{LANES, Packing};
use crate::learn::tree::bins::Bins;

/// Rows of one turn of the transposition.
const STRIP: usize = 512;

/// The bins of features that are not constant, in blocks of 16.
pub(super) struct Lines {
    blocks: Vec<Vec<[u8; LANES]>>,
    /// Of all blocks, 16 a block; the last may have fewer.
    features: Vec<usize>,
}

impl Lines {
    pub fn of(bins: &Bins) -> Self {
        let features: Vec<usize> =
            (0..bins.n_features()).filter(|&feature| !bins.is_constant(feature)).collect();
        let block = |features: &[usize]| {
            let mut lines = vec![[0; LANES]; bins.n_samples()];
            for (strip, lines) in lines.chunks_mut(STRIP).enumerate() {
                for (lane, &feature) in features.iter().enumerate() {
                    let column = &bins.column(feature)[strip * STRIP..];
                    for (line, &bin) in lines.iter_mut().zip(column) {
                        line[lane] = bin;
                    }
                }
            }
            lines
        };
        let blocks = features.par_chunks(LANES).map(block).collect();
        Lines { blocks, features }
    }

    /// Number of blocks.
    pub fn n_blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Bins of the 16 features of a block, by row.
    pub fn block(&self, block: usize) -> &[[u8; LANES]] {
        &self.blocks[block]
    }

    /// Features of all blocks: that of a lane is at `16 block + lane`.
    pub fn features(&self) -> &[usize] {
        &self.features
    }
}

/// The units of one column of packed gradients.
#[derive(Clone, Copy, Debug)]
pub(super) struct Units {
    pub g: f64,
    pub h: f64,
}

/// Packs the gradients of a tile's samples. What rounding takes from the size of a sample's it gives
/// to the next: sums of sizes are off by no more than half a unit for each tile, where roundings on
/// their own would lose all the small ones.
pub(super) fn pack_tile(packing: Packing, units: Units, grads: &[Grad], words: &mut [u64]) {
    debug_assert!(grads.len() <= TILE, "a tile at a time");
    let (g_scale, h_scale) = (1.0 / units.g, 1.0 / units.h);
    let (mut g_rest, mut h_rest) = (0.0, 0.0);
    for (word, &[g, h]) in words.iter_mut().zip(grads) {
        let g_size = f64::from(g.abs()).mul_add(g_scale, g_rest);
        let h_size = f64::from(h).mul_add(h_scale, h_rest);
        // Truncation rounds down: both are at least 0.
        let (g_whole, h_whole) = ((g_size + 0.5) as i64, (h_size + 0.5) as i64);
        (g_rest, h_rest) = (g_size - g_whole as f64, h_size - h_whole as f64);
        *word = packing.pack(if g < 0.0 { -g_whole } else { g_whole }, h_whole as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rng;

    #[test]
    fn packed_sums_are_those_of_the_gradients_to_half_a_unit() {
        let mut rng = Rng::new(1, &["packed"]);
        let n = TILE;
        // Most are far below a unit, as where a model is sure.
        let small = |rng: &mut Rng| [1e-8 * rng.unit_f32(), 1e-8 * rng.unit_f32()];
        let grads: Vec<Grad> =
            (0..n).map(|row| if row % 64 == 0 { [0.7, 0.2] } else { small(&mut rng) }).collect();
        let sum = |part: usize| grads.iter().map(|grad| f64::from(grad[part])).sum::<f64>();
        let packing = Packing::of(n);
        let (g, h) = (1e-6, 1e-6);
        let mut words = vec![0; n];
        pack_tile(packing, Units { g, h }, &grads, &mut words);
        let total = packing.parts(words.iter().fold(0, |sum: u64, &word| sum.wrapping_add(word)));
        assert!((total.g as f64 * g - sum(0)).abs() <= 0.5 * g + 1e-12);
        assert!((total.h as f64 * h - sum(1)).abs() <= 0.5 * h + 1e-12);
        assert_eq!(total.n, n as u64);
    }
}
