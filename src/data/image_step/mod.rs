//! Changes of images, one by one or of a whole data set.

mod centre;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};

use image::imageops::{FilterType, resize};
use ndarray::Array2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{DataError, Dataset, Decoded, ImageSet, ImageShape};
use crate::progress::Progress;

/// Images between two looks at the progress.
const N_IMAGES_PER_CHUNK: usize = 256;

/// One change of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum ImageStep {
    /// To these channels, then to this size, as [`ImageStep::Resize`].
    Fit(ImageShape),
    /// To this size, whatever the proportions were, by the triangle filter: every pixel that is
    /// covered counts, so that fine structures do not alias.
    Resize {
        /// Rows of pixels.
        height: usize,
        /// Columns of pixels.
        width: usize,
    },
    /// To one channel: 0.2126 red + 0.7152 green + 0.0722 blue (ITU-R BT.709).
    Gray,
    /// Every value to 255 less itself: light on dark from dark on light.
    Invert,
    /// To this size as MNIST's digits were made: what is not background is scaled, its proportions
    /// kept, to fit 20/28 of each side, and its centre of mass put in the middle.
    ///
    /// The background is the median of the border; a pixel belongs to it if it is nearer to it than
    /// a quarter of the farthest. An image of background alone is only brought to the size.
    Centre {
        /// Rows of pixels.
        height: usize,
        /// Columns of pixels.
        width: usize,
    },
}

impl ImageStep {
    /// The image changed.
    pub fn apply(&self, image: Decoded) -> Decoded {
        match *self {
            ImageStep::Fit(shape) => {
                resized(with_channels(image, shape.channels), shape.height, shape.width)
            }
            ImageStep::Resize { height, width } => resized(image, height, width),
            ImageStep::Gray => with_channels(image, 1),
            ImageStep::Invert => {
                let Decoded { shape, mut pixels } = image;
                pixels.iter_mut().for_each(|value| *value = 255 - *value);
                Decoded { shape, pixels }
            }
            ImageStep::Centre { height, width } => centre::centred(image, height, width),
        }
    }

    /// Shape of what [`ImageStep::apply`] makes of images of shape `image`.
    pub fn shape_of(&self, image: ImageShape) -> ImageShape {
        match *self {
            ImageStep::Fit(shape) => shape,
            ImageStep::Resize { height, width } | ImageStep::Centre { height, width } => {
                ImageShape { height, width, ..image }
            }
            ImageStep::Gray => ImageShape { channels: 1, ..image },
            ImageStep::Invert => image,
        }
    }
}

impl Dataset {
    /// The data set with every image changed by `step`; rows keep their places.
    ///
    /// # Errors
    /// [`DataError::Interrupted`]
    pub fn prepared(&self, step: ImageStep, progress: &dyn Progress) -> Result<Dataset, DataError> {
        let mut steps = self.steps.clone();
        if steps.is_empty() {
            // New images meet the step as these do.
            steps.push(ImageStep::Fit(self.train.shape));
        }
        steps.push(step);
        let n_total = (self.train.len() + self.test.len()) as u64;
        let n_done = AtomicU64::new(0);
        let changed = |images: &ImageSet| -> Result<ImageSet, DataError> {
            let shape = step.shape_of(images.shape);
            let mut pixels = Array2::zeros((images.len(), shape.n_pixels()));
            pixels
                .axis_chunks_iter_mut(ndarray::Axis(0), N_IMAGES_PER_CHUNK)
                .into_par_iter()
                .zip(images.pixels.axis_chunks_iter(ndarray::Axis(0), N_IMAGES_PER_CHUNK))
                .try_for_each(|(mut to, from)| {
                    if progress.interrupted() {
                        return Err(DataError::Interrupted);
                    }
                    for (mut to, from) in to.rows_mut().into_iter().zip(from.rows()) {
                        let image = Decoded { shape: images.shape, pixels: from.to_vec() };
                        let row = step.apply(image).pixels;
                        to.iter_mut().zip(row).for_each(|(to, value)| *to = value);
                    }
                    let n_chunk = from.nrows() as u64;
                    let n_done = n_done.fetch_add(n_chunk, Ordering::Relaxed) + n_chunk;
                    progress.update(n_done, n_total, "");
                    Ok(())
                })?;
            Ok(ImageSet { shape, pixels, labels: images.labels.clone() })
        };
        Ok(Dataset {
            name: self.name.clone(),
            class_names: self.class_names.clone(),
            train: changed(&self.train)?,
            validation_idx: self.validation_idx.clone(),
            test: changed(&self.test)?,
            synthetic: self.synthetic,
            steps,
        })
    }
}

/// Gray from colour, or colour of three equal channels from gray.
pub(super) fn with_channels(image: Decoded, channels: usize) -> Decoded {
    let shape = ImageShape { channels, ..image.shape };
    let pixels = match (image.shape.channels, channels) {
        (3, 1) => image.pixels.chunks_exact(3).map(luma).collect(),
        (1, 3) => image.pixels.iter().flat_map(|&value| [value; 3]).collect(),
        _ => return image,
    };
    Decoded { shape, pixels }
}

/// Luma in ten-thousandths, rounded; of equal channels it is their value.
fn luma(rgb: &[u8]) -> u8 {
    let weighted =
        2126 * u32::from(rgb[0]) + 7152 * u32::from(rgb[1]) + 722 * u32::from(rgb[2]) + 5000;
    (weighted / 10_000) as u8
}

/// To another size; an image that has it stays as it is, bit by bit.
fn resized(image: Decoded, height: usize, width: usize) -> Decoded {
    let Decoded { shape, pixels } = image;
    if (shape.height, shape.width) == (height, width) {
        return Decoded { shape, pixels };
    }
    let (from_width, from_height) = (shape.width as u32, shape.height as u32);
    let (to_width, to_height) = (width as u32, height as u32);
    let fits = "one value for each pixel and channel";
    let pixels = if shape.channels == 1 {
        let image = image::GrayImage::from_raw(from_width, from_height, pixels).expect(fits);
        resize(&image, to_width, to_height, FilterType::Triangle).into_raw()
    } else {
        let image = image::RgbImage::from_raw(from_width, from_height, pixels).expect(fits);
        resize(&image, to_width, to_height, FilterType::Triangle).into_raw()
    };
    Decoded { shape: ImageShape { height, width, ..shape }, pixels }
}
