//! What stages make and read: the typed artifacts and their form on disk.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Evaluation;
use crate::data::{Dataset, Features, ImageInput, Labels, TableShape, TensorFile, TensorFileError};
use crate::learn::{Classifier, Meaning, Scores, read_classifier};
use crate::metrics::EpochRecord;
use crate::model::{Chain, Head, Model};
use crate::nn::{Ensemble, Network};
use crate::report::RobustnessCard;

/// Type of an artifact; pipeline files are checked against it before anything runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArtifactType {
    /// Images and labels.
    Dataset,
    /// A trained network with its predictions.
    Network,
    /// Real-valued features of training and test images.
    Features,
    /// A fitted classical classifier with its predictions.
    Classifier,
    /// Several networks as one model, with its predictions.
    Ensemble,
    /// Metrics of several models.
    Evaluation,
    /// Accuracies of several models on changed images.
    Robustness,
}

/// One artifact in memory.
pub enum Artifact {
    /// Images and labels.
    Dataset(Dataset),
    /// A trained network with its predictions.
    Network(TrainedNetwork),
    /// Features of training and test images.
    Features(FeatureTable),
    /// A fitted classical classifier with its predictions.
    Classifier(FittedClassifier),
    /// Several networks as one model, with its predictions.
    Ensemble(FittedEnsemble),
    /// Metrics of several models.
    Evaluation(Box<Evaluation>),
    /// Accuracies of several models on changed images.
    Robustness(Box<RobustnessCard>),
}

/// A network, how it was trained, and what it says of the test images.
pub struct TrainedNetwork {
    /// Weights and architecture.
    pub network: Arc<Network>,
    /// What it expects of an image.
    pub input: ImageInput,
    /// One record per epoch; `seconds` is 0 here and in the stage's notes.
    pub history: Vec<EpochRecord>,
    /// Epoch whose weights were kept, counted from 1.
    pub best_epoch: usize,
    /// Its softmax as a classifier.
    pub model: FittedModel,
}

/// Features of training and test images with their labels.
pub struct FeatureTable {
    /// `[n_train, n_features]`, validation rows included.
    pub train: Features,
    /// `[n_test, n_features]`.
    pub test: Features,
    /// `[n_train]`.
    pub train_labels: Labels,
    /// `[n_test]`.
    pub test_labels: Labels,
    /// Such as `a3 penultimate`.
    pub description: String,
    /// Fingerprint of the network that made them; empty for none.
    pub network: String,
    /// The way from pixels to these features.
    pub chain: Chain,
}

/// A classical model and what it says of the test images.
pub struct FittedClassifier {
    /// The way from pixels to the features that it reads.
    pub chain: Chain,
    /// The fitted model.
    pub classifier: Arc<dyn Classifier>,
    /// What it says of the test images.
    pub model: FittedModel,
}

/// Several networks as one model, and what it says of the test images.
pub struct FittedEnsemble {
    /// The networks and how they vote.
    pub ensemble: Arc<Ensemble>,
    /// What they expect of an image.
    pub input: ImageInput,
    /// What it says of the test images.
    pub model: FittedModel,
}

/// What one fitted model of any family is and says; what it cost is in the stage's
/// notes ([`super::Output::notes`]), so that equal models are equal artifacts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedModel {
    /// `neural`, `classical` or `hybrid`.
    pub family: String,
    /// What it reads.
    pub input: String,
    /// Number of input features.
    pub n_features: usize,
    /// Fingerprint of the network whose softmax or features these are; empty for none.
    pub network: String,
    /// Bytes of the stored model.
    pub model_bytes: u64,
    /// What only this kind of model has; nothing that differs from run to run.
    pub details: Map<String, Value>,
    /// `test_digest` of the test images that it was applied to.
    pub tested_on: String,
    /// Labels given to the test images; stored as a tensor.
    #[serde(skip)]
    pub predicted: Labels,
    /// What it says of every class for the test images; stored as a tensor.
    #[serde(skip)]
    pub scores: Option<TestScores>,
}

/// Scores of the test images, in single precision.
#[derive(Clone, Debug, PartialEq)]
pub struct TestScores {
    /// `[n_test, n_classes]`
    pub values: Array2<f32>,
    /// What the values mean.
    pub meaning: Meaning,
}

