//! Which training rows are held out, for validation or as a test set of their own.

use super::{DataError, Dataset, ImageSet, Labels, Rng};
use ndarray::Axis;

/// Rows to hold out, ascending: `round(share * n)` of them.
///
/// Stratified means that every class gives its share, rounded by largest remainder (ties to the
/// lower class); plain means that rows are drawn without a look at the labels. Labels must be
/// below `n_classes`. The same seed gives the same rows.
///
/// # Panics   if a label is not below `n_classes`
pub fn validation_split(
    labels: &Labels,
    n_classes: usize,
    share: f64,
    stratified: bool,
    seed: u64,
) -> Result<Vec<usize>, DataError> {
    hold_out("validation-split", labels, n_classes, share, stratified, seed)
}

/// The data set whose test images are a share of the training images of `data`, drawn as
/// [`validation_split`] draws (from a stream of its own); the test images of `data` are gone. Rows
/// stay in order, and rows held out for validation stay so where they are not test images now.
///
/// # Errors   a share out of range, or one that leaves nothing to train on or to test with
pub fn split_train(
    data: &Dataset,
    test_size: f64,
    stratified: bool,
    seed: u64,
) -> Result<Dataset, DataError> {
    let labels = &data.train.labels;
    let test_idx = hold_out("test-split", labels, data.n_classes(), test_size, stratified, seed)?;
    if test_idx.is_empty() {
        return Err(DataError::NoTestImages { share: test_size, n_rows: labels.len() });
    }
    let mut is_test = vec![false; data.train.len()];
    test_idx.iter().for_each(|&row| is_test[row] = true);
    let train_idx: Vec<usize> = (0..is_test.len()).filter(|&row| !is_test[row]).collect();
    let mut is_held_out = vec![false; is_test.len()];
    data.validation_idx.iter().for_each(|&row| is_held_out[row] = true);
    let validation_idx: Vec<usize> =
        (0..train_idx.len()).filter(|&at| is_held_out[train_idx[at]]).collect();
    Ok(Dataset {
        name: data.name.clone(),
        class_names: data.class_names.clone(),
        train: select(&data.train, &train_idx),
        validation_idx,
        test: select(&data.train, &test_idx),
        synthetic: data.synthetic,
        steps: data.steps.clone(),
    })
}

/// The images at `rows`, in that order.
pub(super) fn select(images: &ImageSet, rows: &[usize]) -> ImageSet {
    ImageSet {
        shape: images.shape,
        pixels: images.pixels.select(Axis(0), rows),
        labels: images.labels.select(Axis(0), rows),
    }
}

/// Rows to hold out; `purpose` names the stream, so that two splits of one seed are independent.
fn hold_out(
    purpose: &str,
    labels: &Labels,
    n_classes: usize,
    share: f64,
    stratified: bool,
    seed: u64,
) -> Result<Vec<usize>, DataError> {
    if !(0.0..1.0).contains(&share) {
        return Err(DataError::ShareOutOfRange { found: share });
    }
    let mut rows_of = vec![Vec::new(); n_classes];
    for (row, &label) in labels.iter().enumerate() {
        rows_of[label].push(row);
    }
    let n_held_out = (share * labels.len() as f64).round() as usize;
    let mut held_out = if stratified {
        let quotas = largest_remainder(&rows_of, share, n_held_out);
        let mut held_out = Vec::with_capacity(n_held_out);
        for (class, (rows, quota)) in rows_of.iter().zip(quotas).enumerate() {
            let mut drawn = rows.clone();
            Rng::new(seed, &[purpose, &class.to_string()]).shuffle(&mut drawn);
            held_out.extend_from_slice(&drawn[..quota]);
        }
        held_out
    } else {
        let mut drawn: Vec<usize> = (0..labels.len()).collect();
        Rng::new(seed, &[purpose]).shuffle(&mut drawn);
        drawn.truncate(n_held_out);
        drawn
    };
    held_out.sort_unstable();

    let mut n_kept: Vec<usize> = rows_of.iter().map(Vec::len).collect();
    for &row in &held_out {
        n_kept[labels[row]] -= 1;
    }
    match n_kept.iter().position(|&n| n == 0) {
        Some(class) => {
            Err(DataError::ClassWithoutTraining { class, n_rows: rows_of[class].len(), share })
        }
        None => Ok(held_out),
    }
}

