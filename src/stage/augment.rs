//! `augment`: mirrored, moved and turned copies of the training images.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Accepts, Artifact, ArtifactType, Context, Field, InputSpec, Inputs, Kind, Output, Stage,
    StageError, typed,
};
use crate::data::Augment;

/// The kind.
pub static AUGMENT: Kind = Kind {
    name: "augment",
    doc: "training images with copies: mirrored, moved, turned; none of held-out rows",
    version: 1,
    seeded: true,
    inputs: &[InputSpec {
        name: "data",
        accepts: &[ArtifactType::Dataset],
        many: false,
        doc: "the images",
    }],
    fields: &[
        Field {
            name: "copies",
            doc: "copies of each training image, besides itself",
            accepts: Accepts::Integer { min: 1, max: 1000 },
            default: Some("4"),
            read_if: None,
        },
        Field {
            name: "flip",
            doc: "mirror copies left to right, or not, at random",
            accepts: Accepts::Boolean,
            default: Some("true"),
            read_if: None,
        },
        Field {
            name: "shift",
            doc: "most pixels by which a copy is moved along each side; uncovered pixels are 0",
            accepts: Accepts::Integer { min: 0, max: 1000 },
            default: Some("1"),
            read_if: None,
        },
        Field {
            name: "rotate",
            doc: "most degrees by which a copy is turned",
            accepts: Accepts::Number { min: 0.0, max: 180.0, above_min: false },
            default: Some("0.0"),
            read_if: None,
        },
    ],
    cost_only: &[],
    produces: ArtifactType::Dataset,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AugmentStage {
    copies: usize,
    flip: bool,
    shift: usize,
    rotate: f64,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(typed::<AugmentStage>(params))
}

impl Stage for AugmentStage {
    fn run(&self, inputs: &Inputs, context: &Context) -> Result<Output, StageError> {
        let data = inputs.one("data").artifact.dataset();
        let &AugmentStage { copies, flip, shift, rotate } = self;
        let augment = Augment { copies, flip, shift, rotate };
        let augmented = augment.apply(data, context.seed, context.progress)?;
        Ok(Output { artifact: Artifact::Dataset(augmented), reusable: true, notes: Map::new() })
    }
}
