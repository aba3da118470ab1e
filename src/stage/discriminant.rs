//! `discriminant`: Bayes' classifier for normal classes, on pixels or features.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::classify::{Classify, DATA};
use super::fisher::{SHRINKAGE, shrinkage_of};
use super::svm::WordOrNumber;
use super::{Accepts, Field, Kind, Stage, typed};
use crate::learn::discriminant::{Covariance, DiscriminantParams};
use crate::learn::{LearnError, Learner, Priors};

/// The parameter `priors` of every kind that has them.
pub(super) const PRIORS: Field = Field {
    name: "priors",
    doc: "probabilities of the classes beforehand: `empirical` as in the training rows, or `uniform`",
    accepts: Accepts::Choice(&["empirical", "uniform"]),
    default: Some("\"empirical\""),
    read_if: None,
};

/// Priors as the field spells them.
pub(super) fn priors_of(word: &str) -> Priors {
    if word == "uniform" { Priors::Uniform } else { Priors::Empirical }
}

/// The kind.
pub static DISCRIMINANT: Kind = Kind {
    name: "discriminant",
    doc: "discriminant functions of normal classes: nearest mean, linear (LDA), quadratic (QDA)",
    version: 1,
    seeded: false,
    inputs: DATA,
    fields: &[
        Field {
            name: "covariance",
            doc: "`spherical`: case I, nearest mean; `shared`: case II, LDA; `per_class`: case III, QDA",
            accepts: Accepts::Choice(&["spherical", "shared", "per_class"]),
            default: Some("\"shared\""),
            read_if: None,
        },
        PRIORS,
        SHRINKAGE,
    ],
    cost_only: &[],
    produces: super::ArtifactType::Classifier,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DiscriminantStage {
    covariance: Covariance,
    priors: String,
    shrinkage: WordOrNumber,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(Classify::new(learner, params))
}

/// The learner of a stage's parameters.
///
/// # Errors
/// Parameters that do not go together.
pub(super) fn learner(params: &Map<String, Value>) -> Result<Box<dyn Learner>, LearnError> {
    let stage: DiscriminantStage = typed(params);
    let params = DiscriminantParams::new()
        .covariance(stage.covariance)
        .priors(priors_of(&stage.priors))
        .shrinkage(shrinkage_of(&stage.shrinkage))
        .check()?;
    Ok(Box::new(params))
}
