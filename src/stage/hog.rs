//! `hog`: histograms of oriented gradients, for training and test images.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Accepts, Artifact, ArtifactType, Context, FeatureTable, Field, Foreseen, InputSpec, Inputs,
    Kind, Output, Stage, StageError, TableShape, measure, object, typed,
};
use crate::data::Features;
use crate::data::hog::{BlockNorm, Hog, Interpolation};
use crate::model::{Chain, Link};

/// The kind.
pub static HOG: Kind = Kind {
    name: "hog",
    doc: "histograms of oriented gradients (Dalal and Triggs, 2005)",
    version: 1,
    seeded: false,
    inputs: &[InputSpec {
        name: "data",
        accepts: &[ArtifactType::Dataset],
        many: false,
        required: true,
        doc: "the images",
    }],
    fields: &[
        Field {
            name: "cells",
            doc: "sides of the cells, pixels; features of several sizes are concatenated",
            accepts: Accepts::IntegerList { min: 2, max: 1024, distinct: true },
            default: Some("[4, 7]"),
            read_if: None,
        },
        Field {
            name: "orientations",
            doc: "bins of a histogram",
            accepts: Accepts::Integer { min: 1, max: 180 },
            default: Some("9"),
            read_if: None,
        },
        Field {
            name: "block",
            doc: "cells along the side of a block, normalised together",
            accepts: Accepts::Integer { min: 1, max: 16 },
            default: Some("2"),
            read_if: None,
        },
        Field {
            name: "norm",
            doc: "normalisation of a block; `l2_hys` is `l2`, limited to 0.2, and `l2` again",
            accepts: Accepts::Choice(&["l2_hys", "l2", "l1"]),
            default: Some("\"l2_hys\""),
            read_if: None,
        },
        Field {
            name: "signed",
            doc: "tell dark-to-light from light-to-dark: orientations over a whole turn, not half",
            accepts: Accepts::Boolean,
            default: Some("false"),
            read_if: None,
        },
        Field {
            name: "interpolation",
            doc: "a pixel votes for the nearest orientations and cells (`trilinear`) or its own",
            accepts: Accepts::Choice(&["trilinear", "none"]),
            default: Some("\"trilinear\""),
            read_if: None,
        },
    ],
    cost_only: &[],
    produces: ArtifactType::Features,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HogStage {
    cells: Vec<usize>,
    orientations: usize,
    block: usize,
    norm: String,
    signed: bool,
    interpolation: String,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(typed::<HogStage>(params))
}

impl HogStage {
    fn hog(&self) -> Hog {
        Hog {
            cells: self.cells.clone(),
            orientations: self.orientations,
            block: self.block,
            norm: match self.norm.as_str() {
                "l1" => BlockNorm::L1,
                "l2" => BlockNorm::L2,
                _ => BlockNorm::L2Hys,
            },
            signed: self.signed,
            interpolation: match self.interpolation.as_str() {
                "none" => Interpolation::None,
                _ => Interpolation::Trilinear,
            },
        }
    }

    /// Such as `hog 4+7`.
    fn description(&self) -> String {
        let cells: Vec<String> = self.cells.iter().map(usize::to_string).collect();
        format!("hog {}", cells.join("+"))
    }
}

impl Stage for HogStage {
    fn run(&self, inputs: &Inputs, context: &Context) -> Result<Output, StageError> {
        let data = inputs.one("data").artifact.dataset();
        let hog = self.hog();
        let of = |images: &crate::data::ImageSet| {
            hog.features(images.pixels.view(), images.shape, context.progress)
        };
        let (train, train_cost) = measure(|| of(&data.train));
        let (test, test_cost) = measure(|| of(&data.test));
        let table = FeatureTable {
            train: Features::Floats(train?),
            test: Features::Floats(test?),
            train_labels: data.train.labels.clone(),
            test_labels: data.test.labels.clone(),
            description: self.description(),
            network: String::new(),
            chain: Chain::pixels(data.input()).then(Link::Hog { hog, shape: data.train.shape }),
        };
        let notes = json!({
            "extract_train_seconds": train_cost.seconds,
            "extract_test_seconds": test_cost.seconds,
        });
        Ok(Output { artifact: Artifact::Features(table), reusable: true, notes: object(notes) })
    }

    fn foresee_shape(&self, foreseen: &Foreseen) -> Option<TableShape> {
        let data = foreseen.shape("data")?;
        let n_features = self.hog().n_features(data.image?).ok()?;
        Some(TableShape { n_features, is_bytes: false, image: None, ..data })
    }
}
