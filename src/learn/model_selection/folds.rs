//! Which rows each fold holds out.

use super::SelectionError;
use crate::data::{Labels, Rng};

/// A partition of rows into folds; each fold is held out once, the others are fitted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folds {
    /// `[n_samples]`, each below `n_folds`
    pub(super) fold_of: Vec<usize>,
    pub(super) n_folds: usize,
}

impl Folds {
    /// Folds that hold every class in its share, as scikit-learn's
    /// `StratifiedKFold(shuffle=True)`: sizes of folds differ by one at most, and so do the rows of
    /// one class. The same seed gives the same folds.
    ///
    /// # Errors
    /// Fewer than two folds, or more than there are rows of a class that occurs.
    pub fn stratified(labels: &Labels, n_folds: usize, seed: u64) -> Result<Self, SelectionError> {
        check(labels.len(), n_folds)?;
        let n_classes = labels.iter().max().map_or(0, |&class| class + 1);
        let mut rows_of = vec![Vec::new(); n_classes];
        for (row, &class) in labels.iter().enumerate() {
            rows_of[class].push(row);
        }
        let rarest = (0..n_classes)
            .filter(|&class| !rows_of[class].is_empty())
            .min_by_key(|&class| rows_of[class].len());
        if let Some(class) = rarest.filter(|&class| rows_of[class].len() < n_folds) {
            let n_samples = rows_of[class].len();
            return Err(SelectionError::MoreFoldsThanSamplesOfClass { class, n_samples, n_folds });
        }
        let mut fold_of = vec![0; labels.len()];
        // Dealt round by round, one class after another, as cards: that keeps both the folds and
        // the classes within them even.
        let mut n_dealt = 0;
        for (class, rows) in rows_of.iter_mut().enumerate() {
            Rng::new(seed, &["folds", &class.to_string()]).shuffle(rows);
            for &mut row in rows {
                fold_of[row] = n_dealt % n_folds;
                n_dealt += 1;
            }
        }
        Ok(Folds { fold_of, n_folds })
    }

    /// Folds drawn without a look at the labels, as scikit-learn's `KFold(shuffle=True)`.
    ///
    /// # Errors
    /// Fewer than two folds, or more than there are rows.
    pub fn plain(n_samples: usize, n_folds: usize, seed: u64) -> Result<Self, SelectionError> {
        check(n_samples, n_folds)?;
        let mut rows: Vec<usize> = (0..n_samples).collect();
        Rng::new(seed, &["folds"]).shuffle(&mut rows);
        let mut fold_of = vec![0; n_samples];
        for (nth, row) in rows.into_iter().enumerate() {
            fold_of[row] = nth % n_folds;
        }
        Ok(Folds { fold_of, n_folds })
    }

    /// Number of folds.
    pub fn n_folds(&self) -> usize {
        self.n_folds
    }

    /// Number of rows.
    pub fn n_samples(&self) -> usize {
        self.fold_of.len()
    }

    /// The fold that holds out a row.
    ///
    /// # Panics
    /// If `row` is out of bounds.
    pub fn fold_of(&self, row: usize) -> usize {
        self.fold_of[row]
    }

    /// Rows that a fold holds out, ascending.
    pub fn held_out(&self, fold: usize) -> Vec<usize> {
        (0..self.fold_of.len()).filter(|&row| self.fold_of[row] == fold).collect()
    }

    /// Rows that a fold fits on, ascending.
    pub fn training(&self, fold: usize) -> Vec<usize> {
        (0..self.fold_of.len()).filter(|&row| self.fold_of[row] != fold).collect()
    }

    /// The folds of some rows, renumbered in their order.
    ///
    /// # Panics
    /// If a row is out of bounds.
    pub fn select(&self, rows: &[usize]) -> Folds {
        let fold_of = rows.iter().map(|&row| self.fold_of[row]).collect();
        Folds { fold_of, n_folds: self.n_folds }
    }

    /// `n_rows` rows, ascending, in which every class of every fold keeps its share and at least
    /// one row (if `n_rows` allows). Fewer rows of the same seed are among more.
    pub fn subsample(&self, labels: &Labels, n_rows: usize, seed: u64) -> Vec<usize> {
        let n_classes = labels.iter().max().map_or(0, |&class| class + 1);
        let mut groups = vec![Vec::new(); self.n_folds * n_classes];
        for (row, (&fold, &class)) in self.fold_of.iter().zip(labels).enumerate() {
            groups[fold * n_classes + class].push(row);
        }
        let mut by_priority: Vec<(f64, usize)> = Vec::with_capacity(labels.len());
        for (group, rows) in groups.iter_mut().enumerate() {
            Rng::new(seed, &["subsample", &group.to_string()]).shuffle(rows);
            let size = rows.len() as f64;
            by_priority.extend(rows.iter().enumerate().map(|(nth, &row)| match nth {
                0 => (0.0, row),
                nth => ((nth as f64 + 0.5) / size, row),
            }));
        }
        // Stable: equals stay in the order of the groups.
        by_priority.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut rows: Vec<usize> =
            by_priority.into_iter().take(n_rows).map(|(_, row)| row).collect();
        rows.sort_unstable();
        rows
    }
}

