//! `split`: a test set out of the training images, in place of the official one.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Accepts, Artifact, ArtifactType, Context, Field, Foreseen, InputSpec, Inputs, Kind, Output,
    Stage, StageError, TableShape, typed,
};
use crate::data;

/// The kind.
pub static SPLIT: Kind = Kind {
    name: "split",
    doc: "a share of the training images as the test images, in place of the official ones",
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
            name: "test_size",
            doc: "share of the training images",
            accepts: Accepts::Number { min: 0.0, max: 0.9, above_min: true },
            default: Some("0.2"),
            read_if: None,
        },
        Field {
            name: "stratified",
            doc: "the same share of every class",
            accepts: Accepts::Boolean,
            default: Some("true"),
            read_if: None,
        },
    ],
    cost_only: &[],
    produces: ArtifactType::Dataset,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SplitStage {
    test_size: f64,
    stratified: bool,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(typed::<SplitStage>(params))
}

impl Stage for SplitStage {
    fn run(&self, inputs: &Inputs, context: &Context) -> Result<Output, StageError> {
        let data = inputs.one("data").artifact.dataset();
        let split = data::split_train(data, self.test_size, self.stratified, context.seed)?;
        Ok(Output { artifact: Artifact::Dataset(split), reusable: true, notes: Map::new() })
    }

    fn foresee_shape(&self, foreseen: &Foreseen) -> Option<TableShape> {
        let whole = foreseen.shape("data")?;
        let n_test = (self.test_size * whole.n_train as f64).round() as usize;
        Some(TableShape { n_train: whole.n_train - n_test, n_test, ..whole })
    }
}
