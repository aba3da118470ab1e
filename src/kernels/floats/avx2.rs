//! AVX2 and FMA: three queries by four row registers at a time.

use std::arch::x86_64::*;

use super::{Line, N_QUERIES, Tile};

/// # Safety
/// `values` holds 12 entries for every two entries of `lines`.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn add(values: &[f32], lines: &[Line], tile: &mut Tile) {
    let n_features = lines.len() / 2;
    debug_assert_eq!(values.len(), n_features * N_QUERIES);
    for (third, tile) in tile.chunks_exact_mut(3).enumerate() {
        let mut sums = [[_mm256_setzero_ps(); 4]; 3];
        for (sums, products) in sums.iter_mut().zip(tile.iter()) {
            for (sum, eight) in sums.iter_mut().zip(products.chunks_exact(8)) {
                // SAFETY: eight values are one register.
                *sum = unsafe { _mm256_loadu_ps(eight.as_ptr()) };
            }
        }
        for feature in 0..n_features {
            // SAFETY: the caller's contract keeps all positions inside the slices.
            unsafe {
                let line = lines.as_ptr().add(feature * 2).cast::<f32>();
                let query = values.as_ptr().add(feature * N_QUERIES + third * 3);
                for (lane, sums) in sums.iter_mut().enumerate() {
                    let broadcast = _mm256_set1_ps(*query.add(lane));
                    for (eight, sum) in sums.iter_mut().enumerate() {
                        *sum =
                            _mm256_fmadd_ps(_mm256_load_ps(line.add(eight * 8)), broadcast, *sum);
                    }
                }
            }
        }
        for (sums, products) in sums.iter().zip(tile.iter_mut()) {
            for (sum, eight) in sums.iter().zip(products.chunks_exact_mut(8)) {
                // SAFETY: eight values are one register.
                unsafe { _mm256_storeu_ps(eight.as_mut_ptr(), *sum) };
            }
        }
    }
}
