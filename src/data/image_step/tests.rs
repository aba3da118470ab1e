use super::*;
use crate::data::garments;
use crate::progress::Silent;

const WIDE: ImageShape = ImageShape { height: 4, width: 6, channels: 3 };

/// Every value another one.
fn image(shape: ImageShape) -> Decoded {
    Decoded { shape, pixels: (0..shape.n_pixels()).map(|at| (at * 7 % 256) as u8).collect() }
}

/// A bright block on a dark ground.
fn block(side: usize, top: usize, left: usize, height: usize, width: usize) -> Decoded {
    let shape = ImageShape { height: side, width: side, channels: 1 };
    let mut pixels = vec![10; side * side];
    for row in top..top + height {
        pixels[row * side + left..][..width].fill(200);
    }
    Decoded { shape, pixels }
}

#[test]
fn every_step_makes_the_shape_that_it_foretells() {
    let fit = ImageShape { height: 3, width: 9, channels: 1 };
    let steps = [
        ImageStep::Fit(fit),
        ImageStep::Resize { height: 8, width: 2 },
        ImageStep::Gray,
        ImageStep::Invert,
        ImageStep::Centre { height: 5, width: 7 },
    ];
    for step in steps {
        for channels in [1, 3] {
            let shape = ImageShape { channels, ..WIDE };
            let made = step.apply(image(shape));
            assert_eq!(made.shape, step.shape_of(shape), "{step:?}");
            assert_eq!(made.pixels.len(), made.shape.n_pixels(), "{step:?}");
        }
    }
}

#[test]
fn gray_of_equal_channels_is_their_value() {
    let gray = image(ImageShape { channels: 1, ..WIDE });
    let colour = with_channels(gray.clone(), 3);
    assert_eq!(colour.pixels[..6], [0, 0, 0, 7, 7, 7]);
    assert_eq!(ImageStep::Gray.apply(colour), gray);
}

#[test]
fn a_flat_image_stays_flat_at_any_size() {
    let flat = Decoded { shape: WIDE, pixels: vec![77; WIDE.n_pixels()] };
    for step in
        [ImageStep::Resize { height: 11, width: 3 }, ImageStep::Centre { height: 5, width: 5 }]
    {
        let made = step.apply(flat.clone());
        assert!(made.pixels.iter().all(|&value| value == 77), "{step:?}");
    }
}

#[test]
fn a_halved_image_is_the_mean_of_what_it_covers() {
    // Columns in pairs of one value: halving gives the pairs back, blended at their edges only.
    let shape = ImageShape { height: 2, width: 12, channels: 1 };
    let row: Vec<u8> = (0..12).map(|column| if column < 6 { 20 } else { 220 }).collect();
    let image = Decoded { shape, pixels: [row.clone(), row].concat() };
    let made = ImageStep::Resize { height: 1, width: 6 }.apply(image).pixels;
    assert_eq!([made[0], made[1], made[4], made[5]], [20, 20, 220, 220]);
    assert_eq!(u32::from(made[2]) + u32::from(made[3]), 240, "{made:?}");
}

#[test]
fn centring_scales_to_the_inner_box_and_balances() {
    for (height, width) in [(40, 10), (3, 3), (10, 40)] {
        let made = ImageStep::Centre { height: 28, width: 28 }
            .apply(block(60, 2, 15, height, width))
            .pixels;
        let bright = |line: &[u8]| line.iter().any(|&value| value > 100);
        let rows: Vec<bool> = made.chunks_exact(28).map(bright).collect();
        let column = |at: usize| (0..28).map(|row| made[row * 28 + at]).collect::<Vec<_>>();
        let columns: Vec<bool> = (0..28).map(|at| bright(&column(at))).collect();
        let extent = |lines: &[bool]| {
            let first = lines.iter().position(|&on| on).unwrap();
            let last = lines.iter().rposition(|&on| on).unwrap();
            (first, last, last + 1 - first)
        };
        let (row, column) = (extent(&rows), extent(&columns));
        assert_eq!(row.2.max(column.2), 20, "{height} x {width}");
        for (first, last, _) in [row, column] {
            assert!(first.abs_diff(27 - last) <= 1, "{height} x {width}: {first} to {last}");
        }
    }
}

#[test]
fn new_images_become_the_rows_that_the_data_set_has() {
    let data = garments::generate(12, 4, 3);
    let steps = [
        ImageStep::Invert,
        ImageStep::Centre { height: 20, width: 24 },
        ImageStep::Resize { height: 10, width: 10 },
    ];
    let prepared =
        steps.iter().fold(data.clone(), |data, &step| data.prepared(step, &Silent).unwrap());
    let input = prepared.input();
    assert_eq!(input.shape, ImageShape { height: 10, width: 10, channels: 1 });
    for row in 0..data.train.len() {
        let image =
            Decoded { shape: data.train.shape, pixels: data.train.pixels.row(row).to_vec() };
        assert_eq!(input.row(&image), prepared.train.pixels.row(row).to_vec());
        // The same in colour.
        assert_eq!(input.row(&with_channels(image, 3)), prepared.train.pixels.row(row).to_vec());
    }
    assert_eq!(prepared.train.labels, data.train.labels);
}

#[test]
fn an_image_of_another_size_is_brought_to_that_of_the_first_step() {
    let data = garments::generate(2, 1, 3).prepared(ImageStep::Invert, &Silent).unwrap();
    assert_eq!(data.input().row(&image(WIDE)).len(), 28 * 28);
    let fit = ImageStep::Fit(ImageShape { height: 28, width: 28, channels: 1 });
    assert_eq!(
        data.input().row(&image(WIDE)),
        ImageStep::Invert.apply(fit.apply(image(WIDE))).pixels
    );
}
