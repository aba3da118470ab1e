//! Dot products of `f32` vectors, many queries with many rows, in one order of summation.
//!
//! Every product is a chain of fused multiply-adds over features 0, 1, 2, …, at every instruction
//! level and for every batch: a kernel value never depends on which rows it was computed with.
//! A feature that is 0 in the query adds nothing to a chain, so queries that are mostly zeros (what
//! a rectifier leaves) are kept as lists of the others, with the same result. (Where a sum
//! underflows to zero, the zero's sign may differ.)
//!
//! Rows are packed in panels of 128 and blocks of 64 features: 32 KiB, which the first cache keeps for
//! all queries. Partial sums are stored and reloaded between blocks, which changes no bit. However
//! few the queries are, rows are read from start to end, as memory likes it best. The rows beyond
//! the last whole panel have a panel of one to three strips of 32. `benches/kernels.rs` measures.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod queries;
mod rows;
mod scalar;

pub use queries::Queries;
pub use rows::Rows;

use std::ops::Range;

use super::cpu::{Cpu, Level};
use queries::{Form, ListBlock, TileBlock};

/// Rows of a strip; a panel has up to four.
pub const N_ROWS: usize = 32;
/// Strips of a whole panel.
const N_STRIPS: usize = 4;
/// Queries of a dense tile.
const N_QUERIES: usize = 3;
/// Features of one pass over a panel: 32 KiB of rows.
const BLOCK: usize = 64;

/// One feature of 16 rows, one cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Writes the products of every query with the rows of `strips`: the line of query `q` starts at
/// `out[q * stride]` and has 32 values a strip, meaningless beyond the last row.
///
/// # Panics
/// If `strips` splits a panel of four or does not exist, the vectors differ in length, or `out` is
/// too short.
pub fn products(
    cpu: Cpu,
    queries: &Queries,
    rows: &Rows,
    strips: Range<usize>,
    out: &mut [f32],
    stride: usize,
) {
    assert_eq!(queries.n_features, rows.n_features, "queries and rows differ in length");
    let width = strips.len() * N_ROWS;
    assert!(strips.start.is_multiple_of(N_STRIPS), "strip {} does not start a panel", strips.start);
    assert!(strips.end.is_multiple_of(N_STRIPS) || strips.end == rows.n_strips(), "split panel");
    assert!(width <= stride, "lines of {width} every {stride}");
    if width == 0 || queries.is_empty() {
        return;
    }
    if rows.n_features == 0 {
        out.chunks_mut(stride).for_each(|line| line[..width].fill(0.0));
        return;
    }
    for first_strip in strips.clone().step_by(N_STRIPS) {
        let out = &mut out[(first_strip - strips.start) * N_ROWS..];
        match strips.end - first_strip {
            1 => with_panel::<1>(cpu, queries, rows, first_strip, out, stride),
            2 => with_panel::<2>(cpu, queries, rows, first_strip, out, stride),
            3 => with_panel::<3>(cpu, queries, rows, first_strip, out, stride),
            _ => with_panel::<N_STRIPS>(cpu, queries, rows, first_strip, out, stride),
        }
    }
}

/// [`products`] with one panel of `S` strips.
fn with_panel<const S: usize>(
    cpu: Cpu,
    queries: &Queries,
    rows: &Rows,
    first_strip: usize,
    out: &mut [f32],
    stride: usize,
) {
    assert!(out.len() >= (queries.len() - 1) * stride + S * N_ROWS, "short output");
    for block in 0..rows.n_features.div_ceil(BLOCK) {
        let piece = Piece::<S> { lines: rows.lines(first_strip, S, block), first: block == 0 };
        match &queries.form {
            Form::Tiles(tiles) => add_tiles(cpu, tiles.block(block), &piece, out, stride),
            Form::Lists(lists) => add_lists(cpu, lists.block(block), &piece, out, stride),
        }
    }
}

/// A block of features of a panel of `S` strips.
struct Piece<'a, const S: usize> {
    /// `[feature][2 S]`
    lines: &'a [Line],
    /// Whether products start here.
    first: bool,
}

