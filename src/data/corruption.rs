//! Test images made harder: other backgrounds, other light, noise, blur, moves, things in front.
//!
//! After Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and
//! Perturbations" (ICLR 2019): each change at five severities, the same for every model.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::augment::{Placement, Scratch, shades};
use super::{ImageShape, Rng};

/// Severities of each change, from the least.
pub const N_SEVERITIES: usize = 5;

/// Most by which a value of the ground differs from the middle one of an image's border.
const GROUND_TOLERANCE: i16 = 16;

/// Side of the pixels that textures are blurred from, standard deviation.
const TEXTURE_GRAIN: f32 = 1.0;

/// Gray of what stands in front of an image.
const OCCLUDER: u8 = 128;

/// One way to change an image.
///
/// The ground of an image are the values next to the middle one (per channel) of its border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corruption {
    /// The ground gets another level.
    BackgroundFill,
    /// The ground gets brighter (darker, if it is bright) along a direction drawn at random.
    BackgroundGradient,
    /// The ground gets smooth noise.
    BackgroundTexture,
    /// A share of the range is added.
    Brightness,
    /// Distances to the image's mean shrink.
    Contrast,
    /// Values are raised to a power: darker middle tones.
    Gamma,
    /// Gaussian noise on every value.
    Noise,
    /// Gaussian blur.
    Blur,
    /// Moved along both sides, directions drawn at random; what is uncovered is 0.
    Shift,
    /// Turned about the middle, left or right at random.
    Rotation,
    /// A gray square somewhere in front.
    Occlusion,
}

/// Every change with its name, what it belongs to, and what severities 1 to 5 mean.
struct Row {
    corruption: Corruption,
    name: &'static str,
    group: &'static str,
    unit: &'static str,
    levels: [f32; N_SEVERITIES],
}

