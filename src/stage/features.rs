//! `features`: the output of one layer of a trained network, for training and test images.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::architecture::ArchitectureParam;
use super::{
    Accepts, Artifact, ArtifactType, Context, FeatureTable, Field, Foreseen, InputSpec, Inputs,
    Kind, Output, Stage, StageError, TableShape, measure, typed,
};
use crate::data::Features;
use crate::model::{Chain, Link};

/// The kind.
pub static FEATURES: Kind = Kind {
    name: "features",
    doc: "the output of one layer of a trained network",
    version: 1,
    seeded: false,
    inputs: &[
        InputSpec {
            name: "network",
            accepts: &[ArtifactType::Network],
            many: false,
            required: true,
            doc: "the trained network",
        },
        InputSpec {
            name: "data",
            accepts: &[ArtifactType::Dataset],
            many: false,
            required: true,
            doc: "the images",
        },
    ],
    fields: &[Field {
        name: "layer",
        doc: "`penultimate`, `last_pool`, or the name of a layer in the model summary",
        accepts: Accepts::Text,
        default: Some("\"penultimate\""),
        read_if: None,
    }],
    cost_only: &[],
    produces: ArtifactType::Features,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FeaturesStage {
    layer: String,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(typed::<FeaturesStage>(params))
}

impl Stage for FeaturesStage {
    fn run(&self, inputs: &Inputs, _: &Context) -> Result<Output, StageError> {
        let trained = inputs.one("network").artifact.network();
        let data = inputs.one("data").artifact.dataset();
        trained.network.check_images(data.train.shape)?;
        let output = |pixels| trained.network.layer_output(pixels, &self.layer);
        let (train, train_cost) = measure(|| output(data.train.pixels.view()));
        let (test, test_cost) = measure(|| output(data.test.pixels.view()));
        let table = FeatureTable {
            train: Features::Floats(train?),
            test: Features::Floats(test?),
            train_labels: data.train.labels.clone(),
            test_labels: data.test.labels.clone(),
            description: format!("{} {}", trained.network.architecture().name(), self.layer),
            network: trained.network.to_tensors().digest(),
            chain: Chain::pixels(data.input()).then(Link::Layer {
                network: Arc::clone(&trained.network),
                layer: self.layer.clone(),
            }),
        };
        let notes = json!({
            "extract_train_seconds": train_cost.seconds,
            "extract_test_seconds": test_cost.seconds,
        });
        Ok(Output {
            artifact: Artifact::Features(table),
            reusable: true,
            notes: super::object(notes),
        })
    }

    fn foresee_shape(&self, foreseen: &Foreseen) -> Option<TableShape> {
        let data = foreseen.shape("data")?;
        let architecture = ArchitectureParam::of(foreseen.param("network", "architecture")?)?;
        let architecture = architecture.read().ok()?;
        let n_features = architecture.n_outputs(&self.layer, data.image?, data.n_classes).ok()?;
        Some(TableShape { n_features, is_bytes: false, image: None, ..data })
    }
}
