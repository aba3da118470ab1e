//! `linear_svm`: a linear support vector classifier on pixels or features.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::classify::{Classify, DATA};
use super::{Accepts, Condition, Field, Kind, Stage, typed};
use crate::learn::linear_svm::{LinearSvcParams, Loss, MultiClass, Solver};
use crate::learn::svm::ClassWeight;
use crate::learn::{LearnError, Learner};

/// The kind.
pub static LINEAR_SVM: Kind = Kind {
    name: "linear_svm",
    doc: "linear support vector classifier (scikit-learn's LinearSVC)",
    version: 1,
    seeded: true,
    inputs: DATA,
    fields: &[
        Field {
            name: "c",
            doc: "penalty of a margin violation",
            accepts: Accepts::Number { min: 0.0, max: 1e12, above_min: true },
            default: Some("1.0"),
            read_if: None,
        },
        Field {
            name: "loss",
            doc: "what a margin violation v costs: `hinge` v, `squared_hinge` v^2",
            accepts: Accepts::Choice(&["squared_hinge", "hinge"]),
            default: Some("\"squared_hinge\""),
            read_if: None,
        },
        Field {
            name: "multi_class",
            doc: "`ovr`: each class against the rest; `ovo`: each pair of classes",
            accepts: Accepts::Choice(&["ovr", "ovo"]),
            default: Some("\"ovr\""),
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
            name: "fit_intercept",
            doc: "add a constant feature whose weight gives the intercept",
            accepts: Accepts::Boolean,
            default: Some("true"),
            read_if: None,
        },
        Field {
            name: "intercept_scaling",
            doc: "value of the constant feature; the larger, the less the intercept is penalised",
            accepts: Accepts::Number { min: 0.0, max: 1e6, above_min: true },
            default: Some("1.0"),
            read_if: None,
        },
        Field {
            name: "tol",
            doc: "largest violation of the optimality conditions at which fitting ends",
            accepts: Accepts::Number { min: 0.0, max: 1.0, above_min: true },
            default: Some("0.0001"),
            read_if: None,
        },
        Field {
            name: "max_iter",
            doc: "most sweeps over the samples, or steps of Newton's method",
            accepts: Accepts::Integer { min: 1, max: 1_000_000_000 },
            default: Some("1000"),
            read_if: None,
        },
        Field {
            name: "solver",
            doc: "`dcd`: dual coordinate descent; `newton`: up to 3,000 features; `auto` chooses",
            accepts: Accepts::Choice(&["auto", "dcd", "newton"]),
            default: Some("\"auto\""),
            read_if: Some(Condition { field: "loss", is_one_of: &["squared_hinge"] }),
        },
    ],
    cost_only: &[],
    produces: super::ArtifactType::Classifier,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinearSvmStage {
    c: f64,
    loss: Loss,
    multi_class: MultiClass,
    class_weight: ClassWeight,
    fit_intercept: bool,
    intercept_scaling: f64,
    tol: f64,
    max_iter: u64,
    solver: Option<Solver>,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(Classify::new(learner, params))
}

/// The learner of a stage's parameters.
///
/// # Errors
/// Parameters that do not go together.
pub(super) fn learner(params: &Map<String, Value>) -> Result<Box<dyn Learner>, LearnError> {
    let stage: LinearSvmStage = typed(params);
    let params = LinearSvcParams::new()
        .c(stage.c)
        .loss(stage.loss)
        .multi_class(stage.multi_class)
        .class_weight(stage.class_weight)
        .fit_intercept(stage.fit_intercept)
        .intercept_scaling(stage.intercept_scaling)
        .tol(stage.tol)
        .max_iter(stage.max_iter)
        .solver(stage.solver.unwrap_or(Solver::Auto))
        .check()?;
    Ok(Box::new(params))
}
