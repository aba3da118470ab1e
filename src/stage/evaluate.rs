//! `evaluate`: metrics of several models on the test images, and paired tests between them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::artifact::TestScores;
use super::disagreements::{add_heat_maps, disagreements};
use super::why::why;
use super::{
    Accepts, Artifact, ArtifactType, Context, Field, FittedModel, InputArtifact, InputSpec, Inputs,
    Kind, Output, Stage, StageError, test_digest, typed,
};
use crate::data::{Dataset, ImageSet, ImageShape};
use crate::learn::{Axes, Meaning};
use crate::metrics::{self, EpochRecord, LayerRow, MetricsError};
use crate::report::{
    AxesCard, AxisImage, Comparison, DatasetCard, Disagreements, GalleryImage, ScatterCard,
    ScoreFigures, WhyCard,
};

/// The kind.
pub static EVALUATE: Kind = Kind {
    name: "evaluate",
    doc: "metrics of several models on the test images, with paired tests",
    version: 3,
    seeded: false,
    inputs: &[
        InputSpec {
            name: "data",
            accepts: &[ArtifactType::Dataset],
            many: false,
            required: true,
            doc: "the test images",
        },
        InputSpec {
            name: "models",
            accepts: &[ArtifactType::Network, ArtifactType::Classifier, ArtifactType::Ensemble],
            many: true,
            required: true,
            doc: "models to compare, in the order of the tables",
        },
        InputSpec {
            name: "reductions",
            accepts: &[ArtifactType::Features],
            many: true,
            required: false,
            doc: "reductions whose first two axes the report draws, and all as images if of pixels",
        },
    ],
    fields: &[
        Field {
            name: "gallery",
            doc: "misclassified images kept per model for the report",
            accepts: Accepts::Integer { min: 0, max: 1000 },
            default: Some("24"),
            read_if: None,
        },
        Field {
            name: "disagreements",
            doc: "test images kept for the report on which models disagree",
            accepts: Accepts::Integer { min: 0, max: 2000 },
            default: Some("300"),
            read_if: None,
        },
        Field {
            name: "explained",
            doc: "test images with heat maps of the networks for the report, spread over the classes",
            accepts: Accepts::Integer { min: 0, max: 100 },
            default: Some("6"),
            read_if: None,
        },
    ],
    cost_only: &[],
    produces: ArtifactType::Evaluation,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EvaluateStage {
    gallery: usize,
    explained: usize,
    disagreements: usize,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(typed::<EvaluateStage>(params))
}

/// What an evaluation found; costs and titles are joined by stage id when a run is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Stage that made the data.
    pub data: String,
    /// The data set.
    pub dataset: DatasetCard,
    /// Each model, in the order of the pipeline file.
    pub models: Vec<EvaluatedModel>,
    /// Every pair of models.
    pub comparisons: Vec<Comparison>,
    /// Networks among the models.
    pub networks: Vec<EvaluatedNetwork>,
    /// Training images of each class.
    pub samples: Vec<GalleryImage>,
    /// Axes of reductions of the pixels.
    pub axes: Vec<AxesCard>,
    /// What speaks for decisions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<WhyCard>,
    /// Tells the test images apart from others, see [`FittedModel::tested_on`].
    pub tested_on: String,
    /// Images on which models disagree; none of a single model.
    pub disagreements: Option<Disagreements>,
    /// Test images in the planes of reductions.
    pub scatters: Vec<ScatterCard>,
}

/// Metrics of one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluatedModel {
    /// Stage that made it.
    pub id: String,
    /// What the model is.
    pub model: FittedModel,
    /// Figures on the test images.
    pub metrics: metrics::Evaluation,
    /// What its scores are worth; none of a model without scores.
    pub scores: Option<ScoreFigures>,
    /// Some misclassified test images, spread over the test set.
    pub misclassified: Vec<GalleryImage>,
}

/// A network's shape and history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluatedNetwork {
    /// Stage that trained it.
    pub id: String,
    /// Architecture name.
    pub architecture: String,
    /// Summary.
    pub layers: Vec<LayerRow>,
    /// One record per epoch, without times.
    pub history: Vec<EpochRecord>,
    /// Epoch whose weights were kept.
    pub best_epoch: usize,
}

