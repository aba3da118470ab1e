//! `pca`: principal components of pixels or features.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::classify::DATA;
use super::transform::{Transform, n_components};
use super::{Accepts, Condition, Field, Kind, Stage, typed};
use crate::learn::reduction::{Components, PcaEngine, PcaParams};
use crate::learn::{LearnError, Samples, Transformer};
use crate::progress::Progress;

/// The kind.
pub static PCA: Kind = Kind {
    name: "pca",
    doc: "principal components, the directions of largest variance",
    version: 1,
    seeded: false,
    inputs: DATA,
    fields: &[
        Field {
            name: "keep",
            doc: "what says how many components are kept: the parameter of this name",
            accepts: Accepts::Choice(&["n_components", "variance", "max_error"]),
            default: Some("\"n_components\""),
            read_if: None,
        },
        Field {
            name: "n_components",
            doc: "components kept, at most the samples and the features",
            accepts: Accepts::Integer { min: 1, max: 8192 },
            default: Some("50"),
            read_if: Some(Condition { field: "keep", is_one_of: &["n_components"] }),
        },
        Field {
            name: "variance",
            doc: "share of the variance that the components kept explain at least",
            accepts: Accepts::Number { min: 0.0, max: 1.0, above_min: true },
            default: Some("0.95"),
            read_if: Some(Condition { field: "keep", is_one_of: &["variance"] }),
        },
        Field {
            name: "max_error",
            doc: "largest mean squared error of a value of a training row rebuilt from them",
            accepts: Accepts::Number { min: 0.0, max: 1e12, above_min: false },
            default: Some("0.01"),
            read_if: Some(Condition { field: "keep", is_one_of: &["max_error"] }),
        },
        Field {
            name: "whiten",
            doc: "scale the components to unit variance",
            accepts: Accepts::Boolean,
            default: Some("false"),
            read_if: None,
        },
        Field {
            name: "engine",
            doc: "`native`, or `linfa` to compare with linfa-reduction",
            accepts: Accepts::Choice(&["native", "linfa"]),
            default: Some("\"native\""),
            read_if: Some(Condition { field: "keep", is_one_of: &["n_components"] }),
        },
    ],
    cost_only: &[],
    produces: super::ArtifactType::Features,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PcaStage {
    keep: String,
    n_components: Option<usize>,
    variance: Option<f64>,
    max_error: Option<f64>,
    whiten: bool,
    engine: Option<String>,
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
    let stage: PcaStage = typed(params);
    let components = match stage.keep.as_str() {
        "variance" => Components::Variance(stage.variance.unwrap_or_default()),
        "max_error" => Components::MaxError(stage.max_error.unwrap_or_default()),
        _ => Components::Count(stage.n_components.unwrap_or_default()),
    };
    let engine = match stage.engine.as_deref() {
        Some("linfa") => PcaEngine::Linfa,
        _ => PcaEngine::Native,
    };
    let params =
        PcaParams::new().components(components).whiten(stage.whiten).engine(engine).check()?;
    Ok(Box::new(params.fit_map(samples, seed, progress)?))
}
