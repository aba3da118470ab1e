//! What every classical learner and every fitted classifier can do, whatever its kind.

use std::any::Any;

use ndarray::{Array2, ArrayView1, s};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::NominalCost;
use super::adaboost::AdaBoost;
use super::discriminant::Discriminant;
use super::forest::Forest;
use super::gradient_boosting::GradientBoosting;
use super::input::{InputError, ParamError};
use super::kernel_map::KernelMapError;
use super::kmeans::KMeans;
use super::knn::Knn;
use super::linalg::LinalgError;
use super::linear_svm::LinearSvc;
use super::logistic::LogisticRegression;
use super::mlp::Mlp;
use super::model_selection::{self, FoldScore, Folds, SelectionError};
use super::naive_bayes::GaussianNb;
use super::perceptron::Perceptron;
use super::svm::{Svc, SvcError};
use super::tree::DecisionTree;
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

    /// Whether it can weigh samples; one that cannot refuses weights with
    /// [`InputError::NoWeights`].
    fn takes_weights(&self) -> bool {
        true
    }

    /// Prepares rows for many fits with other weights each; none if that saves nothing.
    ///
    /// # Errors
    /// An interruption.
    ///
    /// # Panics
    /// If the features are not row-major, finite and as many as the labels.
    fn session<'a>(
        &'a self,
        _features: &'a Features,
        _labels: &'a Labels,
        _progress: &dyn Progress,
    ) -> Result<Option<Box<dyn Session + 'a>>, LearnError> {
        Ok(None)
    }

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

/// Rows made ready to be fitted again and again.
pub trait Session {
    /// The classifier that [`Learner::fit`] would fit with these weights, `[n_samples]`; where bins
    /// are quantiles, they count rows of weight 0.
    ///
    /// # Errors
    /// Weights that cannot be fitted with, or an interruption.
    fn fit(
        &mut self,
        weights: &[f64],
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Box<dyn Classifier>, LearnError>;
}

/// A fitted classifier.
pub trait Classifier: Any + Send + Sync {
    /// A class for each row.
    ///
    /// # Errors
    /// Rows unlike those of the fit, or an interruption.
    fn predict(&self, features: &Features, progress: &dyn Progress) -> Result<Labels, LearnError>;

    /// What it says of every class, row by row.
    ///
    /// # Errors
    /// As [`Classifier::predict`].
    fn scores(&self, features: &Features, progress: &dyn Progress) -> Result<Scores, LearnError>;

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

/// What a classifier says of every class, for several rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// `[n_samples, n_classes]`, one column for each label from 0 on. Of a label that the fit did not
    /// meet: probability 0, decision minus infinity.
    pub values: Array2<f64>,
    /// What the values mean.
    pub meaning: Meaning,
}

/// What [`Scores`] mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// Probabilities: not negative, summing to 1 in each row.
    Probability,
    /// The larger, the more it speaks for the class; no probabilities.
    Decision,
}

impl Meaning {
    /// The score of a label that the fit did not meet.
    fn absent(self) -> f64 {
        match self {
            Meaning::Probability => 0.0,
            Meaning::Decision => f64::NEG_INFINITY,
        }
    }
}

impl Scores {
    /// Probabilities, `[n_samples, n_classes]`.
    pub fn of_probabilities(values: &Array2<f32>) -> Self {
        Scores { values: values.mapv(f64::from), meaning: Meaning::Probability }
    }

    /// The same with a column for each of `n_classes`, where the fit met fewer labels.
    pub fn for_classes(self, n_classes: usize) -> Self {
        let (n_samples, n_found) = self.values.dim();
        if n_found >= n_classes {
            return self;
        }
        let mut values = Array2::from_elem((n_samples, n_classes), self.meaning.absent());
        values.slice_mut(s![.., ..n_found]).assign(&self.values);
        Scores { values, ..self }
    }

    /// Column of the largest score of each row; the first of equals.
    pub fn first_largest(&self) -> Labels {
        let best = |row: ArrayView1<f64>| {
            (1..row.len())
                .fold(0, |best, column| if row[column] > row[best] { column } else { best })
        };
        self.values.rows().into_iter().map(best).collect()
    }

    /// Scores from columns for `classes` alone (ascending labels).
    pub(super) fn of_classes(classes: &[usize], columns: &Array2<f64>, meaning: Meaning) -> Self {
        let n_labels = classes.last().map_or(0, |&last| last + 1);
        let mut values = Array2::from_elem((columns.nrows(), n_labels), meaning.absent());
        for (column, &class) in classes.iter().enumerate() {
            values.column_mut(class).assign(&columns.column(column));
        }
        Scores { values, meaning }
    }
}

