//! What models keep of their accuracy when test images change.

use serde::{Deserialize, Serialize};

use crate::data::{ImageShape, N_SEVERITIES};

/// What a `robustness` stage found, in `results.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustnessRecord {
    /// Stage that made the data.
    pub data: String,
    /// Test images that were changed.
    pub n_images: usize,
    /// Each model, in the order of the pipeline file.
    pub models: Vec<ModelRobustness>,
}

/// What a `robustness` stage found, with what only a page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustnessCard {
    /// The figures.
    pub record: RobustnessRecord,
    /// Shape of the images.
    pub shape: ImageShape,
    /// The changes, with an example of each.
    pub changes: Vec<CorruptionCard>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CorruptionCard {
    /// Such as `background_fill`.
    pub name: String,
    /// Such as `background`.
    pub group: String,
    /// What each severity means.
    pub levels: Vec<String>,
    /// The first test image at each severity, bytes, height x width x channels.
    pub images: Vec<Vec<u8>>,
}

/// Accuracies of one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelRobustness {
    /// Stage that made the model.
    pub id: String,
    /// On the same images unchanged.
    pub clean_accuracy: f64,
    /// Change by change.
    pub changes: Vec<CorruptionRow>,
    /// Mean over all changes and severities.
    pub mean_corruption_accuracy: f64,
}

/// Accuracies under one change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CorruptionRow {
    /// Its name.
    pub change: String,
    /// At severities 1 to 5.
    pub accuracies: [f64; N_SEVERITIES],
}

impl CorruptionRow {
    /// Mean over severities.
    pub fn mean(&self) -> f64 {
        self.accuracies.iter().sum::<f64>() / self.accuracies.len() as f64
    }
}
