//! `gaussian_nb`: Gaussian naive Bayes on pixels or features.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::classify::{Classify, DATA};
use super::discriminant::{PRIORS, priors_of};
use super::{Accepts, Field, Kind, Stage, typed};
use crate::learn::naive_bayes::{GaussianNbEngine, GaussianNbParams};
use crate::learn::{LearnError, Learner};

/// The kind.
pub static GAUSSIAN_NB: Kind = Kind {
    name: "gaussian_nb",
    doc: "Gaussian naive Bayes: features independent and normal within a class",
    version: 1,
    seeded: false,
    inputs: DATA,
    fields: &[
        PRIORS,
        Field {
            name: "var_smoothing",
            doc: "share of the largest variance of any feature that is added to all variances",
            accepts: Accepts::Number { min: 0.0, max: 1e6, above_min: false },
            default: Some("1e-9"),
            read_if: None,
        },
        Field {
            name: "engine",
            doc: "`native`, or `linfa` to compare with linfa-bayes",
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
struct GaussianNbStage {
    priors: String,
    var_smoothing: f64,
    engine: String,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(Classify::new(learner, params))
}

/// The learner of a stage's parameters.
///
/// # Errors
/// Parameters that do not go together.
pub(super) fn learner(params: &Map<String, Value>) -> Result<Box<dyn Learner>, LearnError> {
    let stage: GaussianNbStage = typed(params);
    let params = GaussianNbParams::new()
        .priors(priors_of(&stage.priors))
        .var_smoothing(stage.var_smoothing)
        .engine(match stage.engine.as_str() {
            "linfa" => GaussianNbEngine::Linfa,
            _ => GaussianNbEngine::Native,
        })
        .check()?;
    Ok(Box::new(params))
}