const ROWS: [Row; 11] = {
    const fn row(
        corruption: Corruption,
        [name, group, unit]: [&'static str; 3],
        levels: [f32; N_SEVERITIES],
    ) -> Row {
        Row { corruption, name, group, unit, levels }
    }
    use Corruption::*;
    [
        row(
            BackgroundFill,
            ["background_fill", "background", "levels"],
            [16.0, 32.0, 64.0, 96.0, 128.0],
        ),
        row(
            BackgroundGradient,
            ["background_gradient", "background", "levels"],
            [32.0, 64.0, 96.0, 128.0, 192.0],
        ),
        row(
            BackgroundTexture,
            ["background_texture", "background", "levels"],
            [32.0, 64.0, 96.0, 128.0, 192.0],
        ),
        row(Brightness, ["brightness", "light", "of the range"], [0.1, 0.2, 0.3, 0.4, 0.5]),
        row(Contrast, ["contrast", "light", "of the contrast"], [0.75, 0.5, 0.4, 0.3, 0.15]),
        row(Gamma, ["gamma", "light", "exponent"], [1.25, 1.5, 2.0, 2.5, 3.0]),
        row(Noise, ["noise", "noise", "of the range"], [0.04, 0.08, 0.12, 0.18, 0.26]),
        row(Blur, ["blur", "blur", "of the side, %"], [1.8, 2.7, 3.6, 5.4, 7.2]),
        row(Shift, ["shift", "shift", "of the side, %"], [3.6, 7.2, 10.8, 14.4, 21.5]),
        row(Rotation, ["rotation", "rotation", "degrees"], [5.0, 10.0, 15.0, 20.0, 30.0]),
        row(
            Occlusion,
            ["occlusion", "occlusion", "of the side, %"],
            [20.0, 30.0, 40.0, 50.0, 60.0],
        ),
    ]
};

impl Corruption {
    /// Every change.
    pub fn all() -> impl Iterator<Item = Corruption> {
        ROWS.iter().map(|row| row.corruption)
    }

    /// The change of this name.
    pub fn named(name: &str) -> Option<Corruption> {
        ROWS.iter().find(|row| row.name == name).map(|row| row.corruption)
    }

    fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// Such as `background_fill`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What it belongs to, such as `background`.
    pub fn group(self) -> &'static str {
        self.row().group
    }

    /// What a severity (1 to 5) means, such as `15 degrees`.
    ///
    /// # Panics   for another severity
    pub fn level(self, severity: usize) -> String {
        format!("{} {}", self.row().levels[severity - 1], self.row().unit)
    }

    /// Changed copies of images `[n_images, shape.n_pixels()]`. Each draws from the stream of the
    /// seed, the change and its row, so that severities differ in nothing but the level.
    ///
    /// # Panics
    /// For a severity that is not 1 to 5, or rows of another width.
    /// # Cost
    /// 10,000 images of 28x28 on one core of a Zen 5 machine: 2 to 120 ms
    pub fn apply(
        self,
        images: ArrayView2<'_, u8>,
        shape: ImageShape,
        severity: usize,
        seed: u64,
    ) -> Array2<u8> {
        assert_eq!(images.ncols(), shape.n_pixels(), "rows of images of another shape");
        let level = self.row().levels[severity - 1];
        let stream = Rng::new(seed, &["corruption", self.name()]);
        let mut changed = images.as_standard_layout().into_owned();
        let pixels = changed.as_slice_mut().expect("the standard layout is contiguous");
        pixels.par_chunks_mut(shape.n_pixels().max(1)).enumerate().for_each_init(
            Buffers::default,
            |buffers, (row, image)| {
                self.change(image, shape, level, &mut stream.stream(row as u64), buffers);
            },
        );
        changed
    }

    fn change(
        self,
        image: &mut [u8],
        shape: ImageShape,
        level: f32,
        rng: &mut Rng,
        buffers: &mut Buffers,
    ) {
        let ImageShape { height, width, channels } = shape;
        let side = height.max(width) as f32;
        match self {
            Corruption::BackgroundFill => on_ground(image, shape, |_, _| level),
            Corruption::BackgroundGradient => {
                let angle = rng.uniform_f32(0.0, std::f32::consts::TAU);
                let (sin, cos) = angle.sin_cos();
                let place = |at: usize, n: usize| (at as f32 + 0.5) / n as f32 - 0.5;
                // From 0 to 1 over the image along the direction.
                let span = (sin.abs() + cos.abs()).max(f32::EPSILON);
                on_ground(image, shape, |y, x| {
                    level * ((place(y, height) * sin + place(x, width) * cos) / span + 0.5)
                });
            }
            Corruption::BackgroundTexture => {
                buffers.texture.clear();
                buffers
                    .texture
                    .extend((0..height * width).map(|_| if rng.below(2) == 0 { 0 } else { 255 }));
                let plane = ImageShape { height, width, channels: 1 };
                let texture = &mut buffers.texture;
                shades::blur(texture, plane, TEXTURE_GRAIN, &mut buffers.scratch.floats);
                on_ground(image, shape, |y, x| level * f32::from(texture[y * width + x]) / 255.0);
            }
            Corruption::Brightness => each(image, |value| value + 255.0 * level),
            Corruption::Contrast => shades::scale(image, level, 1.0),
            Corruption::Gamma => each(image, |value| 255.0 * (value / 255.0).powf(level)),
            Corruption::Noise => {
                image.iter_mut().for_each(|value| {
                    *value = byte(f32::from(*value) + 255.0 * level * rng.normal_f32());
                });
            }
            Corruption::Blur => {
                shades::blur(image, shape, level / 100.0 * side, &mut buffers.scratch.floats);
            }
            Corruption::Shift => {
                let n = (level / 100.0 * side).round() as isize;
                let mut direction = || if rng.below(2) == 0 { n } else { -n };
                let (down, right) = (direction(), direction());
                buffers.place(image, shape, Placement { down, right, ..Placement::default() });
            }
            Corruption::Rotation => {
                let degrees = if rng.below(2) == 0 { level } else { -level };
                buffers.place(image, shape, Placement { degrees, ..Placement::default() });
            }
            Corruption::Occlusion => {
                let n = |sides: usize| ((level / 100.0 * sides as f32).round() as usize).min(sides);
                let (n_rows, n_columns) = (n(height), n(width));
                let top = place_of(rng, height - n_rows);
                let left = place_of(rng, width - n_columns);
                for line in image.chunks_exact_mut(width * channels).skip(top).take(n_rows) {
                    line[left * channels..][..n_columns * channels].fill(OCCLUDER);
                }
            }
        }
    }
}

/// A position from 0 to `most` from one draw of fixed cost, so that all severities draw the same.
fn place_of(rng: &mut Rng, most: usize) -> usize {
    (rng.unit_f32() * (most + 1) as f32) as usize
}

/// What one thread changes images with.
#[derive(Default)]
struct Buffers {
    scratch: Scratch,
    copy: Vec<u8>,
    texture: Vec<u8>,
}

impl Buffers {
    fn place(&mut self, image: &mut [u8], shape: ImageShape, placement: Placement) {
        self.copy.resize(image.len(), 0);
        placement.place(image, shape, &mut self.copy, &mut self.scratch);
        image.copy_from_slice(&self.copy);
    }
}

fn each(image: &mut [u8], change: impl Fn(f32) -> f32) {
    let changed: [u8; 256] = std::array::from_fn(|value| byte(change(value as f32)));
    image.iter_mut().for_each(|value| *value = changed[usize::from(*value)]);
}

