//! Eight filters at a time, kernels of side 3 and 4, for every CPU level: the compiler turns the
//! loops over a block into vector instructions.
//!
//! Sums are formed in the order of the definition and without fused multiply-add: the bits are the
//! same. Backward, a window adds all four positions, three of them times zero.

use super::super::per_level;
use super::super::pool::DEAD;
use super::DirectShape;

/// Filters of a block.
pub const LANES: usize = 8;

type Block = [f32; LANES];

per_level! {
    /// As [`super::forward`]; `shape` is one that [`DirectShape::is_fast`].
    pub fn forward(
        shape: &DirectShape,
        image: &[f32],
        weights: &[f32],
        bias: &[f32],
        relu: bool,
        out: &mut [f32],
        winners: &mut [u8],
    ) {
        match shape.kernel {
            3 => forward_side::<3, 9>(shape, image, weights, bias, relu, out, winners),
            _ => forward_side::<4, 16>(shape, image, weights, bias, relu, out, winners),
        }
    }
}

per_level! {
    /// As [`super::backward`]; `shape` is one that [`DirectShape::is_fast`].
    pub fn backward(
        shape: &DirectShape,
        image: &[f32],
        grad: &[f32],
        winners: &[u8],
        grad_weights: &mut [f32],
        grad_bias: &mut [f32],
    ) {
        match shape.kernel {
            3 => backward_side::<3, 9>(shape, image, grad, winners, grad_weights, grad_bias),
            _ => backward_side::<4, 16>(shape, image, grad, winners, grad_weights, grad_bias),
        }
    }
}

#[inline(always)]
fn load(values: &[f32], start: usize) -> Block {
    std::array::from_fn(|lane| values[start..start + LANES][lane])
}

#[inline(always)]
fn forward_side<const K: usize, const KK: usize>(
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
    for block in (0..channels).step_by(LANES) {
        let w: [Block; KK] = std::array::from_fn(|t| load(weights, t * channels + block));
        let b = load(bias, block);
        for row in 0..rows {
            for col in 0..cols {
                let mut sums = [b; 4];
                for y in 0..=K {
                    let start = (2 * row + y) * width + 2 * col;
                    let pixels = &image[start..start + K + 1];
                    for x in 0..=K {
                        for (position, sum) in sums.iter_mut().enumerate() {
                            let (dy, dx) = (position / 2, position % 2);
                            if y >= dy && y - dy < K && x >= dx && x - dx < K {
                                let taps = &w[(y - dy) * K + x - dx];
                                for lane in 0..LANES {
                                    sum[lane] += pixels[x] * taps[lane];
                                }
                            }
                        }
                    }
                }
                let start = (row * cols + col) * channels + block;
                let out = &mut out[start..start + LANES];
                let winners = &mut winners[start..start + LANES];
                for lane in 0..LANES {
                    let (mut best, mut winner) = (sums[0][lane], 0u8);
                    for (position, sum) in sums.iter().enumerate().skip(1) {
                        let is_greater = sum[lane] > best;
                        best = if is_greater { sum[lane] } else { best };
                        winner = if is_greater { position as u8 } else { winner };
                    }
                    let is_alive = !relu || best > 0.0;
                    winners[lane] = if is_alive { winner } else { DEAD };
                    out[lane] = if relu && best < 0.0 { 0.0 } else { best };
                }
            }
        }
    }
}

#[inline(always)]
fn backward_side<const K: usize, const KK: usize>(
    shape: &DirectShape,
    image: &[f32],
    grad: &[f32],
    winners: &[u8],
    grad_weights: &mut [f32],
    grad_bias: &mut [f32],
) {
    let (width, channels) = (shape.width, shape.out_channels);
    let (rows, cols) = (shape.pooled_height(), shape.pooled_width());
    for block in (0..channels).step_by(LANES) {
        let mut sums: [Block; KK] =
            std::array::from_fn(|t| load(grad_weights, t * channels + block));
        let mut bias_sum = load(grad_bias, block);
        for row in 0..rows {
            for col in 0..cols {
                let start = (row * cols + col) * channels + block;
                let grad = load(grad, start);
                let winners = &winners[start..start + LANES];
                let mut at = [[0.0; LANES]; 4];
                for (position, at) in at.iter_mut().enumerate() {
                    for lane in 0..LANES {
                        let is_winner = winners[lane] == position as u8;
                        at[lane] = if is_winner { grad[lane] } else { 0.0 };
                    }
                }
                for lane in 0..LANES {
                    bias_sum[lane] += if winners[lane] == DEAD { 0.0 } else { grad[lane] };
                }
                for y in 0..=K {
                    let start = (2 * row + y) * width + 2 * col;
                    let pixels = &image[start..start + K + 1];
                    for x in 0..=K {
                        for (position, at) in at.iter().enumerate() {
                            let (dy, dx) = (position / 2, position % 2);
                            if y >= dy && y - dy < K && x >= dx && x - dx < K {
                                let sum = &mut sums[(y - dy) * K + x - dx];
                                for lane in 0..LANES {
                                    sum[lane] += pixels[x] * at[lane];
                                }
                            }
                        }
                    }
                }
            }
        }
        for (t, sum) in sums.iter().enumerate() {
            let start = t * channels + block;
            grad_weights[start..start + LANES].copy_from_slice(sum);
        }
        grad_bias[block..block + LANES].copy_from_slice(&bias_sum);
    }
}
