//! How a network is trained.

use serde::{Deserialize, Serialize};

use super::NnError;
use crate::data::Transforms;

/// Parameters of [`super::train()`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainParams {
    /// Passes over the training images, at least 1.
    pub epochs: usize,
    /// Images per step; the last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// Step size, above 0 and at most 10.
    pub learning_rate: f64,
    /// Rule of the step.
    pub optimizer: Optimizer,
    /// At least 0. Adam and SGD add it times the weight to the gradient; AdamW shrinks the weights.
    pub weight_decay: f64,
    /// Stop after this many epochs without a better validation loss.
    pub early_stopping: Option<usize>,
    /// Changes that training images go through in every epoch; never those of validation and test.
    pub augment: Transforms,
}

/// Rule by which a gradient changes the weights; formulas as PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Adam, betas 0.9 and 0.999, eps 1e-8 (Kingma & Ba, 2015).
    Adam,
    /// Adam with decoupled weight decay (Loshchilov & Hutter, 2019).
    #[serde(rename = "adamw")]
    AdamW,
    /// Gradient descent with momentum.
    Sgd {
        /// In `[0, 1)`.
        momentum: f64,
    },
}

impl Default for TrainParams {
    fn default() -> Self {
        TrainParams {
            epochs: 10,
            batch_size: 128,
            learning_rate: 1e-3,
            optimizer: Optimizer::Adam,
            weight_decay: 0.0,
            early_stopping: None,
            augment: Transforms::default(),
        }
    }
}

impl TrainParams {
    /// Checks every range.
    ///
    /// # Errors
    /// [`NnError::OutOfRange`] for the first value outside.
    pub fn check(&self) -> Result<(), NnError> {
        let refuse = |parameter, found: String, expected| {
            Err(NnError::OutOfRange { parameter, found, expected })
        };
        if self.epochs == 0 {
            return refuse("epochs", "0".into(), "at least 1");
        }
        if self.batch_size == 0 {
            return refuse("batch_size", "0".into(), "at least 1");
        }
        if !(self.learning_rate > 0.0 && self.learning_rate <= 10.0) {
            let found = self.learning_rate.to_string();
            return refuse("learning_rate", found, "above 0 and at most 10");
        }
        if !(0.0..=1.0).contains(&self.weight_decay) {
            return refuse("weight_decay", self.weight_decay.to_string(), "between 0 and 1");
        }
        if self.early_stopping == Some(0) {
            return refuse("early_stopping", "0".into(), "at least 1");
        }
        match self.optimizer {
            Optimizer::Sgd { momentum } if !(0.0..1.0).contains(&momentum) => {
                refuse("momentum", momentum.to_string(), "at least 0 and below 1")
            }
            _ => Ok(()),
        }
    }
}
