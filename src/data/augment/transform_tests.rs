use proptest::prelude::*;

use super::tests::{COLOUR, GRAY, noise};
use super::*;
use crate::data::{ImageShape, Rng};

const OFF: Transforms = Transforms {
    crop: 0,
    flip: 0.0,
    rotate: 0.0,
    shift: 0,
    zoom: 0.0,
    brightness: 0.0,
    contrast: 0.0,
    erase: 0.0,
    blur: 0.0,
};

const ALL: Transforms = Transforms {
    crop: 2,
    flip: 0.5,
    rotate: 20.0,
    shift: 1,
    zoom: 0.2,
    brightness: 0.3,
    contrast: 0.3,
    erase: 0.5,
    blur: 1.5,
};

fn applied(transforms: Transforms, image: &[u8], shape: ImageShape, nth: u64) -> Vec<u8> {
    let mut copy = vec![99; image.len()];
    let mut rng = Rng::new(5, &["transform-test"]).stream(nth);
    transforms.apply(image, shape, &mut rng, &mut copy, &mut Scratch::default());
    copy
}

/// The piece of a padded image at `[top, left]`, by definition.
fn cropped(image: &[u8], shape: ImageShape, pad: usize, [top, left]: [usize; 2]) -> Vec<u8> {
    let ImageShape { height, width, channels } = shape;
    let value = |row: usize, column: usize, channel: usize| {
        let (row, column) = (row.checked_sub(pad)?, column.checked_sub(pad)?);
        let is_inside = row < height && column < width;
        is_inside.then(|| image[(row * width + column) * channels + channel])
    };
    (0..image.len())
        .map(|at| {
            let (row, column) = (at / channels / width, at / channels % width);
            value(row + top, column + left, at % channels).unwrap_or(0)
        })
        .collect()
}

proptest! {
    #[test]
    fn off_changes_nothing_and_draws_nothing(colour in any::<bool>(), seed in any::<u64>()) {
        let shape = if colour { COLOUR } else { GRAY };
        let image = noise(shape, seed);
        let (mut rng, mut copy) = (Rng::new(seed, &[]), vec![99; image.len()]);
        OFF.apply(&image, shape, &mut rng, &mut copy, &mut Scratch::default());
        prop_assert_eq!(copy, image);
        prop_assert_eq!(rng.next_u64(), Rng::new(seed, &[]).next_u64());
    }

    #[test]
    fn a_crop_is_a_piece_of_the_padded_image(colour in any::<bool>(), nth in any::<u64>()) {
        let shape = if colour { COLOUR } else { GRAY };
        let image = noise(shape, nth);
        let found = applied(Transforms { crop: 3, ..OFF }, &image, shape, nth);
        let mut places = (0..7).flat_map(|top| (0..7).map(move |left| [top, left]));
        prop_assert!(places.any(|place| cropped(&image, shape, 3, place) == found));
    }

    #[test]
    fn what_is_erased_is_one_rectangle_of_zeros(colour in any::<bool>(), nth in any::<u64>()) {
        let shape = if colour { COLOUR } else { GRAY };
        let ImageShape { width, channels, .. } = shape;
        // `noise` has no zeros.
        let image = noise(shape, nth);
        let found = applied(Transforms { erase: 1.0, ..OFF }, &image, shape, nth);
        let erased: Vec<usize> = (0..image.len()).filter(|&at| found[at] == 0).collect();
        let rows = || erased.iter().map(|at| at / channels / width);
        let columns = || erased.iter().map(|at| at / channels % width);
        let span = |lo: Option<usize>, hi: Option<usize>| hi.map_or(0, |hi| hi - lo.unwrap() + 1);
        let n_rows = span(rows().min(), rows().max());
        let n_columns = span(columns().min(), columns().max());
        prop_assert_eq!(erased.len(), n_rows * n_columns * channels);
        prop_assert!((0..image.len()).all(|at| found[at] == 0 || found[at] == image[at]));
        // Sides are rounded: half a pixel more on each.
        let most = (63.0f64 * 0.33).sqrt();
        prop_assert!((n_rows * n_columns) as f64 <= 63.0 * 0.33 + most * 1.9 + 0.25);
    }

    #[test]
    fn brightness_multiplies_within_its_bounds(nth in any::<u64>()) {
        let image = noise(GRAY, nth);
        let found = applied(Transforms { brightness: 0.4, ..OFF }, &image, GRAY, nth);
        for (&found, &value) in found.iter().zip(&image) {
            let value = f32::from(value);
            let bounds = (0.6 * value - 0.51)..=(1.4 * value + 0.51);
            prop_assert!(found == 255 || bounds.contains(&f32::from(found)));
        }
    }

    #[test]
    fn contrast_keeps_the_mean_of_an_image_that_is_not_clipped(nth in any::<u64>()) {
        let image: Vec<u8> = noise(GRAY, nth).iter().map(|value| 64 + value / 2).collect();
        let found = applied(Transforms { contrast: 0.4, ..OFF }, &image, GRAY, nth);
        let mean = |image: &[u8]| image.iter().map(|&v| f64::from(v)).sum::<f64>() / 63.0;
        prop_assert!((mean(&found) - mean(&image)).abs() <= 0.51);
    }

    #[test]
    fn a_blur_leaves_a_flat_image_and_the_bounds(colour in any::<bool>(), nth in any::<u64>()) {
        let shape = if colour { COLOUR } else { GRAY };
        let blur = Transforms { blur: 2.0, ..OFF };
        let flat = vec![200; shape.n_pixels()];
        prop_assert_eq!(applied(blur, &flat, shape, nth), flat);
        let image = noise(shape, nth);
        let found = applied(blur, &image, shape, nth);
        prop_assert!(found.iter().min() >= image.iter().min());
        prop_assert!(found.iter().max() <= image.iter().max());
    }

    #[test]
    fn all_together_work_on_images_of_any_size(
        (height, width) in (4usize..12, 4usize..12),
        colour in any::<bool>(),
        nth in any::<u64>(),
    ) {
        let shape = ImageShape { height, width, channels: if colour { 3 } else { 1 } };
        let image = noise(shape, nth);
        prop_assert!(ALL.check(shape).is_ok());
        let found = applied(ALL, &image, shape, nth);
        prop_assert_eq!(found, applied(ALL, &image, shape, nth));
    }
}

