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
    /// Step size, above 0 and at most 10; the greatest one, where a schedule changes it.
    pub learning_rate: f64,
    /// How the step size changes.
    pub schedule: Schedule,
    /// Epochs over which the step size first grows linearly, fewer than `epochs`.
    pub warmup_epochs: usize,
    /// Rule of the step.
    pub optimizer: Optimizer,
    /// From 0 to 1. Adam and SGD add it times the weight to the gradient; AdamW shrinks the weights.
    pub weight_decay: f64,
    /// Whether `weight_decay` counts for biases and for scale and shift of normalisation too.
    pub decay_bias_and_norm: bool,
    /// Share of a label that is spread over all classes, in `[0, 1)` (Szegedy et al., 2016).
    pub label_smoothing: f64,
    /// Greatest norm of all gradients together; longer ones are scaled down (Pascanu et al., 2013).
    pub clip_norm: Option<f64>,
    /// Decay of the moving average of the weights that is validated and kept, in `(0, 1)`; smaller
    /// in the first steps (`nn::average`).
    pub ema_decay: Option<f64>,
    /// Stop after this many epochs without a better validation loss.
    pub early_stopping: Option<usize>,
    /// Epoch whose weights are kept.
    pub keep: Keep,
    /// How kernels and biases begin.
    pub initialisation: Initialisation,
    /// Layers whose weights stay as they began.
    pub freeze: Freeze,
    /// Changes that training images go through in every epoch; never those of validation and test.
    pub augment: Transforms,
    /// What computes the network.
    pub engine: Engine,
    /// What convolutions multiply.
    pub precision: Precision,
}

/// What convolutions multiply, in training and in use. Weights, what flows between layers, sums and all
/// other layers are `f32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// `f32` numbers.
    #[default]
    F32,
    /// `bf16` numbers, added up in `f32`, where convolutions are computed at Winograd's points (side 3,
    /// stride 1, channels in multiples of 16): half the memory, twice the products on CPUs that multiply
    /// `bf16`, the same numbers from any other at `f32`'s speed. Outputs and gradients carry noise of 2 to
    /// 3 % of their deviation.
    Bf16,
}

/// What computes a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// Our kernels.
    #[default]
    Native,
    /// candle on the CPU.
    Candle,
    /// candle on the first GPU; the order of its sums, and so the last bits, may differ between runs.
    CandleCuda,
}

impl Engine {
    /// As pipeline files name it.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Native => "native",
            Engine::Candle => "candle",
            Engine::CandleCuda => "candle_cuda",
        }
    }
}

/// Rule by which a gradient changes the weights; formulas as PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Adam, eps 1e-8 (Kingma & Ba, 2015).
    Adam {
        /// Decay of the mean of the gradients, in `[0, 1)`.
        beta1: f64,
        /// Decay of the mean of their squares, in `[0, 1)`.
        beta2: f64,
    },
    /// Adam with decoupled weight decay (Loshchilov & Hutter, 2019).
    #[serde(rename = "adamw")]
    AdamW {
        /// As Adam's.
        beta1: f64,
        /// As Adam's.
        beta2: f64,
    },
    /// Gradient descent with momentum.
    Sgd {
        /// In `[0, 1)`.
        momentum: f64,
        /// Step along the gradient at the point that the momentum leads to (Sutskever et al., 2013).
        nesterov: bool,
    },
}

/// How the step size changes over a training; PyTorch's formulas, after the warm-up. `t` counts
/// steps, `T` all of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Always the same.
    Constant,
    /// Times `factor` every `epochs` epochs.
    Step {
        /// At least 1.
        epochs: usize,
        /// In `(0, 1]`.
        factor: f64,
    },
    /// Half a cosine of `t / T`, from `learning_rate` to this (Loshchilov & Hutter, 2017).
    Cosine {
        /// From 0 to `learning_rate`.
        final_learning_rate: f64,
    },
    /// Half a cosine up, half a cosine down (Smith & Topin, 2018); momentum does not change.
    OneCycle {
        /// Share of the steps that go up, in `(0, 1)`.
        pct_start: f64,
        /// `learning_rate` over the first one, at least 1.
        div_factor: f64,
        /// The first one over the last, at least 1.
        final_div_factor: f64,
    },
    /// Times `factor` after more than `patience` epochs without a validation loss that is better by
    /// one part in 10,000.
    Plateau {
        /// In `(0, 1)`.
        factor: f64,
        /// Epochs.
        patience: usize,
        /// Least step size, from 0 to `learning_rate`.
        min_learning_rate: f64,
    },
}

/// Epoch whose weights a training gives; the last one, where there are no validation images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// The least validation loss; the first of equals.
    #[default]
    BestLoss,
    /// The greatest validation accuracy; the first of equals.
    BestAccuracy,
    /// The last one.
    Last,
}

/// First values of kernels and biases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Initialisation {
    /// PyTorch's default for both: uniform within `1 / sqrt(fan_in)` (He et al., 2015, with a = sqrt 5).
    #[default]
    Pytorch,
    /// Keras's default: kernels uniform within `sqrt(6 / (fan_in + fan_out))` (Glorot & Bengio, 2010),
    /// biases zero.
    Glorot,
}

