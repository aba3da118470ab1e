//! Gradients of pixels, and what each votes for.

use std::f64::consts::{PI, TAU};

use super::{Hog, ImageShape, Interpolation};

/// Differences of two bytes, from -255 to 255.
const N_DIFFERENCES: usize = 511;

/// What one pixel adds to two neighbouring orientations.
#[derive(Clone, Copy)]
pub struct Vote {
    /// Place of the pixel.
    pub row: u32,
    pub column: u32,
    /// Orientations.
    pub bins: [u16; 2],
    /// Shares of the length of the gradient; pixels count from 0 to 1.
    pub weights: [f32; 2],
}

/// The votes of every possible gradient.
///
/// Why a table: gradients of bytes take 511 x 511 values, so an arc tangent and a square root per
/// pixel become one look-up.
pub struct Votes(Vec<([u16; 2], [f32; 2])>);

impl Votes {
    pub fn new(hog: &Hog) -> Self {
        let n_bins = hog.orientations;
        let span = if hog.signed { TAU } else { PI };
        let differences = -255i32..=255;
        let table = differences.clone().flat_map(|dy| {
            differences.clone().map(move |dx| {
                let (dx, dy) = (f64::from(dx) / 255.0, f64::from(dy) / 255.0);
                let length = dx.hypot(dy);
                let angle = dy.atan2(dx).rem_euclid(span);
                // In bins, from the lower end of bin 0; an angle just below 0 is rounded to `span`.
                let position = angle / span * n_bins as f64;
                let (low, to_high) = match hog.interpolation {
                    Interpolation::None => (position.floor(), 0.0),
                    Interpolation::Trilinear => {
                        let low = (position - 0.5).floor();
                        (low, position - 0.5 - low)
                    }
                };
                let low = (low as i64).rem_euclid(n_bins as i64) as usize;
                let bins = [low, (low + 1) % n_bins].map(|bin| bin as u16);
                (bins, [length * (1.0 - to_high), length * to_high].map(|share| share as f32))
            })
        });
        Votes(table.collect())
    }

    fn of(&self, dx: i32, dy: i32) -> ([u16; 2], [f32; 2]) {
        self.0[(dy + 255) as usize * N_DIFFERENCES + (dx + 255) as usize]
    }

    /// The votes of all pixels that have a gradient, row by row.
    pub fn of_image(&self, image: &[u8], shape: ImageShape, votes: &mut Vec<Vote>) {
        votes.clear();
        let ImageShape { height, width, channels } = shape;
        let at = |row: usize, column: usize, channel: usize| {
            i32::from(image[(row * width + column) * channels + channel])
        };
        for row in 0..height {
            for column in 0..width {
                let mut longest = (0, 0);
                for channel in 0..channels {
                    let dy = match row == 0 || row + 1 == height {
                        true => 0,
                        false => at(row + 1, column, channel) - at(row - 1, column, channel),
                    };
                    let dx = match column == 0 || column + 1 == width {
                        true => 0,
                        false => at(row, column + 1, channel) - at(row, column - 1, channel),
                    };
                    if dx * dx + dy * dy > longest.0 * longest.0 + longest.1 * longest.1 {
                        longest = (dx, dy);
                    }
                }
                if longest != (0, 0) {
                    let (bins, weights) = self.of(longest.0, longest.1);
                    votes.push(Vote { row: row as u32, column: column as u32, bins, weights });
                }
            }
        }
    }
}
