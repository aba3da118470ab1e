//! `perceptron`: Rosenblatt's perceptron on pixels or features.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::classify::{Classify, DATA};
use super::{Accepts, Field, Kind, Stage, typed};
use crate::learn::perceptron::{PerceptronParams, Variant};
use crate::learn::{LearnError, Learner};

/// The kind.
pub static PERCEPTRON: Kind = Kind {
    name: "perceptron",
    doc: "perceptron: linear decisions corrected at every mistake",
    version: 1,
    seeded: true,
    inputs: DATA,
    fields: &[
        Field {
            name: "variant",
            doc: "`one_vs_rest`: each class against the others; `multiclass`: all classes at once",
            accepts: Accepts::Choice(&["one_vs_rest", "multiclass"]),
            default: Some("\"one_vs_rest\""),
            read_if: None,
        },
        Field {
            name: "averaged",
            doc: "keep the mean of the coefficients after every sample instead of the last ones",
            accepts: Accepts::Boolean,
            default: Some("false"),
            read_if: None,
        },
        Field {
            name: "fit_intercept",
            doc: "have a constant for each class",
            accepts: Accepts::Boolean,
            default: Some("true"),
            read_if: None,
        },
        Field {
            name: "max_iter",
            doc: "most epochs",
            accepts: Accepts::Integer { min: 1, max: 1_000_000 },
            default: Some("1000"),
            read_if: None,
        },
        Field {
            name: "tol",
            doc: "decrease of the mean loss below which an epoch brings nothing",
            accepts: Accepts::Number { min: 0.0, max: 1e6, above_min: false },
            default: Some("0.001"),
            read_if: None,
        },
        Field {
            name: "n_iter_no_change",
            doc: "epochs in a row that bring nothing, at which fitting ends",
            accepts: Accepts::Integer { min: 1, max: 1_000_000 },
            default: Some("5"),
            read_if: None,
        },
    ],
    cost_only: &[],
    produces: super::ArtifactType::Classifier,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PerceptronStage {
    variant: Variant,
    averaged: bool,
    fit_intercept: bool,
    max_iter: usize,
    tol: f64,
    n_iter_no_change: usize,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(Classify::new(learner, params))
}

/// The learner of a stage's parameters.
///
/// # Errors
/// Parameters that do not go together.
pub(super) fn learner(params: &Map<String, Value>) -> Result<Box<dyn Learner>, LearnError> {
    let stage: PerceptronStage = typed(params);
    let params = PerceptronParams::new()
        .variant(stage.variant)
        .averaged(stage.averaged)
        .fit_intercept(stage.fit_intercept)
        .max_iter(stage.max_iter)
        .tol(stage.tol)
        .n_iter_no_change(stage.n_iter_no_change)
        .check()?;
    Ok(Box::new(params))
}
