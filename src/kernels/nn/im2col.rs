//! Image patches as matrix rows, and back: what turns a convolution into a matrix product.

use super::norm::{Pending, affine_inline};
use super::per_level;

/// One convolution over images `[height, width, in_channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Rows of the input.
    pub height: usize,
    /// Columns of the input.
    pub width: usize,
    /// Channels of the input.
    pub in_channels: usize,
    /// Side of the square kernel.
    pub kernel: usize,
    /// Rows and columns from one position to the next.
    pub stride: usize,
    /// Zeros put before the first row and column.
    pub pad_before: usize,
    /// Zeros put after the last row and column.
    pub pad_after: usize,
    /// Filters.
    pub out_channels: usize,
}

impl ConvShape {
    /// Rows of the output.
    pub fn out_height(&self) -> usize {
        (self.height + self.pad_before + self.pad_after - self.kernel) / self.stride + 1
    }

    /// Columns of the output.
    pub fn out_width(&self) -> usize {
        (self.width + self.pad_before + self.pad_after - self.kernel) / self.stride + 1
    }

    /// Values of one input image.
    pub fn n_in(&self) -> usize {
        self.height * self.width * self.in_channels
    }

    /// Output positions, `out_height * out_width`.
    pub fn n_positions(&self) -> usize {
        self.out_height() * self.out_width()
    }

    /// Values of one patch, `kernel * kernel * in_channels`.
    pub fn n_patch(&self) -> usize {
        self.kernel * self.kernel * self.in_channels
    }

    /// Kernel columns `[from, to)` that meet the image at output column `x`, and the first image
    /// column they meet; nothing meets it where the border is wider than the kernel.
    fn overlap(&self, x: usize) -> (usize, usize, usize) {
        let x = x * self.stride;
        let to = self.kernel.min((self.width + self.pad_before).saturating_sub(x));
        let from = self.pad_before.saturating_sub(x).min(to);
        (from, to, (x + from).saturating_sub(self.pad_before).min(self.width))
    }
}

/// Copies an image into a border of zeros, `width` columns wide in all; rows below the image are zero.
/// A pending map is applied to the image, not to the zeros; compiled for the level of the caller.
///
/// # Panics
/// If `padded` has no room for the image behind the border before it.
#[inline(always)]
pub fn pad(shape: &ConvShape, image: Pending<'_>, width: usize, padded: &mut [f32]) {
    let (channels, before) = (shape.in_channels, shape.pad_before * shape.in_channels);
    let n_row = shape.width * channels;
    for (y, to) in padded.chunks_exact_mut(width * channels).enumerate() {
        let row = y.wrapping_sub(shape.pad_before);
        if row >= shape.height {
            to.fill(0.0);
            continue;
        }
        to[..before].fill(0.0);
        let (from, inside) = (&image.rows[row * n_row..][..n_row], &mut to[before..before + n_row]);
        match image.map {
            Some(map) => affine_inline(from, map, inside),
            None => inside.copy_from_slice(from),
        }
        to[before + n_row..].fill(0.0);
    }
}

/// Writes the patches of one image as rows, `[n_positions, n_patch]`; padding gives zeros.
///
/// # Panics
/// If a slice is shorter than the shape says.
pub fn im2col(shape: &ConvShape, image: &[f32], cols: &mut [f32]) {
    let (kernel, channels) = (shape.kernel, shape.in_channels);
    let (n_row, n_patch) = (kernel * channels, shape.n_patch());
    let mut patches = cols.chunks_exact_mut(n_patch);
    for y in 0..shape.out_height() {
        for x in 0..shape.out_width() {
            let Some(patch) = patches.next() else { unreachable!("one patch per output position") };
            let (from, to, column) = shape.overlap(x);
            for (ky, row) in patch.chunks_exact_mut(n_row).enumerate() {
                let image_y = (y * shape.stride + ky).wrapping_sub(shape.pad_before);
                if image_y >= shape.height {
                    row.fill(0.0);
                    continue;
                }
                let start = (image_y * shape.width + column) * channels;
                let n = (to - from) * channels;
                row[..from * channels].fill(0.0);
                copy(&image[start..start + n], &mut row[from * channels..from * channels + n]);
                row[to * channels..].fill(0.0);
            }
        }
    }
}

