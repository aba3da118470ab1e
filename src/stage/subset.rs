//! `subset`: the same data set with fewer training rows, for the cost and the gain of more data.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Accepts, Artifact, ArtifactType, Context, Field, Foreseen, InputSpec, Inputs, Kind, Output,
    Stage, StageError, TableShape, typed,
};
use crate::data;

/// The kind.
pub static SUBSET: Kind = Kind {
    name: "subset",
    doc: "a data set with fewer training rows, stratified; smaller subsets lie within larger ones",
    version: 1,
    seeded: true,
    inputs: &[InputSpec {
        name: "data",
        accepts: &[ArtifactType::Dataset],
        many: false,
        required: true,
        doc: "the whole data set",
    }],
    fields: &[Field {
        name: "n_samples",
        doc: "training rows to keep, those held out included; the test images stay as they are",
        accepts: Accepts::Integer { min: 2, max: 1_000_000_000 },
        default: Some("1000"),
        read_if: None,
    }],
    cost_only: &[],
    produces: ArtifactType::Dataset,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubsetStage {
    n_samples: usize,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(typed::<SubsetStage>(params))
}

impl Stage for SubsetStage {
    fn run(&self, inputs: &Inputs, context: &Context) -> Result<Output, StageError> {
        let whole = inputs.one("data").artifact.dataset();
        let dataset = data::subset(whole, self.n_samples, context.seed)?;
        Ok(Output { artifact: Artifact::Dataset(dataset), reusable: true, notes: Map::new() })
    }

    fn foresee_shape(&self, foreseen: &Foreseen) -> Option<TableShape> {
        Some(TableShape { n_train: self.n_samples, ..foreseen.shape("data")? })
    }
}
