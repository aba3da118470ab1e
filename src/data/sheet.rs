//! Pictures of images: PNG bytes and contact sheets.

use std::io::Cursor;

use image::{ExtendedColorType, ImageEncoder};
use ndarray::{Array2, ArrayView1};

use super::{
    DataError, Decoded, ImageSet, ImageShape, ImageStep, Labels, Rng, Scratch, Transforms,
};

/// Pixels between the images of a sheet, before magnification.
const GAP: usize = 2;

/// Shade between the images of a sheet.
const GAP_SHADE: u8 = 128;

/// An image as a PNG file: gray, colour, or colour with opacity as a fourth channel.
///
/// # Shapes   `pixels`: `[shape.n_pixels()]`
pub fn png_bytes(pixels: &[u8], shape: ImageShape) -> Result<Vec<u8>, DataError> {
    let failed = |reason: String| DataError::Png { reason };
    if pixels.len() != shape.n_pixels() {
        return Err(failed(format!("{} pixels for an image of {shape:?}", pixels.len())));
    }
    let colour = match shape.channels {
        1 => ExtendedColorType::L8,
        3 => ExtendedColorType::Rgb8,
        4 => ExtendedColorType::Rgba8,
        other => return Err(failed(format!("{other} channels, expected 1, 3 or 4"))),
    };
    let mut bytes = Cursor::new(Vec::new());
    image::codecs::png::PngEncoder::new(&mut bytes)
        .write_image(pixels, shape.width as u32, shape.height as u32, colour)
        .map_err(|error| failed(error.to_string()))?;
    Ok(bytes.into_inner())
}

/// The images at `rows` in a grid of `columns`, as a PNG file; small images are magnified.
///
/// # Panics   if a row is out of bounds
pub fn contact_sheet(
    images: &ImageSet,
    rows: &[usize],
    columns: usize,
) -> Result<Vec<u8>, DataError> {
    let columns = columns.clamp(1, rows.len().max(1));
    let n_lines = rows.len().div_ceil(columns).max(1);
    let ImageShape { height, width, channels } = images.shape;
    let scale = (96 / height.max(width).max(1)).clamp(1, 4);
    let cell = |size: usize| (size + GAP) * scale;
    let sheet = ImageShape {
        height: n_lines * cell(height) + GAP * scale,
        width: columns * cell(width) + GAP * scale,
        channels,
    };
    let mut pixels = vec![GAP_SHADE; sheet.n_pixels()];
    for (place, &row) in rows.iter().enumerate() {
        let top = place / columns * cell(height) + GAP * scale;
        let left = place % columns * cell(width) + GAP * scale;
        paste(&mut pixels, sheet, (top, left), images.pixels.row(row), images.shape, scale);
    }
    png_bytes(&pixels, sheet)
}

/// Longest side of an image that is pasted as it is.
const MAX_THUMBNAIL: usize = 96;

/// The images at `rows` as a set of their own, made small enough for a sheet, with their rows in it.
///
/// # Panics   if a row is out of bounds
pub fn thumbnails(images: &ImageSet, rows: &[usize]) -> (ImageSet, Vec<usize>) {
    let ImageShape { height, width, .. } = images.shape;
    let longest = height.max(width);
    let scaled = |side: usize| match longest > MAX_THUMBNAIL {
        true => (side * MAX_THUMBNAIL / longest).max(1),
        false => side,
    };
    let step = ImageStep::Resize { height: scaled(height), width: scaled(width) };
    let shape = step.shape_of(images.shape);
    let mut pixels = Array2::zeros((rows.len(), shape.n_pixels()));
    for (mut small, &row) in pixels.rows_mut().into_iter().zip(rows) {
        let image = Decoded { shape: images.shape, pixels: images.pixels.row(row).to_vec() };
        small.assign(&ArrayView1::from(&step.apply(image).pixels));
    }
    let labels = rows.iter().map(|&row| images.labels[row]).collect();
    (ImageSet { shape, pixels, labels }, (0..rows.len()).collect())
}

/// Changed copies beside each original.
const N_CHANGED: usize = 7;

/// The images at `rows`, one a line, each with 7 copies beside it as `transforms` makes
/// them, as a PNG file.
///
/// # Errors
/// As [`Transforms::check`].
/// # Panics   if a row is out of bounds
pub fn changed_sheet(
    images: &ImageSet,
    rows: &[usize],
    transforms: &Transforms,
    seed: u64,
) -> Result<Vec<u8>, DataError> {
    let shape = images.shape;
    transforms.check(shape)?;
    let (rng, mut scratch) = (Rng::new(seed, &["sheet"]), Scratch::default());
    let n_cells = rows.len() * (1 + N_CHANGED);
    let mut pixels = Array2::zeros((n_cells, shape.n_pixels()));
    for (nth, mut cell) in pixels.rows_mut().into_iter().enumerate() {
        let image = images.pixels.row(rows[nth / (1 + N_CHANGED)]).to_vec();
        if nth % (1 + N_CHANGED) == 0 {
            cell.assign(&ArrayView1::from(&image));
        } else if let Some(copy) = cell.as_slice_mut() {
            transforms.apply(&image, shape, &mut rng.stream(nth as u64), copy, &mut scratch);
        }
    }
    let cells = ImageSet { shape, pixels, labels: Labels::zeros(n_cells) };
    contact_sheet(&cells, &(0..n_cells).collect::<Vec<_>>(), 1 + N_CHANGED)
}

/// The first row of each class, by class; classes without an image are left out.
pub fn one_per_class(images: &ImageSet, n_classes: usize) -> Vec<usize> {
    (0..n_classes)
        .filter_map(|class| images.labels.iter().position(|&label| label == class))
        .collect()
}

fn paste(
    sheet: &mut [u8],
    sheet_shape: ImageShape,
    (top, left): (usize, usize),
    image: ArrayView1<'_, u8>,
    shape: ImageShape,
    scale: usize,
) {
    for y in 0..shape.height * scale {
        for x in 0..shape.width * scale {
            for channel in 0..shape.channels {
                let from = (y / scale * shape.width + x / scale) * shape.channels + channel;
                let to = ((top + y) * sheet_shape.width + left + x) * shape.channels + channel;
                sheet[to] = image[from];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::garments;

    #[test]
    fn sheet_decodes_to_the_images_in_their_places() {
        let images = garments::generate(7, 0, 1).train;
        let bytes = contact_sheet(&images, &[0, 3, 6], 2).unwrap();
        let sheet = image::load_from_memory(&bytes).unwrap().to_luma8();
        assert_eq!(sheet.dimensions(), ((2 * 30 + 2) * 3, (2 * 30 + 2) * 3));
        for (x, y) in [(5usize, 9usize), (14, 14), (27, 27)] {
            let third = sheet.get_pixel(((2 + x) * 3) as u32, ((32 + y) * 3) as u32).0[0];
            assert_eq!(third, images.pixels[[6, y * 28 + x]], "pixel {x}, {y}");
        }
        assert_eq!(sheet.get_pixel(0, 0).0[0], GAP_SHADE);
    }

    #[test]
    fn colour_survives_and_wrong_sizes_are_refused() {
        let shape = ImageShape { height: 1, width: 2, channels: 3 };
        let pixels = [1, 2, 3, 250, 251, 252];
        let decoded = image::load_from_memory(&png_bytes(&pixels, shape).unwrap()).unwrap();
        assert_eq!(decoded.to_rgb8().as_raw(), &pixels);
        assert!(png_bytes(&pixels[1..], shape).is_err());
    }
}