fn add_tiles<const S: usize>(
    cpu: Cpu,
    tiles: TileBlock<'_>,
    piece: &Piece<'_, S>,
    out: &mut [f32],
    stride: usize,
) {
    let n_features = piece.lines.len() / (2 * S);
    assert_eq!(tiles.values.len(), tiles.n_queries.next_multiple_of(N_QUERIES) * n_features);
    match cpu.0 {
        Level::Scalar => scalar::tiles(tiles, piece, out, stride),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves the CPU features; the lengths were checked.
        Level::Avx2 => unsafe { avx2::tiles(tiles, piece, out, stride) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves the CPU features; the lengths were checked.
        Level::Avx512 => unsafe { avx512::tiles(tiles, piece, out, stride) },
    }
}

fn add_lists<const S: usize>(
    cpu: Cpu,
    lists: ListBlock<'_>,
    piece: &Piece<'_, S>,
    out: &mut [f32],
    stride: usize,
) {
    match cpu.0 {
        Level::Scalar => scalar::lists(lists, piece, out, stride),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves the CPU features; the output was checked; lists hold only
        // features of their block, and a piece has all rows of these.
        Level::Avx2 => unsafe { avx2::lists(lists, piece, out, stride) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as for AVX2.
        Level::Avx512 => unsafe { avx512::lists(lists, piece, out, stride) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rng;

    fn check(n_features: usize, n_queries: usize, n_rows: usize, density: f32) {
        let mut rng = Rng::new(n_features as u64, &["floats"]);
        let mut draw = |n: usize| -> Vec<Vec<f32>> {
            let mut value = || {
                let (keep, value) = (rng.unit_f32() < density, rng.normal_f32());
                if keep { value } else { 0.0 }
            };
            (0..n).map(|_| (0..n_features).map(|_| value()).collect()).collect()
        };
        let (queries, rows) = (draw(n_queries), draw(n_rows));
        let queries: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
        let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        let packed_rows = Rows::pack(n_features, &rows);
        let packed_queries = Queries::pack(n_features, &queries);
        let chain =
            |a: &[f32], b: &[f32]| a.iter().zip(b).fold(0.0f32, |s, (a, b)| a.mul_add(*b, s));
        for (query, &square) in queries.iter().zip(packed_queries.squares()) {
            assert_eq!(square.to_bits(), chain(query, query).to_bits());
        }
        let n_strips = n_rows.div_ceil(N_ROWS);
        for cpu in Cpu::all() {
            for first in (0..n_strips).step_by(N_STRIPS) {
                let stride = (n_strips - first) * N_ROWS + 1;
                let mut out = vec![f32::NAN; n_queries * stride];
                products(cpu, &packed_queries, &packed_rows, first..n_strips, &mut out, stride);
                for (query_idx, query) in queries.iter().enumerate() {
                    for (row_idx, row) in rows.iter().enumerate().skip(first * N_ROWS) {
                        let found = out[query_idx * stride + row_idx - first * N_ROWS];
                        let expected = chain(query, row);
                        assert_eq!(
                            found.to_bits(),
                            expected.to_bits(),
                            "{cpu:?}, {n_features} features, density {density}, {n_queries} queries"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn every_level_gives_the_same_bits_as_a_chain_of_fused_multiply_adds() {
        for n_features in [0, 1, 2, 15, 16, 17, 63, 64, 65, 784] {
            check(n_features, 13, 33, 1.0);
        }
        for n_rows in [1, 64, 96, 128, 160, 257] {
            check(BLOCK + 1, 5, n_rows, 1.0);
        }
    }

    #[test]
    fn zeros_left_out_change_no_bit() {
        for n_features in [1, 2, 15, 16, 17, 63, 64, 65, 784] {
            check(n_features, 13, 33, 0.4);
        }
        for n_rows in [1, 64, 96, 128, 160, 257] {
            check(130, 3, n_rows, 0.2);
        }
        check(130, 5, 40, 0.0);
    }
}
