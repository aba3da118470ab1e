//! `results.json`: what a run found, as other programs read it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Disagreements, RobustnessCard, RobustnessRecord, ScatterCard, ScoreFigures, SeedComparison,
    SeedSummary,
};
use crate::data::ImageShape;
use crate::metrics::{ClassMetrics, EpochRecord, LayerRow};

/// The whole of `results.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Version of this layout.
    pub schema: u32,
    /// Pipeline name.
    pub pipeline: String,
    /// Run name: the UTC start time, `20261121T065155Z`, made unique if needed.
    pub run: String,
    /// Data set of the first evaluation.
    pub dataset: DatasetCard,
    /// Every evaluation, in the order of the pipeline file; models of different ones were tested
    /// on different images.
    #[serde(default)]
    pub evaluations: Vec<EvaluationRecord>,
    /// Seed of the run; the first, if there are several.
    pub seed: u64,
    /// Threads used.
    pub threads: usize,
    /// CPU model, instruction sets, cores, memory, operating system, program version.
    pub machine: Map<String, Value>,
    /// Every stage of the pipeline, in the order run.
    pub stages: Vec<StageRecord>,
    /// Every evaluated model, in the order of the pipeline file.
    pub models: Vec<ModelResult>,
    /// Paired tests, each of two models of one seed.
    pub comparisons: Vec<Comparison>,
    /// Seeds of a run with several; absent from one with a single seed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seeds: Vec<u64>,
    /// Every model over all seeds, if there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub summaries: Vec<SeedSummary>,
    /// Pairs of models compared over seeds, if there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seed_comparisons: Vec<SeedComparison>,
    /// Accuracies on changed test images, one for each `robustness` stage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub robustness: Vec<RobustnessRecord>,
}

/// Size and name of the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetCard {
    /// Registry name.
    pub name: String,
    /// Training images, validation rows excluded.
    pub n_train: usize,
    /// Images held out of training for validation.
    pub n_validation: usize,
    /// Test images.
    pub n_test: usize,
    /// True for generated images.
    pub synthetic: bool,
    /// Class names by label.
    pub class_names: Vec<String>,
    /// Shape of an image.
    pub shape: ImageShape,
}

/// What the models of one `evaluate` stage were tested on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationRecord {
    /// Name in the pipeline file.
    pub id: String,
    /// Title of the stage that made the data.
    pub title: String,
    /// That stage; empty in a file that is older than this field.
    #[serde(default)]
    pub data: String,
    /// The data.
    pub dataset: DatasetCard,
    /// Fingerprint of the true labels of the test images; empty if the file is older than that.
    #[serde(default)]
    pub tested_on: String,
}

/// Whether a stage ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageStatus {
    /// It ran in this run.
    Ran,
    /// Its artifact came from the cache.
    Cached,
}

/// Cost of one stage. For a cached stage the figures are those of the run that made the artifact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    /// Name in the pipeline file.
    pub id: String,
    /// Stage kind.
    pub kind: String,
    /// Ran or restored.
    pub status: StageStatus,
    /// Wall time, seconds.
    pub seconds: f64,
    /// CPU time of all threads, seconds.
    pub cpu_seconds: f64,
    /// Peak resident memory of the process during the stage; absent where the system cannot tell.
    pub peak_rss_bytes: Option<u64>,
    /// Digest of the artifact (BLAKE3, hex).
    pub digest: String,
    /// Stages that it reads, by name.
    #[serde(default)]
    pub inputs: Vec<String>,
    /// Its parameters, defaults written out.
    #[serde(default)]
    pub params: Map<String, Value>,
}