impl Stage for EvaluateStage {
    fn run(&self, inputs: &Inputs, context: &Context) -> Result<Output, StageError> {
        let data = inputs.one("data").artifact.dataset();
        let entries: Vec<&InputArtifact> = inputs.all("models").collect();
        check_test_images(&entries, inputs.one("data"))?;
        let tested_on = test_digest(&data.test.labels);
        let labels = data.test.labels.to_vec();
        let predicted: Vec<Vec<usize>> =
            entries.iter().map(|entry| entry.artifact.model().predicted.to_vec()).collect();
        let mut models = Vec::new();
        for (nth, (entry, predicted)) in entries.iter().zip(&predicted).enumerate() {
            context.progress.update(nth as u64, entries.len() as u64, "");
            if context.progress.interrupted() {
                return Err(StageError::Interrupted);
            }
            let model = entry.artifact.model();
            models.push(EvaluatedModel {
                id: entry.stage_id.clone(),
                model: model.clone(),
                metrics: metrics::evaluate(&labels, predicted, &data.class_names)?,
                scores: score_figures(&labels, model.scores.as_ref())?,
                misclassified: misclassified(&data.test, model, self.gallery),
            });
        }
        let mut networks = Vec::new();
        for entry in &entries {
            let Artifact::Network(trained) = entry.artifact.as_ref() else { continue };
            networks.push(EvaluatedNetwork {
                id: entry.stage_id.clone(),
                architecture: trained.network.architecture().name().to_owned(),
                layers: trained
                    .network
                    .architecture()
                    .summary(data.test.shape, data.n_classes())?,
                history: trained.history.clone(),
                best_epoch: trained.best_epoch,
            });
        }
        let (mut axes, mut scatters) = (Vec::new(), Vec::new());
        for entry in inputs.all("reductions") {
            let (of_pixels, plane) =
                (axes_card(entry, data.test.shape), scatter(entry, &tested_on));
            if of_pixels.is_none() && plane.is_none() {
                context.progress.warn(&format!(
                    "`{}` has no two axes of the test images of `{}`: the report shows none",
                    entry.stage_id,
                    inputs.one("data").stage_id
                ));
            }
            axes.extend(of_pixels);
            scatters.extend(plane);
        }
        let fitted: Vec<(&str, &FittedModel)> =
            entries.iter().map(|entry| (entry.stage_id.as_str(), entry.artifact.model())).collect();
        let mut disputed = disagreements(data, &fitted, self.disagreements, context)?;
        if let Some(found) = &mut disputed {
            add_heat_maps(found, data, &entries, context)?;
        }
        let evaluation = Evaluation {
            data: inputs.one("data").stage_id.clone(),
            dataset: card(data),
            models,
            comparisons: comparisons(&entries, &labels, &predicted)?,
            networks,
            samples: samples(&data.train, data.n_classes()),
            axes,
            why: Some(why(data, &entries, self.explained, context.progress)?),
            disagreements: disputed,
            scatters,
            tested_on,
        };
        Ok(Output {
            artifact: Artifact::Evaluation(Box::new(evaluation)),
            reusable: true,
            notes: Map::new(),
        })
    }
}

/// Refuses models that labelled other test images than those of the data.
pub(super) fn check_test_images(
    models: &[&InputArtifact],
    data: &InputArtifact,
) -> Result<(), StageError> {
    let tested_on = test_digest(&data.artifact.dataset().test.labels);
    match models.iter().find(|entry| entry.artifact.model().tested_on != tested_on) {
        Some(other) => Err(StageError::OtherTestImages {
            model: other.stage_id.clone(),
            data: data.stage_id.clone(),
        }),
        None => Ok(()),
    }
}

fn card(data: &Dataset) -> DatasetCard {
    DatasetCard {
        name: data.name.clone(),
        n_train: data.train.len() - data.validation_idx.len(),
        n_validation: data.validation_idx.len(),
        n_test: data.test.len(),
        synthetic: data.synthetic,
        class_names: data.class_names.clone(),
        shape: data.test.shape,
    }
}

/// Every pair; the later model of the file is `a`, so that `a` minus `b` reads "what the classical
/// head buys".
fn comparisons(
    entries: &[&InputArtifact],
    labels: &[usize],
    predicted: &[Vec<usize>],
) -> Result<Vec<Comparison>, MetricsError> {
    let mut found = Vec::new();
    for (later, second) in entries.iter().enumerate() {
        for (earlier, first) in entries[..later].iter().enumerate() {
            let (a, b) = (second.artifact.model(), first.artifact.model());
            let paired = metrics::compare_paired(labels, &predicted[later], &predicted[earlier])?;
            found.push(Comparison {
                a: second.stage_id.clone(),
                b: first.stage_id.clone(),
                test: "mcnemar".to_owned(),
                p_value: paired.p_value,
                n_only_a: paired.n_only_a,
                n_only_b: paired.n_only_b,
                difference: paired.difference,
                difference_ci95: paired.difference_ci95,
                against_own_softmax: !a.network.is_empty()
                    && a.network == b.network
                    && a.family == "hybrid"
                    && b.family == "neural",
            });
        }
    }
    Ok(found)
}

