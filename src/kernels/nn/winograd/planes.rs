//! The transforms of whole images: 36 planes, one per pair of points, `[n_tiles, n_channels]` each.
//!
//! Tiles of six image values overlap by two; what lies outside the image is zero.

use super::super::im2col::{ConvShape, pad};
use super::super::lanes::{Lanes, per_lanes};
use super::super::norm::Pending;
use super::points::{
    image_to_points, kernel_to_points, outputs_to_points, points_to_image, points_to_kernel,
    points_to_outputs,
};
use super::{SIDE, TILE, padded_width, tiles};

/// A register of kernels, at the points; `n` values from one tap to the next.
///
/// # Safety
/// The CPU has the register `V`; nine taps lie behind `weights`.
#[inline(always)]
pub unsafe fn kernel_taps<V: Lanes>(weights: *const f32, n: usize) -> [[V; SIDE]; SIDE] {
    // SAFETY: the caller's taps.
    unsafe {
        let mut rows = [[V::splat(0.0); 3]; SIDE];
        for x in 0..3 {
            let column = std::array::from_fn(|y| V::load(weights.add((y * 3 + x) * n)));
            for (row, value) in rows.iter_mut().zip(kernel_to_points(column)) {
                row[x] = value;
            }
        }
        let mut points = [[V::splat(0.0); SIDE]; SIDE];
        for y in 0..SIDE {
            points[y] = kernel_to_points(rows[y]);
        }
        points
    }
}

per_lanes! {
    /// Kernels `[3, 3, n]` to planes of `n` values, `plane` apart.
    ///
    /// # Safety
    /// `n` is a multiple of 16; the slices hold `9 n` values and 36 planes.
    pub unsafe fn kernel_planes<V>(n: usize, weights: &[f32], planes: &mut [f32], plane: usize) {
        let (weights, planes) = (weights.as_ptr(), planes.as_mut_ptr());
        for i in (0..n).step_by(V::N) {
            let points = kernel_taps::<V>(weights.add(i), n);
            for (dy, row) in points.iter().enumerate() {
                for (dx, value) in row.iter().enumerate() {
                    value.store(planes.add((dy * SIDE + dx) * plane + i));
                }
            }
        }
    }
}

per_lanes! {
    /// Gradients of the planes of kernels to those of kernels.
    ///
    /// # Safety
    /// As [`kernel_planes`].
    pub unsafe fn kernel_gradient<V>(n: usize, planes: &[f32], plane: usize, grad: &mut [f32]) {
        let (planes, grad) = (planes.as_ptr(), grad.as_mut_ptr());
        for i in (0..n).step_by(V::N) {
            let mut rows = [[V::splat(0.0); SIDE]; 3];
            for x in 0..SIDE {
                let column =
                    std::array::from_fn(|y| V::load(planes.add((y * SIDE + x) * plane + i)));
                for (row, value) in rows.iter_mut().zip(points_to_kernel(column)) {
                    row[x] = value;
                }
            }
            for (y, row) in rows.into_iter().enumerate() {
                for (x, value) in points_to_kernel(row).into_iter().enumerate() {
                    value.store(grad.add((y * 3 + x) * n + i));
                }
            }
        }
    }
}

/// Copies an image out of its border.
#[inline(always)]
fn unpad(shape: &ConvShape, padded: &[f32], image: &mut [f32]) {
    let (channels, before) = (shape.in_channels, shape.pad_before * shape.in_channels);
    let rows = padded.chunks_exact(padded_width(shape) * channels).skip(shape.pad_before);
    for (to, row) in image.chunks_exact_mut(shape.width * channels).zip(rows) {
        to.copy_from_slice(&row[before..][..to.len()]);
    }
}

/// A register of channels of a tile of an image, at the points; `row` values from one row to the next.
///
/// # Safety
/// The CPU has the register `V`; the tile lies behind `corner`.
#[inline(always)]
pub unsafe fn image_tile<V: Lanes>(
    corner: *const f32,
    row: usize,
    channels: usize,
) -> [[V; SIDE]; SIDE] {
    // SAFETY: the caller's tile.
    unsafe {
        let mut rows = [[V::splat(0.0); SIDE]; SIDE];
        for dx in 0..SIDE {
            let from = corner.add(dx * channels);
            let values = std::array::from_fn(|dy| V::load(from.add(dy * row)));
            for (row, value) in rows.iter_mut().zip(image_to_points(values)) {
                row[dx] = value;
            }
        }
        for row in &mut rows {
            *row = image_to_points(*row);
        }
        rows
    }
}

per_lanes! {
    /// Images to planes `plane` apart; `padded` is scratch memory.
    ///
    /// # Safety
    /// Channels are a multiple of 16; `images` holds whole images, `planes` 36 planes of their
    /// tiles, `padded` a padded image.
    pub unsafe fn image_planes<V>(
        shape: &ConvShape, images: Pending<'_>, padded: &mut [f32], planes: &mut [f32], plane: usize,
    ) {
        let (channels, (down, across)) = (shape.in_channels, tiles(shape));
        let row = padded_width(shape) * channels;
        let mut to = planes.as_mut_ptr();
        for rows in images.rows.chunks_exact(shape.n_in()) {
            pad(shape, Pending { rows, ..images }, padded_width(shape), padded);
            for tile in 0..down * across {
                let (y, x) = (tile / across * TILE, tile % across * TILE);
                let corner = padded.as_ptr().add(y * row + x * channels);
                for channel in (0..channels).step_by(V::N) {
                    let points = image_tile::<V>(corner.add(channel), row, channels);
                    for (dy, row) in points.iter().enumerate() {
                        for (dx, value) in row.iter().enumerate() {
                            value.store(to.add((dy * SIDE + dx) * plane + channel));
                        }
                    }
                }
                to = to.add(channels);
            }
        }
    }
}

