//! AVX2 and FMA: three queries by a strip of 32 rows; or, of lists, one query by two strips.

use std::arch::x86_64::*;

use super::queries::{ListBlock, TileBlock};
use super::{N_QUERIES, N_ROWS, Piece};

/// # Safety
/// `values` holds, for every three queries, three entries for every `2 S` lines; `out` holds a line
/// of `32 S` values at every `stride` for every query.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn tiles<const S: usize>(
    tiles: TileBlock<'_>,
    piece: &Piece<'_, S>,
    out: &mut [f32],
    stride: usize,
) {
    let n_features = piece.lines.len() / (2 * S);
    let mut unused = [0.0f32; N_ROWS];
    for first in (0..tiles.n_queries).step_by(N_QUERIES) {
        for strip in 0..S {
            // SAFETY: the caller's contract keeps the lines of queries inside `out`, three entries
            // a feature inside `values`, and `2 S` aligned lines a feature inside the piece.
            unsafe {
                let outs: [*mut f32; N_QUERIES] = std::array::from_fn(|lane| {
                    if first + lane < tiles.n_queries {
                        out.as_mut_ptr().add((first + lane) * stride + strip * N_ROWS)
                    } else {
                        unused.as_mut_ptr()
                    }
                });
                let mut sums = [[_mm256_setzero_ps(); 4]; N_QUERIES];
                if !piece.first {
                    for (sums, out) in sums.iter_mut().zip(outs) {
                        for (eight, sum) in sums.iter_mut().enumerate() {
                            *sum = _mm256_loadu_ps(out.add(eight * 8));
                        }
                    }
                }
                let mut value = tiles.values.as_ptr().add(first * n_features);
                let mut line = piece.lines.as_ptr().add(strip * 2).cast::<f32>();
                for _ in 0..n_features {
                    for (lane, sums) in sums.iter_mut().enumerate() {
                        let value = _mm256_set1_ps(*value.add(lane));
                        for (eight, sum) in sums.iter_mut().enumerate() {
                            let rows = _mm256_load_ps(line.add(eight * 8));
                            *sum = _mm256_fmadd_ps(rows, value, *sum);
                        }
                    }
                    line = line.wrapping_add(S * N_ROWS);
                    value = value.add(N_QUERIES);
                }
                for (sums, out) in sums.iter().zip(outs) {
                    for (eight, sum) in sums.iter().enumerate() {
                        _mm256_storeu_ps(out.add(eight * 8), *sum);
                    }
                }
            }
        }
    }
}

/// # Safety
/// `starts` ascends and ends within `features` and `values`; the piece has `2 S` lines for every
/// feature; `out` holds a line of `32 S` values at every `stride` for every list.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn lists<const S: usize>(
    lists: ListBlock<'_>,
    piece: &Piece<'_, S>,
    out: &mut [f32],
    stride: usize,
) {
    for query in 0..lists.starts.len() - 1 {
        for strip in (0..S).step_by(2) {
            // A lone last strip is computed twice; both times the same is stored.
            let strips = [strip, (strip + 1).min(S - 1)];
            // SAFETY: the caller's contract keeps the line of the query inside `out`, the list
            // inside `features` and `values`, and `2 S` aligned lines a feature inside the piece.
            unsafe {
                let outs =
                    strips.map(|strip| out.as_mut_ptr().add(query * stride + strip * N_ROWS));
                let mut sums = [[_mm256_setzero_ps(); 4]; 2];
                if !piece.first {
                    for (sums, out) in sums.iter_mut().zip(outs) {
                        for (eight, sum) in sums.iter_mut().enumerate() {
                            *sum = _mm256_loadu_ps(out.add(eight * 8));
                        }
                    }
                }
                let start = *lists.starts.get_unchecked(query) as usize;
                for at in start..*lists.starts.get_unchecked(query + 1) as usize {
                    let value = _mm256_set1_ps(*lists.values.get_unchecked(at));
                    let feature = usize::from(*lists.features.get_unchecked(at));
                    for (sums, strip) in sums.iter_mut().zip(strips) {
                        let lines = piece.lines.as_ptr().add((feature * S + strip) * 2);
                        for (eight, sum) in sums.iter_mut().enumerate() {
                            let rows = _mm256_load_ps(lines.cast::<f32>().add(eight * 8));
                            *sum = _mm256_fmadd_ps(rows, value, *sum);
                        }
                    }
                }
                for (sums, out) in sums.iter().zip(outs) {
                    for (eight, sum) in sums.iter().enumerate() {
                        _mm256_storeu_ps(out.add(eight * 8), *sum);
                    }
                }
            }
        }
    }
}
