//! Numbers as pictures: heat over an image, signed values, regions of classes; enlarged by whole factors,
//! so that pixels are seen.

use ndarray::{Array2, ArrayView2};

use super::{DataError, ImageShape, png_bytes};

/// What a picture shows; every kind has a size in cells, and a cell becomes a square.
#[derive(Clone, Debug, PartialEq)]
pub enum Picture {
    /// An image as it is.
    Photo {
        /// `[shape.n_pixels()]`
        pixels: Vec<u8>,
        /// Its shape.
        shape: ImageShape,
    },
    /// Values of at least 0 from dark to bright, over an image made gray; an image without an
    /// opinion shines through where the value is small.
    Heat {
        /// `[height, width]` of the image.
        values: Array2<f32>,
        /// The image: its pixels and shape; without one the heat is drawn alone.
        over: Option<(Vec<u8>, ImageShape)>,
        /// Value of the brightest colour.
        largest: f32,
    },
    /// Red above 0, blue below, white at 0.
    Signed {
        /// `[height, width]`
        values: Array2<f32>,
        /// Size of value that is fully coloured.
        largest: f32,
    },
    /// Black at `range[0]`, white at `range[1]`.
    Gray {
        /// `[height, width]`
        values: Array2<f32>,
        /// Values of black and white.
        range: [f32; 2],
    },
    /// A class for every cell, and points on them.
    Regions {
        /// `[height, width]`, each below `n_classes`.
        classes: Array2<usize>,
        /// Number of classes.
        n_classes: usize,
        /// Points, the last ones on top.
        points: Vec<Point>,
    },
    /// Pictures of one size in a grid.
    Sheet {
        /// Row by row.
        tiles: Vec<Picture>,
        /// Tiles in a row, at least 1.
        columns: usize,
    },
}

/// A point on a map of regions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Cells from the top and from the left; fractions count.
    pub at: [f32; 2],
    /// Its class.
    pub class: usize,
    /// Drawn large, with a ring.
    pub is_marked: bool,
}

/// Colours from nothing to most: matplotlib's `inferno`, even steps of lightness.
const HEAT: [[u8; 3]; 9] = [
    [0, 0, 4],
    [31, 12, 72],
    [85, 15, 109],
    [136, 34, 106],
    [186, 54, 85],
    [227, 89, 51],
    [249, 140, 10],
    [249, 201, 50],
    [252, 255, 164],
];

/// Blue, white, red: ColorBrewer's `RdBu`, turned round.
const SIGNED: [[u8; 3]; 7] = [
    [33, 102, 172],
    [103, 169, 207],
    [209, 229, 240],
    [255, 255, 255],
    [253, 219, 199],
    [239, 138, 98],
    [178, 24, 43],
];

/// Opacity of the hottest colour over its image.
const HEAT_OPACITY: f32 = 0.85;

/// Shade between tiles, and cells of it.
const GAP: ([u8; 3], usize) = ([128, 128, 128], 1);

/// Factors that a picture may be enlarged by.
const FACTORS: std::ops::RangeInclusive<usize> = 1..=32;

/// Radius of a point and of a marked one, in pixels of the drawn picture.
const RADII: [f32; 2] = [3.6, 7.0];

impl Picture {
    /// The picture as a PNG file of colours, enlarged by the whole factor that brings its longer side
    /// nearest below `side` pixels, at least 1.
    ///
    /// # Errors
    /// [`DataError::Png`] for pixels that are not of their shape.
    pub fn png(&self, side: usize) -> Result<Vec<u8>, DataError> {
        let (height, width) = self.size();
        let factor = side / height.max(width).max(1);
        let (pixels, shape) = self.draw(factor.clamp(*FACTORS.start(), *FACTORS.end()));
        png_bytes(&pixels, shape)
    }

    /// Cells: height and width.
    pub fn size(&self) -> (usize, usize) {
        match self {
            Picture::Photo { shape, .. } => (shape.height, shape.width),
            Picture::Heat { values, .. }
            | Picture::Signed { values, .. }
            | Picture::Gray { values, .. } => values.dim(),
            Picture::Regions { classes, .. } => classes.dim(),
            Picture::Sheet { tiles, columns } => {
                let (height, width) = tiles.first().map_or((1, 1), Picture::size);
                let n_lines = tiles.len().div_ceil(*columns).max(1);
                let along = |n: usize, size: usize| n * (size + GAP.1) - GAP.1;
                (along(n_lines, height), along((*columns).min(tiles.len().max(1)), width))
            }
        }
    }

    /// Colours and their shape, every cell `factor` pixels wide and high.
    fn draw(&self, factor: usize) -> (Vec<u8>, ImageShape) {
        let (height, width) = self.size();
        let cells = self.cells();
        let shape = ImageShape { height: height * factor, width: width * factor, channels: 3 };
        let mut pixels = Vec::with_capacity(shape.n_pixels());
        for y in 0..shape.height {
            for x in 0..shape.width {
                pixels.extend(cells[y / factor * width + x / factor]);
            }
        }
        if let Picture::Regions { n_classes, points, .. } = self {
            for point in points {
                draw_point(&mut pixels, shape, point, *n_classes, factor as f32);
            }
        }
        (pixels, shape)
    }

