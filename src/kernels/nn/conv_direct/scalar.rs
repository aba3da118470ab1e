//! The definition.

use super::super::pool::DEAD;
use super::DirectShape;

/// As [`super::forward`]; lengths are checked there.
pub fn forward(
    shape: &DirectShape,
    image: &[f32],
    weights: &[f32],
    bias: &[f32],
    relu: bool,
    out: &mut [f32],
    winners: &mut [u8],
) {
    let (kernel, channels) = (shape.kernel, shape.out_channels);
    for row in 0..shape.pooled_height() {
        for col in 0..shape.pooled_width() {
            for channel in 0..channels {
                let (mut best, mut winner) = (f32::NEG_INFINITY, 0);
                for position in 0..4 {
                    let (y, x) = (2 * row + position / 2, 2 * col + position % 2);
                    let mut sum = bias[channel];
                    for ky in 0..kernel {
                        for kx in 0..kernel {
                            let weight = weights[(ky * kernel + kx) * channels + channel];
                            sum += image[(y + ky) * shape.width + x + kx] * weight;
                        }
                    }
                    if sum > best || position == 0 {
                        (best, winner) = (sum, position as u8);
                    }
                }
                let i = (row * shape.pooled_width() + col) * channels + channel;
                let is_dead = relu && (best <= 0.0 || best.is_nan());
                out[i] = if relu && best < 0.0 { 0.0 } else { best };
                winners[i] = if is_dead { DEAD } else { winner };
            }
        }
    }
}

/// As [`super::backward`]; lengths are checked there.
pub fn backward(
    shape: &DirectShape,
    image: &[f32],
    grad: &[f32],
    winners: &[u8],
    grad_weights: &mut [f32],
    grad_bias: &mut [f32],
) {
    let (kernel, channels) = (shape.kernel, shape.out_channels);
    for row in 0..shape.pooled_height() {
        for col in 0..shape.pooled_width() {
            for channel in 0..channels {
                let i = (row * shape.pooled_width() + col) * channels + channel;
                if winners[i] == DEAD {
                    continue;
                }
                let position = usize::from(winners[i]);
                let (y, x) = (2 * row + position / 2, 2 * col + position % 2);
                grad_bias[channel] += grad[i];
                for ky in 0..kernel {
                    for kx in 0..kernel {
                        let weight = &mut grad_weights[(ky * kernel + kx) * channels + channel];
                        *weight += image[(y + ky) * shape.width + x + kx] * grad[i];
                    }
                }
            }
        }
    }
}
