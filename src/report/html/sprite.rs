//! Many small images as one, and large ones made small.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};

use crate::data::{ImageShape, png_bytes};

/// Longest side of an image on a page; larger ones are averaged down to it.
const MAX_SIDE: usize = 64;

/// Images of a sheet beside each other.
pub(super) const N_COLUMNS: usize = 32;

/// An image no longer than [`MAX_SIDE`]: means of square blocks of pixels.
pub(super) fn small(pixels: &[u8], shape: ImageShape) -> (Cow<'_, [u8]>, ImageShape) {
    let factor = shape.height.max(shape.width).div_ceil(MAX_SIDE);
    if factor <= 1 || pixels.len() != shape.n_pixels() {
        return (Cow::Borrowed(pixels), shape);
    }
    let reduced = ImageShape {
        height: shape.height.div_ceil(factor),
        width: shape.width.div_ceil(factor),
        channels: shape.channels,
    };
    let mut averaged = Vec::with_capacity(reduced.n_pixels());
    for at in 0..reduced.n_pixels() {
        let (cell, channel) = (at / shape.channels, at % shape.channels);
        let (top, left) = (cell / reduced.width * factor, cell % reduced.width * factor);
        let (mut sum, mut n) = (0u32, 0u32);
        for y in top..(top + factor).min(shape.height) {
            for x in left..(left + factor).min(shape.width) {
                sum += u32::from(pixels[(y * shape.width + x) * shape.channels + channel]);
                n += 1;
            }
        }
        averaged.push((sum / n.max(1)) as u8);
    }
    (Cow::Owned(averaged), reduced)
}

/// An image as an address; one that is not of this shape gives no image.
pub(super) fn encoded(pixels: &[u8], shape: ImageShape) -> String {
    let (pixels, shape) = small(pixels, shape);
    data_url(&png_bytes(&pixels, shape).unwrap_or_default())
}

/// One image; one that is not of this shape shows its text instead.
pub(super) fn picture(pixels: &[u8], shape: ImageShape, alt: &str, title: Option<&str>) -> Markup {
    let (_, shown) = small(pixels, shape);
    html! {
        img src=(encoded(pixels, shape)) alt=(alt) title=[title] width=(shown.width) height=(shown.height);
    }
}

/// Images of one shape in lines of [`N_COLUMNS`], and the shape that each has there.
pub(super) fn sheet<'a>(
    images: impl ExactSizeIterator<Item = &'a [u8]>,
    shape: ImageShape,
) -> (String, ImageShape) {
    let n_lines = images.len().div_ceil(N_COLUMNS).max(1);
    let (_, cell) = small(&vec![0; shape.n_pixels()], shape);
    let whole = ImageShape {
        height: n_lines * cell.height,
        width: N_COLUMNS * cell.width,
        channels: cell.channels,
    };
    let mut pixels = vec![0; whole.n_pixels()];
    let line = cell.width * cell.channels;
    for (nth, image) in images.enumerate().filter(|(_, image)| image.len() == shape.n_pixels()) {
        let (image, _) = small(image, shape);
        let (top, left) = (nth / N_COLUMNS * cell.height, nth % N_COLUMNS * line);
        for y in 0..cell.height {
            let to = (top + y) * whole.width * whole.channels + left;
            pixels[to..to + line].copy_from_slice(&image[y * line..(y + 1) * line]);
        }
    }
    (data_url(&png_bytes(&pixels, whole).unwrap_or_default()), cell)
}

fn data_url(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_images_are_averaged_and_small_ones_left_alone() {
        let shape = ImageShape { height: 1, width: 3, channels: 3 };
        assert_eq!(small(&[1; 9], shape).1, shape);
        let shape = ImageShape { height: 128, width: 127, channels: 1 };
        let pixels: Vec<u8> = (0..shape.n_pixels()).map(|at| (at % 127) as u8).collect();
        let (found, reduced) = small(&pixels, shape);
        assert_eq!((reduced.height, reduced.width), (64, 64));
        assert_eq!(found[..3], [0, 2, 4]);
        assert_eq!(found[63], 126);
    }

    #[test]
    fn a_sheet_holds_each_image_in_its_place() {
        let shape = ImageShape { height: 2, width: 2, channels: 1 };
        let images: Vec<Vec<u8>> = (0..40).map(|nth| vec![nth; 4]).collect();
        let (url, cell) = sheet(images.iter().map(Vec::as_slice), shape);
        assert_eq!(cell, shape);
        let png = STANDARD.decode(url.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
        let sheet = image::load_from_memory(&png).unwrap().to_luma8();
        assert_eq!(sheet.dimensions(), (64, 4));
        assert_eq!(sheet.get_pixel(2 * 7 + 1, 1).0[0], 7);
        assert_eq!(sheet.get_pixel(2 * 3, 2).0[0], 35);
    }
}
