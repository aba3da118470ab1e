//! Maximum pooling 2x2 with stride 2; odd sizes drop their last row or column.
//!
//! The first of equal maxima wins, scanned row by row, as in PyTorch.

use super::norm::Affine;
use super::per_level;
use crate::kernels::Cpu;

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
    if height % 2 + width % 2 > 0 {
        // A last row or column is in no window.
        out.fill(0.0);
    }
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

per_level! {
/// Pools one image behind a map of its channels: `out` receives the values whose mapped ones are the
/// greatest of their windows, themselves not mapped, so that the map stays pending.
///
/// # Panics
/// If a slice is shorter than the shapes say.
pub fn max_pool_pending(
    image: &[f32],
    shape: (usize, usize, usize),
    map: Affine<'_>,
    out: &mut [f32],
    winners: &mut [u8],
) {
    let (height, width, channels) = shape;
    let (rows, cols) = (height / 2, width / 2);
    let (scale, shift) = (&map.scale[..channels], &map.shift[..channels]);
    let map = Affine { scale, shift, ..map };
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
                let (mut best, mut value, mut winner) = (map.of(a[i], i), a[i], 0u8);
                for (position, x) in [(1, b[i]), (2, c[i]), (3, d[i])] {
                    let mapped = map.of(x, i);
                    if mapped > best {
                        (best, value, winner) = (mapped, x, position);
                    }
                }
                out[i] = value;
                winners[i] = winner;
            }
        }
    }
}
}

/// Windows of any size and step over images `[height, width, channels]`; windows that would reach
/// over the edge are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Rows of the image.
    pub height: usize,
    /// Columns of the image.
    pub width: usize,
    /// Channels.
    pub channels: usize,
    /// Rows and columns of a window: at most 255 values.
    pub size: (usize, usize),
    /// Rows and columns from one window to the next.
    pub stride: (usize, usize),
}

impl Windows {
    /// Rows and columns of windows.
    pub fn counts(&self) -> (usize, usize) {
        let count = |n: usize, size: usize, stride: usize| (n - size) / stride + 1;
        let (down, across) = (self.size.0, self.size.1);
        (count(self.height, down, self.stride.0), count(self.width, across, self.stride.1))
    }

    /// Values of an image.
    pub fn n_in(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Values of a pooled image.
    pub fn n_out(&self) -> usize {
        let (rows, cols) = self.counts();
        rows * cols * self.channels
    }

    /// Height, width and channels, if the windows are 2x2 at stride 2, for which there are faster
    /// loops.
    fn pairs(&self) -> Option<(usize, usize, usize)> {
        let are_pairs = self.size == (2, 2) && self.stride == (2, 2);
        are_pairs.then_some((self.height, self.width, self.channels))
    }

    /// Every value of every window: where the window's output starts, where the value starts (both
    /// at channel 0), and its position in the window. Windows row by row, values likewise.
    fn visit(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let (rows, cols) = self.counts();
        for window in 0..rows * cols {
            let (y, x) = (window / cols * self.stride.0, window % cols * self.stride.1);
            for position in 0..self.size.0 * self.size.1 {
                let (dy, dx) = (position / self.size.1, position % self.size.1);
                let at = (y + dy) * self.width + x + dx;
                visit(window * self.channels, at * self.channels, position);
            }
        }
    }
}

/// Maximum over any windows; `winners` gets the position of the first maximum.
///
/// # Panics
/// If a slice is shorter than the shape says.
pub fn max_windows(
    cpu: Cpu,
    image: &[f32],
    windows: &Windows,
    out: &mut [f32],
    winners: &mut [u8],
) {
    match windows.pairs() {
        Some(shape) => max_pool(cpu, image, shape, false, out, winners),
        None => max_any(cpu, image, windows, out, winners),
    }
}

per_level! {
fn max_any(image: &[f32], windows: &Windows, out: &mut [f32], winners: &mut [u8]) {
    let channels = windows.channels;
    windows.visit(|to, from, position| {
        let values = &image[from..from + channels];
        let out = &mut out[to..to + channels];
        let winners = &mut winners[to..to + channels];
        for i in 0..channels {
            if position == 0 || values[i] > out[i] {
                (out[i], winners[i]) = (values[i], position as u8);
            }
        }
    });
}
}

/// Writes to every image value the sum of the gradients of the windows it won.
///
/// # Panics
/// If a slice is shorter than the shape says.
pub fn max_windows_backward(
    cpu: Cpu,
    grad: &[f32],
    winners: &[u8],
    windows: &Windows,
    out: &mut [f32],
) {
    match windows.pairs() {
        Some(shape) => max_pool_backward(cpu, grad, winners, shape, out),
        None => max_any_backward(cpu, grad, winners, windows, out),
    }
}

per_level! {
fn max_any_backward(grad: &[f32], winners: &[u8], windows: &Windows, out: &mut [f32]) {
    let channels = windows.channels;
    out.fill(0.0);
    windows.visit(|from, to, position| {
        let grad = &grad[from..from + channels];
        let winners = &winners[from..from + channels];
        let out = &mut out[to..to + channels];
        for i in 0..channels {
            out[i] += if winners[i] == position as u8 { grad[i] } else { 0.0 };
        }
    });
}
}

per_level! {
/// Mean over any windows.
///
/// # Panics
/// If a slice is shorter than the shape says.
pub fn mean_windows(image: &[f32], windows: &Windows, out: &mut [f32]) {
    let channels = windows.channels;
    let n = (windows.size.0 * windows.size.1) as f32;
    windows.visit(|to, from, position| {
        let values = &image[from..from + channels];
        let out = &mut out[to..to + channels];
        for i in 0..channels {
            out[i] = if position == 0 { values[i] } else { out[i] + values[i] };
        }
    });
    for value in out {
        *value /= n;
    }
}
}

per_level! {
/// Writes to every image value its share of the gradients of its windows.
///
/// # Panics
/// If a slice is shorter than the shape says.
pub fn mean_windows_backward(grad: &[f32], windows: &Windows, out: &mut [f32]) {
    let channels = windows.channels;
    let n = (windows.size.0 * windows.size.1) as f32;
    out.fill(0.0);
    windows.visit(|from, to, _| {
        let grad = &grad[from..from + channels];
        let out = &mut out[to..to + channels];
        for i in 0..channels {
            out[i] += grad[i] / n;
        }
    });
}
}

#[cfg(test)]
mod tests {
    use super::super::norm;
    use super::*;

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

