use std::collections::HashSet;

use ndarray::s;
use proptest::prelude::*;

use super::*;
use crate::data::{ImageShape, Rng, garments};
use crate::progress::Silent;

pub(super) const GRAY: ImageShape = ImageShape { height: 7, width: 9, channels: 1 };
pub(super) const COLOUR: ImageShape = ImageShape { height: 7, width: 9, channels: 3 };

pub(super) fn noise(shape: ImageShape, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed, &["augment-test"]);
    (0..shape.n_pixels()).map(|_| 1 + rng.below(255) as u8).collect()
}

fn placed(placement: Placement, image: &[u8], shape: ImageShape) -> Vec<u8> {
    let mut copy = vec![99; image.len()];
    placement.place(image, shape, &mut copy, &mut Scratch::default());
    copy
}

fn small() -> Dataset {
    let mut data = garments::generate(40, 10, 3);
    data.validation_idx = vec![0, 7, 39];
    data
}

const SHIFTS: Augment = Augment { copies: 4, flip: true, shift: 1, rotate: 0.0 };

proptest! {
    #[test]
    fn a_shift_and_its_inverse_restore_what_stayed_inside(
        (down, right) in (-8isize..9, -10isize..11),
        colour in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let shape = if colour { COLOUR } else { GRAY };
        let image = noise(shape, seed);
        let there = Placement { down, right, ..Placement::default() };
        let back = Placement { down: -down, right: -right, ..Placement::default() };
        let restored = placed(back, &placed(there, &image, shape), shape);
        for (at, (&found, &original)) in restored.iter().zip(&image).enumerate() {
            let row = (at / shape.channels / shape.width) as isize + down;
            let column = (at / shape.channels % shape.width) as isize + right;
            let inside = (0..7).contains(&row) && (0..9).contains(&column);
            prop_assert_eq!(found, if inside { original } else { 0 });
        }
    }

    #[test]
    fn a_flip_twice_changes_nothing(colour in any::<bool>(), seed in any::<u64>()) {
        let shape = if colour { COLOUR } else { GRAY };
        let image = noise(shape, seed);
        let flip = Placement { flip: true, ..Placement::default() };
        let flipped = placed(flip, &image, shape);
        prop_assert_ne!(&flipped, &image);
        prop_assert_eq!(placed(flip, &flipped, shape), image);
    }

    #[test]
    fn quarter_turns_of_a_square_are_exact(turns in -3i32..4, seed in any::<u64>()) {
        let shape = ImageShape { height: 8, width: 8, channels: 3 };
        let image = noise(shape, seed);
        let turned = placed(
            Placement { degrees: 90.0 * turns as f32, ..Placement::default() }, &image, shape,
        );
        for (row, column) in (0..8).flat_map(|row| (0..8).map(move |column| (row, column))) {
            // Clockwise: the pixel at the left end of a row comes to the top of a column.
            let (mut to_row, mut to_column) = (row, column);
            for _ in 0..turns.rem_euclid(4) {
                (to_row, to_column) = (to_column, 7 - to_row);
            }
            let pixel = |image: &[u8], row: usize, column: usize| {
                image[(row * 8 + column) * 3..][..3].to_vec()
            };
            prop_assert_eq!(pixel(&turned, to_row, to_column), pixel(&image, row, column));
        }
    }
}

#[test]
fn a_shift_moves_down_and_right_and_uncovers_zeros() {
    let shape = ImageShape { height: 2, width: 3, channels: 1 };
    let moved =
        placed(Placement { down: 1, right: 1, ..Placement::default() }, &[1, 2, 3, 4, 5, 6], shape);
    assert_eq!(moved, [0, 0, 0, 0, 1, 2]);
}

#[test]
fn a_turned_pixel_is_shared_among_its_four_neighbours() {
    let shape = ImageShape { height: 3, width: 3, channels: 1 };
    let image = [0, 0, 0, 0, 100, 0, 0, 0, 0];
    let turned = placed(Placement { degrees: 45.0, ..Placement::default() }, &image, shape);
    // A corner is sqrt 2 from the middle and looks beyond the edge; a side looks at (0.71, 0.71).
    let side = (100.0 * (1.0 - 0.5f32.sqrt()).powi(2)).round() as u8;
    assert_eq!(turned, [0, side, 0, side, 100, side, 0, side, 0]);
}