/// Copies without a call for the few values of a one-channel row.
#[inline(always)]
fn copy(from: &[f32], to: &mut [f32]) {
    if from.len() < 16 {
        for (t, &f) in to.iter_mut().zip(from) {
            *t = f;
        }
    } else {
        to.copy_from_slice(from);
    }
}

per_level! {
    /// Adds patch gradients `[n_positions, n_patch]` to the image they came from.
    ///
    /// # Panics
    /// If a slice is shorter than the shape says.
    pub fn col2im_add(shape: &ConvShape, cols: &[f32], image: &mut [f32]) {
        let (kernel, channels) = (shape.kernel, shape.in_channels);
        let (n_row, n_patch) = (kernel * channels, shape.n_patch());
        let mut patches = cols.chunks_exact(n_patch);
        for y in 0..shape.out_height() {
            for x in 0..shape.out_width() {
                let Some(patch) = patches.next() else {
                    unreachable!("one patch per output position")
                };
                let (from, to, column) = shape.overlap(x);
                for (ky, row) in patch.chunks_exact(n_row).enumerate() {
                    let image_y = (y * shape.stride + ky).wrapping_sub(shape.pad_before);
                    if image_y >= shape.height {
                        continue;
                    }
                    let start = (image_y * shape.width + column) * channels;
                    let n = (to - from) * channels;
                    let target = &mut image[start..start + n];
                    for (t, &v) in target.iter_mut().zip(&row[from * channels..]) {
                        *t += v;
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

    fn shapes() -> Vec<ConvShape> {
        let mut shapes = Vec::new();
        for kernel in 1..=5 {
            for (before, after) in [(0, 0), ((kernel - 1) / 2, kernel / 2)] {
                for in_channels in [1, 3] {
                    shapes.push(ConvShape {
                        height: 6,
                        width: 5,
                        in_channels,
                        kernel,
                        stride: 1 + kernel % 2,
                        pad_before: before,
                        pad_after: after,
                        out_channels: 2,
                    });
                }
            }
        }
        shapes
    }

    #[test]
    fn patches_hold_the_image_values_and_zeros_outside() {
        for shape in shapes() {
            let image: Vec<f32> = (1..=shape.n_in()).map(|v| v as f32).collect();
            let mut cols = vec![-1.0; shape.n_positions() * shape.n_patch()];
            im2col(&shape, &image, &mut cols);
            let mut read = cols.iter();
            for (y, x) in
                (0..shape.out_height()).flat_map(|y| (0..shape.out_width()).map(move |x| (y, x)))
            {
                for (ky, kx, c) in (0..shape.kernel).flat_map(|ky| {
                    (0..shape.kernel)
                        .flat_map(move |kx| (0..shape.in_channels).map(move |c| (ky, kx, c)))
                }) {
                    let row = (y * shape.stride + ky) as isize - shape.pad_before as isize;
                    let col = (x * shape.stride + kx) as isize - shape.pad_before as isize;
                    let inside = (0..shape.height as isize).contains(&row)
                        && (0..shape.width as isize).contains(&col);
                    let expected = if inside {
                        image[(row as usize * shape.width + col as usize) * shape.in_channels + c]
                    } else {
                        0.0
                    };
                    assert_eq!(read.next(), Some(&expected), "{shape:?}");
                }
            }
        }
    }

    /// `<im2col(a), b> = <a, col2im(b)>`, with whole numbers, so exact.
    #[test]
    fn col2im_is_the_adjoint_of_im2col() {
        for shape in shapes() {
            for level in Cpu::all() {
                let image: Vec<f32> = (0..shape.n_in()).map(|v| (v % 7) as f32 - 3.0).collect();
                let n_cols = shape.n_positions() * shape.n_patch();
                let other: Vec<f32> = (0..n_cols).map(|v| (v % 5) as f32 - 2.0).collect();
                let mut cols = vec![0.0; n_cols];
                im2col(&shape, &image, &mut cols);
                let mut back = vec![0.0; shape.n_in()];
                col2im_add(level, &shape, &other, &mut back);
                let dot =
                    |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(x, y)| x * y).sum() };
                assert_eq!(dot(&cols, &other), dot(&image, &back), "{shape:?} {level:?}");
            }
        }
    }
}
