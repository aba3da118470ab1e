//! AVX2 and FMA: two rows by four vector registers at a time.

use std::arch::x86_64::*;

use super::{N_ROWS, N_VECTORS, Tile};

/// # Safety
/// `rows` holds 8 entries for every 16 of `vectors`.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn add(rows: &[f64], vectors: &[f64], tile: &mut Tile) {
    for (quarter, tile) in tile.chunks_exact_mut(2).enumerate() {
        let mut sums = [[_mm256_setzero_pd(); 4]; 2];
        for (sums, products) in sums.iter_mut().zip(tile.iter()) {
            for (sum, four) in sums.iter_mut().zip(products.chunks_exact(4)) {
                // SAFETY: four values are one register.
                *sum = unsafe { _mm256_loadu_pd(four.as_ptr()) };
            }
        }
        for feature in 0..rows.len() / N_ROWS {
            // SAFETY: the caller's contract keeps all positions inside the slices.
            unsafe {
                let row = rows.as_ptr().add(feature * N_ROWS + quarter * 2);
                let vector = vectors.as_ptr().add(feature * N_VECTORS);
                for (lane, sums) in sums.iter_mut().enumerate() {
                    let broadcast = _mm256_set1_pd(*row.add(lane));
                    for (four, sum) in sums.iter_mut().enumerate() {
                        *sum =
                            _mm256_fmadd_pd(_mm256_loadu_pd(vector.add(four * 4)), broadcast, *sum);
                    }
                }
            }
        }
        for (sums, products) in sums.iter().zip(tile.iter_mut()) {
            for (sum, four) in sums.iter().zip(products.chunks_exact_mut(4)) {
                // SAFETY: four values are one register.
                unsafe { _mm256_storeu_pd(four.as_mut_ptr(), *sum) };
            }
        }
    }
}
