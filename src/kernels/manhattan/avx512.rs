//! AVX-512: 24 accumulators of 12 queries by 16 rows, twice a panel; queries broadcast from memory.

use std::arch::x86_64::*;

use super::{Line, N_LINES, N_QUERIES, Tile};

/// # Safety
/// `octets` holds 12 entries for every four entries of `lines`.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) unsafe fn tile(octets: &[u64], lines: &[Line], tile: &mut Tile) {
    let n_octets = lines.len() / N_LINES;
    debug_assert_eq!(octets.len(), n_octets * N_QUERIES);
    for half in 0..2 {
        let mut sums = [[_mm512_setzero_si512(); 2]; N_QUERIES];
        for octet in 0..n_octets {
            // SAFETY: the caller's contract keeps all positions inside the slices; lines are
            // aligned.
            unsafe {
                let query = octets.as_ptr().add(octet * N_QUERIES);
                let line = lines.as_ptr().add(octet * N_LINES + half * 2).cast::<__m512i>();
                let (low, high) = (_mm512_load_si512(line), _mm512_load_si512(line.add(1)));
                for (lane, sum) in sums.iter_mut().enumerate() {
                    let eight = _mm512_set1_epi64(*query.add(lane) as i64);
                    sum[0] = _mm512_add_epi64(sum[0], _mm512_sad_epu8(low, eight));
                    sum[1] = _mm512_add_epi64(sum[1], _mm512_sad_epu8(high, eight));
                }
            }
        }
        for (distances, sum) in tile.iter_mut().zip(sums) {
            let out = distances[half * 16..][..16].as_mut_ptr();
            // SAFETY: `out` has room for 16 values, two registers of 8.
            unsafe {
                _mm256_storeu_si256(out.cast(), _mm512_cvtepi64_epi32(sum[0]));
                _mm256_storeu_si256(out.add(8).cast(), _mm512_cvtepi64_epi32(sum[1]));
            }
        }
    }
}
