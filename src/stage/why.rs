//! What `evaluate` keeps for the report to show why models decide as they do.

use ndarray::{Array2, ArrayView1};

use super::{InputArtifact, StageError};
use crate::data::{Dataset, ImageShape, largest_of};
use crate::explain;
use crate::model::Head;
use crate::progress::Progress;
use crate::report::{ExplainedImage, HeatCard, PatternCard, PatternTile, WhyCard};

/// Images are made smaller until their longer side is at most this.
const MAX_SIDE: usize = 64;

/// Heat maps of the networks for some test images, and the patterns of all models.
///
/// # Errors   of the models, or an interruption
pub(super) fn why(
    data: &Dataset,
    models: &[&InputArtifact],
    n_images: usize,
    progress: &dyn Progress,
) -> Result<WhyCard, StageError> {
    let full = data.test.shape;
    let factor = full.height.max(full.width).div_ceil(MAX_SIDE).max(1);
    let shape = ImageShape { height: full.height / factor, width: full.width / factor, ..full };
    let mut images: Vec<ExplainedImage> = chosen(data, n_images)
        .into_iter()
        .map(|row| ExplainedImage {
            row,
            label: data.test.labels[row],
            pixels: smaller_image(data.test.pixels.row(row), full, factor),
            heats: Vec::new(),
        })
        .collect();
    let mut patterns = Vec::new();
    for entry in models {
        let Some(model) = entry.artifact.predictor() else { continue };
        if !matches!(model.head, Head::Classifier(_)) {
            for image in &mut images {
                if progress.interrupted() {
                    return Err(StageError::Interrupted);
                }
                let pixels = data.test.pixels.row(image.row);
                let predicted = entry.artifact.model().predicted[image.row];
                let Some(heat) = explain::grad_cam(&model, pixels, predicted)? else { continue };
                let heat = smaller(&heat, factor);
                let scale = 255.0 / largest_of(heat.view());
                let values = heat.iter().map(|v| (v * scale).round() as u8).collect();
                let model = entry.stage_id.clone();
                image.heats.push(HeatCard { model, predicted, values });
            }
        }
        let Some(pattern) = explain::patterns(&model, progress)? else { continue };
        let is_image =
            pattern.tiles.first().map(|(_, tile)| tile.dim()) == Some((full.height, full.width));
        let tiles: Vec<(Option<usize>, Array2<f32>)> = match is_image {
            true => pattern.tiles.iter().map(|(c, tile)| (*c, smaller(tile, factor))).collect(),
            false => pattern.tiles,
        };
        let largest = tiles.iter().map(|(_, tile)| largest_of(tile.view())).fold(0.0, f32::max);
        let Some((height, width)) = tiles.first().map(|(_, tile)| tile.dim()) else { continue };
        patterns.push(PatternCard {
            model: entry.stage_id.clone(),
            kind: pattern.kind,
            size: [height, width],
            tiles: tiles
                .into_iter()
                .map(|(class, tile)| PatternTile {
                    class,
                    values: tile.iter().map(|v| (v * 127.0 / largest).round() as i8).collect(),
                })
                .collect(),
        });
    }
    Ok(WhyCard { shape, images, patterns })
}

/// Rows of at most `n_wanted` test images: the first of classes that are evenly spread, then the second
/// of them, and so on. What models say of them does not count.
fn chosen(data: &Dataset, n_wanted: usize) -> Vec<usize> {
    let n_classes = data.n_classes().max(1);
    let n_shown = n_wanted.min(n_classes).max(1);
    let mut rows = Vec::new();
    for nth in 0..n_wanted {
        let class = nth % n_shown * n_classes / n_shown;
        let of_class = (0..data.test.len()).filter(|&row| data.test.labels[row] == class);
        rows.extend(of_class.skip(nth / n_shown).take(1));
    }
    rows
}

/// Means of squares of `factor` by `factor` values; what is left over at the end is left out.
fn smaller(values: &Array2<f32>, factor: usize) -> Array2<f32> {
    let (height, width) = values.dim();
    Array2::from_shape_fn((height / factor, width / factor), |(y, x)| {
        let (top, left) = (y * factor, x * factor);
        let square = values.slice(ndarray::s![top..top + factor, left..left + factor]);
        square.sum() / (factor * factor) as f32
    })
}

/// The same of an image.
fn smaller_image(pixels: ArrayView1<'_, u8>, shape: ImageShape, factor: usize) -> Vec<u8> {
    let ImageShape { height, width, channels } = shape;
    let mut out = Vec::with_capacity(height / factor * (width / factor) * channels);
    for y in 0..height / factor {
        for x in 0..width / factor {
            for channel in 0..channels {
                let of = |down: usize, along: usize| {
                    let (y, x) = (y * factor + down, x * factor + along);
                    usize::from(pixels[(y * width + x) * channels + channel])
                };
                let squares =
                    (0..factor).flat_map(|down| (0..factor).map(move |along| (down, along)));
                let sum: usize = squares.map(|(down, along)| of(down, along)).sum();
                out.push((sum / (factor * factor)) as u8);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::garments;

    #[test]
    fn images_are_spread_over_the_classes() {
        let data = garments::generate(3, 40, 60);
        let labels = |n: usize| -> Vec<usize> {
            chosen(&data, n).into_iter().map(|row| data.test.labels[row]).collect()
        };
        assert_eq!(labels(4), [0, 2, 5, 7]);
        assert_eq!(labels(12)[..3], [0, 1, 2]);
        assert_eq!(labels(12)[10..], [0, 1]);
        let rows = chosen(&data, 12);
        assert!(rows[10] > rows[0], "the second image of the class");
        assert!(chosen(&data, 0).is_empty());
    }

    #[test]
    fn large_images_become_means_of_squares() {
        let shape = ImageShape { height: 2, width: 5, channels: 1 };
        let pixels = ndarray::array![0u8, 2, 10, 10, 99, 4, 6, 10, 14, 99];
        assert_eq!(smaller_image(pixels.view(), shape, 2), [3, 11]);
        assert_eq!(smaller_image(pixels.view(), shape, 1), pixels.to_vec());
        let values = ndarray::array![[1.0f32, 3.0], [5.0, 7.0]];
        assert_eq!(smaller(&values, 2), ndarray::array![[4.0]]);
    }
}
