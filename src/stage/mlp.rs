//! `mlp`: a back-propagation network on pixels or features.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::classify::{Classify, DATA};
use super::{Accepts, Condition, Field, Kind, Stage, typed};
use crate::learn::mlp::{Activation, MlpParams};
use crate::learn::{LearnError, Learner};

/// The kind.
pub static MLP: Kind = Kind {
    name: "mlp",
    doc: "back-propagation network of fully connected layers (scikit-learn's MLPClassifier)",
    version: 1,
    seeded: true,
    inputs: DATA,
    fields: &[
        Field {
            name: "hidden",
            doc: "units of each hidden layer",
            accepts: Accepts::IntegerList { min: 1, max: 100_000, distinct: false },
            default: Some("[100]"),
            read_if: None,
        },
        Field {
            name: "activation",
            doc: "what a hidden unit does with its sum",
            accepts: Accepts::Choice(&["relu", "tanh", "logistic"]),
            default: Some("\"relu\""),
            read_if: None,
        },
        Field {
            name: "learning_rate",
            doc: "Adam's step size",
            accepts: Accepts::Number { min: 0.0, max: 10.0, above_min: true },
            default: Some("0.001"),
            read_if: None,
        },
        Field {
            name: "batch_size",
            doc: "samples of a step",
            accepts: Accepts::Integer { min: 1, max: 1_000_000 },
            default: Some("200"),
            read_if: None,
        },
        Field {
            name: "alpha",
            doc: "L2 penalty of the weights",
            accepts: Accepts::Number { min: 0.0, max: 1e6, above_min: false },
            default: Some("0.0001"),
            read_if: None,
        },
        Field {
            name: "max_iter",
            doc: "most epochs",
            accepts: Accepts::Integer { min: 1, max: 1_000_000 },
            default: Some("20"),
            read_if: None,
        },
        Field {
            name: "tol",
            doc: "improvement below which an epoch brings nothing",
            accepts: Accepts::Number { min: 0.0, max: 1.0, above_min: false },
            default: Some("0.0001"),
            read_if: None,
        },
        Field {
            name: "n_iter_no_change",
            doc: "training ends after more epochs in a row than this that bring nothing",
            accepts: Accepts::Integer { min: 1, max: 1_000_000 },
            default: Some("10"),
            read_if: None,
        },
        Field {
            name: "early_stopping",
            doc: "hold out training samples, whose accuracy decides when training ends",
            accepts: Accepts::Boolean,
            default: Some("false"),
            read_if: None,
        },
        Field {
            name: "validation_fraction",
            doc: "share of each class that is held out",
            accepts: Accepts::Number { min: 0.0, max: 0.9, above_min: true },
            default: Some("0.1"),
            read_if: Some(Condition { field: "early_stopping", is_one_of: &["true"] }),
        },
    ],
    cost_only: &[],
    produces: super::ArtifactType::Classifier,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MlpStage {
    hidden: Vec<usize>,
    activation: Activation,
    learning_rate: f64,
    batch_size: usize,
    alpha: f64,
    max_iter: usize,
    tol: f64,
    n_iter_no_change: usize,
    early_stopping: bool,
    validation_fraction: Option<f64>,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(Classify::new(learner, params))
}

/// The learner of a stage's parameters.
///
/// # Errors
/// Parameters that do not go together.
pub(super) fn learner(params: &Map<String, Value>) -> Result<Box<dyn Learner>, LearnError> {
    let stage: MlpStage = typed(params);
    let mut params = MlpParams::new()
        .hidden(stage.hidden)
        .activation(stage.activation)
        .learning_rate(stage.learning_rate)
        .batch_size(stage.batch_size)
        .alpha(stage.alpha)
        .max_iter(stage.max_iter)
        .tol(stage.tol)
        .n_iter_no_change(stage.n_iter_no_change)
        .early_stopping(stage.early_stopping);
    if let Some(fraction) = stage.validation_fraction {
        params = params.validation_fraction(fraction);
    }
    Ok(Box::new(params.check()?))
}