impl TestScores {
    /// Of a classifier that met fewer labels, the other columns say so.
    pub(super) fn new(scores: Scores, n_classes: usize) -> Self {
        let Scores { values, meaning } = scores.for_classes(n_classes);
        TestScores { values: values.mapv(|score| score as f32), meaning }
    }
}

/// Tells sets of test images apart by their labels, in order.
pub(super) fn test_digest(labels: &Labels) -> String {
    let mut hasher = blake3::Hasher::new();
    labels.iter().for_each(|&label| {
        hasher.update(&(label as u64).to_le_bytes());
    });
    hasher.finalize().to_hex().to_string()
}

/// What a classical learner sees of a data set or of a feature table.
pub struct TableView<'a> {
    /// Training rows.
    pub train: Cow<'a, Features>,
    /// Test rows.
    pub test: Cow<'a, Features>,
    /// Labels of the training rows.
    pub train_labels: &'a Labels,
    /// Labels of the test rows.
    pub test_labels: &'a Labels,
    /// The way from pixels to the rows.
    pub chain: Chain,
    /// What the rows are.
    pub description: &'a str,
    /// Fingerprint of the network behind the features; empty for none.
    pub network: &'a str,
}

impl<'a> TableView<'a> {
    /// The rows of a data set (raw pixels) or a feature table.
    ///
    /// # Panics
    /// If the artifact is of another type: inputs are checked before a stage runs.
    pub fn of(artifact: &'a Artifact) -> Self {
        match artifact {
            Artifact::Dataset(data) => TableView {
                train: Cow::Owned(Features::Bytes(data.train.pixels.clone())),
                test: Cow::Owned(Features::Bytes(data.test.pixels.clone())),
                train_labels: &data.train.labels,
                test_labels: &data.test.labels,
                chain: Chain::pixels(data.input()),
                description: "pixels",
                network: "",
            },
            Artifact::Features(table) => TableView {
                train: Cow::Borrowed(&table.train),
                test: Cow::Borrowed(&table.test),
                train_labels: &table.train_labels,
                test_labels: &table.test_labels,
                chain: table.chain.clone(),
                description: &table.description,
                network: &table.network,
            },
            other => panic!("{:?} is no table of features", other.artifact_type()),
        }
    }

    /// Number of classes of the data set behind the rows.
    pub fn n_classes(&self) -> usize {
        self.chain.input.class_names.len()
    }

    /// `hybrid` on the features of a network, else `classical`.
    pub fn family(&self) -> &'static str {
        if self.network.is_empty() { "classical" } else { "hybrid" }
    }
}

impl Artifact {
    /// The type.
    pub fn artifact_type(&self) -> ArtifactType {
        match self {
            Artifact::Dataset(_) => ArtifactType::Dataset,
            Artifact::Network(_) => ArtifactType::Network,
            Artifact::Features(_) => ArtifactType::Features,
            Artifact::Classifier(_) => ArtifactType::Classifier,
            Artifact::Ensemble(_) => ArtifactType::Ensemble,
            Artifact::Evaluation(_) => ArtifactType::Evaluation,
            Artifact::Robustness(_) => ArtifactType::Robustness,
        }
    }

    /// Shape of its training and test rows, if it holds any.
    pub fn shape(&self) -> Option<TableShape> {
        match self {
            Artifact::Dataset(dataset) => Some(TableShape::of(dataset)),
            Artifact::Features(table) => Some(TableShape {
                n_train: table.train.n_samples(),
                n_test: table.test.n_samples(),
                n_features: table.train.n_features(),
                n_classes: table.train_labels.iter().max().map_or(0, |&label| label + 1),
                is_bytes: matches!(table.train, Features::Bytes(_)),
                image: None,
            }),
            _ => None,
        }
    }

    /// The data set.
    ///
    /// # Panics
    /// If it is of another type: inputs are checked before a stage runs.
    pub fn dataset(&self) -> &Dataset {
        match self {
            Artifact::Dataset(data) => data,
            other => panic!("{:?} is no data set", other.artifact_type()),
        }
    }

