//! `kmeans`: clusters on pixels or features, named by the majority of their training rows.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::classify::{Classify, DATA};
use super::{Accepts, Field, Kind, Stage, typed};
use crate::learn::kmeans::{Engine, Init, KMeansParams};
use crate::learn::{LearnError, Learner};

/// The kind.
pub static KMEANS: Kind = Kind {
    name: "kmeans",
    doc: "k-means; a cluster stands for the class of most of its training rows",
    version: 1,
    seeded: true,
    inputs: DATA,
    fields: &[
        Field {
            name: "n_clusters",
            doc: "clusters",
            accepts: Accepts::Integer { min: 1, max: 100_000 },
            default: Some("10"),
            read_if: None,
        },
        Field {
            name: "init",
            doc: "where clusters start: `k-means++` rows far apart, `random` any rows",
            accepts: Accepts::Choice(&["k-means++", "random"]),
            default: Some("\"k-means++\""),
            read_if: None,
        },
        Field {
            name: "n_init",
            doc: "starts, of which the one with the least inertia is kept",
            accepts: Accepts::Integer { min: 1, max: 1_000 },
            default: Some("1"),
            read_if: None,
        },
        Field {
            name: "max_iter",
            doc: "most iterations of a start",
            accepts: Accepts::Integer { min: 1, max: 1_000_000 },
            default: Some("300"),
            read_if: None,
        },
        Field {
            name: "tol",
            doc: "squared movement of the centres at which a start ends, in mean variances",
            accepts: Accepts::Number { min: 0.0, max: 1.0, above_min: false },
            default: Some("0.0001"),
            read_if: None,
        },
        Field {
            name: "engine",
            doc: "`native`, or `linfa` to compare with linfa-clustering from the same starts",
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
struct KMeansStage {
    n_clusters: usize,
    init: Init,
    n_init: usize,
    max_iter: usize,
    tol: f64,
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
    let stage: KMeansStage = typed(params);
    let params = KMeansParams::new()
        .n_clusters(stage.n_clusters)
        .init(stage.init)
        .n_init(stage.n_init)
        .max_iter(stage.max_iter)
        .tol(stage.tol)
        .engine(stage.engine)
        .check()?;
    Ok(Box::new(params))
}