/// One model: accuracy and cost on the test images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelResult {
    /// Stage that made the model.
    pub id: String,
    /// Title for people.
    pub title: String,
    /// The evaluation that it is of, see [`Results::evaluations`].
    #[serde(default)]
    pub evaluation: String,
    /// `neural`, `classical` (on pixels) or `hybrid` (classical on network features).
    pub family: String,
    /// What it reads, such as `pixels` or `a3 flattened`.
    pub input: String,
    /// Number of input features.
    pub n_features: usize,
    /// Training rows it was fitted on; absent where that was not recorded.
    #[serde(default)]
    pub n_train: Option<usize>,
    /// Name of the models that differ from this one in `n_train` alone; absent if there are none.
    #[serde(default)]
    pub series: Option<String>,
    /// Accuracy published for this model; absent if the pipeline file names none.
    #[serde(default)]
    pub reported: Option<f64>,
    /// Its place in the table of a matrix; absent for a stage written by itself.
    #[serde(default)]
    pub cell: Option<MatrixCell>,
    /// Share of test images labelled right.
    pub accuracy: f64,
    /// Wilson 95 % interval of the accuracy.
    pub accuracy_ci95: [f64; 2],
    /// Unweighted mean precision over classes.
    pub macro_precision: f64,
    /// Unweighted mean recall over classes.
    pub macro_recall: f64,
    /// Unweighted mean F1 over classes.
    pub macro_f1: f64,
    /// Mean precision, weighted by support.
    pub weighted_precision: f64,
    /// Mean recall, weighted by support.
    pub weighted_recall: f64,
    /// Mean F1, weighted by support.
    pub weighted_f1: f64,
    /// Per class.
    pub per_class: Vec<ClassMetrics>,
    /// `confusion[true][predicted]`, counts.
    pub confusion: Vec<Vec<u64>>,
    /// Area under the ROC of each class against the rest, mean over classes; absent of a model
    /// without scores, as the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auc_macro: Option<f64>,
    /// Average precision of each class against the rest, mean over classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_precision_macro: Option<f64>,
    /// Expected calibration error over 15 bins; absent of a model without probabilities, as the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ece: Option<f64>,
    /// Brier score, summed over classes, `0..=2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brier: Option<f64>,
    /// Mean negative logarithm of the probability of the true class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_loss: Option<f64>,
    /// Wall time of the fit, seconds.
    pub fit_seconds: f64,
    /// CPU time of the fit over all threads, seconds.
    pub fit_cpu_seconds: f64,
    /// Wall time to predict the test images, seconds.
    pub predict_seconds: f64,
    /// Size of the stored model.
    pub model_bytes: u64,
    /// Peak resident memory of the process while the model's stage ran.
    pub peak_rss_bytes: Option<u64>,
    /// What only this kind of model has: support vectors, gap, epochs, parameters.
    pub details: Map<String, Value>,
}

/// Where a model stands in the table of learners by inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatrixCell {
    /// The learner.
    pub row: String,
    /// The input.
    pub column: String,
}

/// A paired test of two models on the same test images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// First model.
    pub a: String,
    /// Second model.
    pub b: String,
    /// `mcnemar`.
    pub test: String,
    /// Two-sided p value.
    pub p_value: f64,
    /// Test images that only `a` labels right.
    pub n_only_a: u64,
    /// Test images that only `b` labels right.
    pub n_only_b: u64,
    /// Accuracy of `a` minus accuracy of `b`.
    pub difference: f64,
    /// 95 % interval of the difference (paired, Newcombe 1998 method 10 or Wald; see metrics).
    pub difference_ci95: [f64; 2],
    /// True if this is a hybrid against the softmax head of the network whose features it reads.
    pub against_own_softmax: bool,
}

/// What a report shows of a network besides its metrics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkCard {
    /// Stage that trained it.
    pub id: String,
    /// Architecture name.
    pub architecture: String,
    /// Summary rows.
    pub layers: Vec<LayerRow>,
    /// History of training.
    pub history: Vec<EpochRecord>,
    /// Epoch whose weights were kept.
    pub best_epoch: usize,
}

/// A test image that a report shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GalleryImage {
    /// Row in the test set (or in the training set, for samples).
    pub row: usize,
    /// True class.
    pub label: usize,
    /// Predicted class; absent for plain samples.
    pub predicted: Option<usize>,
    /// Bytes, height x width x channels.
    pub pixels: Vec<u8>,
}

/// The axes of a reduction of images, as images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AxesCard {
    /// Stage of the reduction.
    pub id: String,
    /// What it makes, such as `pixels, pca 50`.
    pub description: String,
    /// Shape of the images.
    pub shape: ImageShape,
    /// Axes that it has.
    pub n_axes: usize,
    /// Mean image, bytes, height x width x channels.
    pub mean: Vec<u8>,
    /// The first axes.
    pub axes: Vec<AxisImage>,
}

/// One axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AxisImage {
    /// Height x width x channels, scaled so that the largest is 127 or -127.
    pub values: Vec<i8>,
    /// Share of the variance that it explains.
    pub share: f64,
}

/// What speaks for decisions of the models of an evaluation, as the page shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WhyCard {
    /// Shape of the images below; large images are made smaller.
    pub shape: ImageShape,
    /// Some test images with heat maps.
    pub images: Vec<ExplainedImage>,
    /// What models look for in every image.
    pub patterns: Vec<PatternCard>,
}

/// A test image, and where networks see what speaks for their answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainedImage {
    /// Row in the test set.
    pub row: usize,
    /// True class.
    pub label: usize,
    /// Bytes, height x width x channels.
    pub pixels: Vec<u8>,
    /// Grad-CAM of each network or ensemble for its own answer.
    pub heats: Vec<HeatCard>,
}

/// One heat map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeatCard {
    /// Stage of the model.
    pub model: String,
    /// The class that it gives, for which the map speaks.
    pub predicted: usize,
    /// Height x width, the largest 255.
    pub values: Vec<u8>,
}

