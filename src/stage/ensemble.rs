//! `ensemble`: trained networks that label by the mean of their probabilities.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Accepts, Artifact, ArtifactType, Context, Field, FittedEnsemble, FittedModel, InputArtifact,
    InputSpec, Inputs, Kind, Output, Stage, StageError, TestScores, measure, test_digest, typed,
};
use crate::learn::Scores;
use crate::nn::{Average, Ensemble, Network};

/// The kind.
pub static ENSEMBLE: Kind = Kind {
    name: "ensemble",
    doc: "several trained networks that label by the mean of their probabilities",
    version: 1,
    seeded: false,
    inputs: &[
        InputSpec {
            name: "networks",
            accepts: &[ArtifactType::Network],
            many: true,
            required: true,
            doc: "the networks, all of equal weight; `NAME@*` for those of all seeds",
        },
        InputSpec {
            name: "data",
            accepts: &[ArtifactType::Dataset],
            many: false,
            required: true,
            doc: "the test images",
        },
    ],
    fields: &[
        Field {
            name: "average",
            doc: "mean of the probabilities, or of their logarithms",
            accepts: Accepts::Choice(&["arithmetic", "geometric"]),
            default: Some("\"arithmetic\""),
            read_if: None,
        },
        Field {
            name: "flip_views",
            doc: "each network also labels the mirrored image",
            accepts: Accepts::Boolean,
            default: Some("false"),
            read_if: None,
        },
    ],
    cost_only: &[],
    produces: ArtifactType::Ensemble,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnsembleStage {
    average: Average,
    flip_views: bool,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(typed::<EnsembleStage>(params))
}

impl Stage for EnsembleStage {
    fn run(&self, inputs: &Inputs, context: &Context) -> Result<Output, StageError> {
        let data = inputs.one("data").artifact.dataset();
        let networks: Vec<&InputArtifact> = inputs.all("networks").collect();
        let members =
            networks.iter().map(|entry| Network::clone(&entry.artifact.network().network));
        let ensemble = Ensemble::new(members.collect(), self.average, self.flip_views)?;
        let (scores, predict) =
            measure(|| ensemble.probabilities(data.test.pixels.view(), context.progress));
        let scores = Scores::of_probabilities(&scores?);
        let ids: Vec<&str> = networks.iter().map(|entry| entry.stage_id.as_str()).collect();
        let n_parameters: usize = ensemble.members().iter().map(|net| net.n_parameters()).sum();
        let details = json!({
            "members": ids,
            "average": self.average,
            "flip_views": self.flip_views,
            "n_parameters": n_parameters,
        });
        let model = FittedModel {
            family: "neural".to_owned(),
            input: "pixels".to_owned(),
            n_features: data.test.shape.n_pixels(),
            network: String::new(),
            model_bytes: ensemble.to_tensors().n_bytes() as u64,
            details: super::object(details),
            tested_on: test_digest(&data.test.labels),
            predicted: scores.first_largest(),
            scores: Some(TestScores::new(scores, data.n_classes())),
        };
        let notes = json!({ "predict_seconds": predict.seconds });
        Ok(Output {
            artifact: Artifact::Ensemble(FittedEnsemble {
                ensemble: Arc::new(ensemble),
                input: data.input(),
                model,
            }),
            reusable: true,
            notes: super::object(notes),
        })
    }
}
