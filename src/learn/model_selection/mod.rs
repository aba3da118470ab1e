//! Choosing a learner's parameters by cross-validation.
//!
//! Candidates are judged by their accuracy on held-out folds of the training rows; the test images
//! choose nothing. Names follow scikit-learn's `model_selection`.

mod error;
mod folds;
mod halving;
mod search;
#[cfg(test)]
mod tests;
mod validation;

pub use error::SelectionError;
pub use folds::Folds;
pub use halving::{Round, halving_rounds};
pub use search::{Candidate, Judged, SearchOutcome, Strategy, search};
pub use validation::{FoldScore, cross_validate};
pub(super) use validation::{accuracy, in_folds};
