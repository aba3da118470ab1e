use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array1, Array2};
use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::data::Rng;
use crate::progress::Silent;

#[derive(Deserialize)]
struct Case {
    height: usize,
    width: usize,
    channels: usize,
    cell: usize,
    block: usize,
    norm: String,
    orientations: usize,
    pixels: Vec<u8>,
    features: Vec<f32>,
}

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

fn hog(cells: &[usize]) -> Hog {
    Hog {
        cells: cells.to_vec(),
        orientations: 9,
        block: 2,
        norm: BlockNorm::L2Hys,
        signed: false,
        interpolation: Interpolation::Trilinear,
    }
}

fn noise(n_images: usize, shape: ImageShape, seed: u64) -> Array2<u8> {
    let mut rng = Rng::new(seed, &["hog-test"]);
    Array2::from_shape_fn((n_images, shape.n_pixels()), |_| rng.below(256) as u8)
}

fn one(hog: &Hog, image: &[u8], shape: ImageShape) -> Array1<f32> {
    let image = Array2::from_shape_vec((1, image.len()), image.to_vec()).unwrap();
    hog.features(image.view(), shape, &Silent).unwrap().row(0).to_owned()
}

#[track_caller]
fn assert_near(found: &[f32], expected: &[f32], tolerance: f32, case: &str) {
    assert_eq!(found.len(), expected.len(), "{case}");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let distance = (found - expected).abs();
        assert!(distance <= tolerance, "{case}, feature {at}: {found} instead of {expected}");
    }
}

/// The definition, term by term in `f64`: every cell asks every pixel for its share.
fn naive(hog: &Hog, image: &[u8], shape: ImageShape) -> Vec<f32> {
    let ImageShape { height, width, channels } = shape;
    let at = |row: usize, column: usize, channel: usize| {
        f64::from(image[(row * width + column) * channels + channel]) / 255.0
    };
    let gradient = |row: usize, column: usize| {
        let of = |channel| {
            let inside = |at: usize, end: usize| at > 0 && at + 1 < end;
            let dy = if inside(row, height) {
                at(row + 1, column, channel) - at(row - 1, column, channel)
            } else {
                0.0
            };
            let dx = if inside(column, width) {
                at(row, column + 1, channel) - at(row, column - 1, channel)
            } else {
                0.0
            };
            (dx, dy)
        };
        let length = |(dx, dy): (f64, f64)| dx.hypot(dy);
        (1..channels).map(of).fold(of(0), |longest, next| {
            if length(next) > length(longest) + 1e-9 { next } else { longest }
        })
    };
    let turn = if hog.signed { 360.0 } else { 180.0 };
    let bin_width = turn / hog.orientations as f64;
    // The share of a vote at `distance` from the middle of a bin or cell of size 1.
    let share = |distance: f64| match hog.interpolation {
        Interpolation::Trilinear => (1.0 - distance.abs()).max(0.0),
        // Angles of 45 degrees can lie between two bins: rounding must not decide.
        Interpolation::None => f64::from((-0.5 - 1e-9..0.5 - 1e-9).contains(&distance)),
    };
    let mut features = Vec::new();
    for &cell in &hog.cells {
        let side = cell as f64;
        let histogram = |row: usize, column: usize, bin: usize| {
            let mut sum = 0.0;
            for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                let (dx, dy) = gradient(y, x);
                let angle = dy.atan2(dx).to_degrees().rem_euclid(turn) / bin_width;
                let around = [-1.0, 0.0, 1.0]
                    .map(|turns| share(angle - bin as f64 - 0.5 + turns * hog.orientations as f64));
                let across = share((x as f64 + 0.5) / side - column as f64 - 0.5);
                let down = share((y as f64 + 0.5) / side - row as f64 - 0.5);
                sum += dx.hypot(dy) * around.iter().sum::<f64>() * across * down;
            }
            sum / (side * side)
        };
        let (n_rows, n_columns) = (height / cell, width / cell);
        for top in 0..=n_rows - hog.block {
            for left in 0..=n_columns - hog.block {
                let mut block = Vec::new();
                for row in top..top + hog.block {
                    for column in left..left + hog.block {
                        block.extend((0..hog.orientations).map(|bin| histogram(row, column, bin)));
                    }
                }
                let l2 = |block: Vec<f64>| {
                    let length = block.iter().map(|v| v * v).sum::<f64>() + 1e-10;
                    block.into_iter().map(move |v| v / length.sqrt()).collect::<Vec<_>>()
                };
                let block = match hog.norm {
                    BlockNorm::L1 => {
                        let sum = block.iter().sum::<f64>() + 1e-5;
                        block.into_iter().map(|v| v / sum).collect()
                    }
                    BlockNorm::L2 => l2(block),
                    BlockNorm::L2Hys => l2(l2(block).into_iter().map(|v| v.min(0.2)).collect()),
                };
                features.extend(block.into_iter().map(|v| v as f32));
            }
        }
    }
    features
}

