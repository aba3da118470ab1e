//! Convolutions of side 3 by Winograd's minimal filtering, `F(4x4, 3x3)`: 36 multiplications for
//! sixteen outputs instead of 144 (Lavin & Gray, CVPR 2016, section 4.3).
//!
//! ```text
//! V = B^T d B   of every 6x6 tile of the images        U = G g G^T   of every kernel
//! forward:   M[p] = V[p] U[p]            for 36 points p, a matrix product each;  y = A^T M A + b
//! backward:  W = A dy A^T;   dV[p] = W[p] U[p]^T;   dU[p] = V[p]^T W[p]
//!            dd = B dV B^T, overlaps added;   dg = G^T dU G
//! ```
//!
//! The backward pass is the exact transpose of the forward one. On random values in `[-1, 1]` both
//! are within 1.1e-5 of the greatest value of the exact result (a sum of products: 1e-6). A core of
//! a Zen 5 does 28x28x32 to 32 channels in 28 us forward and 50 us backward, as much as 255 and 290
//! GMAC/s of direct convolution, twice what its multipliers can.
//!
//! With [`Format::Bf16`] the planes that are multiplied (`V`, `U`, `W`) hold `bf16` numbers. Rounding
//! them at the points costs more than rounding images and kernels would: on random values the error of
//! outputs is 2 % of their standard deviation, that of gradients 2.5 % (0.2 % for a sum of products).

mod pairs;
mod planes;
mod points;

use std::ops::Range;

use super::im2col::ConvShape;
use super::lanes::{per_lanes, per_pairs};
use super::norm::Pending;
use super::product::{Product, product};
use crate::kernels::Cpu;

/// Outputs along a side of a tile.
const TILE: usize = 4;
/// Points along a side.
const SIDE: usize = 6;
/// Points of a tile.
const N_POINTS: usize = SIDE * SIDE;
/// Values between two planes, so that equal places of all planes do not meet in one set of the
/// first-level cache.
const GAP: usize = 16;
/// Channels come in whole registers of the widest kind.
const LANES: usize = 16;

/// What is multiplied at the points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `f32` numbers.
    #[default]
    F32,
    /// Pairs of `bf16` numbers, whose products are added up in `f32`.
    Bf16,
}

/// True for convolutions that this module computes: side 3, stride 1, channels in multiples of 16.
pub fn applies(shape: &ConvShape) -> bool {
    let whole = |channels: usize| channels > 0 && channels.is_multiple_of(LANES);
    shape.kernel == 3 && shape.stride == 1 && whole(shape.in_channels) && whole(shape.out_channels)
}

/// Tiles down and across.
fn tiles(shape: &ConvShape) -> (usize, usize) {
    (shape.out_height().div_ceil(TILE), shape.out_width().div_ceil(TILE))
}

/// Tiles of one image.
pub fn n_tiles(shape: &ConvShape) -> usize {
    let (down, across) = tiles(shape);
    down * across
}

/// Distance of planes of `n` values.
fn plane(n: usize) -> usize {
    n + GAP
}

/// Values of the planes of a kernel, and of the gradients in them.
pub fn n_kernel_values(shape: &ConvShape) -> usize {
    N_POINTS * plane(shape.in_channels * shape.out_channels)
}

/// Columns of an image with its border, wide enough for every tile.
fn padded_width(shape: &ConvShape) -> usize {
    tiles(shape).1 * TILE + SIDE - TILE
}

/// Values of an image with its border.
fn n_padded(shape: &ConvShape) -> usize {
    (tiles(shape).0 * TILE + SIDE - TILE) * padded_width(shape) * shape.in_channels
}

/// Values of scratch memory for `n_images`: planes of images and outputs, and a padded image.
pub fn n_scratch(shape: &ConvShape, n_images: usize) -> usize {
    let (n_in, n_out) = (n_images * n_tiles(shape), n_images * n_paired_tiles(shape));
    N_POINTS * (plane(n_in * shape.in_channels) + plane(n_out * shape.out_channels))
        + n_padded(shape)
}

/// Tiles of one image, with a partner for the last one.
fn n_paired_tiles(shape: &ConvShape) -> usize {
    n_tiles(shape).next_multiple_of(2)
}

/// Writes the planes of kernels `[3, 3, in_channels, out_channels]` (or, turned for the backward pass, of
/// `[3, 3, out_channels, in_channels]`): `n_kernel_values` values.
///
/// # Panics
/// If the shape is none that [`applies`] or a slice has another length.
pub fn transform_kernel(
    level: Cpu,
    shape: &ConvShape,
    format: Format,
    is_turned: bool,
    weights: &[f32],
    planes: &mut [f32],
) {
    let n = shape.in_channels * shape.out_channels;
    assert!(applies(shape), "{shape:?}");
    assert!(weights.len() == 9 * n && planes.len() == n_kernel_values(shape), "lengths");
    let n_rows = if is_turned { shape.out_channels } else { shape.in_channels };
    // SAFETY: the lengths were seen above, and channels are multiples of 16; pairs take the place of
    // `f32` values and are half as many.
    unsafe {
        match format {
            Format::F32 => planes::kernel_planes(level, n, weights, planes, plane(n)),
            Format::Bf16 => {
                let planes = planes.as_mut_ptr().cast();
                pairs::kernel_pairs(level, n_rows, n / n_rows, weights, planes, plane(n));
            }
        }
    }
}

