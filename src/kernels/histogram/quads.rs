//! Histograms of the same rows for four sets of sums at once.
//!
//! All trees of a round start from the same rows: their bins are read once, and one addition of a
//! register serves four trees. The cells of a block are 128 KiB then, in the second cache, and a row
//! still costs half of what four passes over a block of one would.

use super::{BLOCK_LEN, Block, LANES};
use crate::kernels::cpu::per_level;

/// Sums of a row or a cell, one a tree.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(32))]
pub struct Quad(pub [u64; 4]);

/// Four histograms of 16 features, `[bin][feature]`.
pub type QuadBlock = [Quad; BLOCK_LEN];

/// Counts all rows into four histograms; `cells` is room.
///
/// # Panics
/// If lengths differ.
pub fn count_quads(
    cpu: crate::kernels::Cpu,
    bins: &[[u8; LANES]],
    sums: &[Quad],
    cells: &mut QuadBlock,
    blocks: [&mut Block; 4],
) {
    assert_eq!(bins.len(), sums.len(), "one quad a row");
    cells.fill(Quad::default());
    add_quads(cpu, bins, sums, cells);
    for (nth, block) in blocks.into_iter().enumerate() {
        for (sum, cell) in block.iter_mut().zip(cells.iter()) {
            *sum = cell.0[nth];
        }
    }
}

per_level! {
    fn add_quads(bins: &[[u8; LANES]], sums: &[Quad], cells: &mut QuadBlock) {
        for (bins, sums) in bins.iter().zip(sums) {
            for (lane, &bin) in bins.iter().enumerate() {
                let cell = &mut cells[usize::from(bin) * LANES + lane];
                for nth in 0..4 {
                    cell.0[nth] = cell.0[nth].wrapping_add(sums.0[nth]);
                }
            }
        }
    }
}
