//! The transforms to planes of `bf16` numbers, laid out as products of pairs read them: pairs of channels
//! side by side in a row, or pairs of rows, channel by channel.

use super::super::im2col::{ConvShape, pad};
use super::super::lanes::{Lanes, per_lanes};
use super::super::norm::Pending;
use super::planes::{image_tile, kernel_taps, output_tile};
use super::{SIDE, TILE, padded_width, tiles};

per_lanes! {
    /// Kernels `[3, 3, n_rows, n]` to planes of pairs of rows, `[n_rows / 2, n]`, `plane` pairs apart.
    ///
    /// # Safety
    /// `n_rows` is even, `n` a multiple of 16; the memory holds `9 n_rows n` values and 36 planes.
    pub unsafe fn kernel_pairs<V>(
        n_rows: usize, n: usize, weights: &[f32], planes: *mut u32, plane: usize,
    ) {
        let weights = weights.as_ptr();
        for row in (0..n_rows).step_by(2) {
            for i in (row * n..(row + 1) * n).step_by(V::N) {
                let low = kernel_taps::<V>(weights.add(i), n_rows * n);
                let high = kernel_taps::<V>(weights.add(i + n), n_rows * n);
                let to = planes.add(i - row / 2 * n);
                store_pairs(&low, &high, to, plane);
            }
        }
    }
}

/// Stores pairs at every point, `plane` apart.
///
/// # Safety
/// The CPU has the register `V`; 36 planes hold `V::N` pairs behind `to`.
#[inline(always)]
unsafe fn store_pairs<V: Lanes>(
    low: &[[V; SIDE]; SIDE],
    high: &[[V; SIDE]; SIDE],
    to: *mut u32,
    plane: usize,
) {
    for y in 0..SIDE {
        for x in 0..SIDE {
            // SAFETY: the caller's.
            unsafe { low[y][x].store_pairs(high[y][x], to.add((y * SIDE + x) * plane)) }
        }
    }
}

/// Stores values at every point, `plane` pairs apart.
///
/// # Safety
/// As [`store_pairs`], `V::N` values behind `to`.
#[inline(always)]
unsafe fn store_rows<V: Lanes>(points: &[[V; SIDE]; SIDE], to: *mut u16, plane: usize) {
    for (y, row) in points.iter().enumerate() {
        for (x, value) in row.iter().enumerate() {
            // SAFETY: the caller's.
            unsafe { value.store_bf16(to.add(2 * (y * SIDE + x) * plane)) }
        }
    }
}

per_lanes! {
    /// Images to planes of rows of channels, one per tile, `plane` pairs apart; `padded` is scratch memory.
    ///
    /// # Safety
    /// Channels are a multiple of 16; `images` holds whole images, `planes` 36 planes of their tiles,
    /// `padded` a padded image.
    pub unsafe fn image_rows<V>(
        shape: &ConvShape, images: Pending<'_>, padded: &mut [f32], planes: *mut u32, plane: usize,
    ) {
        let (channels, (down, across)) = (shape.in_channels, tiles(shape));
        let row = padded_width(shape) * channels;
        let mut to = planes.cast::<u16>();
        for rows in images.rows.chunks_exact(shape.n_in()) {
            pad(shape, Pending { rows, ..images }, padded_width(shape), padded);
            for tile in 0..down * across {
                let (y, x) = (tile / across * TILE, tile % across * TILE);
                let corner = padded.as_ptr().add(y * row + x * channels);
                for channel in (0..channels).step_by(V::N) {
                    let points = image_tile::<V>(corner.add(channel), row, channels);
                    store_rows(&points, to.add(channel), plane);
                }
                to = to.add(channels);
            }
        }
    }
}

per_lanes! {
    /// Images to planes of pairs of tiles, channel by channel, `plane` pairs apart. An image's last tile
    /// has a partner of zeros if it has none.
    ///
    /// # Safety
    /// As [`image_rows`].
    pub unsafe fn image_pairs<V>(
        shape: &ConvShape, images: Pending<'_>, padded: &mut [f32], planes: *mut u32, plane: usize,
    ) {
        let (channels, (down, across)) = (shape.in_channels, tiles(shape));
        let row = padded_width(shape) * channels;
        let mut to = planes;
        for rows in images.rows.chunks_exact(shape.n_in()) {
            pad(shape, Pending { rows, ..images }, padded_width(shape), padded);
            let corner = |tile: usize| {
                let (y, x) = (tile / across * TILE, tile % across * TILE);
                padded.as_ptr().add(y * row + x * channels)
            };
            for tile in (0..down * across).step_by(2) {
                for channel in (0..channels).step_by(V::N) {
                    let low = image_tile::<V>(corner(tile).add(channel), row, channels);
                    let mut high = [[V::splat(0.0); SIDE]; SIDE];
                    if tile + 1 < down * across {
                        high = image_tile(corner(tile + 1).add(channel), row, channels);
                    }
                    store_pairs(&low, &high, to.add(channel), plane);
                }
                to = to.add(channels);
            }
        }
    }
}

per_lanes! {
    /// Gradients of outputs to planes twice: rows of channels at `rows`, and pairs of tiles as of
    /// [`image_pairs`] at `pairs`; both `plane` pairs apart.
    ///
    /// # Safety
    /// As [`image_rows`], of outputs.
    pub unsafe fn output_rows_and_pairs<V>(
        shape: &ConvShape, grad: &[f32], rows: *mut u32, pairs: *mut u32, plane: usize,
    ) {
        let (channels, (down, across)) = (shape.out_channels, tiles(shape));
        let (height, width) = (shape.out_height(), shape.out_width());
        let (mut to_rows, mut to_pairs) = (rows.cast::<u16>(), pairs);
        for grad in grad.chunks_exact(shape.n_positions() * channels) {
            for tile in (0..down * across).step_by(2) {
                let is_pair = tile + 1 < down * across;
                let corners = [tile, tile + 1].map(|tile| {
                    let (y, x) = (tile / across * TILE, tile % across * TILE);
                    let size = (height.saturating_sub(y).min(TILE), (width - x).min(TILE));
                    (grad.as_ptr().wrapping_add((y * width + x) * channels), size)
                });
                let [(low_corner, low_size), (high_corner, high_size)] = corners;
                let row = width * channels;
                for channel in (0..channels).step_by(V::N) {
                    let low = output_tile::<V>(low_corner.add(channel), row, channels, low_size);
                    let mut high = [[V::splat(0.0); SIDE]; SIDE];
                    if is_pair {
                        high = output_tile(high_corner.add(channel), row, channels, high_size);
                    }
                    store_rows(&low, to_rows.add(channel), plane);
                    if is_pair {
                        store_rows(&high, to_rows.add(channels + channel), plane);
                    }
                    store_pairs(&low, &high, to_pairs.add(channel), plane);
                }
                to_rows = to_rows.add((1 + usize::from(is_pair)) * channels);
                to_pairs = to_pairs.add(channels);
            }
        }
    }
}
