//! `dataset`: images and labels by name or of one's own, with rows held out for validation.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Accepts, Artifact, ArtifactType, Condition, Context, Field, Foreseen, Inputs, Kind, Output,
    Stage, StageError, TableShape, typed,
};
use crate::data::import::{Channels, ImportOptions, Unreadable, import};
use crate::data::registry::OWN;
use crate::data::{self, registry};

/// Fallback that means: none, an absent data set is an error.
const NO_FALLBACK: &str = "none";

/// Most pixels of a side to which images are brought: a resized row stays within a few megabytes.
pub(super) const MAX_SIDE: i64 = 1024;

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
        own(
            "test",
            "share of the images that become test images, stratified, where none are given",
            Accepts::Number { min: 0.0, max: 0.9, above_min: true },
            "0.2",
        ),
        own(
            "size",
            "height and width to which every image is brought; `auto` if all have one size",
            Accepts::WordOrSize { words: &["auto"], max: MAX_SIDE },
            "\"auto\"",
        ),
        own(
            "channels",
            "channels of the pixels; `auto` is gray if every image is gray",
            Accepts::Choice(&["auto", "gray", "rgb"]),
            "\"auto\"",
        ),
        own(
            "label",
            "a table's column of labels: its name, or its number counted from 1",
            Accepts::Text,
            "\"auto\"",
        ),
        own(
            "unreadable",
            "whether a file that is no image ends the reading, or is listed and left out",
            Accepts::Choice(&["error", "skip"]),
            "\"error\"",
        ),
    ],
    cost_only: &[],
    produces: ArtifactType::Dataset,
    build,
};

/// A field that is read for the user's own data.
const fn own(
    name: &'static str,
    doc: &'static str,
    accepts: Accepts,
    default: &'static str,
) -> Field {
    let read_if = Some(Condition { field: "name", is_one_of: &[OWN] });
    Field { name, doc, accepts, default: Some(default), read_if }
}

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
    /// The rest is there for own data alone.
    test: Option<f64>,
    size: Option<Size>,
    channels: Option<String>,
    label: Option<String>,
    unreadable: Option<Unreadable>,
}

/// A size, or the word `auto`.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Size {
    /// Height and width.
    Sides([usize; 2]),
    /// `auto`.
    #[expect(dead_code, reason = "a word that says: none")]
    Auto(String),
}

impl Size {
    /// Height and width, if they are said.
    pub(super) fn sides(&self) -> Option<[usize; 2]> {
        match self {
            Size::Sides(sides) => Some(*sides),
            Size::Auto(_) => None,
        }
    }
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(typed::<DatasetStage>(params))
}

impl Stage for DatasetStage {
    fn run(&self, _: &Inputs, context: &Context) -> Result<Output, StageError> {
        let (mut dataset, fell_back) = if self.name == OWN {
            let path = registry::own_path(context.sources)?;
            let imported = import(path, &self.import_options(context.seed), context.progress)?;
            imported.warn(context.progress);
            (imported.dataset, false)
        } else {
            let fallback = (self.fallback != NO_FALLBACK).then_some(self.fallback.as_str());
            let loaded = data::load(&self.name, fallback, context.sources, context.progress)?;
            (loaded.dataset, loaded.fell_back)
        };
        // Own data may say which images are for validation.
        if dataset.validation_idx.is_empty() {
            dataset.validation_idx = data::validation_split(
                &dataset.train.labels,
                dataset.n_classes(),
                self.validation,
                self.stratified,
                context.seed,
            )?;
        }
        // Files of the user may change, and a fallback may be had next time.
        let reusable = !fell_back && self.name != "idx" && self.name != OWN;
        Ok(Output { artifact: Artifact::Dataset(dataset), reusable, notes: Map::new() })
    }

    fn foresee_shape(&self, _: &Foreseen) -> Option<TableShape> {
        data::registry::known_shape(&self.name)
    }
}

impl DatasetStage {
    fn import_options(&self, seed: u64) -> ImportOptions {
        let defaults = ImportOptions::default();
        ImportOptions {
            size: self.size.as_ref().and_then(Size::sides),
            channels: match self.channels.as_deref() {
                Some("gray") => Channels::One,
                Some("rgb") => Channels::Three,
                _ => Channels::Auto,
            },
            label: self.label.clone().filter(|label| label != "auto"),
            unreadable: self.unreadable.unwrap_or(defaults.unreadable),
            test: self.test.unwrap_or(defaults.test),
            seed,
            ..defaults
        }
    }
}
