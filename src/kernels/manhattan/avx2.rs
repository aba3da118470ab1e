//! AVX2: two queries by 16 rows at a time, eight accumulators of four rows.

use std::arch::x86_64::*;

use super::{Line, N_LINES, N_QUERIES, Tile};

/// # Safety
/// `octets` holds 12 entries for every four entries of `lines`.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn tile(octets: &[u64], lines: &[Line], tile: &mut Tile) {
    let n_octets = lines.len() / N_LINES;
    debug_assert_eq!(octets.len(), n_octets * N_QUERIES);
    for half in 0..2 {
        for pair in 0..N_QUERIES / 2 {
            let mut sums = [[_mm256_setzero_si256(); 4]; 2];
            for octet in 0..n_octets {
                // SAFETY: the caller's contract keeps all positions inside the slices; lines are
                // aligned.
                unsafe {
                    let query = octets.as_ptr().add(octet * N_QUERIES + pair * 2);
                    let line = lines.as_ptr().add(octet * N_LINES + half * 2).cast::<__m256i>();
                    let first = _mm256_set1_epi64x(*query as i64);
                    let second = _mm256_set1_epi64x(*query.add(1) as i64);
                    let [first_sums, second_sums] = &mut sums;
                    for (four, (one, two)) in first_sums.iter_mut().zip(second_sums).enumerate() {
                        let rows = _mm256_load_si256(line.add(four));
                        *one = _mm256_add_epi64(*one, _mm256_sad_epu8(rows, first));
                        *two = _mm256_add_epi64(*two, _mm256_sad_epu8(rows, second));
                    }
                }
            }
            for (lane, sums) in sums.iter().enumerate() {
                for (four, sum) in sums.iter().enumerate() {
                    let mut wide = [0i64; 4];
                    // SAFETY: four 64-bit values are one register.
                    unsafe { _mm256_storeu_si256(wide.as_mut_ptr().cast(), *sum) };
                    let out = &mut tile[pair * 2 + lane][half * 16 + four * 4..][..4];
                    for (distance, wide) in out.iter_mut().zip(wide) {
                        *distance = wide as i32;
                    }
                }
            }
        }
    }
}
