//! `random_projection`: random combinations of pixels or features.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::classify::DATA;
use super::transform::{Transform, n_components};
use super::{Accepts, Field, Kind, Stage, typed};
use crate::learn::reduction::{Distribution, RandomProjectionParams};
use crate::learn::{LearnError, Samples, Transformer};
use crate::progress::Progress;

/// The kind.
pub static RANDOM_PROJECTION: Kind = Kind {
    name: "random_projection",
    doc: "random combinations of features, which keep distances about as they are",
    version: 1,
    seeded: true,
    inputs: DATA,
    fields: &[
        Field {
            name: "n_components",
            doc: "combinations, at most the features",
            accepts: Accepts::Integer { min: 1, max: 100_000 },
            default: Some("50"),
            read_if: None,
        },
        Field {
            name: "distribution",
            doc: "what factors are drawn from: `gaussian`, or `sparse`, mostly 0",
            accepts: Accepts::Choice(&["gaussian", "sparse"]),
            default: Some("\"gaussian\""),
            read_if: None,
        },
    ],
    cost_only: &[],
    produces: super::ArtifactType::Features,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RandomProjectionStage {
    n_components: usize,
    distribution: Distribution,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(Transform::new(fit, n_components, params))
}

fn fit(
    params: &Map<String, Value>,
    samples: Samples,
    seed: u64,
    progress: &dyn Progress,
) -> Result<Box<dyn Transformer>, LearnError> {
    let stage: RandomProjectionStage = typed(params);
    let params = RandomProjectionParams::new()
        .n_components(stage.n_components)
        .distribution(stage.distribution)
        .check()?;
    Ok(Box::new(params.fit_map(samples, seed, progress)?))
}
