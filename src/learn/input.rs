//! What every learner asks of its rows, weights and parameters.

use std::borrow::Cow;

use rayon::prelude::*;

use super::Samples;
use crate::data::Features;

/// Why rows cannot be fitted on or predicted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InputError {
    /// There is nothing to fit.
    #[error("{n_samples} samples of {n_features} features, at least one of each is needed")]
    Empty {
        /// Rows found.
        n_samples: usize,
        /// Columns found.
        n_features: usize,
    },
    /// Features do not belong with labels or weights.
    #[error("{n_samples} samples but {found} {what}")]
    LengthMismatch {
        /// Rows of the features.
        n_samples: usize,
        /// `labels` or `weights`.
        what: &'static str,
        /// Their number.
        found: usize,
    },
    /// A weight is negative, NaN or infinite.
    #[error("the weight of sample {row} must be a finite number not below 0, found {found}")]
    BadWeight {
        /// Sample.
        row: usize,
        /// Weight found.
        found: f64,
    },
    /// No sample counts.
    #[error("all {n_samples} samples have weight 0")]
    NoWeight {
        /// Rows found.
        n_samples: usize,
    },
    /// All samples that count are of one class.
    #[error("all {n_samples} samples are of class {class}, at least two classes are needed")]
    OneClass {
        /// Samples that count.
        n_samples: usize,
        /// The only class.
        class: usize,
    },
    /// A feature is NaN or infinite.
    #[error("feature {column} of sample {row} is {found}, all must be finite")]
    NotFinite {
        /// Sample.
        row: usize,
        /// Feature.
        column: usize,
        /// Value found.
        found: f32,
    },
    /// Rows to predict are unlike those of the fit.
    #[error("rows have {found} features, the model was fitted on {expected}")]
    FeatureMismatch {
        /// Features found.
        found: usize,
        /// Features of the fit.
        expected: usize,
    },
    /// There are too few samples to estimate from.
    #[error("{what} needs at least {needed} samples that count, found {found}")]
    TooFewSamples {
        /// What is estimated.
        what: String,
        /// Fewest samples.
        needed: usize,
        /// Samples found.
        found: usize,
    },
    /// No feature varies.
    #[error("none of {n_features} features varies {among}")]
    NoVariation {
        /// Features.
        n_features: usize,
        /// Among which samples.
        among: &'static str,
    },
    /// A matrix of all pairs of features would be too large.
    #[error(
        "{found} features, {what} takes up to {limit}: it holds a number for each pair of them"
    )]
    TooManyFeatures {
        /// What was to be computed.
        what: &'static str,
        /// Features found.
        found: usize,
        /// Most features.
        limit: usize,
    },
    /// There are more samples than sums are exact for.
    #[error("{found} samples, at most {limit} can be fitted")]
    TooManySamples {
        /// Samples found.
        found: usize,
        /// Most samples.
        limit: usize,
    },
    /// The learner cannot weigh samples.
    #[error("`{learner}` takes no sample weights")]
    NoWeights {
        /// The learner.
        learner: &'static str,
    },
}

impl InputError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            InputError::FeatureMismatch { .. } => {
                "apply the same stages to the rows to predict as to those of the fit"
            }
            InputError::NotFinite { .. } => "remove or replace such values before fitting",
            InputError::OneClass { .. } => "give samples of at least two classes",
            InputError::TooManyFeatures { .. } => "reduce the features first",
            InputError::TooManySamples { .. } => "fit on a part of them",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// A parameter out of its range, or one that does not go with another.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{name}` must be {expected}, found {found}")]
pub struct ParamError {
    /// Parameter.
    pub name: &'static str,
    /// What is allowed.
    pub expected: String,
    /// What was given.
    pub found: String,
}

impl ParamError {
    /// `found` where `expected` was.
    pub fn new(
        name: &'static str,
        expected: impl Into<String>,
        found: impl std::fmt::Display,
    ) -> Self {
        ParamError { name, expected: expected.into(), found: found.to_string() }
    }
}

/// What a check of samples found.
pub(super) struct Checked<'a> {
    /// The rows in row-major order.
    pub features: Cow<'a, Features>,
    /// One more than the largest label, whether its samples count or not.
    pub n_classes: usize,
    /// Whether a sample of the class counts, `[n_classes]`.
    pub is_present: Vec<bool>,
}

/// Checks samples to fit on: lengths, finite features, weights that are finite and not below 0, and
/// samples that count of at least `min_classes` classes.
///
/// # Errors
/// [`InputError`]
pub(super) fn check_samples<'a>(
    samples: &Samples<'a>,
    min_classes: usize,
) -> Result<Checked<'a>, InputError> {
    let Samples { features, labels, weights } = *samples;
    let (n_samples, n_features) = (features.n_samples(), features.n_features());
    if labels.len() != n_samples {
        return Err(InputError::LengthMismatch { n_samples, what: "labels", found: labels.len() });
    }
    if n_samples == 0 || n_features == 0 {
        return Err(InputError::Empty { n_samples, n_features });
    }
    let is_present = check_weights(samples)?;
    let n_present = is_present.iter().filter(|&&present| present).count();
    if n_present < min_classes {
        let class = is_present.iter().position(|&present| present).unwrap_or_default();
        let counts = |row: usize| weights.is_none_or(|weights| weights[row] > 0.0);
        let n_samples = (0..n_samples).filter(|&row| counts(row)).count();
        return Err(InputError::OneClass { n_samples, class });
    }
    let features = row_major(features);
    check_finite(&features)?;
    Ok(Checked { features, n_classes: is_present.len(), is_present })
}

