//! AVX-512: 24 accumulators of three queries by 128 rows; or, of lists, eight of one query.

use std::arch::x86_64::*;

use super::queries::{ListBlock, TileBlock};
use super::{Line, N_QUERIES, N_ROWS, Piece};

/// Asks for a query's share of the lines behind a piece, which are the next piece: with few queries
/// rows come from memory, twice as fast as without.
#[target_feature(enable = "avx512f")]
fn read_ahead(lines: &[Line], query: usize, n_queries: usize) {
    let share = |query: usize| query * lines.len() / n_queries;
    for ahead in share(query)..share(query + 1) {
        let line = lines.as_ptr().wrapping_add(lines.len() + ahead);
        _mm_prefetch::<_MM_HINT_T0>(line.cast());
    }
}

/// # Safety
/// `values` holds, for every three queries, three entries for every `2 S` lines; `out` holds a line
/// of `32 S` values at every `stride` for every query.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn tiles<const S: usize>(
    tiles: TileBlock<'_>,
    piece: &Piece<'_, S>,
    out: &mut [f32],
    stride: usize,
) {
    let n_features = piece.lines.len() / (2 * S);
    let mut unused = [[0.0f32; N_ROWS]; S];
    for first in (0..tiles.n_queries).step_by(N_QUERIES) {
        // SAFETY: the caller's contract keeps the lines of queries inside `out`, three entries a
        // feature inside `values`, and `2 S` aligned lines a feature inside the piece.
        unsafe {
            let outs: [*mut f32; N_QUERIES] = std::array::from_fn(|lane| {
                if first + lane < tiles.n_queries {
                    out.as_mut_ptr().add((first + lane) * stride)
                } else {
                    unused.as_mut_ptr().cast()
                }
            });
            let mut sums = [[[_mm512_setzero_ps(); 2]; S]; N_QUERIES];
            if !piece.first {
                for (sums, out) in sums.iter_mut().zip(outs) {
                    for (strip, sum) in sums.iter_mut().enumerate() {
                        sum[0] = _mm512_loadu_ps(out.add(strip * N_ROWS));
                        sum[1] = _mm512_loadu_ps(out.add(strip * N_ROWS + 16));
                    }
                }
            }
            let mut value = tiles.values.as_ptr().add(first * n_features);
            let mut line = piece.lines.as_ptr().cast::<f32>();
            // The first tiles read the next piece ahead, two lines a feature; a prefetch may name
            // any address.
            let tile = first / N_QUERIES;
            let next = piece.lines.as_ptr().wrapping_add(piece.lines.len());
            let mut ahead = next.wrapping_add(tile * n_features * 2);
            let n_ahead = if tile < S { 2 } else { 0 };
            for _ in 0..n_features {
                _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(1).cast());
                ahead = ahead.wrapping_add(n_ahead);
                let values: [__m512; N_QUERIES] =
                    std::array::from_fn(|lane| _mm512_set1_ps(*value.add(lane)));
                for strip in 0..S {
                    for half in 0..2 {
                        let rows = _mm512_load_ps(line.add(strip * N_ROWS + half * 16));
                        for (sums, value) in sums.iter_mut().zip(values) {
                            sums[strip][half] = _mm512_fmadd_ps(rows, value, sums[strip][half]);
                        }
                    }
                }
                line = line.add(S * N_ROWS);
                value = value.add(N_QUERIES);
            }
            for (sums, out) in sums.iter().zip(outs) {
                for (strip, sum) in sums.iter().enumerate() {
                    _mm512_storeu_ps(out.add(strip * N_ROWS), sum[0]);
                    _mm512_storeu_ps(out.add(strip * N_ROWS + 16), sum[1]);
                }
            }
        }
    }
}

/// # Safety
/// `starts` ascends and ends within `features` and `values`; the piece has `2 S` lines for every
/// feature; `out` holds a line of `32 S` values at every `stride` for every list.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn lists<const S: usize>(
    lists: ListBlock<'_>,
    piece: &Piece<'_, S>,
    out: &mut [f32],
    stride: usize,
) {
    let n_queries = lists.starts.len() - 1;
    for query in 0..n_queries {
        read_ahead(piece.lines, query, n_queries);
        // SAFETY: the caller's contract keeps the line of the query inside `out`, the list inside
        // `features` and `values`, and `2 S` aligned lines a feature inside the piece.
        unsafe {
            let out = out.as_mut_ptr().add(query * stride);
            let mut sums = [[_mm512_setzero_ps(); 2]; S];
            if !piece.first {
                for (strip, sum) in sums.iter_mut().enumerate() {
                    sum[0] = _mm512_loadu_ps(out.add(strip * N_ROWS));
                    sum[1] = _mm512_loadu_ps(out.add(strip * N_ROWS + 16));
                }
            }
            let start = *lists.starts.get_unchecked(query) as usize;
            for at in start..*lists.starts.get_unchecked(query + 1) as usize {
                let value = _mm512_set1_ps(*lists.values.get_unchecked(at));
                let feature = usize::from(*lists.features.get_unchecked(at));
                let line = piece.lines.as_ptr().add(feature * 2 * S).cast::<f32>();
                for (strip, sum) in sums.iter_mut().enumerate() {
                    for (half, sum) in sum.iter_mut().enumerate() {
                        let rows = _mm512_load_ps(line.add(strip * N_ROWS + half * 16));
                        *sum = _mm512_fmadd_ps(rows, value, *sum);
                    }
                }
            }
            for (strip, sum) in sums.iter().enumerate() {
                _mm512_storeu_ps(out.add(strip * N_ROWS), sum[0]);
                _mm512_storeu_ps(out.add(strip * N_ROWS + 16), sum[1]);
            }
        }
    }
}
