//! The definition that the other variants are tested against.

use super::{Line, N_QUERIES, N_ROWS, Tile};

pub(super) fn tile(quads: &[i32], lines: &[Line], offsets: &[i32; N_ROWS], tile: &mut Tile) {
    tile.fill(*offsets);
    for (four_queries, two_lines) in quads.chunks_exact(N_QUERIES).zip(lines.chunks_exact(2)) {
        for (products, quad) in tile.iter_mut().zip(four_queries) {
            let quad = quad.to_le_bytes().map(|v| i32::from(v as i8));
            for (lane, product) in products.iter_mut().enumerate() {
                let four = &two_lines[lane / 16].0[lane % 16 * 4..][..4];
                *product += four.iter().zip(quad).map(|(&r, q)| i32::from(r) * q).sum::<i32>();
            }
        }
    }
}
