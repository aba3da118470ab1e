//! Records of networks and their training, as reports show them.

use serde::{Deserialize, Serialize};

/// One epoch of training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// Mean training loss over the epoch's batches.
    pub train_loss: f64,
    /// Training accuracy over the epoch's batches.
    pub train_accuracy: f64,
    /// Validation loss after the epoch; absent without validation images.
    pub validation_loss: Option<f64>,
    /// Validation accuracy after the epoch.
    pub validation_accuracy: Option<f64>,
    /// Learning rate at the end of the epoch.
    pub learning_rate: f64,
    /// Wall time, seconds.
    pub seconds: f64,
}

/// One row of a model summary as Keras prints it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerRow {
    /// Layer name and type, such as `conv (Conv2d 4x4)`.
    pub layer: String,
    /// Output shape without the batch, such as `[32, 25, 25]`.
    pub output_shape: Vec<usize>,
    /// Trainable parameters.
    pub n_parameters: usize,
}
