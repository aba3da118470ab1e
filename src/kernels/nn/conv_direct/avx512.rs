//! Sixteen filters per register, kernels of side 3 and 4.

use std::arch::x86_64::*;

use super::super::pool::DEAD;
use super::DirectShape;

/// As [`super::forward`] for kernels of side `K` with `KK = K * K`.
///
/// # Safety
/// The CPU has AVX-512; `shape.kernel == K`, whole blocks of 16 filters, lengths as `check` says.
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
pub unsafe fn forward<const K: usize, const KK: usize>(
    shape: &DirectShape,
    image: &[f32],
    weights: &[f32],
    bias: &[f32],
    relu: bool,
    out: &mut [f32],
    winners: &mut [u8],
) {
    let (width, channels) = (shape.width, shape.out_channels);
    let (rows, cols) = (shape.pooled_height(), shape.pooled_width());
    let zero = _mm512_setzero_ps();
    for block in (0..channels).step_by(16) {
        // SAFETY: `block + 16 <= channels`; a window at (row, col) reads pixels up to
        // (2 row + K, 2 col + K), inside the image because the pooled sizes are rounded down, and
        // writes 16 values at `(row * cols + col) * channels + block`, inside `out` and `winners`.
        unsafe {
            let w: [__m512; KK] = std::array::from_fn(|t| {
                _mm512_loadu_ps(weights.as_ptr().add(t * channels + block))
            });
            let b = _mm512_loadu_ps(bias.as_ptr().add(block));
            for row in 0..rows {
                for col in 0..cols {
                    let corner = image.as_ptr().add(2 * row * width + 2 * col);
                    let mut sums = [b; 4];
                    for y in 0..=K {
                        for x in 0..=K {
                            let pixel = _mm512_set1_ps(*corner.add(y * width + x));
                            for (position, sum) in sums.iter_mut().enumerate() {
                                let (dy, dx) = (position / 2, position % 2);
                                if y >= dy && y - dy < K && x >= dx && x - dx < K {
                                    let t = (y - dy) * K + x - dx;
                                    *sum = _mm512_fmadd_ps(pixel, w[t], *sum);
                                }
                            }
                        }
                    }
                    let mut best = sums[0];
                    let mut winner = _mm512_setzero_si512();
                    for (position, &sum) in sums.iter().enumerate().skip(1) {
                        let greater = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(sum, best);
                        best = _mm512_mask_mov_ps(best, greater, sum);
                        let code = _mm512_set1_epi32(position as i32);
                        winner = _mm512_mask_mov_epi32(winner, greater, code);
                    }
                    if relu {
                        let alive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(best, zero);
                        // The second operand is returned if either is not a number.
                        best = _mm512_max_ps(zero, best);
                        let dead = _mm512_set1_epi32(i32::from(DEAD));
                        winner = _mm512_mask_mov_epi32(dead, alive, winner);
                    }
                    let start = (row * cols + col) * channels + block;
                    _mm512_storeu_ps(out.as_mut_ptr().add(start), best);
                    let codes = _mm512_cvtepi32_epi8(winner);
                    _mm_storeu_si128(winners.as_mut_ptr().add(start).cast(), codes);
                }
            }
        }
    }
}

/// As [`super::backward`] for kernels of side `K` with `KK = K * K`.
///
/// # Safety
/// As [`forward`].
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
pub unsafe fn backward<const K: usize, const KK: usize>(
    shape: &DirectShape,
    image: &[f32],
    grad: &[f32],
    winners: &[u8],
    grad_weights: &mut [f32],
    grad_bias: &mut [f32],
) {
    const { assert!((K + 1) * (K + 1) <= 32, "a window's pixels fill at most two registers") };
    let (width, channels) = (shape.width, shape.out_channels);
    let (rows, cols) = (shape.pooled_height(), shape.pooled_width());
    let dead = _mm512_set1_epi32(i32::from(DEAD));
    let one = _mm512_set1_epi32(1);
    let side = _mm512_set1_epi32(K as i32 + 1);
    // A row of windows at a time: its pixels, gathered once, serve every block of filters.
    let mut windows = vec![[0.0f32; 32]; cols];
    for row in 0..rows {
        for (col, window) in windows.iter_mut().enumerate() {
            for y in 0..=K {
                let start = (2 * row + y) * width + 2 * col;
                let pixels = &image[start..start + K + 1];
                window[y * (K + 1)..(y + 1) * (K + 1)].copy_from_slice(pixels);
            }
        }
        for block in (0..channels).step_by(16) {
            // SAFETY: `block + 16 <= channels`, so every access to `grad_weights` (at
            // `t * channels + block`, `t < KK`), `grad_bias`, `grad` and `winners` (at
            // `(row * cols + col) * channels + block`) has 16 values ahead of it. Permutation
            // indices are at most `K * (K + 1) + K < 32`: winners of live lanes are below 4, and
            // the hardware takes the others modulo 32.
            unsafe {
                let mut sums: [__m512; KK] = std::array::from_fn(|t| {
                    _mm512_loadu_ps(grad_weights.as_ptr().add(t * channels + block))
                });
                let mut bias_sum = _mm512_loadu_ps(grad_bias.as_ptr().add(block));
                for (col, window) in windows.iter().enumerate() {
                    let start = (row * cols + col) * channels + block;
                    let codes = _mm_loadu_si128(winners.as_ptr().add(start).cast());
                    let winner = _mm512_cvtepu8_epi32(codes);
                    let alive = _mm512_cmplt_epi32_mask(winner, dead);
                    let g = _mm512_maskz_loadu_ps(alive, grad.as_ptr().add(start));
                    bias_sum = _mm512_add_ps(bias_sum, g);
                    let (dy, dx) = (_mm512_srli_epi32::<1>(winner), _mm512_and_epi32(winner, one));
                    let corner = _mm512_add_epi32(_mm512_mullo_epi32(dy, side), dx);
                    let low = _mm512_loadu_ps(window.as_ptr());
                    let high = _mm512_loadu_ps(window.as_ptr().add(16));
                    for (t, sum) in sums.iter_mut().enumerate() {
                        let offset = _mm512_set1_epi32((t / K * (K + 1) + t % K) as i32);
                        let index = _mm512_add_epi32(corner, offset);
                        let pixel = if (K + 1) * (K + 1) <= 16 {
                            _mm512_permutexvar_ps(index, low)
                        } else {
                            _mm512_permutex2var_ps(low, index, high)
                        };
                        *sum = _mm512_fmadd_ps(pixel, g, *sum);
                    }
                }
                for (t, &sum) in sums.iter().enumerate() {
                    _mm512_storeu_ps(grad_weights.as_mut_ptr().add(t * channels + block), sum);
                }
                _mm512_storeu_ps(grad_bias.as_mut_ptr().add(block), bias_sum);
            }
        }
    }
}
