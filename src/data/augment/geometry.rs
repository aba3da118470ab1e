//! One image mirrored, turned and moved.

use crate::data::ImageShape;

/// How a copy lies on its original: mirrored, then turned, then moved.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Placement {
    /// Left to right.
    pub flip: bool,
    /// Pixels.
    pub down: isize,
    /// Pixels.
    pub right: isize,
    /// About the middle of the image, clockwise.
    pub degrees: f32,
}

impl Placement {
    /// Writes the copy of `image`; what comes from outside the image is 0. Values are exact
    /// without rotation, and rounded from the four nearest pixels with it.
    ///
    /// # Panics   if a slice has not the bytes of `shape`
    pub fn place(&self, image: &[u8], shape: ImageShape, copy: &mut [u8]) {
        assert_eq!([image.len(), copy.len()], [shape.n_pixels(); 2], "not images of this shape");
        if self.degrees == 0.0 {
            self.move_pixels(image, shape, copy);
        } else {
            self.resample(image, shape, copy);
        }
    }

    fn move_pixels(&self, image: &[u8], shape: ImageShape, copy: &mut [u8]) {
        let ImageShape { width, channels, .. } = shape;
        for (row, line) in copy.chunks_exact_mut(width * channels).enumerate() {
            let source_row = row as isize - self.down;
            for (column, pixel) in line.chunks_exact_mut(channels).enumerate() {
                let column = column as isize - self.right;
                match self.pixel(image, shape, source_row, column) {
                    Some(source) => pixel.copy_from_slice(source),
                    None => pixel.fill(0),
                }
            }
        }
    }

    fn resample(&self, image: &[u8], shape: ImageShape, copy: &mut [u8]) {
        let ImageShape { height, width, channels } = shape;
        let (sin, cos) = self.degrees.to_radians().sin_cos();
        let middle = [(height - 1) as f32 / 2.0, (width - 1) as f32 / 2.0];
        for (row, line) in copy.chunks_exact_mut(width * channels).enumerate() {
            let y = (row as isize - self.down) as f32 - middle[0];
            for (column, pixel) in line.chunks_exact_mut(channels).enumerate() {
                let x = (column as isize - self.right) as f32 - middle[1];
                // Back to where the pixel was before the turn.
                let (y, x) = (cos * y - sin * x + middle[0], sin * y + cos * x + middle[1]);
                let (top, left) = (y.floor(), x.floor());
                let (to_bottom, to_right) = (y - top, x - left);
                let mut sums = [0.0f32; 3];
                for (row, share) in [(top, 1.0 - to_bottom), (top + 1.0, to_bottom)] {
                    for (column, share) in
                        [(left, share * (1.0 - to_right)), (left + 1.0, share * to_right)]
                    {
                        let source = self.pixel(image, shape, row as isize, column as isize);
                        for (sum, &value) in sums.iter_mut().zip(source.unwrap_or_default()) {
                            *sum += share * f32::from(value);
                        }
                    }
                }
                for (value, sum) in pixel.iter_mut().zip(sums) {
                    *value = sum.round() as u8;
                }
            }
        }
    }

    /// A pixel of the mirrored (or plain) image; none outside.
    fn pixel<'a>(
        &self,
        image: &'a [u8],
        shape: ImageShape,
        row: isize,
        column: isize,
    ) -> Option<&'a [u8]> {
        let ImageShape { height, width, channels } = shape;
        let row = usize::try_from(row).ok().filter(|&row| row < height)?;
        let column = usize::try_from(column).ok().filter(|&column| column < width)?;
        let column = if self.flip { width - 1 - column } else { column };
        Some(&image[(row * width + column) * channels..][..channels])
    }
}
