//! `gradient_boosting`: gradient boosted trees on pixels or features.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::classify::{Classify, DATA};
use super::decision_tree::WordOrCount;
use super::{Accepts, Condition, Field, Kind, Stage, typed};
use crate::learn::gradient_boosting::{EarlyStopping, GradientBoostingParams};
use crate::learn::{LearnError, Learner};

const WITH_EARLY_STOPPING: Condition = Condition { field: "early_stopping", is_one_of: &["true"] };

/// The kind.
pub static GRADIENT_BOOSTING: Kind = Kind {
    name: "gradient_boosting",
    doc: "gradient boosted trees (scikit-learn's HistGradientBoostingClassifier)",
    version: 1,
    seeded: true,
    inputs: DATA,
    fields: &[
        Field {
            name: "n_estimators",
            doc: "most rounds; each adds a tree a class, or one tree for two classes",
            accepts: Accepts::Integer { min: 1, max: 1_000_000 },
            default: Some("100"),
            read_if: None,
        },
        Field {
            name: "learning_rate",
            doc: "share of a leaf's step that is taken",
            accepts: Accepts::Number { min: 0.0, max: 10.0, above_min: true },
            default: Some("0.1"),
            read_if: None,
        },
        Field {
            name: "max_leaf_nodes",
            doc: "most leaves of a tree; those whose cut gains most are cut first",
            accepts: Accepts::WordOrInteger { words: &["none"], min: 2 },
            default: Some("31"),
            read_if: None,
        },
        Field {
            name: "max_depth",
            doc: "most edges from the root to a leaf",
            accepts: Accepts::WordOrInteger { words: &["none"], min: 1 },
            default: Some("\"none\""),
            read_if: None,
        },
        Field {
            name: "min_samples_leaf",
            doc: "fewest rows of a leaf",
            accepts: Accepts::Integer { min: 1, max: 1_000_000_000 },
            default: Some("20"),
            read_if: None,
        },
        Field {
            name: "min_child_weight",
            doc: "least sum of second derivatives of the loss over the rows of a leaf",
            accepts: Accepts::Number { min: 0.0, max: 1e12, above_min: false },
            default: Some("0.001"),
            read_if: None,
        },
        Field {
            name: "l2_regularization",
            doc: "penalty of half the square of a leaf's value",
            accepts: Accepts::Number { min: 0.0, max: 1e12, above_min: false },
            default: Some("0.0"),
            read_if: None,
        },
        Field {
            name: "subsample",
            doc: "share of the rows that the trees of a round grow on, drawn anew each round",
            accepts: Accepts::Number { min: 0.0, max: 1.0, above_min: true },
            default: Some("1.0"),
            read_if: None,
        },
        Field {
            name: "colsample",
            doc: "share of the features that a tree may cut, drawn anew for each",
            accepts: Accepts::Number { min: 0.0, max: 1.0, above_min: true },
            default: Some("1.0"),
            read_if: None,
        },
        Field {
            name: "early_stopping",
            doc: "hold out training rows and end when their loss no longer falls",
            accepts: Accepts::Boolean,
            default: Some("false"),
            read_if: None,
        },
        Field {
            name: "validation_fraction",
            doc: "share of the training rows of each class that is held out",
            accepts: Accepts::Number { min: 0.0, max: 0.9, above_min: true },
            default: Some("0.1"),
            read_if: Some(WITH_EARLY_STOPPING),
        },
        Field {
            name: "n_iter_no_change",
            doc: "rounds without improvement after which fitting ends",
            accepts: Accepts::Integer { min: 1, max: 1_000_000 },
            default: Some("10"),
            read_if: Some(WITH_EARLY_STOPPING),
        },
        Field {
            name: "tol",
            doc: "what the loss of the rows held out must fall by to count as an improvement",
            accepts: Accepts::Number { min: 0.0, max: 1.0, above_min: false },
            default: Some("0.0000001"),
            read_if: Some(WITH_EARLY_STOPPING),
        },
    ],
    cost_only: &[],
    produces: super::ArtifactType::Classifier,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GradientBoostingStage {
    n_estimators: usize,
    learning_rate: f64,
    max_leaf_nodes: WordOrCount,
    max_depth: WordOrCount,
    min_samples_leaf: usize,
    min_child_weight: f64,
    l2_regularization: f64,
    subsample: f64,
    colsample: f64,
    early_stopping: bool,
    validation_fraction: Option<f64>,
    n_iter_no_change: Option<usize>,
    tol: Option<f64>,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(Classify::new(learner, params))
}

/// The learner of a stage's parameters.
///
/// # Errors
/// Parameters that do not go together.
pub(super) fn learner(params: &Map<String, Value>) -> Result<Box<dyn Learner>, LearnError> {
    let stage: GradientBoostingStage = typed(params);
    let default = EarlyStopping::default();
    let early_stopping = stage.early_stopping.then(|| EarlyStopping {
        validation_fraction: stage.validation_fraction.unwrap_or(default.validation_fraction),
        n_iter_no_change: stage.n_iter_no_change.unwrap_or(default.n_iter_no_change),
        tol: stage.tol.unwrap_or(default.tol),
    });
    let params = GradientBoostingParams::new()
        .n_estimators(stage.n_estimators)
        .learning_rate(stage.learning_rate)
        .max_leaf_nodes(stage.max_leaf_nodes.count())
        .max_depth(stage.max_depth.count())
        .min_samples_leaf(stage.min_samples_leaf)
        .min_child_weight(stage.min_child_weight)
        .l2_regularization(stage.l2_regularization)
        .subsample(stage.subsample)
        .colsample(stage.colsample)
        .early_stopping(early_stopping)
        .check()?;
    Ok(Box::new(params))
}
