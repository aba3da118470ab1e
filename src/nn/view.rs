//! What a network computes, step by step, for programs that compute it by other means.

use super::error::NnError;
use super::network::Network;
use super::params::Precision;
use super::plan::{Fusion, Operation, Plan};
use crate::data::ImageShape;

/// The way of an image through a network, or through its first layers. Value 0 is the scaled image; step
/// `i` makes value `i + 1`; the last value is the result.
#[derive(Clone, Debug)]
pub struct NetworkView<'a> {
    /// A byte enters as `(byte / 255 - mean) / std`.
    pub mean: f32,
    /// As `mean`.
    pub std: f32,
    /// Shape of the images.
    pub shape: ImageShape,
    /// Steps in order, one for each layer that changes a value.
    pub steps: Vec<StepView<'a>>,
    /// Values per image of the result.
    pub n_outputs: usize,
    /// Whether convolutions multiply numbers of 16 bits: what follows them carries that noise.
    pub is_bf16: bool,
}

/// One step.
#[derive(Clone, Debug)]
pub struct StepView<'a> {
    /// The layer that it is, such as `conv_1`.
    pub layer: String,
    /// The value it reads.
    pub input: usize,
    /// What it computes.
    pub operation: OperationView<'a>,
}

/// What a step computes; images are `[height, width, channels]`, channels fastest.
#[derive(Clone, Copy, Debug)]
pub enum OperationView<'a> {
    /// Cross-correlation with a square kernel over an image bordered by zeros.
    Conv {
        /// `[side, side, in_channels, out_channels]`
        kernel: &'a [f32],
        /// `[out_channels]`
        bias: Option<&'a [f32]>,
        /// Side of the kernel.
        side: usize,
        /// Channels that enter and leave.
        channels: (usize, usize),
        /// Positions from one window to the next.
        stride: usize,
        /// Zeros before the first and after the last row and column.
        padding: (usize, usize),
    },
    /// `x weights + bias` of a vector; an image is one in the order height, width, channel.
    Dense {
        /// `[n_inputs, n_outputs]`
        weights: &'a [f32],
        /// `[n_outputs]`
        bias: Option<&'a [f32]>,
        /// Values that enter and leave.
        sizes: (usize, usize),
    },
    /// `scale (x - mean) / sqrt(variance + eps) + shift` of every channel; each `[n_channels]`.
    BatchNorm {
        /// Factor.
        scale: &'a [f32],
        /// Summand.
        shift: &'a [f32],
        /// Running mean.
        mean: &'a [f32],
        /// Running variance.
        variance: &'a [f32],
        /// Keeps the root away from 0.
        eps: f32,
    },
    /// `max(x, 0)`
    Relu,
    /// The largest of each window; windows that do not fit are left out.
    MaxPool {
        /// Rows and columns of a window.
        size: (usize, usize),
        /// Rows and columns to the next.
        stride: (usize, usize),
    },
    /// The mean of each window, as [`OperationView::MaxPool`].
    MeanPool {
        /// Rows and columns of a window.
        size: (usize, usize),
        /// Rows and columns to the next.
        stride: (usize, usize),
    },
    /// The value as it is: what only training does.
    Identity,
    /// The sum with another value.
    Add {
        /// Which.
        other: usize,
    },
}

impl Network {
    /// What the network computes up to a layer, named as in [`Network::layer_output`], or up to the scores
    /// before the softmax.
    ///
    /// # Errors
    /// [`NnError::UnknownLayer`] with the nearest name.
    pub fn view(&self, layer: Option<&str>) -> Result<NetworkView<'_>, NnError> {
        let architecture = self.architecture();
        let plan = Plan::new(architecture, self.shape(), self.n_classes(), Fusion::Off)?;
        let end = match layer {
            Some(layer) => plan.value_of(&architecture.resolve(layer)?),
            None => None,
        };
        let n_steps = end.unwrap_or(plan.steps.len());
        let weights: Vec<&[f32]> = self.parameters().map(|(_, values)| values).collect();
        let steps = plan.steps.iter().take(n_steps).map(|step| StepView {
            layer: step.layer.clone(),
            input: step.input,
            operation: OperationView::of(step.operation, (step.n_in, step.n_out), &weights),
        });
        Ok(NetworkView {
            mean: plan.pixels.mean as f32,
            std: plan.pixels.std as f32,
            shape: self.shape(),
            steps: steps.collect(),
            n_outputs: plan.n_values(n_steps),
            is_bf16: self.precision() == Precision::Bf16,
        })
    }
}

impl<'a> OperationView<'a> {
    fn of(operation: Operation, sizes: (usize, usize), weights: &[&'a [f32]]) -> Self {
        match operation {
            Operation::Conv { shape, bias, parameter, .. } => OperationView::Conv {
                kernel: weights[parameter],
                bias: bias.then(|| weights[parameter + 1]),
                side: shape.kernel,
                channels: (shape.in_channels, shape.out_channels),
                stride: shape.stride,
                padding: (shape.pad_before, shape.pad_after),
            },
            Operation::Dense { bias, parameter, .. } => OperationView::Dense {
                weights: weights[parameter],
                bias: bias.then(|| weights[parameter + 1]),
                sizes,
            },
            Operation::BatchNorm { norm, .. } => OperationView::BatchNorm {
                scale: weights[norm.parameter],
                shift: weights[norm.parameter + 1],
                mean: weights[norm.parameter + 2],
                variance: weights[norm.parameter + 3],
                eps: norm.eps as f32,
            },
            Operation::Relu => OperationView::Relu,
            Operation::MaxWindows { windows } => {
                OperationView::MaxPool { size: windows.size, stride: windows.stride }
            }
            Operation::MeanWindows { windows } => {
                OperationView::MeanPool { size: windows.size, stride: windows.stride }
            }
            Operation::Dropout { .. } => OperationView::Identity,
            Operation::Add { other, .. } => OperationView::Add { other },
        }
    }
}
