//! `logistic`: logistic regression on pixels or features.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::classify::{Classify, DATA};
use super::{Accepts, Field, Kind, Stage, typed};
use crate::learn::logistic::{Engine, LogisticParams, Penalty};
use crate::learn::svm::ClassWeight;
use crate::learn::{LearnError, Learner};

/// The kind.
pub static LOGISTIC: Kind = Kind {
    name: "logistic",
    doc: "logistic regression (softmax over classes)",
    version: 1,
    seeded: false,
    inputs: DATA,
    fields: &[
        Field {
            name: "penalty",
            doc: "what coefficients cost: `l2` half their squares, `l1` their absolute values",
            accepts: Accepts::Choice(&["l2", "l1", "none"]),
            default: Some("\"l2\""),
            read_if: None,
        },
        Field {
            name: "c",
            doc: "what the losses count against the penalty",
            accepts: Accepts::Number { min: 0.0, max: 1e12, above_min: true },
            default: Some("1.0"),
            read_if: None,
        },
        Field {
            name: "fit_intercept",
            doc: "have a constant for each class, which costs nothing",
            accepts: Accepts::Boolean,
            default: Some("true"),
            read_if: None,
        },
        Field {
            name: "class_weight",
            doc: "`balanced` makes up for classes of unequal size",
            accepts: Accepts::Choice(&["uniform", "balanced"]),
            default: Some("\"uniform\""),
            read_if: None,
        },
        Field {
            name: "tol",
            doc: "largest partial derivative at which fitting ends, losses averaged",
            accepts: Accepts::Number { min: 0.0, max: 1.0, above_min: true },
            default: Some("0.0001"),
            read_if: None,
        },
        Field {
            name: "max_iter",
            doc: "most iterations",
            accepts: Accepts::Integer { min: 1, max: 1_000_000 },
            default: Some("100"),
            read_if: None,
        },
        Field {
            name: "engine",
            doc: "`native`, or `linfa` to compare with linfa-logistic",
            accepts: Accepts::Choice(&["native", "linfa"]),
            default: Some("\"native\""),
            read_if: None,
        },
    ],
    cost_only: &[],
    produces: super::ArtifactType::Classifier,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogisticStage {
    penalty: Penalty,
    c: f64,
    fit_intercept: bool,
    class_weight: ClassWeight,
    tol: f64,
    max_iter: usize,
    engine: Engine,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(Classify::new(learner, params))
}

/// The learner of a stage's parameters.
///
/// # Errors
/// Parameters that do not go together.
pub(super) fn learner(params: &Map<String, Value>) -> Result<Box<dyn Learner>, LearnError> {
    let stage: LogisticStage = typed(params);
    let params = LogisticParams::new()
        .penalty(stage.penalty)
        .c(stage.c)
        .fit_intercept(stage.fit_intercept)
        .class_weight(stage.class_weight)
        .tol(stage.tol)
        .max_iter(stage.max_iter)
        .engine(stage.engine)
        .check()?;
    Ok(Box::new(params))
}
