//! What each sample may weigh: its bound `C_t` from `c`, the weight of its class and its own.

use super::params::{ClassWeight, SvcError, SvcValidParams};
use crate::data::Labels;
use crate::learn::input::check_samples;
use crate::learn::{InputError, Samples};

/// The classes that occur, ascending, if there are samples of two of them.
pub(super) fn check(samples: Samples) -> Result<Vec<usize>, SvcError> {
    check_samples(&samples, 2)?;
    let mut classes = samples.labels.to_vec();
    classes.sort_unstable();
    classes.dedup();
    Ok(classes)
}

/// Bound of every sample's multiplier, `[n_samples]`, on a fit to the rows that `keep` tells; 0 for
/// the others. Two classes at least, and every class that is kept, have one above 0.
pub(super) fn bounds_of(
    params: &SvcValidParams,
    samples: Samples,
    classes: &[usize],
    keep: impl Fn(usize) -> bool,
) -> Result<Vec<f64>, SvcError> {
    let rows_of = rows_by_class(samples.labels, classes, keep);
    let kept = || classes.iter().zip(&rows_of).filter(|(_, rows)| !rows.is_empty());
    let n_samples: usize = rows_of.iter().map(Vec::len).sum();
    let n_classes = kept().count();
    if let (1, Some((&class, _))) = (n_classes, kept().next()) {
        return Err(InputError::OneClass { n_samples, class }.into());
    }
    let mut bounds = vec![0.0; samples.labels.len()];
    for (&class, rows) in kept() {
        let of_class = match &params.class_weight {
            ClassWeight::Uniform => 1.0,
            ClassWeight::Balanced => n_samples as f64 / (n_classes * rows.len()) as f64,
            ClassWeight::PerClass(weights) => {
                weights.iter().rfind(|(of, _)| *of == class).map_or(1.0, |&(_, weight)| weight)
            }
        };
        for &row in rows {
            let weight = samples.weights.map_or(1.0, |weights| weights[row]);
            bounds[row] = params.c * of_class * weight;
            if !bounds[row].is_finite() {
                return Err(SvcError::BadBound { row, class, found: bounds[row] });
            }
        }
        if rows.iter().all(|&row| bounds[row] == 0.0) {
            return Err(SvcError::NoWeight { class, n_samples: rows.len() });
        }
    }
    Ok(bounds)
}

/// Rows of each class for which `keep` holds, ascending.
pub(super) fn rows_by_class(
    labels: &Labels,
    classes: &[usize],
    keep: impl Fn(usize) -> bool,
) -> Vec<Vec<usize>> {
    let mut rows_of = vec![Vec::new(); classes.len()];
    for (row, class) in labels.iter().enumerate() {
        if let Ok(class) = classes.binary_search(class)
            && keep(row)
        {
            rows_of[class].push(row);
        }
    }
    rows_of
}
