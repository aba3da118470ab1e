//! `fisher`: Fisher's discriminant of pixels or features.

use linfa::ParamGuard;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::classify::DATA;
use super::svm::WordOrNumber;
use super::transform::{CountOutputs, Transform, n_components};
use super::{Accepts, Field, Kind, Stage, typed};
use crate::learn::reduction::FisherParams;
use crate::learn::{LearnError, Samples, Shrinkage, Transformer};
use crate::progress::Progress;

/// The parameter `shrinkage` of every kind that estimates covariances.
pub(super) const SHRINKAGE: Field = Field {
    name: "shrinkage",
    doc: "share by which covariances are drawn to a multiple of the identity; `auto`: Ledoit-Wolf",
    accepts: Accepts::WordOrNumber { words: &["none", "auto"], above: 0.0 },
    default: Some("\"none\""),
    read_if: None,
};

/// A shrinkage as the field spells it.
pub(super) fn shrinkage_of(param: &WordOrNumber) -> Shrinkage {
    match param {
        WordOrNumber::Number(share) => Shrinkage::Share(*share),
        WordOrNumber::Word(word) if word == "auto" => Shrinkage::Auto,
        WordOrNumber::Word(_) => Shrinkage::None,
    }
}

/// The kind.
pub static FISHER: Kind = Kind {
    name: "fisher",
    doc: "Fisher's discriminant (LDA), the directions that separate the classes best",
    version: 1,
    seeded: false,
    inputs: DATA,
    fields: &[
        Field {
            name: "n_components",
            doc: "directions kept, fewer than classes; 0 for all there are",
            accepts: Accepts::Integer { min: 0, max: 8192 },
            default: Some("0"),
            read_if: None,
        },
        SHRINKAGE,
    ],
    cost_only: &[],
    produces: super::ArtifactType::Features,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FisherStage {
    n_components: usize,
    shrinkage: WordOrNumber,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    let n_outputs: CountOutputs = |params, shape| match n_components(params, shape)? {
        0 => Some(shape.n_classes.saturating_sub(1).min(shape.n_features)),
        n => Some(n),
    };
    Box::new(Transform::new(fit, n_outputs, params))
}

fn fit(
    params: &Map<String, Value>,
    samples: Samples,
    seed: u64,
    progress: &dyn Progress,
) -> Result<Box<dyn Transformer>, LearnError> {
    let stage: FisherStage = typed(params);
    let n_components = (stage.n_components > 0).then_some(stage.n_components);
    let shrinkage = shrinkage_of(&stage.shrinkage);
    let params = FisherParams::new().n_components(n_components).shrinkage(shrinkage).check()?;
    Ok(Box::new(params.fit_map(samples, seed, progress)?))
}