/// Layers that do not learn: neither weights nor running statistics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Freeze {
    /// By name.
    Layers(Vec<String>),
    /// All but the last one that has weights.
    AllButLast,
}

impl Default for Freeze {
    fn default() -> Self {
        Freeze::Layers(Vec::new())
    }
}

impl Default for TrainParams {
    fn default() -> Self {
        TrainParams {
            epochs: 10,
            batch_size: 128,
            learning_rate: 1e-3,
            schedule: Schedule::Constant,
            warmup_epochs: 0,
            optimizer: Optimizer::Adam { beta1: 0.9, beta2: 0.999 },
            weight_decay: 0.0,
            decay_bias_and_norm: true,
            label_smoothing: 0.0,
            clip_norm: None,
            ema_decay: None,
            early_stopping: None,
            keep: Keep::default(),
            initialisation: Initialisation::default(),
            freeze: Freeze::default(),
            augment: Transforms::default(),
            engine: Engine::default(),
            precision: Precision::default(),
        }
    }
}

const SHARE: &str = "at least 0 and below 1";
const POSITIVE_SHARE: &str = "above 0 and below 1";
const UP_TO_RATE: &str = "at least 0 and at most `learning_rate`";

impl TrainParams {
    /// Checks every range.
    ///
    /// # Errors
    /// [`NnError::OutOfRange`] for the first value outside.
    pub fn check(&self) -> Result<(), NnError> {
        in_range("epochs", self.epochs, self.epochs > 0, "at least 1")?;
        in_range("batch_size", self.batch_size, self.batch_size > 0, "at least 1")?;
        let rate = self.learning_rate;
        in_range("learning_rate", rate, rate > 0.0 && rate <= 10.0, "above 0 and at most 10")?;
        let warmup = self.warmup_epochs;
        in_range("warmup_epochs", warmup, warmup < self.epochs, "below `epochs`")?;
        let decay = self.weight_decay;
        in_range("weight_decay", decay, (0.0..=1.0).contains(&decay), "between 0 and 1")?;
        in_range("label_smoothing", self.label_smoothing, is_share(self.label_smoothing), SHARE)?;
        if let Some(norm) = self.clip_norm {
            in_range("clip_norm", norm, norm > 0.0 && norm.is_finite(), "above 0")?;
        }
        if let Some(decay) = self.ema_decay {
            in_range("ema_decay", decay, is_share(decay) && decay > 0.0, POSITIVE_SHARE)?;
        }
        in_range("early_stopping", 0, self.early_stopping != Some(0), "at least 1")?;
        self.check_optimizer()?;
        self.check_schedule()
    }

    fn check_optimizer(&self) -> Result<(), NnError> {
        match self.optimizer {
            Optimizer::Adam { beta1, beta2 } | Optimizer::AdamW { beta1, beta2 } => {
                in_range("beta1", beta1, is_share(beta1), SHARE)?;
                in_range("beta2", beta2, is_share(beta2), SHARE)
            }
            Optimizer::Sgd { momentum, nesterov } => {
                in_range("momentum", momentum, is_share(momentum), SHARE)?;
                let has_momentum = momentum > 0.0 || !nesterov;
                in_range("momentum", momentum, has_momentum, "above 0 with `nesterov`")
            }
        }
    }

    fn check_schedule(&self) -> Result<(), NnError> {
        let up_to_rate = |value: f64| (0.0..=self.learning_rate).contains(&value);
        match self.schedule {
            Schedule::Constant => Ok(()),
            Schedule::Step { epochs, factor } => {
                in_range("step_epochs", epochs, epochs > 0, "at least 1")?;
                let expected = "above 0 and at most 1";
                in_range("step_factor", factor, factor > 0.0 && factor <= 1.0, expected)
            }
            Schedule::Cosine { final_learning_rate: rate } => {
                in_range("final_learning_rate", rate, up_to_rate(rate), UP_TO_RATE)
            }
            Schedule::OneCycle { pct_start, div_factor, final_div_factor } => {
                let is_inside = pct_start > 0.0 && pct_start < 1.0;
                in_range("pct_start", pct_start, is_inside, POSITIVE_SHARE)?;
                let is_divisor = |value: f64| value >= 1.0 && value.is_finite();
                in_range("div_factor", div_factor, is_divisor(div_factor), "at least 1")?;
                let is_last = is_divisor(final_div_factor);
                in_range("final_div_factor", final_div_factor, is_last, "at least 1")
            }
            Schedule::Plateau { factor, min_learning_rate: rate, .. } => {
                let is_inside = factor > 0.0 && factor < 1.0;
                in_range("plateau_factor", factor, is_inside, POSITIVE_SHARE)?;
                in_range("min_learning_rate", rate, up_to_rate(rate), UP_TO_RATE)
            }
        }
    }
}

fn is_share(value: f64) -> bool {
    (0.0..1.0).contains(&value)
}

fn in_range(
    parameter: &'static str,
    found: impl ToString,
    is_inside: bool,
    expected: &'static str,
) -> Result<(), NnError> {
    if is_inside {
        return Ok(());
    }
    Err(NnError::OutOfRange { parameter, found: found.to_string(), expected })
}
