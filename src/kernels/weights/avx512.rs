//! AVX-512: 16 accumulators, two vector registers, rows broadcast from memory.

use std::arch::x86_64::*;

use super::{N_ROWS, Tile};

/// # Safety
/// `rows` holds 8 entries for every 16 of `vectors`.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn add(rows: &[f64], vectors: &[f64], tile: &mut Tile) {
    let mut sums = [[_mm512_setzero_pd(); 2]; N_ROWS];
    for (sum, products) in sums.iter_mut().zip(tile.iter()) {
        // SAFETY: 16 values are two registers.
        unsafe {
            sum[0] = _mm512_loadu_pd(products.as_ptr());
            sum[1] = _mm512_loadu_pd(products.as_ptr().add(8));
        }
    }
    let (mut row, mut vector) = (rows.as_ptr(), vectors.as_ptr());
    for _ in 0..rows.len() / N_ROWS {
        // SAFETY: the caller's contract keeps both pointers inside their slices.
        unsafe {
            let (low, high) = (_mm512_loadu_pd(vector), _mm512_loadu_pd(vector.add(8)));
            for (lane, sum) in sums.iter_mut().enumerate() {
                let broadcast = _mm512_set1_pd(*row.add(lane));
                sum[0] = _mm512_fmadd_pd(low, broadcast, sum[0]);
                sum[1] = _mm512_fmadd_pd(high, broadcast, sum[1]);
            }
            row = row.add(N_ROWS);
            vector = vector.add(16);
        }
    }
    for (products, sum) in tile.iter_mut().zip(sums) {
        // SAFETY: 16 values are two registers.
        unsafe {
            _mm512_storeu_pd(products.as_mut_ptr(), sum[0]);
            _mm512_storeu_pd(products.as_mut_ptr().add(8), sum[1]);
        }
    }
}