/// Moves the ground away from its own level by what `level` gives for a row and a column.
fn on_ground(image: &mut [u8], shape: ImageShape, level: impl Fn(usize, usize) -> f32) {
    let ImageShape { height, width, channels } = shape;
    let ground: Vec<u8> = (0..channels).map(|channel| border(image, shape, channel)).collect();
    let is_ground = |pixel: &[u8]| {
        let near = |(a, b): (&u8, &u8)| (i16::from(*a) - i16::from(*b)).abs() <= GROUND_TOLERANCE;
        pixel.iter().zip(&ground).all(near)
    };
    let lightness: u32 = ground.iter().map(|&value| u32::from(value)).sum();
    let sign = if lightness < 128 * channels as u32 { 1.0 } else { -1.0 };
    for (at, pixel) in image.chunks_exact_mut(channels).enumerate() {
        if is_ground(pixel) {
            let change = sign * level(at / width, at % width);
            pixel.iter_mut().for_each(|value| *value = byte(f32::from(*value) + change));
        }
    }
    debug_assert_eq!(image.len(), height * width * channels);
}

/// The middle one of a channel's values along the border.
fn border(image: &[u8], shape: ImageShape, channel: usize) -> u8 {
    let ImageShape { height, width, channels } = shape;
    let mut values: Vec<u8> = (0..height * width)
        .filter(|at| {
            let (y, x) = (at / width, at % width);
            y == 0 || x == 0 || y + 1 == height || x + 1 == width
        })
        .map(|at| image[at * channels + channel])
        .collect();
    let middle = values.len() / 2;
    *values.select_nth_unstable(middle).1
}

/// Rounded, clipped to bytes by the conversion.
fn byte(value: f32) -> u8 {
    value.round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: ImageShape = ImageShape { height: 8, width: 8, channels: 1 };

    /// A bright square on black.
    fn square(channels: usize) -> (Array2<u8>, ImageShape) {
        let shape = ImageShape { channels, ..SHAPE };
        let value = |at: usize| {
            let (y, x) = (at / channels / 8, at / channels % 8);
            if (2..6).contains(&y) && (2..6).contains(&x) { 200 } else { 0 }
        };
        let one: Vec<u8> = (0..shape.n_pixels()).map(value).collect();
        let pixels = [one.clone(), one].concat();
        (Array2::from_shape_vec((2, shape.n_pixels()), pixels).unwrap(), shape)
    }

    #[test]
    fn the_table_is_in_the_order_of_the_changes() {
        for corruption in Corruption::all() {
            assert_eq!(Corruption::named(corruption.name()), Some(corruption));
            assert_eq!(corruption.row().corruption, corruption);
        }
        assert_eq!(Corruption::Rotation.level(3), "15 degrees");
    }

    #[test]
    fn every_change_moves_an_image_further_the_more_severe_it_is() {
        for channels in [1, 3] {
            let (images, shape) = square(channels);
            for corruption in Corruption::all() {
                let distance = |severity: usize| -> f64 {
                    let changed = corruption.apply(images.view(), shape, severity, 7);
                    let pairs = images.iter().zip(&changed);
                    pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
                };
                let (least, most) = (distance(1), distance(N_SEVERITIES));
                assert!(most > 0.0 && most >= least, "{corruption:?}: {least} to {most}");
            }
        }
    }

    #[test]
    fn a_background_changes_and_what_stands_on_it_stays() {
        let (images, shape) = square(1);
        for corruption in [
            Corruption::BackgroundFill,
            Corruption::BackgroundGradient,
            Corruption::BackgroundTexture,
        ] {
            let changed = corruption.apply(images.view(), shape, 3, 7);
            let kept = images.iter().zip(&changed).filter(|(old, _)| **old == 200);
            assert!(kept.clone().all(|(old, new)| old == new), "{corruption:?}");
            assert_eq!(kept.count(), 32);
        }
        let filled = Corruption::BackgroundFill.apply(images.view(), shape, 3, 7);
        assert_eq!((filled[[0, 0]], filled[[0, 27]]), (64, 200));
    }

    #[test]
    fn rows_draw_for_themselves_and_threads_change_nothing() {
        let (images, shape) = square(1);
        for corruption in Corruption::all() {
            let with = |n_threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
                pool.install(|| corruption.apply(images.view(), shape, 4, 7))
            };
            let one = with(1);
            assert_eq!(one, with(3), "{corruption:?}");
            let alone = corruption.apply(images.slice(ndarray::s![..1, ..]), shape, 4, 7);
            assert_eq!(one.row(0), alone.row(0), "{corruption:?}");
        }
        let noise = Corruption::Noise.apply(images.view(), shape, 4, 7);
        assert_ne!(noise.row(0), noise.row(1));
    }

    #[test]
    fn the_light_changes_as_it_says() {
        let (images, shape) = square(1);
        let middle = |corruption: Corruption, severity| {
            corruption.apply(images.view(), shape, severity, 7)[[0, 27]]
        };
        assert_eq!(middle(Corruption::Brightness, 1), 226);
        assert_eq!(middle(Corruption::Brightness, 5), 255);
        // 255 * (200 / 255)^2
        assert_eq!(middle(Corruption::Gamma, 3), 157);
        // The mean is 50: 50 + 0.5 * 150.
        assert_eq!(middle(Corruption::Contrast, 2), 125);
    }
}
