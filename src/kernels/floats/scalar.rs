//! The definitions that the other variants are tested against.

use super::queries::{ListBlock, TileBlock};
use super::{Line, N_QUERIES, N_ROWS, Piece};

/// Adds a feature of all rows, times `value`, to the products of one query.
fn add(value: f32, lines: &[Line], products: &mut [f32]) {
    for (lane, product) in products.iter_mut().enumerate() {
        *product = value.mul_add(lines[lane / 16].0[lane % 16], *product);
    }
}

pub(super) fn tiles<const S: usize>(
    tiles: TileBlock<'_>,
    piece: &Piece<'_, S>,
    out: &mut [f32],
    stride: usize,
) {
    let n_features = piece.lines.len() / (2 * S);
    for (query, out) in out.chunks_mut(stride).take(tiles.n_queries).enumerate() {
        let products = &mut out[..S * N_ROWS];
        if piece.first {
            products.fill(0.0);
        }
        let three = &tiles.values[query / N_QUERIES * n_features * N_QUERIES..];
        let values = three.iter().skip(query % N_QUERIES).step_by(N_QUERIES);
        for (&value, lines) in values.zip(piece.lines.chunks_exact(2 * S)) {
            add(value, lines, products);
        }
    }
}

pub(super) fn lists<const S: usize>(
    lists: ListBlock<'_>,
    piece: &Piece<'_, S>,
    out: &mut [f32],
    stride: usize,
) {
    for (list, out) in lists.starts.windows(2).zip(out.chunks_mut(stride)) {
        let products = &mut out[..S * N_ROWS];
        if piece.first {
            products.fill(0.0);
        }
        for at in list[0] as usize..list[1] as usize {
            let lines = &piece.lines[usize::from(lists.features[at]) * 2 * S..];
            add(lists.values[at], lines, products);
        }
    }
}
