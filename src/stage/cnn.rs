//! `cnn`: trains a network and labels the test images with its softmax.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::architecture::{ArchitectureParam, check};
use super::{
    Accepts, Artifact, ArtifactType, Condition, Context, Field, FittedModel, InputSpec, Inputs,
    Kind, Output, Stage, StageError, TRANSFORMS, TrainedNetwork, argmax_rows, measure, test_digest,
    typed,
};
use crate::data::Transforms;
use crate::nn::{self, Architecture, Optimizer, TrainParams};

/// The kind.
pub static CNN: Kind = Kind {
    name: "cnn",
    doc: "a convolutional network trained with softmax cross-entropy",
    version: 2,
    seeded: true,
    inputs: &[InputSpec {
        name: "data",
        accepts: &[ArtifactType::Dataset],
        many: false,
        required: true,
        doc: "training, validation and test images",
    }],
    fields: &[
        Field {
            name: "architecture",
            doc: "layers, by the name of a published network or in a file of your own, `NAME.toml`",
            accepts: Accepts::NameOrFile { names: Architecture::names, check },
            default: None,
            read_if: None,
        },
        Field {
            name: "epochs",
            doc: "passes over the training images",
            accepts: Accepts::Integer { min: 1, max: 100_000 },
            default: Some("10"),
            read_if: None,
        },
        Field {
            name: "batch_size",
            doc: "images per optimiser step",
            accepts: Accepts::Integer { min: 1, max: 65_536 },
            default: Some("128"),
            read_if: None,
        },
        Field {
            name: "optimizer",
            doc: "update rule, as PyTorch defines it",
            accepts: Accepts::Choice(&["adam", "adamw", "sgd"]),
            default: Some("\"adam\""),
            read_if: None,
        },
        Field {
            name: "learning_rate",
            doc: "step size",
            accepts: Accepts::Number { min: 0.0, max: 100.0, above_min: true },
            default: Some("0.001"),
            read_if: None,
        },
        Field {
            name: "momentum",
            doc: "momentum of `sgd`",
            accepts: Accepts::Number { min: 0.0, max: 0.9999, above_min: false },
            default: Some("0.9"),
            read_if: Some(Condition { field: "optimizer", is_one_of: &["sgd"] }),
        },
        Field {
            name: "weight_decay",
            doc: "L2 penalty (`adam`, `sgd`) or decoupled decay (`adamw`)",
            accepts: Accepts::Number { min: 0.0, max: 10.0, above_min: false },
            default: Some("0.0"),
            read_if: None,
        },
        Field {
            name: "early_stopping",
            doc: "epochs without a better validation loss after which training ends; 0 never",
            accepts: Accepts::Integer { min: 0, max: 100_000 },
            default: Some("0"),
            read_if: None,
        },
        Field {
            name: "augment",
            doc: "changes that training images go through anew in every epoch",
            accepts: Accepts::Table(TRANSFORMS),
            default: Some("{}"),
            read_if: None,
        },
    ],
    cost_only: &[],
    produces: ArtifactType::Network,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CnnStage {
    architecture: ArchitectureParam,
    epochs: usize,
    batch_size: usize,
    optimizer: String,
    learning_rate: f64,
    #[serde(default)]
    momentum: f64,
    weight_decay: f64,
    early_stopping: usize,
    augment: Transforms,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(typed::<CnnStage>(params))
}

impl CnnStage {
    fn train_params(&self) -> TrainParams {
        TrainParams {
            epochs: self.epochs,
            batch_size: self.batch_size,
            learning_rate: self.learning_rate,
            optimizer: match self.optimizer.as_str() {
                "sgd" => Optimizer::Sgd { momentum: self.momentum },
                "adamw" => Optimizer::AdamW,
                _ => Optimizer::Adam,
            },
            weight_decay: self.weight_decay,
            early_stopping: (self.early_stopping > 0).then_some(self.early_stopping),
            augment: self.augment,
        }
    }
}

impl Stage for CnnStage {
    fn run(&self, inputs: &Inputs, context: &Context) -> Result<Output, StageError> {
        let data = inputs.one("data").artifact.dataset();
        let architecture = self.architecture.read()?;
        let (trained, fit) = measure(|| {
            nn::train(
                &architecture,
                data,
                &self.train_params(),
                context.seed,
                Some(context.scratch),
                context.progress,
            )
        });
        let trained = trained?;
        let (scores, predict) = measure(|| trained.network.probabilities(data.test.pixels.view()));
        let scores = scores?;
        let n_parameters = trained.network.n_parameters();
        let details = json!({
            "architecture": architecture.name(),
            "n_parameters": n_parameters,
            "epochs": trained.history.len(),
            "best_epoch": trained.best_epoch,
            "stopped_early": trained.stopped_early,
        });
        let model = FittedModel {
            family: "neural".to_owned(),
            input: "pixels".to_owned(),
            n_features: data.test.shape.n_pixels(),
            network: trained.network.to_tensors().digest(),
            model_bytes: trained.network.to_tensors().n_bytes() as u64,
            details: super::object(details),
            tested_on: test_digest(&data.test.labels),
            predicted: argmax_rows(&scores),
        };
        let epoch_seconds: Vec<f64> = trained.history.iter().map(|epoch| epoch.seconds).collect();
        let notes = json!({
            // The epochs' sum counts those before an interruption too.
            "fit_seconds": epoch_seconds.iter().sum::<f64>().max(fit.seconds),
            "fit_cpu_seconds": fit.cpu_seconds,
            "predict_seconds": predict.seconds,
            "epoch_seconds": epoch_seconds,
        });
        let mut history = trained.history;
        history.iter_mut().for_each(|epoch| epoch.seconds = 0.0);
        Ok(Output {
            artifact: Artifact::Network(TrainedNetwork {
                network: trained.network,
                history,
                best_epoch: trained.best_epoch,
                model,
            }),
            reusable: true,
            notes: super::object(notes),
        })
    }
}
