//! What is not background, in the middle, at a size that MNIST's digits have.

use super::resized;
use crate::data::{Decoded, ImageShape};

/// What fills 20 of MNIST's 28 pixels.
const FILLED: f64 = 20.0 / 28.0;

/// Distances from the background below this are noise, wherever they lie.
const MIN_CONTRAST: u8 = 8;

/// See [`super::ImageStep::Centre`].
pub(super) fn centred(image: Decoded, height: usize, width: usize) -> Decoded {
    let shape = image.shape;
    let background = background(&image);
    let distances = distances(&image, &background);
    let farthest = distances.iter().copied().max().unwrap_or(0);
    if farthest < MIN_CONTRAST {
        return resized(image, height, width);
    }
    let is_object = |&distance: &u8| 4 * u32::from(distance) > u32::from(farthest);
    let (mut top, mut left, mut bottom, mut right) = (shape.height, shape.width, 0, 0);
    for (at, _) in distances.iter().enumerate().filter(|(_, distance)| is_object(distance)) {
        let (row, column) = (at / shape.width, at % shape.width);
        (top, bottom) = (top.min(row), bottom.max(row));
        (left, right) = (left.min(column), right.max(column));
    }
    let (box_height, box_width) = (bottom + 1 - top, right + 1 - left);
    let object = cut(&image, (top, left), (box_height, box_width));

    let scale =
        (FILLED * height as f64 / box_height as f64).min(FILLED * width as f64 / box_width as f64);
    let scaled = |side: usize, most: usize| ((side as f64 * scale).round() as usize).clamp(1, most);
    let object = resized(object, scaled(box_height, height), scaled(box_width, width));
    let (row, column) = centre_of_mass(&object, &background);
    let start = |side: usize, centre: f64| ((side as f64 - 1.0) / 2.0 - centre).round() as isize;
    let place = (start(height, row), start(width, column));
    paste(&object, &background, place, ImageShape { height, width, ..shape })
}

/// The median of the border, channel by channel.
fn background(image: &Decoded) -> Vec<u8> {
    let ImageShape { height, width, channels } = image.shape;
    let on_border = |at: &usize| {
        let (row, column) = (at / width, at % width);
        row == 0 || column == 0 || row + 1 == height || column + 1 == width
    };
    let border: Vec<usize> = (0..height * width).filter(on_border).collect();
    let median = |channel: usize| {
        let mut values: Vec<u8> =
            border.iter().map(|at| image.pixels[at * channels + channel]).collect();
        values.sort_unstable();
        values[values.len() / 2]
    };
    (0..channels).map(median).collect()
}

/// Of each pixel, how far its farthest channel is from the background.
fn distances(image: &Decoded, background: &[u8]) -> Vec<u8> {
    let distance = |pixel: &[u8]| {
        pixel.iter().zip(background).map(|(&value, &other)| value.abs_diff(other)).max()
    };
    image
        .pixels
        .chunks_exact(image.shape.channels)
        .map(|pixel| distance(pixel).unwrap_or(0))
        .collect()
}

fn cut(image: &Decoded, (top, left): (usize, usize), (height, width): (usize, usize)) -> Decoded {
    let channels = image.shape.channels;
    let pixels = (top..top + height)
        .flat_map(|row| {
            let start = (row * image.shape.width + left) * channels;
            image.pixels[start..start + width * channels].iter().copied()
        })
        .collect();
    Decoded { shape: ImageShape { height, width, channels }, pixels }
}

/// Row and column, each pixel weighing as much as it differs from the background.
fn centre_of_mass(object: &Decoded, background: &[u8]) -> (f64, f64) {
    let (mut mass, mut rows, mut columns) = (0u64, 0u64, 0u64);
    for (at, distance) in distances(object, background).into_iter().enumerate() {
        let distance = u64::from(distance);
        mass += distance;
        rows += distance * (at / object.shape.width) as u64;
        columns += distance * (at % object.shape.width) as u64;
    }
    let mass = mass.max(1) as f64;
    (rows as f64 / mass, columns as f64 / mass)
}

/// The object on a ground of the background's colour; what would lie outside is lost.
fn paste(
    object: &Decoded,
    background: &[u8],
    (top, left): (isize, isize),
    shape: ImageShape,
) -> Decoded {
    let channels = shape.channels;
    let mut pixels: Vec<u8> = background.iter().copied().cycle().take(shape.n_pixels()).collect();
    for (at, pixel) in object.pixels.chunks_exact(channels).enumerate() {
        let row = top + (at / object.shape.width) as isize;
        let column = left + (at % object.shape.width) as isize;
        let inside = (0..shape.height as isize).contains(&row)
            && (0..shape.width as isize).contains(&column);
        if inside {
            let start = (row as usize * shape.width + column as usize) * channels;
            pixels[start..start + channels].copy_from_slice(pixel);
        }
    }
    Decoded { shape, pixels }
}