/// Gradients of kernels from those of their planes.
///
/// # Panics
/// As [`transform_kernel`].
pub fn kernel_gradient(level: Cpu, shape: &ConvShape, planes: &[f32], grad: &mut [f32]) {
    let n = shape.in_channels * shape.out_channels;
    assert!(applies(shape), "{shape:?}");
    assert!(grad.len() == 9 * n && planes.len() == n_kernel_values(shape), "lengths");
    // SAFETY: the lengths were seen above, and `n` is a multiple of 16.
    unsafe { planes::kernel_gradient(level, n, planes, plane(n), grad) }
}

/// Convolves whole `images`, adds `bias`, and ReLU if asked. `kernel` is from [`transform_kernel`].
///
/// # Panics
/// If the shape is none that [`applies`] or a slice has another length.
#[expect(clippy::too_many_arguments, reason = "the layer's inputs, its output and scratch memory")]
pub fn forward(
    level: Cpu,
    shape: &ConvShape,
    format: Format,
    images: Pending<'_>,
    kernel: &[f32],
    bias: &[f32],
    relu: bool,
    scratch: &mut [f32],
    out: &mut [f32],
) {
    let n = images.rows.len() / shape.n_in();
    let (n_in, n_out) = (shape.in_channels, shape.out_channels);
    check(shape, images.rows, kernel, scratch, out);
    assert_eq!(bias.len(), n_out, "bias");
    let n_rows = n * n_tiles(shape);
    let v_plane = plane(n_rows * n_in);
    let m_plane = plane(n * n_paired_tiles(shape) * n_out);
    let (v, rest) = scratch.split_at_mut(N_POINTS * v_plane);
    let (m, padded) = rest.split_at_mut(N_POINTS * m_plane);
    let sizes = Product {
        m: n_rows,
        n: n_out,
        k: n_in,
        runs: 1,
        a_run: 0,
        a_row: n_in,
        a_col: 1,
        b_row: n_out,
        c_row: n_out,
        accumulate: false,
    };
    // SAFETY: `check` saw every length: `v` holds 36 planes of the images' tiles, `m` of the
    // outputs', `padded` a padded image, `kernel` the kernels; channels are multiples of 16.
    unsafe {
        let (kernel_plane, to) = (plane(n_in * n_out), (m.as_mut_ptr(), m_plane));
        match format {
            Format::F32 => {
                planes::image_planes(level, shape, images, padded, v, v_plane);
                let (v, kernel) = ((v.as_ptr(), v_plane), (kernel.as_ptr(), kernel_plane));
                products(level, &sizes, v, kernel, to, 0..N_POINTS);
            }
            Format::Bf16 => {
                let (v, kernel) = (v.as_mut_ptr().cast(), kernel.as_ptr().cast());
                pairs::image_rows(level, shape, images, padded, v, v_plane);
                let sizes = Product { k: n_in / 2, a_row: n_in / 2, ..sizes };
                let (v, kernel) = ((v.cast_const(), v_plane), (kernel, kernel_plane));
                pair_products(level, &sizes, v, kernel, to, 0..N_POINTS);
            }
        }
        planes::output_images(level, shape, m, m_plane, bias, relu, out);
    }
}

