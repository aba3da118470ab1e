//! AVX-512 VNNI: 24 accumulators, two row registers, queries broadcast from memory.

use std::arch::x86_64::*;

use super::{Line, N_QUERIES, N_ROWS, Tile};

/// # Safety
/// `quads` holds 12 entries for every two entries of `lines`.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) unsafe fn tile(quads: &[i32], lines: &[Line], offsets: &[i32; N_ROWS], tile: &mut Tile) {
    let n_quads = lines.len() / 2;
    debug_assert_eq!(quads.len(), n_quads * N_QUERIES);
    // SAFETY: 32 values are two registers.
    let offsets = unsafe {
        [
            _mm512_loadu_si512(offsets.as_ptr().cast()),
            _mm512_loadu_si512(offsets.as_ptr().add(16).cast()),
        ]
    };
    let mut sums = [offsets; N_QUERIES];
    let mut query = quads.as_ptr();
    let mut line = lines.as_ptr().cast::<__m512i>();
    for _ in 0..n_quads {
        // SAFETY: the caller's contract keeps both pointers inside their slices; lines are aligned.
        unsafe {
            let low = _mm512_load_si512(line);
            let high = _mm512_load_si512(line.add(1));
            for (lane, sum) in sums.iter_mut().enumerate() {
                let broadcast = _mm512_set1_epi32(*query.add(lane));
                sum[0] = _mm512_dpbusd_epi32(sum[0], low, broadcast);
                sum[1] = _mm512_dpbusd_epi32(sum[1], high, broadcast);
            }
            line = line.add(2);
            query = query.add(N_QUERIES);
        }
    }
    for (products, sum) in tile.iter_mut().zip(sums) {
        // SAFETY: 32 values are two registers.
        unsafe {
            _mm512_storeu_si512(products.as_mut_ptr().cast(), sum[0]);
            _mm512_storeu_si512(products.as_mut_ptr().add(16).cast(), sum[1]);
        }
    }
}