    /// The trained network.
    ///
    /// # Panics
    /// If it is of another type: inputs are checked before a stage runs.
    pub fn network(&self) -> &TrainedNetwork {
        match self {
            Artifact::Network(trained) => trained,
            other => panic!("{:?} is no network", other.artifact_type()),
        }
    }

    /// What a network, an ensemble or a classical model says of the test images.
    ///
    /// # Panics
    /// If it is of another type: inputs are checked before a stage runs.
    pub fn model(&self) -> &FittedModel {
        match self {
            Artifact::Network(trained) => &trained.model,
            Artifact::Classifier(fitted) => &fitted.model,
            Artifact::Ensemble(fitted) => &fitted.model,
            other => panic!("{:?} is no model", other.artifact_type()),
        }
    }

    /// What labels new images: of a network, an ensemble or a classical model.
    pub fn predictor(&self) -> Option<Model> {
        Some(match self {
            Artifact::Network(trained) => Model {
                chain: Chain::pixels(trained.input.clone()),
                head: Head::Network(Arc::clone(&trained.network)),
            },
            Artifact::Ensemble(fitted) => Model {
                chain: Chain::pixels(fitted.input.clone()),
                head: Head::Ensemble(Arc::clone(&fitted.ensemble)),
            },
            Artifact::Classifier(fitted) => Model {
                chain: fitted.chain.clone(),
                head: Head::Classifier(Arc::clone(&fitted.classifier)),
            },
            Artifact::Dataset(_)
            | Artifact::Features(_)
            | Artifact::Evaluation(_)
            | Artifact::Robustness(_) => return None,
        })
    }

    /// Writes the artifact as one file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), TensorFileError> {
        match self {
            Artifact::Dataset(data) => data.to_tensors().write(path),
            Artifact::Network(trained) => {
                let mut file = TensorFile::new(json!({
                    "history": trained.history,
                    "best_epoch": trained.best_epoch,
                    "input": trained.input,
                }));
                insert_model(&mut file, &trained.model, trained.network.to_tensors());
                file.write(path)
            }
            Artifact::Features(table) => table.to_tensors().write(path),
            Artifact::Classifier(fitted) => {
                let mut file = TensorFile::new(json!({}));
                insert_model(&mut file, &fitted.model, fitted.classifier.to_tensors());
                insert_chain(&mut file, &fitted.chain);
                file.write(path)
            }
            Artifact::Ensemble(fitted) => {
                let mut file = TensorFile::new(json!({ "input": fitted.input }));
                insert_model(&mut file, &fitted.model, fitted.ensemble.to_tensors());
                file.write(path)
            }
            Artifact::Evaluation(evaluation) => {
                TensorFile::new(json!({ "evaluation": evaluation })).write(path)
            }
            Artifact::Robustness(card) => {
                TensorFile::new(json!({ "robustness": card })).write(path)
            }
        }
    }

    /// Reads an artifact of a known type.
    ///
    /// # Errors
    /// If the file cannot be read or holds something else.
    pub fn read(expected: ArtifactType, path: &Path) -> Result<Self, TensorFileError> {
        let mut file = TensorFile::read(path)?;
        Ok(match expected {
            ArtifactType::Dataset => Artifact::Dataset(Dataset::from_tensors(file)?),
            ArtifactType::Network => {
                let (model, tensors) = take_model(&mut file)?;
                Artifact::Network(TrainedNetwork {
                    network: Network::from_tensors(tensors)
                        .map(Arc::new)
                        .map_err(|error| TensorFileError::Malformed(error.to_string()))?,
                    input: take(&mut file, "input")?,
                    history: take(&mut file, "history")?,
                    best_epoch: take(&mut file, "best_epoch")?,
                    model,
                })
            }
            ArtifactType::Features => Artifact::Features(FeatureTable::from_tensors(file)?),
            ArtifactType::Classifier => {
                let (model, tensors) = take_model(&mut file)?;
                let classifier = read_classifier(tensors)
                    .map_err(|error| TensorFileError::Malformed(error.to_string()))?;
                let chain = take_chain(&mut file)?;
                let classifier = Arc::from(classifier);
                Artifact::Classifier(FittedClassifier { chain, classifier, model })
            }
            ArtifactType::Ensemble => {
                let (model, tensors) = take_model(&mut file)?;
                let ensemble = Ensemble::from_tensors(tensors)
                    .map_err(|error| TensorFileError::Malformed(error.to_string()))?;
                let (ensemble, input) = (Arc::new(ensemble), take(&mut file, "input")?);
                Artifact::Ensemble(FittedEnsemble { ensemble, input, model })
            }
            ArtifactType::Evaluation => {
                Artifact::Evaluation(Box::new(take(&mut file, "evaluation")?))
            }
            ArtifactType::Robustness => {
                Artifact::Robustness(Box::new(take(&mut file, "robustness")?))
            }
        })
    }
}