// The fixture is made by tests/reference/hog.py (version and seed inside).
#[test]
fn features_are_those_of_scikit_image() {
    let text = include_str!("../../../tests/reference/hog.json");
    let fixture: Fixture = serde_json::from_str(text).unwrap();
    for case in fixture.cases {
        let Case { height, width, channels, .. } = case;
        let shape = ImageShape { height, width, channels };
        let hog = Hog {
            orientations: case.orientations,
            block: case.block,
            norm: match case.norm.as_str() {
                "L1" => BlockNorm::L1,
                "L2" => BlockNorm::L2,
                _ => BlockNorm::L2Hys,
            },
            interpolation: Interpolation::None,
            ..hog(&[case.cell])
        };
        let found = one(&hog, &case.pixels, shape);
        let name = format!("{height}x{width}x{channels}, cells of {}", case.cell);
        assert_near(found.as_slice().unwrap(), &case.features, 2e-6, &name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn features_follow_the_definition(
        (height, width, channels) in (6usize..16, 6usize..16, prop::sample::select(vec![1usize, 3])),
        (cell, block, orientations) in (2usize..4, 1usize..3, 1usize..11),
        (signed, trilinear, norm) in (any::<bool>(), any::<bool>(), 0usize..3),
        seed in any::<u64>(),
    ) {
        let shape = ImageShape { height, width, channels };
        let hog = Hog {
            cells: vec![cell, 2],
            orientations,
            block,
            norm: [BlockNorm::L1, BlockNorm::L2, BlockNorm::L2Hys][norm],
            signed,
            interpolation: [Interpolation::None, Interpolation::Trilinear][usize::from(trilinear)],
        };
        let image = noise(1, shape, seed).into_raw_vec_and_offset().0;
        let found = one(&hog, &image, shape);
        prop_assert_eq!(found.len(), hog.n_features(shape).unwrap());
        assert_near(found.as_slice().unwrap(), &naive(&hog, &image, shape), 1e-5, &format!("{hog:?}"));
    }
}

#[test]
fn an_inverted_image_differs_only_for_signed_gradients() {
    let shape = ImageShape { height: 12, width: 12, channels: 1 };
    let image = noise(1, shape, 3).into_raw_vec_and_offset().0;
    let inverted: Vec<u8> = image.iter().map(|&pixel| 255 - pixel).collect();
    let unsigned = hog(&[4]);
    let (a, b) = (one(&unsigned, &image, shape), one(&unsigned, &inverted, shape));
    assert_near(a.as_slice().unwrap(), b.as_slice().unwrap(), 1e-6, "unsigned");
    let signed = Hog { signed: true, ..unsigned };
    let (a, b) = (one(&signed, &image, shape), one(&signed, &inverted, shape));
    assert!(
        a.iter().zip(&b).any(|(a, b)| (a - b).abs() > 0.05),
        "signed gradients lost their sign"
    );
}

#[test]
fn a_flat_image_has_no_features() {
    let shape = ImageShape { height: 28, width: 28, channels: 3 };
    let found = one(&hog(&[4, 7]), &vec![200; shape.n_pixels()], shape);
    assert_eq!(found.len(), 36 * 36 + 9 * 36);
    assert!(found.iter().all(|&value| value == 0.0));
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let shape = ImageShape { height: 28, width: 28, channels: 1 };
    let images = noise(3 * N_IMAGES_PER_CHUNK + 7, shape, 5);
    let with = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| hog(&[4, 7]).features(images.view(), shape, &Silent).unwrap())
    };
    let one_thread = with(1);
    assert_eq!(one_thread, with(2));
    assert_eq!(one_thread, with(3));
    let alone = one(&hog(&[4, 7]), images.row(70).as_slice().unwrap(), shape);
    assert_eq!(one_thread.row(70), alone);
}

#[test]
fn a_block_that_does_not_fit_is_refused_with_both_sizes() {
    let shape = ImageShape { height: 28, width: 20, channels: 1 };
    let error = hog(&[4, 11]).n_features(shape).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cells of 11 pixels in blocks of 2 cells need images of at least 22 x 22 pixels, found 28 x 20"
    );
    assert_eq!(error.hint().as_deref(), Some("take smaller cells or blocks"));
    assert!(hog(&[10]).n_features(shape).is_ok());
}

/// Asks to stop at the third question.
struct Impatient(AtomicUsize);

impl Progress for Impatient {
    fn update(&self, _: u64, _: u64, _: &str) {}

    fn interrupted(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) >= 2
    }

    fn warn(&self, _: &str) {}
}

#[test]
fn an_interruption_ends_the_work() {
    let shape = ImageShape { height: 28, width: 28, channels: 1 };
    let images = noise(5 * N_IMAGES_PER_CHUNK, shape, 6);
    let found = hog(&[4]).features(images.view(), shape, &Impatient(AtomicUsize::new(0)));
    assert!(matches!(found, Err(DataError::Interrupted)), "{found:?}");
}