// The numbers are those of scipy.ndimage.gaussian_filter(mode="nearest", truncate=3.0) of
// SciPy 1.17 with sigma 1, rounded.
#[test]
fn blur_matches_scipy() {
    let shape = ImageShape { height: 4, width: 5, channels: 1 };
    let mut image: Vec<u8> = (0..20u32).map(|at| (at * 83 % 251) as u8).collect();
    shades::blur(&mut image, shape, 1.0, &mut Vec::new());
    let expected = [
        71, 113, 153, 168, 149, 118, 142, 157, 163, 165, 146, 154, 160, 157, 151, 172, 153, 159,
        157, 128,
    ];
    assert_eq!(image, expected);
}

#[test]
fn every_place_of_a_crop_is_drawn_equally_often() {
    let image = noise(GRAY, 3);
    let crop = Transforms { crop: 1, ..OFF };
    let mut counts = std::collections::HashMap::new();
    for nth in 0..1800 {
        *counts.entry(applied(crop, &image, GRAY, nth)).or_insert(0u32) += 1;
    }
    // 200 each, standard deviation 13.3; the seed is fixed.
    assert_eq!(counts.len(), 9);
    assert!(counts.values().all(|count| (140..260).contains(count)), "{counts:?}");
}

#[test]
fn what_happens_with_a_probability_happens_as_often() {
    let image = noise(GRAY, 3);
    let mirrored = applied(Transforms { flip: 1.0, ..OFF }, &image, GRAY, 0);
    let half = Transforms { flip: 0.25, ..OFF };
    let n = (0..2000).filter(|&nth| applied(half, &image, GRAY, nth) == mirrored).count();
    // 500, standard deviation 19.4; the seed is fixed.
    assert!((400..600).contains(&n), "{n}");
}

#[test]
fn zoom_enlarges_about_the_middle() {
    let shape = ImageShape { height: 5, width: 5, channels: 1 };
    let mut image = vec![0; 25];
    image[12] = 200;
    let mut copy = vec![99; 25];
    let place = |zoom, copy: &mut [u8]| {
        let placement = Placement { zoom, ..Placement::default() };
        placement.place(&image, shape, copy, &mut Scratch::default());
    };
    place(1.0, &mut copy);
    // Twice as large: a neighbour lies half a pixel from the middle of the original.
    let expected =
        [0, 0, 0, 0, 0, 0, 50, 100, 50, 0, 0, 100, 200, 100, 0, 0, 50, 100, 50, 0, 0, 0, 0, 0, 0];
    assert_eq!(copy, expected);
    place(-0.5, &mut copy);
    assert_eq!(copy.iter().position(|&value| value > 0), Some(12));
    assert_eq!(copy.iter().filter(|&&value| value > 0).count(), 1);
}

#[test]
fn values_outside_their_ranges_are_refused() {
    let refused = |transforms: Transforms| transforms.check(GRAY).unwrap_err().to_string();
    assert_eq!(
        refused(Transforms { flip: 1.5, ..OFF }),
        "`flip` of the changes to training images is 1.5, must be from 0 to 1"
    );
    assert!(refused(Transforms { zoom: f64::NAN, ..OFF }).contains("`zoom`"));
    assert_eq!(
        refused(Transforms { crop: 4, shift: 3, ..OFF }),
        "a shift of 7 pixels leaves nothing of images of 7 x 9 pixels"
    );
}
