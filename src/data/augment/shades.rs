//! Values of one image changed: contrast, brightness, blur.

use crate::data::ImageShape;

/// Below this standard deviation a blur moves no value by half a step.
const LEAST_SIGMA: f32 = 0.2;

/// Multiplies the distance of each value to the image's mean by `contrast`, and the whole by
/// `brightness`, as torchvision's `ColorJitter` does; clipped to bytes.
pub fn scale(image: &mut [u8], contrast: f32, brightness: f32) {
    let sum: u64 = image.iter().map(|&value| u64::from(value)).sum();
    let mean = sum as f32 / image.len().max(1) as f32;
    // A conversion to bytes clips.
    let scaled: [u8; 256] = std::array::from_fn(|value| {
        (brightness * (mean + contrast * (value as f32 - mean)) + 0.5) as u8
    });
    image.iter_mut().for_each(|value| *value = scaled[usize::from(*value)]);
}

/// Gaussian blur with standard deviation `sigma` pixels, along rows and then columns; cut off at
/// three standard deviations. The outermost pixels go on outside the image. `scratch` is
/// overwritten.
///
/// # Shapes   `image`: `[shape.n_pixels()]`
pub fn blur(image: &mut [u8], shape: ImageShape, sigma: f32, scratch: &mut Vec<f32>) {
    if sigma < LEAST_SIGMA {
        return;
    }
    let radius = (3.0 * sigma).ceil() as usize;
    // Weights of the distances 0, 1, …, `radius`.
    let weights: Vec<f32> =
        (0..=radius).map(|at| (-0.5 * (at as f32 / sigma).powi(2)).exp()).collect();
    let sum = weights[0] + 2.0 * weights[1..].iter().sum::<f32>();
    let ImageShape { height, width, channels } = shape;
    let n_line = width * channels;
    let n_framed = (width + 2 * radius) * channels;
    scratch.clear();
    scratch.resize(n_framed + height * n_line + n_line, 0.0);
    let (framed, rest) = scratch.split_at_mut(n_framed);
    let (rows, sums) = rest.split_at_mut(height * n_line);
    for (source, line) in image.chunks_exact(n_line).zip(rows.chunks_exact_mut(n_line)) {
        for (at, pixel) in framed.chunks_exact_mut(channels).enumerate() {
            let column = at.saturating_sub(radius).min(width - 1);
            let source = &source[column * channels..][..channels];
            pixel.iter_mut().zip(source).for_each(|(to, &from)| *to = f32::from(from));
        }
        let middle = radius * channels;
        add_weighted(line, weights[0], [&framed[middle..]]);
        for (at, &weight) in weights.iter().enumerate().skip(1) {
            let (left, right) = ((radius - at) * channels, (radius + at) * channels);
            add_weighted(line, weight, [&framed[left..], &framed[right..]]);
        }
    }
    let row = |row: usize| &rows[row * n_line..][..n_line];
    for (at_row, line) in image.chunks_exact_mut(n_line).enumerate() {
        sums.fill(0.0);
        add_weighted(sums, weights[0], [row(at_row)]);
        for (at, &weight) in weights.iter().enumerate().skip(1) {
            let (above, below) = (at_row.saturating_sub(at), (at_row + at).min(height - 1));
            add_weighted(sums, weight, [row(above), row(below)]);
        }
        for (value, &total) in line.iter_mut().zip(sums.iter()) {
            *value = (total / (sum * sum) + 0.5) as u8;
        }
    }
}

/// Adds `weight` times the sum of `sources` to `sums`.
fn add_weighted<const N: usize>(sums: &mut [f32], weight: f32, sources: [&[f32]; N]) {
    let sources = sources.map(|source| &source[..sums.len()]);
    for (at, sum) in sums.iter_mut().enumerate() {
        *sum += weight * sources.iter().map(|source| source[at]).sum::<f32>();
    }
}
