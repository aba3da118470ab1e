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

/// Fields of [`Transforms`]: `augment = { … }` of a stage that trains, and `data show --augment`.
///
/// [`Transforms`]: crate::data::Transforms
pub static TRANSFORMS: &[Field] = &[
    Field {
        name: "crop",
        doc: "zeros put on each side before a piece of the image's size is cut out at random",
        accepts: Accepts::Integer { min: 0, max: 1000 },
        default: Some("0"),
        read_if: None,
    },
    share("flip", "probability that an image is mirrored left to right"),
    Field {
        name: "rotate",
        doc: "most degrees by which an image is turned",
        accepts: Accepts::Number { min: 0.0, max: 180.0, above_min: false },
        default: Some("0.0"),
        read_if: None,
    },
    Field {
        name: "shift",
        doc: "most pixels by which an image is moved along each side; uncovered pixels are 0",
        accepts: Accepts::Integer { min: 0, max: 1000 },
        default: Some("0"),
        read_if: None,
    },
    Field {
        name: "zoom",
        doc: "most by which an image is enlarged or made smaller, as a share of its size",
        accepts: Accepts::Number { min: 0.0, max: 0.9, above_min: false },
        default: Some("0.0"),
        read_if: None,
    },
    share("brightness", "most by which the factor of an image's values is above or below 1"),
    share("contrast", "most by which the factor of distances to the mean is above or below 1"),
    share("erase", "probability that a rectangle of an image is set to 0"),
    Field {
        name: "blur",
        doc: "most pixels of a Gaussian blur's standard deviation",
        accepts: Accepts::Number { min: 0.0, max: 10.0, above_min: false },
        default: Some("0.0"),
        read_if: None,
    },
];

/// A change from 0 to 1, off by default.
const fn share(name: &'static str, doc: &'static str) -> Field {
    let accepts = Accepts::Number { min: 0.0, max: 1.0, above_min: false };
    Field { name, doc, accepts, default: Some("0.0"), read_if: None }
}

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