/// Reads a stored model.
type Reader = fn(TensorFile<'static>) -> Result<Box<dyn Classifier>, LearnError>;

/// Readers of stored models by the `type` in their document.
const READERS: &[(&str, Reader)] = &[
    ("kmeans", |file| Ok(Box::new(KMeans::from_tensors(file)?))),
    ("knn", |file| Ok(Box::new(Knn::from_tensors(file)?))),
    ("logistic", |file| Ok(Box::new(LogisticRegression::from_tensors(file)?))),
    ("mlp", |file| Ok(Box::new(Mlp::from_tensors(file)?))),
    ("perceptron", |file| Ok(Box::new(Perceptron::from_tensors(file)?))),
    ("svc", |file| Ok(Box::new(Svc::from_tensors(file)?))),
    ("linear_svc", |file| Ok(Box::new(LinearSvc::from_tensors(file)?))),
    ("decision_tree", |file| Ok(Box::new(DecisionTree::from_tensors(file)?))),
    ("adaboost", |file| Ok(Box::new(AdaBoost::from_tensors(file)?))),
    ("forest", |file| Ok(Box::new(Forest::from_tensors(file)?))),
    ("gradient_boosting", |file| Ok(Box::new(GradientBoosting::from_tensors(file)?))),
    ("discriminant", |file| Ok(Box::new(Discriminant::from_tensors(file)?))),
    ("gaussian_nb", |file| Ok(Box::new(GaussianNb::from_tensors(file)?))),
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
    /// Rows, labels or weights.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A parameter.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// The loss of a network in training is no number any more.
    #[error("training diverged: the loss of epoch {epoch} is {loss}")]
    Diverged {
        /// Epoch, from 1.
        epoch: usize,
        /// Mean loss.
        loss: f64,
    },
    /// linfa's engine.
    #[error("linfa: {0}")]
    Linfa(String),
    /// The first member of an ensemble learned nothing.
    #[error(
        "the first `{learner}` misses a share of {error:.3} of the weights, no better than chance: \
         there is nothing to boost"
    )]
    NoBetterThanChance {
        /// Its kind.
        learner: &'static str,
        /// Share that it misses.
        error: f64,
    },
    /// Probabilities are needed of a learner that has none.
    #[error("`{learner}` gives no probabilities, which `SAMME.R` needs")]
    NoProbabilities {
        /// Its kind.
        learner: String,
    },
    /// A support vector machine.
    #[error(transparent)]
    Svc(SvcError),
    /// A kernel's features.
    #[error(transparent)]
    KernelMap(KernelMapError),
    /// A matrix that could not be decomposed.
    #[error(transparent)]
    Linalg(LinalgError),
    /// A search for parameters.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// A stored model could not be read.
    #[error(transparent)]
    TensorFile(#[from] TensorFileError),
}

impl From<linfa::Error> for LearnError {
    fn from(error: linfa::Error) -> Self {
        LearnError::Linfa(error.to_string())
    }
}

impl From<SvcError> for LearnError {
    fn from(error: SvcError) -> Self {
        match error {
            SvcError::Interrupted => LearnError::Interrupted,
            error => LearnError::Svc(error),
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

impl From<LinalgError> for LearnError {
    fn from(error: LinalgError) -> Self {
        match error {
            LinalgError::Interrupted => LearnError::Interrupted,
            error => LearnError::Linalg(error),
        }
    }
}

impl LearnError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            LearnError::Input(error) => error.hint(),
            LearnError::Svc(error) => error.hint(),
            LearnError::KernelMap(error) => error.hint(),
            LearnError::Selection(error) => error.hint(),
            LearnError::Diverged { .. } => {
                Some("lower `learning_rate`, or scale the features".to_owned())
            }
            LearnError::Interrupted
            | LearnError::Param(_)
            | LearnError::Linfa(_)
            | LearnError::TensorFile(_) => None,
            LearnError::NoBetterThanChance { .. } => {
                Some("give a learner that learns more, such as deeper trees".to_owned())
            }
            LearnError::NoProbabilities { .. } => {
                Some("use the algorithm `SAMME`, or another learner".to_owned())
            }
            LearnError::Linalg(_) => Some("scale the features: their squares overflow".to_owned()),
        }
    }
}

/// linfa's `Fit` (seed 0, no progress) for checked parameters, and `Predict` for the classifier that
/// they fit. `$params` has `fit_model(&self, Samples, u64, &dyn Progress) -> Result<$model, LearnError>`.
macro_rules! linfa_traits {
    ($params:ty, $model:ty) => {
        impl linfa::traits::Fit<$crate::data::Features, $crate::data::Labels, LearnError>
            for $params
        {
            type Object = $model;

            /// With seed 0 and the weights of the data set, if it has any.
            fn fit(
                &self,
                dataset: &linfa::DatasetBase<$crate::data::Features, $crate::data::Labels>,
            ) -> Result<$model, LearnError> {
                let weights: Option<Vec<f64>> =
                    dataset.weights().map(|all| all.iter().map(|&w| f64::from(w)).collect());
                let samples = $crate::learn::Samples {
                    features: &dataset.records,
                    labels: &dataset.targets,
                    weights: weights.as_deref(),
                };
                self.fit_model(samples, 0, &$crate::progress::Silent)
            }
        }

        impl linfa::traits::PredictInplace<$crate::data::Features, $crate::data::Labels>
            for $model
        {
            /// # Panics
            /// Where [`crate::learn::Classifier::predict`] gives an error: linfa's trait has no way to tell it.
            fn predict_inplace<'a>(
                &'a self,
                x: &'a $crate::data::Features,
                y: &mut $crate::data::Labels,
            ) {
                let silent = &$crate::progress::Silent;
                match $crate::learn::Classifier::predict(self, x, silent) {
                    Ok(labels) => *y = labels,
                    Err(error) => panic!("{error}"),
                }
            }

            fn default_target(&self, x: &$crate::data::Features) -> $crate::data::Labels {
                $crate::data::Labels::zeros(x.n_samples())
            }
        }

        impl linfa::traits::Predict<&$crate::data::Features, $crate::data::Labels> for $model {
            fn predict(&self, x: &$crate::data::Features) -> $crate::data::Labels {
                let mut labels = linfa::traits::PredictInplace::default_target(self, x);
                linfa::traits::PredictInplace::predict_inplace(self, x, &mut labels);
                labels
            }
        }
    };
}

pub(super) use linfa_traits;
