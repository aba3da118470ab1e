//! `resize`, `gray`, `invert`, `centre`: every image of a data set changed, and every new one that a
//! model of it is shown.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::dataset::{MAX_SIDE, Size};
use super::{
    Accepts, Artifact, ArtifactType, Context, Field, Foreseen, InputSpec, Inputs, Kind, Output,
    Stage, StageError, TableShape, typed,
};
use crate::data::{ImageShape, ImageStep};

const INPUTS: &[InputSpec] = &[InputSpec {
    name: "data",
    accepts: &[ArtifactType::Dataset],
    many: false,
    required: true,
    doc: "the images",
}];

/// A kind of this file.
const fn kind(
    name: &'static str,
    doc: &'static str,
    fields: &'static [Field],
    build: fn(&Map<String, Value>) -> Box<dyn Stage>,
) -> Kind {
    Kind {
        name,
        doc,
        version: 1,
        seeded: false,
        inputs: INPUTS,
        fields,
        cost_only: &[],
        produces: ArtifactType::Dataset,
        build,
    }
}

/// To another size.
pub static RESIZE: Kind = kind(
    "resize",
    "images of another size, proportions not kept; a pixel is the mean of what it covers",
    &[Field {
        name: "size",
        doc: "height and width",
        accepts: Accepts::WordOrSize { words: &[], max: MAX_SIDE },
        default: None,
        read_if: None,
    }],
    |params| Box::new(typed::<Resize>(params)),
);

/// To one channel.
pub static GRAY: Kind =
    kind("gray", "images of one channel, their luma", &[], |_| Box::new(Prepare(ImageStep::Gray)));

/// Light on dark from dark on light.
pub static INVERT: Kind = kind("invert", "images with every value taken from 255", &[], |_| {
    Box::new(Prepare(ImageStep::Invert))
});

/// As MNIST's digits stand.
pub static CENTRE: Kind = kind(
    "centre",
    "what is not background scaled to 20/28 of the size, its centre of mass in the middle",
    &[Field {
        name: "size",
        doc: "height and width; `auto` keeps those of the images",
        accepts: Accepts::WordOrSize { words: &["auto"], max: MAX_SIDE },
        default: Some("\"auto\""),
        read_if: None,
    }],
    |params| Box::new(typed::<Centre>(params)),
);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resize {
    size: [usize; 2],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Centre {
    size: Size,
}

/// A step that is the same for images of any shape.
struct Prepare(ImageStep);

/// What these stages have in common.
trait Step {
    fn step(&self, image: ImageShape) -> ImageStep;
}

impl Step for Prepare {
    fn step(&self, _: ImageShape) -> ImageStep {
        self.0
    }
}

impl Step for Resize {
    fn step(&self, _: ImageShape) -> ImageStep {
        let [height, width] = self.size;
        ImageStep::Resize { height, width }
    }
}

impl Step for Centre {
    fn step(&self, image: ImageShape) -> ImageStep {
        let [height, width] = self.size.sides().unwrap_or([image.height, image.width]);
        ImageStep::Centre { height, width }
    }
}

impl<T: Step + Send + Sync> Stage for T {
    fn run(&self, inputs: &Inputs, context: &Context) -> Result<Output, StageError> {
        let data = inputs.one("data").artifact.dataset();
        let prepared = data.prepared(self.step(data.train.shape), context.progress)?;
        Ok(Output { artifact: Artifact::Dataset(prepared), reusable: true, notes: Map::new() })
    }

    fn foresee_shape(&self, foreseen: &Foreseen) -> Option<TableShape> {
        let data = foreseen.shape("data")?;
        let image = data.image?;
        let made = self.step(image).shape_of(image);
        Some(TableShape::images(data.n_train, data.n_test, made, data.n_classes))
    }
}
