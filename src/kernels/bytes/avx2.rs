//! AVX2: bytes widened to 16 bits, `vpmaddwd`; four rows a register, two partial sums a row.

use std::arch::x86_64::*;

use super::{Line, N_QUERIES, N_ROWS, Tile};

/// # Safety
/// `quads` holds 12 entries for every two entries of `lines`.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn tile(quads: &[i32], lines: &[Line], offsets: &[i32; N_ROWS], tile: &mut Tile) {
    let n_quads = lines.len() / 2;
    debug_assert_eq!(quads.len(), n_quads * N_QUERIES);
    // Two queries by 16 rows at a time: eight accumulators.
    for half in 0..2 {
        for pair in 0..N_QUERIES / 2 {
            let mut sums = [[_mm256_setzero_si256(); 4]; 2];
            for quad in 0..n_quads {
                // SAFETY: the caller's contract keeps all positions inside the slices.
                unsafe {
                    let line = lines.as_ptr().add(quad * 2 + half).cast::<__m128i>();
                    let query = quads.as_ptr().add(quad * N_QUERIES + pair * 2);
                    let first = _mm256_cvtepi8_epi16(_mm_set1_epi32(*query));
                    let second = _mm256_cvtepi8_epi16(_mm_set1_epi32(*query.add(1)));
                    let [first_sums, second_sums] = &mut sums;
                    for (four, (one, two)) in first_sums.iter_mut().zip(second_sums).enumerate() {
                        let rows = _mm256_cvtepu8_epi16(_mm_load_si128(line.add(four)));
                        *one = _mm256_add_epi32(*one, _mm256_madd_epi16(rows, first));
                        *two = _mm256_add_epi32(*two, _mm256_madd_epi16(rows, second));
                    }
                }
            }
            for (lane, sums) in sums.iter().enumerate() {
                for (four, sum) in sums.iter().enumerate() {
                    let mut partial = [0i32; 8];
                    // SAFETY: eight 32-bit values are one register.
                    unsafe { _mm256_storeu_si256(partial.as_mut_ptr().cast(), *sum) };
                    for row in 0..4 {
                        let at = half * 16 + four * 4 + row;
                        tile[pair * 2 + lane][at] =
                            offsets[at] + partial[row * 2] + partial[row * 2 + 1];
                    }
                }
            }
        }
    }
}
