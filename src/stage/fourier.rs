//! `fourier`: random features that approximate the radial kernel.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::classify::DATA;
use super::svm::{WordOrNumber, gamma_of};
use super::transform::{Transform, n_components};
use super::{Accepts, Field, Kind, Stage, typed};
use crate::learn::kernel_map::FourierParams;
use crate::learn::{LearnError, Samples, Transformer};
use crate::progress::Progress;

/// The kind.
pub static FOURIER: Kind = Kind {
    name: "fourier",
    doc: "random Fourier features of the radial kernel (Rahimi and Recht, 2007)",
    version: 2,
    seeded: true,
    inputs: DATA,
    fields: &[
        Field {
            name: "n_components",
            doc: "features made",
            accepts: Accepts::Integer { min: 1, max: 100_000 },
            default: Some("1000"),
            read_if: None,
        },
        Field {
            name: "gamma",
            doc: "kernel coefficient: `scale` is 1 / (n_features * variance), `auto` 1 / n_features",
            accepts: Accepts::WordOrNumber { words: &["scale", "auto"], above: 0.0 },
            default: Some("\"scale\""),
            read_if: None,
        },
    ],
    cost_only: &[],
    produces: super::ArtifactType::Features,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FourierStage {
    n_components: usize,
    gamma: WordOrNumber,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(Transform::new(fit, n_components, params))
}

fn fit(
    params: &Map<String, Value>,
    samples: Samples,
    seed: u64,
    _progress: &dyn Progress,
) -> Result<Box<dyn Transformer>, LearnError> {
    let stage: FourierStage = typed(params);
    let gamma = gamma_of(Some(&stage.gamma));
    let params = FourierParams::new().gamma(gamma).n_components(stage.n_components).check()?;
    Ok(Box::new(params.fit_with(samples.features, seed)?))
}