per_lanes! {
    /// Writes the gradients of images from those of planes.
    ///
    /// # Safety
    /// As [`image_planes`].
    pub unsafe fn image_gradients<V>(
        shape: &ConvShape, planes: &[f32], plane: usize, padded: &mut [f32], images: &mut [f32],
    ) {
        let (channels, (down, across)) = (shape.in_channels, tiles(shape));
        let row = padded_width(shape) * channels;
        let mut from = planes.as_ptr();
        for image in images.chunks_exact_mut(shape.n_in()) {
            padded.fill(0.0);
            for tile in 0..down * across {
                let (y, x) = (tile / across * TILE, tile % across * TILE);
                let corner = padded.as_mut_ptr().add(y * row + x * channels);
                for channel in (0..channels).step_by(V::N) {
                    let mut rows = [[V::splat(0.0); SIDE]; SIDE];
                    for dx in 0..SIDE {
                        let values = std::array::from_fn(|dy| {
                            V::load(from.add((dy * SIDE + dx) * plane + channel))
                        });
                        for (row, value) in rows.iter_mut().zip(points_to_image(values)) {
                            row[dx] = value;
                        }
                    }
                    for (dy, values) in rows.into_iter().enumerate() {
                        for (dx, value) in points_to_image(values).into_iter().enumerate() {
                            let at = corner.add(dy * row + dx * channels + channel);
                            V::load(at).add(value).store(at);
                        }
                    }
                }
                from = from.add(channels);
            }
            unpad(shape, padded, image);
        }
    }
}

per_lanes! {
    /// Planes to outputs, with bias, and ReLU if asked.
    ///
    /// # Safety
    /// Channels are a multiple of 16; `out` holds whole output images, `planes` those of their tiles,
    /// `bias` a value per channel.
    pub unsafe fn output_images<V>(
        shape: &ConvShape, planes: &[f32], plane: usize, bias: &[f32], relu: bool, out: &mut [f32],
    ) {
        let (channels, (down, across)) = (shape.out_channels, tiles(shape));
        let (height, width) = (shape.out_height(), shape.out_width());
        let mut from = planes.as_ptr();
        for out in out.chunks_exact_mut(shape.n_positions() * channels) {
            for tile in 0..down * across {
                let (y, x) = (tile / across * TILE, tile % across * TILE);
                let (n_rows, n_columns) = ((height - y).min(TILE), (width - x).min(TILE));
                let corner = out.as_mut_ptr().add((y * width + x) * channels);
                for channel in (0..channels).step_by(V::N) {
                    let bias = V::load(bias.as_ptr().add(channel));
                    let mut rows = [[V::splat(0.0); SIDE]; TILE];
                    for dx in 0..SIDE {
                        let values = std::array::from_fn(|dy| {
                            V::load(from.add((dy * SIDE + dx) * plane + channel))
                        });
                        for (row, value) in rows.iter_mut().zip(points_to_outputs(values)) {
                            row[dx] = value;
                        }
                    }
                    for (dy, row) in rows.into_iter().enumerate().take(n_rows) {
                        let values = points_to_outputs(row);
                        for (dx, value) in values.into_iter().enumerate().take(n_columns) {
                            let value = value.add(bias);
                            let value = if relu { value.rectify() } else { value };
                            value.store(corner.add((dy * width + dx) * channels + channel));
                        }
                    }
                }
                from = from.add(channels);
            }
        }
    }
}

/// A register of channels of a tile of outputs, of which some rows and columns are there, at the points.
///
/// # Safety
/// As [`image_tile`].
#[inline(always)]
pub unsafe fn output_tile<V: Lanes>(
    corner: *const f32,
    row: usize,
    channels: usize,
    (n_rows, n_columns): (usize, usize),
) -> [[V; SIDE]; SIDE] {
    // SAFETY: the caller's tile.
    unsafe {
        let mut rows = [[V::splat(0.0); TILE]; SIDE];
        for dx in 0..n_columns {
            let values: [V; TILE] = std::array::from_fn(|dy| {
                if dy < n_rows {
                    V::load(corner.add(dy * row + dx * channels))
                } else {
                    V::splat(0.0)
                }
            });
            for (row, value) in rows.iter_mut().zip(outputs_to_points(values)) {
                row[dx] = value;
            }
        }
        let mut points = [[V::splat(0.0); SIDE]; SIDE];
        for y in 0..SIDE {
            points[y] = outputs_to_points(rows[y]);
        }
        points
    }
}

per_lanes! {
    /// Gradients of outputs to those of planes.
    ///
    /// # Safety
    /// As [`output_images`], `grad` in place of `out`.
    pub unsafe fn output_planes<V>(
        shape: &ConvShape, grad: &[f32], planes: &mut [f32], plane: usize,
    ) {
        let (channels, (down, across)) = (shape.out_channels, tiles(shape));
        let (height, width) = (shape.out_height(), shape.out_width());
        let mut to = planes.as_mut_ptr();
        for grad in grad.chunks_exact(shape.n_positions() * channels) {
            for tile in 0..down * across {
                let (y, x) = (tile / across * TILE, tile % across * TILE);
                let (n_rows, n_columns) = ((height - y).min(TILE), (width - x).min(TILE));
                let corner = grad.as_ptr().add((y * width + x) * channels);
                for channel in (0..channels).step_by(V::N) {
                    let corner = corner.add(channel);
                    let points = output_tile::<V>(corner, width * channels, channels, (n_rows, n_columns));
                    for (dy, row) in points.iter().enumerate() {
                        for (dx, value) in row.iter().enumerate() {
                            value.store(to.add((dy * SIDE + dx) * plane + channel));
                        }
                    }
                }
                to = to.add(channels);
            }
        }
    }
}