    #[test]
    fn windows_of_two_by_two_give_what_the_special_case_gives() {
        let shape = (5, 6, 3);
        let image: Vec<f32> = (0..90).map(|i| ((i * 37 + i * i % 11) % 17) as f32).collect();
        let windows = Windows { height: 5, width: 6, channels: 3, size: (2, 2), stride: (2, 2) };
        let grad: Vec<f32> = (0..windows.n_out()).map(|i| i as f32 + 1.0).collect();
        for level in Cpu::all() {
            let (mut out, mut winners) = (vec![9.0; 18], vec![9u8; 18]);
            max_pool(level, &image, shape, false, &mut out, &mut winners);
            let (mut same, mut same_winners) = (vec![9.0; 18], vec![9u8; 18]);
            max_any(level, &image, &windows, &mut same, &mut same_winners);
            assert_eq!((&out, &winners), (&same, &same_winners));
            let (mut back, mut same_back) = (vec![9.0; 90], vec![9.0; 90]);
            max_pool_backward(level, &grad, &winners, shape, &mut back);
            max_any_backward(level, &grad, &winners, &windows, &mut same_back);
            assert_eq!(back, same_back);
        }
    }

    /// Odd sizes, factors of both signs and zero, windows whose ReLU is off; whole numbers, many equal.
    #[test]
    fn pooling_behind_a_pending_map_gives_the_bits_of_pooling_mapped_values() {
        for (n_channels, relu) in [(3, true), (16, true), (40, false)] {
            let shape = (5, 7, n_channels);
            let n = 5 * 7 * n_channels;
            let whole = |n: usize, modulus: usize| -> Vec<f32> {
                (0..n).map(|i| (i * 31 % modulus) as f32 - (modulus / 2) as f32).collect()
            };
            let image = whole(n, 11);
            let (scale, shift) = (whole(n_channels, 3), whole(n_channels, 7));
            let map = Affine { scale: &scale, shift: &shift, relu };
            let mut mapped = vec![9.0; n];
            norm::affine(Cpu::SCALAR, &image, map, &mut mapped);
            let n_out = 2 * 3 * n_channels;
            let (mut expected, mut expected_winners) = (vec![9.0; n_out], vec![9u8; n_out]);
            max_pool(Cpu::SCALAR, &mapped, shape, false, &mut expected, &mut expected_winners);
            for level in Cpu::all() {
                let (mut out, mut winners) = (vec![9.0; n_out], vec![9u8; n_out]);
                max_pool_pending(level, &image, shape, map, &mut out, &mut winners);
                let mut found = vec![9.0; n_out];
                norm::affine(level, &out, map, &mut found);
                assert_eq!((&found, &winners), (&expected, &expected_winners), "{level:?}");
            }
        }
    }

    #[test]
    fn overlapping_windows_share_values() {
        // One channel, 3x3, windows of 2x2 at every step.
        let image: Vec<f32> = (1..=9).map(|v| v as f32).collect();
        let windows = Windows { height: 3, width: 3, channels: 1, size: (2, 2), stride: (1, 1) };
        for level in Cpu::all() {
            let mut out = [9.0; 4];
            mean_windows(level, &image, &windows, &mut out);
            assert_eq!(out, [3.0, 4.0, 6.0, 7.0]);
            let mut back = [7.0; 9];
            mean_windows_backward(level, &[4.0, 8.0, 12.0, 16.0], &windows, &mut back);
            assert_eq!(back, [1.0, 3.0, 2.0, 4.0, 10.0, 6.0, 3.0, 7.0, 4.0]);
            let mut winners = [9u8; 4];
            max_windows(level, &image, &windows, &mut out, &mut winners);
            assert_eq!((out, winners), ([5.0, 6.0, 8.0, 9.0], [3; 4]));
        }
    }
}
