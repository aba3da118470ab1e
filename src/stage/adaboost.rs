//! `adaboost`: boosting of another kind of learner on pixels or features.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::classify::{Classify, DATA};
use super::search::{learners, named_learner};
use super::{Accepts, Field, Kind, Stage, typed};
use crate::learn::adaboost::{AdaBoostParams, Algorithm};
use crate::learn::{LearnError, Learner};

/// Members that are trees are stumps unless the pipeline file says otherwise.
const STUMPS: &[(&str, &str, &str)] = &[("decision_tree", "max_depth", "1")];

/// The kind.
pub static ADABOOST: Kind = Kind {
    name: "adaboost",
    doc: "boosting of any learner that weighs samples (scikit-learn's AdaBoostClassifier)",
    version: 1,
    seeded: true,
    inputs: DATA,
    fields: &[
        Field {
            name: "learner",
            doc: "kind of the members",
            accepts: Accepts::ChoiceOf(learners),
            default: Some("\"decision_tree\""),
            read_if: None,
        },
        Field {
            name: "params",
            doc: "the members' parameters; a decision tree has `max_depth = 1` if it is not given",
            accepts: Accepts::Fixed { grid: None, defaults: STUMPS },
            default: Some("{}"),
            read_if: None,
        },
        Field {
            name: "algorithm",
            doc: "`SAMME`: members vote by class; `SAMME.R`: by probabilities",
            accepts: Accepts::Choice(&["SAMME", "SAMME.R"]),
            default: Some("\"SAMME\""),
            read_if: None,
        },
        Field {
            name: "n_estimators",
            doc: "most members",
            accepts: Accepts::Integer { min: 1, max: 1_000_000 },
            default: Some("50"),
            read_if: None,
        },
        Field {
            name: "learning_rate",
            doc: "factor of the votes, and of the logarithms that weights grow by",
            accepts: Accepts::Number { min: 0.0, max: 1e6, above_min: true },
            default: Some("1.0"),
            read_if: None,
        },
    ],
    cost_only: &[],
    produces: super::ArtifactType::Classifier,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdaBoostStage {
    learner: String,
    params: Map<String, Value>,
    algorithm: Algorithm,
    n_estimators: usize,
    learning_rate: f64,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(Classify::new(learner, params))
}

/// The learner of a stage's parameters.
///
/// # Errors
/// A learner that cannot weigh samples, or parameters that do not go together.
pub(super) fn learner(params: &Map<String, Value>) -> Result<Box<dyn Learner>, LearnError> {
    let mut stage: AdaBoostStage = typed(params);
    for (_, name, text) in STUMPS.iter().filter(|(kind, ..)| *kind == stage.learner) {
        let value = || serde_json::from_str(text).unwrap_or_default();
        stage.params.entry(*name).or_insert_with(value);
    }
    let (kind, build) = named_learner(&stage.learner)
        .unwrap_or_else(|| panic!("learner `{}` was not checked", stage.learner));
    let base = build(&kind.params(&stage.params))?;
    let params = AdaBoostParams::new(base, kind.name)
        .algorithm(stage.algorithm)
        .n_estimators(stage.n_estimators)
        .learning_rate(stage.learning_rate);
    Ok(Box::new(params.check()?))
}
