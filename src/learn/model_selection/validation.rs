//! Learners judged on held-out folds.

use std::time::Instant;

use super::{Folds, SelectionError};
use crate::data::{Features, Labels};
use crate::learn::{LearnError, Learner, Samples};
use crate::progress::{Part, Progress};

/// How a learner did on one fold.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldScore {
    /// Share of the held-out rows labelled right.
    pub accuracy: f64,
    /// Wall time of the fit; where candidates share work, what this one added.
    pub fit_seconds: f64,
    /// Wall time to predict the held-out rows; shared likewise.
    pub score_seconds: f64,
    /// What the user must read before trusting the fit.
    pub warning: Option<String>,
}

/// Judges one learner on every fold: fits on the other folds, predicts the held-out one.
///
/// Folds run one after another: a learner uses all threads itself, and one fold's rows are in
/// memory a second time rather than all folds'.
///
/// # Errors
/// A fit that fails, with its fold, or an interruption.
/// # Panics   if `folds` are not of as many rows as `samples`
pub fn cross_validate(
    learner: &dyn Learner,
    samples: Samples,
    folds: &Folds,
    seed: u64,
    progress: &dyn Progress,
) -> Result<Vec<FoldScore>, LearnError> {
    in_folds(samples, folds, progress, |training, held_out, labels, part| {
        let clock = Instant::now();
        let classifier = learner.fit(training, seed, part)?;
        let fit_seconds = clock.elapsed().as_secs_f64();
        let clock = Instant::now();
        let predicted = classifier.predict(held_out, &part.at_end())?;
        Ok(FoldScore {
            accuracy: accuracy(&predicted, labels),
            fit_seconds,
            score_seconds: clock.elapsed().as_secs_f64(),
            warning: classifier.warning(),
        })
    })
}

/// Calls `judge` for every fold with the samples to fit on, the held-out rows and their labels.
///
/// # Errors
/// What `judge` says, with its fold, or an interruption.
/// # Panics   if `folds` are not of as many rows as `samples`
pub(in crate::learn) fn in_folds<T>(
    samples: Samples,
    folds: &Folds,
    progress: &dyn Progress,
    judge: impl Fn(Samples, &Features, &Labels, &Part) -> Result<T, LearnError>,
) -> Result<Vec<T>, LearnError> {
    assert_eq!(folds.n_samples(), samples.labels.len(), "folds of other samples");
    let n_folds = folds.n_folds();
    (0..n_folds)
        .map(|fold| {
            let part = Part::new(progress, fold, fold + 1, n_folds);
            let training = OwnedSamples::select(samples, &folds.training(fold));
            let held_out = OwnedSamples::select(samples, &folds.held_out(fold));
            let judged = judge(training.as_samples(), &held_out.features, &held_out.labels, &part);
            judged.map_err(|error| match error {
                LearnError::Interrupted => LearnError::Interrupted,
                error => {
                    let fold = fold + 1;
                    SelectionError::Fold { fold, n_folds, source: Box::new(error) }.into()
                }
            })
        })
        .collect()
}

/// Share of equal labels.
pub(in crate::learn) fn accuracy(predicted: &Labels, labels: &Labels) -> f64 {
    let n_right = predicted.iter().zip(labels).filter(|(found, label)| found == label).count();
    n_right as f64 / labels.len() as f64
}

/// Some rows of other samples.
pub(super) struct OwnedSamples {
    features: Features,
    labels: Labels,
    weights: Option<Vec<f64>>,
}

impl OwnedSamples {
    pub fn select(samples: Samples, rows: &[usize]) -> Self {
        OwnedSamples {
            features: samples.features.select(rows),
            labels: rows.iter().map(|&row| samples.labels[row]).collect(),
            weights: samples.weights.map(|weights| rows.iter().map(|&row| weights[row]).collect()),
        }
    }

    pub fn as_samples(&self) -> Samples<'_> {
        Samples { features: &self.features, labels: &self.labels, weights: self.weights.as_deref() }
    }
}
