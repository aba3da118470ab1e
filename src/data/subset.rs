//! Fewer training rows, the same share of every class.

use super::split::select;
use super::{DataError, Dataset, Labels, Rng};

/// All rows in a seeded order of which every prefix is stratified: of its first `n` rows, each class
/// has its share within one row. So the sizes of a learning curve are nested.
///
/// The `k`-th drawn row of a class of `m` stands at `(k + 1/2) / m`; ties go to the lower class.
///
/// # Panics   if a label is not below `n_classes`
pub fn stratified_order(labels: &Labels, n_classes: usize, seed: u64) -> Vec<usize> {
    let mut rows_of = vec![Vec::new(); n_classes];
    for (row, &label) in labels.iter().enumerate() {
        rows_of[label].push(row);
    }
    let mut placed = Vec::with_capacity(labels.len());
    for (class, rows) in rows_of.iter_mut().enumerate() {
        Rng::new(seed, &["stratified-order", &class.to_string()]).shuffle(rows);
        let n_rows = rows.len() as f64;
        placed.extend(
            rows.iter().enumerate().map(|(k, &row)| ((k as f64 + 0.5) / n_rows, class, row)),
        );
    }
    placed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    placed.into_iter().map(|(_, _, row)| row).collect()
}

/// The data set with `n_samples` of its training rows, stratified and seeded, in the order of the
/// source; held-out rows among them stay held out, the test images stay as they are.
///
/// # Errors   if there are fewer rows, or fewer are asked for than there are classes
pub fn subset(dataset: &Dataset, n_samples: usize, seed: u64) -> Result<Dataset, DataError> {
    let (n_rows, n_classes) = (dataset.train.len(), dataset.n_classes());
    if n_samples > n_rows || n_samples < n_classes {
        return Err(DataError::SubsetSize { found: n_samples, n_rows, n_classes });
    }
    let mut rows = stratified_order(&dataset.train.labels, n_classes, seed);
    rows.truncate(n_samples);
    rows.sort_unstable();
    let mut held_out = vec![false; n_rows];
    dataset.validation_idx.iter().for_each(|&row| held_out[row] = true);
    let kept = rows.iter().enumerate().filter(|&(_, &row)| held_out[row]);
    Ok(Dataset {
        name: dataset.name.clone(),
        class_names: dataset.class_names.clone(),
        validation_idx: kept.map(|(position, _)| position).collect(),
        train: select(&dataset.train, &rows),
        test: dataset.test.clone(),
        synthetic: dataset.synthetic,
        steps: dataset.steps.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::garments;
    use super::*;

    #[test]
    fn every_prefix_of_the_order_has_the_share_of_every_class() {
        let labels: Labels =
            (0..1000usize).map(|row| [0, 0, 0, 1, 2, 2, 0, 0, 3, 0][row % 10]).collect();
        let order = stratified_order(&labels, 4, 7);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        let mut counts = [0usize; 4];
        for (n, &row) in order.iter().enumerate() {
            counts[labels[row]] += 1;
            for (class, share) in [0.6, 0.1, 0.2, 0.1].into_iter().enumerate() {
                let expected = share * (n + 1) as f64;
                assert!((counts[class] as f64 - expected).abs() <= 1.0, "{counts:?} of {}", n + 1);
            }
        }
    }

    #[test]
    fn the_order_follows_the_seed_alone() {
        let labels: Labels = (0..100usize).map(|row| row % 5).collect();
        assert_eq!(stratified_order(&labels, 5, 1), stratified_order(&labels, 5, 1));
        assert_ne!(stratified_order(&labels, 5, 1), stratified_order(&labels, 5, 2));
    }

    #[test]
    fn a_subset_keeps_rows_labels_and_held_out_rows_together() {
        let mut dataset = garments::generate(300, 20, 3);
        dataset.validation_idx = (0..300).step_by(7).collect();
        let small = subset(&dataset, 100, 5).unwrap();
        assert_eq!(small.train.len(), 100);
        assert_eq!(small.test, dataset.test);
        let mut order = stratified_order(&dataset.train.labels, 10, 5);
        order.truncate(100);
        order.sort_unstable();
        for (position, &row) in order.iter().enumerate() {
            assert_eq!(small.train.pixels.row(position), dataset.train.pixels.row(row));
            assert_eq!(small.train.labels[position], dataset.train.labels[row]);
            assert_eq!(small.validation_idx.contains(&position), row % 7 == 0, "{row}");
        }
    }

    #[test]
    fn a_size_beyond_the_rows_or_below_the_classes_is_refused() {
        let dataset = garments::generate(50, 10, 3);
        for found in [51, 9, 0] {
            let error = subset(&dataset, found, 1).unwrap_err();
            assert!(matches!(error, DataError::SubsetSize { n_rows: 50, .. }), "{error}");
            assert!(error.hint().is_some());
        }
        assert_eq!(subset(&dataset, 50, 1).unwrap(), dataset);
    }
}