    /// Colour of every cell, row by row.
    fn cells(&self) -> Vec<[u8; 3]> {
        match self {
            Picture::Photo { pixels, shape } => {
                let colour = |pixel: &[u8]| match *pixel {
                    [red, green, blue] => [red, green, blue],
                    _ => [pixel.first().copied().unwrap_or(0); 3],
                };
                let mut cells: Vec<_> = pixels.chunks(shape.channels.max(1)).map(colour).collect();
                cells.resize(shape.height * shape.width, [0; 3]);
                cells
            }
            Picture::Heat { values, over, largest } => {
                let shades = over.as_ref().map(|(pixels, shape)| grays(pixels, *shape));
                let at = |(nth, value): (usize, &f32)| {
                    let heat = share(*value, *largest);
                    let colour = between(&HEAT, heat);
                    match shades.as_ref().and_then(|shades| shades.get(nth)) {
                        Some(&shade) => mix([shade; 3], colour, HEAT_OPACITY * heat),
                        None => colour,
                    }
                };
                values.iter().enumerate().map(at).collect()
            }
            Picture::Signed { values, largest } => {
                let colour = |value: &f32| {
                    let size = share(value.abs(), *largest);
                    between(&SIGNED, 0.5 + 0.5 * size * value.signum())
                };
                values.iter().map(colour).collect()
            }
            Picture::Gray { values, range: [low, high] } => {
                let shade =
                    |value: &f32| [(share(value - low, high - low) * 255.0).round() as u8; 3];
                values.iter().map(shade).collect()
            }
            Picture::Regions { classes, n_classes, .. } => {
                classes.iter().map(|&class| region_colour(class, *n_classes)).collect()
            }
            Picture::Sheet { tiles, columns } => {
                let (height, width) = self.size();
                let mut cells = vec![GAP.0; height * width];
                let (tile_height, tile_width) = tiles.first().map_or((1, 1), Picture::size);
                for (nth, tile) in tiles.iter().enumerate() {
                    let top = nth / columns * (tile_height + GAP.1);
                    let left = nth % columns * (tile_width + GAP.1);
                    for (place, colour) in tile.cells().into_iter().enumerate() {
                        let (y, x) = (top + place / tile_width, left + place % tile_width);
                        if let Some(cell) = cells.get_mut(y * width + x) {
                            *cell = colour;
                        }
                    }
                }
                cells
            }
        }
    }
}

/// A full colour for a class, that its points and the legend have.
pub fn class_colour(class: usize, n_classes: usize) -> [u8; 3] {
    let lightness = [0.62, 0.50, 0.72][class % 3];
    oklch(lightness, 0.15, hue(class, n_classes))
}

/// A pale colour for a class, that its regions have.
fn region_colour(class: usize, n_classes: usize) -> [u8; 3] {
    let lightness = [0.86, 0.80, 0.92][class % 3];
    oklch(lightness, 0.08, hue(class, n_classes))
}

fn hue(class: usize, n_classes: usize) -> f32 {
    25.0 + 360.0 * class as f32 / n_classes.max(1) as f32
}

/// The largest size of a value, at least the smallest positive number: what a picture is scaled by.
pub fn largest_of(values: ArrayView2<'_, f32>) -> f32 {
    values.iter().fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()))
}

/// `value / largest` within 0 and 1; 0 for what is no number.
fn share(value: f32, largest: f32) -> f32 {
    let share = value / largest;
    if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
}

/// A colour of a list, `at` from 0 to 1.
fn between(colours: &[[u8; 3]], at: f32) -> [u8; 3] {
    let at = at * (colours.len() - 1) as f32;
    let low = (at.floor() as usize).min(colours.len() - 2);
    mix(colours[low], colours[low + 1], at - low as f32)
}

fn mix(from: [u8; 3], to: [u8; 3], share: f32) -> [u8; 3] {
    std::array::from_fn(|i| {
        (f32::from(from[i]) * (1.0 - share) + f32::from(to[i]) * share).round() as u8
    })
}

/// Shades of an image, its channels averaged.
fn grays(pixels: &[u8], shape: ImageShape) -> Vec<u8> {
    let mean = |pixel: &[u8]| {
        (pixel.iter().map(|&v| usize::from(v)).sum::<usize>() / pixel.len().max(1)) as u8
    };
    pixels.chunks(shape.channels.max(1)).map(mean).collect()
}

/// A colour of even lightness and chroma over all hues (Ottosson's Oklab, 2020); hue in degrees.
fn oklch(lightness: f32, chroma: f32, hue: f32) -> [u8; 3] {
    let (a, b) = (chroma * hue.to_radians().cos(), chroma * hue.to_radians().sin());
    let cube = |v: f32| v * v * v;
    let l = cube(lightness + 0.396_337_78 * a + 0.215_803_76 * b);
    let m = cube(lightness - 0.105_561_346 * a - 0.063_854_17 * b);
    let s = cube(lightness - 0.089_484_18 * a - 1.291_485_5 * b);
    let linear = [
        4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s,
        -1.268_438 * l + 2.609_757_4 * m - 0.341_319_38 * s,
        -0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s,
    ];
    linear.map(|v| {
        let v = v.clamp(0.0, 1.0);
        let v = if v <= 0.003_130_8 { 12.92 * v } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
        (v * 255.0).round() as u8
    })
}