fn check(n_samples: usize, n_folds: usize) -> Result<(), SelectionError> {
    match n_folds {
        0 | 1 => Err(SelectionError::TooFewFolds { found: n_folds }),
        _ if n_folds > n_samples => {
            Err(SelectionError::MoreFoldsThanSamples { n_samples, n_folds })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(labels: &Labels, rows: &[usize], class: usize) -> usize {
        rows.iter().filter(|&&row| labels[row] == class).count()
    }

    fn unbalanced() -> Labels {
        (0..1000usize).map(|row| if row % 10 < 7 { 0 } else { row % 10 - 6 }).collect()
    }

    proptest! {
        #[test]
        fn stratified_folds_partition_the_rows_evenly(
            classes in prop::collection::vec(0usize..4, 20..200),
            n_folds in 2usize..7,
            seed in any::<u64>(),
        ) {
            let labels = Labels::from(classes);
            let Ok(folds) = Folds::stratified(&labels, n_folds, seed) else {
                let rarest = (0..4)
                    .map(|class| count(&labels, &(0..labels.len()).collect::<Vec<_>>(), class))
                    .filter(|&n| n > 0)
                    .min();
                prop_assert!(rarest.unwrap() < n_folds);
                return Ok(());
            };
            let held_out: Vec<Vec<usize>> = (0..n_folds).map(|fold| folds.held_out(fold)).collect();
            let mut all: Vec<usize> = held_out.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
            for (fold, rows) in held_out.iter().enumerate() {
                prop_assert!(rows.is_sorted());
                let mut both = [rows.clone(), folds.training(fold)].concat();
                both.sort_unstable();
                prop_assert_eq!(both.len(), labels.len());
            }
            let spread = |sizes: Vec<usize>| sizes.iter().max().unwrap() - sizes.iter().min().unwrap();
            prop_assert!(spread(held_out.iter().map(Vec::len).collect()) <= 1);
            for class in 0..4 {
                let sizes = held_out.iter().map(|rows| count(&labels, rows, class)).collect();
                prop_assert!(spread(sizes) <= 1, "class {}", class);
            }
        }

        #[test]
        fn plain_folds_differ_by_one_row_at_most(
            n_samples in 7usize..200, n_folds in 2usize..7, seed in any::<u64>(),
        ) {
            let folds = Folds::plain(n_samples, n_folds, seed).unwrap();
            let sizes: Vec<usize> = (0..n_folds).map(|fold| folds.held_out(fold).len()).collect();
            prop_assert_eq!(sizes.iter().sum::<usize>(), n_samples);
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
        }
    }

    #[test]
    fn a_seed_decides_the_folds_and_another_seed_changes_them() {
        let labels = unbalanced();
        let stratified = |seed| Folds::stratified(&labels, 5, seed).unwrap();
        assert_eq!(stratified(1), stratified(1));
        assert_ne!(stratified(1), stratified(2));
        let plain = |seed| Folds::plain(1000, 5, seed).unwrap();
        assert_eq!(plain(1), plain(1));
        assert_ne!(plain(1), plain(2));
    }

    #[test]
    fn more_folds_than_rows_of_a_class_are_refused_with_the_rarest_class() {
        let labels = Labels::from(vec![0, 0, 0, 2, 2, 5, 5, 5, 5]);
        assert!(Folds::stratified(&labels, 2, 1).is_ok());
        let error = Folds::stratified(&labels, 3, 1).unwrap_err();
        assert_eq!(error.to_string(), "class 2 has 2 samples, 3 stratified folds need at least 3");
        assert_eq!(error.hint().unwrap(), "use at most 2 folds, or `stratified = false`");
        let lone = Labels::from(vec![0, 0, 0, 1]);
        let error = Folds::stratified(&lone, 2, 1).unwrap_err();
        assert!(error.hint().unwrap().contains("more samples"), "{error}");
    }

    #[test]
    fn fewer_than_two_folds_or_more_than_rows_are_refused() {
        for n_folds in [0, 1] {
            let error = Folds::plain(10, n_folds, 1).unwrap_err();
            assert!(matches!(error, SelectionError::TooFewFolds { found } if found == n_folds));
        }
        let error = Folds::plain(3, 4, 1).unwrap_err();
        assert_eq!(error.to_string(), "4 folds of 3 samples");
    }

    #[test]
    fn subsamples_are_nested_and_keep_shares() {
        let labels = unbalanced();
        let folds = Folds::stratified(&labels, 5, 3).unwrap();
        let mut smaller: Vec<usize> = Vec::new();
        for n_rows in [40, 100, 333, 1000] {
            let rows = folds.subsample(&labels, n_rows, 3);
            assert_eq!(rows.len(), n_rows);
            assert!(rows.is_sorted_by(|a, b| a < b));
            assert!(smaller.iter().all(|row| rows.binary_search(row).is_ok()), "{n_rows}");
            let within = folds.select(&rows);
            for fold in 0..5 {
                let held: Vec<usize> =
                    within.held_out(fold).into_iter().map(|at| rows[at]).collect();
                for class in 0..4 {
                    let of_class = count(&labels, &(0..1000).collect::<Vec<_>>(), class) as f64;
                    let share = of_class / 5.0 * n_rows as f64 / 1000.0;
                    let found = count(&labels, &held, class) as f64;
                    assert!(found >= 1.0, "{n_rows}: class {class} left fold {fold}");
                    let is_near = n_rows < 300 || (found - share).abs() <= 1.0;
                    assert!(is_near, "{n_rows}: {found} of {share}");
                }
            }
            smaller = rows;
        }
    }
}
