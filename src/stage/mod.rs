//! Stage kinds: what a pipeline file can declare, and what each makes.
//!
//! A stage is a kind, parameters and named inputs; it makes one [`Artifact`]. It knows no engine:
//! inputs in, artifact out, nothing read or written besides them and its scratch directory. The
//! engine knows no kind: it sees [`Kind`] and [`Stage`] only.

mod adaboost;
mod architecture;
mod artifact;
mod augment;
mod classify;
mod cnn;
mod dataset;
mod decision_tree;
mod disagreements;
mod discriminant;
mod ensemble;
mod evaluate;
mod features;
mod field;
mod fisher;
mod forecast;
mod forest;
mod fourier;
mod gaussian_nb;
mod gradient_boosting;
mod hog;
mod kmeans;
mod knn;
mod linear_svm;
mod logistic;
mod mlp;
mod nystroem;
mod pca;
mod perceptron;
mod prepare;
mod random_projection;
mod robustness;
mod scale;
mod search;
mod split;
mod subset;
mod svm;
mod svm_file;
mod transform;
mod why;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Value};

use artifact::test_digest;
pub use artifact::{
    Artifact, ArtifactType, FeatureTable, FittedClassifier, FittedEnsemble, FittedModel, TableView,
    TestScores, TrainedNetwork,
};
pub use augment::TRANSFORMS;
pub use cnn::{CNN, training_recipe};
pub use evaluate::{EvaluatedModel, EvaluatedNetwork, Evaluation};
pub use field::{Accepts, Condition, Field};
pub use forecast::{Forecast, Foreseen, PastRun};
pub use search::{Distribution, MAX_CANDIDATES, searched_learner};

pub use crate::data::TableShape;

use crate::data::{DataError, Sources, TensorFileError};
use crate::explain::ExplainError;
use crate::learn::{LearnError, Learner};
use crate::metrics::MetricsError;
use crate::model::ModelError;
use crate::nn::NnError;
use crate::progress::Progress;

/// Every kind a pipeline file can name.
pub static KINDS: &[&Kind] = &[
    &dataset::DATASET,
    &subset::SUBSET,
    &split::SPLIT,
    &prepare::RESIZE,
    &prepare::GRAY,
    &prepare::INVERT,
    &prepare::CENTRE,
    &augment::AUGMENT,
    &CNN,
    &ensemble::ENSEMBLE,
    &features::FEATURES,
    &hog::HOG,
    &scale::SCALE,
    &pca::PCA,
    &fisher::FISHER,
    &random_projection::RANDOM_PROJECTION,
    &nystroem::NYSTROEM,
    &fourier::FOURIER,
    &knn::KNN,
    &kmeans::KMEANS,
    &svm::SVM,
    &svm_file::SVM_FILE,
    &linear_svm::LINEAR_SVM,
    &logistic::LOGISTIC,
    &perceptron::PERCEPTRON,
    &mlp::MLP,
    &discriminant::DISCRIMINANT,
    &gaussian_nb::GAUSSIAN_NB,
    &decision_tree::DECISION_TREE,
    &forest::RANDOM_FOREST,
    &forest::EXTRA_TREES,
    &adaboost::ADABOOST,
    &gradient_boosting::GRADIENT_BOOSTING,
    &search::SEARCH,
    &evaluate::EVALUATE,
    &robustness::ROBUSTNESS,
];

/// Builds a learner from parameters that passed the check of its kind's fields.
pub type BuildLearner = fn(&Map<String, Value>) -> Result<Box<dyn Learner>, LearnError>;