impl FeatureTable {
    fn to_tensors(&self) -> TensorFile<'_> {
        let mut file = TensorFile::new(json!({
            "description": self.description,
            "network": self.network,
        }));
        for (name, features) in [("train", &self.train), ("test", &self.test)] {
            match features {
                Features::Bytes(rows) => file.insert_u8(name, rows.view()),
                Features::Floats(rows) => file.insert_f32(name, rows.view()),
            }
        }
        insert_labels(&mut file, "train_labels", &self.train_labels);
        insert_labels(&mut file, "test_labels", &self.test_labels);
        insert_chain(&mut file, &self.chain);
        file
    }

    fn from_tensors(mut file: TensorFile<'static>) -> Result<Self, TensorFileError> {
        let mut rows = |name: &str| match file.take_u8(name) {
            Ok(bytes) => Ok(Features::Bytes(bytes)),
            Err(_) => file.take_f32(name).map(Features::Floats),
        };
        let (train, test) = (rows("train")?, rows("test")?);
        Ok(FeatureTable {
            chain: take_chain(&mut file)?,
            train,
            test,
            train_labels: take_labels(&mut file, "train_labels")?,
            test_labels: take_labels(&mut file, "test_labels")?,
            description: take(&mut file, "description")?,
            network: take(&mut file, "network")?,
        })
    }
}

/// Adds predictions and the fitted parameters under the prefix `model`.
fn insert_model<'a>(file: &mut TensorFile<'a>, model: &FittedModel, fitted: TensorFile<'a>) {
    file.document["model"] = json!(model);
    file.document["parameters"] = fitted.document.clone();
    insert_labels(file, "predicted", &model.predicted);
    if let Some(scores) = &model.scores {
        file.document["scores"] = json!(scores.meaning);
        file.insert_f32("scores", scores.values.clone());
    }
    file.insert_prefixed("model", fitted);
}

fn take_model(
    file: &mut TensorFile<'static>,
) -> Result<(FittedModel, TensorFile<'static>), TensorFileError> {
    let mut model: FittedModel = take(file, "model")?;
    model.predicted = take_labels(file, "predicted")?;
    if file.document.get("scores").is_some() {
        let (values, meaning) = (file.take_f32("scores")?, take(file, "scores")?);
        model.scores = Some(TestScores { values, meaning });
    }
    let mut fitted = file.take_prefixed("model");
    fitted.document = file.document["parameters"].take();
    Ok((model, fitted))
}

fn insert_chain<'a>(file: &mut TensorFile<'a>, chain: &'a Chain) {
    let tensors = chain.to_tensors();
    file.document["chain"] = tensors.document.clone();
    file.insert_prefixed("chain", tensors);
}

fn take_chain(file: &mut TensorFile<'static>) -> Result<Chain, TensorFileError> {
    let mut tensors = file.take_prefixed("chain");
    tensors.document = file.document["chain"].take();
    Chain::from_tensors(tensors)
}

fn insert_labels(file: &mut TensorFile<'_>, name: &str, labels: &Labels) {
    file.insert_u32(name, labels.mapv(|label| label as u32));
}

fn take_labels(file: &mut TensorFile<'static>, name: &str) -> Result<Labels, TensorFileError> {
    Ok(file.take_u32::<ndarray::Ix1>(name)?.mapv(|label| label as usize))
}

fn take<T: serde::de::DeserializeOwned>(
    file: &mut TensorFile<'static>,
    key: &str,
) -> Result<T, TensorFileError> {
    serde_json::from_value(file.document[key].take())
        .map_err(|error| TensorFileError::Malformed(format!("`{key}`: {error}")))
}