/// Curves and calibration of one model's scores.
fn score_figures(
    labels: &[usize],
    scores: Option<&TestScores>,
) -> Result<Option<ScoreFigures>, MetricsError> {
    let Some(TestScores { values, meaning }) = scores else { return Ok(None) };
    let is_probability = *meaning == Meaning::Probability;
    let values = values.mapv(f64::from);
    Ok(Some(ScoreFigures {
        is_probability,
        ranking: metrics::ranking(labels, values.view())?,
        calibration: match is_probability {
            true => metrics::calibration(labels, values.view())?,
            false => None,
        },
    }))
}

/// Test images that a scatter plot has at most.
const N_POINTS: usize = 2000;

/// The test images by the first two features of a table; none if it has one, or other test images.
fn scatter(entry: &InputArtifact, tested_on: &str) -> Option<ScatterCard> {
    let Artifact::Features(table) = entry.artifact.as_ref() else { return None };
    let n_all = table.test.n_samples();
    if table.test.n_features() < 2 || test_digest(&table.test_labels) != tested_on {
        return None;
    }
    let n_points = n_all.min(N_POINTS);
    let rows: Vec<usize> = (0..n_points).map(|nth| nth * n_all / n_points).collect();
    let points = rows.iter().map(|&row| {
        let features = table.test.row_f32(row);
        [features[0], features[1]]
    });
    Some(ScatterCard {
        id: entry.stage_id.clone(),
        description: table.description.clone(),
        n_all,
        points: points.collect(),
        labels: rows.iter().map(|&row| table.test_labels[row]).collect(),
    })
}

/// Axes of a reduction that a report shows.
const N_AXES: usize = 16;

/// Size of an axis's largest value as it is stored.
const AXIS_RANGE: f32 = 127.0;

/// The first axes of a reduction of images of this shape; none if it has no axes, or its input are
/// other features.
fn axes_card(entry: &InputArtifact, shape: ImageShape) -> Option<AxesCard> {
    let Artifact::Features(table) = entry.artifact.as_ref() else { return None };
    let Axes { mean, patterns, shares } = table.chain.last_map()?.axes()?;
    if mean.len() != shape.n_pixels() || !table.description.starts_with("pixels") {
        return None;
    }
    let axes = patterns.rows().into_iter().zip(shares).take(N_AXES).map(|(axis, share)| {
        let largest = axis.iter().fold(0.0f32, |largest, v| largest.max(v.abs()));
        let scale = if largest > 0.0 { AXIS_RANGE / largest } else { 0.0 };
        AxisImage { values: axis.iter().map(|v| (v * scale).round() as i8).collect(), share }
    });
    Some(AxesCard {
        id: entry.stage_id.clone(),
        description: table.description.clone(),
        shape,
        n_axes: patterns.nrows(),
        mean: mean.iter().map(|v| (v * 255.0).round().clamp(0.0, 255.0) as u8).collect(),
        axes: axes.collect(),
    })
}

/// At most `n_wanted` misclassified test images, evenly spread over all that are.
fn misclassified(test: &ImageSet, model: &FittedModel, n_wanted: usize) -> Vec<GalleryImage> {
    let wrong: Vec<usize> =
        (0..test.len()).filter(|&row| test.labels[row] != model.predicted[row]).collect();
    let n_shown = n_wanted.min(wrong.len());
    (0..n_shown)
        .map(|nth| wrong[nth * wrong.len() / n_shown])
        .map(|row| gallery_image(test, row, Some(model.predicted[row])))
        .collect()
}

/// The first training images of each class, class by class.
fn samples(train: &ImageSet, n_classes: usize) -> Vec<GalleryImage> {
    let n_each = if n_classes <= 20 { 9 } else { 3 };
    (0..n_classes)
        .flat_map(|class| {
            (0..train.len())
                .filter(move |&row| train.labels[row] == class)
                .take(n_each)
                .map(|row| gallery_image(train, row, None))
        })
        .collect()
}

/// A row of a set of images, and what a model says of it.
pub(super) fn gallery_image(
    images: &ImageSet,
    row: usize,
    predicted: Option<usize>,
) -> GalleryImage {
    GalleryImage {
        row,
        label: images.labels[row],
        predicted,
        pixels: images.pixels.row(row).to_vec(),
    }
}