/// Kinds that fit a classifier to the rows of their input `data`, with the learner that does it.
pub static LEARNERS: &[(&Kind, BuildLearner)] = &[
    (&knn::KNN, knn::learner),
    (&kmeans::KMEANS, kmeans::learner),
    (&svm::SVM, svm::learner),
    (&linear_svm::LINEAR_SVM, linear_svm::learner),
    (&logistic::LOGISTIC, logistic::learner),
    (&perceptron::PERCEPTRON, perceptron::learner),
    (&mlp::MLP, mlp::learner),
    (&discriminant::DISCRIMINANT, discriminant::learner),
    (&gaussian_nb::GAUSSIAN_NB, gaussian_nb::learner),
    (&decision_tree::DECISION_TREE, decision_tree::learner),
    (&forest::RANDOM_FOREST, forest::random_forest),
    (&forest::EXTRA_TREES, forest::extra_trees),
    (&adaboost::ADABOOST, adaboost::learner),
    (&gradient_boosting::GRADIENT_BOOSTING, gradient_boosting::learner),
];

/// One kind of stage: its contract with the pipeline file and with the cache.
pub struct Kind {
    /// Name in `kind = "…"`.
    pub name: &'static str,
    /// One line for `--help` and error messages.
    pub doc: &'static str,
    /// Raised whenever the same parameters and inputs would give another artifact.
    pub version: u32,
    /// True if the artifact depends on the seed.
    pub seeded: bool,
    /// Named inputs.
    pub inputs: &'static [InputSpec],
    /// Parameters.
    pub fields: &'static [Field],
    /// Names of those that change what a run costs and never the artifact: they are no part of its
    /// key.
    pub cost_only: &'static [&'static str],
    /// What the stage makes.
    pub produces: ArtifactType,
    /// Builds the stage from parameters that passed the check of `fields`, defaults filled in.
    pub build: fn(&Map<String, Value>) -> Box<dyn Stage>,
}

impl Kind {
    /// Parameters as a stage of this kind gets them: `chosen`, which the caller vouches for, and the
    /// defaults of the other fields that are read.
    pub fn params(&self, chosen: &Map<String, Value>) -> Map<String, Value> {
        let mut params = Map::new();
        for field in self.fields {
            let value = chosen.get(field.name).cloned().or_else(|| field.default_value());
            if let Some(value) = value.filter(|_| field.is_read(&params)) {
                params.insert(field.name.to_owned(), value);
            }
        }
        params
    }

    /// The parameters that an artifact depends on: those of its key.
    pub fn result_params(&self, params: &Map<String, Value>) -> Map<String, Value> {
        let mut kept = params.clone();
        kept.retain(|name, _| !self.cost_only.contains(&name.as_str()));
        if let Some(learner) = searched_learner(params) {
            let of_learner = |field: &&Field| matches!(field.accepts, Accepts::Fixed { .. });
            for field in self.fields.iter().filter(of_learner) {
                if let Some(Value::Object(fixed)) = kept.get_mut(field.name) {
                    *fixed = learner.result_params(fixed);
                }
            }
        }
        kept
    }
}

/// One named input of a kind: `inputs = { NAME = "stage" }`, or a list of stages if `many`.
pub struct InputSpec {
    /// Name of the input.
    pub name: &'static str,
    /// Artifacts it takes.
    pub accepts: &'static [ArtifactType],
    /// A list of stages rather than one.
    pub many: bool,
    /// Whether it must be given.
    pub required: bool,
    /// One line for error messages.
    pub doc: &'static str,
}

/// A configured stage.
pub trait Stage: Send + Sync {
    /// Makes the artifact.
    ///
    /// # Errors
    /// [`StageError::Interrupted`] once `context.progress` says so; else what went wrong.
    fn run(&self, inputs: &Inputs, context: &Context) -> Result<Output, StageError>;

    /// Shape of the tables that it will make, where that is known.
    fn foresee_shape(&self, _foreseen: &Foreseen) -> Option<TableShape> {
        None
    }

    /// What it will cost, from runs of stages alike; none where nothing is known.
    fn foresee_cost(&self, _foreseen: &Foreseen, _past: &[PastRun]) -> Option<Forecast> {
        None
    }
}

