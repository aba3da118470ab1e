//! `scale`: features scaled one by one.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::classify::DATA;
use super::transform::Transform;
use super::{Accepts, Field, Kind, Stage, typed};
use crate::learn::scaling::{ScalerParams, Scaling};
use crate::learn::{LearnError, Samples, Transformer};
use crate::progress::Progress;

/// The kind.
pub static SCALE: Kind = Kind {
    name: "scale",
    doc: "features scaled one by one, as the training rows have them",
    version: 1,
    seeded: false,
    inputs: DATA,
    fields: &[Field {
        name: "method",
        doc: "`standard`: mean 0, variance 1; `minmax`: to [0, 1]; `minmax_symmetric`: to [-1, 1]",
        accepts: Accepts::Choice(&["standard", "minmax", "minmax_symmetric"]),
        default: Some("\"standard\""),
        read_if: None,
    }],
    cost_only: &[],
    produces: super::ArtifactType::Features,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScaleStage {
    method: Scaling,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(Transform::new(fit, |_, shape| Some(shape.n_features), params))
}

fn fit(
    params: &Map<String, Value>,
    samples: Samples,
    seed: u64,
    progress: &dyn Progress,
) -> Result<Box<dyn Transformer>, LearnError> {
    let stage: ScaleStage = typed(params);
    let params = ScalerParams::new(stage.method).check()?;
    Ok(Box::new(params.fit_map(samples, seed, progress)?))
}
