//! Convolutions of any side and stride as products of an image's patches where they lie.
//!
//! The patches of a row of outputs start `stride * in_channels` values apart; each is `kernel` runs of
//! `kernel * in_channels` values, a padded row of the image apart. So a row of outputs is one product
//! with the kernel `[kernel * kernel * in_channels, out_channels]`, and the gradient of a row of the
//! kernel is one product with the gradients of all outputs. Nothing is copied but the border: for a
//! gray image of 28x28 and 32 filters of side 3 that is ten times as fast as writing patches out.

use super::im2col::{self, ConvShape};
use super::lanes::per_lanes;
use super::norm::Pending;
use super::per_level;
use super::product::{Product, product};
use crate::kernels::Cpu;

/// Filters come in whole registers of the widest kind.
const LANES: usize = 16;

/// True for convolutions that this module computes: filters in multiples of 16.
pub fn applies(shape: &ConvShape) -> bool {
    shape.out_channels > 0 && shape.out_channels.is_multiple_of(LANES)
}

/// Columns of a padded image.
fn padded_width(shape: &ConvShape) -> usize {
    shape.width + shape.pad_before + shape.pad_after
}

/// Values of a padded image.
pub fn n_padded(shape: &ConvShape) -> usize {
    (shape.height + shape.pad_before + shape.pad_after) * padded_width(shape) * shape.in_channels
}

per_level! {
    fn pad(shape: &ConvShape, image: Pending<'_>, padded: &mut [f32]) {
        im2col::pad(shape, image, padded_width(shape), padded);
    }
}

/// Convolves one image; the bias is not added. `weights` are `[kernel, kernel, in_channels,
/// out_channels]`, `padded` is scratch memory.
///
/// # Panics
/// If the shape is none that [`applies`] or a slice has another length.
pub fn forward(
    level: Cpu,
    shape: &ConvShape,
    image: Pending<'_>,
    weights: &[f32],
    padded: &mut [f32],
    out: &mut [f32],
) {
    check(shape, image.rows, weights, padded, out);
    pad(level, shape, image, padded);
    let n_run = shape.kernel * shape.in_channels;
    let sizes = Product {
        m: shape.out_width(),
        n: shape.out_channels,
        k: n_run,
        runs: shape.kernel,
        a_run: padded_width(shape) * shape.in_channels,
        a_row: shape.stride * shape.in_channels,
        a_col: 1,
        b_row: shape.out_channels,
        c_row: shape.out_channels,
        accumulate: false,
    };
    // SAFETY: `check` saw every length: row `y` of outputs reads padded rows `y stride` to
    // `y stride + kernel - 1`, whose columns end at `(out_width - 1) stride + kernel`, within the
    // padded image by the definition of the output's size.
    unsafe {
        let step = shape.stride * sizes.a_run;
        rows(level, &sizes, (padded, step), weights, out, shape.out_height());
    }
}

/// Adds one image's part to the gradient of the kernel; `grad` is that of the outputs.
///
/// # Panics
/// As [`forward`].
pub fn kernel_gradient(
    level: Cpu,
    shape: &ConvShape,
    image: Pending<'_>,
    grad: &[f32],
    padded: &mut [f32],
    grad_weights: &mut [f32],
) {
    check(shape, image.rows, grad_weights, padded, grad);
    pad(level, shape, image, padded);
    let padded_row = padded_width(shape) * shape.in_channels;
    let sizes = Product {
        m: shape.kernel * shape.in_channels,
        n: shape.out_channels,
        k: shape.out_width(),
        runs: shape.out_height(),
        a_run: shape.stride * padded_row,
        a_row: 1,
        a_col: shape.stride * shape.in_channels,
        b_row: shape.out_channels,
        c_row: shape.out_channels,
        accumulate: true,
    };
    // SAFETY: as in `forward`; row `y` of the kernel meets padded rows `y + stride * output row`.
    unsafe { rows(level, &sizes, (padded, padded_row), grad, grad_weights, shape.kernel) }
}

per_lanes! {
    /// `n` products with one `b`, each with its own rows of `c` and its own start in `a`, a distance
    /// apart.
    ///
    /// # Safety
    /// As [`product`] for each.
    unsafe fn rows<V>(
        sizes: &Product, a: (&[f32], usize), b: &[f32], c: &mut [f32], n: usize,
    ) {
        let c_step = sizes.m * sizes.c_row;
        for i in 0..n {
            product::<V>(
                sizes,
                a.0.as_ptr().add(i * a.1),
                b.as_ptr(),
                c.as_mut_ptr().add(i * c_step),
            );
        }
    }
}

fn check(shape: &ConvShape, image: &[f32], weights: &[f32], padded: &[f32], out: &[f32]) {
    assert!(applies(shape), "{shape:?}");
    assert_eq!(image.len(), shape.n_in(), "image");
    assert_eq!(weights.len(), shape.n_patch() * shape.out_channels, "kernel");
    assert_eq!(padded.len(), n_padded(shape), "scratch memory");
    assert_eq!(out.len(), shape.n_positions() * shape.out_channels, "outputs");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rng;
    use crate::kernels::gemm::{Mat, gemm};
    use crate::kernels::nn::im2col::im2col;

    /// Tolerance: 1e-4 of sums of at most 300 products below 1 in two orders.
    #[test]
    fn outputs_and_gradients_are_those_of_written_out_patches() {
        let mut rng = Rng::new(7, &["rows"]);
        let mut draw =
            |n: usize| -> Vec<f32> { (0..n).map(|_| rng.uniform_f32(-1.0, 1.0)).collect() };
        for (kernel, stride, pad_before, pad_after) in
            [(3, 1, 1, 1), (3, 2, 1, 1), (1, 2, 0, 0), (4, 1, 1, 2), (5, 3, 0, 0), (2, 1, 3, 3)]
        {
            for (in_channels, out_channels) in [(1, 16), (3, 48), (16, 32)] {
                let shape = ConvShape {
                    height: 11,
                    width: 9,
                    in_channels,
                    kernel,
                    stride,
                    pad_before,
                    pad_after,
                    out_channels,
                };
                let (positions, patch) = (shape.n_positions(), shape.n_patch());
                let (image, weights) = (draw(shape.n_in()), draw(patch * out_channels));
                let grad = draw(positions * out_channels);
                let mut cols = vec![0.0; positions * patch];
                im2col(&shape, &image, &mut cols);
                let cols = Mat::new(&cols, positions, patch);
                let mut expected = vec![0.0; grad.len()];
                gemm(cols, Mat::new(&weights, patch, out_channels), &mut expected, false);
                let mut expected_grad = vec![0.25; weights.len()];
                let grads = Mat::new(&grad, positions, out_channels);
                gemm(cols.t(), grads, &mut expected_grad, true);
                for level in Cpu::all() {
                    let mut padded = vec![9.0; n_padded(&shape)];
                    let mut out = vec![9.0; grad.len()];
                    let image = Pending { rows: &image, map: None };
                    forward(level, &shape, image, &weights, &mut padded, &mut out);
                    let mut found = vec![0.25; weights.len()];
                    kernel_gradient(level, &shape, image, &grad, &mut padded, &mut found);
                    let pairs = out.iter().zip(&expected).chain(found.iter().zip(&expected_grad));
                    for (a, b) in pairs {
                        assert!((a - b).abs() < 1e-4, "{level:?} {shape:?}: {a} {b}");
                    }
                }
            }
        }
    }
}