/// What a stage hands back.
pub struct Output {
    /// The artifact.
    pub artifact: Artifact,
    /// False if the same key could give another artifact next time (a data set that fell back to
    /// generated images, files that may change): later runs make it again and compare digests.
    pub reusable: bool,
    /// Figures that differ from run to run (times, hit rates). They are kept with the artifact but
    /// are no part of it: equal models give equal digests, whatever the machine was doing.
    pub notes: Map<String, Value>,
}

/// The artifacts of a stage's inputs.
#[derive(Default)]
pub struct Inputs {
    entries: Vec<InputArtifact>,
}

/// One artifact with the input it fills and the stage that made it.
pub struct InputArtifact {
    /// Name of the input in the kind.
    pub input: String,
    /// Stage that made the artifact.
    pub stage_id: String,
    /// The artifact.
    pub artifact: Arc<Artifact>,
}

impl Inputs {
    /// Adds an artifact; order within one input is kept.
    pub fn push(&mut self, input: &str, stage_id: &str, artifact: Arc<Artifact>) {
        self.entries.push(InputArtifact {
            input: input.to_owned(),
            stage_id: stage_id.to_owned(),
            artifact,
        });
    }

    /// All artifacts of one input, in the order of the pipeline file.
    pub fn all<'a>(&'a self, input: &'a str) -> impl Iterator<Item = &'a InputArtifact> {
        self.entries.iter().filter(move |entry| entry.input == input)
    }

    /// Each entry with the shape of its tables.
    pub fn shapes(&self) -> Vec<(String, Option<TableShape>)> {
        self.entries.iter().map(|entry| (entry.input.clone(), entry.artifact.shape())).collect()
    }

    /// The artifact of an input that is not `many`.
    ///
    /// # Panics
    /// If the input is absent: the configuration was checked before.
    pub fn one<'a>(&'a self, input: &'a str) -> &'a InputArtifact {
        self.all(input).next().unwrap_or_else(|| panic!("input `{input}` was not checked"))
    }
}

/// What a running stage may use besides its inputs.
pub struct Context<'a> {
    /// Seed of the run.
    pub seed: u64,
    /// Directory private to this stage's key. What is written here survives an interruption and is
    /// there again when the same stage is next tried (checkpoints); the engine removes it once the
    /// artifact is stored.
    pub scratch: &'a Path,
    /// Where data sets are looked for.
    pub sources: &'a Sources,
    /// Progress and interruption.
    pub progress: &'a dyn Progress,
}

/// Why a stage failed.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The user asked to stop; what the stage left in its scratch directory lets it go on.
    #[error("interrupted")]
    Interrupted,
    /// The data could not be had.
    #[error(transparent)]
    Data(DataError),
    /// A network could not be built, trained or applied.
    #[error(transparent)]
    Nn(NnError),
    /// A fitted model could not be applied to new images.
    #[error(transparent)]
    Model(ModelError),
    /// A classical learner could not be fitted or applied.
    #[error(transparent)]
    Learn(LearnError),
    /// What speaks for decisions could not be found.
    #[error(transparent)]
    Explain(Box<ExplainError>),
    /// Labels and predictions do not go together.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A model labelled other images than those it is to be judged by.
    #[error("model `{model}` labelled other test images than those of `{data}`")]
    OtherTestImages {
        /// Stage of the model.
        model: String,
        /// Stage of the data that the evaluation names.
        data: String,
    },
    /// An artifact could not be read or written.
    #[error(transparent)]
    TensorFile(#[from] TensorFileError),
}

/// A room's `Interrupted` becomes the stage's, so that the engine sees one.
macro_rules! from_room_error {
    ($error:ident, $variant:ident) => {
        impl From<$error> for StageError {
            fn from(error: $error) -> Self {
                match error {
                    $error::Interrupted => StageError::Interrupted,
                    error => StageError::$variant(error),
                }
            }
        }
    };
}

from_room_error!(DataError, Data);
from_room_error!(NnError, Nn);
from_room_error!(LearnError, Learn);
from_room_error!(ModelError, Model);

