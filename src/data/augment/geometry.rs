//! One image mirrored, turned, enlarged and moved.

use crate::data::ImageShape;

/// How a copy lies on its original: mirrored, then turned and enlarged, then moved.
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
    /// Share by which the copy is larger, about the middle of the image; below 0 it is smaller.
    pub zoom: f32,
}

impl Placement {
    /// Writes the copy of `image`; what comes from outside the image is 0. Values are exact
    /// without rotation and zoom, and rounded from the four nearest pixels with them. `scratch` is
    /// overwritten.
    ///
    /// # Panics   if a slice has not the bytes of `shape`, or it has neither 1 nor 3 channels
    /// # Cost
    /// an image of 28x28 on one core of a Zen 5 machine: 0.2 µs, 6 µs turned or enlarged
    pub fn place(&self, image: &[u8], shape: ImageShape, copy: &mut [u8], scratch: &mut Scratch) {
        assert_eq!([image.len(), copy.len()], [shape.n_pixels(); 2], "not images of this shape");
        if self.degrees == 0.0 && self.zoom == 0.0 {
            self.move_pixels(image, shape, copy);
        } else {
            self.resample(image, shape, copy, scratch);
        }
    }

    fn move_pixels(&self, image: &[u8], shape: ImageShape, copy: &mut [u8]) {
        let ImageShape { height, width, channels } = shape;
        let n_line = width * channels;
        let n_uncovered = self.right.unsigned_abs().min(width);
        let n_kept = (width - n_uncovered) * channels;
        for (row, line) in copy.chunks_exact_mut(n_line).enumerate() {
            let source = usize::try_from(row as isize - self.down).ok().filter(|&r| r < height);
            let Some(source) = source else {
                line.fill(0);
                continue;
            };
            let source = &image[source * n_line..][..n_line];
            // Where the kept pixels start in the copy and in the mirrored (or plain) original.
            let (to, from) =
                if self.right >= 0 { (n_line - n_kept, 0) } else { (0, n_line - n_kept) };
            line[..to].fill(0);
            line[to + n_kept..].fill(0);
            let kept = &mut line[to..to + n_kept];
            if self.flip {
                mirror(&source[n_line - n_kept - from..n_line - from], channels, kept);
            } else {
                kept.copy_from_slice(&source[from..from + n_kept]);
            }
        }
    }

    fn resample(&self, image: &[u8], shape: ImageShape, copy: &mut [u8], scratch: &mut Scratch) {
        match shape.channels {
            1 => self.resample_channels::<1>(image, shape, copy, scratch),
            3 => self.resample_channels::<3>(image, shape, copy, scratch),
            other => panic!("images of {other} channels, expected 1 or 3"),
        }
    }

    fn resample_channels<const CHANNELS: usize>(
        &self,
        image: &[u8],
        shape: ImageShape,
        copy: &mut [u8],
        scratch: &mut Scratch,
    ) {
        let ImageShape { height, width, .. } = shape;
        let n_line = (width + FRAME_BEFORE + FRAME_AFTER) * CHANNELS;
        let Scratch { framed, sources, .. } = scratch;
        self.frame(image, shape, framed);
        sources.resize(width, Source::default());
        let (sin, cos) = self.degrees.to_radians().sin_cos();
        let [sin, cos] = [sin, cos].map(|value| value / (1.0 + self.zoom));
        let middle = [(height - 1) as f32 / 2.0, (width - 1) as f32 / 2.0];
        for (row, line) in copy.chunks_exact_mut(width * CHANNELS).enumerate() {
            let y = (row as isize - self.down) as f32 - middle[0];
            // Two passes are twice as fast as one: the first has no access that may fail.
            for (column, source) in sources.iter_mut().enumerate() {
                let x = (column as i32 - self.right as i32) as f32 - middle[1];
                // Back to where the pixel was before.
                let (top, down) = framed_place(cos * y - sin * x + middle[0], height);
                let (left, right) = framed_place(sin * y + cos * x + middle[1], width);
                *source = Source { at: top * n_line + left * CHANNELS, down, right };
            }
            for (source, values) in sources.iter().zip(line.chunks_exact_mut(CHANNELS)) {
                let &Source { at, down, right } = source;
                let upper = &framed[at..at + 2 * CHANNELS];
                let lower = &framed[at + n_line..at + n_line + 2 * CHANNELS];
                let shares = [
                    (1.0 - down) * (1.0 - right),
                    (1.0 - down) * right,
                    down * (1.0 - right),
                    down * right,
                ];
                for (channel, value) in values.iter_mut().enumerate() {
                    let beside = channel + CHANNELS;
                    let four = [upper[channel], upper[beside], lower[channel], lower[beside]];
                    let mut sum = 0.0;
                    for (share, value) in shares.into_iter().zip(four) {
                        sum += share * f32::from(value);
                    }
                    *value = round(sum);
                }
            }
        }
    }

    /// The mirrored (or plain) image with zeros around it, so that no neighbour is outside.
    fn frame(&self, image: &[u8], shape: ImageShape, framed: &mut Vec<u8>) {
        let ImageShape { height, width, channels } = shape;
        let framed_width = width + FRAME_BEFORE + FRAME_AFTER;
        framed.clear();
        framed.resize((height + FRAME_BEFORE + FRAME_AFTER) * framed_width * channels, 0);
        let lines = framed.chunks_exact_mut(framed_width * channels).skip(FRAME_BEFORE);
        for (line, source) in lines.zip(image.chunks_exact(width * channels)) {
            let line = &mut line[FRAME_BEFORE * channels..][..width * channels];
            if self.flip {
                mirror(source, channels, line);
            } else {
                line.copy_from_slice(source);
            }
        }
    }
}

/// Zeros above and left of a framed image.
const FRAME_BEFORE: usize = 1;
/// Zeros below and right of it: a point on the last of them has neighbours too.
const FRAME_AFTER: usize = 2;

/// Buffers for changing an image, to be used again.
#[derive(Default)]
pub struct Scratch {
    framed: Vec<u8>,
    sources: Vec<Source>,
    pub(in crate::data) floats: Vec<f32>,
}

/// Where a pixel comes from: the upper left of four neighbours in the framed image, and how far
/// from it.
#[derive(Clone, Default)]
struct Source {
    at: usize,
    down: f32,
    right: f32,
}

/// The place in the frame at or before a coordinate, and how far behind it that lies. What is
/// beyond the frame is taken to its edge, where all is 0 too.
fn framed_place(coordinate: f32, size: usize) -> (usize, f32) {
    let coordinate = coordinate.max(-1.0).min(size as f32);
    let whole = coordinate as i32;
    let floor = whole - i32::from(coordinate < whole as f32);
    ((floor + FRAME_BEFORE as i32) as usize, coordinate - floor as f32)
}

/// `f32::round` for 0 to 255, without its call into the C library.
fn round(value: f32) -> u8 {
    let whole = value as i32;
    (whole + i32::from(value - whole as f32 >= 0.5)) as u8
}

/// A line of pixels from right to left.
fn mirror(line: &[u8], channels: usize, mirrored: &mut [u8]) {
    if channels == 1 {
        for (to, &from) in mirrored.iter_mut().zip(line.iter().rev()) {
            *to = from;
        }
    } else {
        let pixels = line.chunks_exact(channels).rev();
        for (to, from) in mirrored.chunks_exact_mut(channels).zip(pixels) {
            to.copy_from_slice(from);
        }
    }
}
