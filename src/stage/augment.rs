//! `augment`: mirrored, moved and turned copies of the training images.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Accepts, Artifact, ArtifactType, Context, Field, Foreseen, InputSpec, Inputs, Kind, Output,
    Stage, StageError, TableShape, typed,
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
        required: true,
        doc: "the images",
    }],
    fields: &[
        Field {
            name: "copies",
            doc: "copies of each training image, those moved least first",
            accepts: Accepts::Integer { min: 1, max: 1000 },
            default: Some("4"),
            read_if: None,
        },
        Field {
            name: "flip",
            doc: "let copies be mirrored left to right",
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

    fn foresee_shape(&self, foreseen: &Foreseen) -> Option<TableShape> {
        let data = foreseen.shape("data")?;
        let held_out = foreseen.param("data", "validation").and_then(Value::as_f64);
        let n_copied = data.n_train as f64 * (1.0 - held_out.unwrap_or(0.0));
        Some(TableShape { n_train: data.n_train + self.copies * n_copied.round() as usize, ..data })
    }
}