impl From<ExplainError> for StageError {
    fn from(error: ExplainError) -> Self {
        match error {
            ExplainError::Interrupted => StageError::Interrupted,
            error => StageError::Explain(Box::new(error)),
        }
    }
}

impl StageError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            StageError::Data(error) => error.hint(),
            StageError::Nn(error) => error.hint(),
            StageError::Learn(error) => error.hint(),
            StageError::Explain(error) => error.hint(),
            StageError::Model(error) => error.hint(),
            StageError::Metrics(error) => error.hint(),
            StageError::OtherTestImages { .. } => Some(
                "evaluate a model on the data that its own rows come from; models on the \
                 official test images and on a `split` need an `evaluate` stage each"
                    .to_owned(),
            ),
            StageError::Interrupted | StageError::TensorFile(_) => None,
        }
    }
}

/// Parameters as their type.
///
/// # Panics
/// If a kind's fields and its parameter type disagree; a test builds every kind.
fn typed<T: serde::de::DeserializeOwned>(params: &Map<String, Value>) -> T {
    serde_json::from_value(Value::Object(params.clone()))
        .unwrap_or_else(|error| panic!("fields and parameters of a stage disagree: {error}"))
}

/// The members of a JSON object; none of another value.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Cost of one call.
struct Cost {
    seconds: f64,
    cpu_seconds: f64,
}

/// Calls `work` and says what it cost, all threads of the process counted.
fn measure<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let (wall, cpu) = (Instant::now(), cpu_time::ProcessTime::now());
    let value = work();
    let seconds = wall.elapsed().as_secs_f64();
    (value, Cost { seconds, cpu_seconds: cpu.elapsed().as_secs_f64() })
}

#[cfg(test)]
mod learner_tests;
#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_only_changes_the_cost_is_a_parameter() {
        for kind in KINDS {
            for name in kind.cost_only {
                let is_field = kind.fields.iter().any(|field| field.name == *name);
                assert!(is_field, "`{}` has no `{name}`", kind.name);
            }
        }
    }

    #[test]
    fn a_search_leaves_out_what_its_learner_does() {
        let params = |cache_mib: &str| {
            object(json!({ "learner": "svm", "params": { "tol": 0.1, "cache_mib": cache_mib } }))
        };
        let kept = search::SEARCH.result_params(&params("auto"));
        assert_eq!(Value::Object(kept), json!({ "learner": "svm", "params": { "tol": 0.1 } }));
    }

    #[test]
    fn every_kind_builds_from_its_defaults_under_every_choice() {
        for kind in KINDS {
            let mut params = Map::new();
            for field in kind.fields {
                let value = field.default_value().unwrap_or_else(|| match &field.accepts {
                    Accepts::Text => Value::from("file"),
                    Accepts::ChoiceOf(words) | Accepts::NameOrFile { names: words, .. } => {
                        Value::from(words()[0].clone())
                    }
                    Accepts::Grid { .. } => Value::Object(Map::new()),
                    Accepts::WordOrSize { .. } => json!([8, 8]),
                    _ => panic!("`{}.{}` needs a default in this test", kind.name, field.name),
                });
                params.insert(field.name.to_owned(), value);
            }
            for field in kind.fields {
                let Accepts::Choice(words) = &field.accepts else { continue };
                for word in *words {
                    let mut chosen = params.clone();
                    chosen.insert(field.name.to_owned(), Value::from(*word));
                    chosen.retain(|name, _| {
                        let read_if = kind
                            .fields
                            .iter()
                            .find(|field| field.name == name.as_str())
                            .and_then(|field| field.read_if.as_ref());
                        read_if.is_none_or(|condition| {
                            let value = params[condition.field].as_str().unwrap_or_default();
                            let value = if condition.field == field.name { word } else { value };
                            condition.is_one_of.contains(&value)
                        })
                    });
                    (kind.build)(&chosen);
                }
            }
            (kind.build)(&params);
        }
    }
}