/// Whole numbers nearest to `share * len` of each class that sum to `total`.
fn largest_remainder(rows_of: &[Vec<usize>], share: f64, total: usize) -> Vec<usize> {
    let exact: Vec<f64> = rows_of.iter().map(|rows| share * rows.len() as f64).collect();
    let mut quotas: Vec<usize> = exact.iter().map(|&quota| quota.floor() as usize).collect();
    let mut by_remainder: Vec<usize> = (0..rows_of.len()).collect();
    by_remainder.sort_by(|&a, &b| exact[b].fract().total_cmp(&exact[a].fract()).then(a.cmp(&b)));
    let n_left = total.saturating_sub(quotas.iter().sum());
    for &class in by_remainder.iter().take(n_left) {
        quotas[class] = (quotas[class] + 1).min(rows_of[class].len());
    }
    quotas
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unbalanced() -> Labels {
        (0..1000usize).map(|row| if row % 10 < 7 { 0 } else { row % 10 - 6 }).collect()
    }

    #[test]
    fn stratified_split_keeps_the_share_of_every_class() {
        let labels = unbalanced();
        let held_out = validation_split(&labels, 4, 0.123, true, 7).unwrap();
        assert_eq!(held_out.len(), 123);
        assert!(held_out.is_sorted_by(|a, b| a < b), "ascending and without repeats");
        for class in 0..4 {
            let n_class = labels.iter().filter(|&&label| label == class).count() as f64;
            let n_held = held_out.iter().filter(|&&row| labels[row] == class).count() as f64;
            assert!((n_held - 0.123 * n_class).abs() < 1.0, "class {class}: {n_held}");
        }
    }

    #[test]
    fn a_seed_decides_the_rows_and_another_seed_changes_them() {
        let labels = unbalanced();
        for stratified in [true, false] {
            let split = |seed| validation_split(&labels, 4, 0.2, stratified, seed).unwrap();
            assert_eq!(split(1).len(), 200);
            assert_eq!(split(1), split(1));
            assert_ne!(split(1), split(2));
        }
    }

    fn data() -> Dataset {
        let mut data = crate::data::garments::generate(200, 10, 3);
        data.validation_idx = validation_split(&data.train.labels, 10, 0.1, true, 7).unwrap();
        data
    }

    #[test]
    fn a_split_parts_the_training_images_in_order_and_by_class() {
        let data = data();
        let split = split_train(&data, 0.2, true, 7).unwrap();
        assert_eq!((split.train.len(), split.test.len()), (160, 40));
        assert_eq!(split.train.class_counts(), [16; 10]);
        assert_eq!(split.test.class_counts(), [4; 10]);
        let rows = |images: &ImageSet| -> Vec<(Vec<u8>, usize)> {
            let labels = images.labels.iter().copied();
            images.pixels.outer_iter().map(|row| row.to_vec()).zip(labels).collect()
        };
        let (train, test, all) = (rows(&split.train), rows(&split.test), rows(&data.train));
        let (mut next_train, mut next_test) = (0, 0);
        for row in all {
            if train.get(next_train) == Some(&row) {
                next_train += 1;
            } else {
                assert_eq!(test[next_test], row);
                next_test += 1;
            }
        }
        assert_eq!((next_train, next_test), (160, 40));
    }

    #[test]
    fn rows_held_out_for_validation_stay_so_unless_they_are_test_images() {
        let data = data();
        let split = split_train(&data, 0.2, true, 7).unwrap();
        let images = |images: &ImageSet, rows: &[usize]| -> Vec<Vec<u8>> {
            rows.iter().map(|&row| images.pixels.row(row).to_vec()).collect()
        };
        let held_out = images(&data.train, &data.validation_idx);
        let every_test: Vec<usize> = (0..split.test.len()).collect();
        let test = images(&split.test, &every_test);
        let expected: Vec<_> = held_out.into_iter().filter(|row| !test.contains(row)).collect();
        assert_eq!(images(&split.train, &split.validation_idx), expected);
        // Were both splits drawn from one stream, no held-out row would be left.
        assert!(expected.len() > 5, "{}", expected.len());
    }

    #[test]
    fn a_split_that_leaves_no_test_image_is_refused() {
        let found = split_train(&data(), 0.001, true, 7);
        assert!(matches!(found, Err(DataError::NoTestImages { n_rows: 200, .. })), "{found:?}");
    }

    #[test]
    fn nothing_is_held_out_for_a_share_of_zero() {
        assert!(validation_split(&unbalanced(), 4, 0.0, true, 1).unwrap().is_empty());
    }

    #[test]
    fn a_class_left_without_rows_or_a_share_out_of_range_is_refused() {
        let labels = Labels::from(vec![0, 0, 0, 1]);
        let found = validation_split(&labels, 2, 0.75, true, 1);
        assert!(
            matches!(found, Err(DataError::ClassWithoutTraining { class: 1, n_rows: 1, .. })),
            "{found:?}"
        );
        let found = validation_split(&labels, 3, 0.0, false, 1);
        assert!(
            matches!(found, Err(DataError::ClassWithoutTraining { class: 2, n_rows: 0, .. })),
            "{found:?}"
        );
        for share in [-0.1, 1.0, f64::NAN] {
            let found = validation_split(&labels, 2, share, true, 1);
            assert!(matches!(found, Err(DataError::ShareOutOfRange { .. })), "{found:?}");
        }
    }
}
