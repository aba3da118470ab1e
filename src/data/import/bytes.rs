//! Numbers that stand for pixels, as bytes, and rows of bytes as images.

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use super::{Channels, ImportOptions, check_memory};
use crate::data::{DataError, Decoded, ImageShape, ImageStep};
use crate::progress::Progress;

/// Images between two looks at the progress.
const N_IMAGES_PER_CHUNK: usize = 256;

/// Pixels that arrive as numbers: whole ones from 0 to 255, or real ones of which none is above 1,
/// which are shares of 255.
pub(super) struct Pixels {
    bytes: Vec<u8>,
    /// Whether all so far are real and at most 1.
    are_shares: bool,
}

impl Pixels {
    /// Whole numbers, or (`are_real`) real ones; room for `capacity` of them.
    pub(super) fn new(are_real: bool, capacity: usize) -> Self {
        Pixels { bytes: Vec::with_capacity(capacity), are_shares: are_real }
    }

    /// Adds a value; false if it is none that a pixel can have.
    #[must_use]
    pub(super) fn push(&mut self, value: f64) -> bool {
        if !(0.0..=255.0).contains(&value) {
            return false;
        }
        if self.are_shares && value > 1.0 {
            // Those before were 0 to 1 of 255: what was rounded up to half of 255 is 1.
            self.bytes.iter_mut().for_each(|byte| *byte = u8::from(*byte >= 128));
            self.are_shares = false;
        }
        let scale = if self.are_shares { 255.0 } else { 1.0 };
        self.bytes.push((value * scale).round() as u8);
        true
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Shape of an image whose pixels stand in a row: of the size asked for, else square.
pub(super) fn shape_of_row(n_pixels: usize, size: Option<[usize; 2]>) -> Option<ImageShape> {
    let fits = |&ImageShape { height, width, channels }: &ImageShape| {
        n_pixels > 0 && height * width * channels == n_pixels
    };
    let asked = |channels| size.map(|[height, width]| ImageShape { height, width, channels });
    let square = |channels: usize| {
        let side = (n_pixels / channels).isqrt();
        Some(ImageShape { height: side, width: side, channels })
    };
    [asked(1), asked(3), square(1), square(3)].into_iter().flatten().find(fits)
}

/// Rows of images of `shape`, brought to the channels and the size that `options` ask for.
pub(super) fn arranged(
    shape: ImageShape,
    parts: [Array2<u8>; 3],
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<(ImageShape, [Array2<u8>; 3]), DataError> {
    let is_gray = |rows: &Array2<u8>| {
        rows.rows().into_iter().all(|row| {
            row.exact_chunks(3).into_iter().all(|rgb| rgb[0] == rgb[1] && rgb[1] == rgb[2])
        })
    };
    let channels = match options.channels {
        Channels::One => 1,
        Channels::Three => 3,
        Channels::Auto if shape.channels == 3 && parts.iter().all(is_gray) => 1,
        Channels::Auto => shape.channels,
    };
    let [height, width] = options.size.unwrap_or([shape.height, shape.width]);
    let wanted = ImageShape { height, width, channels };
    if wanted == shape {
        return Ok((shape, parts));
    }
    check_memory(parts.iter().map(Array2::nrows).sum(), wanted)?;
    let mut changed: [Array2<u8>; 3] = Default::default();
    for (changed, rows) in changed.iter_mut().zip(parts) {
        *changed = fitted(rows.view(), shape, wanted, progress)?;
    }
    Ok((wanted, changed))
}

fn fitted(
    rows: ArrayView2<'_, u8>,
    shape: ImageShape,
    wanted: ImageShape,
    progress: &dyn Progress,
) -> Result<Array2<u8>, DataError> {
    let mut made = Array2::zeros((rows.nrows(), wanted.n_pixels()));
    made.axis_chunks_iter_mut(Axis(0), N_IMAGES_PER_CHUNK)
        .into_par_iter()
        .zip(rows.axis_chunks_iter(Axis(0), N_IMAGES_PER_CHUNK))
        .try_for_each(|(mut to, from)| {
            if progress.interrupted() {
                return Err(DataError::Interrupted);
            }
            for (mut to, from) in to.rows_mut().into_iter().zip(from.rows()) {
                let image = Decoded { shape, pixels: from.to_vec() };
                let row = ImageStep::Fit(wanted).apply(image).pixels;
                to.iter_mut().zip(row).for_each(|(to, value)| *to = value);
            }
            Ok(())
        })?;
    Ok(made)
}

/// Rows of one part.
///
/// # Panics   if the last one is not whole
pub(super) fn rows(bytes: Vec<u8>, shape: ImageShape) -> Array2<u8> {
    let n_pixels = shape.n_pixels();
    Array2::from_shape_vec((bytes.len() / n_pixels, n_pixels), bytes).expect("whole rows")
}