/// Gradients of whole `images` and of the planes of the kernel, given those of the outputs.
/// `turned` is [`transform_kernel`] of the kernel with its channels exchanged, read only where
/// `grad_images` are asked for; `grad_kernel` is
/// added to if `accumulate`, else replaced; `grad_images` is replaced.
///
/// # Panics
/// As [`forward`].
#[expect(clippy::too_many_arguments, reason = "the layer's inputs, its gradients, scratch memory")]
pub fn backward(
    level: Cpu,
    shape: &ConvShape,
    format: Format,
    images: Pending<'_>,
    grad: &[f32],
    turned: &[f32],
    scratch: &mut [f32],
    accumulate: bool,
    grad_kernel: &mut [f32],
    grad_images: Option<&mut [f32]>,
) {
    let n = images.rows.len() / shape.n_in();
    let (n_in, n_out) = (shape.in_channels, shape.out_channels);
    check(shape, images.rows, grad_kernel, scratch, grad);
    let n_rows = n * n_tiles(shape);
    let v_plane = plane(n_rows * n_in);
    let w_plane = plane(n * n_paired_tiles(shape) * n_out);
    let kernel_plane = plane(n_in * n_out);
    let (v, rest) = scratch.split_at_mut(N_POINTS * v_plane);
    let (w, padded) = rest.split_at_mut(N_POINTS * w_plane);
    let to_kernel = Product {
        m: n_in,
        n: n_out,
        k: n_rows,
        runs: 1,
        a_run: 0,
        a_row: 1,
        a_col: n_in,
        b_row: n_out,
        c_row: n_out,
        accumulate,
    };
    let to_images = Product {
        m: n_rows,
        n: n_in,
        k: n_out,
        runs: 1,
        a_run: 0,
        a_row: n_out,
        a_col: 1,
        b_row: n_in,
        c_row: n_in,
        accumulate: false,
    };
    if let Some(grad_images) = &grad_images {
        assert_eq!(grad_images.len(), images.rows.len(), "gradient of images");
        assert_eq!(turned.len(), n_kernel_values(shape), "turned kernel");
    }
    // SAFETY: as in `forward`; at every point `v` is read for the kernel's gradient before it is
    // replaced. Pairs take half the place of values: `w` has room for rows of channels, and for pairs
    // of tiles behind them.
    unsafe {
        let (to, grad) = ((grad_kernel.as_mut_ptr(), kernel_plane), grad);
        let is_wanted = grad_images.is_some();
        match format {
            Format::F32 => {
                planes::image_planes(level, shape, images, padded, v, v_plane);
                planes::output_planes(level, shape, grad, w, w_plane);
                let (v, w) = (v.as_mut_ptr(), (w.as_ptr(), w_plane));
                let kernel = (turned.as_ptr(), kernel_plane);
                for point in 0..N_POINTS {
                    let points = point..point + 1;
                    let images = (v.cast_const(), v_plane);
                    products(level, &to_kernel, images, w, to, points.clone());
                    if is_wanted {
                        products(level, &to_images, w, kernel, (v, v_plane), points);
                    }
                }
            }
            Format::Bf16 => {
                let v = v.as_mut_ptr();
                let rows: *mut u32 = w.as_mut_ptr().cast();
                let pairs = rows.add(n_rows * n_out / 2);
                pairs::image_pairs(level, shape, images, padded, v.cast(), v_plane);
                pairs::output_rows_and_pairs(level, shape, grad, rows, pairs, w_plane);
                let to_kernel = Product { k: n * n_paired_tiles(shape) / 2, ..to_kernel };
                let to_images = Product { k: n_out / 2, a_row: n_out / 2, ..to_images };
                let (rows, pairs) = ((rows.cast_const(), w_plane), (pairs.cast_const(), w_plane));
                let kernel = (turned.as_ptr().cast(), kernel_plane);
                for point in 0..N_POINTS {
                    let points = point..point + 1;
                    let images = (v.cast_const().cast(), v_plane);
                    pair_products(level, &to_kernel, images, pairs, to, points.clone());
                    if is_wanted {
                        pair_products(level, &to_images, rows, kernel, (v, v_plane), points);
                    }
                }
            }
        }
        if let Some(grad_images) = grad_images {
            planes::image_gradients(level, shape, v, v_plane, padded, grad_images);
        }
    }
}

per_lanes! {
    /// `c[p] = a[p] b[p]` for planes `p` in `points`; each operand with the distance of its planes.
    ///
    /// # Safety
    /// As [`product`] for every plane.
    unsafe fn products<V>(
        sizes: &Product,
        a: (*const f32, usize),
        b: (*const f32, usize),
        c: (*mut f32, usize),
        points: Range<usize>,
    ) {
        for p in points {
            product::<V>(sizes, a.0.add(p * a.1), b.0.add(p * b.1), c.0.add(p * c.1));
        }
    }
}

per_pairs! {
    /// As [`products`], of pairs of `bf16` numbers.
    ///
    /// # Safety
    /// As [`product`] for every plane.
    unsafe fn pair_products<F>(
        sizes: &Product,
        a: (*const u32, usize),
        b: (*const u32, usize),
        c: (*mut f32, usize),
        points: Range<usize>,
    ) {
        for p in points {
            product::<F>(sizes, a.0.add(p * a.1), b.0.add(p * b.1), c.0.add(p * c.1));
        }
    }
}

fn check(shape: &ConvShape, images: &[f32], kernel: &[f32], scratch: &[f32], out: &[f32]) {
    let n = images.len() / shape.n_in();
    assert!(applies(shape), "{shape:?}");
    assert_eq!(images.len(), n * shape.n_in(), "images");
    assert_eq!(kernel.len(), n_kernel_values(shape), "kernel");
    assert_eq!(scratch.len(), n_scratch(shape, n), "scratch memory");
    assert_eq!(out.len(), n * shape.n_positions() * shape.out_channels, "outputs");
}

#[cfg(test)]
mod tests;
