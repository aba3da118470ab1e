//! Anti-aliased polygons under one random affine map, filled with a random cloth.
//!
//! Garments are drawn in a frame where both axes run from -1 to 1, y downwards. Coverage is exact
//! along x and sampled four times a pixel along y.

use super::super::Rng;

/// Pixels along each side.
pub const SIDE: usize = 28;

const N_SUBROWS: usize = 4;

/// A point of the garment's frame.
pub type Point = [f32; 2];

/// One image being drawn.
pub struct Canvas {
    values: [f32; SIDE * SIDE],
    /// Rows of the affine map from the frame to pixels.
    to_pixels: [[f32; 3]; 2],
    cloth: Cloth,
}

/// How the shade of a garment varies over the image.
struct Cloth {
    shade: f32,
    slope: Point,
    /// Amplitude, waves per pixel along x and y, phase.
    stripes: [f32; 4],
}

impl Cloth {
    fn new(rng: &mut Rng) -> Self {
        let shade = rng.uniform_f32(0.35, 0.95);
        let slope = [rng.uniform_f32(-0.25, 0.25), rng.uniform_f32(-0.25, 0.25)];
        let amplitude = if rng.unit_f32() < 0.4 { rng.uniform_f32(0.1, 0.45) } else { 0.0 };
        let frequency = rng.uniform_f32(0.08, 0.3);
        let across = rng.unit_f32();
        let stripes = match rng.below(3) {
            0 => [amplitude, frequency, 0.0, rng.unit_f32()],
            1 => [amplitude, 0.0, frequency, rng.unit_f32()],
            _ => [amplitude, frequency * across, frequency * (1.0 - across), rng.unit_f32()],
        };
        Cloth { shade, slope, stripes }
    }

    fn at(&self, x: usize, y: usize) -> f32 {
        let (x, y) = (x as f32, y as f32);
        let middle = SIDE as f32 / 2.0;
        let slope = (self.slope[0] * (x - middle) + self.slope[1] * (y - middle)) / middle;
        let [amplitude, along_x, along_y, phase] = self.stripes;
        let wave = along_x * x + along_y * y + phase;
        let triangle = 2.0 * (2.0 * (wave - wave.floor()) - 1.0).abs() - 1.0;
        self.shade * (1.0 + slope + amplitude * triangle)
    }
}

impl Canvas {
    /// A black image with a map and a cloth of its own.
    pub fn new(rng: &mut Rng) -> Self {
        // The rational circle: an exact rotation without sine and cosine; 0.1 is 11 degrees.
        let half = rng.uniform_f32(-0.1, 0.1);
        let norm = 1.0 + half * half;
        let (cos, sin) = ((1.0 - half * half) / norm, 2.0 * half / norm);
        let size = SIDE as f32 / 2.0 * rng.uniform_f32(0.78, 1.0);
        let (width, height) = (size * rng.uniform_f32(0.88, 1.1), size);
        let shear = rng.uniform_f32(-0.12, 0.12);
        let mut middle = || SIDE as f32 / 2.0 + rng.uniform_f32(-2.2, 2.2);
        let (x, y) = (middle(), middle());
        let to_pixels = [
            [cos * width, (cos * shear - sin) * height, x],
            [sin * width, (sin * shear + cos) * height, y],
        ];
        Canvas { values: [0.0; SIDE * SIDE], to_pixels, cloth: Cloth::new(rng) }
    }

    /// Fills a polygon and its mirror image (x negated) with the cloth.
    pub fn fill_both(&mut self, polygon: &[Point], tone: f32) {
        self.fill(polygon, tone);
        let mirrored: Vec<Point> = polygon.iter().map(|&[x, y]| [-x, y]).collect();
        self.fill(&mirrored, tone);
    }

    /// Fills a band of `width` along a line.
    pub fn stroke(&mut self, line: &[Point], width: f32, tone: f32) {
        for ends in line.windows(2) {
            let [[x0, y0], [x1, y1]] = [ends[0], ends[1]];
            let (dx, dy) = (x1 - x0, y1 - y0);
            let length = (dx * dx + dy * dy).sqrt().max(1e-6);
            let (nx, ny) = (-dy / length * width / 2.0, dx / length * width / 2.0);
            self.fill(
                &[[x0 + nx, y0 + ny], [x1 + nx, y1 + ny], [x1 - nx, y1 - ny], [x0 - nx, y0 - ny]],
                tone,
            );
        }
    }

