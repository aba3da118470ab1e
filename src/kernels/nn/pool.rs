//! Maximum pooling 2x2 with stride 2; odd sizes drop their last row or column.
//!
//! The first of equal maxima wins, scanned row by row, as in PyTorch.

use super::per_level;

/// Winner code of a pooled value whose ReLU is off: no gradient passes.
pub const DEAD: u8 = 4;

per_level! {
/// Pools one image `[height, width, channels]` into `[height/2, width/2, channels]`.
///
/// `winners` receives the position of the maximum, `2 * row + column` in the window, or [`DEAD`]
/// if `relu` holds and the maximum is not positive (the values have passed the ReLU already).
///
/// # Panics
/// If a slice is shorter than the shapes say.
pub fn max_pool(
    image: &[f32],
    shape: (usize, usize, usize),
    relu: bool,
    out: &mut [f32],
    winners: &mut [u8],
) {
    let (height, width, channels) = shape;
    let (rows, cols) = (height / 2, width / 2);
    for row in 0..rows {
        for col in 0..cols {
            let at = |dy: usize, dx: usize| {
                let start = ((2 * row + dy) * width + 2 * col + dx) * channels;
                &image[start..start + channels]
            };
            let (a, b, c, d) = (at(0, 0), at(0, 1), at(1, 0), at(1, 1));
            let start = (row * cols + col) * channels;
            let out = &mut out[start..start + channels];
            let winners = &mut winners[start..start + channels];
            for i in 0..channels {
                let (mut best, mut winner) = (a[i], 0u8);
                for (position, value) in [(1, b[i]), (2, c[i]), (3, d[i])] {
                    if value > best {
                        (best, winner) = (value, position);
                    }
                }
                out[i] = best;
                winners[i] = if relu && best <= 0.0 { DEAD } else { winner };
            }
        }
    }
}
}

per_level! {
/// Writes the gradient of every pooled value to its winner, and 0 everywhere else.
///
/// # Panics
/// If a slice is shorter than the shapes say.
pub fn max_pool_backward(
    grad: &[f32],
    winners: &[u8],
    shape: (usize, usize, usize),
    out: &mut [f32],
) {
    let (height, width, channels) = shape;
    out.fill(0.0);
    let (rows, cols) = (height / 2, width / 2);
    for row in 0..rows {
        for col in 0..cols {
            let start = (row * cols + col) * channels;
            for dy in 0..2 {
                let target = ((2 * row + dy) * width + 2 * col) * channels;
                let (left, right) = out[target..target + 2 * channels].split_at_mut(channels);
                let grad = &grad[start..start + channels];
                let winners = &winners[start..start + channels];
                let code = 2 * dy as u8;
                for i in 0..channels {
                    left[i] = if winners[i] == code { grad[i] } else { 0.0 };
                    right[i] = if winners[i] == code + 1 { grad[i] } else { 0.0 };
                }
            }
        }
    }
}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Cpu;

    #[test]
    fn first_maximum_wins_and_odd_edges_are_dropped() {
        // 3x5, one channel; the last row and column are outside every window.
        let image = [1.0, 1.0, 0.0, 2.0, 9.0, 0.5, 1.0, 2.0, -1.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0];
        let (mut out, mut winners) = ([0.0; 2], [9u8; 2]);
        max_pool(Cpu::SCALAR, &image, (3, 5, 1), false, &mut out, &mut winners);
        assert_eq!((out, winners), ([1.0, 2.0], [0, 1]));
        let mut back = [7.0; 15];
        max_pool_backward(Cpu::SCALAR, &[10.0, 20.0], &winners, (3, 5, 1), &mut back);
        let mut expected = [0.0; 15];
        (expected[0], expected[3]) = (10.0, 20.0);
        assert_eq!(back, expected);
    }

    #[test]
    fn a_dead_relu_passes_no_gradient() {
        let (mut out, mut winners) = ([9.0; 1], [9u8; 1]);
        max_pool(Cpu::SCALAR, &[0.0; 4], (2, 2, 1), true, &mut out, &mut winners);
        assert_eq!(winners, [DEAD]);
        let mut back = [7.0; 4];
        max_pool_backward(Cpu::SCALAR, &[1.0], &winners, (2, 2, 1), &mut back);
        assert_eq!(back, [0.0; 4]);
    }
}