#[test]
fn copies_follow_the_originals_with_their_labels() {
    let data = small();
    let augmented = SHIFTS.apply(&data, 1, &Silent).unwrap();
    assert_eq!(augmented.train.len(), 40 + 37 * 4);
    assert_eq!(augmented.train.pixels.slice(s![..40, ..]), data.train.pixels);
    assert_eq!(augmented.test, data.test);
    for (nth, row) in data.fit_idx().into_iter().enumerate() {
        let copies = 40 + 4 * nth..40 + 4 * (nth + 1);
        assert!(
            augmented.train.labels.slice(s![copies]).iter().all(|&l| l == data.train.labels[row])
        );
    }
    assert_eq!(augmented.train.labels.slice(s![..40]), data.train.labels);
}

#[test]
fn held_out_rows_keep_their_places_and_have_no_copies() {
    let data = small();
    let augmented = SHIFTS.apply(&data, 1, &Silent).unwrap();
    assert_eq!(augmented.validation_idx, data.validation_idx);
    let copies: HashSet<Vec<u8>> =
        augmented.train.pixels.slice(s![40.., ..]).outer_iter().map(|copy| copy.to_vec()).collect();
    for &held_out in &data.validation_idx {
        let image = data.train.pixels.row(held_out).to_vec();
        for placement in SHIFTS.placements().concat() {
            let placed = placed(placement, &image, data.train.shape);
            assert!(!copies.contains(&placed), "row {held_out} was copied");
        }
    }
}

#[test]
fn copies_of_an_image_are_all_its_placements_once() {
    let every = Augment { copies: 17, ..SHIFTS };
    let image = noise(GRAY, 4);
    for seed in 0..5 {
        let drawn = every.draw(&every.placements(), &mut Rng::new(seed, &[]));
        let copies: HashSet<Vec<u8>> =
            drawn.iter().map(|&placement| placed(placement, &image, GRAY)).collect();
        assert_eq!(copies.len(), 17, "two copies are alike");
        assert!(!copies.contains(&image), "a copy is the image itself");
    }
}

#[test]
fn the_fewest_steps_come_first_and_equals_are_drawn_equally_often() {
    let by_steps = SHIFTS.placements();
    assert_eq!(by_steps.iter().map(Vec::len).collect::<Vec<_>>(), [5, 8, 4]);
    let n_steps = |placement: &Placement| {
        placement.down.abs() + placement.right.abs() + isize::from(placement.flip)
    };
    let seven = Augment { copies: 7, ..SHIFTS };
    let mut counts = std::collections::HashMap::new();
    for row in 0..1600 {
        let drawn = seven.draw(&by_steps, &mut Rng::new(8, &[&row.to_string()]));
        assert_eq!(drawn.iter().filter(|placement| n_steps(placement) == 1).count(), 5);
        for far in drawn.iter().filter(|placement| n_steps(placement) == 2) {
            *counts.entry((far.flip, far.down, far.right)).or_insert(0u32) += 1;
        }
    }
    // 1600 * 2 / 8 = 400 each, standard deviation 17; the seed is fixed.
    assert_eq!(counts.len(), 8);
    assert!(counts.values().all(|count| (330..470).contains(count)), "{counts:?}");
}

#[test]
fn angles_stay_within_the_limit_and_differ() {
    let turned = Augment { copies: 50, flip: false, shift: 0, rotate: 10.0 };
    let degrees: Vec<f32> =
        turned.draw(&[], &mut Rng::new(2, &[])).iter().map(|placement| placement.degrees).collect();
    assert!(degrees.iter().all(|degrees| degrees.abs() <= 10.0));
    assert!(degrees.iter().any(|&degrees| degrees < -5.0));
    assert!(degrees.iter().any(|&degrees| degrees > 5.0));
}

#[test]
fn the_seed_decides_the_copies_and_the_number_of_threads_does_not() {
    let data = small();
    let turned = Augment { rotate: 8.0, ..SHIFTS };
    for augment in [SHIFTS, turned] {
        let with = |n_threads, seed| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            pool.install(|| augment.apply(&data, seed, &Silent).unwrap())
        };
        let one_thread = with(1, 5);
        assert_eq!(one_thread, with(2, 5));
        assert_eq!(one_thread, with(3, 5));
        assert_ne!(one_thread.train.pixels, with(1, 6).train.pixels);
    }
}

#[test]
fn more_copies_than_placements_and_a_shift_beyond_the_image_are_refused() {
    let data = small();
    let error = Augment { copies: 18, ..SHIFTS }.apply(&data, 1, &Silent).unwrap_err();
    assert_eq!(
        error.to_string(),
        "18 copies of an image are wanted, but flip and shift make 17 different ones"
    );
    assert!(error.hint().unwrap().contains("`rotate`"));
    let error = Augment { shift: 28, ..SHIFTS }.apply(&data, 1, &Silent).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a shift of 28 pixels leaves nothing of images of 28 x 28 pixels"
    );
}
