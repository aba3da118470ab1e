//! AVX-512: 24 accumulators, two row registers, queries broadcast from memory.

use std::arch::x86_64::*;

use super::{Line, N_QUERIES, Tile};

/// # Safety
/// `values` holds 12 entries for every two entries of `lines`.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn add(values: &[f32], lines: &[Line], tile: &mut Tile) {
    let n_features = lines.len() / 2;
    debug_assert_eq!(values.len(), n_features * N_QUERIES);
    let mut sums = [[_mm512_setzero_ps(); 2]; N_QUERIES];
    for (sum, products) in sums.iter_mut().zip(tile.iter()) {
        // SAFETY: 32 values are two registers.
        unsafe {
            sum[0] = _mm512_loadu_ps(products.as_ptr());
            sum[1] = _mm512_loadu_ps(products.as_ptr().add(16));
        }
    }
    let mut query = values.as_ptr();
    let mut line = lines.as_ptr().cast::<f32>();
    for _ in 0..n_features {
        // SAFETY: the caller's contract keeps both pointers inside their slices; lines are aligned.
        unsafe {
            let low = _mm512_load_ps(line);
            let high = _mm512_load_ps(line.add(16));
            for (lane, sum) in sums.iter_mut().enumerate() {
                let broadcast = _mm512_set1_ps(*query.add(lane));
                sum[0] = _mm512_fmadd_ps(low, broadcast, sum[0]);
                sum[1] = _mm512_fmadd_ps(high, broadcast, sum[1]);
            }
            line = line.add(32);
            query = query.add(N_QUERIES);
        }
    }
    for (products, sum) in tile.iter_mut().zip(sums) {
        // SAFETY: 32 values are two registers.
        unsafe {
            _mm512_storeu_ps(products.as_mut_ptr(), sum[0]);
            _mm512_storeu_ps(products.as_mut_ptr().add(16), sum[1]);
        }
    }
}
