//! `dataset`: images and labels by name, with rows held out for validation.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Accepts, Artifact, ArtifactType, Context, Field, Foreseen, Inputs, Kind, Output, Stage,
    StageError, TableShape, typed,
};
use crate::data;

/// Fallback that means: none, an absent data set is an error.
const NO_FALLBACK: &str = "none";

/// The kind.
pub static DATASET: Kind = Kind {
    name: "dataset",
    doc: "images and labels, found on disk, downloaded or generated",
    version: 1,
    seeded: true,
    inputs: &[],
    fields: &[
        Field {
            name: "name",
            doc: "data set",
            accepts: Accepts::ChoiceOf(data_sets),
            default: None,
            read_if: None,
        },
        Field {
            name: "fallback",
            doc: "generated data set to use, loudly, where the named one cannot be had",
            accepts: Accepts::ChoiceOf(fallbacks),
            default: Some("\"none\""),
            read_if: None,
        },
        Field {
            name: "validation",
            doc: "share of the training images held out for validation",
            accepts: Accepts::Number { min: 0.0, max: 0.9, above_min: false },
            default: Some("0.0"),
            read_if: None,
        },
        Field {
            name: "stratified",
            doc: "hold out the same share of every class",
            accepts: Accepts::Boolean,
            default: Some("true"),
            read_if: None,
        },
    ],
    cost_only: &[],
    produces: ArtifactType::Dataset,
    build,
};

fn data_sets() -> Vec<String> {
    data::DATASETS.iter().map(|(name, _)| (*name).to_owned()).collect()
}

fn fallbacks() -> Vec<String> {
    let generated = data_sets().into_iter().filter(|name| name.starts_with("garments"));
    generated.chain([NO_FALLBACK.to_owned()]).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DatasetStage {
    name: String,
    fallback: String,
    validation: f64,
    stratified: bool,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(typed::<DatasetStage>(params))
}

impl Stage for DatasetStage {
    fn run(&self, _: &Inputs, context: &Context) -> Result<Output, StageError> {
        let fallback = (self.fallback != NO_FALLBACK).then_some(self.fallback.as_str());
        let loaded = data::load(&self.name, fallback, context.sources, context.progress)?;
        let mut dataset = loaded.dataset;
        dataset.validation_idx = data::validation_split(
            &dataset.train.labels,
            dataset.n_classes(),
            self.validation,
            self.stratified,
            context.seed,
        )?;
        // Files of the user may change, and a fallback may be had next time.
        let reusable = !loaded.fell_back && self.name != "idx";
        Ok(Output { artifact: Artifact::Dataset(dataset), reusable, notes: Map::new() })
    }

    fn foresee_shape(&self, _: &Foreseen) -> Option<TableShape> {
        data::registry::known_shape(&self.name)
    }
}