    /// Fills a polygon with the cloth, its shade multiplied by `tone`.
    ///
    /// Even-odd fill by scanlines; the shade replaces what it covers.
    pub fn fill(&mut self, polygon: &[Point], tone: f32) {
        let [to_x, to_y] = self.to_pixels;
        let points: Vec<Point> = polygon
            .iter()
            .map(|&[x, y]| {
                [to_x[0] * x + to_x[1] * y + to_x[2], to_y[0] * x + to_y[1] * y + to_y[2]]
            })
            .collect();
        let top = points.iter().fold(f32::MAX, |lowest, point| lowest.min(point[1]));
        let bottom = points.iter().fold(f32::MIN, |highest, point| highest.max(point[1]));
        let first = top.floor().clamp(0.0, SIDE as f32) as usize;
        let last = bottom.ceil().clamp(0.0, SIDE as f32) as usize;
        let mut crossings = Vec::with_capacity(points.len());
        for row in first..last {
            let mut coverage = [0.0f32; SIDE];
            for subrow in 0..N_SUBROWS {
                let y = row as f32 + (subrow as f32 + 0.5) / N_SUBROWS as f32;
                crossings.clear();
                for (i, &[x0, y0]) in points.iter().enumerate() {
                    let [x1, y1] = points[(i + 1) % points.len()];
                    if (y0 <= y) != (y1 <= y) {
                        crossings.push(x0 + (y - y0) / (y1 - y0) * (x1 - x0));
                    }
                }
                crossings.sort_by(f32::total_cmp);
                for span in crossings.chunks_exact(2) {
                    cover(&mut coverage, span[0], span[1]);
                }
            }
            for (column, &n_covered) in coverage.iter().enumerate() {
                if n_covered > 0.0 {
                    let share = n_covered / N_SUBROWS as f32;
                    let value = &mut self.values[row * SIDE + column];
                    *value += share * (tone * self.cloth.at(column, row) - *value);
                }
            }
        }
    }

    /// Adds what keeps the classes from being told apart too easily: an occluding bar, grain.
    pub fn spoil(&mut self, rng: &mut Rng) {
        if rng.unit_f32() < 0.3 {
            let shade = if rng.unit_f32() < 0.5 { 0.0 } else { rng.uniform_f32(0.1, 0.9) };
            let (height, width) = (2 + rng.below(7), 2 + rng.below(7));
            let (top, left) = (rng.below(SIDE - height), rng.below(SIDE - width));
            for row in top..top + height {
                self.values[row * SIDE + left..row * SIDE + left + width].fill(shade);
            }
        }
        // The sum of four bytes is near enough to a normal draw, of deviation 148.
        let grain = rng.uniform_f32(0.01, 0.09) / 148.0;
        for value in &mut self.values {
            let draw: f32 = rng.next_u32().to_le_bytes().into_iter().map(f32::from).sum();
            *value += grain * (draw - 510.0) * (0.25 + *value);
        }
    }

    /// Rounds the image to bytes.
    pub fn write(&self, image: &mut [u8]) {
        for (pixel, &value) in image.iter_mut().zip(&self.values) {
            *pixel = (value.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
        }
    }
}

/// Adds to each pixel the part of it that lies between `from` and `to`.
fn cover(coverage: &mut [f32; SIDE], from: f32, to: f32) {
    let from = from.clamp(0.0, SIDE as f32);
    let to = to.clamp(0.0, SIDE as f32);
    let end = (to.ceil() as usize).min(SIDE);
    for (column, covered) in coverage.iter_mut().enumerate().take(end).skip(from as usize) {
        let left = column as f32;
        *covered += (to.min(left + 1.0) - from.max(left)).max(0.0);
    }
}

/// Points around an ellipse, by the rational circle.
pub fn ellipse(centre: Point, radii: Point) -> Vec<Point> {
    const HALF_ANGLE_TANGENTS: [f32; 4] = [0.0, 0.198_912_37, 0.414_213_56, 0.668_178_6];
    let mut points = Vec::with_capacity(16);
    for quarter in 0..4 {
        for half in HALF_ANGLE_TANGENTS {
            let norm = 1.0 + half * half;
            let (cos, sin) = ((1.0 - half * half) / norm, 2.0 * half / norm);
            let (x, y) = match quarter {
                0 => (cos, sin),
                1 => (-sin, cos),
                2 => (-cos, -sin),
                _ => (sin, -cos),
            };
            points.push([centre[0] + radii[0] * x, centre[1] + radii[1] * y]);
        }
    }
    points
}
