//! Everything that can go wrong in a search.

use crate::learn::LearnError;

/// Why folds could not be made or a search could not be run.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    /// A class cannot be in every fold.
    #[error(
        "class {class} has {n_samples} samples, {n_folds} stratified folds need at least {n_folds}"
    )]
    MoreFoldsThanSamplesOfClass {
        /// The rarest such class.
        class: usize,
        /// Its rows.
        n_samples: usize,
        /// Folds wanted.
        n_folds: usize,
    },
    /// A fold would be empty.
    #[error("{n_folds} folds of {n_samples} samples")]
    MoreFoldsThanSamples {
        /// Rows.
        n_samples: usize,
        /// Folds wanted.
        n_folds: usize,
    },
    /// One fold leaves nothing to fit on.
    #[error("at least 2 folds are needed, found {found}")]
    TooFewFolds {
        /// Folds wanted.
        found: usize,
    },
    /// The first round of halving needs two samples of each class in each fold.
    #[error(
        "successive halving of {n_folds} folds and {n_classes} classes starts with at least \
         {needed} samples, found {n_samples}"
    )]
    TooFewSamplesToHalve {
        /// Rows.
        n_samples: usize,
        /// Least number of rows.
        needed: usize,
        /// Folds.
        n_folds: usize,
        /// Classes that occur.
        n_classes: usize,
    },
    /// A candidate could not be fitted or applied.
    #[error("candidate {candidate}: {source}")]
    Candidate {
        /// Its parameters.
        candidate: String,
        /// Why.
        source: Box<LearnError>,
    },
    /// A fit on the training part of a fold failed.
    #[error("fold {fold} of {n_folds}: {source}")]
    Fold {
        /// Counted from 1.
        fold: usize,
        /// Folds.
        n_folds: usize,
        /// Why.
        source: Box<LearnError>,
    },
}

impl SelectionError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            SelectionError::MoreFoldsThanSamplesOfClass { n_samples, .. } if *n_samples >= 2 => {
                Some(format!("use at most {n_samples} folds, or `stratified = false`"))
            }
            SelectionError::MoreFoldsThanSamplesOfClass { .. } => {
                Some("use `stratified = false`, or more samples of the class".to_owned())
            }
            SelectionError::MoreFoldsThanSamples { .. } | SelectionError::TooFewFolds { .. } => {
                Some("use between 2 folds and one for each sample".to_owned())
            }
            SelectionError::TooFewSamplesToHalve { .. } => {
                Some("use fewer folds, or strategy `grid` or `random`".to_owned())
            }
            SelectionError::Candidate { source, .. } | SelectionError::Fold { source, .. } => {
                source.hint()
            }
        }
    }
}
