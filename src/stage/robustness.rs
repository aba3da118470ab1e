//! `robustness`: models judged again on test images that were changed.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Accepts, Artifact, ArtifactType, Context, Field, InputArtifact, InputSpec, Inputs, Kind,
    Output, Stage, StageError, evaluate, typed,
};
use crate::data::{Corruption, ImageSet, N_SEVERITIES};
use crate::model::Model;
use crate::progress::{Part, Progress};
use crate::report::{
    CorruptionCard, CorruptionRow, ModelRobustness, RobustnessCard, RobustnessRecord,
};

/// The kind.
pub static ROBUSTNESS: Kind = Kind {
    name: "robustness",
    doc: "models judged again under other backgrounds, light, noise, blur, moves, occlusion",
    version: 1,
    seeded: true,
    inputs: &[
        InputSpec {
            name: "data",
            accepts: &[ArtifactType::Dataset],
            many: false,
            required: true,
            doc: "the test images that are changed",
        },
        InputSpec {
            name: "models",
            accepts: &[ArtifactType::Network, ArtifactType::Classifier, ArtifactType::Ensemble],
            many: true,
            required: true,
            doc: "models to judge, in the order of the tables",
        },
    ],
    fields: &[Field {
        name: "n_images",
        doc: "test images, evenly spread over all; 0 takes them all",
        accepts: Accepts::Integer { min: 0, max: i64::MAX },
        default: Some("0"),
        read_if: None,
    }],
    cost_only: &[],
    produces: ArtifactType::Robustness,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RobustnessStage {
    n_images: usize,
}

fn build(params: &Map<String, Value>) -> Box<dyn Stage> {
    Box::new(typed::<RobustnessStage>(params))
}

impl Stage for RobustnessStage {
    fn run(&self, inputs: &Inputs, context: &Context) -> Result<Output, StageError> {
        let data = inputs.one("data").artifact.dataset();
        let corruptions: Vec<Corruption> = Corruption::all().collect();
        let entries: Vec<&InputArtifact> = inputs.all("models").collect();
        evaluate::check_test_images(&entries, inputs.one("data"))?;
        let test = &data.test;
        let n_images = if self.n_images == 0 { test.len() } else { self.n_images.min(test.len()) };
        let rows: Vec<usize> = (0..n_images).map(|nth| nth * test.len() / n_images).collect();
        let test = ImageSet {
            shape: test.shape,
            pixels: test.pixels.select(ndarray::Axis(0), &rows),
            labels: rows.iter().map(|&row| test.labels[row]).collect(),
        };
        let models: Vec<Model> =
            entries.iter().filter_map(|entry| entry.artifact.predictor()).collect();
        let n_parts = 1 + corruptions.len() * N_SEVERITIES;
        let clean = {
            let part = Part::new(context.progress, 0, 1, n_parts).with_note("unchanged".to_owned());
            accuracies(&models, &test, test.pixels.view(), &part)?
        };
        let mut found: Vec<ModelRobustness> = entries
            .iter()
            .zip(clean)
            .map(|(entry, clean)| ModelRobustness {
                id: entry.stage_id.clone(),
                clean_accuracy: clean,
                changes: Vec::new(),
                mean_corruption_accuracy: 0.0,
            })
            .collect();
        for (nth, corruption) in corruptions.iter().enumerate() {
            let mut by_model = vec![[0.0; N_SEVERITIES]; models.len()];
            for severity in 1..=N_SEVERITIES {
                let at = nth * N_SEVERITIES + severity;
                let note = format!("{} {severity}", corruption.name());
                let part = Part::new(context.progress, at, at + 1, n_parts).with_note(note);
                let changed =
                    corruption.apply(test.pixels.view(), test.shape, severity, context.seed);
                let reached = accuracies(&models, &test, changed.view(), &part)?;
                for (row, accuracy) in by_model.iter_mut().zip(reached) {
                    row[severity - 1] = accuracy;
                }
            }
            for (model, accuracies) in found.iter_mut().zip(by_model) {
                let change = corruption.name().to_owned();
                model.changes.push(CorruptionRow { change, accuracies });
            }
        }
        for model in &mut found {
            let all = || model.changes.iter().flat_map(|change| change.accuracies);
            model.mean_corruption_accuracy = all().sum::<f64>() / all().count().max(1) as f64;
        }
        let examples = example(&test, &corruptions, context.seed);
        let data = inputs.one("data").stage_id.clone();
        let card = RobustnessCard {
            record: RobustnessRecord { data, n_images, models: found },
            shape: test.shape,
            changes: examples,
        };
        Ok(Output {
            artifact: Artifact::Robustness(Box::new(card)),
            reusable: true,
            notes: Map::new(),
        })
    }
}

/// Share of images that each model labels right.
fn accuracies(
    models: &[Model],
    test: &ImageSet,
    pixels: ndarray::ArrayView2<'_, u8>,
    progress: &dyn Progress,
) -> Result<Vec<f64>, StageError> {
    let mut shares = Vec::with_capacity(models.len());
    for (nth, model) in models.iter().enumerate() {
        if progress.interrupted() {
            return Err(StageError::Interrupted);
        }
        let part = Part::new(progress, nth, nth + 1, models.len());
        let predicted = model.predict(pixels, &part)?;
        let n_right = predicted.iter().zip(&test.labels).filter(|(a, b)| a == b).count();
        shares.push(n_right as f64 / test.len().max(1) as f64);
    }
    Ok(shares)
}

/// The first test image under every change and severity.
fn example(test: &ImageSet, corruptions: &[Corruption], seed: u64) -> Vec<CorruptionCard> {
    let first = test.pixels.slice(ndarray::s![..1, ..]);
    let card = |corruption: &Corruption| CorruptionCard {
        name: corruption.name().to_owned(),
        group: corruption.group().to_owned(),
        levels: (1..=N_SEVERITIES).map(|severity| corruption.level(severity)).collect(),
        images: (1..=N_SEVERITIES)
            .map(|severity| corruption.apply(first, test.shape, severity, seed))
            .map(|image| image.into_raw_vec_and_offset().0)
            .collect(),
    };
    corruptions.iter().map(card).collect()
}