/// Checks the weights of samples, as many as there are labels, and tells for each label up to the
/// largest whether a sample of it counts.
///
/// # Errors
/// [`InputError`]
pub(super) fn check_weights(samples: &Samples) -> Result<Vec<bool>, InputError> {
    let Samples { labels, weights, .. } = *samples;
    let n_samples = labels.len();
    if let Some(weights) = weights {
        let found = weights.len();
        if found != n_samples {
            return Err(InputError::LengthMismatch { n_samples, what: "weights", found });
        }
        let bad = |&(_, &w): &(usize, &f64)| !(w.is_finite() && w >= 0.0);
        if let Some((row, &found)) = weights.iter().enumerate().find(bad) {
            return Err(InputError::BadWeight { row, found });
        }
    }
    let mut is_present = vec![false; labels.iter().max().map_or(0, |&label| label + 1)];
    for (row, &label) in labels.iter().enumerate() {
        is_present[label] |= weights.is_none_or(|weights| weights[row] > 0.0);
    }
    if is_present.iter().all(|&present| !present) {
        return Err(InputError::NoWeight { n_samples });
    }
    Ok(is_present)
}

/// Checks rows to predict or transform.
///
/// # Errors
/// Another number of features than `n_features`, or a value that is not finite.
pub(super) fn check_rows(
    features: &Features,
    n_features: usize,
) -> Result<Cow<'_, Features>, InputError> {
    let (found, expected) = (features.n_features(), n_features);
    if found != expected {
        return Err(InputError::FeatureMismatch { found, expected });
    }
    let features = row_major(features);
    check_finite(&features)?;
    Ok(features)
}

fn check_finite(row_major: &Features) -> Result<(), InputError> {
    match first_not_finite(row_major) {
        Some((row, column, found)) => Err(InputError::NotFinite { row, column, found }),
        None => Ok(()),
    }
}

/// The same rows, one after another in memory.
pub(super) fn row_major(features: &Features) -> Cow<'_, Features> {
    match features {
        Features::Bytes(rows) if !rows.is_standard_layout() => {
            Cow::Owned(Features::Bytes(rows.as_standard_layout().into_owned()))
        }
        Features::Floats(rows) if !rows.is_standard_layout() => {
            Cow::Owned(Features::Floats(rows.as_standard_layout().into_owned()))
        }
        _ => Cow::Borrowed(features),
    }
}

/// Values looked at in one go.
const PART: usize = 1 << 16;

/// The first value of row-major features that is NaN or infinite: row, column, value.
pub(super) fn first_not_finite(features: &Features) -> Option<(usize, usize, f32)> {
    let Features::Floats(rows) = features else { return None };
    let all = rows.as_slice()?;
    let is_finite = |part: &[f32]| part.iter().fold(true, |so_far, v| so_far & v.is_finite());
    let part = all.par_chunks(PART).position_first(|part| !is_finite(part))?;
    let within = all[part * PART..].iter().position(|v| !v.is_finite())?;
    let at = part * PART + within;
    Some((at / rows.ncols(), at % rows.ncols(), all[at]))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, array};

    use super::*;
    use crate::data::Labels;

    fn check(
        features: &Features,
        labels: &Labels,
        weights: Option<&[f64]>,
    ) -> Result<(usize, Vec<bool>), InputError> {
        let checked = check_samples(&Samples { features, labels, weights }, 2)?;
        Ok((checked.n_classes, checked.is_present))
    }

    #[test]
    fn classes_that_do_not_count_are_absent() {
        let features = Features::Bytes(Array2::zeros((4, 1)));
        let labels = array![0, 3, 1, 0];
        assert_eq!(check(&features, &labels, None), Ok((4, vec![true, true, false, true])));
        let found = check(&features, &labels, Some(&[1.0, 0.0, 2.0, 0.0]));
        assert_eq!(found, Ok((4, vec![true, true, false, false])));
    }

    #[test]
    fn samples_that_cannot_be_fitted_are_refused() {
        let bytes = Features::Bytes(Array2::zeros((3, 2)));
        let labels = array![0, 1, 1];
        let cases = [
            (check(&bytes, &array![0, 1], None), "3 samples but 2 labels"),
            (check(&bytes, &labels, Some(&[1.0])), "3 samples but 1 weights"),
            (
                check(&bytes, &labels, Some(&[1.0, f64::NAN, 1.0])),
                "the weight of sample 1 must be a finite number not below 0, found NaN",
            ),
            (check(&bytes, &labels, Some(&[0.0; 3])), "all 3 samples have weight 0"),
            (
                check(&bytes, &labels, Some(&[0.0, 1.0, 1.0])),
                "all 2 samples are of class 1, at least two classes are needed",
            ),
            (
                check(&Features::Bytes(Array2::zeros((0, 2))), &Array1::default(0), None),
                "0 samples of 2 features, at least one of each is needed",
            ),
            (
                check(&Features::Floats(array![[0.0], [f32::INFINITY], [0.0]]), &labels, None),
                "feature 0 of sample 1 is inf, all must be finite",
            ),
        ];
        for (found, expected) in cases {
            assert_eq!(found.unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn rows_of_another_width_are_refused() {
        let rows = Features::Floats(Array2::zeros((1, 3)));
        let found = check_rows(&rows, 4).unwrap_err();
        assert_eq!(found.to_string(), "rows have 3 features, the model was fitted on 4");
    }
}
