//! Samples as growth reads them: bins by column and by row, labels, masses.

use std::borrow::Cow;

use super::bins::Bins;
use super::criterion::weight_units;
use super::grow::{Grown, Growth, Table, grow};
use crate::data::{Features, Labels, Rng};
use crate::learn::svm::ClassWeight;
use crate::learn::{LearnError, Samples};
use crate::progress::Progress;

/// Rows that several trees grow on.
pub(in crate::learn) struct Prepared<'a> {
    pub bins: Bins,
    rows: Cow<'a, [u8]>,
    labels: Vec<u32>,
    n_classes: usize,
}

impl<'a> Prepared<'a> {
    /// Bins row-major features whose values are finite.
    ///
    /// # Errors
    /// [`LearnError::Interrupted`]
    pub fn new(
        features: &'a Features,
        labels: &Labels,
        n_classes: usize,
        progress: &dyn Progress,
    ) -> Result<Self, LearnError> {
        let bins = Bins::of(features, progress)?;
        let rows = match features {
            Features::Bytes(rows) => Cow::Borrowed(rows.as_slice().expect("rows are row-major")),
            Features::Floats(_) => Cow::Owned(bins.by_row()),
        };
        let labels = labels.iter().map(|&label| label as u32).collect();
        Ok(Prepared { bins, rows, labels, n_classes })
    }

    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// Grows a tree.
    ///
    /// # Errors
    /// [`LearnError::Interrupted`]
    pub fn grow(
        &self,
        masses: &Masses,
        growth: &Growth,
        rng: &mut Rng,
        threads: bool,
        progress: &dyn Progress,
    ) -> Result<Grown, LearnError> {
        let Prepared { bins, rows, labels, n_classes } = self;
        let table = Table { bins, rows, labels, n_classes: *n_classes };
        match masses {
            Masses::Counts(masses) => grow(table, masses, growth, rng, threads, progress),
            Masses::Units(masses) => grow(table, masses, growth, rng, threads, progress),
        }
    }
}

/// How much each row counts.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::learn) enum Masses {
    /// Whole numbers.
    Counts(Vec<u32>),
    /// Weights in whole units.
    Units(Vec<f64>),
}

/// Most that whole weights may add up to and still be counts.
const MAX_COUNT: f64 = (1u64 << 31) as f64;

impl Masses {
    /// Of weights that are finite and not below 0, at least one above it. Whole weights stay as
    /// they are: a row of weight 2 is two rows.
    pub fn of(weights: &[f64]) -> Self {
        let is_whole = weights.iter().all(|w| w.fract() == 0.0);
        if is_whole && weights.iter().sum::<f64>() < MAX_COUNT {
            return Masses::Counts(weights.iter().map(|&w| w as u32).collect());
        }
        Masses::Units(weight_units(weights))
    }
}

/// Sample weights times class weights, `[n_samples]`; `is_present` tells which classes count. `balanced` counts the
/// samples of a weight above 0, whatever it is; scikit-learn counts those of weight 0 as well.
pub(in crate::learn) fn weights_of(
    samples: &Samples,
    is_present: &[bool],
    class_weight: &ClassWeight,
) -> Vec<f64> {
    let weight = |row: usize| samples.weights.map_or(1.0, |weights| weights[row]);
    let mut n_of_class = vec![0usize; is_present.len()];
    for (row, &label) in samples.labels.iter().enumerate() {
        n_of_class[label] += usize::from(weight(row) > 0.0);
    }
    let n_counting: usize = n_of_class.iter().sum();
    let n_present = is_present.iter().filter(|&&present| present).count();
    let factor = |class: usize| match class_weight {
        ClassWeight::Uniform => 1.0,
        ClassWeight::Balanced => n_counting as f64 / (n_present * n_of_class[class].max(1)) as f64,
        ClassWeight::PerClass(of) => {
            of.iter().rfind(|(c, _)| *c == class).map_or(1.0, |&(_, weight)| weight)
        }
    };
    let factors: Vec<f64> = (0..is_present.len()).map(factor).collect();
    let labels = samples.labels.iter().enumerate();
    labels.map(|(row, &label)| weight(row) * factors[label]).collect()
}

/// The samples that count, where quantiles must not see the others: rows of real features with
/// weight 0 are left out, so that they are as if removed.
pub(in crate::learn) struct Counting {
    features: Features,
    labels: Labels,
    weights: Vec<f64>,
}

impl Counting {
    /// None if all samples count, or if bins do not hang on the rows.
    pub fn of(features: &Features, labels: &Labels, weights: Option<&[f64]>) -> Option<Self> {
        let weights = weights?;
        let rows: Vec<usize> = (0..weights.len()).filter(|&row| weights[row] > 0.0).collect();
        if matches!(features, Features::Bytes(_)) || rows.len() == weights.len() {
            return None;
        }
        Some(Counting {
            features: features.select(&rows),
            labels: rows.iter().map(|&row| labels[row]).collect(),
            weights: rows.iter().map(|&row| weights[row]).collect(),
        })
    }

    pub fn samples(&self) -> Samples<'_> {
        let Counting { features, labels, weights } = self;
        Samples { features, labels, weights: Some(weights) }
    }
}