/// A disc in the colour of its class with a dark rim; a marked one has a white ring too.
fn draw_point(pixels: &mut [u8], shape: ImageShape, point: &Point, n_classes: usize, factor: f32) {
    let radius = RADII[usize::from(point.is_marked)];
    let [down, right] = point.at.map(|cells| (cells + 0.5) * factor);
    let colour = class_colour(point.class, n_classes);
    let reach = radius + 2.0;
    let range = |centre: f32, size: usize| {
        let from = (centre - reach).floor().max(0.0) as usize;
        from..((centre + reach).ceil().max(0.0) as usize).min(size)
    };
    for y in range(down, shape.height) {
        for x in range(right, shape.width) {
            let away = (y as f32 + 0.5 - down).hypot(x as f32 + 0.5 - right);
            let shown = if away <= radius - if point.is_marked { 3.0 } else { 1.0 } {
                colour
            } else if point.is_marked && away <= radius - 1.0 {
                [255; 3]
            } else if away <= radius {
                [30; 3]
            } else {
                continue;
            };
            let at = (y * shape.width + x) * 3;
            pixels[at..at + 3].copy_from_slice(&shown);
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    const WIDE: ImageShape = ImageShape { height: 1, width: 3, channels: 1 };

    #[test]
    fn signs_have_colours_of_their_own_and_nothing_is_white() {
        let picture = Picture::Signed { values: array![[-2.0, 0.0, 2.0, 9.0]], largest: 2.0 };
        let found = picture.cells();
        assert_eq!(found, [SIGNED[0], [255; 3], SIGNED[6], SIGNED[6]]);
    }

    #[test]
    fn cold_cells_show_the_image_and_hot_ones_the_heat() {
        let over = Some((vec![10, 200, 30], WIDE));
        let picture = Picture::Heat { values: array![[0.0, 0.0, 4.0]], over, largest: 4.0 };
        let found = picture.cells();
        assert_eq!(found[..2], [[10; 3], [200; 3]]);
        assert!(found[2][0] > 200 && found[2][1] > 200, "{found:?}");
    }

    #[test]
    fn a_map_of_zeros_or_of_no_numbers_is_drawn_cold() {
        let values = array![[0.0, f32::NAN]];
        let picture = Picture::Heat { values, over: None, largest: 0.0 };
        assert_eq!(picture.cells(), [HEAT[0]; 2]);
    }

    #[test]
    fn every_cell_becomes_a_square_of_whole_pixels() {
        let picture = Picture::Photo { pixels: vec![0, 128, 255], shape: WIDE };
        let decoded = image::load_from_memory(&picture.png(12).unwrap()).unwrap().to_rgb8();
        assert_eq!(decoded.dimensions(), (12, 4));
        assert_eq!(decoded.get_pixel(4, 3).0, [128; 3]);
        assert_eq!(decoded.get_pixel(11, 0).0, [255; 3]);
        let large = picture.png(1).unwrap();
        assert_eq!(image::load_from_memory(&large).unwrap().width(), 3, "never made smaller");
    }

    #[test]
    fn tiles_stand_in_rows_with_a_gap() {
        let tile = |shade: u8| Picture::Photo { pixels: vec![shade; 3], shape: WIDE };
        let sheet = Picture::Sheet { tiles: vec![tile(1), tile(2), tile(3)], columns: 2 };
        assert_eq!(sheet.size(), (3, 7));
        let cells = sheet.cells();
        let at = |y: usize, x: usize| cells[y * 7 + x];
        assert_eq!((at(0, 2), at(0, 3), at(0, 4), at(2, 0)), ([1; 3], GAP.0, [2; 3], [3; 3]));
        assert_eq!(at(2, 5), GAP.0, "there is no fourth tile");
        assert_eq!(Picture::Sheet { tiles: Vec::new(), columns: 4 }.size(), (1, 1));
    }

    #[test]
    fn points_lie_on_the_regions_and_those_outside_are_left_out() {
        let point = |at: [f32; 2], is_marked| Point { at, class: 1, is_marked };
        let points = vec![point([2.0, 2.0], true), point([-50.0, 900.0], false)];
        let classes = Array2::zeros((5, 5));
        let picture = Picture::Regions { classes, n_classes: 2, points };
        let (pixels, shape) = picture.draw(8);
        let at = |y: usize, x: usize| &pixels[(y * shape.width + x) * 3..][..3];
        assert_eq!(at(20, 20), class_colour(1, 2));
        assert_eq!(at(0, 0), region_colour(0, 2));
    }

    #[test]
    fn ten_classes_have_ten_colours() {
        let mut colours: Vec<_> = (0..10).map(|class| class_colour(class, 10)).collect();
        colours.sort_unstable();
        colours.dedup();
        assert_eq!(colours.len(), 10);
    }
}
