//! `cnn`: trains a network and labels the test images with its softmax.

mod fields;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::architecture::ArchitectureParam;
use super::{
    Artifact, ArtifactType, Context, FittedModel, InputSpec, Inputs, Kind, Output, Stage,
    StageError, TestScores, TrainedNetwork, measure, test_digest, typed,
};
use crate::data::Transforms;
use crate::learn::Scores;
use crate::nn::{
    self, Architecture, Engine, Freeze, Initialisation, Keep, NnError, Optimizer, Precision,
    Schedule, TrainParams,
};
use fields::FIELDS;

/// The kind.
pub static CNN: Kind = Kind {
    name: "cnn",
    doc: "a convolutional network trained with softmax cross-entropy",
    version: 3,
    seeded: true,
    inputs: &[
        InputSpec {
            name: "data",
            accepts: &[ArtifactType::Dataset],
            many: false,
            required: true,
            doc: "training, validation and test images",
        },
        InputSpec {
            name: "init_from",
            accepts: &[ArtifactType::Network],
            many: false,
            required: false,
            doc: "a network whose weights this one begins with; the number of classes may differ",
        },
    ],
    fields: FIELDS,
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
    #[serde(default)]
    nesterov: bool,
    #[serde(default)]
    beta1: f64,
    #[serde(default)]
    beta2: f64,
    weight_decay: f64,
    decay_bias_and_norm: bool,
    schedule: String,
    #[serde(default)]
    step_epochs: usize,
    #[serde(default)]
    step_factor: f64,
    #[serde(default)]
    final_learning_rate: f64,
    #[serde(default)]
    pct_start: f64,
    #[serde(default)]
    div_factor: f64,
    #[serde(default)]
    final_div_factor: f64,
    #[serde(default)]
    plateau_factor: f64,
    #[serde(default)]
    plateau_patience: usize,
    #[serde(default)]
    min_learning_rate: f64,
    warmup_epochs: usize,
    label_smoothing: f64,
    clip_norm: f64,
    ema_decay: f64,
    early_stopping: usize,
    keep: Keep,
    initialisation: Initialisation,
    freeze: FreezeField,
    augment: Transforms,
    engine: Engine,
    #[serde(default)]
    precision: Precision,
}

/// `"none"`, `"all_but_last"` or names of layers.
#[derive(Deserialize)]
#[serde(untagged)]
enum FreezeField {
    Word(String),
    Layers(Vec<String>),
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(typed::<CnnStage>(params))
}

/// What checked parameters of the kind ask for.
///
/// # Errors
/// As of [`Architecture::named`] and [`Architecture::parse`].
pub fn training_recipe(
    params: &Map<String, Value>,
) -> Result<(Architecture, TrainParams), NnError> {
    let stage: CnnStage = typed(params);
    Ok((stage.architecture.read()?, stage.train_params()))
}

impl CnnStage {
    fn train_params(&self) -> TrainParams {
        let (beta1, beta2) = (self.beta1, self.beta2);
        TrainParams {
            epochs: self.epochs,
            batch_size: self.batch_size,
            learning_rate: self.learning_rate,
            schedule: self.schedule(),
            warmup_epochs: self.warmup_epochs,
            optimizer: match self.optimizer.as_str() {
                "sgd" => Optimizer::Sgd { momentum: self.momentum, nesterov: self.nesterov },
                "adamw" => Optimizer::AdamW { beta1, beta2 },
                _ => Optimizer::Adam { beta1, beta2 },
            },
            weight_decay: self.weight_decay,
            decay_bias_and_norm: self.decay_bias_and_norm,
            label_smoothing: self.label_smoothing,
            clip_norm: (self.clip_norm > 0.0).then_some(self.clip_norm),
            ema_decay: (self.ema_decay > 0.0).then_some(self.ema_decay),
            early_stopping: (self.early_stopping > 0).then_some(self.early_stopping),
            keep: self.keep,
            initialisation: self.initialisation,
            freeze: match &self.freeze {
                FreezeField::Layers(names) => Freeze::Layers(names.clone()),
                FreezeField::Word(word) if word == "all_but_last" => Freeze::AllButLast,
                FreezeField::Word(_) => Freeze::default(),
            },
            augment: self.augment,
            engine: self.engine,
            precision: self.precision,
        }
    }

    fn schedule(&self) -> Schedule {
        match self.schedule.as_str() {
            "step" => Schedule::Step { epochs: self.step_epochs, factor: self.step_factor },
            "cosine" => Schedule::Cosine { final_learning_rate: self.final_learning_rate },
            "one_cycle" => Schedule::OneCycle {
                pct_start: self.pct_start,
                div_factor: self.div_factor,
                final_div_factor: self.final_div_factor,
            },
            "plateau" => Schedule::Plateau {
                factor: self.plateau_factor,
                patience: self.plateau_patience,
                min_learning_rate: self.min_learning_rate,
            },
            _ => Schedule::Constant,
        }
    }
}

impl Stage for CnnStage {
    fn run(&self, inputs: &Inputs, context: &Context) -> Result<Output, StageError> {
        let data = inputs.one("data").artifact.dataset();
        let architecture = self.architecture.read()?;
        let (params, seed) = (self.train_params(), context.seed);
        let (scratch, progress) = (Some(context.scratch), context.progress);
        let (trained, fit) = measure(|| match inputs.all("init_from").next() {
            None => nn::train(&architecture, data, &params, seed, scratch, progress),
            Some(from) => {
                let from = &from.artifact.network().network;
                nn::fine_tune(from, &architecture, data, &params, seed, scratch, progress)
            }
        });
        let trained = trained?;
        let (scores, predict) = measure(|| trained.network.probabilities(data.test.pixels.view()));
        let scores = Scores::of_probabilities(&scores?);
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
            predicted: scores.first_largest(),
            scores: Some(TestScores::new(scores, data.n_classes())),
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
                network: Arc::new(trained.network),
                input: data.input(),
                history,
                best_epoch: trained.best_epoch,
                model,
            }),
            reusable: true,
            notes: super::object(notes),
        })
    }
}