/// What a model looks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PatternCard {
    /// Stage of the model.
    pub model: String,
    /// What the tiles are.
    pub kind: PatternKind,
    /// Height and width of a tile.
    pub size: [usize; 2],
    /// Height x width each, the largest of all 127 or -127.
    pub tiles: Vec<PatternTile>,
}

/// What the tiles of a pattern are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatternKind {
    /// Weights of the pixels for a class.
    Weights,
    /// How much trees read every pixel.
    Importance,
    /// Filters of the first convolution.
    Filters,
}

/// One tile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PatternTile {
    /// The class that it is of.
    pub class: Option<usize>,
    /// Height x width.
    pub values: Vec<i8>,
}

/// All that the writer of a run directory needs: `results.json` and what only the page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunOutput {
    /// The machine-readable part.
    pub results: Results,
    /// Title of the pipeline for people.
    pub title: String,
    /// When the run began, seconds after 1970.
    pub started: f64,
    /// Networks with their histories.
    pub networks: Vec<NetworkCard>,
    /// A few training images of each class.
    pub samples: Vec<GalleryImage>,
    /// Axes of reductions.
    pub axes: Vec<AxesCard>,
    /// What speaks for decisions, by evaluation.
    pub why: Vec<(String, WhyCard)>,
    /// What each `robustness` stage found.
    pub robustness: Vec<RobustnessCard>,
    /// Per model id: misclassified test images.
    pub misclassified: Vec<(String, Vec<GalleryImage>)>,
    /// Per model id: what its scores are worth.
    pub scores: Vec<(String, ScoreFigures)>,
    /// Per evaluation: images on which its models disagree.
    pub disagreements: Vec<(String, Disagreements)>,
    /// Test images in the planes of reductions.
    pub scatters: Vec<ScatterCard>,
    /// The resolved pipeline with provenance, the text of `run.toml`.
    pub run_toml: String,
}

/// Version of the layout of `results.json` that this program writes.
pub const SCHEMA: u32 = 1;

impl ModelResult {
    /// Whether the fit reached its tolerance; none if the model does not tell.
    pub fn converged(&self) -> Option<bool> {
        self.details.get("converged").and_then(Value::as_bool)
    }
}

impl Results {
    /// The model with this id.
    pub fn model(&self, id: &str) -> Option<&ModelResult> {
        self.models.iter().find(|model| model.id == id)
    }

    /// The evaluation of a model; none if the file is older than evaluations are.
    pub fn evaluation_of(&self, model: &ModelResult) -> Option<&EvaluationRecord> {
        self.evaluations.iter().find(|evaluation| evaluation.id == model.evaluation)
    }

    /// What a model was tested on.
    pub fn dataset_of(&self, model: &ModelResult) -> &DatasetCard {
        self.evaluation_of(model).map_or(&self.dataset, |evaluation| &evaluation.dataset)
    }

    /// True if any model was tested on generated images.
    pub fn is_synthetic(&self) -> bool {
        self.dataset.synthetic || self.evaluations.iter().any(|of| of.dataset.synthetic)
    }

    /// The models of the first evaluation: accuracies compare among them only.
    pub fn first_models(&self) -> impl DoubleEndedIterator<Item = &ModelResult> {
        let first = self.evaluations.first().map_or("", |evaluation| evaluation.id.as_str());
        self.models.iter().filter(move |model| model.evaluation == first)
    }

    /// The softmax head of the network whose features `model` reads, if it was evaluated.
    pub fn own_softmax(&self, model: &ModelResult) -> Option<&ModelResult> {
        if model.family == "neural" {
            return None;
        }
        let comparison = self.comparisons.iter().find(|comparison| {
            comparison.against_own_softmax && [&comparison.a, &comparison.b].contains(&&model.id)
        })?;
        let other = if comparison.a == model.id { &comparison.b } else { &comparison.a };
        self.model(other)
    }

    /// Seconds to have the model from images alone: `details.total_fit_seconds` if the stage gave
    /// it, else its own fit, plus the training of the network whose features it reads.
    pub fn total_fit_seconds(&self, model: &ModelResult) -> f64 {
        let given = model.details.get("total_fit_seconds").and_then(Value::as_f64);
        given.unwrap_or_else(|| {
            model.fit_seconds + self.own_softmax(model).map_or(0.0, |network| network.fit_seconds)
        })
    }

    /// Test images predicted per second; 0 if prediction took no measurable time.
    pub fn images_per_second(&self, model: &ModelResult) -> f64 {
        let rate = self.dataset_of(model).n_test as f64 / model.predict_seconds;
        if rate.is_finite() { rate } else { 0.0 }
    }
}
