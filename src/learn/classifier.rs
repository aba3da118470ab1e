//! What every classical learner and every fitted classifier can do, whatever its kind.

use std::any::Any;

use serde_json::{Map, Value};

use super::NominalCost;
use super::kernel_map::KernelMapError;
use super::linear_svm::{LinearSvc, LinearSvcError};
use super::model_selection::{self, FoldScore, Folds, SelectionError};
use super::svm::{Svc, SvcError};
use crate::data::{Features, Labels, TableShape, TensorFile, TensorFileError};
use crate::progress::{Part, Progress};

/// Rows to fit on.
#[derive(Clone, Copy)]
pub struct Samples<'a> {
    /// `[n_samples, n_features]`
    pub features: &'a Features,
    /// `[n_samples]`
    pub labels: &'a Labels,
    /// How much each sample counts, `[n_samples]`, finite and not negative; none means 1 each.
    pub weights: Option<&'a [f64]>,
}

/// A learner with its parameters checked.
pub trait Learner: Any + Send + Sync {
    /// Fits a classifier; the same samples and seed give the same one for any number of threads.
    ///
    /// # Errors
    /// Samples that cannot be fitted, or an interruption.
    fn fit(
        &self,
        samples: Samples,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Box<dyn Classifier>, LearnError>;

    /// Whether [`Learner::cross_validate`] of this learner can judge `other` along with itself,
    /// for less than the two would cost one by one.
    fn shares_work_with(&self, other: &dyn Learner) -> bool {
        let _ = other;
        false
    }

    /// Judges learners that share work with this one, itself among them, on every fold:
    /// `[learners, folds]`. Without shared work, one fit after another.
    ///
    /// # Errors
    /// Samples that cannot be fitted, or an interruption.
    fn cross_validate(
        &self,
        learners: &[&dyn Learner],
        samples: Samples,
        folds: &Folds,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<FoldScore>>, LearnError> {
        let one = |(nth, learner): (usize, &&dyn Learner)| {
            let part = Part::new(progress, nth, nth + 1, learners.len());
            model_selection::cross_validate(*learner, samples, folds, seed, &part)
        };
        learners.iter().enumerate().map(one).collect()
    }

    /// What a fit on rows of this shape and the prediction of its test rows cost by arithmetic; none
    /// where that is not known.
    fn nominal_cost(&self, _shape: &TableShape, _n_threads: usize) -> Option<NominalCost> {
        None
    }
}

/// A fitted classifier.
pub trait Classifier: Any + Send + Sync {
    /// A class for each row.
    ///
    /// # Errors
    /// Rows unlike those of the fit, or an interruption.
    fn predict(&self, features: &Features, progress: &dyn Progress) -> Result<Labels, LearnError>;

    /// The model as tensors and a document, whose `type` says which reader takes it.
    fn to_tensors(&self) -> TensorFile<'_>;

    /// What only this kind of model has; nothing that differs from run to run.
    fn details(&self) -> Map<String, Value>;

    /// Figures of the fit that differ from run to run.
    fn notes(&self) -> Map<String, Value> {
        Map::new()
    }

    /// What the user must read before trusting the model, such as a fit that did not converge.
    fn warning(&self) -> Option<String> {
        None
    }

    /// Bytes of the stored model.
    fn model_bytes(&self) -> u64 {
        self.to_tensors().tensors().map(|(_, tensor)| tensor.bytes().len() as u64).sum()
    }
}

/// Reads a stored model.
type Reader = fn(TensorFile<'static>) -> Result<Box<dyn Classifier>, LearnError>;

/// Readers of stored models by the `type` in their document.
const READERS: &[(&str, Reader)] = &[
    ("svc", |file| Ok(Box::new(Svc::from_tensors(file)?))),
    ("linear_svc", |file| Ok(Box::new(LinearSvc::from_tensors(file)?))),
];

/// The classifier that [`Classifier::to_tensors`] stored.
///
/// # Errors
/// If its type is unknown, a part is missing, or parts do not fit together.
pub fn read_classifier(file: TensorFile<'static>) -> Result<Box<dyn Classifier>, LearnError> {
    let found = file.document["type"].as_str().unwrap_or_default();
    match READERS.iter().find(|(name, _)| *name == found) {
        Some((_, read)) => read(file),
        None => Err(TensorFileError::Malformed(format!("no classifier of type `{found}`")).into()),
    }
}

/// Why a classifier could not be fitted, applied, stored or read.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// A support vector machine.
    #[error(transparent)]
    Svc(SvcError),
    /// A linear support vector machine.
    #[error(transparent)]
    LinearSvc(LinearSvcError),
    /// A kernel's features.
    #[error(transparent)]
    KernelMap(KernelMapError),
    /// A search for parameters.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// A stored model could not be read.
    #[error(transparent)]
    TensorFile(#[from] TensorFileError),
}

impl From<SvcError> for LearnError {
    fn from(error: SvcError) -> Self {
        match error {
            SvcError::Interrupted => LearnError::Interrupted,
            error => LearnError::Svc(error),
        }
    }
}

impl From<LinearSvcError> for LearnError {
    fn from(error: LinearSvcError) -> Self {
        match error {
            LinearSvcError::Interrupted => LearnError::Interrupted,
            error => LearnError::LinearSvc(error),
        }
    }
}

impl From<KernelMapError> for LearnError {
    fn from(error: KernelMapError) -> Self {
        match error {
            KernelMapError::Interrupted => LearnError::Interrupted,
            error => LearnError::KernelMap(error),
        }
    }
}

impl LearnError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            LearnError::Svc(error) => error.hint(),
            LearnError::LinearSvc(error) => error.hint(),
            LearnError::KernelMap(error) => error.hint(),
            LearnError::Selection(error) => error.hint(),
            LearnError::Interrupted | LearnError::TensorFile(_) => None,
        }
    }
}
