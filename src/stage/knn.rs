//! `knn`: k nearest neighbours on pixels or features.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::classify::{Classify, DATA};
use super::{Accepts, Field, Kind, Stage, typed};
use crate::learn::knn::{Engine, KnnParams, Metric, Weights};
use crate::learn::{LearnError, Learner};

/// The kind.
pub static KNN: Kind = Kind {
    name: "knn",
    doc: "k nearest neighbours by exact search",
    version: 1,
    seeded: false,
    inputs: DATA,
    fields: &[
        Field {
            name: "n_neighbors",
            doc: "neighbours that vote",
            accepts: Accepts::Integer { min: 1, max: 1_000_000 },
            default: Some("5"),
            read_if: None,
        },
        Field {
            name: "metric",
            doc: "distance between rows",
            accepts: Accepts::Choice(&["euclidean", "manhattan", "cosine"]),
            default: Some("\"euclidean\""),
            read_if: None,
        },
        Field {
            name: "weights",
            doc: "what a neighbour's vote counts: `uniform` 1, `distance` 1 over its distance",
            accepts: Accepts::Choice(&["uniform", "distance"]),
            default: Some("\"uniform\""),
            read_if: None,
        },
        Field {
            name: "engine",
            doc: "`native`, or a search of linfa-nn to compare with on small data",
            accepts: Accepts::Choice(&[
                "native",
                "linfa_ball_tree",
                "linfa_kd_tree",
                "linfa_linear",
            ]),
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
struct KnnStage {
    n_neighbors: usize,
    metric: Metric,
    weights: Weights,
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
    let stage: KnnStage = typed(params);
    let params = KnnParams::new()
        .n_neighbors(stage.n_neighbors)
        .metric(stage.metric)
        .weights(stage.weights)
        .engine(stage.engine)
        .check()?;
    Ok(Box::new(params))
}
